//! The policies: read whenever one changes, and told which of them can't be read.

use std::sync::Arc;

use futures::TryStreamExt;
use kube::core::DynamicObject;
use tokio::sync::{broadcast, watch};
use tokio::task::JoinSet;

use super::cluster::set_status;
use super::context::Context;
use super::watch::{Events, Mirror};
use crate::api::conditions::{self, Condition};
use crate::api::policy::BreakglassPolicyStatus;
use crate::api::time::whole_seconds;
use crate::decide::policy::PolicySet;
use crate::telemetry::chain;

/// Reads the policies again at every change, and has everything looked at then. What they are worth
/// is told whenever everything is looked at, when this replica has become the leader above all.
pub async fn run(
    context: Arc<Context>,
    mirror: Mirror,
    mut events: Events,
    policies: watch::Sender<Option<Arc<PolicySet>>>,
    everything: broadcast::Sender<()>,
) {
    let mut known = Vec::new();
    let mut look = everything.subscribe();
    let mut telling = JoinSet::new();
    loop {
        let event = tokio::select! {
            biased;
            event = events.try_next() => event,
            _ = look.recv() => {
                // It must not hold up the next policy, a Deny perhaps.
                telling.spawn(show_all(Arc::clone(&context), mirror.all()));
                while telling.try_join_next().is_some() {}
                continue;
            }
        };
        match event {
            Ok(Some(_)) if mirror.listed().is_some() => {}
            Ok(Some(_)) => continue, // Some of them may still be missing, a Deny perhaps.
            Ok(None) => return,
            Err(error) => {
                tracing::warn!(error = chain(&error), "the policies can't be watched");
                continue;
            }
        }
        let all = mirror.all();
        // A status that was written is an event too, and concerns nobody.
        let mut now: Vec<_> = all
            .iter()
            .map(|policy| (policy.metadata.uid.clone(), policy.metadata.generation))
            .collect();
        now.sort();
        if policies.borrow().is_some() && now == known {
            continue;
        }
        known = now;
        let set = PolicySet::parse(all.iter().map(AsRef::as_ref));
        policies.send_replace(Some(Arc::new(set)));
        context.memory.policies_changed();
        let _ = everything.send(()); // We listen ourselves.
    }
}

async fn show_all(context: Arc<Context>, policies: Vec<Arc<DynamicObject>>) {
    for policy in &policies {
        if context.leadership.is_ours() && !context.observe {
            show(&context, policy).await;
        }
    }
}

/// Tells on the policy whether it can be read. What can't be told is told at the next change.
async fn show(context: &Context, policy: &DynamicObject) {
    let name = policy.metadata.name.as_deref().unwrap_or_default();
    let set = PolicySet::parse([policy]);
    let (holds, reason, message) = match set.readable() {
        Ok(()) if set.admits_nothing() => (
            false,
            "AdmitsNothing",
            "An Allow policy without maxDuration admits nothing: set it.".to_owned(),
        ),
        Ok(()) => (true, "InForce", "The policy is in force.".to_owned()),
        Err(why) => (
            false,
            "Unreadable",
            format!("Nothing new is given anywhere until this is mended: {why}."),
        ),
    };
    let old: BreakglassPolicyStatus = policy
        .data
        .get("status")
        .and_then(|status| serde_json::from_value(status.clone()).ok())
        .unwrap_or_default();
    let condition = |kind: &str, status: bool| Condition {
        kind: kind.to_owned(),
        status: status.into(),
        reason: reason.to_owned(),
        message: message.clone(),
        last_transition_time: whole_seconds(context.clock.now()),
        observed_generation: policy.metadata.generation,
    };
    let mut list = vec![condition(conditions::READY, holds)];
    if !holds {
        list.push(condition(conditions::STALLED, true));
    }
    let new = BreakglassPolicyStatus {
        observed_generation: policy.metadata.generation,
        conditions: conditions::merge(&old.conditions, list),
    };
    if new == old {
        return;
    }
    if !holds {
        tracing::error!(policy = name, why = message, "a policy is of no use");
    }
    let mut object = policy.clone();
    set_status(&mut object, &new);
    if let Err(error) = context.cluster.replace_policy_status(&object).await {
        tracing::debug!(policy = name, %error, "the status of a policy could not be written");
    }
}
