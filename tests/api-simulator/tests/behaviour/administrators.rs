//! Backups, compactions and restarts.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::timeout;

use super::support::{PATH, ask, get, make, resize, simulator, sleep, version, watch, widgets};

#[tokio::test(start_paused = true)]
async fn a_watch_from_before_a_compaction_is_expired_in_its_stream() {
    let simulator = simulator();
    let connection = simulator.connect("a");
    make(&simulator, "a");
    let before = version(&connection).await;
    resize(&simulator, "a", 2);
    assert_eq!(watch(&connection, &before, 1).await, ["MODIFIED a 2"]);
    let open = connection.clone();
    let now = version(&connection).await;
    let since = now.clone();
    let open = tokio::spawn(async move { watch(&open, &since, 10).await });
    sleep(1).await;
    simulator.compact();
    resize(&simulator, "a", 3);
    assert_eq!(watch(&connection, &before, 1).await, ["ERROR 410"]);
    assert_eq!(watch(&connection, &now, 1).await, ["MODIFIED a 3"]);
    assert_eq!(
        open.await.unwrap(),
        ["MODIFIED a 3"],
        "an open watch goes on"
    );
}

#[tokio::test(start_paused = true)]
async fn a_restart_ends_all_watches_with_what_is_on_its_way() {
    let simulator = simulator();
    make(&simulator, "a");
    let connection = simulator.connect("a").lagging(Duration::from_secs(5));
    let since = version(&connection).await;
    let open = connection.clone();
    let open = tokio::spawn(async move { watch(&open, &since, 1000).await });
    sleep(1).await;
    resize(&simulator, "a", 2);
    sleep(1).await;
    simulator.end_watches();
    let told = timeout(Duration::from_millis(1), open).await;
    assert_eq!(told.unwrap().unwrap(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_plain_restore_lets_versions_run_backwards() {
    let simulator = simulator();
    let connection = simulator.connect("a");
    make(&simulator, "a");
    let backup = simulator.snapshot();
    resize(&simulator, "a", 2);
    make(&simulator, "b");
    let before = simulator.get("widgets", Some("shop"), "a").unwrap();
    let seen = version(&connection).await;
    let open = connection.clone();
    let since = seen.clone();
    let open = tokio::spawn(async move { watch(&open, &since, 1000).await });
    sleep(1).await;
    simulator.restore(&backup, false);
    assert_eq!(open.await.unwrap(), Vec::<String>::new(), "watches end");
    assert!(simulator.get("widgets", Some("shop"), "b").is_none());
    let now = version(&connection).await;
    assert!(now.parse::<u64>().unwrap() < seen.parse::<u64>().unwrap());
    // A version that was seen comes again, with another content.
    resize(&simulator, "a", 5);
    let after = simulator.get("widgets", Some("shop"), "a").unwrap();
    assert_eq!(
        before["metadata"]["resourceVersion"],
        after["metadata"]["resourceVersion"]
    );
    assert_ne!(before["spec"], after["spec"]);
    // Who goes on from what was seen is told nothing of it.
    assert_eq!(watch(&connection, &seen, 1).await, Vec::<String>::new());
    let open = connection.clone();
    let open = tokio::spawn(async move { watch(&open, &seen, 10).await });
    sleep(1).await;
    resize(&simulator, "a", 6);
    resize(&simulator, "a", 7);
    assert_eq!(open.await.unwrap(), ["MODIFIED a 7"]);
}

#[tokio::test(start_paused = true)]
async fn a_restore_with_a_bump_expires_what_was_seen() {
    let simulator = simulator();
    let connection = simulator.connect("a");
    make(&simulator, "a");
    let backup = simulator.snapshot();
    resize(&simulator, "a", 2);
    let seen = version(&connection).await;
    simulator.restore(&backup, true);
    let now = version(&connection).await;
    assert!(now.parse::<u64>().unwrap() > seen.parse::<u64>().unwrap() + 1_000_000);
    assert_eq!(watch(&connection, &seen, 1).await, ["ERROR 410"]);
    assert_eq!(watch(&connection, &now, 1).await, Vec::<String>::new());
    let (_, list) = ask(&connection, get(PATH)).await;
    assert_eq!(list["items"][0]["spec"]["size"], 1);
}

#[tokio::test(start_paused = true)]
async fn a_definition_can_be_changed_under_its_objects() {
    let simulator = simulator();
    let connection = simulator.connect("a");
    make(&simulator, "a");
    let mut definition = widgets();
    let schema = "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties";
    let fields = definition.pointer_mut(schema).unwrap();
    fields["shape"] = json!({"type": "string", "default": "round"});
    simulator.define(&definition).unwrap();
    let (_, widget) = ask(&connection, get(&format!("{PATH}/a"))).await;
    assert_eq!(widget["spec"]["shape"], "round");
    let name = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/widgets.sim.example";
    let (_, shown) = ask(&connection, get(name)).await;
    assert_eq!(shown["metadata"]["generation"], 2);
    assert_ne!(shown.pointer(&format!("{schema}/shape")), None::<&Value>);
}

/// A day with a change each second: what is kept does not grow with it.
#[tokio::test(start_paused = true)]
async fn a_day_is_forgotten_as_it_goes() {
    let simulator = simulator();
    let connection = simulator.connect("a");
    make(&simulator, "a");
    let begin = version(&connection).await;
    for size in 0..86_400 {
        resize(&simulator, "a", size % 7 + 1);
        if size % 60 == 0 {
            sleep(60).await;
        }
    }
    assert_eq!(watch(&connection, &begin, 1).await, ["ERROR 410"]);
    let kept = simulator.remembered("widgets");
    assert!((100..2_000).contains(&kept), "{kept}");
}
