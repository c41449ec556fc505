//! The life of an access, seen from Kubernetes: what ended is booked, a turn is asked for where AWS
//! must be called, what was observed is shown, and what nothing holds any more is removed.

use std::sync::Arc;

use jiff::Timestamp;
use kube::core::DynamicObject;
use kube::runtime::controller::Action;
use tokio::time::Instant;

use super::access_status::status;
use super::cluster::{Error as ClusterError, parse_access};
use super::context::Context;
use super::memory::Remembered;
use super::told::PAUSE;
use super::watch::NamedGrant;
use super::{quorum, wake};
use crate::api::FINALIZER;
use crate::api::access::{
    AccessState, BreakglassAccess, BreakglassAccessSpec, BreakglassAccessStatus, Claim, EndReason,
    GrantRef,
};
use crate::api::conditions;
use crate::api::tuple::Tuple;
use crate::aws::Seen;
use crate::aws::desk::{Priority, Request};
use crate::clock::after;
use crate::decide::access::{Known, Step, Waiting, next, next_wake};
use crate::decide::grant_view::GrantView;
use crate::decide::ledger::{
    Authority, Evidence, Lookup, Purpose, authority, due_claims, end, end_of, evidence, is_deleter,
    purpose, revoke_due, task,
};

/// Why an access could not be looked after.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The ledger entry can't be read: a newer version may have written it.
    #[error(
        "the ledger entry can't be read, so nothing ends its access: run the version that wrote it, or take the access away in AWS by hand"
    )]
    Unreadable(#[source] serde_json::Error),
    /// The API server failed us.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
}

/// Looks after one access.
pub async fn reconcile(object: Arc<DynamicObject>, context: Arc<Context>) -> Result<Action, Error> {
    let now = context.clock.now();
    if context.observe {
        return Ok(wake::at(now, None));
    }
    let seen = parse_access(&object).map_err(Error::Unreadable)?;
    let name = seen.metadata.name.clone().unwrap_or_default();
    // The watch may be behind what this process has read and written itself.
    let access = context.latest_access(&name).unwrap_or(seen);
    if !context.leadership.is_ours() {
        // Becoming leader looks at all again. But who may delete without the API server must do so
        // when it is away, and with it the lease.
        let is_unrecorded = context.memory.get(&name).unrecorded.is_some();
        if !is_deleter(&access.spec, &context.me) && !is_unrecorded {
            return Ok(wake::at(now, None));
        }
        let asked_again = match purpose(&access.spec, now) {
            Purpose::Grant | Purpose::Watch if !is_unrecorded => None,
            _ => ask_for_turn(&context, &access, now),
        };
        let next = [next_wake(&access.spec, now, &context.settings), asked_again];
        return Ok(wake::at(now, next.into_iter().flatten().min()));
    }
    // Where the API server can't be reached, the desk must hear of it all the same.
    let booked = book_ends(&context, access.clone()).await;
    let (access, failure) = match booked {
        Ok(access) => (access, None),
        Err(error) => (access, Some(error)),
    };
    // That may have taken long, and an instant may have passed at which something ends.
    let now = context.clock.now();
    let asked_again = ask_for_turn(&context, &access, now);
    if let Some(error) = failure {
        return Err(error.into());
    }
    let access = forget_gone_grants(&context, access).await?;
    let (access, later) = show(&context, access, now).await?;
    if access.spec.state == AccessState::Closed
        && access.spec.claims.is_empty()
        && access.spec.ended.is_empty()
    {
        remove(&context, &access).await?;
        return Ok(wake::at(now, None));
    }
    tell_who_asked(&context, &access, &name);
    let next = [
        next_wake(&access.spec, now, &context.settings),
        asked_again,
        later,
        // What is due by now has been asked for: the end of its turn looks again.
        drift_due(&context, &access, &name).filter(|due| *due > now),
    ]
    .into_iter()
    .flatten()
    .min();
    Ok(wake::at(now, next))
}

/// What the watches show of a claim's grant and the policies. They may be behind.
pub fn evidence_seen(context: &Context, claim: &Claim, tuple: &Tuple) -> Evidence {
    if !context.synced() {
        return Evidence::Unknown;
    }
    let cached = context
        .grants
        .grant(&claim.grant.namespace, &claim.grant.name);
    let lookup = match cached {
        None => Lookup::Gone,
        Some(object) => GrantView::parse(&object)
            .map_or(Lookup::Unreadable, |view| Lookup::Found(Box::new(view))),
    };
    evidence(claim, &lookup, &context.policies(), tuple)
}

/// Moves claims that have ended to the ended ones: by time alone, or because a quorum read of the
/// grant or of the policies says so. It does not wait for AWS, so that a grant's finalizer doesn't.
async fn book_ends(
    context: &Context,
    mut access: BreakglassAccess,
) -> Result<BreakglassAccess, ClusterError> {
    let mut ends = Vec::new();
    let mut failure = None;
    for claim in &access.spec.claims {
        let now = context.clock.now();
        let seen = evidence_seen(context, claim, &access.spec.tuple);
        if end_of(claim, &seen, now).is_none() {
            continue;
        }
        if now >= claim.expiry_time {
            ends.push((claim.uid.clone(), EndReason::Expired));
            continue;
        }
        // What the watch shows may be stale. Ending early takes a quorum read.
        match sure_evidence(context, claim, &access).await {
            Ok(sure) => {
                let reason = end_of(claim, &sure, context.clock.now());
                ends.extend(reason.map(|reason| (claim.uid.clone(), reason)));
            }
            Err(error) => failure = Some(error),
        }
    }
    // What is sure is booked; the rest is asked again.
    let outcome = failure.map_or(Ok(()), Err);
    if ends.is_empty() {
        return outcome.map(|()| access);
    }
    end(&mut access.spec, &ends, context.clock.now());
    let written = context.write_access(&access).await?;
    tracing::info!(
        access = written.metadata.name,
        user = written.spec.user,
        target = written.spec.target_summary,
        ?ends,
        "claims ended"
    );
    outcome.map(|()| written)
}

/// What quorum reads of the grant and the policies say about a claim.
async fn sure_evidence(
    context: &Context,
    claim: &Claim,
    access: &BreakglassAccess,
) -> Result<Evidence, ClusterError> {
    let lookup = quorum::lookup(&context.cluster, &claim.grant).await?;
    let policies = context.cluster.policies().await?;
    Ok(evidence(claim, &lookup, &policies, &access.spec.tuple))
}

/// Asks the desk for a turn where the protocol has something to do in AWS. Tells when to ask again
/// where a pause holds it up.
fn ask_for_turn(context: &Context, access: &BreakglassAccess, now: Timestamp) -> Option<Timestamp> {
    let name = access.metadata.name.clone().unwrap_or_default();
    let remembered = context.memory.get(&name);
    let step = next(&Known {
        ledger: &access.spec,
        authorities: None,
        reading: None,
        drift_due: drift_due(context, access, &name).is_some_and(|due| due <= now),
        me: &context.me,
        attempt_id: "",
        now,
        settings: &context.settings,
    });
    if remembered.unrecorded.is_none()
        && let Step::Rest(waiting) = step
    {
        context.desk.withdraw(&name);
        if waiting == Waiting::Nothing {
            // Whatever stood in the way, of this replica when it was its turn before, does no more.
            context.memory.update(&name, Remembered::all_is_well);
        }
        return None;
    }
    let purpose = purpose(&access.spec, now);
    if let Some(hold) = remembered.hold
        && hold.purpose == purpose
        && hold.task == task(&access.spec)
        && let Some(left) = hold.until.checked_duration_since(Instant::now())
    {
        return Some(after(now, left));
    }
    let priority = match purpose {
        Purpose::Revoke => Priority::Revoke {
            failed: remembered.trouble.is_some(),
            due: revoke_due(&access.spec, now).unwrap_or(now),
        },
        Purpose::Grant => {
            let expiry = due_claims(&access.spec, now)
                .map(|claim| claim.expiry_time)
                .min();
            Priority::Grant {
                expiry: expiry.unwrap_or(Timestamp::MAX),
            }
        }
        Purpose::Watch => Priority::Read,
    };
    let desk = context.aws.desk_key(&access.spec.tuple);
    context.desk.file(Request {
        access: name,
        desk,
        priority,
        page: access.spec.target_summary.clone(),
    });
    None
}

/// Wakes the grants on whose behalf people asked for a look, once it has been made.
fn tell_who_asked(context: &Context, access: &BreakglassAccess, name: &str) {
    let remembered = context.memory.get(name);
    if !remembered.has_looked() {
        return;
    }
    for claim in &access.spec.claims {
        if context.requests.get(&claim.uid).is_some() {
            context.wakers.grant(&NamedGrant {
                uid: claim.uid.clone(),
                namespace: claim.grant.namespace.clone(),
                name: claim.grant.name.clone(),
            });
        }
    }
}

/// When an open access is to be compared with AWS again. Whoever has the authority to act without the ledger does that,
/// where two may be at work: to take it from one another would hold up what is due, for as long as it bounds a Delete.
/// What a person asks for is done all the same.
fn drift_due(context: &Context, access: &BreakglassAccess, name: &str) -> Option<Timestamp> {
    let is_others = authority(&access.spec, &context.me) == Authority::Other;
    let mut claims = access.spec.claims.iter();
    let is_asked_for = claims.any(|claim| context.requests.get(&claim.uid).is_some());
    let is_left_alone = is_others && context.leadership.may_be_shared() && !is_asked_for;
    if access.spec.state != AccessState::Open || is_left_alone {
        return None;
    }
    match context.memory.get(name).reading {
        // What was last seen is as it should be: compare again after a while.
        Some((begun, Seen::Present { .. })) => Some(after(begun, context.settings.drift_interval)),
        _ => Some(Timestamp::MIN),
    }
}

/// An ended claim is remembered while the grant object exists, so that it can never come back, and
/// until the ledger is closed, so that what is overdue can be told.
async fn forget_gone_grants(
    context: &Context,
    mut access: BreakglassAccess,
) -> Result<BreakglassAccess, ClusterError> {
    if !context.synced() || access.spec.state != AccessState::Closed {
        return Ok(access);
    }
    let mut gone = Vec::new();
    for ended in &access.spec.ended {
        if exists(
            context
                .grants
                .grant(&ended.grant.namespace, &ended.grant.name)
                .as_deref(),
            &ended.uid,
        ) {
            continue;
        }
        let GrantRef { namespace, name } = ended.grant.clone();
        let current = context.cluster.grant(&GrantRef { namespace, name }).await?;
        if !exists(current.as_ref(), &ended.uid) {
            gone.push(ended.uid.clone());
        }
    }
    if gone.is_empty() {
        return Ok(access);
    }
    access.spec.ended.retain(|ended| !gone.contains(&ended.uid));
    context.write_access(&access).await
}

fn exists(grant: Option<&DynamicObject>, uid: &str) -> bool {
    grant.is_some_and(|grant| grant.metadata.uid.as_deref() == Some(uid))
}

/// Shows what was observed, if that has changed. Tells when to do so again where somebody else has just shown
/// something else.
async fn show(
    context: &Context,
    mut access: BreakglassAccess,
    now: Timestamp,
) -> Result<(BreakglassAccess, Option<Timestamp>), ClusterError> {
    let name = access.metadata.name.clone().unwrap_or_default();
    let new = status(&access, &context.memory.get(&name), now, &context.settings);
    if access.status.as_ref() == Some(&new)
        || (access.status.is_none() && new == BreakglassAccessStatus::default())
    {
        return Ok((access, None));
    }
    let uid = access.metadata.uid.clone().unwrap_or_default();
    if context.told.was_told(&uid, &new) {
        return Ok((access, Some(after(now, PAUSE))));
    }
    let before = access.status.replace(new.clone());
    let written = match context.cluster.replace_access_status(&access).await {
        Err(ClusterError::Conflict(operation)) => {
            // Of the status alone the watch may be behind too.
            let current = context.cluster.access(&name).await?;
            let current =
                current.filter(|now| now.metadata.generation == access.metadata.generation);
            let mut current = current.ok_or(ClusterError::Conflict(operation))?;
            current.status = access.status;
            context.cluster.replace_access_status(&current).await
        }
        written => written,
    };
    context.told.remember(&uid, &new, &written);
    let overdue = |status: &BreakglassAccessStatus| {
        conditions::find(&status.conditions, conditions::REVOKE_OVERDUE).cloned()
    };
    if written.is_ok()
        && let Some(condition) = overdue(&new)
        && before.as_ref().and_then(overdue).is_none()
    {
        let (what, last_error) = (condition.message, new.last_error);
        tracing::error!(
            access = name,
            user = access.spec.user,
            target = access.spec.target_summary,
            last_error,
            "{what}"
        );
    }
    written.map(|access| (access, None))
}

/// Removes an access that nothing holds any more.
async fn remove(context: &Context, access: &BreakglassAccess) -> Result<(), ClusterError> {
    let name = access.metadata.name.as_deref().unwrap_or_default();
    match context.cluster.remove_access(access).await {
        Ok(()) => tracing::info!(
            access = name,
            user = access.spec.user,
            target = access.spec.target_summary,
            "access closed and removed"
        ),
        Err(ClusterError::Gone(_)) => {} // Removed before; the watch is behind.
        Err(error) => return Err(error),
    }
    context.memory.nothing_is_left(name);
    Ok(())
}

/// A new ledger entry for a tuple.
pub fn new_access(spec: BreakglassAccessSpec) -> BreakglassAccess {
    let mut access = BreakglassAccess::new(&spec.tuple.access_name(), spec);
    access.metadata.finalizers = Some(vec![FINALIZER.to_owned()]);
    access
}
