//! What can go wrong when AWS is called, and what follows from it: the one place for both.

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_sts::operation::assume_role::AssumeRoleError;
use aws_sdk_sts::operation::assume_role_with_web_identity::AssumeRoleWithWebIdentityError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use crate::digest::shortened;
use crate::telemetry::chain;

/// What an error means for the next step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// Too many calls: slow down.
    Throttled,
    /// AWS or the way to it failed; nothing happened.
    Transient,
    /// Nobody knows whether the call took effect.
    OutcomeUnknown,
    /// Another operation on the same thing is under way.
    Conflict,
    /// What the call names does not exist.
    Gone,
    /// AWS refuses us.
    Denied,
    /// The account as a whole is out of use, for example suspended.
    Blocked,
    /// The call makes no sense to AWS.
    Invalid,
    /// A limit that only a person can lift.
    Quota,
}

impl Class {
    /// What it is called in conditions.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Throttled => "Throttled",
            Self::Transient => "AWSUnavailable",
            Self::OutcomeUnknown => "OutcomeUnknown",
            Self::Conflict => "Conflict",
            Self::Gone => "NotFound",
            Self::Denied => "AccessDenied",
            Self::Blocked => "AccountBlocked",
            Self::Invalid => "InvalidRequest",
            Self::Quota => "QuotaExceeded",
        }
    }

    /// Whether only a person can mend it.
    pub fn needs_person(self) -> bool {
        match self {
            Self::Throttled | Self::Transient | Self::OutcomeUnknown | Self::Conflict => false,
            Self::Gone | Self::Denied | Self::Blocked | Self::Invalid | Self::Quota => true,
        }
    }
}

/// A failed AWS call.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error("{operation}: {message}")]
pub struct Error {
    /// What was called, as IAM policies name it, such as `sso:CreateAccountAssignment`.
    pub operation: &'static str,
    /// What follows from it.
    pub class: Class,
    /// AWS's own code, such as `ThrottlingException`.
    pub code: Option<String>,
    /// AWS's finer reason within the code, such as `UNIQUENESS_CONSTRAINT_VIOLATION`.
    pub reason: Option<String>,
    /// What AWS said, or why there was no answer.
    pub message: String,
    /// Id of the request, for AWS support.
    pub request_id: Option<String>,
}

/// Whether a call changes anything, so that an unheard answer matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It only reads.
    Read,
    /// It may have changed something, answer or not.
    Write,
}

impl Error {
    /// An error of our own finding.
    pub fn new(operation: &'static str, class: Class, message: impl Into<String>) -> Self {
        Self {
            operation,
            class,
            code: None,
            reason: None,
            message: message.into(),
            request_id: None,
        }
    }

    /// AWS, or what answers in its place, said something that makes no sense. It shows nothing.
    pub(super) fn senseless(operation: &'static str, what: &str) -> Self {
        let message = format!("the answer makes no sense: it has {what}");
        Self::new(operation, Class::Transient, message)
    }

    /// The process is about to end, so AWS is not asked any more.
    pub fn shutting_down() -> Self {
        Self::new("aws", Class::Transient, "the controller is shutting down")
    }

    /// Whether AWS says that what the call names does not exist.
    pub fn is_gone(&self) -> bool {
        self.class == Class::Gone
    }

    /// What the SDK made of a failed call.
    pub fn of<E>(operation: &'static str, effect: Effect, error: &SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        let raw = error.raw_response();
        let status = raw.map(|response| response.status().as_u16());
        let body = raw
            .and_then(|response| response.body().bytes())
            .unwrap_or_default();
        let json: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
        let reason = json
            .get("Reason")
            .and_then(serde_json::Value::as_str)
            .map(str::to_owned);
        // The whole identity store missing says nothing about a user or a group in it (Identity Store
        // API reference, "ResourceNotFoundException": ResourceType).
        let store_missing =
            json.get("ResourceType").and_then(serde_json::Value::as_str) == Some("IDENTITY_STORE");
        let header = |name| {
            raw.and_then(|response| response.headers().get(name))
                .map(str::to_owned)
        };
        let request_id = header("x-amzn-requestid").or_else(|| header("x-amzn-request-id"));
        let code = error.code().map(str::to_owned);
        let (class, message) = match error {
            SdkError::ServiceError(_) if !is_whole(body) => {
                (unheard(effect), "AWS's answer was cut short".to_owned())
            }
            SdkError::ServiceError(_) => {
                let class = classify(
                    code.as_deref(),
                    reason.as_deref(),
                    status.unwrap_or_default(),
                    effect,
                );
                let class = if store_missing { Class::Denied } else { class };
                let said = error.message().filter(|said| !said.is_empty());
                (
                    class,
                    said.map_or_else(
                        || {
                            format!(
                                "AWS answered {}",
                                code.as_deref().unwrap_or("with an error it did not name")
                            )
                        },
                        str::to_owned,
                    ),
                )
            }
            // Credentials are loaded before anything is sent; so is a connection opened.
            _ if let Some(failed) = credentials_failure(error) => failed,
            SdkError::ConstructionFailure(_) => (Class::Invalid, chain(error)),
            SdkError::DispatchFailure(_) if never_connected(error) => {
                (Class::Transient, chain(error))
            }
            _ => (unheard(effect), chain(error)),
        };
        // All of it ends in conditions, logs and audit lines.
        let short = |text: String| shortened(&text, LONGEST);
        Self {
            operation,
            class,
            code: code.map(short),
            reason: reason.map(short),
            message: short(message),
            request_id: request_id.map(short),
        }
    }
}

/// How many characters are kept of anything that AWS says.
pub(super) const LONGEST: usize = 1024;

/// Whether a body in XML comes to its end: the SDK reads an error out of the first half of one. JSON it
/// reads as a whole.
fn is_whole(body: &[u8]) -> bool {
    let text = body.trim_ascii();
    let Some(mut root) = text
        .rsplit(|byte| *byte == b'<')
        .next()
        .filter(|_| text.starts_with(b"<"))
    else {
        return true;
    };
    root = root
        .strip_prefix(b"/")
        .and_then(|root| root.strip_suffix(b">"))
        .unwrap_or_default();
    let opened = |at: &[u8]| {
        at.strip_prefix(root)
            .is_some_and(|rest| rest.starts_with(b">") || rest.starts_with(b" "))
    };
    !root.is_empty()
        && text
            .split(|byte| *byte == b'<')
            .skip(1)
            .find(|tag| !tag.starts_with(b"?"))
            .is_some_and(opened)
}

fn unheard(effect: Effect) -> Class {
    match effect {
        Effect::Read => Class::Transient,
        Effect::Write => Class::OutcomeUnknown,
    }
}

/// What an answer means. Codes count, not HTTP statuses: emulators and older endpoints differ in
/// the latter (API references of SSO Admin, Identity Store, IAM and STS: "Common errors").
fn classify(code: Option<&str>, reason: Option<&str>, status: u16, effect: Effect) -> Class {
    // Trouble with a customer-managed key comes under codes that mean something else otherwise
    // (Identity Store API reference, "ResourceNotFoundException": Reason).
    if let Some(reason) = reason.filter(|reason| reason.starts_with("KMS_")) {
        let throttled = reason.to_lowercase().contains("throttling");
        return if throttled {
            Class::Throttled
        } else {
            Class::Denied
        };
    }
    match code.unwrap_or_default() {
        "ThrottlingException"
        | "Throttling"
        | "ThrottledException"
        | "RequestThrottled"
        | "TooManyRequestsException"
        | "RequestLimitExceeded"
        | "RequestThrottledException"
        | "PriorRequestNotComplete"
        | "SlowDown" => Class::Throttled,
        "ConflictException"
        | "ConcurrentModification"
        | "ConcurrentModificationException"
        | "EntityTemporarilyUnmodifiable" => Class::Conflict,
        // Ledgers close on this, so here the status must agree.
        "ResourceNotFoundException" | "NoSuchEntity" | "NoSuchEntityException"
            if (400..500).contains(&status) =>
        {
            Class::Gone
        }
        "AccessDenied"
        | "AccessDeniedException"
        | "UnrecognizedClientException"
        | "InvalidClientTokenId"
        | "ExpiredToken"
        | "ExpiredTokenException"
        | "RequestExpired"
        | "SignatureDoesNotMatch"
        | "IncompleteSignature"
        | "MissingAuthenticationToken"
        | "MissingAuthenticationTokenException"
        | "NotAuthorized"
        | "InvalidSignatureException"
        | "OptInRequired"
        | "RegionDisabledException" => Class::Denied,
        "LimitExceeded" | "LimitExceededException" | "ServiceQuotaExceededException" => {
            Class::Quota
        }
        "ValidationException"
        | "ValidationError"
        | "InvalidInput"
        | "InvalidParameterValue"
        | "UnmodifiableEntity"
        | "InvalidAction"
        | "UnknownOperationException"
        | "EntityAlreadyExists" => Class::Invalid,
        "" if status == 429 => Class::Throttled,
        // A failure of AWS, which SSO Admin sends with status 400 too. Without a code it is not AWS
        // that answered, but something on the way to it.
        "InternalServerException"
        | "InternalServerError"
        | "InternalFailure"
        | "InternalError"
        | "ServiceFailure"
        | "ServiceUnavailable"
        | "ServiceUnavailableException"
        | "RequestTimeout"
        | "RequestTimeoutException"
        | "" => unheard(effect),
        // A refusal that we do not know changes nothing; a failure of AWS might have.
        _ if (400..500).contains(&status) => Class::Invalid,
        _ => unheard(effect),
    }
}

/// Why an asynchronous operation FAILED, from the sentence that AWS gives
/// (`FailureReason`, SSO Admin API reference; the sentences are as people report them).
pub fn classify_failure_reason(reason: &str) -> Class {
    let lower = reason.to_lowercase();
    // What is said of an account that is suspended (aws-samples and aws-sso-util, issues).
    let blocked = [
        "suspended",
        "obtaining permissions to manage your aws account",
    ];
    let gone = ["not found", "404 status error", "does not exist"];
    let denied = ["denied", "not authorized", "403 status error"];
    let says = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    if says(&blocked) {
        Class::Blocked
    } else if says(&gone) {
        Class::Gone
    } else if says(&denied) {
        Class::Denied
    } else if lower.contains("conflict") {
        Class::Conflict
    } else {
        Class::Transient
    }
}

/// What follows where the credentials for a call could not be had. Nothing was sent then.
fn credentials_failure<E>(error: &SdkError<E, HttpResponse>) -> Option<(Class, String)>
where
    E: std::error::Error + Send + Sync + 'static,
{
    let why = chain(error);
    // The SDK's cache of credentials has a time limit of its own, and no type for its end.
    let class = if why.contains("identity resolver timed out") {
        Class::Transient
    } else {
        let failure = find::<CredentialsError>(error)?;
        let refused = sts_failure::<AssumeRoleError>(failure)
            .or_else(|| sts_failure::<AssumeRoleWithWebIdentityError>(failure));
        match failure {
            CredentialsError::ProviderTimedOut(_) => Class::Transient,
            _ => refused.unwrap_or(Class::Denied),
        }
    };
    let message = match class {
        Class::Denied => format!(
            "the AWS credentials can't be used ({why}); check the environment, the profile or the pod's service account, and whether the configured role may be assumed"
        ),
        _ => format!("AWS credentials can't be had at the moment ({why})"),
    };
    Some((class, message))
}

/// What STS answered when it was asked for credentials, if it was.
fn sts_failure<E>(error: &CredentialsError) -> Option<Class>
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    let error = find::<SdkError<E, HttpResponse>>(error)?;
    let status = error.raw_response().map(|raw| raw.status().as_u16());
    Some(match error {
        SdkError::ServiceError(_) => {
            classify(error.code(), None, status.unwrap_or_default(), Effect::Read)
        }
        // The credentials that the role is assumed with are missing themselves.
        _ if find::<CredentialsError>(error).is_some() => Class::Denied,
        _ => Class::Transient,
    })
}

/// Whether no connection came about, as hyper-util tells it (`legacy::Error`). A connection that
/// broke is something else: the request may have gone through it.
fn never_connected(error: &(dyn std::error::Error + 'static)) -> bool {
    chain(error).contains("client error (Connect)")
}

/// The first error of this type among an error and what is behind it.
fn find<'a, T: std::error::Error + 'static>(
    error: &'a (dyn std::error::Error + 'static),
) -> Option<&'a T> {
    std::iter::successors(Some(error), |error| error.source())
        .find_map(|error| error.downcast_ref())
}

#[cfg(test)]
mod hostile_tests;
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_mean_what_aws_documents() {
        for (code, class) in [
            ("ThrottlingException", Class::Throttled),
            ("Throttling", Class::Throttled),
            ("ConflictException", Class::Conflict),
            ("ConcurrentModification", Class::Conflict),
            ("EntityTemporarilyUnmodifiable", Class::Conflict),
            ("ResourceNotFoundException", Class::Gone),
            ("NoSuchEntity", Class::Gone),
            ("AccessDenied", Class::Denied),
            ("AccessDeniedException", Class::Denied),
            ("ExpiredToken", Class::Denied),
            ("LimitExceeded", Class::Quota),
            ("ServiceQuotaExceededException", Class::Quota),
            ("ValidationException", Class::Invalid),
            ("SomethingNew", Class::Invalid),
            ("InternalServerException", Class::OutcomeUnknown),
            ("InternalFailure", Class::OutcomeUnknown),
        ] {
            // Emulators and older endpoints differ in the status.
            for status in [400, 403, 404, 409] {
                assert_eq!(
                    classify(Some(code), None, status, Effect::Write),
                    class,
                    "{code} {status}"
                );
            }
        }
    }

    #[test]
    fn a_failure_of_aws_leaves_a_write_in_doubt_and_a_read_to_be_repeated() {
        for code in [
            None,
            Some("InternalServerException"),
            Some("ServiceFailure"),
        ] {
            assert_eq!(
                classify(code, None, 500, Effect::Write),
                Class::OutcomeUnknown
            );
            assert_eq!(classify(code, None, 503, Effect::Read), Class::Transient);
        }
    }

    #[test]
    fn an_answer_without_a_code_is_not_from_aws() {
        for status in [200, 400, 403, 404, 408, 502] {
            assert_eq!(
                classify(None, None, status, Effect::Write),
                Class::OutcomeUnknown
            );
        }
        assert_eq!(classify(None, None, 429, Effect::Write), Class::Throttled);
    }

    #[test]
    fn trouble_with_a_key_is_never_taken_for_gone() {
        let class = classify(
            Some("ResourceNotFoundException"),
            Some("KMS_KEY_NOT_FOUND"),
            400,
            Effect::Read,
        );
        assert_eq!(class, Class::Denied);
        let class = classify(
            Some("ThrottlingException"),
            Some("KMS_THROTTLING"),
            400,
            Effect::Read,
        );
        assert_eq!(class, Class::Throttled);
    }

    #[test]
    fn failure_reasons_are_told_apart() {
        let gone = "Received a 404 status error: the USER assignee was not found in directory";
        assert_eq!(classify_failure_reason(gone), Class::Gone);
        assert_eq!(classify_failure_reason("whatever"), Class::Transient);
        let suspended = "AWS SSO is unable to complete your request at this time. Obtaining permissions to manage your AWS account '404404404404' takes longer than usual.";
        assert_eq!(classify_failure_reason(suspended), Class::Blocked);
    }
}
