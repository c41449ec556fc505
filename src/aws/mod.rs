//! AWS: the three kinds of access behind one face, and the pace at which AWS is called.
//!
//! [`Aws`] is what the rest of the program sees. Each kind of target has a file of its own that
//! holds everything AWS-specific about it; adding a kind means adding such a file and an arm to the
//! matches below.

use crate::api::access::Operation;
use crate::api::tuple::Tuple;
use crate::decide::target::Target;
use error::Error;

pub mod error;

/// What a grant names, found in AWS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// The person and the entitlement, by ids.
    pub tuple: Tuple,
    /// Whether a directory outside AWS manages the group, so that it may undo what we do.
    pub managed_elsewhere: bool,
}

/// Why what a grant names can't be pinned.
#[derive(Debug, thiserror::Error)]
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

/// What a reading shows of one tuple.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// AWS lists it. `session_seconds` is the longest session it allows, where that can be read.
    Present {
        /// Longest session that can be started, in seconds.
        session_seconds: Option<i64>,
    },
    /// AWS does not list it.
    Absent,
    /// Principal, entitlement or account no longer exist under the pinned ids. The text says which.
    Gone(String),
}

/// How a write to AWS ended, as far as is known.
#[derive(Debug)]
pub enum Outcome {
    /// AWS says that it is done.
    Succeeded {
        /// Id of the request, for the audit line.
        request_id: Option<String>,
    },
    /// AWS has accepted it and works on it; ask again with [`Aws::progress`].
    InProgress {
        /// Id of the asynchronous operation.
        request_id: String,
    },
    /// AWS says that it has no effect: a definite 4xx, or an asynchronous FAILED.
    Failed(Error),
    /// It may or may not have taken effect, now or later.
    Unknown(Error),
}

/// Leave to send one write: made only by the executor's last check before the send, used up by it.
#[derive(Debug)]
pub struct Cleared {
    operation: Operation,
}

impl Cleared {
    /// Only `controller::executor` calls this, right after it checked deadline and attempt.
    pub(crate) fn for_operation(operation: Operation) -> Self {
        Self { operation }
    }

    /// What may be sent.
    pub fn operation(&self) -> Operation {
        self.operation
    }
}
