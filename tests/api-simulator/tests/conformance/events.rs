//! Events, as kube's recorder writes them.

use serde_json::{Value, json};

use super::support::{Session, compare};

fn event(name: &str) -> Value {
    json!({
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"name": name, "namespace": "events"},
        "action": "Reconcile",
        "eventTime": "2027-01-01T00:00:00.123456Z",
        "note": "something happened",
        "reason": "Active",
        "regarding": {"apiVersion": "sim.example/v1", "kind": "Widget", "name": "a", "namespace": "events"},
        "reportingController": "sim.example/controller",
        "reportingInstance": "pod",
        "type": "Normal",
    })
}

#[tokio::test]
async fn events_are_made_and_counted_alike() {
    compare("events", async |s: &mut Session| {
        let path = "/apis/events.k8s.io/v1/namespaces/events/events".to_owned();
        s.post(&path, &event("a")).await;
        s.post(&path, &event("a")).await;
        let mut series = event("a");
        series["series"] = json!({"count": 2, "lastObservedTime": "2027-01-01T00:01:00.000000Z"});
        s.merge(&format!("{path}/a"), &series).await;
        s.merge(&format!("{path}/b"), &series).await;
        s.get(&format!("{path}/a")).await;
    })
    .await;
}
