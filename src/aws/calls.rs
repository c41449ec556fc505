//! The one way in which AWS is called: at its pace, timed, and with its failure classified.

use aws_sdk_sts::operation::RequestId;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use tokio::time::Instant;

use super::desk::{Desk, DeskKey};
use super::error::{Class, Effect, Error};
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

    /// Gives or takes access, once, if there is still time when its turn has come. The answer is
    /// the caller's to read; an error has become the outcome already.
    pub(super) async fn write<O, E>(
        &self,
        key: &DeskKey,
        operation: &'static str,
        (cleared, wanted): (Cleared, Operation),
        send: impl Future<Output = Result<O, SdkError<E, HttpResponse>>>,
    ) -> Result<O, Outcome>
    where
        O: RequestId,
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        self.desk.pace(key).await;
        if !cleared.spend(wanted) {
            return Err(Outcome::NotSent);
        }
        made(operation, Effect::Write, send)
            .await
            .map_err(|error| match error.class {
                Class::OutcomeUnknown => Outcome::Unknown(error),
                _ => Outcome::Failed(error),
            })
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
            tracing::debug!(operation, ms, class = ?error.class, code = error.code, message = error.message, request_id = error.request_id, "called AWS");
            Err(error)
        }
    }
}
