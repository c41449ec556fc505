//! A kind of our own, and a clock.

use api_simulator::{ApiSimulator, Bytes, Connection, http};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio::time::Instant;

/// Where virtual time begins.
pub const START: &str = "2027-01-01T00:00:00.25Z";

/// A simulator on tokio's time that serves `widgets`.
pub fn simulator() -> ApiSimulator {
    let (base, started) = (START.parse::<Timestamp>().unwrap(), Instant::now());
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

pub const PATH: &str = "/apis/sim.example/v1/namespaces/shop/widgets";

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
