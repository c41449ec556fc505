//! What a client meets when the server comes back without its memory.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use api_simulator::http::Request;
use control_plane::{ControlPlane, Options};
use kube::client::Body;
use serde_json::json;

use super::support::{
    Session, WIDGETS, client_of, install, make_namespace, same, simulator_with_all, widget,
};

/// Versions from before a restart, and from the future, as after a restored backup.
#[tokio::test]
async fn a_server_that_was_started_again_is_met_alike() {
    let simulator = simulator_with_all();
    let client = simulator.connect("admin").client("default");
    let mut simulated = Session::new("the simulator", client);
    let before = before(&mut simulated).await;
    compacted(&mut simulated, &before).await;
    simulator.end_watches();
    after(&mut simulated, &before).await;

    let server = ControlPlane::start(Options::default()).unwrap();
    let client = client_of(&server).await;
    install(&client).await;
    make_namespace(&client, "restarting").await;
    let mut real = Session::new("the real server", client);
    let before = self::before(&mut real).await;
    // The server goes on from its own memory when etcd has forgotten what was before.
    compact(&server, &before.last);
    compacted(&mut real, &before).await;
    server.stop_api_server().unwrap();
    server.start_api_server().unwrap();
    real.client = client_of(&server).await;
    wait_until_watched(&real.client).await;
    after(&mut real, &before).await;
    same(&simulated, &real);
}

struct Before {
    first: String,
    last: String,
    token: String,
}

fn path() -> String {
    format!("{WIDGETS}/restarting/widgets")
}

async fn before(s: &mut Session) -> Before {
    let path = path();
    let first = s.post(&path, &widget("a")).await.version();
    for name in ["b", "c", "d"] {
        s.post(&path, &widget(name)).await;
    }
    let page = s.get(&format!("{path}?limit=1")).await;
    let token = page.body["metadata"]["continue"].as_str().unwrap();
    s.merge(&format!("{path}/a"), &json!({"spec": {"size": 2}}))
        .await;
    let last = s.get(&path).await.version();
    Before {
        first,
        last,
        token: token.to_owned(),
    }
}

async fn compacted(s: &mut Session, before: &Before) {
    let path = path();
    let Before { first, last, token } = before;
    let watch = format!("{path}?watch=true&timeoutSeconds=1");
    s.watch(&format!("{watch}&resourceVersion={first}")).await;
    s.watch(&format!("{watch}&resourceVersion={last}")).await;
    s.get(&format!("{path}?limit=1&continue={token}")).await;
    s.get(&format!(
        "{path}?resourceVersion={first}&resourceVersionMatch=Exact"
    ))
    .await;
}

async fn after(s: &mut Session, before: &Before) {
    let path = path();
    let Before { first, last, token } = before;
    let watch = format!("{path}?watch=true&timeoutSeconds=1");
    s.watch(&format!("{watch}&resourceVersion={first}")).await;
    s.watch(&format!("{watch}&resourceVersion=1")).await;
    s.get(&format!("{path}?resourceVersion={last}")).await;
    let expired = s.get(&format!("{path}?limit=1&continue={token}")).await;
    let token = expired.body["metadata"]["continue"].as_str().unwrap();
    s.get(&format!("{path}?limit=1&continue={token}")).await;
    s.get(&format!(
        "{path}?resourceVersion={first}&resourceVersionMatch=Exact"
    ))
    .await;
    let now = s.get(&path).await.version();
    s.watch(&format!("{watch}&resourceVersion={now}")).await;
    // As many writes as a client's memory is ahead, before its watch and during it: it hears of none of them.
    let ahead = now.parse::<u64>().unwrap() + 1_000;
    s.merge(&format!("{path}/b"), &json!({"spec": {"size": 2}}))
        .await;
    let client = s.client.clone();
    let write = async move {
        tokio::time::sleep(Duration::from_millis(300)).await;
        let request = Request::patch(format!("{path}/b"))
            .header("content-type", "application/merge-patch+json")
            .body(Body::from(
                json!({"spec": {"size": 3}}).to_string().into_bytes(),
            ));
        client.send(request.unwrap()).await.unwrap().status()
    };
    let watch = format!("{watch}&resourceVersion={ahead}");
    let (seen, written) = tokio::join!(s.watch(&watch), write);
    assert_eq!(written, 200);
    assert_eq!(seen.body, json!([]), "{}", s.server);
}

/// For a moment after its start the server answers watches with 429.
async fn wait_until_watched(client: &kube::Client) {
    let watch = format!("{}?watch=true&timeoutSeconds=1", path());
    let request = || Request::get(&watch).body(Body::from(Vec::new())).unwrap();
    while client.send(request()).await.unwrap().status() == 429 {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Compacts the real etcd, whose gateway speaks JSON.
fn compact(server: &ControlPlane, revision: &str) {
    let log = std::fs::read_to_string(server.directory().join("etcd-1.log")).unwrap();
    let (_, rest) = log
        .split_once("\"advertise-client-urls\":[\"http://")
        .unwrap();
    let (address, _) = rest.split_once('"').unwrap();
    let body = json!({"revision": revision, "physical": true}).to_string();
    let mut stream = TcpStream::connect(address).unwrap();
    write!(
        stream,
        "POST /v3/kv/compaction HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}
