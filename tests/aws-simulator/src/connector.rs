//! The simulator as the HTTP client of the AWS SDK for Rust, without a socket.

use std::sync::Arc;
use std::time::Duration;

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use axum::body::Bytes;

use crate::Simulator;
use crate::gate::{Fate, GateCall};

/// Given to an SDK client as its `http_client`, it answers from this process, on tokio's clock, virtual or not.
#[derive(Clone)]
pub struct InProcess {
    simulator: Simulator,
    read_timeout: Option<Duration>,
    gate: Option<Arc<Gate>>,
}

/// Decides what becomes of a request.
pub(crate) type Gate = dyn Fn(&GateCall) -> Fate + Send + Sync;

impl std::fmt::Debug for InProcess {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("InProcess").finish_non_exhaustive()
    }
}

impl InProcess {
    pub(crate) fn new(simulator: Simulator) -> Self {
        Self {
            simulator,
            read_timeout: None,
            gate: None,
        }
    }

    /// Every request asks `gate` what becomes of it, at the moment when it is sent.
    #[must_use]
    pub fn through(self, gate: impl Fn(&GateCall) -> Fate + Send + Sync + 'static) -> Self {
        Self {
            gate: Some(Arc::new(gate)),
            ..self
        }
    }
}

impl HttpClient for InProcess {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        _: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(Self {
            read_timeout: settings.read_timeout(),
            ..self.clone()
        })
    }
}

impl HttpConnector for InProcess {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let Self {
            simulator,
            read_timeout,
            gate,
        } = self.clone();
        HttpConnectorFuture::new(async move {
            let answer = simulator.call_through(unwrapped(request)?, gate.as_deref());
            let answer = match read_timeout {
                Some(limit) => tokio::time::timeout(limit, answer)
                    .await
                    .map_err(|late| ConnectorError::timeout(late.into()))?,
                None => answer.await,
            };
            let response = answer
                .map_err(|reset| ConnectorError::io(reset.into()))?
                .map(Into::into);
            HttpResponse::try_from(response)
                .map_err(|error| ConnectorError::other(error.into(), None))
        })
    }
}

/// The request with its body in memory; these services stream nothing.
fn unwrapped(request: HttpRequest) -> Result<axum::http::Request<Bytes>, ConnectorError> {
    let request = request
        .try_into_http1x()
        .map_err(|error| ConnectorError::user(error.into()))?;
    let (parts, body) = request.into_parts();
    let body = body.bytes().map(Bytes::copy_from_slice);
    let body = body.ok_or_else(|| ConnectorError::user("the body is a stream".into()))?;
    Ok(axum::http::Request::from_parts(parts, body))
}
