//! What people do past all gates, and what they can force.

use api_simulator::{Ending, Fate};
use serde_json::json;

use super::support::{PATH, ask, get, make, post, resize, simulator, widget};

#[tokio::test(start_paused = true)]
async fn people_pass_all_gates_by_the_rules_of_anybody() {
    let simulator = simulator();
    let _cut = simulator
        .connect("a")
        .through(|_| Fate::instead(Ending::Reset));
    let made = simulator.act("alice", post(PATH, &widget("a")));
    assert_eq!(made.status(), 201);
    let again = simulator.act("alice", post(PATH, &widget("a")));
    assert_eq!(again.status(), 409);
    let wrong = json!({"spec": {"size": "big"}});
    let refused = simulator.merge_patch("alice", "widgets", Some("shop"), "a", wrong);
    assert_eq!(refused.unwrap_err().code, 422);
    // Over whatever is there.
    let mut object = widget("a");
    object["spec"]["size"] = json!(4);
    let written = simulator.replace("alice", "widgets", object).unwrap();
    assert_eq!(written["metadata"]["generation"], 2);
    let missing = simulator.delete("alice", "widgets", Some("shop"), "b");
    assert!(missing.unwrap_err().is_not_found());
    assert!(simulator.requests_since(0).is_empty(), "not in the books");
}

#[tokio::test(start_paused = true)]
async fn what_was_written_past_the_schema_stays_and_is_not_held_against_later_writes() {
    let simulator = simulator();
    let connection = simulator.connect("controller");
    make(&simulator, "a");
    let written = simulator
        .overwrite("mallory", "widgets", Some("shop"), "a", |object| {
            object["spec"]["size"] = json!({"not": "a number"});
            object["spec"]["novelty"] = json!([1]);
        })
        .unwrap();
    assert_eq!(written["metadata"]["generation"], 2);
    let (_, mut seen) = ask(&connection, get(&format!("{PATH}/a"))).await;
    assert_eq!(seen["spec"]["novelty"], json!([1]));
    seen["status"] = json!({"state": "Odd"});
    let request = api_simulator::http::Request::put(format!("{PATH}/a/status"))
        .body(seen.to_string().into())
        .unwrap();
    let (code, seen) = ask(&connection, request).await;
    assert_eq!((code, &seen["spec"]["novelty"]), (200, &json!([1])));
    let patch = json!({"metadata": {"finalizers": ["sim.example/hold"]}});
    let held = simulator
        .merge_patch("alice", "widgets", Some("shop"), "a", patch)
        .unwrap();
    assert_eq!(held["spec"]["novelty"], json!([1]));
    // A write that changes what is wrong must make it right.
    let worse = json!({"spec": {"size": "big"}});
    assert!(
        simulator
            .merge_patch("alice", "widgets", Some("shop"), "a", worse)
            .is_err()
    );
    resize(&simulator, "a", 2);
    assert!(
        simulator
            .overwrite("mallory", "widgets", Some("shop"), "b", |_| {})
            .is_none()
    );
}

#[tokio::test(start_paused = true)]
async fn force_removes_what_finalizers_hold() {
    let simulator = simulator();
    make(&simulator, "a");
    make(&simulator, "b");
    let hold = json!({"metadata": {"finalizers": ["sim.example/hold"]}});
    simulator
        .merge_patch("alice", "widgets", Some("shop"), "a", hold)
        .unwrap();
    let kept = simulator
        .delete("alice", "widgets", Some("shop"), "a")
        .unwrap();
    assert!(kept["metadata"]["deletionTimestamp"].is_string());
    simulator
        .remove_by_force("alice", "widgets", Some("shop"), "a")
        .unwrap();
    simulator
        .remove_by_force("alice", "widgets", Some("shop"), "b")
        .unwrap();
    assert!(simulator.list("widgets").is_empty());
    assert!(
        simulator
            .remove_by_force("alice", "widgets", Some("shop"), "b")
            .is_err()
    );
}
