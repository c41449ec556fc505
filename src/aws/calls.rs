//! The one way in which AWS is called: at its pace, timed, and with its failure classified.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_sts::operation::RequestId;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::BeforeTransmitInterceptorContextRef;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use tokio::time::Instant;

use super::desk::{Desk, DeskKey};
use super::error::{Effect, Error};
use super::outcome::{Cleared, Outcome};
use crate::api::access::Operation;

/// Makes calls.
#[derive(Clone, Debug)]
pub(super) struct Calls {
    desk: Desk,
}

impl Calls {
    pub(super) fn new(desk: Desk) -> Self {
        Self { desk }
    }

    /// Reads.
    pub(super) async fn read<O, E>(
        &self,
        key: &DeskKey,
        operation: &'static str,
        send: impl Future<Output = Result<O, SdkError<E, HttpResponse>>>,
    ) -> Result<O, Error>
    where
        O: RequestId,
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        self.desk.pace(key).await;
        made(operation, Effect::Read, send).await
    }

    /// Writes what decides nothing, such as a tag.
    pub(super) async fn note<O, E>(
        &self,
        key: &DeskKey,
        operation: &'static str,
        send: impl Future<Output = Result<O, SdkError<E, HttpResponse>>>,
    ) -> Result<O, Error>
    where
        O: RequestId,
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        self.desk.pace(key).await;
        made(operation, Effect::Write, send).await
    }

    /// Gives or takes access, once, if there is still time when all that is left is to send it.
    /// The answer is the caller's to read; an error has become the outcome already.
    pub(super) async fn write<O, E, F>(
        &self,
        key: &DeskKey,
        operation: &'static str,
        (cleared, wanted): (Cleared, Operation),
        send: impl FnOnce(LastCheck) -> F,
    ) -> Result<O, Outcome>
    where
        O: RequestId,
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
        F: Future<Output = Result<O, SdkError<E, HttpResponse>>>,
    {
        self.desk.pace(key).await;
        let late = Arc::new(AtomicBool::new(false));
        let check = LastCheck {
            leave: Mutex::new(Some(cleared)),
            wanted,
            late: Arc::clone(&late),
        };
        made(operation, Effect::Write, send(check))
            .await
            .map_err(|error| {
                if late.load(Ordering::Acquire) {
                    Outcome::NotSent
                } else {
                    error.into()
                }
            })
    }
}

/// The last check before a write: made by the SDK when credentials are there and the request is
/// signed, because either may have taken its time.
#[derive(Debug)]
pub(super) struct LastCheck {
    leave: Mutex<Option<Cleared>>,
    wanted: Operation,
    late: Arc<AtomicBool>,
}

impl Intercept for LastCheck {
    fn name(&self) -> &'static str {
        "LastCheck"
    }

    fn read_before_transmit(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let mut leave = self.leave.lock().unwrap_or_else(PoisonError::into_inner);
        // Sent before: what became of that is what matters.
        let leave = leave.take().ok_or("a write is sent once")?;
        if leave.spend(self.wanted) {
            return Ok(());
        }
        self.late.store(true, Ordering::Release);
        Err("the time to send it is over".into())
    }
}

/// Every call to AWS passes here, once it has its token.
async fn made<O, E>(
    operation: &'static str,
    effect: Effect,
    send: impl Future<Output = Result<O, SdkError<E, HttpResponse>>>,
) -> Result<O, Error>
where
    O: RequestId,
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    let begun = Instant::now();
    let result = send.await;
    let ms = begun.elapsed().as_millis();
    match result {
        Ok(answer) => {
            tracing::debug!(
                operation,
                ms,
                request_id = answer.request_id(),
                "called AWS"
            );
            Ok(answer)
        }
        Err(error) => {
            let error = Error::of(operation, effect, &error);
            tracing::debug!(operation, ms, class = ?error.class, code = error.code, why = error.message, request_id = error.request_id, "called AWS");
            Err(error)
        }
    }
}
