//! The admin API: what the methods of [`Simulator`](crate::Simulator) do, over HTTP and in JSON.
//!
//! | Request | Body | Answer |
//! |---|---|---|
//! | `GET /_simulator/truth` | | [`Truth`](crate::Truth) |
//! | `POST /_simulator/changes` | [`Change`](crate::Change) | `{"id": ...}` |
//! | `GET /_simulator/settings` | | [`Settings`](crate::Settings) |
//! | `PATCH /_simulator/settings` | the settings to change | all settings |
//! | `GET /_simulator/faults` | | list of [`PlacedFault`](crate::PlacedFault) |
//! | `POST /_simulator/faults` | [`Fault`](crate::Fault) | `{"id": ...}` |
//! | `DELETE /_simulator/faults`, `DELETE /_simulator/faults/ID` | | |
//! | `GET /_simulator/calls?since=N` | | list of [`CallRecord`](crate::CallRecord) |
//! | `DELETE /_simulator/calls` | | |
//! | `POST /_simulator/reset` | [`Seed`](crate::Seed) | |

use axum::body::Bytes;
use axum::http::{self, Method, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::Simulator;

/// Where the admin API begins.
pub(crate) const PREFIX: &str = "/_simulator/";

type Answer = Result<Value, (StatusCode, String)>;

pub(crate) fn handle(
    simulator: &Simulator,
    path: &str,
    request: &http::Request<Bytes>,
) -> http::Response<Bytes> {
    let (status, body) = match route(simulator, path, request) {
        Ok(answer) => (StatusCode::OK, answer),
        Err((status, error)) => (status, json!({ "error": error })),
    };
    let mut response = http::Response::new(Bytes::from(body.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(
        http::header::CONTENT_TYPE,
        http::HeaderValue::from_static("application/json"),
    );
    response
}

fn route(simulator: &Simulator, path: &str, request: &http::Request<Bytes>) -> Answer {
    let body = request.body();
    match (request.method(), path) {
        (&Method::GET, "truth") => show(&simulator.truth()),
        (&Method::POST, "changes") => {
            let id = simulator
                .change(&read(body)?)
                .map_err(|error| (StatusCode::CONFLICT, error.to_string()))?;
            Ok(json!({ "id": id }))
        }
        (&Method::GET, "settings") => show(&simulator.settings()),
        (&Method::PATCH, "settings") => {
            let mut settings = show(&simulator.settings())?;
            if let (Value::Object(all), Value::Object(changed)) = (&mut settings, read(body)?) {
                all.extend(changed);
            }
            let settings = serde_json::from_value(settings).map_err(|error| refuse(&error))?;
            simulator.set(|all| *all = settings);
            show(&simulator.settings())
        }
        (&Method::GET, "faults") => show(&simulator.faults()),
        (&Method::POST, "faults") => Ok(json!({ "id": simulator.add_fault(read(body)?) })),
        (&Method::DELETE, "faults") => {
            simulator.clear_faults();
            Ok(Value::Null)
        }
        (&Method::GET, "calls") => show(&simulator.calls_since(since(request.uri()))),
        (&Method::DELETE, "calls") => {
            simulator.clear_calls();
            Ok(Value::Null)
        }
        (&Method::POST, "reset") => {
            simulator
                .reset(&read(body)?)
                .map_err(|error| (StatusCode::CONFLICT, error.to_string()))?;
            Ok(Value::Null)
        }
        (&Method::DELETE, path) if fault_id(path).is_some_and(|id| simulator.remove_fault(id)) => {
            Ok(Value::Null)
        }
        _ => Err((
            StatusCode::NOT_FOUND,
            format!("there is no {} {PREFIX}{path}", request.method()),
        )),
    }
}

fn fault_id(path: &str) -> Option<u64> {
    path.strip_prefix("faults/")?.parse().ok()
}

fn since(uri: &http::Uri) -> u64 {
    let query = uri.query().unwrap_or_default();
    let mut pairs = form_urlencoded::parse(query.as_bytes());
    pairs
        .find(|(name, _)| name == "since")
        .and_then(|(_, value)| value.parse().ok())
        .unwrap_or(0)
}

fn refuse(error: &serde_json::Error) -> (StatusCode, String) {
    (StatusCode::BAD_REQUEST, error.to_string())
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, (StatusCode, String)> {
    serde_json::from_slice(body).map_err(|error| refuse(&error))
}

fn show<T: serde::Serialize>(value: &T) -> Answer {
    serde_json::to_value(value)
        .map_err(|error| (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))
}
