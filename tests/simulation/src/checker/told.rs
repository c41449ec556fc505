//! What people are told in the status of a grant, against what is so.

use std::collections::BTreeMap;

use breakglass::api::access::{BreakglassAccessSpec, EndReason};
use breakglass::api::conditions::{
    self, ConditionStatus, GRANTED, READY, RECONCILING, REVOKE_OVERDUE, STALLED,
};
use breakglass::api::grant::{BreakglassGrantStatus, GrantState};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::grants::{GrantHistory, asked, is_revoked};
use super::{Checker, TURN, is_held, uid_of};

/// What the ledger said of grants, by uid.
#[derive(Debug, Default)]
pub struct Recorded {
    /// Until when each had an active claim.
    active: BTreeMap<String, Timestamp>,
    /// The same, or one that had been active when it ended.
    given: BTreeMap<String, Timestamp>,
    /// Why each ended.
    ended: BTreeMap<String, EndReason>,
}

impl Recorded {
    /// So a ledger entry stands until then.
    pub fn take_in(&mut self, ledger: &BreakglassAccessSpec, until: Timestamp) {
        for claim in &ledger.claims {
            if claim.active_time.is_some() {
                self.active.insert(claim.uid.clone(), until);
                self.given.insert(claim.uid.clone(), until);
            }
        }
        for ended in &ledger.ended {
            if ended.active_time.is_some() {
                self.given.insert(ended.uid.clone(), until);
            }
            self.ended.insert(ended.uid.clone(), ended.reason);
        }
    }
}

fn is(status: &BreakglassGrantStatus, kind: &str) -> bool {
    let found = conditions::find(&status.conditions, kind);
    found.is_some_and(|condition| condition.status == ConditionStatus::True)
}

fn status_of(grant: &Value) -> Option<BreakglassGrantStatus> {
    serde_json::from_value(grant.get("status")?.clone()).ok()
}

/// Whether the status of that grant says that its access should be gone and is not.
pub(super) fn says_overdue(grant: &Value) -> bool {
    status_of(grant).is_some_and(|status| is(&status, REVOKE_OVERDUE))
}

impl Checker {
    /// A controller wrote the status of a grant: who is said now to have access has it by the ledger, or had a moment
    /// ago. What somebody else wrote may stand beside what a controller puts in.
    pub(super) fn ask_what_is_told(
        &mut self,
        before: Option<&Value>,
        grant: &Value,
        now: Timestamp,
    ) {
        let Some(status) = status_of(grant) else {
            return;
        };
        let before = before.and_then(status_of);
        let news = |what: &dyn Fn(&BreakglassGrantStatus) -> bool| {
            what(&status) && !before.as_ref().is_some_and(what)
        };
        // A watch that tells nothing shows what was, until all is listed anew.
        let listed_every = SignedDuration::try_from(self.settings.relist_interval);
        let listed_every = listed_every.unwrap_or_default();
        let uid = uid_of(grant);
        let behind = if now < self.undisturbed_since + listed_every {
            listed_every + TURN
        } else {
            TURN
        };
        // As long as what was known before a backup was put back, or the ledger was lost.
        let seen_by = |at: Timestamp| at.max(self.undisturbed_since) + listed_every + TURN;
        let restored = self.restored.filter(|at| now < seen_by(*at));
        let of_late = |until: &Timestamp| now - behind <= *until || restored.is_some();
        let forgotten = restored.map(|_| &self.forgotten);
        let known = [Some(&self.recorded), forgotten];
        let known = || known.into_iter().flatten();
        let is_active = known().any(|all| all.active.get(uid).is_some_and(of_late));
        let was_given = known().any(|all| all.given.get(uid).is_some_and(of_late));
        if news(&|status| status.state == GrantState::Active) {
            self.ask("status", is_active, || {
                format!("{uid} is called active, and no claim of it is")
            });
        }
        if news(&|status| is(status, GRANTED)) {
            self.ask("status", was_given, || {
                format!("{uid} is called granted, and was never active")
            });
        }
        let denied = status.state == GrantState::Denied;
        self.ask("status", !(denied && is(&status, READY)), || {
            format!("{uid} is denied, and ready")
        });
    }

    /// Every grant is over, and so it says, and why.
    pub(super) fn ask_what_is_told_at_rest(&mut self, grant: &Value) {
        let name = grant.pointer("/metadata/name").and_then(Value::as_str);
        let name = name.unwrap_or_default();
        let held = grant.pointer("/metadata/deletionTimestamp").is_some() && is_held(grant);
        self.ask("L1", !held, || {
            format!("{name} is deleted, has ended, and is held all the same")
        });
        let Some(status) = status_of(grant) else {
            return self.violated("L1", format!("the status of {name} can't be read"));
        };
        let history = self.written.grants.get(uid_of(grant));
        let wrong = history.and_then(|history| self.untrue(grant, history, &status));
        self.ask("status", wrong.is_none(), || {
            let wrong = wrong.unwrap_or_default();
            format!("{name} has ended, and {wrong}: {status:?}")
        });
    }

    /// What is not so of what an ended grant says.
    fn untrue(
        &self,
        grant: &Value,
        history: &GrantHistory,
        status: &BreakglassGrantStatus,
    ) -> Option<&'static str> {
        let uid = uid_of(grant);
        let reason = self.recorded.ended.get(uid);
        let state = status.state;
        let over = matches!(state, GrantState::Expired | GrantState::Revoked);
        let was_to_end = history.was_ever_to_end();
        let unreadable = asked(grant).is_none();
        if is(status, GRANTED) {
            return Some("says that it is granted");
        }
        if is(status, RECONCILING) || is(status, REVOKE_OVERDUE) {
            return Some("says that something is still to be done");
        }
        if unreadable && !over {
            // Nobody knows what it asked for, and it asks for nothing of ours.
            let waits = state == GrantState::Pending && is(status, STALLED) && reason.is_none();
            return (!waits).then_some("does not say that it can't be read");
        }
        if !over {
            return Some("does not say so");
        }
        let is_older = |at| history.made().is_none_or(|made| made <= at);
        let forgotten = history.forged || self.restored.is_some_and(is_older);
        let ready = conditions::find(&status.conditions, READY);
        // What the ledger has lost is for a person.
        let is_lost = ready.is_some_and(|ready| ready.reason == "LedgerLost");
        if (!is(status, READY) || is(status, STALLED)) && !(forgotten && is_lost) {
            return Some("is not ready");
        }
        if forgotten {
            // An end that only a status told of counts, whoever wrote it.
            return None;
        }
        let revoked = state == GrantState::Revoked;
        match reason {
            Some(reason)
                if *reason != EndReason::EndedBefore
                    && revoked == (*reason == EndReason::Expired) =>
            {
                return Some("says otherwise than the ledger how it ended");
            }
            None if revoked && !was_to_end => return Some("was never revoked"),
            None if !revoked && is_revoked(grant) => return Some("was revoked"),
            Some(_) | None => {}
        }
        if status.granted_time.is_none() {
            let given = self.recorded.given.contains_key(uid);
            return given.then_some("does not say that it was given");
        }
        match (status.ended_time, status.revoked_time) {
            (Some(ended), Some(gone)) if ended <= gone => None,
            (Some(_), Some(_)) => Some("was gone before its end"),
            _ => Some("was given, and does not say until when"),
        }
    }
}
