//! One AWS write: sent once, followed to its end, and recorded by its id.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use super::super::cluster::Error as ClusterError;
use super::super::context::Context;
use super::Failure;
use crate::api::access::{Attempt, BreakglassAccess, Operation};
use crate::aws::desk::{committed, is_urgent};
use crate::aws::error::{Class, Error as AwsError};
use crate::aws::{Cleared, Outcome, Seen};
use crate::decide::access::activate;
use crate::decide::ledger::{deleted, due_claims, is_deleter, outstanding_until};
use crate::telemetry::audit;

/// How long an operation is followed that AWS works on.
const FOLLOWED: Duration = Duration::from_secs(20);
/// How long a tag may take.
const TAGGED_WITHIN: Duration = Duration::from_secs(5);
/// How often a record is tried again that somebody else's write got in the way of.
const RECORD_TRIES: usize = 5;

/// What was sent, as far as it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sent {
    /// A delete that AWS called done.
    Deleted,
    /// Anything else.
    Other,
}

/// Sends what the attempt in the ledger announces, once, and records how it ended.
pub(super) async fn attempt(
    context: &Context,
    access: BreakglassAccess,
    operation: Operation,
) -> Result<Sent, Failure> {
    let Some(attempt) = access.spec.attempt.clone() else {
        return Ok(Sent::Other);
    };
    let name = access.metadata.name.clone().unwrap_or_default();
    let tuple = access.spec.tuple.clone();
    let begun = context.clock.now();
    let cleared = Cleared::new(operation, attempt.send_before, context.clock.clone());
    let mut outcome = committed(async {
        match operation {
            Operation::Create => context.aws.create(&tuple, cleared).await,
            Operation::Delete => context.aws.delete(&tuple, cleared).await,
        }
    })
    .await;
    let told = |outcome: &Outcome| {
        context.audit.write(&audit::Write {
            access: &access,
            action: audit::Action::Attempt(&attempt),
            outcome,
            begun,
            ended: context.clock.now(),
        });
        context.metrics.aws_write(operation, outcome);
    };
    // Before it is followed: who ends this process must not end the trail.
    told(&outcome);
    if let Outcome::InProgress { request_id } = &outcome {
        let request_id = request_id.clone();
        outcome = follow(context, &access, &attempt, &request_id).await;
        if !matches!(outcome, Outcome::InProgress { .. }) {
            told(&outcome);
        }
    }
    let session = match &outcome {
        Outcome::Succeeded { .. } if operation == Operation::Create => {
            context.aws.session_seconds(&tuple).await
        }
        _ => None,
    };
    record_outcome(context, access.clone(), &attempt, &outcome, session).await?;
    match outcome {
        Outcome::Failed(error) | Outcome::Unknown(error) => Err(Failure::Aws(error)),
        Outcome::NotSent => Err(Failure::NotSent),
        Outcome::Succeeded { .. } | Outcome::InProgress { .. } => {
            context.memory.update(&name, |tuple| tuple.trouble = None);
            if context.shutdown.is_cancelled() {
                return Err(Failure::ShuttingDown);
            }
            if operation == Operation::Delete && matches!(outcome, Outcome::Succeeded { .. }) {
                unmark(context, &access).await;
                return Ok(Sent::Deleted);
            }
            Ok(Sent::Other)
        }
    }
}

/// Follows an operation that AWS works on. For a while it keeps its place at the desk, because it
/// keeps its place in AWS's limit. The id is a hint: what can't be followed is left to a listing, and
/// so is what takes long, or what a revoke of the same access waits for.
async fn follow(
    context: &Context,
    access: &BreakglassAccess,
    attempt: &Attempt,
    request_id: &str,
) -> Outcome {
    let name = access.metadata.name.as_deref().unwrap_or_default();
    context.memory.update(name, |tuple| {
        tuple.pending_request_id = Some(request_id.to_owned());
    });
    context.wakers.access(name);
    let patience = Instant::now() + FOLLOWED;
    let in_progress = || Outcome::InProgress {
        request_id: request_id.to_owned(),
    };
    let mut interval = Duration::from_millis(250);
    let mut unreadable = 0;
    let outcome = loop {
        tokio::select! {
            biased;
            () = tokio::time::sleep(interval) => {}
            () = context.shutdown.cancelled() => break in_progress(),
        }
        if attempt.operation == Operation::Create && is_urgent() {
            break in_progress();
        }
        interval = (interval * 2).min(Duration::from_secs(4));
        match context
            .aws
            .progress(&access.spec.tuple, attempt.operation, request_id)
            .await
        {
            Ok(Outcome::InProgress { .. }) if Instant::now() < patience => unreadable = 0,
            Ok(outcome) => break outcome,
            Err(error) if error.class == Class::Throttled && Instant::now() < patience => {}
            Err(error) => {
                // Gone, or unreadable: AWS keeps ids for a time that it does not tell.
                unreadable += 1;
                if unreadable >= 3 || error.class == Class::Gone || Instant::now() >= patience {
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
        let deleting = outstanding_until(
            &access.spec,
            Operation::Delete,
            attempt.written_at,
            &context.settings,
        )
        .is_some();
        if attempt.operation == Operation::Delete && matches!(outcome, Outcome::Succeeded { .. }) {
            deleted(&mut access.spec, now, &context.settings);
        }
        let ours = is_deleter(&access.spec, &context.me);
        let created =
            attempt.operation == Operation::Create && matches!(outcome, Outcome::Succeeded { .. });
        if created && ours && !deleting {
            activate(&mut access.spec, now, session_seconds, |claim| {
                spoken_for.contains(&claim.uid)
            });
        }
        match context.write_access(&access).await {
            Ok(_) => return Ok(()),
            Err(ClusterError::Conflict(_)) => match context.cluster.access(&name).await? {
                Some(current) => access = current,
                None => return Ok(()),
            },
            Err(error) => return Err(error.into()),
        }
    }
    Err(Failure::Restless)
}

/// Marks a membership as ours for people, before it is made. Best effort: it decides nothing, and
/// holds nothing up for long.
pub(super) async fn mark(context: &Context, access: &BreakglassAccess) {
    let begun = context.clock.now();
    let Some(expiry) = due_claims(&access.spec, begun)
        .map(|claim| claim.expiry_time)
        .max()
    else {
        return;
    };
    let name = access.metadata.name.as_deref().unwrap_or_default();
    // A turn that is decided again finds it there.
    if context.memory.get(name).tagged == Some(expiry) {
        return;
    }
    let tag = context.aws.mark(&access.spec.tuple, expiry);
    if tagged(context, access, audit::Action::Tag, begun, tag).await {
        context
            .memory
            .update(name, |tuple| tuple.tagged = Some(expiry));
    }
}

/// Takes the mark off, after the membership is gone: the other order would forget who is a member.
async fn unmark(context: &Context, access: &BreakglassAccess) {
    let begun = context.clock.now();
    let name = access.metadata.name.as_deref().unwrap_or_default();
    context.memory.update(name, |tuple| tuple.tagged = None);
    let tag = context.aws.unmark(&access.spec.tuple);
    tagged(context, access, audit::Action::Untag, begun, tag).await;
}

/// Waits for the answer and tells of it. True if the tag was changed.
async fn tagged(
    context: &Context,
    access: &BreakglassAccess,
    action: audit::Action<'_>,
    begun: Timestamp,
    tag: impl Future<Output = Option<Outcome>>,
) -> bool {
    let in_doubt = |_| {
        let error = AwsError::new("iam", Class::OutcomeUnknown, "no answer in time");
        Some(Outcome::Unknown(error))
    };
    let outcome = tokio::time::timeout(TAGGED_WITHIN, tag).await;
    let Some(outcome) = outcome.unwrap_or_else(in_doubt) else {
        return false; // There is nothing to put a tag on.
    };
    if let Outcome::Failed(error) | Outcome::Unknown(error) = &outcome {
        tracing::info!(%error, "the marker tag could not be changed; it decides nothing");
    }
    context.audit.write(&audit::Write {
        access,
        action,
        outcome: &outcome,
        begun,
        ended: context.clock.now(),
    });
    matches!(outcome, Outcome::Succeeded { .. })
}
