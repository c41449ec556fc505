//! What is shown of an access: what AWS was last seen to say, and what stands in the way.

use jiff::Timestamp;

use super::memory::Remembered;
use crate::api::access::{
    AccessState, BreakglassAccess, BreakglassAccessStatus, Observed, Presence,
};
use crate::api::conditions::{self, Condition, LONGEST_MESSAGE};
use crate::api::time::whole_seconds;
use crate::aws::Seen;
use crate::aws::error::Class;
use crate::clock::after;
use crate::config::Settings;
use crate::decide::grant::gone;
use crate::decide::ledger::{due_claims, revoke_due};
use crate::digest::shortened;

/// The status of an access.
pub fn status(
    access: &BreakglassAccess,
    remembered: &Remembered,
    now: Timestamp,
    settings: &Settings,
) -> BreakglassAccessStatus {
    let old = access.status.clone().unwrap_or_default();
    let observed = match &remembered.reading {
        None => old.observed.clone(),
        Some((begun, seen)) => {
            let presence = match seen {
                Seen::Present { .. } => Presence::Present,
                Seen::Absent => Presence::Absent,
                Seen::Gone(_) => Presence::Gone,
            };
            let since_time = match &old.observed {
                Some(before) if before.presence == presence => before.since_time,
                _ => whole_seconds(*begun),
            };
            Some(Observed {
                presence,
                since_time,
            })
        }
    };
    let failing = remembered.trouble.is_some();
    let next_attempt_time = remembered
        .hold
        .as_ref()
        .filter(|hold| failing && hold.until_time > now)
        .map(|hold| whole_seconds(hold.until_time));
    BreakglassAccessStatus {
        observed,
        grants: access
            .spec
            .claims
            .iter()
            .map(|claim| format!("{}/{}", claim.grant.namespace, claim.grant.name))
            .collect(),
        pending_request_id: remembered.pending_request_id.clone(),
        tries: remembered.tries,
        last_error: remembered
            .trouble
            .as_ref()
            .map(|trouble| shortened(&trouble.message, LONGEST_MESSAGE)),
        next_attempt_time,
        conditions: conditions::merge(&old.conditions, all(access, remembered, now, settings)),
    }
}

fn all(
    access: &BreakglassAccess,
    remembered: &Remembered,
    now: Timestamp,
    settings: &Settings,
) -> Vec<Condition> {
    let condition = |kind: &str, reason: &str, message: &str| Condition {
        kind: kind.to_owned(),
        status: true.into(),
        reason: reason.to_owned(),
        message: message.to_owned(),
        last_transition_time: whole_seconds(now),
        observed_generation: access.metadata.generation,
    };
    let mut list = Vec::new();
    if let Some(trouble) = &remembered.trouble {
        if trouble.stalled {
            list.push(condition(
                conditions::STALLED,
                trouble.reason,
                &trouble.message,
            ));
        }
        if trouble.class == Some(Class::Blocked) {
            list.push(condition(
                conditions::BLOCKED,
                trouble.reason,
                &trouble.message,
            ));
        }
    }
    if let Some(since) = overdue_since(access, now, settings) {
        let message =
            format!("The access should be gone since {since}, and AWS has not shown it absent");
        list.push(condition(
            conditions::REVOKE_OVERDUE,
            "StillPresent",
            &message,
        ));
    }
    list
}

/// Since when access is overdue to be gone, if it is.
fn overdue_since(
    access: &BreakglassAccess,
    now: Timestamp,
    settings: &Settings,
) -> Option<Timestamp> {
    let ledger = &access.spec;
    if ledger.state == AccessState::Closed || due_claims(ledger, now).next().is_some() {
        return None;
    }
    let due = revoke_due(ledger, now)?;
    if gone(ledger, due, now) {
        return None;
    }
    (now >= after(due, settings.overdue)).then_some(due)
}
