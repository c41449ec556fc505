//! What to do about a grant: claim its tuple, lengthen or shorten the claim, let the object go.

use jiff::Timestamp;

use super::grant_view::GrantView;
use super::ledger::due_claims;
use super::policy::{Allowance, PolicySet, Protected, Question, Ruling};
use crate::api::access::{
    AccessState, BreakglassAccess, BreakglassAccessSpec, Claim, EndedClaim, Origin,
};
use crate::clock::after;
use crate::config::Settings;

/// Where a grant stands in the ledger, found by its uid.
#[derive(Clone, Copy, Debug)]
pub enum Standing<'a> {
    /// No access knows it.
    Unclaimed,
    /// It holds a claim.
    Claimed(&'a BreakglassAccess, &'a Claim),
    /// Its claim has ended.
    Ended(&'a BreakglassAccess, &'a EndedClaim),
}

impl<'a> Standing<'a> {
    /// Where the grant with that uid stands in one access.
    pub fn in_access(access: Option<&'a BreakglassAccess>, uid: &str) -> Self {
        let Some(access) = access else {
            return Self::Unclaimed;
        };
        // An end outweighs a claim: terminal is final.
        if let Some(ended) = access.spec.ended.iter().find(|ended| ended.uid == uid) {
            return Self::Ended(access, ended);
        }
        match access.spec.claims.iter().find(|claim| claim.uid == uid) {
            Some(claim) => Self::Claimed(access, claim),
            None => Self::Unclaimed,
        }
    }
}

/// What to do next about a grant.
#[derive(Clone, Debug, PartialEq)]
pub enum Next {
    /// Nothing but telling how it stands.
    Nothing,
    /// Pin its tuple and claim it.
    Claim(Allowance),
    /// Let the claim end at another time: earlier always, later because a policy admits it.
    MoveExpiry(Timestamp),
    /// Take our finalizer off.
    Release,
}

/// A decision about a grant, with what the policies said where they were asked.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    /// What to do.
    pub next: Next,
    /// The policies' answer; for a claimed grant it is about a longer time that it asks for.
    pub ruling: Option<Ruling>,
}

/// Decides about a grant.
pub fn decide(
    view: &GrantView,
    standing: Standing<'_>,
    policies: &PolicySet,
    protected: &Protected,
    now: Timestamp,
    settings: &Settings,
) -> Decision {
    let only = |next| Decision { next, ruling: None };
    match standing {
        Standing::Ended(access, ended) => {
            let may_go = is_over(&access.spec, ended, now)
                || now >= after(ended.time, settings.finalizer_bound);
            only(if view.finalizer && may_go {
                Next::Release
            } else {
                Next::Nothing
            })
        }
        Standing::Claimed(_, claim) => claimed(view, claim, policies, protected, now),
        Standing::Unclaimed if over(view, now) => only(if view.finalizer {
            Next::Release
        } else {
            Next::Nothing
        }),
        Standing::Unclaimed => {
            let Some(question) = Question::of(view) else {
                return only(Next::Nothing);
            };
            let ruling = policies.ask(&question, protected);
            let too_early = question
                .start
                .is_some_and(|start| now < claim_from(start, settings));
            let next = match &ruling {
                Ruling::Allowed(allowance) if !too_early => Next::Claim(allowance.clone()),
                _ => Next::Nothing,
            };
            Decision {
                next,
                ruling: Some(ruling),
            }
        }
    }
}

fn claimed(
    view: &GrantView,
    claim: &Claim,
    policies: &PolicySet,
    protected: &Protected,
    now: Timestamp,
) -> Decision {
    let nothing = Decision {
        next: Next::Nothing,
        ruling: None,
    };
    let Ok(asked) = &view.asked else {
        return nothing;
    };
    if view.deleting
        || view.revoked.is_some()
        || asked.hash() != claim.spec_hash
        || now >= claim.expiry_time
    {
        return nothing; // It ends; that is the ledger's business.
    }
    if asked.expiry < claim.expiry_time {
        return Decision {
            next: Next::MoveExpiry(asked.expiry),
            ruling: None,
        };
    }
    if asked.expiry == claim.expiry_time {
        return nothing;
    }
    let Some(question) = Question::of(view) else {
        return nothing;
    };
    let ruling = policies.ask(&question, protected);
    let next = match &ruling {
        Ruling::Allowed(_) => Next::MoveExpiry(asked.expiry),
        Ruling::Denied { .. } => Next::Nothing,
    };
    Decision {
        next,
        ruling: Some(ruling),
    }
}

/// Whether a grant without a claim can never, or not any more, be granted as it is now.
pub fn over(view: &GrantView, now: Timestamp) -> bool {
    view.deleting
        || view.revoked.is_some()
        || view.status.ended_time.is_some()
        || view.asked.as_ref().is_ok_and(|asked| now >= asked.expiry)
}

/// From when a grant with that start may be claimed: a little before it, so that back-to-back
/// grants leave no gap.
pub fn claim_from(start: Timestamp, settings: &Settings) -> Timestamp {
    start
        .checked_sub(settings.claim_lead)
        .unwrap_or(Timestamp::MIN)
}

/// Whether nothing of an ended claim is left that is its own.
pub fn is_over(ledger: &BreakglassAccessSpec, ended: &EndedClaim, now: Timestamp) -> bool {
    ended.settled || ended.gone_time.is_some() || gone(ledger, ended.time, now)
}

/// Whether nothing is left of what was due until then: AWS showed the access absent since, or another
/// claim covers it, or it was there before us.
pub fn gone(ledger: &BreakglassAccessSpec, until: Timestamp, now: Timestamp) -> bool {
    ledger.origin == Some(Origin::PreExisting)
        || match ledger.state {
            AccessState::Closed => true,
            AccessState::Open => due_claims(ledger, now).next().is_some(),
            AccessState::Settling => {
                ledger.first_absent_time.is_some_and(|first| until <= first)
                    || due_claims(ledger, now).next().is_some()
            }
        }
}

/// When to look at a grant again: never later than the next instant at which the answer may change.
pub fn next_wake(
    view: &GrantView,
    standing: Standing<'_>,
    now: Timestamp,
    settings: &Settings,
) -> Option<Timestamp> {
    let asked = view.asked.as_ref().ok();
    let start = asked.and_then(|asked| asked.start);
    let ended = match standing {
        Standing::Ended(_, ended) => [
            Some(after(ended.time, settings.finalizer_bound)),
            Some(after(ended.time, settings.overdue)),
            None,
        ],
        Standing::Claimed(_, claim) => [
            Some(claim.start_time),
            Some(claim.expiry_time),
            Some(after(claim.expiry_time, settings.overdue)),
        ],
        Standing::Unclaimed => [None, None, None],
    };
    [
        start.map(|start| claim_from(start, settings)),
        start,
        asked.map(|asked| asked.expiry),
    ]
    .into_iter()
    .chain(ended)
    .flatten()
    .filter(|at| *at > now)
    .min()
}
