//! What a schema refuses.

use serde_json::{Value, json};

use super::support::{Session, WIDGETS, compare, widget};

#[tokio::test]
async fn schemas_refuse_alike() {
    compare("validation", async |s: &mut Session| {
        let path = format!("{WIDGETS}/validation/widgets");
        let with = |field: &str, value: Value| {
            let mut object = widget("a");
            object["spec"][field] = value;
            object
        };
        for object in [
            with("size", json!("big")),
            with("size", json!(1.5)),
            with("size", json!(4_000_000_000_i64)),
            with("size", json!(null)),
            with("colour", json!("green")),
            with("colour", json!(7)),
            with("colour", json!(null)),
            with("code", json!("nothing")),
            with("code", json!("ab-1")),
            with("due", json!("tomorrow")),
            with("due", json!("2027-01-01t00:00:00z")),
            with("ratio", json!("half")),
            with("hidden", json!("yes")),
            with("tags", json!("a")),
            with("tags", json!(["a", "b", "c", "d"])),
            with("tags", json!(["a", 1, null])),
            with("parts", json!([{"weight": 1}])),
            with("parts", json!([{"id": ""}, {"id": "too long a name"}])),
            with("parts", json!([{"id": "a", "weight": -1}, {"id": "b", "weight": 11}])),
            with("parts", json!([{"id": "a"}, {"id": "a"}])),
            with("parts", json!(["a"])),
            with("extra", json!({"a": 1})),
            with("port", json!(true)),
            with("box", json!([])),
            with("anything", json!("a")),
            json!({"apiVersion": "sim.example/v1", "kind": "Widget", "metadata": {"name": "a"}}),
            json!({"apiVersion": "sim.example/v1", "kind": "Widget", "metadata": {"name": "a"}, "spec": {}}),
            json!({"apiVersion": "sim.example/v1", "kind": "Widget", "metadata": {"name": "a"}, "spec": 1}),
            json!({"apiVersion": "sim.example/v1", "kind": "Widget", "metadata": {"name": "A"}, "spec": {"size": "x", "colour": "y"}}),
        ] {
            s.post(&path, &object).await;
            s.delete(&format!("{path}/a"), &json!({})).await;
        }
    })
    .await;
}

#[tokio::test]
async fn what_fits_is_completed_alike() {
    compare("completion", async |s: &mut Session| {
        let path = format!("{WIDGETS}/completion/widgets");
        let mut object = widget("a");
        object["spec"] = json!({
            "size": 1,
            "colour": null,
            "code": null,
            "hidden": null,
            "ratio": 1,
            "due": "2027-01-01T00:00:00+02:00",
            "tags": ["b", "a"],
            "parts": [{"id": "a", "unknown": 1}, {"id": "b", "weight": null}],
            "extra": {"a": "b", "c": null},
            "port": "http",
            "box": {"unknown": 1},
            "anything": {"a": {"b": [1, null]}},
        });
        s.post(&path, &object).await;
        let status = format!("{path}/a/status");
        s.merge(&status, &json!({"status": {"count": "x"}})).await;
        s.merge(&status, &json!({"status": {"count": 1}})).await;
        s.merge(&format!("{path}/a"), &json!({"spec": {"size": "x"}}))
            .await;
        s.merge(&format!("{path}/a"), &json!({"spec": null})).await;
        s.merge(
            &format!("{path}/a"),
            &json!({"metadata": {"finalizers": ["plain"]}}),
        )
        .await;
        s.get(&format!("{path}/a")).await;
    })
    .await;
}
