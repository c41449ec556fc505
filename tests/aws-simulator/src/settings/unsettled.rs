//! Where AWS does one thing at one time and another at another: copies, tails, other tenants, and what happens by chance.

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::Delay;

/// Readers are answered from several copies, each behind by a time of its own, so that what one read shows the next may not.
///
/// A copy is never older than [`Staleness`](super::Staleness) says, and never goes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Replicas {
    /// How many copies each service has.
    pub count: usize,
    /// For how long a copy stays as far behind as it is; then how far is drawn anew.
    pub lag_lasts: Delay,
}

/// Some take much longer than the others.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Tail {
    /// The chance that one is of those.
    pub chance: f64,
    /// How much longer it takes.
    pub by: Delay,
}

/// Others who use the same quotas: consoles, directory synchronisation, infrastructure as code.
///
/// What they take is drawn anew from time to time, between nothing and this.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Tenants {
    /// Of the calls per second and of the burst, the largest share: 0.9 leaves a tenth.
    pub rate_share: f64,
    /// Of the assignment operations that may be under way at once, the largest number.
    pub in_flight: usize,
    /// For how long they take the same.
    pub lasts: Delay,
}

/// What happens to one call or operation and not to the next, each with its chance from 0 to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Chances {
    /// A Create or `DeleteAccountAssignment` ends FAILED for a reason seen in the wild, and changes nothing.
    pub assignment_fails: f64,
    /// A Create or `DeleteAccountAssignment` gets `ConflictException` while as many are under way as may be; with fewer the chance
    /// is as much smaller.
    pub conflict_under_load: f64,
    /// A Create- or `DeleteGroupMembership` gets `ConflictException` with the reason `CONCURRENT_MODIFICATION`.
    pub membership_conflict: f64,
    /// A Tag- or `UntagUser` gets `ConcurrentModification`.
    pub tag_conflict: f64,
    /// A page token is refused if access has changed since it was given.
    pub token_refused: f64,
}

/// What is down. Each is a switch of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Outages {
    /// The primary Region of IAM Identity Center: no administration and no identity store, while IAM works (IAM Identity Center guide,
    /// `resiliency-regional-behavior`).
    pub identity_center: bool,
    /// The control plane of IAM, which is in one Region of each partition (AWS whitepaper Fault Isolation Boundaries, appendix A).
    pub iam: IamOutage,
    /// The chance that a call to Identity Center or IAM is throttled, whatever the rate.
    pub throttling: f64,
}

/// How much of IAM is down.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum IamOutage {
    /// Nothing.
    #[default]
    None,
    /// Whatever changes anything.
    Writes,
    /// Reading too.
    WritesAndReads,
}

impl Tail {
    pub(crate) const NONE: Self = Self {
        chance: 0.0,
        by: Delay::exactly(SignedDuration::ZERO),
    };
}
