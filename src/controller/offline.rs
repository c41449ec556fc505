//! Taking expired access away while the ledger is out of reach: the API server does not answer, or refuses us.
//!
//! One process per tuple may do that, and only for a bounded time after its last contact with the
//! ledger; the ledger names it. What it did is recorded first thing when the ledger is back.

use std::time::Duration;

use tokio::time::Instant;

use super::cluster::Error as ClusterError;
use super::context::Context;
use super::memory::Unrecorded;
use crate::api::access::{
    AccessState, Attempt, BreakglassAccess, BreakglassAccessSpec, Operation, Origin,
};
use crate::aws::{Cleared, Outcome, Seen};
use crate::clock::after;
use crate::decide::ledger::{
    deleted, due_claims, is_deleter, may_be_sent, outstanding_until, settle_window,
};
use crate::telemetry::audit;

/// Whoever writes the same entry is given so long to be done with it.
const AGAIN: Duration = Duration::from_millis(100);

/// A pod has 30 s to stop.
const GIVE_UP_WITHIN: Duration = Duration::from_secs(15);

/// Deletes an access whose claims have all expired, without the ledger, if this process may.
/// True if a delete was sent.
pub async fn delete_expired(context: &Context, name: &str) -> bool {
    let Some(access) = context.latest_access(name) else {
        return false;
    };
    let remembered = context.memory.get(name);
    let Some(contact) = context.accesses.listed().max(remembered.contact) else {
        return false;
    };
    let settings = &context.settings;
    let before = remembered.unrecorded;
    let before = before.filter(|before| before.entry == access.metadata.uid);
    // One that AWS has confirmed needs no second.
    let done = before.as_ref().is_some_and(|before| {
        before.done || before.absent || may_be_sent(&before.attempt, context.clock.now(), settings)
    });
    // Nothing is sent later: whoever takes the authority over counts on that.
    let authority = settings
        .offline_authority
        .saturating_sub(settings.send_window);
    let may_delete =
        || !context.clock.is_longer_ago(contact, authority) && may_delete(&access.spec, context);
    if done || !remembered.gave_up.is_empty() || !may_delete() {
        return false;
    }
    // To look may take long.
    let accepted = before.as_ref().and_then(|before| before.accepted);
    let is_long_ago = |at: Instant| Instant::now() >= at + settings.unknown_outcome;
    if accepted.is_some_and(is_long_ago)
        && (may_be_others(context, name, &access).await || !may_delete())
    {
        return false;
    }
    let now = context.clock.now();
    let attempt = Attempt {
        operation: Operation::Delete,
        id: context.attempt_id(),
        holder: context.me.clone(),
        written_at: now,
        send_before: after(now, settings.send_window),
    };
    let unknown_before = before.as_ref().and_then(|before| before.unknown_until);
    let unknown = after(attempt.send_before, settings.unknown_outcome);
    let sent = Unrecorded {
        entry: access.metadata.uid.clone(),
        attempt: attempt.clone(),
        done: false,
        unknown_until: unknown_before.max(Some(unknown)),
        accepted: before.as_ref().and_then(|before| before.accepted),
        absent: false,
    };
    let remember = |unrecorded| {
        context
            .memory
            .update(name, |tuple| tuple.unrecorded = unrecorded);
    };
    // Also if this process is stopped before it hears what became of it.
    remember(Some(sent.clone()));
    tracing::warn!(
        access = name,
        "the ledger can't be read or written; taking expired access away without it"
    );
    let cleared = Cleared::new(
        Operation::Delete,
        attempt.send_before,
        context.clock.clone(),
    );
    let outcome = context.aws.delete(&access.spec.tuple, cleared).await;
    context.audit.write(&audit::Write {
        access: &access,
        action: audit::Action::Attempt(&attempt),
        outcome: &outcome,
        begun: now,
        ended: context.clock.now(),
    });
    context.metrics.aws_write(Operation::Delete, &outcome);
    // A Create of ours may still be on its way, and come after what AWS has confirmed. And what was given a moment ago
    // AWS may not show yet, so that there seems to be nothing to take away.
    let creating = outstanding_until(&access.spec, Operation::Create, now, settings);
    let window = settle_window(&access.spec.tuple, settings);
    let claims = access.spec.claims.iter();
    let mut given = claims.filter_map(|claim| claim.active_time);
    let is_new = given.any(|at| now < after(at, window));
    let accepted = sent.accepted.or_else(|| Some(Instant::now()));
    remember(match outcome {
        Outcome::Succeeded { .. } => Some(Unrecorded {
            done: creating.is_none() && !is_new,
            // An earlier one may still be on its way.
            unknown_until: unknown_before,
            accepted,
            ..sent
        }),
        Outcome::InProgress { .. } => Some(Unrecorded { accepted, ..sent }),
        Outcome::Unknown(_) => Some(sent),
        // It has no effect, now or later.
        Outcome::Failed(_) | Outcome::NotSent => before,
    });
    true
}

/// Whether somebody else may have given what is there, now that AWS took it long ago: unless it was never seen to be
/// gone since, and is seen now. Without the ledger nobody can tell more.
async fn may_be_others(context: &Context, name: &str, access: &BreakglassAccess) -> bool {
    let seen = context.aws.read(&access.spec.tuple).await;
    let absent = matches!(seen, Ok(Seen::Absent | Seen::Gone(_)));
    context.memory.update(name, |tuple| {
        if let Some(unrecorded) = &mut tuple.unrecorded {
            unrecorded.absent = absent;
        }
    });
    !matches!(seen, Ok(Seen::Present { .. }))
}

fn may_delete(ledger: &BreakglassAccessSpec, context: &Context) -> bool {
    let now = context.clock.now();
    is_deleter(ledger, &context.me)
        && ledger.origin == Some(Origin::Created)
        && ledger.state != AccessState::Closed
        && ledger.claims.iter().all(|claim| now >= claim.expiry_time)
}

/// Records, before anything else is done, that deletes were sent without a record. True if there
/// were any, and the ledger has changed.
pub async fn record(
    context: &Context,
    access: &mut BreakglassAccess,
) -> Result<bool, ClusterError> {
    let name = access.metadata.name.clone().unwrap_or_default();
    let Some(unrecorded) = context.memory.get(&name).unrecorded else {
        return Ok(false);
    };
    let forget = || {
        context
            .memory
            .update(&name, |tuple| tuple.unrecorded = None);
    };
    let now = context.clock.now();
    let ledger = &mut access.spec;
    let ours = is_deleter(ledger, &context.me);
    // Whoever took the authority over has allowed for deletes, and does not know that there were any: only who was
    // given more time meanwhile, and may be without the access, is to know.
    let is_news = ours || due_claims(ledger, now).next().is_some();
    let is_same = unrecorded.entry == access.metadata.uid;
    if !is_same || !is_news || ledger.state == AccessState::Closed {
        forget();
        return Ok(false);
    }
    if ours {
        ledger.state = AccessState::Settling;
        ledger.first_absent_time = None;
    }
    for claim in &mut ledger.claims {
        claim.active_time = None;
    }
    ledger.delete_unknown_until = ledger.delete_unknown_until.max(unrecorded.unknown_until);
    if unrecorded.accepted.is_some() {
        deleted(ledger, now, &context.settings);
    }
    context.write_access(access).await?;
    forget();
    tracing::info!(
        access = name,
        "recorded a delete that was sent while the ledger could not be written"
    );
    Ok(true)
}

/// Gives the authority up at a clean stop, so that whoever follows need not wait it out. Nothing of
/// ours runs any more when this is called.
pub async fn give_up(context: &Context) {
    match tokio::time::timeout(GIVE_UP_WITHIN, give_all_up(context)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(
            %error,
            "the authority could not be given up; the next controller waits until it has ended"
        ),
        Err(_) => tracing::warn!(
            "no time left to give the authority up; the next controller waits until it has ended"
        ),
    }
}

/// The ledger is read anew: what the watch last showed may be older than our own last write.
async fn give_all_up(context: &Context) -> Result<(), ClusterError> {
    let mut left = context.cluster.accesses_now().await?;
    while let Some(mut access) = left.pop() {
        let name = access.metadata.name.clone().unwrap_or_default();
        let ours = is_deleter(&access.spec, &context.me);
        if !ours || context.memory.get(&name).unrecorded.is_some() {
            continue;
        }
        access.spec.offline_deleter = None;
        match context.write_access(&access).await {
            Err(ClusterError::Conflict(_)) => {
                tokio::time::sleep(AGAIN).await;
                left.extend(context.cluster.access(&name).await?);
            }
            Ok(_) | Err(ClusterError::Gone(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
