//! The API server goes away and comes back.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use control_plane::{ControlPlane, Error, Options};

use crate::{exists, kubectl, start};

#[test]
fn the_api_server_comes_back_with_its_address_and_data() {
    let control_plane = start(Options::default());
    let namespaces = || {
        kubectl(
            &control_plane,
            "admin",
            &["get", "namespace", "kept", "-o", "name"],
        )
    };
    let url = control_plane.url();
    kubectl(&control_plane, "admin", &["create", "namespace", "kept"]).unwrap();

    for stop in [ControlPlane::stop_api_server, ControlPlane::kill_api_server] {
        let pids = control_plane.pids();
        stop(&control_plane).unwrap();
        assert_eq!(
            pids.iter().filter(|pid| exists(**pid)).count(),
            1,
            "only etcd is left"
        );
        let refused = namespaces().unwrap_err();
        assert!(refused.contains("refused"), "{refused}");
        assert!(matches!(stop(&control_plane), Err(Error::NotRunning(_))));

        control_plane.start_api_server().unwrap();
        assert_eq!(namespaces().unwrap(), "namespace/kept");
        assert_eq!(control_plane.url(), url);
        assert!(matches!(
            control_plane.start_api_server(),
            Err(Error::AlreadyRunning(_))
        ));
    }

    control_plane.pause_api_server().unwrap();
    let get = ["get", "--raw=/readyz", "--request-timeout=1s"];
    let unanswered = kubectl(&control_plane, "admin", &get).unwrap_err();
    assert!(!unanswered.contains("refused"), "{unanswered}");
    control_plane.resume_api_server().unwrap();
    assert_eq!(namespaces().unwrap(), "namespace/kept");
    assert!(
        control_plane.logs().contains("kube-apiserver-3.log"),
        "{}",
        control_plane.logs()
    );
}

/// A controller always has watches open, and the server would wait a minute for them.
#[test]
fn open_watches_do_not_hold_up_a_graceful_stop() {
    let control_plane = start(Options::default());
    let mut watch = control_plane
        .kubectl("admin")
        .unwrap()
        .args(["get", "namespaces", "--watch", "-o", "name"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(watch.stdout.take().unwrap()).lines();
    assert!(
        lines.next().unwrap().unwrap().starts_with("namespace/"),
        "the watch is open"
    );
    control_plane.stop_api_server().unwrap();
    assert!(watch.wait().is_ok());
}

#[test]
fn etcd_comes_back_with_its_data() {
    let control_plane = start(Options::default());
    let ask = |arguments: &[&str]| kubectl(&control_plane, "admin", arguments);
    let get = ["get", "namespace", "kept", "-o", "name"];
    ask(&["create", "namespace", "kept"]).unwrap();
    let url = control_plane.url();

    let pids = control_plane.pids();
    control_plane.kill_etcd().unwrap();
    let left = pids.iter().filter(|pid| exists(**pid)).count();
    assert_eq!(left, 1, "only the API server is left");
    let write = ["create", "namespace", "lost", "--request-timeout=2s"];
    ask(&write).unwrap_err();
    assert!(matches!(
        control_plane.kill_etcd(),
        Err(Error::NotRunning(_))
    ));
    control_plane.start_etcd().unwrap();
    assert_eq!(ask(&get).unwrap(), "namespace/kept");
    assert_eq!(control_plane.url(), url);
    assert!(matches!(
        control_plane.start_etcd(),
        Err(Error::AlreadyRunning(_))
    ));

    control_plane.pause_etcd().unwrap();
    ask(&write).unwrap_err();
    control_plane.resume_etcd().unwrap();
    ask(&["create", "namespace", "made"]).unwrap();
}

/// Without a cache of its own, as after a restart, the API server must then refuse a watch that is too far behind.
#[test]
fn what_is_compacted_can_not_be_watched_any_more() {
    let options = Options::default().api_server_argument("--watch-cache=false");
    let control_plane = start(options);
    let version = |arguments: &[&str]| {
        let path = "jsonpath={.metadata.resourceVersion}";
        let arguments: Vec<&str> = arguments.iter().copied().chain(["-o", path]).collect();
        kubectl(&control_plane, "admin", &arguments).unwrap()
    };
    let old = version(&["create", "namespace", "first"]);
    // The newest change of all is never forgotten.
    for name in ["second", "third"] {
        version(&["create", "namespace", name]);
    }
    let watch = format!("/api/v1/namespaces?watch=true&timeoutSeconds=1&resourceVersion={old}");
    let watch = ["get", "--raw", &watch];
    let before = kubectl(&control_plane, "admin", &watch).unwrap();
    assert!(before.contains("\"second\""), "{before}");

    let forgotten = control_plane.compact_etcd().unwrap();
    assert!(forgotten > old.parse().unwrap());
    let after = kubectl(&control_plane, "admin", &watch).unwrap();
    assert!(after.contains("\"Expired\""), "{after}");
}
