//! Errors as AWS services answer them.

use serde_json::{Map, Value};

use crate::wire::Service;

/// An error answer: its code, its text and its HTTP status.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ServiceError {
    pub(crate) code: String,
    pub(crate) message: String,
    pub(crate) status: u16,
    /// Further members of the error, such as `Reason`.
    pub(crate) details: Map<String, Value>,
}

impl ServiceError {
    /// An error with the status that the service documents for this code.
    pub(crate) fn new(service: Service, code: &str, message: impl Into<String>) -> Self {
        Self {
            code: code.to_owned(),
            message: message.into(),
            status: status(service, code),
            details: Map::new(),
        }
    }

    pub(crate) fn with(mut self, member: &str, value: impl Into<Value>) -> Self {
        self.details.insert(member.to_owned(), value.into());
        self
    }

    /// The caller may not do this.
    pub(crate) fn access_denied(service: Service, caller: &str, operation: &str) -> Self {
        let code = if service.is_query() {
            "AccessDenied"
        } else {
            "AccessDeniedException"
        };
        let action = service.action_prefix();
        Self::new(
            service,
            code,
            format!("User: {caller} is not authorized to perform: {action}:{operation}"),
        )
    }

    /// The request breaks a rule of the service's model.
    pub(crate) fn invalid(service: Service, message: impl Into<String>) -> Self {
        let code = match service {
            Service::SsoAdmin | Service::IdentityStore => "ValidationException",
            Service::Iam | Service::Sts => "ValidationError",
            Service::Organizations => "InvalidInputException",
        };
        Self::new(service, code, message)
    }

    /// The service has no such operation.
    pub(crate) fn unknown_operation(service: Service, operation: &str) -> Self {
        if service.is_query() {
            let version = service.version();
            Self::new(
                service,
                "InvalidAction",
                format!("Could not find operation {operation} for version {version}"),
            )
        } else {
            Self::new(
                service,
                "UnknownOperationException",
                format!("Unknown operation {operation}"),
            )
        }
    }

    pub(crate) fn throttled(service: Service, message: &str) -> Self {
        let code = if service.is_query() {
            "Throttling"
        } else {
            "ThrottlingException"
        };
        Self::new(service, code, message)
    }
}

/// HTTP statuses: the IAM API reference gives one per code; the JSON services answer 400 for everything a caller can cause.
fn status(service: Service, code: &str) -> u16 {
    match code {
        "InternalServerException" | "InternalFailure" | "ServiceFailure" | "ServiceException" => {
            500
        }
        "ServiceUnavailable" | "ServiceUnavailableException" => 503,
        _ if !service.is_query() => 400,
        "NoSuchEntity" => 404,
        "LimitExceeded"
        | "EntityAlreadyExists"
        | "DeleteConflict"
        | "ConcurrentModification"
        | "EntityTemporarilyUnmodifiable" => 409,
        "AccessDenied"
        | "InvalidClientTokenId"
        | "ExpiredToken"
        | "SignatureDoesNotMatch"
        | "MissingAuthenticationToken"
        | "RegionDisabledException" => 403,
        _ => 400,
    }
}
