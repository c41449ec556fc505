//! kube's clients, watchers and recorder on the simulator.

use std::time::Duration;

use api_simulator::{ApiSimulator, Connection, Verb};
use futures::StreamExt;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams, PostParams, Preconditions};
use kube::core::{ApiResource, DynamicObject, GroupVersionKind};
use kube::runtime::events::{Event, EventType, Recorder};
use kube::runtime::watcher;
use serde_json::json;

use super::support::{make, resize, simulator, widget};

fn api(connection: &Connection) -> Api<DynamicObject> {
    let kind = ApiResource::from_gvk(&GroupVersionKind::gvk("sim.example", "v1", "Widget"));
    Api::default_namespaced_with(connection.client("shop"), &kind)
}

fn lists(simulator: &ApiSimulator) -> usize {
    let records = simulator.requests_since(0);
    records
        .iter()
        .filter(|record| record.call.verb == Verb::List)
        .count()
}

#[test]
fn a_watcher_of_kube_goes_on_for_hours_without_an_io_driver() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(async {
        let simulator = simulator();
        make(&simulator, "a");
        let api = api(&simulator.connect("controller"));
        let mut events = watcher(api, watcher::Config::default()).boxed();
        let mut next = async || events.next().await.unwrap().unwrap();
        assert!(matches!(next().await, watcher::Event::Init));
        assert!(matches!(next().await, watcher::Event::InitApply(_)));
        assert!(matches!(next().await, watcher::Event::InitDone));
        let later = simulator.clone();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_hours(5)).await;
            later.delete("carol", "widgets", Some("shop"), "a").unwrap();
        });
        assert!(matches!(next().await, watcher::Event::Delete(_)));
        assert_eq!(lists(&simulator), 1, "its bookmarks were new enough");
        assert!(simulator.requests_since(0).len() > 50, "many watches");
    });
}

#[tokio::test(start_paused = true)]
async fn a_watcher_of_kube_lists_again_after_an_expiry_in_its_stream() {
    let simulator = simulator();
    make(&simulator, "a");
    let api = api(&simulator.connect("controller"));
    let mut events = watcher(api, watcher::Config::default()).boxed();
    for _ in 0..3 {
        events.next().await.unwrap().unwrap();
    }
    // Changes while nobody watches, which the server has forgotten when it is back.
    let cut = simulator.clone();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_secs(5)).await;
        resize(&cut, "a", 2);
        cut.end_watches();
        resize(&cut, "a", 3);
        cut.compact();
    });
    let sizes = events
        .filter_map(async |event| match event {
            Ok(watcher::Event::Apply(object) | watcher::Event::InitApply(object)) => {
                Some(object.data["spec"]["size"].clone())
            }
            _ => None,
        })
        .take_while(|size| futures::future::ready(size != 3));
    let seen = tokio::time::timeout(Duration::from_mins(1), sizes.count()).await;
    assert!(seen.is_ok(), "the last state was seen");
    assert_eq!(lists(&simulator), 2);
}

#[tokio::test(start_paused = true)]
async fn conditional_writes_of_kube_are_refused_as_it_knows() {
    let simulator = simulator();
    let api = api(&simulator.connect("controller"));
    let object: DynamicObject = serde_json::from_value(widget("a")).unwrap();
    let made = api.create(&PostParams::default(), &object).await.unwrap();
    let again = api.create(&PostParams::default(), &object).await;
    assert!(matches!(again, Err(kube::Error::Api(status)) if status.is_already_exists()));
    resize(&simulator, "a", 2);
    let late = api.replace_status("a", &PostParams::default(), &made).await;
    assert!(matches!(late, Err(kube::Error::Api(status)) if status.is_conflict()));
    let patch = json!([{"op": "test", "path": "/metadata/resourceVersion", "value": "1"}]);
    let patch = Patch::Json::<()>(serde_json::from_value(patch).unwrap());
    let failed = api.patch("a", &PatchParams::default(), &patch).await;
    assert!(matches!(failed, Err(kube::Error::Api(status)) if status.code == 422));
    let conditions = Preconditions {
        uid: made.metadata.uid.clone(),
        resource_version: made.metadata.resource_version.clone(),
    };
    let parameters = DeleteParams::default().preconditions(conditions);
    let late = api.delete("a", &parameters).await;
    assert!(matches!(late, Err(kube::Error::Api(status)) if status.is_conflict()));
    let gone = api.delete("a", &DeleteParams::default()).await.unwrap();
    assert!(gone.is_right());
    assert!(api.get_opt("a").await.unwrap().is_none());
}

#[tokio::test(start_paused = true)]
async fn leases_events_and_definitions_are_there() {
    let simulator = simulator();
    let client = simulator.connect("controller").client("shop");
    let leases: Api<Lease> = Api::default_namespaced(client.clone());
    let lease = json!({"metadata": {"name": "leader"}, "spec": {"holderIdentity": "a"}});
    let lease: Lease = serde_json::from_value(lease).unwrap();
    let mut made = leases.create(&PostParams::default(), &lease).await.unwrap();
    made.spec.as_mut().unwrap().holder_identity = Some("b".to_owned());
    leases
        .replace("leader", &PostParams::default(), &made)
        .await
        .unwrap();
    assert!(
        leases
            .replace("leader", &PostParams::default(), &made)
            .await
            .is_err()
    );

    let recorder = Recorder::new(client.clone(), "controller".into());
    let about = ObjectReference {
        name: Some("a".to_owned()),
        namespace: Some("shop".to_owned()),
        ..ObjectReference::default()
    };
    let event = Event {
        type_: EventType::Normal,
        reason: "Active".to_owned(),
        note: None,
        action: "Reconcile".to_owned(),
        secondary: None,
    };
    recorder.publish(&event, &about).await.unwrap();
    recorder.publish(&event, &about).await.unwrap();
    assert_eq!(simulator.events(), 1, "the second is a count in the first");
    assert_eq!(simulator.list("events")[0]["series"]["count"], 2);

    let definitions: Api<CustomResourceDefinition> = Api::all(client);
    let definition = definitions.get("widgets.sim.example").await.unwrap();
    assert!(definition.spec.versions[0].schema.is_some());
    let all = definitions.list(&ListParams::default()).await.unwrap();
    assert_eq!(all.items.len(), 1);
}
