//! PATCH.

use serde_json::{Value, json};

use super::support::{Session, WIDGETS, compare, widget};

#[tokio::test]
async fn patches_are_applied_alike() {
    compare("patching", async |s: &mut Session| {
        let path = format!("{WIDGETS}/patching/widgets");
        let one = format!("{path}/a");
        let made = s.post(&path, &widget("a")).await.body;
        // Nothing changes, though the default status is stored now.
        s.merge(&one, &json!({})).await;
        s.merge(&one, &json!({})).await;
        s.merge(
            &one,
            &json!({"spec": {"size": 2, "unknown": 1, "tags": ["a"]}}),
        )
        .await;
        s.merge(&one, &json!({"spec": {"tags": null, "colour": null}}))
            .await;
        s.merge(&one, &json!({"metadata": {"annotations": {"note": "x"}}}))
            .await;
        s.merge(&one, &json!({"status": {"state": "Ready"}})).await;
        let version = made["metadata"]["resourceVersion"].clone();
        s.merge(
            &one,
            &json!({"metadata": {"resourceVersion": version}, "spec": {"size": 3}}),
        )
        .await;
        s.merge(
            &one,
            &json!({"metadata": {"uid": "5d5a0d6c-0f0c-4c0e-8d7e-0d8e5f7e5d11"}}),
        )
        .await;
        s.merge(&one, &json!({"metadata": {"name": "b"}})).await;
        s.merge(
            &one,
            &json!({"metadata": {"resourceVersion": null, "uid": null}, "spec": {"size": 4}}),
        )
        .await;
        s.merge(&one, &json!({"kind": "Gadget"})).await;
        s.merge(&format!("{path}/b"), &json!({"spec": {"size": 3}}))
            .await;
        s.say("PATCH", &one, "application/merge-patch+json", "{".into())
            .await;
        s.merge(&one, &json!([])).await;
        s.get(&one).await;
    })
    .await;
}

#[tokio::test]
async fn json_patches_are_applied_alike() {
    compare("json-patching", async |s: &mut Session| {
        let widgets = format!("{WIDGETS}/json-patching/widgets");
        let one = format!("{widgets}/a");
        let made = s.post(&widgets, &widget("a")).await.body;
        let tests = |of: &Value| {
            vec![
                json!({"op": "test", "path": "/metadata/uid", "value": of["metadata"]["uid"]}),
                json!({"op": "test", "path": "/metadata/resourceVersion", "value": of["metadata"]["resourceVersion"]}),
            ]
        };
        let finalizers = |of: &Value, list: Value| {
            let mut patch = tests(of);
            patch.push(json!({"op": "add", "path": "/metadata/finalizers", "value": list}));
            Value::Array(patch)
        };
        let held = s.patch(&one, &finalizers(&made, json!(["sim.example/hold"]))).await.body;
        // The version is another by now.
        s.patch(&one, &finalizers(&made, json!([]))).await;
        s.patch(&one, &finalizers(&held, json!(["sim.example/hold"]))).await;
        let now = s.get(&one).await.body;
        s.patch(&one, &finalizers(&now, json!([]))).await;
        for patch in [
            json!([{"op": "remove", "path": "/spec/nothing"}]),
            json!([{"op": "replace", "path": "/spec/nothing", "value": 1}]),
            json!([{"op": "add", "path": "/spec/nothing/deep", "value": 1}]),
            json!([{"op": "test", "path": "/spec/size", "value": 1}, {"op": "replace", "path": "/spec/size", "value": 5}]),
            json!([{"op": "jump", "path": "/spec/size"}]),
            json!([{"op": "add", "path": "/spec/tags", "value": ["a", "b"]}, {"op": "add", "path": "/spec/tags/-", "value": "c"}]),
            json!([{"op": "test", "path": "/spec/tags", "value": ["a", "b", "c"]}, {"op": "remove", "path": "/spec/tags/0"}]),
            json!({"op": "remove"}),
            json!([]),
        ] {
            s.patch(&one, &patch).await;
        }
        s.patch(&format!("{widgets}/b"), &json!([])).await;
        s.say("PATCH", &one, "application/json", "{}".into()).await;
        s.get(&one).await;
    })
    .await;
}
