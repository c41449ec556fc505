//! A client's connection, and what happens on it.

mod exchange;
mod stream;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http;
use futures::StreamExt;
use jiff::SignedDuration;
use serde_json::Value;

use crate::ApiSimulator;
use crate::call::Call;
use crate::fate::{Fate, Reset, WatchFate};
use exchange::Exchanged;

type Gate = Arc<dyn Fn(&Call) -> Fate + Send + Sync>;
type WatchGate = Arc<dyn Fn(&Call, &Value) -> WatchFate + Send + Sync>;

/// The connection of one client to the simulator. Clones share what was set on it before.
#[derive(Clone)]
pub struct Connection {
    simulator: ApiSimulator,
    actor: Arc<str>,
    gate: Option<Gate>,
    watch_gate: Option<WatchGate>,
    lag: SignedDuration,
}

impl fmt::Debug for Connection {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Connection")
            .field("actor", &self.actor)
            .field("lag", &self.lag)
            .finish_non_exhaustive()
    }
}

impl Connection {
    pub(crate) fn new(simulator: ApiSimulator, actor: &str) -> Self {
        Self {
            simulator,
            actor: actor.into(),
            gate: None,
            watch_gate: None,
            lag: SignedDuration::ZERO,
        }
    }

    /// Asks `gate` about each request when it is sent, in place of the one before.
    #[must_use]
    pub fn through(mut self, gate: impl Fn(&Call) -> Fate + Send + Sync + 'static) -> Self {
        self.gate = Some(Arc::new(gate));
        self
    }

    /// Asks `gate` about each event of a watch when it is due, bookmarks included, in place of the one before.
    #[must_use]
    pub fn watching(
        mut self,
        gate: impl Fn(&Call, &Value) -> WatchFate + Send + Sync + 'static,
    ) -> Self {
        self.watch_gate = Some(Arc::new(gate));
        self
    }

    /// What Kubernetes allows to be stale is this old: reads with resourceVersion 0, and what a watch tells.
    #[must_use]
    pub fn lagging(mut self, lag: Duration) -> Self {
        self.lag = SignedDuration::try_from(lag).unwrap_or(SignedDuration::MAX);
        self.simulator.state().store.keep_for(self.lag);
        self
    }

    /// A client of [`kube`] on this connection. It must be made inside a tokio runtime.
    pub fn client(&self, default_namespace: &str) -> kube::Client {
        let connection = self.clone();
        let service = tower::service_fn(move |request: http::Request<kube::client::Body>| {
            let connection = connection.clone();
            async move {
                let (parts, body) = request.into_parts();
                let body = body.collect_bytes().await.map_err(std::io::Error::other)?;
                let request = http::Request::from_parts(parts, body);
                Ok::<_, std::io::Error>(match connection.exchange(&request).await? {
                    Exchanged::Whole(response) => response.map(Body::from),
                    Exchanged::Watch(answer, stream) => {
                        let lines = stream.lines().map(Ok::<_, std::io::Error>);
                        answer.response(Body::from_stream(lines), connection.simulator.now())
                    }
                })
            }
        });
        kube::Client::new(service, default_namespace)
    }

    /// Sends a request. The answer to a watch comes when the watch ends.
    pub async fn send(
        &self,
        request: http::Request<Bytes>,
    ) -> Result<http::Response<Bytes>, Reset> {
        match self.exchange(&request).await? {
            Exchanged::Whole(response) => Ok(response),
            Exchanged::Watch(answer, stream) => {
                let begun = self.simulator.now();
                let lines: Vec<Bytes> = stream.lines().collect().await;
                Ok(answer.response(Bytes::from(lines.concat()), begun))
            }
        }
    }
}
