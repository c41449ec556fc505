//! Claims: pinning the tuple of a grant and writing it into the ledger. Nothing is given here.

use std::time::Duration;

use jiff::Timestamp;
use kube::core::DynamicObject;

use super::accesses::new_access;
use super::cluster::{Error as ClusterError, set_status};
use super::context::Context;
use super::wake;
use crate::api::access::{BreakglassAccess, BreakglassAccessSpec, Claim};
use crate::api::grant::BreakglassGrantStatus;
use crate::api::time::{whole_seconds, writable};
use crate::api::tuple::Tuple;
use crate::aws::ResolveError;
use crate::aws::error::Error as AwsError;
use crate::clock::after;
use crate::decide::grant::over;
use crate::decide::grant_verdict::Obstacle;
use crate::decide::grant_view::{Asked, GrantView};
use crate::decide::policy::{Allowance, Question, Ruling};

/// As many claims, and as many claims and ended ones, as one access holds by its schema.
const MOST_CLAIMS: usize = 64;
const MOST_ENTRIES: usize = 1024;
/// What etcd takes is 1.5 MiB; what must be written into the ledger later has to fit as well.
const MOST_BYTES: usize = 512 * 1024;

/// What came of claiming a tuple for a grant.
#[derive(Debug, Default)]
pub struct Claiming {
    /// The ledger entry, where the claim is in it.
    pub access: Option<BreakglassAccess>,
    /// The grant as it was last read or written.
    pub grant: Option<DynamicObject>,
    /// When to try again.
    pub retry: Option<Timestamp>,
}

/// Pins the tuple of a grant and claims it: finalizer, `status.accessName`, claim, each on the
/// condition that nobody has written in between.
pub async fn claim(
    context: &Context,
    seen: &GrantView,
    allowance: &Allowance,
) -> Result<Claiming, ClusterError> {
    let now = context.clock.now();
    if let Some((obstacle, _)) = context.obstacle(&seen.uid, seen.generation)
        && let Some(retry) = obstacle.retry
        && now < retry
    {
        return Ok(Claiming {
            retry: Some(retry),
            ..Claiming::default()
        });
    }
    let tuple = match pin(context, seen, allowance).await {
        Ok(tuple) => tuple,
        Err(error) => return Ok(set_aside(context, seen, &error)),
    };
    let access_name = tuple.access_name();
    // From here on by quorum, for that may have taken long: the grant and the policies first, then the ledger.
    let Some(mut grant) = context.cluster.grant(&seen.reference).await? else {
        return Ok(Claiming::default());
    };
    let Some(view) = GrantView::parse(&grant) else {
        return Ok(Claiming::default());
    };
    let admitted = admitted_now(context, &view).await?;
    let now = context.clock.now();
    let same = view.uid == seen.uid && view.asked == seen.asked && !over(&view, now);
    let suits = |found: &Allowance| found.managed_groups || !allowance.managed_groups;
    let Some(allowance) = admitted.filter(|found| same && suits(found)) else {
        // Something changed: decide again. The watch may take a moment to show it.
        return Ok(Claiming {
            retry: Some(after(now, Duration::from_secs(1))),
            ..Claiming::default()
        });
    };
    if let Some(access) = claimed_elsewhere(context, &view, &access_name).await? {
        return Ok(Claiming {
            access: Some(access),
            grant: Some(grant),
            retry: None,
        });
    }
    let existing = context.cluster.access(&access_name).await?;
    if let Some(access) = &existing {
        if access.spec.knows(&view.uid) {
            return Ok(Claiming {
                access: existing,
                grant: Some(grant),
                retry: None,
            });
        }
        if let Err(error) = has_room(access, &tuple) {
            return Ok(set_aside(context, seen, &error));
        }
    }
    if !view.finalizer {
        grant = context.cluster.add_finalizer(&grant).await?;
    }
    if view.status.access_name.as_ref() != Some(&access_name) {
        let status = BreakglassGrantStatus {
            access_name: Some(access_name.clone()),
            ..view.status.clone()
        };
        set_status(&mut grant, &status);
        grant = context.cluster.replace_grant_status(&grant).await?;
    }
    let Ok(asked) = &view.asked else {
        return Ok(Claiming::default());
    };
    let claim = new_claim(&view, asked, &allowance);
    let access = match existing {
        None => {
            let spec = BreakglassAccessSpec {
                claims: vec![claim],
                ..BreakglassAccessSpec::new(tuple)
            };
            context.create_access(&new_access(spec)).await?
        }
        Some(mut access) => {
            access.spec.rename(tuple);
            access.spec.claims.push(claim);
            context.write_access(&access).await?
        }
    };
    context.set_obstacle(&view.uid, view.generation, None);
    tracing::info!(
        grant = view.reference.name, namespace = view.reference.namespace, uid = view.uid, access = access_name,
        user = asked.user, target = %asked.target, policy = allowance.policy.name, "claimed"
    );
    context.wakers.access(&access_name);
    Ok(Claiming {
        access: Some(access),
        grant: Some(grant),
        retry: None,
    })
}

/// The other ledger entry that knows the grant, by what its status says: a grant has one tuple for all its life.
async fn claimed_elsewhere(
    context: &Context,
    view: &GrantView,
    access_name: &str,
) -> Result<Option<BreakglassAccess>, ClusterError> {
    let other = view.status.access_name.as_deref();
    let Some(other) = other.filter(|other| *other != access_name) else {
        return Ok(None);
    };
    let other = context.cluster.access(other).await?;
    Ok(other.filter(|access| access.spec.knows(&view.uid)))
}

/// Whether one more claim of that tuple fits. What can't be written at its end must not begin.
fn has_room(access: &BreakglassAccess, tuple: &Tuple) -> Result<(), ResolveError> {
    let ledger = &access.spec;
    let name = access.metadata.name.as_deref().unwrap_or_default();
    if !ledger.tuple.same_ids(tuple) {
        let message = format!("the ledger entry {name} is about another access; report this");
        return Err(ResolveError::stalled("LedgerDamaged", message));
    }
    if ledger.claims.len() >= MOST_CLAIMS {
        let message =
            format!("{MOST_CLAIMS} other grants claim the same access; wait until one ends");
        return Err(ResolveError::stalled("TooManyClaims", message));
    }
    let size = serde_json::to_vec(ledger).map_or(usize::MAX, |bytes| bytes.len());
    if ledger.claims.len() + ledger.ended.len() >= MOST_ENTRIES || size >= MOST_BYTES {
        let message = format!(
            "{} grants of the same access exist, ended ones included; delete some that have ended",
            ledger.claims.len() + ledger.ended.len()
        );
        return Err(ResolveError::stalled("TooManyClaims", message));
    }
    Ok(())
}

/// Finds what the grant names in AWS. Nothing is claimed yet, so this may wait for AWS.
async fn pin(
    context: &Context,
    view: &GrantView,
    allowance: &Allowance,
) -> Result<Tuple, ResolveError> {
    let asked = view
        .asked
        .as_ref()
        .map_err(|why| ResolveError::stalled("InvalidSpec", why.clone()))?;
    let resolved = tokio::select! {
        biased;
        resolved = context.aws.resolve(&asked.user, &asked.target) => resolved?,
        () = context.shutdown.cancelled() => return Err(AwsError::shutting_down().into()),
    };
    if resolved.managed_elsewhere && !allowance.managed_groups {
        let message = format!(
            "{} is synchronised from another directory, which may undo the membership; use a group of its own, or a policy rule with allowManagedGroups: true",
            asked.target
        );
        return Err(ResolveError::stalled("GroupManagedElsewhere", message));
    }
    let name = resolved.tuple.access_name();
    if view.status.granted_time.is_some()
        && view
            .status
            .access_name
            .as_ref()
            .is_some_and(|before| *before != name)
    {
        let message = "user or target have other ids in AWS than when this grant was granted; make a new grant";
        return Err(ResolveError::stalled("IdentityChanged", message));
    }
    Ok(resolved.tuple)
}

fn new_claim(view: &GrantView, asked: &Asked, allowance: &Allowance) -> Claim {
    Claim {
        grant: view.reference.clone(),
        uid: view.uid.clone(),
        spec_hash: asked.hash(),
        start_time: writable(asked.start.unwrap_or(view.created)),
        expiry_time: asked.expiry,
        active_time: None,
        granted_time: None,
        policy: allowance.policy.clone(),
        on_external_removal: allowance.on_external_removal,
        exclusive: allowance.exclusive,
        provenance: view.provenance.clone(),
    }
}

/// Remembers what stands in the way, and when to try again.
fn set_aside(context: &Context, view: &GrantView, error: &ResolveError) -> Claiming {
    let now = context.clock.now();
    let tries = context
        .obstacle(&view.uid, view.generation)
        .map_or(1, |(_, tries)| tries.saturating_add(1));
    // What a person must mend is not asked for every second: an edit is looked at right away.
    let patience = match error {
        ResolveError::Stalled { .. } => 4,
        ResolveError::Aws(_) => 0,
    };
    let pause = wake::backoff(
        tries.saturating_add(patience),
        context.settings.retry_cap,
        context.spread(&view.uid, now),
    );
    let retry = Some(after(now, pause));
    let obstacle = match error {
        ResolveError::Stalled { reason, message } => Obstacle {
            reason: (*reason).to_owned(),
            message: message.clone(),
            stalled: true,
            retry,
        },
        ResolveError::Aws(error) => Obstacle {
            reason: error.class.reason().to_owned(),
            message: error.to_string(),
            stalled: error.class.needs_person(),
            retry,
        },
    };
    tracing::warn!(
        grant = view.reference.name,
        namespace = view.reference.namespace,
        uid = view.uid,
        reason = obstacle.reason,
        why = obstacle.message,
        tries,
        "a grant can't be claimed"
    );
    context.set_obstacle(&view.uid, view.generation, Some((obstacle, tries)));
    Claiming {
        retry,
        ..Claiming::default()
    }
}

/// Writes another end into a claim: earlier always, later only while it still stands and some
/// policy admits it.
pub async fn move_expiry(
    context: &Context,
    access_name: &str,
    view: &GrantView,
    expiry: Timestamp,
) -> Result<(), ClusterError> {
    let Some(mut access) = context.cluster.access(access_name).await? else {
        return Ok(());
    };
    let Some(claim) = access
        .spec
        .claims
        .iter_mut()
        .find(|claim| claim.uid == view.uid)
    else {
        return Ok(());
    };
    // What the watch shows may be older than the claim.
    let Some(current) = unchanged(context, view).await? else {
        return Ok(());
    };
    if expiry > claim.expiry_time {
        let Some(allowance) = admitted_now(context, &current).await? else {
            return Ok(());
        };
        let now = context.clock.now();
        if over(&current, now) || now >= claim.expiry_time {
            return Ok(());
        }
        claim.policy = allowance.policy;
        claim.on_external_removal = allowance.on_external_removal;
    }
    tracing::info!(
        grant = view.reference.name, namespace = view.reference.namespace, uid = view.uid, access = access_name,
        from = %claim.expiry_time, to = %expiry, "expiry moved"
    );
    // Access was due until now, whatever the grant says by now.
    claim.expiry_time = expiry.max(whole_seconds(context.clock.now()));
    context.write_access(&access).await?;
    context.wakers.access(access_name);
    Ok(())
}

/// The grant by a quorum read; none if it asks for something else than was seen.
async fn unchanged(context: &Context, seen: &GrantView) -> Result<Option<GrantView>, ClusterError> {
    let current = context.cluster.grant(&seen.reference).await?;
    Ok(current
        .as_ref()
        .and_then(GrantView::parse)
        .filter(|current| current.uid == seen.uid && current.asked == seen.asked))
}

/// What admits the grant, by a quorum read of the policies; none if nothing does.
async fn admitted_now(
    context: &Context,
    view: &GrantView,
) -> Result<Option<Allowance>, ClusterError> {
    let policies = context.cluster.policies().await?;
    let ruling = Question::of(view).map(|asked| policies.ask(&asked, &context.protected()));
    Ok(match ruling {
        Some(Ruling::Allowed(allowance)) => Some(allowance),
        Some(Ruling::Denied { .. }) | None => None,
    })
}

/// Whether no ledger entry holds a claim of a grant that the watch shows unclaimed.
pub async fn never_claimed(context: &Context, view: &GrantView) -> Result<bool, ClusterError> {
    let Some(name) = &view.status.access_name else {
        return Ok(true);
    };
    let access = context.cluster.access(name).await?;
    Ok(access.is_none_or(|access| access.spec.claims.iter().all(|claim| claim.uid != view.uid)))
}
