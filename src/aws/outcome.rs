//! What AWS shows and answers, in the words of this program.

use jiff::Timestamp;
use tokio::time::Instant;

use super::error::{Class, Error};
use crate::api::access::Operation;
use crate::api::tuple::Tuple;
use crate::clock::{Clock, until};

/// What a grant names, found in AWS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// The person and the entitlement, by ids.
    pub tuple: Tuple,
    /// Whether a directory outside AWS manages the group, so that it may undo what we do.
    pub managed_elsewhere: bool,
}

/// Why what a grant names can't be pinned.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum ResolveError {
    /// A person must act: something is not there, disabled, or spelled differently. `reason` is
    /// the condition's reason, such as `UserNotFound`.
    #[error("{message}")]
    Stalled {
        /// CamelCase reason for the condition.
        reason: &'static str,
        /// What is wrong and what to do.
        message: String,
    },
    /// AWS could not be asked.
    #[error(transparent)]
    Aws(#[from] Error),
}

impl ResolveError {
    /// A person must act.
    pub fn stalled(reason: &'static str, message: impl Into<String>) -> Self {
        Self::Stalled {
            reason,
            message: message.into(),
        }
    }
}

/// Longest session that AWS allows, in seconds: of a permission set (IAM Identity Center user guide,
/// "Set session duration for AWS accounts"), and of a role (IAM user guide, "Update the maximum session
/// duration for a role").
pub const LONGEST_SESSION_SECONDS: i64 = 12 * 3_600;

/// What a reading shows of one tuple.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// AWS lists it.
    Present {
        /// Longest session that can be started, in seconds, where that can be read.
        session_seconds: Option<i64>,
    },
    /// AWS does not list it.
    Absent,
    /// Principal, entitlement or account no longer exist under the pinned ids. The text says which.
    Gone(String),
}

/// How a write to AWS ended, as far as is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// AWS says that it is done.
    Succeeded {
        /// Id of the request, for the audit line.
        request_id: Option<String>,
    },
    /// AWS has accepted it and works on it; ask again with [`Aws::progress`](super::Aws::progress).
    InProgress {
        /// Id of the asynchronous operation.
        request_id: String,
    },
    /// AWS says that it has no effect: a definite refusal, or an asynchronous FAILED.
    Failed(Error),
    /// It may or may not have taken effect, now or later.
    Unknown(Error),
    /// The time to send it was over before its turn came.
    NotSent,
}

impl From<Error> for Outcome {
    /// A write that was answered with an error, or not at all.
    fn from(error: Error) -> Self {
        match error.class {
            Class::OutcomeUnknown => Self::Unknown(error),
            _ => Self::Failed(error),
        }
    }
}

impl Outcome {
    /// For a delete: that it is not there is what was wanted. A reading confirms it, and by ids: what
    /// AWS says is missing may be the membership, or one who bore a name.
    pub(super) fn or_gone(self) -> Self {
        match self {
            Self::Failed(error) if error.is_gone() => Self::Succeeded {
                request_id: error.request_id,
            },
            other => other,
        }
    }

    /// AWS's id of the request or of the asynchronous operation.
    pub fn request_id(&self) -> Option<String> {
        match self {
            Self::Succeeded { request_id } => request_id.clone(),
            Self::InProgress { request_id } => Some(request_id.clone()),
            Self::Failed(error) | Self::Unknown(error) => error.request_id.clone(),
            Self::NotSent => None,
        }
    }
}

/// Leave to send one write, made only by the executor once its attempt stands in the ledger. It is
/// used up by the send, and worthless after its deadline.
#[derive(Debug)]
pub struct Cleared {
    operation: Operation,
    send_before: Timestamp,
    /// The same by the monotonic clock: the time of day may be set back meanwhile.
    latest: Instant,
    clock: Clock,
}

impl Cleared {
    /// Leave for an attempt that the ledger has acknowledged.
    pub(crate) fn new(operation: Operation, send_before: Timestamp, clock: Clock) -> Self {
        Self {
            operation,
            send_before,
            latest: Instant::now() + until(clock.now(), send_before),
            clock,
        }
    }

    /// The last check, made when nothing but the send is left to do. Nothing is given by a clock that is wrong.
    pub(super) fn spend(self, operation: Operation) -> bool {
        let gives = operation == Operation::Create;
        let doubtful = gives && self.clock.differences().correction().is_some();
        let in_time = self.clock.now() < self.send_before && Instant::now() < self.latest;
        self.operation == operation && in_time && !doubtful
    }
}
