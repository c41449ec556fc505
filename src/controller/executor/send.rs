//! One AWS write: sent once, followed to its end, and recorded by its id.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::super::cluster::Error as ClusterError;
use super::super::context::Context;
use super::{Failure, turn};
use crate::api::access::{Attempt, BreakglassAccess, BreakglassAccessSpec, Operation};
use crate::aws::error::{Class, Error as AwsError};
use crate::aws::{Cleared, Outcome, Seen};
use crate::clock::after;
use crate::decide::access::activate;
use crate::decide::ledger::{due_claims, outstanding_until};
use crate::telemetry::audit;

/// How often a record is tried again that somebody else's write got in the way of.
const RECORD_TRIES: usize = 5;

/// Sends what the attempt in the ledger announces, once, and records how it ended.
pub(super) async fn attempt(
    context: &Context,
    access: BreakglassAccess,
    before: &BreakglassAccessSpec,
    operation: Operation,
    shutdown: &CancellationToken,
) -> Result<(), Failure> {
    let Some(attempt) = access.spec.attempt.clone() else {
        return Ok(());
    };
    let name = access.metadata.name.clone().unwrap_or_default();
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
            context.memory.update(&name, |tuple| tuple.trouble = None);
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
        match turn::write(context, &access).await {
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
