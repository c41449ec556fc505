//! `deploy/kustomize` on a real API server: who may write what only the controller should, and what the controller may.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::api_server::{ApiServer, grant, policy};
use crate::support::controller::SERVICE_ACCOUNT;

const LEDGER: &str = "only the breakglass controller writes accesses, its ledger; to end access revoke or delete the grants that the access names";
const STATUS: &str =
    "only the breakglass controller writes this status; it follows what you write into the spec";
const FINALIZER: &str = "only the breakglass controller adds or removes the finalizer breakglass.dev/revoke; it goes by itself once the access is gone, so leave it as it is, and out of new grants";

/// Whoever they are: RBAC lets both do everything.
const OTHERS: [&str; 2] = [ApiServer::ADMIN, ApiServer::LOOK_ALIKE];

/// The API server that the guard policy is in force on.
fn guarded() -> &'static ApiServer {
    ApiServer::shared()
}

/// A ledger entry that nothing is wrong with.
fn access(name: &str) -> Value {
    json!({
        "apiVersion": "breakglass.dev/v1alpha1",
        "kind": "BreakglassAccess",
        "metadata": {"name": name, "labels": {"test": name}, "finalizers": ["breakglass.dev/revoke"]},
        "spec": {
            "user": "member7",
            "targetSummary": "group ProdMemberWorkGroup@444455556666",
            "state": "Open",
            "tuple": {"iamGroup": {
                "account": "444455556666",
                "groupId": "AGPAEXAMPLE",
                "group": "ProdMemberWorkGroup",
                "userId": "AIDAEXAMPLE",
                "user": "member7",
            }},
        },
    })
}

#[track_caller]
fn is_refused(answer: Result<String, String>, message: &str) {
    match answer {
        Ok(printed) => panic!("this passed: {printed}"),
        Err(complaint) => {
            assert!(complaint.contains("Forbidden"), "{complaint}");
            assert!(
                complaint.contains(message),
                "{message:?} is missing in: {complaint}"
            );
        }
    }
}

fn edit(user: &str, line: &str, patch: &Value) -> Result<String, String> {
    guarded().patch(user, line, patch)
}

fn on(user: &str, line: &str, object: &Value) -> Result<String, String> {
    guarded().send(user, line, object)
}

/// Makes a grant in a namespace of its own, as a developer; the controller puts its finalizer on it.
#[track_caller]
fn held_grant(namespace: &str) {
    guarded().namespace(namespace);
    on(ApiServer::DEVELOPER, "create", &grant(namespace, "x")).unwrap();
    let hold =
        json!([{"op": "add", "path": "/metadata/finalizers", "value": ["breakglass.dev/revoke"]}]);
    edit(SERVICE_ACCOUNT, &format!("bgg x -n {namespace}"), &hold).unwrap();
}

#[track_caller]
fn finalizers(namespace: &str) -> Value {
    guarded().get(&format!("bgg x -n {namespace}"))["metadata"]["finalizers"].clone()
}

#[test]
fn nobody_but_the_controller_makes_a_ledger_entry() {
    for user in OTHERS {
        is_refused(on(user, "create", &access("made")), LEDGER);
        is_refused(on(user, "apply --server-side", &access("made")), LEDGER);
    }
    on(SERVICE_ACCOUNT, "create", &access("made")).unwrap();
}

#[test]
fn nobody_but_the_controller_changes_a_ledger_entry() {
    on(SERVICE_ACCOUNT, "create", &access("changed")).unwrap();
    let name = "bga changed";
    let before = guarded().get(name);
    for user in OTHERS {
        for patch in [
            json!({"spec": {"state": "Closed"}}),
            json!({"spec": {"origin": "Created"}}),
            json!({"metadata": {"labels": {"team": "platform"}}}),
            json!({"metadata": {"finalizers": null}}),
        ] {
            is_refused(edit(user, name, &patch), LEDGER);
        }
        let mut forged = before.clone();
        forged["spec"]["state"] = "Closed".into();
        is_refused(on(user, "replace", &forged), LEDGER);
        forged["metadata"]["managedFields"] = json!(null);
        is_refused(
            on(user, "apply --server-side --force-conflicts", &forged),
            LEDGER,
        );

        let tries = json!({"status": {"tries": 7}});
        is_refused(
            edit(user, &format!("{name} --subresource=status"), &tries),
            LEDGER,
        );
        forged = before.clone();
        forged["status"] = tries["status"].clone();
        is_refused(on(user, "replace --subresource=status", &forged), LEDGER);
    }
    assert_eq!(guarded().get(name), before);

    let mut next = before;
    next["spec"]["origin"] = "Created".into();
    on(SERVICE_ACCOUNT, "replace", &next).unwrap();
    let mut next = guarded().get(name);
    next["status"] = json!({"tries": 7});
    on(SERVICE_ACCOUNT, "replace --subresource=status", &next).unwrap();
    let after = guarded().get(name);
    assert_eq!(after["spec"]["origin"], "Created");
    assert_eq!(after["status"]["tries"], 7);
}

#[test]
fn nobody_but_the_controller_deletes_a_ledger_entry() {
    on(SERVICE_ACCOUNT, "create", &access("deleted")).unwrap();
    let before = guarded().get("bga deleted");
    let collection =
        "/apis/breakglass.dev/v1alpha1/breakglassaccesses?labelSelector=test%3Ddeleted";
    for user in OTHERS {
        for arguments in [
            "delete bga deleted --wait=false",
            "delete bga deleted --force --grace-period=0 --wait=false",
            "delete bga -l test=deleted --wait=false",
            &format!("delete --raw {collection}"),
        ] {
            is_refused(guarded().kubectl(user, arguments), LEDGER);
        }
    }
    assert_eq!(guarded().get("bga deleted"), before);

    guarded()
        .kubectl(SERVICE_ACCOUNT, "delete bga deleted --wait=false")
        .unwrap();
    let mut closed = guarded().get("bga deleted");
    assert!(
        closed["metadata"]["deletionTimestamp"].is_string(),
        "{closed}"
    );
    closed["metadata"]["finalizers"] = json!([]);
    on(SERVICE_ACCOUNT, "replace", &closed).unwrap();
    let gone = guarded()
        .kubectl(ApiServer::ADMIN, "get bga deleted")
        .unwrap_err();
    assert!(gone.contains("NotFound"), "{gone}");
}

#[test]
fn nobody_but_the_controller_writes_the_status_of_a_grant() {
    let server = guarded();
    server.namespace("status");
    on(ApiServer::DEVELOPER, "create", &grant("status", "x")).unwrap();
    let name = "bgg x -n status";
    writes_status(name, &json!({"state": "Active"}));
    assert_eq!(server.get(name)["status"]["state"], "Active");
    // Beside a spec a status has no effect, so it need not be refused.
    let mut whole = server.get(name);
    whole["status"]["state"] = "Revoked".into();
    whole["spec"]["ticket"] = "INC-1".into();
    on(ApiServer::ADMIN, "replace", &whole).unwrap();
    assert_eq!(server.get(name)["status"]["state"], "Active");
    assert_eq!(server.get(name)["spec"]["ticket"], "INC-1");
}

#[test]
fn nobody_but_the_controller_writes_the_status_of_a_policy() {
    on(ApiServer::ADMIN, "create", &policy("guarded")).unwrap();
    let name = "bgp guarded";
    writes_status(name, &json!({"observedGeneration": 1}));
    assert_eq!(guarded().get(name)["status"]["observedGeneration"], 1);
    // The policy itself is theirs.
    edit(
        ApiServer::ADMIN,
        name,
        &json!({"spec": {"maxDuration": "1h"}}),
    )
    .unwrap();
    guarded()
        .kubectl(ApiServer::ADMIN, "delete bgp guarded")
        .unwrap();
}

/// Others can't write this status, the controller can.
#[track_caller]
fn writes_status(name: &str, status: &Value) {
    let before = guarded().get(name);
    let mut next = before.clone();
    next["status"] = status.clone();
    for user in OTHERS {
        let patch = json!({"status": status});
        is_refused(
            edit(user, &format!("{name} --subresource=status"), &patch),
            STATUS,
        );
        is_refused(on(user, "replace --subresource=status", &next), STATUS);
        let mut applied = next.clone();
        applied["metadata"]["managedFields"] = json!(null);
        is_refused(
            on(user, "apply --server-side --subresource=status", &applied),
            STATUS,
        );
    }
    assert_eq!(&guarded().get(name), &before);
    on(SERVICE_ACCOUNT, "replace --subresource=status", &next).unwrap();
}

#[test]
fn nobody_but_the_controller_adds_its_finalizer() {
    let server = guarded();
    server.namespace("adds");
    let mut held = grant("adds", "x");
    held["metadata"]["finalizers"] = json!(["breakglass.dev/revoke"]);
    for user in OTHERS {
        is_refused(on(user, "create", &held), FINALIZER);
        is_refused(on(user, "apply --server-side", &held), FINALIZER);
    }
    is_refused(on(ApiServer::DEVELOPER, "create", &held), FINALIZER);

    on(ApiServer::DEVELOPER, "create", &grant("adds", "x")).unwrap();
    let name = "bgg x -n adds";
    for user in [
        ApiServer::ADMIN,
        ApiServer::LOOK_ALIKE,
        ApiServer::DEVELOPER,
    ] {
        let ours =
            json!({"metadata": {"finalizers": ["example.com/other", "breakglass.dev/revoke"]}});
        is_refused(edit(user, name, &ours), FINALIZER);
        is_refused(on(user, "apply --server-side", &held), FINALIZER);
    }
    assert_eq!(finalizers("adds"), Value::Null);
}

#[test]
fn nobody_but_the_controller_strips_its_finalizer() {
    held_grant("strips");
    let name = "bgg x -n strips";
    let others = json!({"metadata": {"finalizers": ["example.com/other"]}});
    is_refused(edit(ApiServer::ADMIN, name, &others), FINALIZER);
    nobody_strips("strips");
    let deletes = &format!("delete {name} --wait=false");
    guarded().kubectl(ApiServer::DEVELOPER, deletes).unwrap();
    nobody_strips("strips");
    let by_force = &format!("{deletes} --force --grace-period=0");
    guarded().kubectl(ApiServer::ADMIN, by_force).unwrap();
    assert_eq!(finalizers("strips"), json!(["breakglass.dev/revoke"]));

    let version = &guarded().get(name)["metadata"]["resourceVersion"];
    let release = json!([
        {"op": "test", "path": "/metadata/resourceVersion", "value": version},
        {"op": "remove", "path": "/metadata/finalizers/0"},
    ]);
    edit(SERVICE_ACCOUNT, name, &release).unwrap();
    let gone = guarded()
        .kubectl(ApiServer::ADMIN, "get bgg x -n strips")
        .unwrap_err();
    assert!(gone.contains("NotFound"), "{gone}");
}

#[track_caller]
fn nobody_strips(namespace: &str) {
    let name = &format!("bgg x -n {namespace}");
    let mut bare = guarded().get(name);
    let metadata = bare["metadata"].as_object_mut().unwrap();
    metadata.remove("finalizers").unwrap();
    let none = json!({"metadata": {"finalizers": null}});
    let first = json!([{"op": "remove", "path": "/metadata/finalizers/0"}]);
    for user in [
        ApiServer::ADMIN,
        ApiServer::LOOK_ALIKE,
        ApiServer::DEVELOPER,
    ] {
        is_refused(edit(user, name, &none), FINALIZER);
        is_refused(edit(user, name, &first), FINALIZER);
        is_refused(on(user, "replace", &bare), FINALIZER);
    }
    assert_eq!(finalizers(namespace), json!(["breakglass.dev/revoke"]));
}

/// What people do with grants every day, with and without the controller's finalizer on them.
#[test]
fn everybody_edits_what_is_theirs() {
    held_grant("edits-held");
    guarded().namespace("edits-free");
    on(ApiServer::DEVELOPER, "create", &grant("edits-free", "x")).unwrap();
    for namespace in ["edits-held", "edits-free"] {
        let ours = finalizers(namespace);
        let name = &format!("bgg x -n {namespace}");
        for user in [ApiServer::ADMIN, ApiServer::DEVELOPER] {
            for change in [
                json!({"spec": {"expiryTime": "2030-01-15T12:00:00Z", "ticket": user}}),
                json!({"metadata": {"labels": {"team": user}}}),
                json!({"metadata": {"annotations": {"breakglass.dev/revoke": "laptop stolen"}}}),
                json!({"metadata": {"annotations": {"breakglass.dev/revoke": null}}}),
                json!({"metadata": {"annotations": {"breakglass.dev/requestedAt": user}}}),
                json!({"spec": {"revoked": true}}),
            ] {
                edit(user, name, &change).unwrap();
            }
            // The finalizers of others, beside ours or not.
            let other = Value::from("example.com/other");
            let both: Vec<Value> = ours
                .as_array()
                .into_iter()
                .flatten()
                .cloned()
                .chain([other])
                .collect();
            edit(user, name, &json!({"metadata": {"finalizers": both}})).unwrap();
            assert_eq!(finalizers(namespace), Value::from(both));
            edit(user, name, &json!({"metadata": {"finalizers": ours}})).unwrap();
            // The file in Git knows nothing of finalizers, and applying it again leaves ours alone.
            let file = grant(namespace, "x");
            on(user, "apply --server-side --force-conflicts", &file).unwrap();
            assert_eq!(finalizers(namespace), ours);
            let shown = guarded().get(name);
            assert_eq!(shown["metadata"]["labels"]["team"], user);
        }
    }
}

#[test]
fn everybody_deletes_grants_in_every_way() {
    held_grant("deletes-held");
    guarded()
        .kubectl(
            ApiServer::DEVELOPER,
            "delete bgg x -n deletes-held --wait=false",
        )
        .unwrap();
    let grant_seen = guarded().get("bgg x -n deletes-held");
    assert!(
        grant_seen["metadata"]["deletionTimestamp"].is_string(),
        "{grant_seen}"
    );
    // A grant that goes can still be edited: its revoke annotation says why.
    let why = json!({"metadata": {"annotations": {"breakglass.dev/revoke": "left the team"}}});
    edit(ApiServer::DEVELOPER, "bgg x -n deletes-held", &why).unwrap();

    guarded().namespace("deletes-free");
    let collection = "/apis/breakglass.dev/v1alpha1/namespaces/deletes-free/breakglassgrants";
    for arguments in [
        "delete bgg x -n deletes-free",
        &format!("delete --raw {collection}"),
        "delete bgg --all -n deletes-free --force --grace-period=0",
    ] {
        on(ApiServer::DEVELOPER, "create", &grant("deletes-free", "x")).unwrap();
        guarded().kubectl(ApiServer::DEVELOPER, arguments).unwrap();
        let left = guarded().kubectl(ApiServer::ADMIN, "get bgg -n deletes-free -o name");
        assert_eq!(left.unwrap(), "", "{arguments:?}");
    }
}

/// What a user may do in a namespace and cluster-wide, one entry for each verb and resource, as the API server says.
fn rights(user: &str, namespace: &str) -> BTreeSet<String> {
    let review = json!({
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectRulesReview",
        "spec": {"namespace": namespace},
    });
    let path = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews";
    let answer = on(user, &format!("create --raw {path}"), &review).unwrap();
    let answer: Value = serde_json::from_str(&answer).unwrap();
    assert_eq!(answer["status"]["incomplete"], false, "{answer}");
    let words = |rule: &Value, field: &str| -> Vec<String> {
        let words = rule[field].as_array().into_iter().flatten();
        words
            .map(|word| word.as_str().unwrap().to_owned())
            .collect()
    };
    let mut rights = BTreeSet::new();
    for rule in answer["status"]["resourceRules"].as_array().unwrap() {
        let mut names = words(rule, "resourceNames");
        if names.is_empty() {
            names.push("any".to_owned());
        }
        for group in words(rule, "apiGroups") {
            for resource in words(rule, "resources") {
                for (verb, name) in words(rule, "verbs")
                    .iter()
                    .flat_map(|verb| names.iter().map(move |name| (verb, name)))
                {
                    rights.insert(format!("{verb} {name} {resource} of {group:?}"));
                }
            }
        }
    }
    for rule in answer["status"]["nonResourceRules"].as_array().unwrap() {
        for path in words(rule, "nonResourceURLs") {
            rights.extend(
                words(rule, "verbs")
                    .iter()
                    .map(|verb| format!("{verb} {path}")),
            );
        }
    }
    rights
}

/// The roles for people suffice for what they are for, and for no more.
#[test]
fn the_roles_for_people_let_them_look_and_end() {
    let server = ApiServer::shared();
    server.namespace("roles");
    server
        .send(ApiServer::ADMIN, "create", &grant("roles", "x"))
        .unwrap();
    let may = |role: &str, line: &str| {
        let user = format!("as-{role}");
        let bind = format!("create clusterrolebinding {user} --clusterrole={role} --user={user}");
        // It may be bound already.
        let _ = server.kubectl(ApiServer::ADMIN, &bind);
        let asked = format!("{line} --as={user}");
        server.kubectl(ApiServer::ADMIN, &asked)
    };
    let revoke = "annotate bgg x -n roles breakglass.dev/revoke=test";
    may("breakglass-viewer", "get bgg -n roles").unwrap();
    may("breakglass-viewer", "get bga").unwrap_err();
    may("breakglass-viewer", revoke).unwrap_err();
    may("breakglass-auditor", "get bgg,bga,bgp -A").unwrap();
    may("breakglass-auditor", revoke).unwrap_err();
    may("breakglass-responder", revoke).unwrap();
    may("breakglass-responder", "delete bgg x -n roles").unwrap();
}

/// Every right beyond this list would be one that a thief of its token has too.
#[test]
fn the_controller_has_no_right_that_it_does_not_need() {
    let breakglass = |verbs: &str, resource: &str| -> Vec<String> {
        let of = r#"of "breakglass.dev""#;
        verbs
            .split(' ')
            .map(|verb| format!("{verb} any {resource} {of}"))
            .collect()
    };
    let mut everywhere: BTreeSet<String> = [
        breakglass("get list watch patch", "breakglassgrants"),
        breakglass("update", "breakglassgrants/status"),
        breakglass("get list watch", "breakglasspolicies"),
        breakglass("update", "breakglasspolicies/status"),
        breakglass("get list watch create update delete", "breakglassaccesses"),
        breakglass("update", "breakglassaccesses/status"),
    ]
    .concat()
    .into_iter()
    .collect();
    for kind in [
        "breakglassgrants",
        "breakglasspolicies",
        "breakglassaccesses",
    ] {
        let of = r#"customresourcedefinitions of "apiextensions.k8s.io""#;
        everywhere.insert(format!("get {kind}.breakglass.dev {of}"));
    }
    for verb in ["create", "patch"] {
        everywhere.insert(format!(r#"{verb} any events of "events.k8s.io""#));
    }
    // Every service account may read how its token can be checked.
    for path in ["/.well-known/openid-configuration", "/openid/v1/jwks"] {
        everywhere.extend([format!("get {path}"), format!("get {path}/")]);
    }
    let leases = r#"leases of "coordination.k8s.io""#;
    let mut at_home = everywhere.clone();
    at_home.insert(format!("create any {leases}"));
    at_home.extend(["get", "update"].map(|verb| format!("{verb} breakglass-controller {leases}")));

    for (namespace, wanted) in [("default", everywhere), ("breakglass-system", at_home)] {
        let has = rights(SERVICE_ACCOUNT, namespace);
        let everybody = rights(ApiServer::NOBODY, namespace);
        let own: BTreeSet<String> = has.difference(&everybody).cloned().collect();
        assert_eq!(own, wanted, "in {namespace}");
    }
}

/// With rights to write its own bounds the controller, or a thief of its token, would have none.
#[test]
fn the_controller_can_change_neither_the_guard_nor_its_rights() {
    for (verb, resource) in [
        ("update", "validatingadmissionpolicies/breakglass-guard"),
        (
            "delete",
            "validatingadmissionpolicybindings/breakglass-guard",
        ),
        ("update", "clusterroles/breakglass-controller"),
        ("create", "clusterrolebindings"),
        ("create", "breakglassgrants"),
        ("create", "breakglasspolicies"),
        ("get", "secrets"),
        ("impersonate", "users"),
    ] {
        let asks = format!("auth can-i {verb} {resource} -n breakglass-system");
        let by_admin = guarded().kubectl(ApiServer::ADMIN, &asks);
        assert_eq!(by_admin.as_deref(), Ok("yes"), "{asks}: not asked rightly");
        let said = guarded().kubectl(SERVICE_ACCOUNT, &asks).unwrap_err();
        // A no is only an exit code.
        assert!(!said.to_lowercase().contains("error"), "{asks}: {said}");
    }
}

/// What can't be evaluated must not pass.
#[test]
fn the_guard_refuses_when_it_is_in_doubt() {
    let guard = guarded().get("validatingadmissionpolicy breakglass-guard");
    assert_eq!(guard["spec"]["failurePolicy"], "Fail");
}

/// The template of the controller's pods.
fn pod() -> Value {
    let deployment = guarded().get("deployment breakglass-controller -n breakglass-system");
    deployment["spec"]["template"]["spec"].clone()
}

/// Their namespace enforces it, and a Deployment whose pods are refused is accepted all the same.
#[test]
fn the_controllers_pods_meet_the_restricted_standard() {
    let mut probe = json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "probe", "namespace": "breakglass-system"},
        "spec": pod(),
    });
    on(ApiServer::ADMIN, "create --dry-run=server", &probe).unwrap();

    let container = &mut probe["spec"]["containers"][0]["securityContext"];
    assert_eq!(container["readOnlyRootFilesystem"], true);
    container["allowPrivilegeEscalation"] = true.into();
    let refusal = on(ApiServer::ADMIN, "create --dry-run=server", &probe).unwrap_err();
    assert!(
        refusal.contains(r#"violates PodSecurity "restricted"#),
        "not asked rightly: {refusal}"
    );
}

/// One that it does not know would show in the cluster only, as a pod that starts again and again.
#[test]
fn the_program_knows_the_arguments_and_variables_of_its_deployment() {
    let pod = pod();
    let container = &pod["containers"][0];
    let arguments = container["args"].as_array().unwrap();
    let help = std::process::Command::new(env!("CARGO_BIN_EXE_breakglass"))
        .args(arguments.iter().map(|argument| argument.as_str().unwrap()))
        // Last, so that what comes before it is read.
        .arg("--help")
        .output()
        .unwrap();
    let complaint = String::from_utf8_lossy(&help.stderr);
    assert!(help.status.success(), "{complaint}");
    let help = String::from_utf8_lossy(&help.stdout);
    for variable in container["env"].as_array().unwrap() {
        let name = variable["name"].as_str().unwrap();
        assert!(
            help.contains(&format!("[env: {name}=")),
            "{name} is missing in\n{help}"
        );
    }
}
