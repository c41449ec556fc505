//! The shell: reads, asks [`decide`](crate::decide), and acts.
//!
//! - [`grants`], [`claims`]: a grant becomes a claim in the ledger;
//! - [`accesses`]: what ended is booked, and turns at AWS are asked for;
//! - [`executor`]: carries the ledger protocol out, [`offline`] without the API server;
//! - [`policies`], [`watch`], [`cluster`], [`quorum`]: what is read, and how;
//! - [`wake`], [`memory`]: when to look again; [`leader`]: whose turn it is.

pub mod access_status;
pub mod accesses;
pub mod claims;
pub mod cluster;
pub mod context;
pub mod events;
pub mod executor;
pub mod grants;
pub mod leader;
pub mod memory;
pub mod offline;
pub mod policies;
pub mod quorum;
pub mod startup;
pub mod wake;
pub mod watch;

use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use futures::{FutureExt, Stream, StreamExt, TryStreamExt};
use kube::core::DynamicObject;
use kube::runtime::controller::Action;
use kube::runtime::events::{Recorder, Reporter};
use kube::runtime::reflector::ObjectRef;
use kube::runtime::{Controller, WatchStreamExt, watcher};
use kube::{Api, Client};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::api::access::Holder;
use crate::aws::desk::Desk;
use crate::aws::{Aws, ConnectError};
use crate::clock::Clock;
use crate::config::Config;
use crate::telemetry::audit::Audit;
use crate::telemetry::http;
use crate::telemetry::metrics::Metrics;
use cluster::Cluster;
use context::{Context, RecorderDebug, Wakers};
use leader::Leadership;
use memory::Memory;
use watch::{Events, Index, Mirror};

/// How the controller is started.
#[derive(Debug)]
pub struct Options {
    /// The configuration file's content.
    pub config: Config,
    /// Whether to decide and report only.
    pub observe: bool,
    /// Where probes and metrics are served.
    pub listen: SocketAddr,
    /// File for audit lines; none means standard output.
    pub audit: Option<PathBuf>,
    /// This run of this process.
    pub me: Holder,
}

/// Why the controller ended, or could not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The API server's definitions do not fit.
    #[error(transparent)]
    Startup(#[from] startup::Error),
    /// AWS can't be used as configured.
    #[error(transparent)]
    Aws(#[from] ConnectError),
    /// No cluster is configured.
    #[error(
        "no Kubernetes cluster to work with: set KUBECONFIG, or run in a pod with a service account ({0})"
    )]
    Cluster(String),
    /// The port can't be had.
    #[error("cannot listen on {0}: choose another port with --listen")]
    Listen(SocketAddr, #[source] std::io::Error),
    /// The audit file can't be had.
    #[error("cannot write the audit file {}", .0.display())]
    Audit(PathBuf, #[source] std::io::Error),
}

/// A client for the cluster of KUBECONFIG or of the pod. kube's own retries are off: they would
/// hold a call up for minutes, and every caller decides anew what to do.
pub async fn client() -> Result<Client, Error> {
    let mut config = kube::Config::infer()
        .await
        .map_err(|error| Error::Cluster(error.to_string()))?;
    config.default_retry = false;
    Client::try_from(config).map_err(|error| Error::Cluster(error.to_string()))
}

/// Runs the controller until `shutdown`.
pub async fn run(
    client: Client,
    clock: Clock,
    options: Options,
    shutdown: CancellationToken,
) -> Result<(), Error> {
    let listener = http::bind(options.listen)
        .await
        .map_err(|error| Error::Listen(options.listen, error))?;
    let audit = match &options.audit {
        None => Audit::stdout(),
        Some(path) => Audit::file(path).map_err(|error| Error::Audit(path.clone(), error))?,
    };
    let desk = Desk::new(&options.config.settings);
    let aws = Aws::connect(&options.config, desk.clone(), clock.clone()).await?;
    tokio::select! {
        checked = startup::check(&client) => checked?,
        () = shutdown.cancelled() => return Ok(()),
    }
    let namespace = client.default_namespace().to_owned();
    let cluster = Cluster::new(client.clone());
    let relist = options.config.settings.relist_interval;
    let (grants, grant_events) =
        Mirror::watch(cluster.all_grants(), cluster::grant_resource(), relist);
    let (accesses, access_events) =
        Mirror::watch(cluster.all_accesses(), cluster::access_resource(), relist);
    let (policies, policy_events) =
        Mirror::watch(cluster.all_policies(), cluster::policy_resource(), relist);
    let (policy_sender, policy_receiver) = tokio::sync::watch::channel(None);
    let (wake_grants, woken_grants) = mpsc::unbounded_channel();
    let (wake_accesses, woken_accesses) = mpsc::unbounded_channel();
    let (wake_all, _) = tokio::sync::broadcast::channel(16);
    let reporter = Reporter {
        controller: "breakglass-controller".into(),
        instance: Some(options.me.pod.clone()),
    };
    let context = Arc::new(Context {
        cluster,
        aws,
        desk,
        clock: clock.clone(),
        settings: options.config.settings,
        me: options.me,
        observe: options.observe,
        protected_accounts: options.config.protected_accounts,
        grants: grants.clone(),
        accesses: accesses.clone(),
        index: Index::default(),
        policies: policy_receiver,
        leadership: Leadership::default(),
        memory: Memory::default(),
        obstacles: std::sync::Mutex::default(),
        wakers: Wakers {
            grants: wake_grants,
            accesses: wake_accesses,
        },
        audit,
        metrics: Metrics::default(),
        recorder: RecorderDebug(Recorder::new(client.clone(), reporter)),
        attempts: AtomicU64::new(0),
    });
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        pod = context.me.pod,
        run = context.me.run,
        observe = context.observe,
        namespace,
        "breakglass controller"
    );

    let tasks = TaskTracker::new();
    tasks.spawn(http::serve(
        listener,
        Arc::clone(&context),
        shutdown.clone(),
    ));
    tasks.spawn(report_aws_problems(Arc::clone(&context), shutdown.clone()));
    let everything = {
        let wake_all = wake_all.clone();
        move || drop(wake_all.send(()))
    };
    let leases = Api::namespaced(client, &namespace);
    let identity = format!("{}/{}", context.me.pod, context.me.run);
    // The lease is given up last, when nothing of ours runs any more.
    let resign = CancellationToken::new();
    let election = tokio::spawn(leader::run(
        leases,
        identity,
        clock,
        context.leadership.clone(),
        resign.clone(),
        everything.clone(),
    ));
    let watch_policies = policies::run(
        Arc::clone(&context),
        policies,
        policy_events,
        policy_sender,
        everything.clone(),
    );
    tasks.spawn(until(shutdown.clone(), watch_policies));
    tasks.spawn(until(
        shutdown.clone(),
        announce_sync(Arc::clone(&context), everything),
    ));
    tasks.spawn(executor::run(Arc::clone(&context), shutdown.clone()));
    tasks.spawn(controller(
        "grant",
        grants,
        tap_grants(grant_events, Arc::clone(&context)),
        (woken_grants, wake_all.subscribe()),
        Arc::clone(&context),
        shutdown.clone(),
        grants::reconcile,
        || grants::Error::Panicked,
    ));
    tasks.spawn(controller(
        "access",
        accesses,
        tap_accesses(access_events, Arc::clone(&context)),
        (woken_accesses, wake_all.subscribe()),
        Arc::clone(&context),
        shutdown.clone(),
        accesses::reconcile,
        || accesses::Error::Panicked,
    ));
    tasks.close();
    tasks.wait().await;
    offline::give_up(&context).await;
    resign.cancel();
    drop(election.await);
    tracing::info!("stopped");
    Ok(())
}

/// A kube controller over one mirror.
#[expect(
    clippy::too_many_arguments,
    reason = "called twice, each argument a different thing"
)]
async fn controller<E, F>(
    kind: &'static str,
    mirror: Mirror,
    events: Events,
    (woken, all): (
        mpsc::UnboundedReceiver<ObjectRef<DynamicObject>>,
        tokio::sync::broadcast::Receiver<()>,
    ),
    context: Arc<Context>,
    shutdown: CancellationToken,
    reconcile: impl Fn(Arc<DynamicObject>, Arc<Context>) -> F + Clone + Send + 'static,
    panicked: impl Fn() -> E + Clone + Send + 'static,
) where
    E: std::error::Error + Send + 'static,
    F: Future<Output = Result<Action, E>> + Send + 'static,
{
    let resource = if kind == "grant" {
        cluster::grant_resource()
    } else {
        cluster::access_resource()
    };
    let failures = Arc::new(Failures::default());
    let ours = move |object: Arc<DynamicObject>, context: Arc<Context>| {
        let (reconcile, panicked, failures) =
            (reconcile.clone(), panicked.clone(), Arc::clone(&failures));
        async move {
            let key = ObjectRef::from_obj_with(
                &*object,
                if kind == "grant" {
                    cluster::grant_resource()
                } else {
                    cluster::access_resource()
                },
            );
            let result = match unpanicked(reconcile(object, Arc::clone(&context))).await {
                Some(result) => result,
                None => {
                    context.metrics.panics.inc();
                    Err(panicked())
                }
            };
            match result {
                Ok(action) => {
                    failures.forget(&key);
                    Ok(action)
                }
                Err(error) => {
                    let pause = failures.count(&key, &context);
                    tracing::debug!(
                        kind,
                        name = key.name,
                        error = &error as &dyn std::error::Error,
                        ?pause,
                        "will be looked at again"
                    );
                    Ok::<_, E>(Action::requeue(pause))
                }
            }
        }
    };
    let woken = futures::stream::poll_fn({
        let mut woken = woken;
        move |cx| woken.poll_recv(cx)
    });
    Controller::for_stream_with(events.touched_objects(), mirror.store(), resource)
        .reconcile_on(woken)
        .reconcile_all_on(ticks(all))
        .graceful_shutdown_on(shutdown.cancelled_owned())
        // Every failure has been turned into a pause of its own above.
        .run(
            ours,
            |_, _, _| Action::requeue(Duration::from_secs(1)),
            context,
        )
        .for_each(|result| async move {
            match result {
                Ok(_) | Err(kube::runtime::controller::Error::ObjectNotFound(_)) => {}
                Err(error) => {
                    tracing::debug!(kind, error = &error as &dyn std::error::Error, "watch")
                }
            }
        })
        .await;
}

/// Failures in a row, by object: kube's own error policy knows no count.
#[derive(Debug, Default)]
struct Failures(std::sync::Mutex<std::collections::HashMap<ObjectRef<DynamicObject>, u32>>);

impl Failures {
    fn count(&self, key: &ObjectRef<DynamicObject>, context: &Context) -> Duration {
        let mut counts = self
            .0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let tries = counts.entry(key.clone()).or_default();
        *tries = tries.saturating_add(1);
        // An expiry must not wait for a long pause, so none is longer than half a minute.
        let cap = context.settings.retry_cap.min(Duration::from_secs(30));
        wake::backoff(
            *tries - 1,
            cap,
            context.spread(&key.name, context.clock.now()),
        )
    }

    fn forget(&self, key: &ObjectRef<DynamicObject>) {
        self.0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .remove(key);
    }
}

/// Runs a future; none if it panicked. A bug met on one object must not end access to none of the others.
async fn unpanicked<T>(future: impl Future<Output = T>) -> Option<T> {
    match AssertUnwindSafe(future).catch_unwind().await {
        Ok(value) => Some(value),
        Err(_) => {
            tracing::error!("a bug: caught a panic; what panicked is tried again");
            None
        }
    }
}

async fn until(shutdown: CancellationToken, future: impl Future<Output = ()>) {
    tokio::select! {
        () = future => {}
        () = shutdown.cancelled() => {}
    }
}

fn ticks(receiver: tokio::sync::broadcast::Receiver<()>) -> impl Stream<Item = ()> {
    futures::stream::unfold(receiver, |mut receiver| async move {
        match receiver.recv().await {
            Ok(()) | Err(tokio::sync::broadcast::error::RecvError::Lagged(_)) => {
                Some(((), receiver))
            }
            Err(tokio::sync::broadcast::error::RecvError::Closed) => None,
        }
    })
}

/// A change of a grant concerns the access that it claims, its deletion above all.
fn tap_grants(events: Events, context: Arc<Context>) -> Events {
    events
        .inspect_ok(move |event| {
            let (watcher::Event::Apply(grant) | watcher::Event::Delete(grant)) = event else {
                return;
            };
            let uid = grant.metadata.uid.as_deref().unwrap_or_default();
            if let Some(access) = context.index.access_of(uid) {
                context.wakers.access(&access);
            }
            if matches!(event, watcher::Event::Delete(_)) {
                context.set_obstacle(uid, 0, None);
            }
        })
        .inspect_err(|error| {
            tracing::warn!(
                error = error as &dyn std::error::Error,
                "the grants can't be watched"
            )
        })
        .boxed()
}

/// A change of an access concerns the grants that it names.
fn tap_accesses(events: Events, context: Arc<Context>) -> Events {
    events
        .inspect_ok(move |event| {
            context.index.apply(event);
            if let watcher::Event::Apply(access) | watcher::Event::Delete(access) = event {
                for grant in watch::grants_of(access) {
                    context.wakers.grant(&grant);
                }
            }
        })
        .inspect_err(|error| {
            tracing::warn!(
                error = error as &dyn std::error::Error,
                "the accesses can't be watched"
            )
        })
        .boxed()
}

/// Looks at everything once all kinds have been listed.
async fn announce_sync(context: Arc<Context>, everything: impl Fn()) {
    while !context.synced() {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    tracing::info!("grants, accesses and policies are listed");
    everything();
}

/// Says what is wrong with AWS, until nothing is.
async fn report_aws_problems(context: Arc<Context>, shutdown: CancellationToken) {
    let mut pause = Duration::from_secs(5);
    loop {
        let problems = context.aws.problems().await;
        if problems.is_empty() {
            tracing::info!("AWS answers as configured");
            return;
        }
        for problem in problems {
            tracing::error!("{problem}");
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = shutdown.cancelled() => return,
        }
        pause = (pause * 2).min(Duration::from_secs(300));
    }
}
