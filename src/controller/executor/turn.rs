//! One turn: step after step of the protocol, each decided on the ledger as it is then.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use super::super::cluster::Error as ClusterError;
use super::super::context::Context;
use super::super::memory::age;
use super::super::{offline, quorum};
use super::Failure;
use super::send::{self, Sent};
use crate::api::access::{AccessState, BreakglassAccess, BreakglassAccessSpec, Operation};
use crate::aws::Seen;
use crate::clock::after;
use crate::decide::access::{Known, Reading, Step, Waiting, next};
use crate::decide::ledger::{Purpose, end, is_deleter, purpose};
use crate::decide::policy::Management;

/// No turn of the protocol takes more steps; a turn that would is decided again later.
const MOST_STEPS: usize = 12;

/// How long a watch is given to show that an entry is gone.
const WATCH_BEHIND: Duration = Duration::from_secs(5);

/// The steps of one turn, each decided on the ledger as it is then.
pub(super) async fn take(
    context: &Context,
    name: &str,
    purpose_of_turn: &mut Purpose,
) -> Result<Waiting, Failure> {
    let mut sent = None;
    for _ in 0..MOST_STEPS {
        if context.shutdown.is_cancelled() {
            return Err(Failure::ShuttingDown);
        }
        let known = context.latest_access(name);
        let (begun, contact) = (Instant::now(), context.clock.moment());
        let Some(mut access) = context.cluster.access(name).await? else {
            context.memory.nothing_is_left(name);
            return Ok(until_listed(context));
        };
        if known
            .as_ref()
            .is_some_and(|known| age(&access) < age(known))
        {
            tracing::warn!(
                access = name,
                "the cluster knows less than it did: it has been put back from a backup, so everything is listed anew"
            );
            context.relist.now();
            return Ok(until_listed(context));
        }
        context.learn_access(begun, &access);
        *purpose_of_turn = purpose(&access.spec, context.clock.now());
        context
            .memory
            .update(name, |tuple| tuple.contact = Some(contact));
        let recorded = offline::record(context, &mut access).await?;
        let may_act = is_deleter(&access.spec, &context.me);
        if !context.leadership.is_ours() && !may_act {
            return Ok(Waiting::Nothing); // The rest is for whoever took over.
        }
        if recorded {
            continue;
        }
        let read = access.spec.clone();
        let step = tokio::select! {
            biased;
            step = next_step(context, &mut access) => step?,
            () = context.shutdown.cancelled() => return Err(Failure::ShuttingDown), // Nothing is under way.
        };
        match step {
            Step::Rest(waiting) => return Ok(waiting),
            Step::End(ended) => {
                end(&mut access.spec, &ended, context.clock.now());
                write(context, &read, &access).await?;
                tracing::info!(access = name, ?ended, "claims ended");
            }
            Step::Withdraw(uids) => {
                access
                    .spec
                    .claims
                    .retain(|claim| !uids.contains(&claim.uid));
                write(context, &read, &access).await?;
                tracing::info!(
                    access = name,
                    ?uids,
                    "claims withdrawn: no policy admits them any more"
                );
            }
            Step::Write(ledger) => {
                if access.spec.state != ledger.state {
                    tracing::info!(access = name, from = ?access.spec.state, to = ?ledger.state, origin = ?ledger.origin, "ledger");
                }
                access.spec = *ledger;
                write(context, &read, &access).await?;
            }
            // One write a turn: right after it a listing may still show what was before.
            Step::Send(_, Operation::Delete) if sent == Some(Sent::Deleted) => {
                return Err(Failure::StillThere);
            }
            Step::Send(..) if sent.is_some() => return Err(Failure::Restless),
            Step::Send(ledger, operation) => {
                access.spec = *ledger;
                let written = write(context, &read, &access).await?;
                sent = Some(send::attempt(context, written, operation).await?);
            }
            Step::Read | Step::Confirm => return Err(Failure::Restless), // next_step answers these
        }
    }
    Err(Failure::Restless)
}

/// Writes what was decided on the ledger as it was read. AWS was asked in between, and what is known of a try is shown in
/// the same object: were that a conflict, each try might come upon what is shown of the one before.
async fn write(
    context: &Context,
    read: &BreakglassAccessSpec,
    access: &BreakglassAccess,
) -> Result<BreakglassAccess, ClusterError> {
    let written = context.write_access(access).await;
    let Err(ClusterError::Conflict(_)) = written else {
        return written;
    };
    let name = access.metadata.name.as_deref().unwrap_or_default();
    let is_as_read = |current: &BreakglassAccess| {
        let (now, then) = (&current.metadata, &access.metadata);
        // The API server counts the changes of a ledger, and a backup that is put back makes it forget some.
        now.uid == then.uid && now.generation == then.generation && current.spec == *read
    };
    match context.cluster.access(name).await?.filter(is_as_read) {
        Some(mut current) => {
            current.spec = access.spec.clone();
            context.write_access(&current).await
        }
        None => written,
    }
}

/// The cluster knows less than we: the entry is gone, or it is older than what we have seen. Until the
/// watch shows that, it would be asked for again and again.
fn until_listed(context: &Context) -> Waiting {
    Waiting::Until(after(context.clock.now(), WATCH_BEHIND))
}

fn not_yet(context: &Context) -> Waiting {
    Waiting::Until(after(context.clock.now(), Duration::from_secs(1)))
}

/// Asks for the next step, and supplies the facts that it lacks.
async fn next_step(context: &Context, access: &mut BreakglassAccess) -> Result<Step, Failure> {
    let mut reading: Option<Reading> = None;
    let mut authorities = None;
    let mut marked = false;
    let attempt_id = context.attempt_id();
    loop {
        let step = next(&Known {
            ledger: &access.spec,
            authorities: authorities.as_ref(),
            reading: reading.as_ref(),
            // A turn is for something: compare with AWS where nothing else is to be done.
            drift_due: true,
            me: &context.me,
            attempt_id: &attempt_id,
            now: context.clock.now(),
            settings: &context.settings,
        });
        match step {
            Step::Read if reading.is_none() => {
                let begun = context.clock.now();
                let seen = context.aws.read(&access.spec.tuple).await?;
                remember(context, access, begun, &seen);
                if seen == Seen::Absent && access.spec.state == AccessState::Settling {
                    note_session(context, access).await;
                }
                reading = Some(Reading { begun, seen });
            }
            // A start may be slow. What rests on all that there is can wait for it.
            Step::Confirm if !context.synced() => return Ok(Step::Rest(not_yet(context))),
            Step::Confirm if authorities.is_none() => {
                let ask = async || {
                    let protected = context.protected();
                    quorum::authorities(&context.cluster, &access.spec, &protected).await
                };
                let mut found = Box::pin(ask()).await?;
                // A star in a policy may cover the account after all.
                if !found.in_doubt.is_empty()
                    && Box::pin(context.aws.learn_management()).await != Management::Unknown
                {
                    found = Box::pin(ask()).await?;
                }
                found.clock_is_wrong = context.clock.differences().correction().is_some();
                authorities = Some(found);
            }
            // Before the attempt is written: from then on the time is short. It takes a while, so the step is asked
            // for once more.
            Step::Send(_, Operation::Create) if !marked => {
                send::mark(context, access).await;
                marked = true;
            }
            other => return Ok(other),
        }
    }
}

/// What was there until a moment ago may have allowed longer sessions than when it was last seen: nobody may have looked
/// for long.
async fn note_session(context: &Context, access: &mut BreakglassAccess) {
    let ledger = &mut access.spec;
    if ledger.longest_session_seconds.is_some() {
        let lately = context.aws.session_seconds(&ledger.tuple).await;
        ledger.longest_session_seconds = ledger.longest_session_seconds.max(lately);
    }
}

fn remember(context: &Context, access: &BreakglassAccess, begun: Timestamp, seen: &Seen) {
    let name = access.metadata.name.as_deref().unwrap_or_default();
    context
        .memory
        .update(name, |tuple| tuple.reading = Some((begun, seen.clone())));
}
