//! What can go wrong when AWS is called, and what follows from it: the one place for both.

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

/// A failed AWS call.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error("{operation}: {message}")]
pub struct Error {
    /// What was called, such as `sso:CreateAccountAssignment`.
    pub operation: &'static str,
    /// What follows from it.
    pub class: Class,
    /// AWS's own code, such as `ThrottlingException`.
    pub code: Option<String>,
    /// What AWS said, or why there was no answer.
    pub message: String,
    /// Id of the request, for AWS support.
    pub request_id: Option<String>,
}
