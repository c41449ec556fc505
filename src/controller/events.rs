//! Kubernetes Events on grants. Their reasons are part of the API: the new state, why a person must
//! act, or `RevokeOverdue`. An event that can't be written never stops anything.

use kube::Resource;
use kube::core::DynamicObject;
use kube::runtime::events::{Event, EventType};

use super::cluster::grant_resource;
use super::context::Context;
use crate::api::conditions::{self, Condition};
use crate::api::grant::BreakglassGrantStatus;

/// Tells that a grant changed its state, or why it can't.
pub async fn publish(
    context: &Context,
    grant: &DynamicObject,
    status: &BreakglassGrantStatus,
    ready: &Condition,
) {
    let overdue = conditions::find(&status.conditions, conditions::REVOKE_OVERDUE);
    let stalled = conditions::find(&status.conditions, conditions::STALLED);
    let (type_, reason, message) = match (overdue, stalled) {
        (Some(overdue), _) => (
            EventType::Warning,
            overdue.kind.clone(),
            overdue.message.clone(),
        ),
        (None, Some(stalled)) => (
            EventType::Warning,
            stalled.reason.clone(),
            ready.message.clone(),
        ),
        (None, None) => (
            EventType::Normal,
            format!("{:?}", status.state),
            ready.message.clone(),
        ),
    };
    let event = Event {
        type_,
        reason,
        note: Some(note(&message)),
        action: "Reconcile".to_owned(),
        secondary: None,
    };
    let reference = grant.object_ref(&grant_resource());
    let publish = context.recorder.0.publish(&event, &reference);
    match tokio::time::timeout(std::time::Duration::from_secs(5), publish).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "an event could not be written"),
        Err(_) => tracing::debug!("an event could not be written in time"),
    }
}

/// What an event takes, in bytes, and not in characters as elsewhere.
const LONGEST_NOTE: usize = 1024;

/// As much of a message as an event takes.
pub(super) fn note(message: &str) -> String {
    let end = message.floor_char_boundary(LONGEST_NOTE);
    message.get(..end).unwrap_or_default().to_owned()
}
