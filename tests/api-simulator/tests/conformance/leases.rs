//! Leases.

use serde_json::{Value, json};

use super::support::{Session, compare};

fn lease(name: &str) -> Value {
    json!({
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": name},
        "spec": {
            "holderIdentity": "pod/run",
            "leaseDurationSeconds": 15,
            "acquireTime": "2027-01-01T00:00:00.123456Z",
            "renewTime": "2027-01-01T00:00:00.500000Z",
            "leaseTransitions": 1,
        },
    })
}

#[tokio::test]
async fn leases_are_alike() {
    compare("leases", async |s: &mut Session| {
        let path = "/apis/coordination.k8s.io/v1/namespaces/leases/leases".to_owned();
        let one = format!("{path}/a");
        s.get(&one).await;
        let empty = s.get(&path).await.version();
        let made = s.post(&path, &lease("a")).await.body;
        s.post(&path, &lease("a")).await;
        s.put(&one, &made).await;
        let mut object = made.clone();
        object["spec"]["renewTime"] = json!("2027-01-01T00:00:03.123456Z");
        object["spec"]["unknown"] = json!(1);
        object["status"] = json!({});
        let renewed = s.put(&one, &object).await.body;
        s.put(&one, &object).await;
        s.put(&one, &lease("a")).await;
        let mut object = renewed.clone();
        object["spec"]
            .as_object_mut()
            .unwrap()
            .remove("holderIdentity");
        s.put(&one, &object).await;
        s.get(&one).await;
        s.get(&path).await;
        s.delete(&one, &json!({})).await;
        s.put(&one, &renewed).await;
        let mut object = renewed.clone();
        object["metadata"].as_object_mut().unwrap().remove("uid");
        s.put(&one, &object).await;
        s.put(&one, &lease("a")).await;
        s.put(&format!("{path}/b"), &lease("b")).await;
        let mut object = lease("c");
        object.as_object_mut().unwrap().remove("apiVersion");
        object.as_object_mut().unwrap().remove("kind");
        object.as_object_mut().unwrap().remove("spec");
        s.post(&path, &object).await;
        s.put(&format!("{one}/status"), &lease("a")).await;
        for time in [
            "2027-01-01T00:00:00Z",
            "2027-01-01T00:00:00.5Z",
            "2027-01-01T00:00:00.123456789Z",
            "soon",
        ] {
            let mut object = lease("d");
            object["spec"]["renewTime"] = json!(time);
            s.post(&path, &object).await;
        }
        let mut object = lease("d");
        object["spec"]["renewTime"] = json!("2027-01-01T02:00:00.500000+02:00");
        s.post(&path, &object).await;
        s.bookmark(&format!(
            "{path}?watch=true&timeoutSeconds=3&allowWatchBookmarks=true&resourceVersion={empty}"
        ))
        .await;
        s.watch(&format!(
            "{path}?watch=true&timeoutSeconds=3&allowWatchBookmarks=true&resourceVersion={empty}"
        ))
        .await;
    })
    .await;
}
