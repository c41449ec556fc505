//! How a grant stands, in one word, one reason and one sentence. The first situation that fits wins.

use jiff::Timestamp;

use super::grant::{Standing, is_over};
use super::grant_view::GrantView;
use super::ledger::due;
use super::policy::Ruling;
use crate::api::access::{BreakglassAccess, Claim, EndReason, EndedClaim, Origin};
use crate::api::conditions::{self, Condition};
use crate::api::grant::GrantState;
use crate::api::time::whole_seconds;
use crate::api::tuple::Tuple;
use crate::config::Settings;

/// What stands in the way of a claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Obstacle {
    /// CamelCase reason for the condition.
    pub reason: String,
    /// What is wrong and what to do.
    pub message: String,
    /// Whether only a person can mend it. If not, it is tried again.
    pub stalled: bool,
    /// When it is tried again.
    pub retry: Option<Timestamp>,
}

/// Everything that a grant's verdict and status are made from.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// The grant.
    pub view: &'a GrantView,
    /// Where it stands in the ledger.
    pub standing: Standing<'a>,
    /// What the policies said.
    pub ruling: Option<&'a Ruling>,
    /// What stands in the way of a claim.
    pub obstacle: Option<&'a Obstacle>,
    /// Whether the controller only watches, and gives nothing.
    pub observe: bool,
    /// Whether a person asked for another look that has not been made yet.
    pub request_waits: bool,
    /// The time of day.
    pub now: Timestamp,
    /// Times of the protocol.
    pub settings: &'a Settings,
}

/// How a grant stands, before it is put into conditions.
pub(super) struct Verdict {
    pub(super) state: GrantState,
    pub(super) progress: Progress,
    pub(super) reason: String,
    pub(super) message: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    /// As it should be, or over.
    Done,
    /// The controller works on it.
    Working,
    /// The controller works on it, and a person must act as well.
    WorkingAndStalled,
    /// Only a person can go on.
    Stalled,
}

impl Verdict {
    fn new(
        state: GrantState,
        progress: Progress,
        reason: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        Self {
            state,
            progress,
            reason: reason.into(),
            message: message.into(),
        }
    }
}

pub(super) fn verdict(facts: &Facts<'_>) -> Verdict {
    match facts.standing {
        Standing::Ended(access, ended) => over_or_revoking(facts, access, ended),
        Standing::Claimed(access, claim) => claimed(facts, access, claim),
        Standing::Unclaimed => unclaimed(facts),
    }
}

fn over_or_revoking(facts: &Facts<'_>, access: &BreakglassAccess, ended: &EndedClaim) -> Verdict {
    let (reason, why) = reason_of(ended.reason);
    if !at_rest(facts, access, ended) {
        let message = format!("{why}; the access is being taken away{}", trouble(access));
        return revoking(access, reason, message);
    }
    let state = if ended.reason == EndReason::Expired {
        GrantState::Expired
    } else {
        GrantState::Revoked
    };
    if let Some((reason, message)) = asks_for_more(facts, ended) {
        return Verdict::new(state, Progress::Stalled, reason, message);
    }
    let left = what_is_left(facts, access, ended);
    Verdict::new(state, Progress::Done, reason, format!("{why}; {left}."))
}

fn what_is_left(facts: &Facts<'_>, access: &BreakglassAccess, ended: &EndedClaim) -> &'static str {
    let (ledger, now) = (&access.spec, facts.now);
    let was_seen = ended
        .granted_time
        .or(facts.view.status.granted_time)
        .is_some();
    match (ended.attempted, was_seen) {
        (true, _) if !is_over(ledger, ended, now) => {
            "AWS shows the access once more, and it is being taken away"
        }
        _ if ended.reason == EndReason::RemovedExternally => "the access is not there",
        (false, true) => "the access stood before this grant and was left as it was",
        (false, false) => "the access was never given",
        _ if !ended.settled && (ended.gone_time.is_some() || due_by_another(access, now)) => {
            "another grant went on with the access"
        }
        (true, true) => "the access is gone",
        (true, false) => "the access was never seen in AWS, and is not there",
    }
}

/// Whether nothing of an ended grant is left, or that was told: what is told to be over stays over.
pub(super) fn at_rest(facts: &Facts<'_>, access: &BreakglassAccess, ended: &EndedClaim) -> bool {
    facts.view.status.ended_time == Some(whole_seconds(ended.time))
        || is_over(&access.spec, ended, facts.now)
}

fn due_by_another(access: &BreakglassAccess, now: Timestamp) -> bool {
    access.spec.claims.iter().any(|claim| due(claim, now))
}

fn revoking(access: &BreakglassAccess, reason: &str, message: String) -> Verdict {
    let stalled = stalled_access(access).is_some();
    let progress = if stalled {
        Progress::WorkingAndStalled
    } else {
        Progress::Working
    };
    Verdict::new(GrantState::Revoking, progress, reason, message)
}

/// An edit after the end has no effect, and somebody should know.
fn asks_for_more(facts: &Facts<'_>, ended: &EndedClaim) -> Option<(&'static str, String)> {
    let asked = facts.view.asked.as_ref().ok()?;
    if asked.expiry <= facts.now || facts.view.revoked.is_some() {
        return None;
    }
    let new_name = "a grant that has ended stays ended: use a new name";
    match ended.reason {
        EndReason::TargetChanged => Some((
            "TargetChanged",
            format!("user, target or start were changed after access was claimed; {new_name}."),
        )),
        EndReason::Expired | EndReason::RevokedByRequest => Some((
            "EditedAfterEnd",
            format!("it was edited after its end and asks for access again; {new_name}."),
        )),
        _ if asked.hash() != ended.spec_hash || asked.expiry > ended.expiry_time => Some((
            "EditedAfterEnd",
            format!("it was edited after its end and asks for access again; {new_name}."),
        )),
        _ => None,
    }
}

fn claimed(facts: &Facts<'_>, access: &BreakglassAccess, claim: &Claim) -> Verdict {
    let view = facts.view;
    let until = claim.expiry_time;
    let ends = if view.deleting {
        Some(EndReason::Deleted)
    } else if view.revoked.is_some() {
        Some(EndReason::RevokedByRequest)
    } else if view
        .asked
        .as_ref()
        .is_ok_and(|asked| asked.hash() != claim.spec_hash)
    {
        Some(EndReason::TargetChanged)
    } else if facts.now >= until {
        Some(EndReason::Expired)
    } else {
        None
    };
    if let Some(ends) = ends {
        let (reason, why) = reason_of(ends);
        return revoking(
            access,
            reason,
            format!("{why}; the access is being taken away{}", trouble(access)),
        );
    }
    let active = claim.active_time.is_some();
    if let Some(stalled) = stalled_access(access) {
        let state = if active {
            GrantState::Active
        } else {
            GrantState::Pending
        };
        return Verdict::new(
            state,
            Progress::Stalled,
            stalled.reason.clone(),
            stalled.message.clone(),
        );
    }
    if let Err(why) = &view.asked {
        let state = if active {
            GrantState::Active
        } else {
            GrantState::Pending
        };
        let message = format!(
            "{why}. The access ends at {until} all the same; mend the spec or revoke the grant"
        );
        return Verdict::new(state, Progress::Stalled, "InvalidSpec", message);
    }
    let what = format!("{} {}", access.spec.user, access.spec.target_summary);
    if active {
        let mut message = format!(
            "{} has {} until {until}, admitted by policy {}.",
            access.spec.user, access.spec.target_summary, claim.policy.name
        );
        if access.spec.origin == Some(Origin::PreExisting) {
            message
                .push_str(" The access stood before this grant and will not be removed with it.");
        }
        if matches!(access.spec.tuple, Tuple::IdentityCenterGroup(_)) {
            message.push_str(
                " AWS applies group membership within the hour: sign-in may take up to 1 h.",
            );
        }
        if let Some(Ruling::Denied { message: why, .. }) = facts.ruling {
            message.push_str(" The later expiryTime is not admitted, so the old end stands: ");
            message.push_str(why);
            message.push('.');
        }
        return Verdict::new(GrantState::Active, Progress::Done, "Active", message);
    }
    if facts.now < claim.start_time {
        let message = format!("{what}: claimed, and starts at {}.", claim.start_time);
        return Verdict::new(GrantState::Scheduled, Progress::Done, "Scheduled", message);
    }
    let message = format!(
        "{what}: AWS is being asked to give the access{}",
        trouble(access)
    );
    Verdict::new(GrantState::Granting, Progress::Working, "Granting", message)
}

fn unclaimed(facts: &Facts<'_>) -> Verdict {
    let view = facts.view;
    if let Some(why) = &view.revoked {
        let message = format!("Revoked before access was given ({why}).");
        return Verdict::new(
            GrantState::Revoked,
            Progress::Done,
            "RevokedByRequest",
            message,
        );
    }
    if view.status.ended_time.is_some() {
        return ended_before(facts);
    }
    let asked = match &view.asked {
        Ok(asked) => asked,
        Err(why) => {
            return Verdict::new(
                GrantState::Pending,
                Progress::Stalled,
                "InvalidSpec",
                format!("{why}."),
            );
        }
    };
    if facts.now >= asked.expiry
        && let Some(granted) = view.status.granted_time
    {
        let message = format!(
            "AWS gave the access at {granted}, and no ledger entry knows of it any more: look in AWS whether it is still there."
        );
        return Verdict::new(
            GrantState::Expired,
            Progress::Stalled,
            "LedgerLost",
            message,
        );
    }
    if facts.now >= asked.expiry {
        let message = "expiryTime was past before access was given. Correct it to ask again.";
        return Verdict::new(GrantState::Expired, Progress::Done, "Expired", message);
    }
    if let Some(Ruling::Denied { reason, message }) = facts.ruling {
        return Verdict::new(
            GrantState::Denied,
            Progress::Stalled,
            *reason,
            format!("{message}."),
        );
    }
    if let Some(obstacle) = facts.obstacle {
        let progress = if obstacle.stalled {
            Progress::Stalled
        } else {
            Progress::Working
        };
        return Verdict::new(
            GrantState::Pending,
            progress,
            obstacle.reason.clone(),
            obstacle.message.clone(),
        );
    }
    let policy = match facts.ruling {
        Some(Ruling::Allowed(allowance)) => allowance.policy.name.as_str(),
        _ => "",
    };
    match asked.start {
        Some(start) if facts.now < start => {
            let message = format!(
                "Starts at {start}; policy {policy} would admit it now and is asked again then."
            );
            Verdict::new(GrantState::Scheduled, Progress::Done, "Scheduled", message)
        }
        _ if facts.observe => {
            let message = format!(
                "The controller only observes: policy {policy} admits the grant, but nothing is given."
            );
            Verdict::new(
                GrantState::Pending,
                Progress::Working,
                "ObserveOnly",
                message,
            )
        }
        _ => Verdict::new(
            GrantState::Pending,
            Progress::Working,
            "Claiming",
            "Admitted; the ledger entry is being made.",
        ),
    }
}

/// The status says that it ended, and no ledger entry remembers. An end is final.
fn ended_before(facts: &Facts<'_>) -> Verdict {
    // What can't be read asks for nothing.
    let past = facts
        .view
        .asked
        .as_ref()
        .map_or(true, |asked| facts.now >= asked.expiry);
    let state = match facts.view.status.state {
        state @ (GrantState::Expired | GrantState::Revoked) => state,
        _ if past => GrantState::Expired,
        _ => GrantState::Revoked,
    };
    if past || state == GrantState::Revoked {
        return Verdict::new(state, Progress::Done, "Ended", "The grant has ended.");
    }
    let message = "it was edited after its end and asks for access again; a grant that has ended stays ended: use a new name.";
    Verdict::new(state, Progress::Stalled, "EditedAfterEnd", message)
}

fn reason_of(reason: EndReason) -> (&'static str, &'static str) {
    match reason {
        EndReason::Expired => ("Expired", "The time is over"),
        EndReason::RevokedByRequest => ("RevokedByRequest", "The grant was revoked"),
        EndReason::Deleted => ("Deleted", "The grant was deleted"),
        EndReason::TargetChanged => (
            "TargetChanged",
            "User, target or start were changed after access was claimed",
        ),
        EndReason::DeniedByPolicy => ("DeniedByPolicy", "A Deny policy ended the grant"),
        EndReason::RemovedExternally => (
            "RemovedExternally",
            "Somebody removed the access in AWS, and no policy has it given again",
        ),
        EndReason::EndedBefore => ("Ended", "The grant had ended before"),
    }
}

/// What AWS last answered, to be put behind a sentence, with its full stop.
pub(super) fn trouble(access: &BreakglassAccess) -> String {
    match access
        .status
        .as_ref()
        .and_then(|status| Some((status.last_error.as_ref()?, status.tries)))
    {
        Some((error, tries)) => format!(". Try {tries} failed: {error}"),
        None => ".".to_owned(),
    }
}

pub(super) fn stalled_access(access: &BreakglassAccess) -> Option<&Condition> {
    let conditions = &access.status.as_ref()?.conditions;
    conditions::find(conditions, conditions::STALLED).filter(|c| c.status == true.into())
}
