//! DELETE and finalizers.

use serde_json::{Value, json};

use super::support::{GADGETS, Session, WIDGETS, compare, gadget, widget};

fn held(name: &str) -> Value {
    let mut object = widget(name);
    object["metadata"]["finalizers"] = json!(["sim.example/hold", "sim.example/other"]);
    object
}

#[tokio::test]
async fn objects_are_deleted_alike() {
    compare("deleting", async |s: &mut Session| {
        let path = format!("{WIDGETS}/deleting/widgets");
        let one = format!("{path}/a");
        s.post(&path, &widget("a")).await;
        s.delete(&one, &json!({})).await;
        s.delete(&one, &json!({})).await;
        s.post(&path, &widget("a")).await;
        s.delete(&one, &Value::Null).await;
        s.post(GADGETS, &gadget("deleting")).await;
        s.delete(&format!("{GADGETS}/deleting"), &json!({})).await;
        // With the body that kubectl sends.
        s.post(&path, &widget("a")).await;
        s.delete(&one, &json!({"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Background"})).await;
    })
    .await;
}

#[tokio::test]
async fn preconditions_are_checked_alike() {
    compare("preconditions", async |s: &mut Session| {
        let path = format!("{WIDGETS}/preconditions/widgets");
        let one = format!("{path}/a");
        let made = s.post(&path, &widget("a")).await.body;
        s.merge(&one, &json!({"spec": {"size": 2}})).await;
        let uid = made["metadata"]["uid"].clone();
        let only = |conditions: Value| json!({"preconditions": conditions});
        s.delete(&one, &only(json!({"uid": "5d5a0d6c-0f0c-4c0e-8d7e-0d8e5f7e5d11"}))).await;
        s.delete(&one, &only(json!({"uid": uid, "resourceVersion": made["metadata"]["resourceVersion"]}))).await;
        s.delete(&one, &only(json!({"resourceVersion": "1"}))).await;
        let now = s.get(&one).await.body;
        s.delete(&one, &only(json!({"uid": uid, "resourceVersion": now["metadata"]["resourceVersion"]}))).await;
        s.delete(&one, &only(json!({"uid": uid}))).await;

        let made = s.post(&path, &held("b")).await.body;
        let one = format!("{path}/b");
        s.delete(&one, &only(json!({"resourceVersion": "1"}))).await;
        let deleting = s.delete(&one, &only(json!({"uid": made["metadata"]["uid"], "resourceVersion": made["metadata"]["resourceVersion"]}))).await.body;
        s.delete(&one, &only(json!({"resourceVersion": made["metadata"]["resourceVersion"]}))).await;
        s.delete(&one, &only(json!({"resourceVersion": deleting["metadata"]["resourceVersion"]}))).await;
    })
    .await;
}

#[tokio::test]
async fn finalizers_hold_alike() {
    compare("holding", async |s: &mut Session| {
        let path = format!("{WIDGETS}/holding/widgets");
        let one = format!("{path}/a");
        let before = s.post(&path, &held("a")).await;
        let deleting = s.delete(&one, &json!({})).await.body;
        s.delete(&one, &json!({})).await;
        s.post(&path, &widget("a")).await;
        let mut object = deleting.clone();
        object["metadata"]["finalizers"] =
            json!(["sim.example/hold", "sim.example/other", "sim.example/new"]);
        s.put(&one, &object).await;
        let mut object = deleting.clone();
        object["metadata"]
            .as_object_mut()
            .unwrap()
            .remove("deletionTimestamp");
        object["metadata"]
            .as_object_mut()
            .unwrap()
            .remove("deletionGracePeriodSeconds");
        object["spec"]["size"] = json!(5);
        let changed = s.put(&one, &object).await.body;
        let mut object = changed.clone();
        object["status"] = json!({"state": "Leaving"});
        let leaving = s.put(&format!("{one}/status"), &object).await.body;
        let mut object = leaving.clone();
        object["metadata"]["finalizers"] = json!(["sim.example/hold"]);
        let last = s.put(&one, &object).await.body;
        // A write by hand that comes too late.
        s.put(&one, &object).await;
        let mut object = last.clone();
        object["metadata"]["finalizers"] = json!([]);
        object["spec"]["size"] = json!(6);
        s.put(&one, &object).await;
        s.get(&one).await;
        s.put(&one, &object).await;
        // By patches.
        let before_b = s.post(&path, &held("b")).await;
        let one = format!("{path}/b");
        s.delete(&one, &json!({})).await;
        s.merge(
            &one,
            &json!({"metadata": {"finalizers": ["sim.example/hold"]}}),
        )
        .await;
        s.patch(
            &one,
            &json!([{"op": "add", "path": "/metadata/finalizers", "value": []}]),
        )
        .await;
        s.get(&one).await;
        // Finalizers that come off before the deletion.
        s.post(&path, &held("c")).await;
        s.merge(
            &format!("{path}/c"),
            &json!({"metadata": {"finalizers": null}}),
        )
        .await;
        s.delete(&format!("{path}/c"), &json!({})).await;
        let since = before.version();
        s.watch(&format!(
            "{path}?watch=true&timeoutSeconds=1&resourceVersion={since}"
        ))
        .await;
        let since = before_b.version();
        s.watch(&format!(
            "{path}?watch=true&timeoutSeconds=1&resourceVersion={since}"
        ))
        .await;
    })
    .await;
}
