//! A script's conversation with one server.

use api_simulator::{Bytes, http};
use kube::client::Body;
use serde_json::{Value, json};

use super::normal::Normal;

/// A conversation with one server, and what was said.
pub struct Session {
    pub server: &'static str,
    pub client: kube::Client,
    steps: Vec<Value>,
}

/// An answer as it came.
pub struct Reply {
    pub body: Value,
}

impl Reply {
    /// The resourceVersion of an object or list.
    pub fn version(&self) -> String {
        let version = self.body["metadata"]["resourceVersion"].as_str();
        version
            .unwrap_or_else(|| panic!("{:?}", self.body))
            .to_owned()
    }
}

impl Session {
    pub fn new(server: &'static str, client: kube::Client) -> Self {
        Self {
            server,
            client,
            steps: Vec::new(),
        }
    }

    pub async fn get(&mut self, path: &str) -> Reply {
        self.say("GET", path, "", Bytes::new()).await
    }

    pub async fn post(&mut self, path: &str, body: &Value) -> Reply {
        self.say("POST", path, "application/json", text(body)).await
    }

    pub async fn put(&mut self, path: &str, body: &Value) -> Reply {
        self.say("PUT", path, "application/json", text(body)).await
    }

    pub async fn merge(&mut self, path: &str, body: &Value) -> Reply {
        let kind = "application/merge-patch+json";
        self.say("PATCH", path, kind, text(body)).await
    }

    pub async fn patch(&mut self, path: &str, body: &Value) -> Reply {
        let kind = "application/json-patch+json";
        self.say("PATCH", path, kind, text(body)).await
    }

    pub async fn delete(&mut self, path: &str, body: &Value) -> Reply {
        self.say("DELETE", path, "application/json", text(body))
            .await
    }

    /// All events of a watch until it ends; the query must say when. When bookmarks come is the server's affair, so they are left out
    /// unless they end the initial events.
    pub async fn watch(&mut self, path: &str) -> Reply {
        let mut reply = self.say("GET", path, "", Bytes::new()).await;
        if let (Value::Array(events), Some(step)) = (&mut reply.body, self.steps.last_mut()) {
            events.retain(|event| {
                let annotations = &event["object"]["metadata"]["annotations"];
                event["type"] != "BOOKMARK" || !annotations.is_null()
            });
            step["body"] = Value::Array(events.clone());
        }
        reply
    }

    /// The first bookmark that comes on a watch, which is started again until one does.
    pub async fn bookmark(&mut self, path: &str) -> Reply {
        loop {
            let mut reply = self.say("GET", path, "", Bytes::new()).await;
            let mut events = reply.body.as_array().into_iter().flatten();
            let first = events.find(|event| event["type"] == "BOOKMARK").cloned();
            let mut step = self.steps.pop().unwrap();
            if let Some(first) = first {
                step["body"] = first.clone();
                self.steps.push(step);
                reply.body = first;
                return reply;
            }
        }
    }

    /// Sends anything.
    pub async fn say(&mut self, method: &str, path: &str, kind: &str, body: Bytes) -> Reply {
        let mut request = http::Request::builder().method(method).uri(path);
        if !kind.is_empty() {
            request = request.header("content-type", kind);
        }
        let request = request.body(Body::from(body.to_vec())).unwrap();
        let answer = self.client.send(request).await.unwrap();
        let (head, body) = answer.into_parts();
        let bytes = body.collect_bytes().await.unwrap();
        let body = read(&bytes);
        let date = head.headers.get("date").map(|date| date.to_str().unwrap());
        let date = date.map(str::len);
        let kind = head
            .headers
            .get("content-type")
            .map(|kind| kind.to_str().unwrap());
        self.steps.push(json!({
            "request": format!("{} {method} {path}", self.steps.len()),
            "code": head.status.as_u16(),
            "kind": kind,
            "date": date,
            "body": body,
        }));
        Reply { body }
    }

    /// What was answered, with what differs between servers by nature replaced.
    pub fn transcript(&self) -> Vec<Value> {
        let normal = Normal::of(&self.steps);
        self.steps.iter().map(|step| normal.step(step)).collect()
    }
}

fn text(body: &Value) -> Bytes {
    if body.is_null() {
        return Bytes::new();
    }
    Bytes::from(body.to_string())
}

/// One JSON value, or many in lines.
fn read(bytes: &[u8]) -> Value {
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    if let Ok(value) = serde_json::from_str(&text) {
        let value: Value = value;
        if value.get("type").is_some() && value.get("object").is_some() {
            return json!([value]);
        }
        return value;
    }
    let lines: Result<Vec<Value>, _> = text.lines().map(serde_json::from_str).collect();
    lines.map_or_else(|_| text.clone().into(), Value::Array)
}
