//! What a checker is told.

use std::sync::{Arc, Mutex};

use api_simulator::{Commit, Shown, Verb};
use serde_json::json;

use super::support::{PATH, ask, get, make, post, resize, simulator, sleep, widget};

#[tokio::test(start_paused = true)]
async fn each_change_is_told_once_with_what_was_before_and_after() {
    let simulator = simulator();
    let commits = Arc::new(Mutex::new(Vec::<Commit>::new()));
    let (told, world) = (Arc::clone(&commits), simulator.clone());
    simulator.observe(move |commit| {
        // It may look at the world, which is as the commit says.
        let name = (commit.namespace.as_deref(), commit.name.as_str());
        assert_eq!(world.get(&commit.resource, name.0, name.1), commit.after);
        told.lock().unwrap().push(commit.clone());
    });
    let connection = simulator.connect("controller");
    sleep(1).await;
    ask(&connection, post(PATH, &widget("a"))).await;
    ask(&connection, post(PATH, &widget("a"))).await;
    resize(&simulator, "a", 1);
    resize(&simulator, "a", 1);
    let hold = json!({"metadata": {"finalizers": ["sim.example/hold"]}});
    simulator
        .merge_patch("alice", "widgets", Some("shop"), "a", hold)
        .unwrap();
    simulator
        .delete("bob", "widgets", Some("shop"), "a")
        .unwrap();
    let release = json!({"metadata": {"finalizers": []}});
    simulator
        .merge_patch("carol", "widgets", Some("shop"), "a", release)
        .unwrap();
    let commits = commits.lock().unwrap();
    let short: Vec<_> = commits
        .iter()
        .map(|commit| {
            (
                commit.number,
                commit.actor.as_str(),
                commit.verb,
                commit.call,
                commit.after.is_some(),
            )
        })
        .collect();
    // The definition was the first. A default that is stored for the first time is a change, as on the real server.
    assert_eq!(
        short,
        [
            (2, "controller", Verb::Create, Some(1), true),
            (3, "alice", Verb::Patch, None, true),
            (4, "alice", Verb::Patch, None, true),
            (5, "bob", Verb::Delete, None, true),
            (6, "carol", Verb::Patch, None, false),
        ]
    );
    assert_eq!(commits[0].time.to_string(), "2027-01-01T00:00:01.25Z");
    assert!(commits[0].before.is_none());
    assert_eq!(commits[1].before, commits[0].after);
}

#[tokio::test(start_paused = true)]
async fn the_books_say_what_reads_have_shown() {
    let simulator = simulator();
    let connection = simulator.connect("controller");
    make(&simulator, "a");
    ask(&connection, get(&format!("{PATH}/a"))).await;
    ask(&connection, get(PATH)).await;
    ask(&connection, get(&format!("{PATH}/b"))).await;
    let records = simulator.requests_since(0);
    let now = simulator.get("widgets", Some("shop"), "a").unwrap();
    assert!(matches!(&records[0].shown, Some(Shown::Object(object)) if *object == now));
    let version = now["metadata"]["resourceVersion"].as_str().unwrap();
    assert!(matches!(&records[1].shown, Some(Shown::List(list)) if list["shop/a"] == version));
    assert_eq!(
        (records[2].status, records[2].shown.is_none()),
        (Some(404), true)
    );
    assert_eq!(simulator.requests_since(2).len(), 1);
    simulator.forget_requests();
    assert!(simulator.requests_since(0).is_empty());
    ask(&connection, get(PATH)).await;
    assert_eq!(
        simulator.requests_since(0)[0].call.number,
        4,
        "numbers go on"
    );
}

/// The same seed and the same requests: the same world.
#[tokio::test(start_paused = true)]
async fn a_world_can_be_had_again() {
    let world = || {
        let simulator = simulator();
        make(&simulator, "a");
        let mut named = widget("x");
        named["metadata"] = json!({"generateName": "made-", "namespace": "shop"});
        simulator.create("alice", "widgets", named).unwrap();
        simulator.list("widgets")
    };
    let (one, other) = (world(), world());
    assert_eq!(one, other);
    assert_ne!(one[0]["metadata"]["uid"], one[1]["metadata"]["uid"]);
}
