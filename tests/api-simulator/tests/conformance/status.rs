//! The status subresource.

use serde_json::json;

use super::support::{Session, WIDGETS, compare, widget};

#[tokio::test]
async fn a_status_is_written_alike() {
    compare("statuses", async |s: &mut Session| {
        let path = format!("{WIDGETS}/statuses/widgets");
        let one = format!("{path}/a");
        let status = format!("{one}/status");
        let made = s.post(&path, &widget("a")).await.body;
        // The default status is not stored yet.
        let same = s.put(&status, &made).await.body;
        s.put(&status, &same).await;
        let mut object = same.clone();
        object["status"] = json!({"state": "Ready", "count": 1, "unknown": 2});
        object["spec"]["size"] = json!(7);
        object["metadata"]["labels"] = json!({"a": "b"});
        object["metadata"]["finalizers"] = json!(["sim.example/hold"]);
        let ready = s.put(&status, &object).await.body;
        s.put(&status, &object).await;
        s.put(&status, &ready).await;
        let mut object = ready.clone();
        object["status"] = json!({"count": 2});
        let counted = s.put(&status, &object).await.body;
        let mut object = counted.clone();
        object["status"] = json!(null);
        let null = s.put(&status, &object).await.body;
        let mut object = null.clone();
        object.as_object_mut().unwrap().remove("status");
        let none = s.put(&status, &object).await.body;
        s.put(&status, &none).await;
        s.put(&one, &none).await;
        s.get(&one).await;
        s.get(&status).await;
        // Without what it was decided from.
        let mut object = widget("a");
        object["status"] = json!({"state": "Blind"});
        s.put(&status, &object).await;
        s.merge(
            &status,
            &json!({"status": {"state": "Merged"}, "spec": {"size": 9}}),
        )
        .await;
        s.merge(&status, &json!({"status": {"state": "Merged"}}))
            .await;
        s.merge(
            &status,
            &json!({"metadata": {"resourceVersion": "1"}, "status": {"state": "Late"}}),
        )
        .await;
        s.put(&format!("{path}/b/status"), &widget("b")).await;
        s.post(&format!("{path}/a/status"), &widget("a")).await;
        s.delete(&status, &json!({})).await;
    })
    .await;
}
