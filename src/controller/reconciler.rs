//! kube's controller, with what it lacks: a panic met on one object ends nothing, failures are
//! counted for each object, and every failure is followed by another look.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::{FutureExt, Stream, StreamExt, TryStreamExt};
use kube::core::{ApiResource, DynamicObject};
use kube::runtime::controller::Action;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::{Controller, WatchStreamExt, watcher};
use tokio::sync::{broadcast, mpsc};

use super::context::Context;
use super::wake;
use super::watch::{self, Events, Mirror};
use crate::telemetry::chain;

/// What one controller works on.
pub struct Work {
    /// For logs: `grant` or `access`.
    pub kind: &'static str,
    /// The kind as the API server names it.
    pub resource: ApiResource,
    /// The objects as last seen.
    pub mirror: Mirror,
    /// The watch that fills the mirror.
    pub events: Events,
    /// Objects to look at for another reason than a change of their own.
    pub woken: mpsc::UnboundedReceiver<ObjectRef<DynamicObject>>,
    /// Reasons to look at all of them.
    pub all: broadcast::Receiver<()>,
}

impl std::fmt::Debug for Work {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Work")
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

/// Looks after all objects of a kind until the process ends. `reconcile` says when it wants to see
/// an object again; a failure is followed by another look soon.
pub async fn run<E, F>(
    work: Work,
    context: Arc<Context>,
    reconcile: impl Fn(Arc<DynamicObject>, Arc<Context>) -> F + Send + Sync + 'static,
) where
    E: std::error::Error + Send + 'static,
    F: Future<Output = Result<Action, E>> + Send + 'static,
{
    let Work {
        kind,
        resource,
        mirror,
        events,
        mut woken,
        all,
    } = work;
    let failures = Arc::new(Failures::default());
    let store = mirror.store();
    let shutdown = context.shutdown.clone();
    let key_of = {
        let resource = resource.clone();
        move |object: &DynamicObject| ObjectRef::from_obj_with(object, resource.clone())
    };
    let looked_after = move |object: Arc<DynamicObject>, context: Arc<Context>| {
        let key = key_of(&object);
        let failures = Arc::clone(&failures);
        let all_objects = store.clone();
        let reconciled = reconcile(object, Arc::clone(&context));
        async move {
            let failure = match unpanicked(reconciled).await {
                Some(Ok(action)) => {
                    failures.forget(&key);
                    return Ok::<_, std::convert::Infallible>(action);
                }
                Some(Err(error)) => chain(&error),
                None => {
                    context.metrics.panics.inc();
                    "a bug: it panicked".to_owned()
                }
            };
            let (tries, pause) = failures.count(&key, &all_objects, &context);
            if tries > 3 {
                tracing::warn!(
                    kind,
                    name = key.name,
                    namespace = key.namespace,
                    tries,
                    failure,
                    "can't be looked after"
                );
            } else {
                tracing::debug!(
                    kind,
                    name = key.name,
                    namespace = key.namespace,
                    tries,
                    failure,
                    "will be looked at again"
                );
            }
            Ok(Action::requeue(pause))
        }
    };
    Controller::for_stream_with(events.touched_objects(), mirror.store(), resource)
        .reconcile_on(futures::stream::poll_fn(move |cx| woken.poll_recv(cx)))
        .reconcile_all_on(ticks(all))
        .graceful_shutdown_on(shutdown.cancelled_owned())
        .run(looked_after, |_, never, _| match *never {}, context)
        // What goes wrong with the watch is told where it is read; an object that is gone is no news.
        .for_each(|_| std::future::ready(()))
        .await;
}

/// Failures in a row, by object: kube's own error policy knows no count.
#[derive(Debug, Default)]
struct Failures(Mutex<HashMap<ObjectRef<DynamicObject>, u32>>);

impl Failures {
    /// How often it has failed now, and how long to wait.
    fn count(
        &self,
        key: &ObjectRef<DynamicObject>,
        all: &Store<DynamicObject>,
        context: &Context,
    ) -> (u32, Duration) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // What went while it failed never succeeds.
        if counts.len() > all.len() {
            counts.retain(|key, _| all.get(key).is_some());
        }
        let tries = counts.entry(key.clone()).or_default();
        *tries = tries.saturating_add(1);
        // An expiry must not wait for a long pause, so none is longer than half a minute.
        let cap = context.settings.retry_cap.min(Duration::from_secs(30));
        (
            *tries,
            wake::backoff(
                *tries - 1,
                cap,
                context.spread(&key.name, context.clock.now()),
            ),
        )
    }

    fn forget(&self, key: &ObjectRef<DynamicObject>) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(key);
    }
}

/// Runs a future; none if it panicked. A bug met on one object must not end the work on all others.
pub async fn unpanicked<T>(future: impl Future<Output = T>) -> Option<T> {
    if let Ok(value) = AssertUnwindSafe(future).catch_unwind().await {
        Some(value)
    } else {
        tracing::error!("a bug: caught a panic; what panicked is tried again");
        None
    }
}

fn ticks(receiver: broadcast::Receiver<()>) -> impl Stream<Item = ()> {
    futures::stream::unfold(receiver, |mut receiver| async move {
        match receiver.recv().await {
            Ok(()) | Err(broadcast::error::RecvError::Lagged(_)) => Some(((), receiver)),
            Err(broadcast::error::RecvError::Closed) => None,
        }
    })
}

/// A change of a grant concerns the access that it claims, its deletion above all. A listing may
/// have brought any change: `everything` is looked at.
pub fn tap_grants(
    events: Events,
    context: Arc<Context>,
    everything: impl Fn() + Send + 'static,
) -> Events {
    events
        .inspect_ok(move |event| {
            if matches!(event, watcher::Event::InitDone) {
                everything();
            }
            let (watcher::Event::Apply(grant) | watcher::Event::Delete(grant)) = event else {
                return;
            };
            let uid = grant.metadata.uid.as_deref().unwrap_or_default();
            if let Some(access) = context.index.access_of(uid) {
                context.wakers.access(&access);
            }
        })
        .inspect_err(|error| {
            tracing::warn!(error = chain(error), "the grants can't be watched");
        })
        .boxed()
}

/// A change of an access concerns the grants that it names. A listing may have brought any change:
/// `everything` is looked at.
pub fn tap_accesses(
    events: Events,
    context: Arc<Context>,
    everything: impl Fn() + Send + 'static,
) -> Events {
    events
        .inspect_ok(move |event| {
            context.take_in(event);
            if matches!(event, watcher::Event::InitDone) {
                everything();
            }
            if let watcher::Event::Apply(access) | watcher::Event::Delete(access) = event {
                for grant in watch::grants_of(access) {
                    context.wakers.grant(&grant);
                }
            }
        })
        .inspect_err(|error| {
            tracing::warn!(error = chain(error), "the accesses can't be watched");
        })
        .boxed()
}

#[cfg(test)]
mod tests {
    use super::unpanicked;

    #[tokio::test]
    async fn a_panic_is_caught_and_what_does_not_panic_is_passed_on() {
        assert_eq!(unpanicked(async { 7 }).await, Some(7));
        let unlucky = async { panic!("for this test") };
        assert_eq!(unpanicked::<()>(unlucky).await, None);
    }
}
