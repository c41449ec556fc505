//! An API server for tests: a function answers.

use std::convert::Infallible;

use axum::http::{Method, Request, Response};
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};

/// Status and object.
pub type Answer = (u16, Value);

/// A client whose calls come to that function; where it has no answer, nobody ever gives one.
pub fn client(answer: impl Fn(&Method) -> Option<Answer> + Send + Sync + 'static) -> Client {
    let service = tower::service_fn(move |asked: Request<Body>| {
        let answer = answer(asked.method());
        async move {
            let Some((status, object)) = answer else {
                return std::future::pending().await;
            };
            let mut response = Response::new(Body::from(object.to_string().into_bytes()));
            *response.status_mut() = status.try_into().unwrap();
            Ok::<_, Infallible>(response)
        }
    });
    Client::new(service, "default")
}

/// What the API server answers where it refuses.
pub fn refusal(status: u16, reason: &str) -> Answer {
    let object = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": "it is refused", "reason": reason, "code": status,
    });
    (status, object)
}
