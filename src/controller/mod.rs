//! The shell: reads, asks [`decide`](crate::decide), and acts.
//!
//! - [`grants`], [`claims`]: a grant becomes a claim in the ledger;
//! - [`accesses`]: what ended is booked, and turns at AWS are asked for;
//! - [`executor`]: carries the ledger protocol out, [`offline`] without the API server;
//! - [`policies`], [`watch`], [`cluster`], [`quorum`]: what is read, and how;
//! - [`wake`], [`memory`]: when to look again; [`leader`]: whose turn it is; [`clock_guard`]: whether
//!   the time is right.

pub mod access_status;
pub mod accesses;
pub mod claims;
pub mod clock_guard;
pub mod cluster;
pub mod context;
pub mod events;
pub mod executor;
pub mod grants;
#[cfg(test)]
mod hostile_tests;
pub mod http;
pub mod leader;
pub mod memory;
pub mod neglect;
pub mod offline;
pub mod policies;
pub mod quorum;
pub mod reconciler;
#[cfg(test)]
mod scripted;
pub mod startup;
pub mod tasks;
pub mod told;
pub mod wake;
pub mod watch;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use aws_config::SdkConfig;
use kube::runtime::events::{Recorder, Reporter};
use kube::{Api, Client};
use tokio::sync::watch::channel as watch_channel;
use tokio::sync::{broadcast, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::api::access::Holder;
use crate::aws::desk::Desk;
use crate::aws::{Aws, ConnectError};
use crate::clock::Clock;
use crate::config::Config;
use crate::telemetry::audit::Audit;
use crate::telemetry::metrics::Metrics;
use cluster::Cluster;
use context::{ByGrant, Context, RecorderDebug, Wakers};
use http::Probes;
use leader::{Candidate, Leadership};
use memory::Memory;
use neglect::Neglect;
use reconciler::Work;
use tasks::{EndedEarly, Tasks};
use watch::{Index, Mirror, Relist};

/// How the controller is started.
#[derive(Debug)]
pub struct Options {
    /// The configuration file's content.
    pub config: Config,
    /// Whether to decide and report only.
    pub observe: bool,
    /// Where probes and metrics are served; none: nowhere.
    pub listen: Option<SocketAddr>,
    /// Where audit lines go.
    pub audit: Audit,
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
    /// A part of the process ended.
    #[error(transparent)]
    EndedEarly(#[from] EndedEarly),
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

/// What the controller knows the world by.
#[derive(Clone)]
pub struct Connections {
    /// The API server.
    pub client: Client,
    /// AWS: see [`crate::aws::environment`].
    pub sdk: SdkConfig,
    /// The time of day.
    pub clock: Clock,
}

impl std::fmt::Debug for Connections {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connections").finish_non_exhaustive()
    }
}

/// Runs the controller until `shutdown`. Where the future is dropped instead, everything it has begun
/// stops where it is, as when the process is killed.
#[expect(
    clippy::too_many_lines,
    reason = "wiring, in the order in which things start and stop"
)]
pub async fn run(
    connections: Connections,
    options: Options,
    shutdown: CancellationToken,
) -> Result<(), Error> {
    let Connections { client, sdk, clock } = connections;
    let client = clock_guard::listening(client, clock.clone());
    let probes = Probes::default();
    let serving = match options.listen {
        None => None,
        Some(address) => {
            let listener = http::bind(address)
                .await
                .map_err(|error| Error::Listen(address, error))?;
            let serving = tokio::spawn(http::serve(listener, probes.clone()));
            Some(AbortOnDropHandle::new(serving))
        }
    };
    let desk = Desk::new(&options.config.settings);
    let aws = Aws::connect(&sdk, &options.config, desk.clone(), clock.clone()).await?;
    tokio::select! {
        biased;
        checked = startup::check(&client) => checked?,
        () = shutdown.cancelled() => return Ok(()),
    }
    tokio::select! {
        biased;
        () = clock_guard::begin(&clock, &aws) => {}
        () = shutdown.cancelled() => return Ok(()),
    }
    let cluster = Cluster::new(client.clone());
    let relist = Relist::every(options.config.settings.relist_interval);
    let (grants, grant_events) = Mirror::watch(
        cluster.all_grants(),
        cluster::grant_resource(),
        &relist,
        &clock,
    );
    let (accesses, access_events) = Mirror::watch(
        cluster.all_accesses(),
        cluster::access_resource(),
        &relist,
        &clock,
    );
    let (policies, policy_events) = Mirror::watch(
        cluster.all_policies(),
        cluster::policy_resource(),
        &relist,
        &clock,
    );
    let (policy_sender, policy_receiver) = watch_channel(None);
    let (wake_grants, woken_grants) = mpsc::unbounded_channel();
    let (wake_accesses, woken_accesses) = mpsc::unbounded_channel();
    let reporter = Reporter {
        controller: "breakglass-controller".into(),
        instance: Some(options.me.pod.clone()),
    };
    let context = Arc::new(Context {
        cluster,
        aws,
        desk,
        clock,
        settings: options.config.settings,
        me: options.me,
        observe: options.observe,
        protected_accounts: options.config.protected_accounts,
        grants: grants.clone(),
        accesses: accesses.clone(),
        relist,
        index: Index::default(),
        policies: policy_receiver,
        leadership: Leadership::default(),
        memory: Memory::default(),
        obstacles: ByGrant::default(),
        requests: ByGrant::default(),
        told: told::Told::default(),
        wakers: Wakers {
            grants: wake_grants,
            accesses: wake_accesses,
        },
        audit: options.audit,
        metrics: Metrics::default(),
        recorder: RecorderDebug(Recorder::new(client.clone(), reporter)),
        attempts: AtomicU64::new(0),
        shutdown: shutdown.clone(),
    });
    probes.begin(Arc::clone(&context));
    let (pod, run, observe) = (&context.me.pod, &context.me.run, context.observe);
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        pod,
        run,
        observe,
        "breakglass controller"
    );

    // Sent when something has changed that concerns everything: policies, leadership, being synced.
    let (everything, _) = broadcast::channel(16);
    let grants = Work {
        kind: "grant",
        resource: cluster::grant_resource(),
        mirror: grants,
        events: reconciler::tap_grants(grant_events, Arc::clone(&context), tell(&everything)),
        woken: woken_grants,
        all: everything.subscribe(),
    };
    let accesses = Work {
        kind: "access",
        resource: cluster::access_resource(),
        mirror: accesses,
        events: reconciler::tap_accesses(access_events, Arc::clone(&context), tell(&everything)),
        woken: woken_accesses,
        all: everything.subscribe(),
    };
    let neglected = {
        let (mut neglect, context) = (Neglect::default(), Arc::clone(&context));
        move || neglect.find(&context)
    };
    // The lease is given up last, when nothing of ours runs any more.
    let resign = CancellationToken::new();
    let mut tasks = Tasks::new(shutdown);
    let election = leader::run(
        Api::namespaced(client.clone(), client.default_namespace()),
        Candidate {
            identity: format!("{pod}/{run}"),
            duration: context.settings.lease_duration,
            observe,
            clock: context.clock.clone(),
        },
        context.leadership.clone(),
        resign.clone(),
        tell(&everything),
        neglected,
    );
    let election = tasks.run_beyond("the election", election);
    let watch_policies = policies::run(
        Arc::clone(&context),
        policies,
        policy_events,
        policy_sender,
        everything.clone(),
    );
    // It goes on until the process is gone: a probe that is slow must not hold up the end.
    if let Some(serving) = serving {
        tasks.run_until_shutdown("the port for probes", async { drop(serving.await) });
    }
    tasks.run_until_shutdown("the watch of the policies", watch_policies);
    tasks.run("the executor", executor::run(Arc::clone(&context)));
    tasks.run(
        "the work on grants",
        reconciler::run(grants, Arc::clone(&context), grants::reconcile),
    );
    tasks.run(
        "the work on accesses",
        reconciler::run(accesses, Arc::clone(&context), accesses::reconcile),
    );
    tasks.run_until_shutdown(
        "the guard of the clock",
        clock_guard::run(Arc::clone(&context)),
    );
    tasks.run_aside(report_aws_problems(Arc::clone(&context)));
    tasks.run_aside(announce_sync(Arc::clone(&context), tell(&everything)));
    let ended = tasks.end().await;
    offline::give_up(&context).await;
    resign.cancel();
    drop(election.await);
    tracing::info!("stopped");
    Ok(ended?)
}

/// Tells all controllers to look at everything.
fn tell(everything: &broadcast::Sender<()>) -> impl Fn() + use<> {
    let everything = everything.clone();
    move || drop(everything.send(()))
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
async fn report_aws_problems(context: Arc<Context>) {
    let mut pause = Duration::from_secs(5);
    loop {
        let problems = context.aws.problems().await;
        if problems.is_empty() {
            tracing::info!("AWS answers as configured");
            if let Err(error) = context.aws.warm().await {
                tracing::debug!(%error, "the permission sets are read when they are needed");
            }
            return;
        }
        for problem in problems {
            tracing::error!("{problem}");
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_mins(5));
    }
}
