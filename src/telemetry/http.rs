//! `/livez`, `/readyz` and `/metrics`, on one port.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::controller::context::Context;

/// Binds the port, so that a port in use is told at once.
pub async fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    TcpListener::bind(address).await
}

/// Serves until the process ends. A standby replica is ready too: it could lead.
pub async fn serve(listener: TcpListener, context: Arc<Context>, shutdown: CancellationToken) {
    let routes = Router::new()
        .route("/livez", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(context);
    let server = axum::serve(listener, routes).with_graceful_shutdown(shutdown.cancelled_owned());
    if let Err(error) = server.await {
        tracing::error!(%error, "the port for probes and metrics failed");
    }
}

async fn ready(State(context): State<Arc<Context>>) -> (StatusCode, &'static str) {
    if context.synced() {
        (StatusCode::OK, "ok\n")
    } else {
        (
            StatusCode::SERVICE_UNAVAILABLE,
            "grants, accesses and policies have not all been listed yet\n",
        )
    }
}

async fn metrics(State(context): State<Arc<Context>>) -> impl IntoResponse {
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
}
