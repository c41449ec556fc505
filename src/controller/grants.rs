//! The life of a grant: read, decide, act, tell, let go.

use std::sync::Arc;
use std::time::Duration;

use kube::core::DynamicObject;
use kube::runtime::controller::Action;

use super::claims;
use super::cluster::{Error as ClusterError, set_status};
use super::context::Context;
use super::told::PAUSE;
use super::{events, wake};
use crate::api::access::AccessState;
use crate::api::conditions;
use crate::api::grant::BreakglassGrantStatus;
use crate::aws::MANAGEMENT_RETRY;
use crate::clock::after;
use crate::decide::grant::{Decision, Next, Standing, decide, next_wake};
use crate::decide::grant_status::status;
use crate::decide::grant_verdict::Facts;
use crate::decide::grant_view::GrantView;
use crate::decide::policy::{Management, Protected, Ruling};

/// Why a grant could not be looked after.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The API server failed us.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// The object lacks what the API server always sets.
    #[error("the grant has no uid, name or creation time")]
    Unreadable,
}

/// Looks after one grant.
pub async fn reconcile(object: Arc<DynamicObject>, context: Arc<Context>) -> Result<Action, Error> {
    let now = context.clock.now();
    if !context.leadership.is_ours() || !context.synced() {
        return Ok(wake::at(now, None)); // Becoming leader, and being synced, look at all grants again.
    }
    let mut view = GrantView::parse(&object).ok_or(Error::Unreadable)?;
    let request_waits = hurry_if_asked(&context, &view);
    let access = context.access_of(&view.uid);
    let mut standing = Standing::in_access(access.as_ref(), &view.uid);
    let look = |now, protected: &Protected| {
        let policies = context.policies();
        decide(
            &view,
            standing,
            &policies,
            protected,
            now,
            &context.settings,
        )
    };
    let mut decision = look(now, &context.protected());
    let mut retry = None;
    let denied = |decision: &Decision| matches!(decision.ruling, Some(Ruling::Denied { .. }));
    if context.aws.management() == Management::Unknown
        && denied(&decision)
        && !denied(&look(now, &context.protected().but_management()))
    {
        // A star in a policy may cover the account after all.
        if context.aws.learn_management().await == Management::Unknown {
            retry = Some(after(now, MANAGEMENT_RETRY));
        }
        decision = look(context.clock.now(), &context.protected());
    }
    let Decision { next, ruling } = decision;
    let mut object = DynamicObject::clone(&object);
    let claimed;
    let mut release = false;
    let mut later = false;
    match next {
        Next::Nothing => {}
        Next::Claim(_) | Next::MoveExpiry(..) if context.observe => {}
        Next::Claim(allowance) => {
            let claiming = claims::claim(&context, &view, &allowance).await?;
            retry = claiming.retry.or(retry);
            if let Some(current) = claiming.grant {
                view = GrantView::parse(&current).ok_or(Error::Unreadable)?;
                object = current;
            }
            claimed = claiming.access;
            standing = Standing::in_access(claimed.as_ref(), &view.uid);
        }
        Next::MoveExpiry(expiry) => {
            let access = access
                .as_ref()
                .and_then(|access| access.metadata.name.as_deref())
                .unwrap_or_default();
            claims::move_expiry(&context, access, &view, expiry).await?;
        }
        Next::Release => {
            if matches!(standing, Standing::Unclaimed)
                && !claims::never_claimed(&context, &view).await?
            {
                // The watch of the ledger is behind; what can't be seen must not be told as an end.
                return Ok(wake::at(now, Some(after(now, Duration::from_secs(1)))));
            }
            release = true;
        }
    }
    let shown = show(
        &context,
        &mut object,
        &view,
        standing,
        ruling.as_ref(),
        request_waits,
    )
    .await;
    match shown {
        // After its status, which is the last word on a grant that goes. Whoever refuses the status
        // must not hang a namespace for it.
        Ok(_) | Err(Error::Cluster(ClusterError::Refused(..))) if release => {
            release_now(&context, &view, &object).await?;
        }
        shown => later = shown? == Shown::Later,
    }
    let later = later.then(|| after(now, PAUSE));
    let next = [
        next_wake(&view, standing, now, &context.settings),
        retry,
        later,
    ]
    .into_iter()
    .flatten()
    .min();
    Ok(wake::at(now, next))
}

/// Takes our finalizer off, if the grant is still as it was judged. The watch shows no finalizers of others, so they are
/// read first.
async fn release_now(
    context: &Context,
    view: &GrantView,
    judged: &DynamicObject,
) -> Result<(), ClusterError> {
    let Some(current) = context.cluster.grant(&view.reference).await? else {
        return Ok(());
    };
    let (now, then) = (&current.metadata, &judged.metadata);
    if now.uid != then.uid {
        return Ok(());
    }
    if now.resource_version != then.resource_version {
        return Err(ClusterError::Conflict("patch finalizers"));
    }
    context.cluster.remove_finalizer(&current).await
}

/// A new value of the annotation asks for everything to be looked at now. True while that is still
/// to be done.
fn hurry_if_asked(context: &Context, view: &GrantView) -> bool {
    let Some(request) = view.requested_at.as_ref() else {
        return false;
    };
    let handled = view.status.last_handled_request.as_ref() == Some(request);
    if handled {
        context.requests.forget(&view.uid);
    }
    let is_new = !handled && context.take_up(&view.uid, request);
    let Some(access) = context.access_of(&view.uid) else {
        if is_new {
            context.set_obstacle(&view.uid, view.generation, None);
        }
        return false; // Names and policies are looked up in this very pass.
    };
    let name = access.metadata.name.unwrap_or_default();
    if is_new {
        context.memory.hurry(&name);
        context.wakers.access(&name);
    }
    // AWS is read again only for what is open; everything else is under way in any case.
    let open = access.spec.state == AccessState::Open;
    !handled && open && !context.memory.get(&name).has_looked()
}

/// Whether the status says what it should.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shown {
    Now,
    /// It did, and somebody else has just said otherwise.
    Later,
}

/// Tells how the grant stands, if that has changed.
async fn show(
    context: &Context,
    object: &mut DynamicObject,
    view: &GrantView,
    standing: Standing<'_>,
    ruling: Option<&Ruling>,
    request_waits: bool,
) -> Result<Shown, Error> {
    let obstacle = context
        .obstacle(&view.uid, view.generation)
        .map(|(obstacle, _)| obstacle);
    let facts = Facts {
        view,
        standing,
        ruling,
        obstacle: obstacle.as_ref(),
        observe: context.observe,
        request_waits,
        now: context.clock.now(),
        settings: &context.settings,
    };
    let new = status(&facts);
    if new == view.status {
        return Ok(Shown::Now);
    }
    if context.told.was_told(&view.uid, &new) {
        return Ok(Shown::Later);
    }
    let old = view.status.clone();
    set_status(object, &new);
    let written = context.cluster.replace_grant_status(object).await;
    context.told.remember(&view.uid, &new, &written);
    *object = written?;
    announce(context, object, &old, &new).await;
    Ok(Shown::Now)
}

async fn announce(
    context: &Context,
    object: &DynamicObject,
    old: &BreakglassGrantStatus,
    new: &BreakglassGrantStatus,
) {
    let reason = |status: &BreakglassGrantStatus, kind| {
        conditions::find(&status.conditions, kind).map(|condition| condition.reason.clone())
    };
    let news = [
        conditions::READY,
        conditions::STALLED,
        conditions::REVOKE_OVERDUE,
    ]
    .iter()
    .any(|kind| reason(old, kind) != reason(new, kind));
    if old.state == new.state && !news {
        return;
    }
    let Some(after) = conditions::find(&new.conditions, conditions::READY) else {
        return;
    };
    let meta = &object.metadata;
    let (stalled, overdue) = (
        reason(new, conditions::STALLED),
        reason(new, conditions::REVOKE_OVERDUE).is_some(),
    );
    if stalled.is_some() || overdue {
        tracing::warn!(
            grant = meta.name, namespace = meta.namespace, uid = meta.uid, from = ?old.state, to = ?new.state,
            reason = after.reason, why = after.message, stalled, overdue, "grant"
        );
    } else {
        tracing::info!(
            grant = meta.name, namespace = meta.namespace, uid = meta.uid, from = ?old.state, to = ?new.state,
            reason = after.reason, why = after.message, "grant"
        );
    }
    events::publish(context, object, new, after).await;
}
