//! Installs what a cluster needs, as the README says.

use std::path::{Path, PathBuf};

use control_plane::ControlPlane;
use serde_json::json;

use super::kubernetes::kubectl;
use super::time::{PATIENCE, poll};

/// A file or folder of the repository.
pub fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Installs definitions, rights and the guard policy of `deploy/kustomize`.
pub fn install(control_plane: &ControlPlane) {
    let base = repository("deploy/kustomize");
    let base = base.to_str().unwrap();
    // The definitions and the namespace may not be served yet when what needs them is applied.
    let applied = poll(PATIENCE, || {
        kubectl(
            control_plane,
            "admin",
            &["apply", "--server-side", "-k", base],
        )
    });
    if let Err(why) = applied {
        panic!("deploy/kustomize can't be installed: {why}");
    }
    wait_until_served(control_plane);
    wait_for_guard(control_plane, true);
}

/// Installs the definitions alone.
pub fn install_definitions(control_plane: &ControlPlane) {
    let crds = repository("crds");
    let crds = crds.to_str().unwrap();
    // Somebody may have edited them.
    let arguments = ["apply", "--server-side", "--force-conflicts", "-k", crds];
    kubectl(control_plane, "admin", &arguments).unwrap();
    wait_until_served(control_plane);
}

fn wait_until_served(control_plane: &ControlPlane) {
    let crds = [
        "breakglassgrants.breakglass.dev",
        "breakglassaccesses.breakglass.dev",
        "breakglasspolicies.breakglass.dev",
    ];
    let mut arguments = vec![
        "wait",
        "--for=condition=Established",
        "--timeout=60s",
        "crd",
    ];
    arguments.extend(crds);
    kubectl(control_plane, "admin", &arguments).unwrap();
    // Established is said a moment before it is so everywhere.
    for kind in [
        "breakglassgrants",
        "breakglassaccesses",
        "breakglasspolicies",
    ] {
        let path = format!("--raw=/apis/breakglass.dev/v1alpha1/{kind}");
        poll(PATIENCE, || {
            kubectl(control_plane, "admin", &["get", &path])
        })
        .unwrap();
    }
}

/// Takes the guard policy away: a cluster without it.
pub fn remove_guard(control_plane: &ControlPlane) {
    let all = [
        "delete",
        "validatingadmissionpolicybindings,validatingadmissionpolicies",
        "--all",
    ];
    kubectl(control_plane, "admin", &all).unwrap();
    wait_for_guard(control_plane, false);
}

/// The API server notices a moment later that a policy came or went. A grant with the controller's finalizer tells.
fn wait_for_guard(control_plane: &ControlPlane, in_force: bool) {
    let grant = json!({
        "apiVersion": "breakglass.dev/v1alpha1",
        "kind": "BreakglassGrant",
        "metadata": {"name": "probe", "namespace": "default", "finalizers": ["breakglass.dev/revoke"]},
        "spec": {
            "user": "nobody",
            "target": {"identityCenterGroup": {"name": "Nothing"}},
            "expiryTime": "2020-01-01T00:00:00Z",
            "reason": "to see whether the guard policy is in force",
        },
    });
    let file = control_plane.directory().join("guard-probe.json");
    std::fs::write(&file, grant.to_string()).unwrap();
    let probe = ["create", "--dry-run=server", "-f", file.to_str().unwrap()];
    let seen = poll(PATIENCE, || match kubectl(control_plane, "admin", &probe) {
        Ok(_) if in_force => Err("it is accepted".to_owned()),
        Err(why) if !in_force || !why.contains("breakglass-guard") => Err(why),
        _ => Ok(()),
    });
    if let Err(why) = seen {
        panic!("the guard policy is in force: {in_force}; {why}");
    }
}
