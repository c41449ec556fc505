//! PUT.

use serde_json::json;

use super::support::{GADGETS, Session, WIDGETS, compare, gadget, widget};

#[tokio::test]
async fn objects_are_replaced_alike() {
    compare("replacing", async |s: &mut Session| {
        let path = format!("{WIDGETS}/replacing/widgets");
        let one = format!("{path}/a");
        let made = s.post(&path, &widget("a")).await.body;
        // Nothing changes, though the default status is stored now.
        let same = s.put(&one, &made).await.body;
        s.put(&one, &same).await;
        let mut object = same.clone();
        object["spec"]["size"] = json!(2);
        let bigger = s.put(&one, &object).await.body;
        // From before the last change.
        s.put(&one, &object).await;
        let mut object = bigger.clone();
        object["metadata"]["labels"] = json!({"a": "b"});
        let labelled = s.put(&one, &object).await.body;
        let mut object = labelled.clone();
        object["status"] = json!({"state": "Ready", "count": 3});
        object["spec"]["colour"] = json!("red");
        object["spec"]["unknown"] = json!("red");
        object["metadata"]["generation"] = json!(70);
        let red = s.put(&one, &object).await.body;
        // Fields that may be left out, and those that come back with their defaults.
        let mut object = widget("a");
        object["metadata"]["resourceVersion"] = red["metadata"]["resourceVersion"].clone();
        s.put(&one, &object).await;
        s.get(&one).await;
    })
    .await;
}

#[tokio::test]
async fn what_can_not_replace_is_refused_alike() {
    compare("conflicts", async |s: &mut Session| {
        let path = format!("{WIDGETS}/conflicts/widgets");
        let one = format!("{path}/a");
        let made = s.post(&path, &widget("a")).await.body;
        s.put(&one, &widget("a")).await;
        let mut object = made.clone();
        object["metadata"]["uid"] = json!("5d5a0d6c-0f0c-4c0e-8d7e-0d8e5f7e5d11");
        s.put(&one, &object).await;
        object["metadata"]["resourceVersion"] = json!("1");
        s.put(&one, &object).await;
        let mut object = made.clone();
        object["metadata"]["resourceVersion"] = json!("99999999");
        s.put(&one, &object).await;
        object["metadata"]["resourceVersion"] = json!("x");
        s.put(&one, &object).await;
        s.put(&format!("{path}/b"), &made).await;
        let mut object = made.clone();
        object["metadata"]["creationTimestamp"] = json!("2020-01-01T00:00:00Z");
        s.put(&one, &object).await;
        let mut object = made.clone();
        object["metadata"]["deletionTimestamp"] = json!("2020-01-01T00:00:00Z");
        s.put(&one, &object).await;
        let now = s.get(&one).await.body;
        assert_eq!(
            now["metadata"]["creationTimestamp"],
            made["metadata"]["creationTimestamp"]
        );
        object["metadata"]["resourceVersion"] = now["metadata"]["resourceVersion"].clone();
        object["metadata"]["deletionGracePeriodSeconds"] = json!(30);
        s.put(&one, &object).await;
        let mut object = made.clone();
        object["metadata"].as_object_mut().unwrap().remove("name");
        s.put(&one, &object).await;
        // Of one that is not there: never was, by uid, and removed since.
        let mut object = widget("b");
        s.put(&format!("{path}/b"), &object).await;
        object["metadata"]["resourceVersion"] = json!("5");
        s.put(&format!("{path}/b"), &object).await;
        s.delete(&one, &json!({})).await;
        s.put(&one, &made).await;
        s.put(&format!("{one}/status"), &made).await;
        // Another one of the same name.
        let again = s.post(&path, &widget("a")).await.body;
        s.put(&one, &made).await;
        let mut object = made.clone();
        object["metadata"]["resourceVersion"] = again["metadata"]["resourceVersion"].clone();
        s.put(&one, &object).await;
        s.get(&one).await;
    })
    .await;
}

#[tokio::test]
async fn a_kind_without_subresources_has_a_status_like_any_field() {
    compare("plain", async |s: &mut Session| {
        let one = format!("{GADGETS}/plain");
        let mut object = s.post(GADGETS, &gadget("plain")).await.body;
        object["status"] = json!({"state": "Ready"});
        let mut object = s.put(&one, &object).await.body;
        s.put(&one, &object).await;
        s.put(&format!("{one}/status"), &object).await;
        s.get(&format!("{one}/status")).await;
        object["top"] = json!(1);
        s.put(&one, &object).await;
    })
    .await;
}
