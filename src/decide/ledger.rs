//! The vocabulary of the ledger protocol: what covers a tuple, what is outstanding, what is to be done, who may act.
//!
//! Every function takes the ledger as it was read and the time of the question.

use jiff::Timestamp;

use super::grant_view::GrantView;
use super::policy::PolicySet;
use super::target::Target;
use crate::api::access::{
    AccessState, Attempt, BreakglassAccessSpec, Claim, EndReason, EndedClaim, Holder, Operation,
    Origin,
};
use crate::api::tuple::Tuple;
use crate::clock::after;
use crate::config::Settings;

/// What a look at the grant of a claim showed.
#[derive(Clone, Debug)]
pub enum Lookup {
    /// The grant object under the claim's name.
    Found(Box<GrantView>),
    /// No object has that name.
    Gone,
    /// It could not be read.
    Unreadable,
}

/// What follows for a claim from its grant and the policies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// The grant still stands; access is due until then at the latest.
    Stands(Timestamp),
    /// The claim must end.
    Ends(EndReason),
    /// Nobody knows. It counts as standing when access might be taken away, and not when it might
    /// be given.
    Unknown,
}

/// What a claim's grant and the policies say about it.
pub fn evidence(claim: &Claim, grant: &Lookup, policies: &PolicySet, tuple: &Tuple) -> Evidence {
    let view = match grant {
        Lookup::Unreadable => return Evidence::Unknown,
        Lookup::Gone => return Evidence::Ends(EndReason::Deleted),
        Lookup::Found(view) => view,
    };
    if view.uid != claim.uid || view.deleting {
        return Evidence::Ends(EndReason::Deleted);
    }
    if view.revoked.is_some() {
        return Evidence::Ends(EndReason::RevokedByRequest);
    }
    // The end is written only after the claim has left the ledger: such a claim was made by
    // somebody who had read the grant before it ended.
    if view.status.ended_time.is_some() {
        return Evidence::Ends(EndReason::EndedBefore);
    }
    // As the grant that was admitted names them. The entry has the names of whoever claimed it last: person or
    // entitlement may have been renamed between two claims.
    let names = match &view.asked {
        Ok(asked) if asked.hash() == claim.spec_hash => (asked.user.as_str(), asked.target.clone()),
        _ => (tuple.user(), Target::of(tuple)),
    };
    if policies
        .denying(&claim.grant.namespace, names.0, &names.1)
        .is_some()
    {
        return Evidence::Ends(EndReason::DeniedByPolicy);
    }
    match &view.asked {
        Ok(asked) if asked.hash() != claim.spec_hash => Evidence::Ends(EndReason::TargetChanged),
        Ok(asked) => Evidence::Stands(asked.expiry.min(claim.expiry_time)),
        // It can't be read any more: nothing is given for it, and what was given stays to its end.
        Err(_) => Evidence::Unknown,
    }
}

/// When and why a claim ends, given the evidence: by time alone, or early.
pub fn end_of(claim: &Claim, evidence: &Evidence, now: Timestamp) -> Option<EndReason> {
    let expiry = match evidence {
        Evidence::Stands(expiry) => *expiry,
        Evidence::Ends(_) | Evidence::Unknown => claim.expiry_time,
    };
    if now >= expiry {
        return Some(EndReason::Expired);
    }
    match evidence {
        Evidence::Ends(reason) => Some(*reason),
        Evidence::Stands(_) | Evidence::Unknown => None,
    }
}

/// Whether access is due for a claim that has not ended: it has started and not expired.
pub fn due(claim: &Claim, now: Timestamp) -> bool {
    claim.start_time <= now && now < claim.expiry_time
}

/// The claims for which access is due.
pub fn due_claims(ledger: &BreakglassAccessSpec, now: Timestamp) -> impl Iterator<Item = &Claim> {
    ledger.claims.iter().filter(move |claim| due(claim, now))
}

/// Until when a write of that kind may still take effect; none when nothing is outstanding.
pub fn outstanding_until(
    ledger: &BreakglassAccessSpec,
    operation: Operation,
    now: Timestamp,
    settings: &Settings,
) -> Option<Timestamp> {
    let unresolved = ledger
        .attempt
        .as_ref()
        .filter(|attempt| attempt.operation == operation)
        .map(|attempt| after(attempt.send_before, settings.unknown_outcome));
    let folded = match operation {
        Operation::Create => ledger.create_unknown_until,
        Operation::Delete => ledger.delete_unknown_until,
    };
    unresolved.max(folded).filter(|until| now < *until)
}

/// Until when the same operation must not be sent again, because an earlier one may still be sent.
pub fn send_window(
    ledger: &BreakglassAccessSpec,
    operation: Operation,
    now: Timestamp,
    settings: &Settings,
) -> Option<Timestamp> {
    let attempt = ledger.attempt.as_ref()?;
    (attempt.operation == operation && may_be_sent(attempt, now, settings))
        .then_some(attempt.send_before)
}

/// Whether that may still be sent. Whoever wrote a time that lies further ahead than such a time can had a clock that
/// was wrong; its own monotonic clock keeps it from sending so late.
pub fn may_be_sent(attempt: &Attempt, now: Timestamp, settings: &Settings) -> bool {
    now < attempt.send_before && attempt.send_before <= after(now, settings.send_window)
}

/// Whose word counts on this tuple while the API server can't be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Authority {
    /// Ours, or nobody's.
    Ours,
    /// An earlier run in our pod had it. That process is dead.
    Predecessor,
    /// Another process has it, and it may be alive.
    Other,
}

/// Who may delete without the ledger.
pub fn authority(ledger: &BreakglassAccessSpec, me: &Holder) -> Authority {
    match &ledger.offline_deleter {
        None => Authority::Ours,
        Some(holder) if holder == me => Authority::Ours,
        Some(holder) if holder.pod == me.pod => Authority::Predecessor,
        Some(_) => Authority::Other,
    }
}

/// Whether the ledger names that process as the one that may delete without it.
pub fn is_deleter(ledger: &BreakglassAccessSpec, process: &Holder) -> bool {
    ledger.offline_deleter.as_ref() == Some(process)
}

/// Takes the authority over. Whoever had it may have deleted without a record, for as long as its
/// authority and its requests live.
pub fn take_over(
    ledger: &mut BreakglassAccessSpec,
    me: &Holder,
    now: Timestamp,
    settings: &Settings,
) {
    let until = match authority(ledger, me) {
        Authority::Ours => return,
        Authority::Predecessor => after(now, settings.unknown_outcome),
        Authority::Other => after(
            after(now, settings.offline_authority),
            settings.unknown_outcome,
        ),
    };
    ledger.delete_unknown_until = ledger.delete_unknown_until.max(Some(until));
    ledger.offline_deleter = Some(me.clone());
}

/// Writes a new attempt over whatever was there. An unresolved one is folded into the time until
/// which its kind may still take effect; only time clears that. No claim is active until the access has been seen again:
/// one that is due only later may have been, where a clock was put back.
pub fn begin(ledger: &mut BreakglassAccessSpec, attempt: Attempt, settings: &Settings) {
    if let Some(before) = ledger.attempt.take() {
        let until = Some(after(before.send_before, settings.unknown_outcome));
        match before.operation {
            Operation::Create => {
                ledger.create_unknown_until = ledger.create_unknown_until.max(until);
            }
            Operation::Delete => {
                ledger.delete_unknown_until = ledger.delete_unknown_until.max(until);
            }
        }
    }
    let absent = ledger.first_absent_time.take();
    match attempt.operation {
        Operation::Create => {
            // What was absent before is given anew: to others than those who had ended.
            for ended in &mut ledger.ended {
                if let Some(absent) = absent.filter(|absent| ended.time <= *absent) {
                    ended.gone(absent, ledger.longest_session_seconds);
                }
            }
            ledger.origin = Some(Origin::Created);
            ledger.state = AccessState::Open;
            ledger.offline_deleter = Some(attempt.holder.clone());
        }
        Operation::Delete => ledger.state = AccessState::Settling,
    }
    ledger.attempt = Some(attempt);
    for claim in &mut ledger.claims {
        claim.active_time = None;
    }
}

/// AWS called a delete of ours done. Listings may show it for a while. An assignment is taken away by an operation whose
/// effect comes around that time, not at it: a listing that still shows it may also be of what is about to go.
pub fn deleted(ledger: &mut BreakglassAccessSpec, now: Timestamp, settings: &Settings) {
    let until = Some(after(now, settle_window(&ledger.tuple, settings)));
    let bound = if ledger.tuple.is_membership() {
        &mut ledger.still_listed_until
    } else {
        &mut ledger.delete_unknown_until
    };
    *bound = (*bound).max(until);
}

/// Moves claims to the ended ones. Uids that have none are passed over.
pub fn end(ledger: &mut BreakglassAccessSpec, ending: &[(String, EndReason)], now: Timestamp) {
    let ended_before = ledger.ended.len();
    for (uid, reason) in ending {
        let Some(at) = ledger.claims.iter().position(|claim| claim.uid == *uid) else {
            continue;
        };
        let claim = ledger.claims.remove(at);
        ledger.ended.push(EndedClaim {
            uid: claim.uid,
            grant: claim.grant,
            reason: *reason,
            time: match reason {
                EndReason::Expired => claim.expiry_time.min(now),
                _ => now,
            },
            expiry_time: claim.expiry_time,
            active_time: claim.active_time,
            granted_time: claim.granted_time,
            attempted: ledger.origin == Some(Origin::Created) && claim.start_time <= now,
            gone_time: None,
            longest_session_seconds: None,
            settled: ledger.state == AccessState::Closed,
            spec_hash: claim.spec_hash,
            policy: claim.policy,
            provenance: claim.provenance,
        });
    }
    // Who ends at the same time goes on with nothing: this is asked when all have ended.
    let somebody_elses_since = match (ledger.origin, ledger.state) {
        (Some(Origin::PreExisting), _) | (_, AccessState::Closed) => Some(Timestamp::MIN),
        (_, AccessState::Open) => due_claims(ledger, now).filter_map(|c| c.active_time).min(),
        (_, AccessState::Settling) => None,
    };
    if let Some(since) = somebody_elses_since {
        for ended in ledger.ended.iter_mut().skip(ended_before) {
            ended.gone(ended.time.max(since), ledger.longest_session_seconds);
        }
    }
}

/// Forgets bounds that have passed, so that an object at rest carries nothing but what matters.
pub fn tidy(ledger: &mut BreakglassAccessSpec, now: Timestamp) {
    ledger.create_unknown_until = ledger.create_unknown_until.filter(|until| now < *until);
    ledger.delete_unknown_until = ledger.delete_unknown_until.filter(|until| now < *until);
    ledger.still_listed_until = ledger.still_listed_until.filter(|until| now < *until);
}

/// How far apart two readings must be for this tuple.
pub fn settle_window(tuple: &Tuple, settings: &Settings) -> std::time::Duration {
    match tuple {
        Tuple::AccountAssignment(_) | Tuple::IdentityCenterGroup(_) => settings.settle_window,
        Tuple::IamGroup(_) => settings.iam_settle_window,
    }
}

/// What a ledger entry asks to be done, whoever tries it, and however often.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Task {
    state: AccessState,
    origin: Option<Origin>,
    /// Uid, start and end of each claim.
    claims: Vec<(String, Timestamp, Timestamp)>,
    /// Uids.
    ended: Vec<String>,
}

/// What a ledger entry asks to be done. It does not change with an attempt or its outcome: two
/// processes at work on one tuple would otherwise end one another's pauses for ever.
pub fn task(ledger: &BreakglassAccessSpec) -> Task {
    let claims = ledger.claims.iter();
    let ended = ledger.ended.iter();
    Task {
        state: ledger.state,
        origin: ledger.origin,
        claims: claims
            .map(|claim| (claim.uid.clone(), claim.start_time, claim.expiry_time))
            .collect(),
        ended: ended.map(|ended| ended.uid.clone()).collect(),
    }
}

/// What is to be done about a tuple. A failure of one holds up no other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To take access away.
    Revoke,
    /// To give it.
    Grant,
    /// To compare it with AWS.
    Watch,
}

/// What is to be done about a tuple now.
pub fn purpose(ledger: &BreakglassAccessSpec, now: Timestamp) -> Purpose {
    let mut due = due_claims(ledger, now).peekable();
    if due.peek().is_none() {
        Purpose::Revoke
    } else if due.any(|claim| claim.active_time.is_none()) || ledger.state == AccessState::Settling
    {
        Purpose::Grant
    } else {
        Purpose::Watch
    }
}

/// When the access should have been gone: when the last claim that ended did.
pub fn revoke_due(ledger: &BreakglassAccessSpec, now: Timestamp) -> Option<Timestamp> {
    let unsettled = ledger.ended.iter().filter(|ended| !ended.settled);
    let ended = unsettled.map(|ended| ended.time);
    let expired = ledger.claims.iter().map(|claim| claim.expiry_time);
    ended.chain(expired.filter(|end| *end <= now)).max()
}
