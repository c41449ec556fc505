//! Carries out what the ledger protocol decides, one turn per tuple, when the desk says so.
//!
//! A turn reads the ledger, asks [`decide::access`](crate::decide::access) for the next step,
//! supplies the facts it lacks, and does what it says, until there is nothing left to do. Every
//! write is conditional on the ledger as it was read; a conflict means: decide again.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::cluster::Error as ClusterError;
use super::context::Context;
use super::memory::{Hold, Purpose, Trouble};
use super::{offline, quorum, wake};
use crate::api::access::{AccessState, Attempt, BreakglassAccess, BreakglassAccessSpec, Operation};
use crate::aws::desk::{Priority, urgently};
use crate::aws::error::{Class, Error as AwsError};
use crate::aws::{Cleared, Outcome, Seen};
use crate::clock::after;
use crate::decide::access::{Known, Reading, Step, Waiting, activate, next};
use crate::decide::ledger::{due_claims, end, outstanding_until};
use crate::telemetry::audit;
use crate::telemetry::chain;

/// No turn of the protocol takes more steps; a turn that would is decided again later.
const MOST_STEPS: usize = 12;
/// How often a record is tried again that somebody else's write got in the way of.
const RECORD_TRIES: usize = 5;

/// Why a turn came to nothing.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    #[error(transparent)]
    Aws(#[from] AwsError),
    /// AWS does not show yet what was done, or others keep writing the ledger.
    #[error("not settled within one turn")]
    Restless,
    #[error("the controller is shutting down")]
    ShuttingDown,
}

/// Hands out turns until the process ends.
pub async fn run(context: Arc<Context>, shutdown: CancellationToken) {
    let turns = TaskTracker::new();
    loop {
        let turn = tokio::select! {
            turn = context.desk.next() => turn,
            () = shutdown.cancelled() => break,
        };
        let context = Arc::clone(&context);
        let shutdown = shutdown.clone();
        turns.spawn(async move {
            let name = turn.request.access.clone();
            let work = super::reconciler::unpanicked(take_turn(&context, &name, &shutdown));
            let done = match turn.request.priority {
                Priority::Revoke { .. } => urgently(work).await,
                Priority::Grant { .. } | Priority::Read => work.await,
            };
            if done.is_none() {
                context.metrics.panics.inc();
                hold(&context, &name, Purpose::Watch, Duration::from_secs(5));
            }
            drop(turn);
            context.wakers.access(&name);
        });
    }
    turns.close();
    turns.wait().await;
}

async fn take_turn(context: &Context, name: &str, shutdown: &CancellationToken) {
    let mut purpose = Purpose::Watch;
    let result = steps(context, name, &mut purpose, shutdown).await;
    let now = context.clock.now();
    let restless = matches!(result, Err(Failure::Restless));
    let (trouble, pause) = match result {
        Ok(Waiting::Nothing) | Err(Failure::Restless) => (None, None),
        Ok(Waiting::Until(until)) => (
            None,
            Some(crate::clock::until(now, until).min(Duration::from_mins(1))),
        ),
        Ok(waiting) => (Some(waiting_trouble(&waiting)), None),
        Err(Failure::ShuttingDown) => return,
        Err(Failure::Cluster(ClusterError::Conflict(_))) => {
            (None, Some(Duration::from_millis(100)))
        }
        Err(Failure::Cluster(error)) => {
            tracing::warn!(
                access = name,
                error = chain(&error),
                "the ledger can't be read or written"
            );
            if error.is_unreachable() && offline::delete_expired(context, name).await {
                purpose = Purpose::Revoke;
            }
            (
                Some(Trouble {
                    reason: "LedgerUnavailable",
                    message: error.to_string(),
                    stalled: false,
                    class: None,
                }),
                None,
            )
        }
        Err(Failure::Aws(error)) => {
            tracing::warn!(access = name, %error, class = ?error.class, code = error.code, request_id = error.request_id, "AWS call failed");
            (Some(aws_trouble(&error)), None)
        }
    };
    let mut tries = 0;
    let failed = trouble.is_some() || restless;
    let class = trouble.as_ref().and_then(|trouble| trouble.class);
    context.memory.update(name, |tuple| {
        tuple.tries = if failed {
            tuple.tries.saturating_add(1)
        } else {
            0
        };
        tuple.trouble = trouble;
        tries = tuple.tries;
    });
    let cap = if class == Some(Class::Blocked) {
        context.settings.blocked_retry
    } else {
        context.settings.retry_cap
    };
    let pause = match pause {
        Some(pause) => pause,
        None if failed && class == Some(Class::Blocked) => cap,
        None if failed => wake::backoff(tries, cap, context.spread(name, now)),
        None => Duration::ZERO,
    };
    hold(context, name, purpose, pause);
}

/// Lets the tuple rest for that purpose, as long as its ledger stays as this turn left it.
fn hold(context: &Context, name: &str, purpose: Purpose, pause: Duration) {
    let until = after(context.clock.now(), pause);
    context.memory.update(name, |tuple| {
        tuple.hold = Some(Hold {
            purpose,
            generation: tuple.generation,
            until,
        });
    });
}

/// What a turn is for, given the ledger.
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

/// The steps of one turn, each decided on the ledger as it is then.
async fn steps(
    context: &Context,
    name: &str,
    purpose_of_turn: &mut Purpose,
    shutdown: &CancellationToken,
) -> Result<Waiting, Failure> {
    let mut sent = false;
    for _ in 0..MOST_STEPS {
        let Some(mut access) = context.cluster.access(name).await? else {
            return Ok(Waiting::Nothing);
        };
        *purpose_of_turn = purpose(&access.spec, context.clock.now());
        let generation = access.metadata.generation.unwrap_or_default();
        context
            .memory
            .update(name, |tuple| tuple.generation = generation);
        if offline::record(context, &mut access).await? {
            continue;
        }
        match settle_step(context, &access).await? {
            Step::Rest(waiting) => return Ok(waiting),
            Step::End(ended) => {
                let now = context.clock.now();
                for (uid, reason) in &ended {
                    end(&mut access.spec, uid, *reason, now);
                }
                write(context, &access).await?;
                tracing::info!(access = name, ?ended, "claims ended");
            }
            Step::Withdraw(uids) => {
                access
                    .spec
                    .claims
                    .retain(|claim| !uids.contains(&claim.uid));
                write(context, &access).await?;
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
                write(context, &access).await?;
            }
            // One write a turn: right after it a listing may still show what was before.
            Step::Send(..) if sent => return Err(Failure::Restless),
            Step::Send(ledger, operation) => {
                sent = true;
                let before = std::mem::replace(&mut access.spec, *ledger);
                let written = write(context, &access).await?;
                send(context, written, &before, operation, shutdown).await?;
            }
            Step::Read | Step::Confirm => return Err(Failure::Restless), // settle_step answers these
        }
    }
    Err(Failure::Restless)
}

/// Asks for the next step, and supplies the facts that it lacks.
async fn settle_step(context: &Context, access: &BreakglassAccess) -> Result<Step, Failure> {
    let mut reading: Option<Reading> = None;
    let mut authorities = None;
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
                reading = Some(Reading { begun, seen });
            }
            Step::Confirm if authorities.is_none() => {
                let protected = context.protected();
                authorities =
                    Some(quorum::authorities(&context.cluster, &access.spec, &protected).await?);
            }
            other => return Ok(other),
        }
    }
}

fn remember(context: &Context, access: &BreakglassAccess, begun: Timestamp, seen: &Seen) {
    let name = access.metadata.name.as_deref().unwrap_or_default();
    context
        .memory
        .update(name, |tuple| tuple.reading = Some((begun, seen.clone())));
}

async fn write(context: &Context, access: &BreakglassAccess) -> Result<BreakglassAccess, Failure> {
    let written = context.cluster.replace_access(access).await?;
    let name = written.metadata.name.as_deref().unwrap_or_default();
    let generation = written.metadata.generation.unwrap_or_default();
    context
        .memory
        .update(name, |tuple| tuple.generation = generation);
    Ok(written)
}

/// Sends what the attempt in the ledger announces, once, and records how it ended.
async fn send(
    context: &Context,
    access: BreakglassAccess,
    before: &BreakglassAccessSpec,
    operation: Operation,
    shutdown: &CancellationToken,
) -> Result<(), Failure> {
    let Some(attempt) = access.spec.attempt.clone() else {
        return Ok(());
    };
    let tuple = &access.spec.tuple;
    let begun = context.clock.now();
    mark(context, &access, operation).await;
    let cleared = Cleared::new(operation, attempt.send_before, context.clock.clone());
    let mut outcome = match operation {
        Operation::Create => context.aws.create(tuple, cleared).await,
        Operation::Delete => context.aws.delete(tuple, cleared).await,
    };
    let first_request_id = outcome.request_id();
    if let Outcome::InProgress { request_id } = &outcome {
        let request_id = request_id.clone();
        outcome = follow(context, &access, &attempt, &request_id, shutdown).await;
    }
    let record = audit::Write {
        access: &access,
        before,
        attempt: &attempt,
        outcome: &outcome,
        request_id: first_request_id.as_deref(),
        begun,
        ended: context.clock.now(),
    };
    context.audit.write(&record);
    context.metrics.aws_write(operation, &outcome);
    unmark(context, &access, operation, &outcome).await;
    let session = match &outcome {
        Outcome::Succeeded { .. } if operation == Operation::Create => {
            context.aws.session_seconds(tuple).await
        }
        _ => None,
    };
    record_outcome(context, access, &attempt, &outcome, session).await?;
    match outcome {
        Outcome::Failed(error) | Outcome::Unknown(error) => Err(Failure::Aws(error)),
        Outcome::NotSent => Err(Failure::Restless),
        Outcome::Succeeded { .. } | Outcome::InProgress { .. } => {
            if shutdown.is_cancelled() {
                Err(Failure::ShuttingDown)
            } else {
                Ok(())
            }
        }
    }
}

/// Follows an operation that AWS works on. It keeps its place at the desk, because it keeps its
/// place in AWS's limit. The id is a hint: what can't be followed is left to a listing.
async fn follow(
    context: &Context,
    access: &BreakglassAccess,
    attempt: &Attempt,
    request_id: &str,
    shutdown: &CancellationToken,
) -> Outcome {
    let name = access.metadata.name.as_deref().unwrap_or_default();
    context.memory.update(name, |tuple| {
        tuple.pending_request_id = Some(request_id.to_owned());
    });
    context.wakers.access(name);
    let patience = after(attempt.send_before, context.settings.unknown_outcome);
    let mut interval = Duration::from_millis(250);
    let mut unreadable = 0;
    let outcome = loop {
        tokio::select! {
            () = tokio::time::sleep(interval) => {}
            () = shutdown.cancelled() => break Outcome::InProgress { request_id: request_id.to_owned() },
        }
        interval = (interval * 2).min(Duration::from_secs(4));
        match context
            .aws
            .progress(&access.spec.tuple, attempt.operation, request_id)
            .await
        {
            Ok(Outcome::InProgress { .. }) if context.clock.now() < patience => unreadable = 0,
            Ok(outcome) => break outcome,
            Err(error) if error.class == Class::Throttled && context.clock.now() < patience => {}
            Err(error) => {
                // Gone, or unreadable: AWS keeps ids for a time that it does not tell.
                unreadable += 1;
                if unreadable >= 3 || error.class == Class::Gone || context.clock.now() >= patience
                {
                    break listed(context, access, attempt.operation, request_id, error).await;
                }
            }
        }
    };
    context
        .memory
        .update(name, |tuple| tuple.pending_request_id = None);
    outcome
}

/// What a listing says of an operation that can't be followed. Only a Create is ever known by it:
/// what is listed was created, but what is not listed may be yet to come or yet to go.
async fn listed(
    context: &Context,
    access: &BreakglassAccess,
    operation: Operation,
    request_id: &str,
    error: AwsError,
) -> Outcome {
    match (operation, context.aws.read(&access.spec.tuple).await) {
        (Operation::Create, Ok(Seen::Present { .. })) => Outcome::Succeeded {
            request_id: Some(request_id.to_owned()),
        },
        _ => Outcome::Unknown(error),
    }
}

/// Records a terminal outcome by the attempt's own id. An outcome that nobody knows leaves the
/// attempt outstanding.
async fn record_outcome(
    context: &Context,
    mut access: BreakglassAccess,
    attempt: &Attempt,
    outcome: &Outcome,
    session_seconds: Option<i64>,
) -> Result<(), Failure> {
    if matches!(outcome, Outcome::Unknown(_) | Outcome::InProgress { .. }) {
        return Ok(());
    }
    let name = access.metadata.name.clone().unwrap_or_default();
    // The Create was begun after these were written, so its answer speaks for them.
    let spoken_for: Vec<String> = access
        .spec
        .claims
        .iter()
        .map(|claim| claim.uid.clone())
        .collect();
    for _ in 0..RECORD_TRIES {
        if access
            .spec
            .attempt
            .as_ref()
            .is_some_and(|current| current.id == attempt.id)
        {
            access.spec.attempt = None;
        } else {
            return Ok(()); // Somebody wrote another attempt over it, and folded this one.
        }
        let now = context.clock.now();
        let deleting =
            outstanding_until(&access.spec, Operation::Delete, now, &context.settings).is_some();
        let ours = access.spec.offline_deleter.as_ref() == Some(&context.me);
        let created =
            attempt.operation == Operation::Create && matches!(outcome, Outcome::Succeeded { .. });
        if created && ours && !deleting {
            activate(&mut access.spec, now, session_seconds, |claim| {
                spoken_for.contains(&claim.uid)
            });
        }
        match write(context, &access).await {
            Ok(_) => return Ok(()),
            Err(Failure::Cluster(ClusterError::Conflict(_))) => {
                match context.cluster.access(&name).await? {
                    Some(current) => access = current,
                    None => return Ok(()),
                }
            }
            Err(error) => return Err(error),
        }
    }
    Err(Failure::Restless)
}

/// Marks a membership as ours for people, before it is made. Best effort: it decides nothing.
async fn mark(context: &Context, access: &BreakglassAccess, operation: Operation) {
    if operation == Operation::Create
        && let Some(expiry) = due_claims(&access.spec, context.clock.now())
            .map(|claim| claim.expiry_time)
            .max()
        && let Err(error) = context.aws.mark(&access.spec.tuple, expiry).await
    {
        tracing::info!(%error, "the marker tag could not be set; access is given all the same");
    }
}

/// Takes the mark off, after the membership is gone: the other order would forget who is a member.
async fn unmark(
    context: &Context,
    access: &BreakglassAccess,
    operation: Operation,
    outcome: &Outcome,
) {
    if operation == Operation::Delete
        && matches!(outcome, Outcome::Succeeded { .. })
        && let Err(error) = context.aws.unmark(&access.spec.tuple).await
    {
        tracing::info!(%error, "the marker tag could not be removed; the access is taken away all the same");
    }
}

fn waiting_trouble(waiting: &Waiting) -> Trouble {
    let (reason, message, stalled) = match waiting {
        Waiting::Identity(what) => (
            "IdentityChanged",
            format!("{what}. Nothing is given; make a new grant"),
            true,
        ),
        Waiting::Policies(why) => ("PolicyUnreadable", why.clone(), true),
        Waiting::Grants => (
            "GrantUnreadable",
            "no grant of this access can be read".to_owned(),
            false,
        ),
        Waiting::Origin => (
            "LedgerDamaged",
            "the ledger does not say whether the access is ours, so it is left alone".to_owned(),
            true,
        ),
        Waiting::Nothing | Waiting::Until(_) => ("Waiting", String::new(), false),
    };
    Trouble {
        reason,
        message,
        stalled,
        class: None,
    }
}

fn aws_trouble(error: &AwsError) -> Trouble {
    let (reason, stalled) = match error.class {
        Class::Throttled => ("Throttled", false),
        Class::Transient => ("AWSUnavailable", false),
        Class::OutcomeUnknown => ("OutcomeUnknown", false),
        Class::Conflict => ("Conflict", false),
        Class::Gone => ("NotFound", true),
        Class::Denied => ("AccessDenied", true),
        Class::Blocked => ("AccountBlocked", true),
        Class::Invalid => ("InvalidRequest", true),
        Class::Quota => ("QuotaExceeded", true),
    };
    Trouble {
        reason,
        message: error.to_string(),
        stalled,
        class: Some(error.class),
    }
}
