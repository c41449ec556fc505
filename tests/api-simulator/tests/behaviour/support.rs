//! A kind of our own, and a clock.

use std::time::Duration;

use api_simulator::{ApiSimulator, Bytes, Connection, http};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio::time::Instant;

pub const PATH: &str = "/apis/sim.example/v1/namespaces/shop/widgets";

/// A simulator on tokio's time that serves `widgets`.
pub fn simulator() -> ApiSimulator {
    let base: Timestamp = "2027-01-01T00:00:00.25Z".parse().unwrap();
    let started = Instant::now();
    let simulator = ApiSimulator::new(1, move || {
        base + SignedDuration::try_from(started.elapsed()).unwrap()
    });
    simulator.define(&widgets()).unwrap();
    simulator
}

/// The definition of a small kind in a namespace.
pub fn widgets() -> Value {
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "widgets.sim.example"},
        "spec": {
            "group": "sim.example",
            "names": {"kind": "Widget", "plural": "widgets", "singular": "widget"},
            "scope": "Namespaced",
            "versions": [{
                "name": "v1",
                "served": true,
                "storage": true,
                "subresources": {"status": {}},
                "schema": {"openAPIV3Schema": {"type": "object", "properties": {
                    "spec": {"type": "object", "properties": {
                        "size": {"type": "integer"},
                        "colour": {"type": "string", "default": "grey"},
                    }},
                    "status": {
                        "type": "object",
                        "default": {"state": "Pending"},
                        "properties": {"state": {"type": "string"}},
                    },
                }}},
            }],
        },
    })
}

pub fn widget(name: &str) -> Value {
    json!({
        "apiVersion": "sim.example/v1",
        "kind": "Widget",
        "metadata": {"name": name, "namespace": "shop"},
        "spec": {"size": 1},
    })
}

/// Makes a widget.
pub fn make(simulator: &ApiSimulator, name: &str) {
    simulator.create("alice", "widgets", widget(name)).unwrap();
}

/// Gives a widget another size.
pub fn resize(simulator: &ApiSimulator, name: &str, size: u32) {
    let patch = json!({"spec": {"size": size}});
    simulator
        .merge_patch("alice", "widgets", Some("shop"), name, patch)
        .unwrap();
}

/// The resourceVersion of the newest list.
pub async fn version(connection: &Connection) -> String {
    let (_, list) = ask(connection, get(PATH)).await;
    list["metadata"]["resourceVersion"]
        .as_str()
        .unwrap()
        .to_owned()
}

pub fn get(path: &str) -> http::Request<Bytes> {
    http::Request::get(path).body(Bytes::new()).unwrap()
}

pub fn post(path: &str, body: &Value) -> http::Request<Bytes> {
    http::Request::post(path)
        .header("content-type", "application/json")
        .body(Bytes::from(body.to_string()))
        .unwrap()
}

/// The status and the body of an answer.
pub async fn ask(connection: &Connection, request: http::Request<Bytes>) -> (u16, Value) {
    let answer = connection.send(request).await.unwrap();
    let body = serde_json::from_slice(answer.body()).unwrap_or_default();
    (answer.status().as_u16(), body)
}

/// A watch of all widgets for so many seconds: what was told, in short, such as `MODIFIED a 2` with the size.
pub async fn watch(connection: &Connection, since: &str, seconds: u64) -> Vec<String> {
    let path = format!("{PATH}?watch=1&timeoutSeconds={seconds}&resourceVersion={since}");
    told(connection, &path).await
}

/// The same for any watch.
pub async fn told(connection: &Connection, path: &str) -> Vec<String> {
    let answer = connection.send(get(path)).await.unwrap();
    let text = std::str::from_utf8(answer.body()).unwrap();
    let lines = text.lines().map(|line| {
        let event: Value = serde_json::from_str(line).unwrap();
        short(&event)
    });
    lines.collect()
}

/// An event in short.
pub fn short(event: &Value) -> String {
    let object = &event["object"];
    let parts = [
        &event["type"],
        &object["metadata"]["name"],
        &object["code"],
        &object["spec"]["size"],
    ];
    let parts = parts.into_iter().filter(|part| !part.is_null());
    let parts = parts.map(|part| {
        part.as_str()
            .map_or_else(|| part.to_string(), str::to_owned)
    });
    parts.collect::<Vec<_>>().join(" ")
}

pub async fn sleep(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}
