//! The project's own kinds.

use serde_json::{Value, json};

use super::support::{Session, compare};

const GROUP: &str = "/apis/breakglass.dev/v1alpha1";

fn grant() -> Value {
    json!({
        "apiVersion": "breakglass.dev/v1alpha1",
        "kind": "BreakglassGrant",
        "metadata": {"name": "a"},
        "spec": {
            "user": "alice@example.com",
            "target": {"accountAssignment": {"account": "111122223333", "permissionSet": "BreakglassAccess"}},
            "expiryTime": "2030-01-15T11:00:00Z",
            "reason": "Payments API down",
        },
    })
}

#[tokio::test]
async fn grants_are_alike() {
    compare("project", async |s: &mut Session| {
        let grants = format!("{GROUP}/namespaces/project/breakglassgrants");
        let one = format!("{grants}/a");
        let made = s.post(&grants, &grant()).await.body;
        let patch = json!([
            {"op": "test", "path": "/metadata/uid", "value": made["metadata"]["uid"]},
            {"op": "test", "path": "/metadata/resourceVersion", "value": made["metadata"]["resourceVersion"]},
            {"op": "add", "path": "/metadata/finalizers", "value": ["breakglass.dev/revoke"]},
        ]);
        let mut held = s.patch(&one, &patch).await.body;
        s.patch(&one, &patch).await;
        held["status"] = json!({
            "state": "Active",
            "observedGeneration": 1,
            "accessName": null,
            "grantedTime": "2027-01-15T11:00:00Z",
            "conditions": [{
                "type": "Ready", "status": "True", "reason": "Active", "message": "",
                "lastTransitionTime": "2027-01-15T11:00:00Z", "observedGeneration": 1,
            }],
        });
        let active = s.put(&format!("{one}/status"), &held).await.body;
        s.put(&format!("{one}/status"), &held).await;
        let mut wrong = active.clone();
        wrong["status"]["conditions"][0]["reason"] = json!("");
        wrong["status"]["conditions"][0]["status"] = json!("Maybe");
        s.put(&format!("{one}/status"), &wrong).await;
        s.merge(&one, &json!({"spec": {"revoked": true}})).await;
        s.merge(&one, &json!({"spec": {"expiryTime": "soon"}})).await;
        s.merge(&one, &json!({"spec": {"user": " "}})).await;
        s.delete(&one, &json!({})).await;
        s.get(&grants).await;
        let patch = json!([{"op": "add", "path": "/metadata/finalizers", "value": []}]);
        s.patch(&one, &patch).await;
        s.get(&one).await;
    })
    .await;
}

#[tokio::test]
async fn policies_are_alike() {
    compare("policies", async |s: &mut Session| {
        let path = format!("{GROUP}/breakglasspolicies");
        let policy = json!({
            "apiVersion": "breakglass.dev/v1alpha1",
            "kind": "BreakglassPolicy",
            "metadata": {"name": "policies"},
            "spec": {
                "namespaces": ["breakglass"],
                "rules": [{"users": ["*@example.com"], "identityCenterGroup": {"names": ["Breakglass*"]}}],
                "maxDuration": "8h",
            },
        });
        let mut made = s.post(&path, &policy).await.body;
        made["status"] = json!({"observedGeneration": 1, "conditions": []});
        s.put(&format!("{path}/policies/status"), &made).await;
        s.merge(&format!("{path}/policies"), &json!({"spec": {"effect": "Deny", "maxLead": null}})).await;
        s.merge(&format!("{path}/policies"), &json!({"spec": {"rules": []}})).await;
        s.merge(&format!("{path}/policies"), &json!({"spec": {"maxDuration": "8 hours"}})).await;
        s.delete(&format!("{path}/policies"), &json!({})).await;
    })
    .await;
}
