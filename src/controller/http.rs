//! `/livez`, `/readyz` and `/metrics`, on one port.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;

use super::context::Context;

/// Binds the port, so that a port in use is told at once.
pub async fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    TcpListener::bind(address).await
}

/// What the port tells, from before the controller works: an API server that is waited for must not
/// look like a process that hangs.
#[derive(Clone, Debug, Default)]
pub struct Probes(Arc<OnceLock<Arc<Context>>>);

impl Probes {
    /// From now on the controller works.
    pub fn begin(&self, context: Arc<Context>) {
        let _ = self.0.set(context); // It begins once.
    }
}

/// Serves for ever. A standby replica is ready too: it could lead.
pub async fn serve(listener: TcpListener, probes: Probes) {
    let routes = Router::new()
        .route("/livez", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(probes);
    if let Err(error) = axum::serve(listener, routes).await {
        tracing::error!(%error, "the port for probes and metrics failed");
    }
}

async fn ready(State(probes): State<Probes>) -> (StatusCode, &'static str) {
    if probes.0.get().is_some_and(|context| context.synced()) {
        (StatusCode::OK, "ok\n")
    } else {
        (
            StatusCode::SERVICE_UNAVAILABLE,
            "grants, accesses and policies have not all been listed yet\n",
        )
    }
}

async fn metrics(State(probes): State<Probes>) -> Response {
    let Some(context) = probes.0.get() else {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    context
        .metrics
        .leader
        .set(i64::from(context.leadership.is_ours()));
    context
        .metrics
        .queue
        .set(i64::try_from(context.desk.queue_len()).unwrap_or(i64::MAX));
    (
        [(
            CONTENT_TYPE,
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
        )],
        context.metrics.text(),
    )
        .into_response()
}
