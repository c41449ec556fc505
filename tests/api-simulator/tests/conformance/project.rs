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

fn claim(uid: &str) -> Value {
    json!({
        "uid": uid,
        "grant": {"namespace": "project", "name": "a"},
        "policy": {"name": "everything", "generation": 1},
        "specHash": "0123456789abcdef0123456789abcdef",
        "startTime": "2027-01-15T10:00:00Z",
        "expiryTime": "2027-01-15T11:00:00Z",
        "onExternalRemoval": "Restore",
        "exclusive": false,
    })
}

/// The life of a ledger entry, as a controller writes it, and what must not get into one.
#[tokio::test]
async fn accesses_are_alike() {
    compare("accesses", async |s: &mut Session| {
        let path = format!("{GROUP}/breakglassaccesses");
        let name = "iam-0123456789abcdef0123456789abcdef01234567";
        let (one, status) = (format!("{path}/{name}"), format!("{path}/{name}/status"));
        let entry = json!({
            "apiVersion": "breakglass.dev/v1alpha1",
            "kind": "BreakglassAccess",
            "metadata": {"name": name, "finalizers": ["breakglass.dev/revoke"]},
            "spec": {
                "tuple": {"iamGroup": {
                    "account": "111122223333", "group": "Workers", "groupId": "AGPA1",
                    "user": "alice", "userId": "AIDA1",
                }},
                "user": "alice",
                "targetSummary": "Workers@111122223333",
                "state": "Closed",
                "claims": [claim("1")],
            },
        });
        let made = s.post(&path, &entry).await.body;
        s.post(&path, &entry).await;
        // Announced, done, seen; a status in a write of the spec is left out.
        let mut object = made.clone();
        object["spec"]["state"] = json!("Open");
        object["spec"]["origin"] = json!("Created");
        object["spec"]["offlineDeleter"] = json!({"pod": "a", "run": "b"});
        object["spec"]["attempt"] = json!({
            "operation": "Create", "id": "0123456789abcdef", "holder": {"pod": "a", "run": "b"},
            "writtenAt": "2027-01-15T10:00:00.123456Z", "sendBefore": "2027-01-15T10:00:10.123456Z",
        });
        object["status"] = json!({"tries": 3});
        let announced = s.put(&one, &object).await.body;
        s.put(&one, &object).await;
        let mut object = announced.clone();
        object["spec"]["attempt"] = Value::Null;
        object["spec"]["claims"][0]["activeTime"] = json!("2027-01-15T10:00:02Z");
        object["spec"]["firstAbsentTime"] = Value::Null;
        let open = s.put(&one, &object).await.body;
        let mut object = open.clone();
        object["status"] = json!({
            "observed": {"presence": "Present", "sinceTime": "2027-01-15T10:00:02Z"},
            "tries": 0, "grants": ["project/a"], "lastError": null,
        });
        let told = s.put(&status, &object).await.body;
        s.put(&status, &object).await;
        let mut wrong = told.clone();
        wrong["status"]["observed"]["presence"] = json!("Maybe");
        s.put(&status, &wrong).await;
        // Sixty-four at most, and none twice.
        for uids in [vec!["1", "2"], vec!["1", "1"], vec!["1"; 65]] {
            let mut object = s.get(&one).await.body;
            let claims: Vec<_> = uids.into_iter().map(claim).collect();
            object["spec"]["claims"] = json!(claims);
            s.put(&one, &object).await;
        }
        let mut object = s.get(&one).await.body;
        let many: Vec<_> = (0..65).map(|uid| claim(&uid.to_string())).collect();
        object["spec"]["claims"] = json!(many);
        s.put(&one, &object).await;
        let mut both = made["spec"]["tuple"].clone();
        both["identityCenterGroup"] = json!({
            "instanceArn": "arn:aws:sso:::instance/ssoins-1", "identityStoreId": "d-1",
            "group": "Workers", "groupId": "g-1", "user": "alice", "userId": "u-1",
        });
        for (field, value) in [
            ("state", json!("Ajar")),
            ("origin", json!("Found")),
            ("claims", json!([{"uid": "1"}])),
            ("createUnknownUntil", json!("soon")),
            ("tuple", json!({})),
            ("tuple", both),
        ] {
            let mut object = s.get(&one).await.body;
            object["spec"][field] = value;
            s.put(&one, &object).await;
        }
        s.get(&format!("{path}?limit=25")).await;
        // Removed as nothing holds it any more: first the object, then the finalizer.
        let last = s.get(&one).await.body;
        let meta = &last["metadata"];
        let stale = json!({"preconditions": {"uid": meta["uid"], "resourceVersion": "1"}});
        s.delete(&one, &stale).await;
        let exact = json!({"preconditions": {
            "uid": meta["uid"], "resourceVersion": meta["resourceVersion"],
        }});
        let mut going = s.delete(&one, &exact).await.body;
        going["metadata"]["finalizers"] = json!([]);
        s.put(&one, &going).await;
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
