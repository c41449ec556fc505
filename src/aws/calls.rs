//! The one way in which AWS is called: at its pace, timed, and with its failure classified.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_sts::operation::RequestId;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::{
    AfterDeserializationInterceptorContextRef, BeforeTransmitInterceptorContextRef,
};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;
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
        let answer = made(operation, Effect::Write, send).await?;
        identified(operation, answer)
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
        let answer = made(operation, Effect::Write, send(check)).await;
        if answer.is_err() && late.load(Ordering::Acquire) {
            return Err(Outcome::NotSent);
        }
        Ok(identified(operation, answer?)?)
    }
}

/// Many writes are answered with nothing but a status, and any page comes with one. What AWS answers
/// has an id.
fn identified<O: RequestId>(operation: &'static str, answer: O) -> Result<O, Error> {
    if answer.request_id().is_some() {
        return Ok(answer);
    }
    let message = "the answer has no request id, so it is not from AWS";
    Err(Error::new(operation, Class::OutcomeUnknown, message))
}

/// The way through a listing. One that has no end, or goes in circles, would hold up a revoke for ever.
#[derive(Debug)]
pub(super) struct Pages {
    operation: &'static str,
    turned: usize,
    mark: Option<String>,
}

/// AWS has pages of a hundred rows and more.
const MOST_PAGES: usize = 1_000;

impl Pages {
    pub(super) fn of(operation: &'static str) -> Self {
        Self {
            operation,
            turned: 0,
            mark: None,
        }
    }

    /// The mark of the page to ask for.
    pub(super) fn mark(&self) -> Option<String> {
        self.mark.clone()
    }

    /// Turns to the page with that mark; false where there is none.
    pub(super) fn turn(&mut self, mark: Option<String>) -> Result<bool, Error> {
        let mark = mark.filter(|mark| !mark.is_empty());
        self.turned += 1;
        if mark.is_some() && (mark == self.mark || self.turned >= MOST_PAGES) {
            return Err(Error::senseless(self.operation, "no end"));
        }
        self.mark = mark;
        Ok(self.mark.is_some())
    }
}

/// An id as AWS told it. An empty one is what the SDK makes of none.
pub(super) fn id(operation: &'static str, told: Option<&str>) -> Result<String, Error> {
    told.filter(|id| is_id(id))
        .map(str::to_owned)
        .ok_or_else(|| Error::senseless(operation, "no id where one must be"))
}

/// Whether a text could be an id or an ARN. The longest that AWS documents have 1224 characters.
pub(super) fn is_id(text: &str) -> bool {
    (1..=1_224).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
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

/// Looks whether an answer in XML has the list that was asked for: the SDK reads an empty one where
/// there is none, or where something else stands in its place.
#[derive(Debug)]
pub(super) struct HasList(pub(super) &'static str);

impl HasList {
    /// The list stands within the result within the answer, has nothing but rows, and the answer comes
    /// to its end.
    fn is_in(&self, body: &[u8]) -> bool {
        let text = String::from_utf8_lossy(body);
        let mut open = Vec::new();
        let mut found = false;
        for tag in text.split('<').skip(1) {
            let Some((tag, _)) = tag.split_once('>') else {
                return false;
            };
            if tag.starts_with(['?', '!']) {
                continue;
            }
            if let Some(closed) = tag.strip_prefix('/') {
                if open.pop() != Some(closed.trim_end()) {
                    return false;
                }
                continue;
            }
            let end = |c: char| c.is_whitespace() || c == '/';
            let name = tag.split(end).next().unwrap_or_default();
            match open.as_slice() {
                [_, _] => found |= name == self.0,
                [_, _, list] if *list == self.0 && name != "member" => return false,
                _ => {}
            }
            if !tag.ends_with('/') {
                open.push(name);
            }
        }
        found && open.is_empty()
    }
}

impl Intercept for HasList {
    fn name(&self) -> &'static str {
        "HasList"
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let response = context.response();
        let body = response.body().bytes().unwrap_or_default();
        if response.status().is_success() && !self.is_in(body) {
            return Err("the answer makes no sense: it has no list".into());
        }
        Ok(())
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
