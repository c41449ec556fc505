//! kube's clients and watchers on the simulator.

use std::time::Duration;

use futures::StreamExt;
use kube::api::{Api, PostParams};
use kube::core::{ApiResource, DynamicObject, GroupVersionKind};
use kube::runtime::watcher;

use super::support::{simulator, widget};

#[test]
fn a_watcher_of_kube_sees_what_happens_without_an_io_driver() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(async {
        let simulator = simulator();
        let kind = ApiResource::from_gvk(&GroupVersionKind::gvk("sim.example", "v1", "Widget"));
        let client = simulator.connect("controller").client("shop");
        let api: Api<DynamicObject> = Api::default_namespaced_with(client, &kind);
        let object = serde_json::from_value(widget("a")).unwrap();
        let made = api.create(&PostParams::default(), &object).await.unwrap();
        assert_eq!(made.data["status"]["state"], "Pending");
        assert_eq!(made.metadata.generation, Some(1));

        let mut events = watcher(api.clone(), watcher::Config::default()).boxed();
        let mut next = async || events.next().await.unwrap().unwrap();
        assert!(matches!(next().await, watcher::Event::Init));
        assert!(matches!(next().await, watcher::Event::InitApply(_)));
        assert!(matches!(next().await, watcher::Event::InitDone));
        // Several watches come and go meanwhile.
        let later = simulator.clone();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_hours(1)).await;
            later.delete("carol", "widgets", Some("shop"), "a").unwrap();
        });
        assert!(matches!(next().await, watcher::Event::Delete(_)));
        let lists = simulator.requests_since(0);
        let lists = lists
            .iter()
            .filter(|record| record.call.verb == api_simulator::Verb::List);
        assert_eq!(lists.count(), 1, "a watcher goes on where it was");
    });
}
