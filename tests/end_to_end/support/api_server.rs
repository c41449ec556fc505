//! An API server with everything of `deploy/kustomize` and no controller, and objects to send to it.

use std::io::Write;
use std::process::Stdio;
use std::sync::LazyLock;

use control_plane::{ControlPlane, Options, User};
use kube::api::PostParams;
use kube::core::{ApiResource, DynamicObject, GroupVersionKind};
use kube::{Api, Client};
use serde_json::{Value, json};

use super::install::install;
use super::time::block_on;

/// Tests that need no controller share it, and differ by namespace and names.
static SHARED: LazyLock<ApiServer> = LazyLock::new(ApiServer::start);

/// An API server with everything of `deploy/kustomize`, and nobody who acts on it.
pub struct ApiServer {
    pub control_plane: ControlPlane,
    admin: Client,
}

impl ApiServer {
    /// Of the group `system:masters`.
    pub const ADMIN: &str = "admin";
    /// Has every right by RBAC, and the controller's name in another namespace.
    pub const LOOK_ALIKE: &str = "system:serviceaccount:elsewhere:breakglass-controller";
    /// Has every right on grants, and no other.
    pub const DEVELOPER: &str = "dev";
    /// Has no right but those that every user has.
    pub const NOBODY: &str = "nobody";

    pub fn shared() -> &'static Self {
        &SHARED
    }

    fn start() -> Self {
        let options = Options::default()
            .user(User::service_account(
                "breakglass-system",
                "breakglass-controller",
            ))
            .user(User::service_account("elsewhere", "breakglass-controller"))
            .user(User::new(Self::DEVELOPER, ["developers"]))
            .user(User::new(Self::NOBODY, ["visitors"]));
        let control_plane = ControlPlane::start(options).unwrap();
        install(&control_plane);
        let admin = block_on(control_plane.client(Self::ADMIN)).unwrap();
        let server = Self {
            control_plane,
            admin,
        };
        for line in [
            "create clusterrole grants --verb=* --resource=breakglassgrants.breakglass.dev",
            "create clusterrolebinding grants --clusterrole=grants --user=dev",
            "create clusterrolebinding elsewhere --clusterrole=cluster-admin --group=system:serviceaccounts:elsewhere",
        ] {
            server.kubectl(Self::ADMIN, line).unwrap();
        }
        server
    }

    /// What kubectl prints for a user, or what it complains about.
    pub fn kubectl(&self, user: &str, line: &str) -> Result<String, String> {
        let words: Vec<&str> = line.split_whitespace().collect();
        self.run(user, &words, &Value::Null)
    }

    /// The same for an object on standard input.
    pub fn send(&self, user: &str, line: &str, object: &Value) -> Result<String, String> {
        let words: Vec<&str> = line.split_whitespace().chain(["-f", "-"]).collect();
        self.run(user, &words, object)
    }

    /// Patches what `line` names, with a merge patch or, for a list, a JSON patch.
    pub fn patch(&self, user: &str, line: &str, patch: &Value) -> Result<String, String> {
        let text = patch.to_string();
        let kind = if patch.is_array() {
            "--type=json"
        } else {
            "--type=merge"
        };
        let words = line.split_whitespace();
        let words: Vec<&str> = ["patch", kind, "-p", &text]
            .into_iter()
            .chain(words)
            .collect();
        self.run(user, &words, &Value::Null)
    }

    fn run(&self, user: &str, arguments: &[&str], input: &Value) -> Result<String, String> {
        let mut kubectl = self.control_plane.kubectl(user).unwrap();
        kubectl
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut process = kubectl.spawn().unwrap();
        // One that refuses its arguments reads nothing.
        let mut stdin = process.stdin.take().unwrap();
        let written = stdin.write_all(input.to_string().as_bytes());
        drop(stdin);
        let output = process.wait_with_output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        if output.status.success() {
            written.unwrap();
            Ok(text(&output.stdout))
        } else {
            Err(text(&output.stderr))
        }
    }

    /// An object as the API server has it.
    #[track_caller]
    pub fn get(&self, line: &str) -> Value {
        let line = format!("get -o json {line}");
        serde_json::from_str(&self.kubectl(Self::ADMIN, &line).unwrap()).unwrap()
    }

    /// Makes a namespace for one test.
    #[track_caller]
    pub fn namespace(&self, name: &str) {
        let line = format!("create namespace {name}");
        self.kubectl(Self::ADMIN, &line).unwrap();
    }

    /// Whether the API server would make the object; if not, its message.
    pub fn admits(&self, object: &Value) -> Result<(), String> {
        let kind = object["kind"].as_str().unwrap();
        let kind =
            ApiResource::from_gvk(&GroupVersionKind::gvk("breakglass.dev", "v1alpha1", kind));
        let api: Api<DynamicObject> = match object["metadata"]["namespace"].as_str() {
            Some(namespace) => Api::namespaced_with(self.admin.clone(), namespace, &kind),
            None => Api::all_with(self.admin.clone(), &kind),
        };
        let object = serde_json::from_value(object.clone()).unwrap();
        let dry_run = PostParams {
            dry_run: true,
            ..PostParams::default()
        };
        match block_on(api.create(&dry_run, &object)) {
            Ok(_) => Ok(()),
            Err(kube::Error::Api(status)) => Err(status.message),
            Err(error) => panic!("the API server gave no answer: {error}"),
        }
    }
}

/// A grant that nothing is wrong with.
pub fn grant(namespace: &str, name: &str) -> Value {
    json!({
        "apiVersion": "breakglass.dev/v1alpha1",
        "kind": "BreakglassGrant",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "user": "alice@example.com",
            "target": {"accountAssignment": assignment()},
            "expiryTime": "2030-01-15T11:00:00Z",
            "reason": "Payments API down",
        },
    })
}

/// A policy that nothing is wrong with.
pub fn policy(name: &str) -> Value {
    json!({
        "apiVersion": "breakglass.dev/v1alpha1",
        "kind": "BreakglassPolicy",
        "metadata": {"name": name},
        "spec": {
            "namespaces": ["breakglass"],
            "rules": [{"users": ["*@example.com"], "identityCenterGroup": {"names": ["Breakglass*"]}}],
            "maxDuration": "8h",
        },
    })
}

/// An account assignment, as a target.
pub fn assignment() -> Value {
    json!({"account": "111122223333", "permissionSet": "BreakglassAccess"})
}

/// An IAM group, as a target.
pub fn iam_group() -> Value {
    json!({"account": "444455556666", "name": "ProdMemberWorkGroup"})
}

/// An object with another value at a place under `spec`.
pub fn with(mut object: Value, place: &str, value: impl Into<Value>) -> Value {
    let (parent, field) = place.rsplit_once('/').unwrap();
    object.pointer_mut(&format!("/spec{parent}")).unwrap()[field] = value.into();
    object
}

/// An object without a field of `spec`.
pub fn without(mut object: Value, field: &str) -> Value {
    object["spec"]
        .as_object_mut()
        .unwrap()
        .remove(field)
        .unwrap();
    object
}
