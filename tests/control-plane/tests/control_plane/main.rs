//! The control plane's promises, asked of real servers.

#![cfg(test)]

mod lifetime;
mod outage;

use std::process::{Command, Stdio};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use control_plane::{ControlPlane, Error, Options, User};
use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec,
};
use k8s_openapi::api::core::v1::Namespace;
use kube::Api;

const SOON: Duration = Duration::from_mins(1);

/// One for the tests that leave it as it is.
static SHARED: LazyLock<ControlPlane> = LazyLock::new(|| {
    let options = Options::default()
        .user(User::new("alice", ["developers"]))
        .user(User::service_account("breakglass", "controller"));
    start(options)
});

fn start(options: Options) -> ControlPlane {
    ControlPlane::start(options).unwrap()
}

/// What kubectl prints, or what it complains about.
fn kubectl(control_plane: &ControlPlane, user: &str, arguments: &[&str]) -> Result<String, String> {
    let mut kubectl = control_plane
        .kubectl(user)
        .map_err(|error| error.to_string())?;
    let output = kubectl
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| error.to_string())?;
    let text = |bytes| String::from_utf8_lossy(bytes).trim().to_owned();
    if output.status.success() {
        Ok(text(&output.stdout))
    } else {
        Err(text(&output.stderr))
    }
}

fn apply(control_plane: &ControlPlane, object: &serde_json::Value) -> Result<String, String> {
    let name = object["metadata"]["name"].as_str().unwrap_or("object");
    let file = control_plane.directory().join(format!("{name}.json"));
    std::fs::write(&file, object.to_string()).map_err(|error| error.to_string())?;
    kubectl(
        control_plane,
        "admin",
        &["apply", "-f", &file.display().to_string()],
    )
}

#[track_caller]
fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let began = Instant::now();
    while !condition() {
        assert!(began.elapsed() < SOON, "not within {SOON:?}: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Zombies count: the system still keeps their pid.
fn exists(pid: u32) -> bool {
    Command::new("/bin/sh")
        .args(["-c", "kill -0 \"$1\" 2>/dev/null", "kill", &pid.to_string()])
        .status()
        .is_ok_and(|status| status.success())
}

#[test]
fn kubectl_acts_as_admin_and_leaves_the_home_of_the_person_alone() {
    kubectl(&SHARED, "admin", &["create", "namespace", "from-kubectl"]).unwrap();
    let name = kubectl(
        &SHARED,
        "admin",
        &["get", "namespace", "from-kubectl", "-o", "name"],
    );
    assert_eq!(name.unwrap(), "namespace/from-kubectl");
    assert!(
        SHARED.directory().join("home/.kube/cache").is_dir(),
        "kubectl's cache is the control plane's"
    );
}

/// Clients, version checks of Helm charts included, look at this.
#[test]
fn the_server_says_which_version_it_is() {
    let version = kubectl(&SHARED, "admin", &["get", "--raw=/version"]).unwrap();
    let version: serde_json::Value = serde_json::from_str(&version).unwrap();
    assert_eq!(version["major"], "1");
    assert!(
        version["minor"].as_str().unwrap().parse::<u32>().unwrap() >= 33,
        "{version}"
    );
    let full = format!("v1.{}.", version["minor"].as_str().unwrap());
    assert!(
        version["gitVersion"].as_str().unwrap().starts_with(&full),
        "{version}"
    );
}

#[tokio::test]
async fn a_client_of_kube_acts_as_its_user() {
    let admin = SHARED.client("admin").await.unwrap();
    let namespaces = Api::<Namespace>::all(admin.clone());
    assert!(namespaces.get_opt("kube-system").await.unwrap().is_some());

    let question = SelfSubjectAccessReview {
        spec: SelfSubjectAccessReviewSpec {
            resource_attributes: Some(ResourceAttributes {
                verb: Some("list".to_owned()),
                resource: Some("namespaces".to_owned()),
                ..ResourceAttributes::default()
            }),
            ..SelfSubjectAccessReviewSpec::default()
        },
        ..SelfSubjectAccessReview::default()
    };
    for (user, allowed) in [("admin", true), ("alice", false)] {
        let client = SHARED.client(user).await.unwrap();
        let review = Api::all(client)
            .create(&kube::api::PostParams::default(), &question)
            .await
            .unwrap();
        assert_eq!(review.status.unwrap().allowed, allowed, "{user}");
    }
}

#[test]
fn users_have_the_groups_that_a_cluster_would_give_them() {
    let groups = |user| {
        kubectl(
            &SHARED,
            user,
            &["auth", "whoami", "-o", "jsonpath={.status.userInfo.groups}"],
        )
        .unwrap()
    };
    assert_eq!(
        groups("admin"),
        r#"["system:masters","system:authenticated"]"#
    );
    assert_eq!(groups("alice"), r#"["developers","system:authenticated"]"#);
    assert_eq!(
        groups("system:serviceaccount:breakglass:controller"),
        r#"["system:serviceaccounts","system:serviceaccounts:breakglass","system:authenticated"]"#
    );
}

#[test]
fn rbac_denies_what_no_rule_allows() {
    kubectl(&SHARED, "admin", &["create", "namespace", "rbac"]).unwrap();
    let list = || {
        kubectl(
            &SHARED,
            "alice",
            &["get", "configmaps", "--namespace=rbac", "-o", "name"],
        )
    };
    let denied = list().unwrap_err();
    assert!(
        denied.contains("Forbidden") && denied.contains(r#"User "alice""#),
        "{denied}"
    );
    let role = [
        "create",
        "role",
        "reader",
        "--namespace=rbac",
        "--verb=list",
        "--resource=configmaps",
    ];
    kubectl(&SHARED, "admin", &role).unwrap();
    let bind = [
        "create",
        "rolebinding",
        "reader",
        "--namespace=rbac",
        "--role=reader",
        "--group=developers",
    ];
    kubectl(&SHARED, "admin", &bind).unwrap();
    eventually("the role binding is in force", || list().is_ok());
}

#[test]
fn admission_policies_are_served() {
    kubectl(&SHARED, "admin", &["create", "namespace", "admission"]).unwrap();
    let policy = serde_json::json!({
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": "no-secrets-in-configmaps"},
        "spec": {
            "matchConstraints": {
                "resourceRules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["configmaps"]}],
            },
            "validations": [{"expression": "!object.metadata.name.startsWith('secret')", "message": "that is a secret"}],
        },
    });
    let binding = serde_json::json!({
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": "no-secrets-in-configmaps-here"},
        "spec": {
            "policyName": "no-secrets-in-configmaps",
            "validationActions": ["Deny"],
            "matchResources": {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "admission"}}},
        },
    });
    apply(&SHARED, &policy).unwrap();
    apply(&SHARED, &binding).unwrap();
    let create = |name| {
        kubectl(
            &SHARED,
            "admin",
            &[
                "create",
                "configmap",
                name,
                "--namespace=admission",
                "--dry-run=server",
            ],
        )
    };
    eventually("the policy is in force", || {
        create("secret-plan").is_err_and(|error| error.contains("that is a secret"))
    });
    create("plan").unwrap();
}

#[test]
fn an_unknown_user_is_an_error_that_names_the_known_ones() {
    let error = SHARED.kubeconfig("bob").unwrap_err();
    assert!(matches!(error, Error::UnknownUser { .. }), "{error:?}");
    assert!(error.to_string().contains("admin, alice"), "{error}");
}

#[test]
fn a_namespace_deletion_finishes_with_the_controller_manager() {
    let control_plane = start(Options::default());
    kubectl(&control_plane, "admin", &["create", "namespace", "doomed"]).unwrap();
    kubectl(
        &control_plane,
        "admin",
        &["create", "configmap", "content", "--namespace=doomed"],
    )
    .unwrap();
    kubectl(
        &control_plane,
        "admin",
        &["delete", "namespace", "doomed", "--wait=false"],
    )
    .unwrap();
    let phase = || {
        kubectl(
            &control_plane,
            "admin",
            &[
                "get",
                "namespace",
                "doomed",
                "-o",
                "jsonpath={.status.phase}",
            ],
        )
    };
    assert_eq!(phase().unwrap(), "Terminating");

    control_plane.start_controller_manager().unwrap();
    eventually("the namespace is gone", || {
        phase().is_err_and(|error| error.contains("NotFound"))
    });
    assert_eq!(control_plane.pids().len(), 3);
}
