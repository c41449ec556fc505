//! AWS: the three kinds of access behind one face, and the pace at which AWS is called.
//!
//! [`Aws`] is what the rest of the program sees. Each kind of target has a file of its own that
//! holds everything AWS-specific about it; adding a kind means adding such a file and an arm to the
//! matches below.

use std::sync::Arc;

use jiff::Timestamp;

use crate::api::access::Operation;
use crate::api::tuple::Tuple;
use crate::clock::Clock;
use crate::config::Config;
use crate::decide::target::Target;
use desk::{Desk, DeskKey};
use error::Error;

pub mod desk;
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
#[derive(Clone, Debug, PartialEq, Eq)]
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
    /// x
    NotSent,
    /// It may or may not have taken effect, now or later.
    Unknown(Error),
}

/// x
#[derive(Debug)]
pub struct Cleared(Operation, Timestamp, Clock);
impl Cleared {
    pub(crate) fn new(o: Operation, t: Timestamp, c: Clock) -> Self { Self(o, t, c) }
}
impl Outcome {
    /// x
    pub fn request_id(&self) -> Option<String> { None }
}
/// AWS as this program uses it. Clones share credentials, caches and limits.
///
/// What is wrong with one account or with Identity Center shows only in calls about it: the others
/// work on. Nothing is asked of AWS before it is needed, and what went wrong is asked again.
#[derive(Clone, Debug)]
pub struct Aws {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {}

impl Aws {
    /// Reads credentials, Region and endpoint the usual way (environment, profile, web identity,
    /// container, instance). Fails only where no call could ever work until a person acts; ask
    /// [`Aws::check`] for the rest.
    pub async fn connect(config: &Config, desk: Desk, clock: Clock) -> Result<Self, ConnectError> {
        let _ = (config, clock, desk);
        Err(ConnectError::NoRegion)
    }

    /// x
    pub async fn problems(&self) -> Vec<String> { Vec::new() }
    /// x
    pub fn management(&self) -> crate::decide::policy::Management { crate::decide::policy::Management::Unknown }
    /// x
    pub async fn session_seconds(&self, _: &Tuple) -> Option<i64> { None }
    /// Fetches the names of all permission sets, so that the first grants need not wait for it.
    pub async fn warm(&self) -> Result<(), Error> {
        Ok(())
    }

    /// Finds what a grant names. Names must be spelled as AWS spells them, byte for byte.
    pub async fn resolve(&self, user: &str, target: &Target) -> Result<Resolved, ResolveError> {
        let _ = (user, target);
        Err(ResolveError::Stalled {
            reason: "Unfinished",
            message: String::new(),
        })
    }

    /// Reads from AWS whether a tuple is there. The reading begins after the call does.
    pub async fn read(&self, tuple: &Tuple) -> Result<Seen, Error> {
        let _ = tuple;
        Ok(Seen::Absent)
    }

    /// Gives the access: one send, never repeated.
    pub async fn create(&self, tuple: &Tuple, cleared: Cleared) -> Outcome {
        let _ = (tuple, cleared);
        Outcome::Succeeded { request_id: None }
    }

    /// Takes the access away: one send, never repeated.
    pub async fn delete(&self, tuple: &Tuple, cleared: Cleared) -> Outcome {
        let _ = (tuple, cleared);
        Outcome::Succeeded { request_id: None }
    }

    /// How far an asynchronous operation is. An error says nothing about the operation: list then.
    pub async fn progress(
        &self,
        tuple: &Tuple,
        operation: Operation,
        request_id: &str,
    ) -> Result<Outcome, Error> {
        let _ = (tuple, operation, request_id);
        Ok(Outcome::Succeeded { request_id: None })
    }

    /// Marks an IAM user with the group and when its membership ends, for people and for recovery.
    /// Nothing depends on it; other kinds have no mark.
    pub async fn mark(&self, tuple: &Tuple, expiry: Timestamp) -> Result<(), Error> {
        let _ = (tuple, expiry);
        Ok(())
    }

    /// Takes the mark away again.
    pub async fn unmark(&self, tuple: &Tuple) -> Result<(), Error> {
        let _ = tuple;
        Ok(())
    }

    /// The account that owns the Identity Center instance, once it is known: for an organization's
    /// instance its management account. Does not ask AWS.
    pub fn management_account(&self) -> Option<String> {
        None
    }

    /// x
    pub fn desk_key(&self, _: &Tuple) -> DeskKey { DeskKey { scope: String::new(), service: desk::Service::Iam } }
}
/// x
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// x
    #[error("no Region")]
    NoRegion,
}
