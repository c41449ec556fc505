//! What can be set while the simulator runs.

mod unsettled;

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use crate::wire::Service;
pub use unsettled::{Chances, IamOutage, Outages, Replicas, Tail, Tenants};

/// How this AWS behaves where AWS leaves room: speeds, limits, and what its documents do not settle.
///
/// Durations are written as `2s`, `1h 30m` or `PT2S`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Settings {
    /// From a Create or `DeleteAccountAssignment` to its SUCCEEDED or FAILED.
    pub assignment_delay: Delay,
    /// Some of these take longer.
    pub assignment_tail: Tail,
    /// How much later than the status the effect appears; negative for earlier.
    pub effect_shift: Delay,
    /// What `DeleteAccountAssignment` answers for an assignment that is not there (AWS documents none of them).
    pub absent_delete: AbsentDelete,
    /// What `DeleteGroupMembership` answers for a membership that is not there (AWS calls it idempotent and lists
    /// `ResourceNotFoundException`).
    pub absent_membership: AbsentMembership,
    /// How `CreateAccountAssignment` refuses a principal that is not in the directory.
    pub unknown_principal: Refusal,
    /// How `DeleteAccountAssignment` ends when the principal has left the directory.
    pub orphan_delete: OrphanDelete,
    /// After this the assignments of a deleted principal vanish by themselves; absent: never.
    pub orphans_vanish_after: Option<SignedDuration>,
    /// After this an assignment request id is forgotten; absent: when a thousand are newer (AWS documents no time).
    pub request_retention: Option<SignedDuration>,
    /// Assignment operations that may be under way at once (IAM Identity Center quotas: 15, in older texts 10).
    pub assignments_in_flight: usize,
    /// Calls per second, all of sso-admin together (IAM Identity Center quotas: 20). Absent: no limit.
    pub sso_admin_rate: Option<Rate>,
    /// Calls per second, all of identitystore together (IAM Identity Center quotas: 20). Absent: no limit.
    pub identity_store_rate: Option<Rate>,
    /// Calls per second and account for IAM, whose limit AWS does not publish. Absent: no limit.
    pub iam_rate: Option<Rate>,
    /// Others who use the same quotas; absent: nobody.
    pub tenants: Option<Tenants>,
    /// What happens by chance.
    pub chances: Chances,
    /// What is down.
    pub outages: Outages,
    /// Most rows on a page, whatever the caller asks for.
    pub page_size: usize,
    /// Pages hold a random number of rows, sometimes none, with more to come.
    pub short_pages: bool,
    /// Whether `GetUserId` and `GetGroupId` ignore case (AWS does not say).
    pub names_ignore_case: bool,
    /// Whether `ListAccountAssignmentsForPrincipal` for a user also gives what it has through groups (AWS does not say).
    pub rows_through_groups: bool,
    /// What a delegated administrator is refused.
    pub delegate: DelegateRules,
    /// How old the copy is that reads are answered from; with [`replicas`](Self::replicas) the oldest.
    pub staleness: Staleness,
    /// Reads are answered from one of several copies; absent: there is one, exactly as old as said.
    pub replicas: Option<Replicas>,
    /// What every call takes before anything happens.
    pub latency: Delay,
    /// How far the `Date` header is ahead of the simulator's clock.
    pub clock_skew: SignedDuration,
}

impl Default for Settings {
    fn default() -> Self {
        let twenty = Some(Rate {
            per_second: 20.0,
            burst: 20.0,
        });
        Self {
            assignment_delay: Delay::exactly(SignedDuration::from_secs(2)),
            assignment_tail: Tail::NONE,
            effect_shift: Delay::NONE,
            absent_delete: AbsentDelete::NotFound,
            absent_membership: AbsentMembership::NotFound,
            unknown_principal: Refusal::AtOnce,
            orphan_delete: OrphanDelete::Fails,
            orphans_vanish_after: None,
            request_retention: None,
            assignments_in_flight: 10,
            sso_admin_rate: twenty,
            identity_store_rate: twenty,
            iam_rate: None,
            tenants: None,
            chances: Chances::default(),
            outages: Outages::default(),
            page_size: 100,
            short_pages: false,
            names_ignore_case: true,
            rows_through_groups: true,
            delegate: DelegateRules::default(),
            staleness: Staleness::default(),
            replicas: None,
            latency: Delay::NONE,
            clock_skew: SignedDuration::ZERO,
        }
    }
}

/// A duration drawn anew each time, evenly between two bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "WrittenDelay")]
pub struct Delay {
    /// The shortest.
    pub min: SignedDuration,
    /// The longest.
    pub max: SignedDuration,
}

impl Delay {
    /// None at all.
    pub const NONE: Self = Self::exactly(SignedDuration::ZERO);

    /// Always the same.
    pub const fn exactly(delay: SignedDuration) -> Self {
        Self {
            min: delay,
            max: delay,
        }
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum WrittenDelay {
    Exactly(SignedDuration),
    Between {
        min: SignedDuration,
        max: SignedDuration,
    },
}

impl From<WrittenDelay> for Delay {
    fn from(written: WrittenDelay) -> Self {
        match written {
            WrittenDelay::Exactly(delay) => Self::exactly(delay),
            WrittenDelay::Between { min, max } => Self { min, max },
        }
    }
}

/// A token bucket.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rate {
    /// Calls per second in the long run.
    pub per_second: f64,
    /// Calls at once after a rest.
    pub burst: f64,
}

/// The answer to deleting an assignment that is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum AbsentDelete {
    /// `ResourceNotFoundException` at once.
    NotFound,
    /// `IN_PROGRESS`, then SUCCEEDED.
    Succeeds,
    /// `IN_PROGRESS`, then FAILED.
    Fails,
    /// One of these, drawn anew for each.
    Any,
}

/// The answer to deleting a membership that is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum AbsentMembership {
    /// `ResourceNotFoundException`.
    NotFound,
    /// Success.
    Succeeds,
    /// One of these, drawn anew for each.
    Either,
}

/// When a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Refusal {
    /// By an error in the answer.
    AtOnce,
    /// By a FAILED status later.
    Later,
    /// One of these, drawn anew for each.
    Either,
}

/// The end of deleting the assignment of a principal that has left the directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum OrphanDelete {
    /// FAILED, and the row stays (seen with users removed by directory synchronisation).
    Fails,
    /// FAILED, and the row is gone all the same.
    FailsAndRemoves,
    /// SUCCEEDED.
    Succeeds,
    /// One of these, drawn when the delete is accepted.
    Any,
}

/// What a delegated administrator is refused (IAM Identity Center guide, delegated administration).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct DelegateRules {
    /// Assignments in the management account, and any of a permission set that is also assigned there.
    pub refused_management_account: bool,
    /// `ListAccountAssignmentsForPrincipal`, which AWS documents for the management account only.
    pub refused_listing_by_principal: bool,
}

impl Default for DelegateRules {
    fn default() -> Self {
        Self {
            refused_management_account: true,
            refused_listing_by_principal: true,
        }
    }
}

/// The age of what reads see, by service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Staleness {
    /// Listings of assignments.
    pub sso_admin: SignedDuration,
    /// Memberships.
    pub identity_store: SignedDuration,
    /// Group members and tags.
    pub iam: SignedDuration,
}

impl Settings {
    pub(crate) fn staleness(&self, service: Service) -> SignedDuration {
        match service {
            Service::SsoAdmin => self.staleness.sso_admin,
            Service::IdentityStore => self.staleness.identity_store,
            Service::Iam => self.staleness.iam,
            Service::Sts | Service::Organizations => SignedDuration::ZERO,
        }
    }

    pub(crate) fn rate(&self, service: Service) -> Option<Rate> {
        match service {
            Service::SsoAdmin => self.sso_admin_rate,
            Service::IdentityStore => self.identity_store_rate,
            Service::Iam => self.iam_rate,
            Service::Sts | Service::Organizations => None,
        }
    }
}
