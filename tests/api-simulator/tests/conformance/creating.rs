//! POST.

use serde_json::{Value, json};

use super::support::{GADGETS, Session, WIDGETS, compare, gadget, widget};

#[tokio::test]
async fn objects_are_made_alike() {
    compare("creating", async |s: &mut Session| {
        let path = format!("{WIDGETS}/creating/widgets");
        s.post(&path, &widget("a")).await;
        s.post(&path, &widget("a")).await;
        s.get(&format!("{path}/a")).await;
        s.get(&format!("{path}/a/status")).await;
        s.get(&format!("{path}/b")).await;
        // Everything of the metadata that only the server may set.
        let mut object = widget("b");
        object["metadata"] = json!({
            "name": "b",
            "namespace": "creating",
            "uid": "5d5a0d6c-0f0c-4c0e-8d7e-0d8e5f7e5d11",
            "generation": 7,
            "creationTimestamp": "2020-01-01T00:00:00Z",
            "deletionTimestamp": "2020-01-01T00:00:00Z",
            "deletionGracePeriodSeconds": 30,
            "selfLink": "/b",
            "unknown": 1,
            "labels": {"a": "b"},
            "annotations": {"note": "x"},
            "finalizers": ["sim.example/hold"],
        });
        object["status"] = json!({"state": "Ready"});
        object["more"] = json!(1);
        object["spec"]["more"] = json!(1);
        s.post(&path, &object).await;
        // Empty and null fields.
        let mut object = widget("c");
        object["metadata"] = json!({"name": "c", "labels": {}, "annotations": null, "finalizers": [], "creationTimestamp": null});
        s.post(&path, &object).await;
        s.post(GADGETS, &gadget("creating-a")).await;
        let mut object = gadget("creating-b");
        object["status"] = json!({"state": "Ready"});
        s.post(GADGETS, &object).await;
        s.post(GADGETS, &gadget("creating-b")).await;
    })
    .await;
}

#[tokio::test]
async fn names_are_asked_for_alike() {
    compare("naming", async |s: &mut Session| {
        let path = format!("{WIDGETS}/naming/widgets");
        let mut object = widget("a");
        object["metadata"] = json!({});
        s.post(&path, &object).await;
        object["metadata"] = json!({"generateName": "made-"});
        s.post(&path, &object).await;
        object["metadata"] = json!({"generateName": "made-", "name": "named"});
        s.post(&path, &object).await;
        for name in ["Upper", "under_score", "-a", "a.b-c.0", "a..b"] {
            s.post(&path, &widget(name)).await;
        }
        object.as_object_mut().unwrap().remove("metadata");
        s.post(&path, &object).await;
    })
    .await;
}

#[tokio::test]
async fn what_is_no_such_object_is_refused_alike() {
    compare("refusing", async |s: &mut Session| {
        let path = format!("{WIDGETS}/refusing/widgets");
        let with = |pointer: &str, value: Value| {
            let mut object = widget("a");
            *object.pointer_mut(pointer).unwrap() = value;
            object
        };
        s.post(&path, &with("/apiVersion", json!("sim.example/v2")))
            .await;
        s.post(&path, &with("/apiVersion", json!("other/v1"))).await;
        s.post(&path, &with("/kind", json!("Gadget"))).await;
        s.post(
            &path,
            &with("/metadata", json!({"name": "a", "namespace": "other"})),
        )
        .await;
        s.post(
            &path,
            &with("/metadata", json!({"name": "a", "resourceVersion": "7"})),
        )
        .await;
        let mut object = widget("a");
        object.as_object_mut().unwrap().remove("kind");
        s.post(&path, &object).await;
        let mut object = widget("a");
        object.as_object_mut().unwrap().remove("apiVersion");
        s.post(&path, &object).await;
        s.post(&path, &json!([])).await;
        s.post(&path, &json!("text")).await;
        s.say("POST", &path, "application/json", "{".into()).await;
        s.post(&path, &Value::Null).await;
        s.get(&path).await;
    })
    .await;
}
