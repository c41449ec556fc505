//! What people are told about a grant: state, conditions, one sentence that says what is and what to do.
//!
//! The conditions follow kstatus, so that `kubectl wait`, Flux and Argo CD understand them without
//! our help: done is Ready, working is Reconciling, waiting for a person is Stalled.

use jiff::Timestamp;

use super::grant::{Standing, gone, is_over};
use super::grant_verdict::{Facts, Progress, Verdict, at_rest, stalled_access, trouble, verdict};
use super::policy::Ruling;
use crate::api::access::{AccessState, BreakglassAccess, BreakglassAccessSpec, EndedClaim, Origin};
use crate::api::conditions::{self, Condition};
use crate::api::grant::{BreakglassGrantStatus, GrantState};
use crate::api::time::whole_seconds;
use crate::api::tuple::Tuple;
use crate::aws::LONGEST_SESSION_SECONDS;
use crate::clock::after;

/// The status of a grant.
pub fn status(facts: &Facts<'_>) -> BreakglassGrantStatus {
    let view = facts.view;
    let old = &view.status;
    let verdict = verdict(facts);
    let is_over = matches!(verdict.state, GrantState::Expired | GrantState::Revoked);
    let ended = match facts.standing {
        Standing::Ended(_, ended) if is_over => Some(whole_seconds(ended.time)),
        // A revocation is final even if nothing was ever given.
        Standing::Unclaimed if verdict.state == GrantState::Revoked => {
            Some(whole_seconds(old.ended_time.unwrap_or(facts.now)))
        }
        _ => None,
    };
    let was_given = match facts.standing {
        Standing::Claimed(_, claim) => claim.granted_time,
        Standing::Ended(_, ended) => ended.granted_time,
        Standing::Unclaimed => None,
    };
    let granted_time = old.granted_time.map(whole_seconds).or(was_given);
    let access = match facts.standing {
        Standing::Claimed(access, _) | Standing::Ended(access, _) => Some(access),
        Standing::Unclaimed => None,
    };
    let revoked_time = match facts.standing {
        Standing::Ended(access, ended) if is_over => {
            let since = gone_since(&access.spec, ended);
            let given = ended.attempted || granted_time.is_some();
            given.then(|| since.or(old.revoked_time).unwrap_or(facts.now))
        }
        // No ledger entry remembers.
        Standing::Unclaimed if is_over => old.revoked_time,
        _ => None,
    }
    .map(whole_seconds);
    let policy = match (facts.standing, facts.ruling) {
        (Standing::Claimed(_, claim), _) => Some(claim.policy.name.clone()),
        (Standing::Ended(_, ended), _) => Some(ended.policy.name.clone()),
        (Standing::Unclaimed, Some(Ruling::Allowed(allowance))) => {
            Some(allowance.policy.name.clone())
        }
        (Standing::Unclaimed, Some(Ruling::Denied { .. })) => None,
        (Standing::Unclaimed, None) => old.policy.clone(),
    };
    let next_attempt_time = match verdict.progress {
        Progress::Done => None,
        _ => facts
            .obstacle
            .and_then(|obstacle| obstacle.retry)
            .or(access.and_then(|access| access.status.as_ref()?.next_attempt_time))
            .map(whole_seconds),
    };
    BreakglassGrantStatus {
        state: verdict.state,
        target_summary: view
            .asked
            .as_ref()
            .ok()
            .map(|asked| asked.target.to_string())
            .or(old.target_summary.clone()),
        policy,
        observed_generation: Some(view.generation),
        conditions: conditions::merge(&old.conditions, conditions(facts, &verdict)),
        access_name: access
            .and_then(|access| access.metadata.name.clone())
            .or(old.access_name.clone()),
        granted_time,
        revoked_time,
        ended_time: ended.or(old.ended_time.map(whole_seconds)),
        sessions_end_by_time: sessions_end_by(facts, revoked_time),
        last_handled_request: view
            .requested_at
            .clone()
            .filter(|_| !facts.request_waits)
            .or(old.last_handled_request.clone()),
        next_attempt_time,
    }
}

/// Since when nothing of what was given for that claim is there, or somebody else's right to it goes on.
/// While the ledger is not closed AWS may show it once more, after an old copy did not: then this is
/// later than was told.
fn gone_since(ledger: &BreakglassAccessSpec, ended: &EndedClaim) -> Option<Timestamp> {
    let seen = ledger
        .first_absent_time
        .filter(|first| ledger.state == AccessState::Settling && ended.time <= *first);
    ended.gone_time.or(seen)
}

fn conditions(facts: &Facts<'_>, verdict: &Verdict) -> Vec<Condition> {
    let condition = |kind: &str, holds: bool, reason: &str, message: &str| Condition {
        kind: kind.to_owned(),
        status: holds.into(),
        reason: reason.to_owned(),
        message: message.to_owned(),
        last_transition_time: whole_seconds(facts.now),
        observed_generation: Some(facts.view.generation),
    };
    let all = |kind, holds| condition(kind, holds, &verdict.reason, &verdict.message);
    let mut list = vec![
        all(conditions::READY, verdict.progress == Progress::Done),
        granted(facts, &condition),
    ];
    if matches!(
        verdict.progress,
        Progress::Working | Progress::WorkingAndStalled
    ) {
        list.push(all(conditions::RECONCILING, true));
    }
    if verdict.progress == Progress::Stalled {
        list.push(all(conditions::STALLED, true));
    }
    if let (Progress::WorkingAndStalled, Standing::Claimed(access, _) | Standing::Ended(access, _)) =
        (verdict.progress, facts.standing)
        && let Some(stalled) = stalled_access(access)
    {
        list.push(condition(
            conditions::STALLED,
            true,
            &stalled.reason,
            &stalled.message,
        ));
    }
    if let Some((access, since)) = overdue(facts) {
        let message = format!("The access should be gone since {since}{}", trouble(access));
        list.push(condition(
            conditions::REVOKE_OVERDUE,
            true,
            "StillPresent",
            &message,
        ));
    }
    if let Standing::Claimed(access, _) = facts.standing
        && access.spec.origin == Some(Origin::PreExisting)
    {
        let message = "The access stood before this grant and will not be removed with it.";
        list.push(condition(
            conditions::ALREADY_PRESENT,
            true,
            "StoodBefore",
            message,
        ));
    }
    list
}

/// The access that is still there long after its end, and when that was. What was told does not count.
fn overdue<'a>(facts: &Facts<'a>) -> Option<(&'a BreakglassAccess, Timestamp)> {
    let (access, end, over) = match facts.standing {
        Standing::Claimed(access, claim) => {
            let end = claim.expiry_time;
            (access, end, gone(&access.spec, end, facts.now))
        }
        Standing::Ended(access, ended) => {
            (access, ended.time, is_over(&access.spec, ended, facts.now))
        }
        Standing::Unclaimed => return None,
    };
    (!over && facts.now >= after(end, facts.settings.overdue)).then_some((access, end))
}

/// What was last observed in AWS, as far as this grant is concerned.
fn granted(
    facts: &Facts<'_>,
    condition: &dyn Fn(&str, bool, &str, &str) -> Condition,
) -> Condition {
    let (holds, reason, message) = match facts.standing {
        Standing::Claimed(_, claim) if claim.active_time.is_some() => {
            (true, "Present", "AWS shows the access.")
        }
        Standing::Ended(access, ended)
            if ended.active_time.is_some() && !at_rest(facts, access, ended) =>
        {
            (true, "Present", "AWS still shows the access.")
        }
        Standing::Ended(..) => (false, "Ended", "The grant has ended."),
        _ => (false, "NotGiven", "The access has not been given."),
    };
    condition(conditions::GRANTED, holds, reason, message)
}

const HOUR: i64 = 3_600;

/// When the last session that this grant made possible ends at the latest. Taking access away ends no
/// session that runs (Identity Center user guide, "Authentication sessions"). None where none was.
fn sessions_end_by(facts: &Facts<'_>, revoked: Option<Timestamp>) -> Option<String> {
    let old = &facts.view.status;
    let (ledger, end, longest) = match facts.standing {
        // No ledger entry remembers; nobody but who has ended had anything.
        Standing::Unclaimed => {
            return old
                .sessions_end_by_time
                .clone()
                .filter(|_| old.ended_time.is_some());
        }
        // What stood before was not made possible by this grant, and stays.
        Standing::Claimed(access, claim)
            if access.spec.origin != Some(Origin::Created) || facts.now < claim.start_time =>
        {
            return None;
        }
        Standing::Ended(_, ended) if !ended.attempted => return None,
        // They may begin until the access is seen to be gone, and nobody knows when that will be.
        _ if overdue(facts).is_some() => return Some("unknown".to_owned()),
        Standing::Claimed(access, claim) => {
            let ledger = &access.spec;
            (ledger, claim.expiry_time, ledger.longest_session_seconds)
        }
        Standing::Ended(access, ended) => {
            let longest = match ended.gone_time {
                Some(_) => ended.longest_session_seconds,
                None => access.spec.longest_session_seconds,
            };
            let last = ended.time.max(revoked.unwrap_or(ended.time));
            (&access.spec, last, longest)
        }
    };
    let longest = longest.unwrap_or(LONGEST_SESSION_SECONDS);
    let beyond = match ledger.tuple {
        // A session of the permission set may be chained into one more role, for an hour at most
        // (IAM user guide, "Methods to assume a role": role chaining).
        Tuple::AccountAssignment(_) => longest.saturating_add(HOUR),
        // AWS applies a change of membership within the hour.
        Tuple::IdentityCenterGroup(_) => longest.saturating_add(2 * HOUR),
        // The user's own keys lose the rights at once; roles already assumed run on.
        Tuple::IamGroup(_) => longest,
    };
    let beyond = std::time::Duration::from_secs(beyond.max(0).unsigned_abs());
    Some(whole_seconds(after(end, beyond)).to_string())
}
