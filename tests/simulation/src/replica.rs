//! One controller: the whole program, with its lines to Kubernetes and AWS.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use api_simulator::{ApiSimulator, Call, Fate as ApiFate, WatchFate};
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_simulator::{Fate as AwsFate, GateCall, Simulator};
use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};
use breakglass::api::access::Holder;
use breakglass::clock::Clock;
use breakglass::config::{Config, IamAccountConfig, Settings};
use breakglass::controller::{self, Connections, Options};
use breakglass::telemetry::audit::Audit;
use jiff::SignedDuration;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::cast::{IAM_ACCOUNTS, REGION, role_arn};

/// What a controller's lines go through. All is asked at the moment when something is sent.
pub trait Lines: Send + Sync + 'static {
    /// A call to the API server.
    fn api(&self, run: &Run, call: &Call) -> ApiFate;
    /// An event from the API server.
    fn event(&self, run: &Run) -> WatchFate;
    /// A call to AWS.
    fn aws(&self, run: &Run, call: &GateCall) -> AwsFate;
}

/// One run of one controller's process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// Which controller.
    pub replica: usize,
    /// How it names itself in the ledger.
    pub holder: Holder,
}

impl Run {
    /// The name by which the API server knows it.
    pub fn actor(&self) -> String {
        format!("{}/{}", self.holder.pod, self.holder.run)
    }
}

/// A controller, running or not.
#[derive(Debug)]
pub struct Replica {
    number: usize,
    pods: u64,
    runs: u64,
    /// By how many milliseconds the clock of its machine is off.
    offset: Arc<AtomicI64>,
    process: Option<Process>,
}

#[derive(Debug)]
struct Process {
    run: Run,
    shutdown: CancellationToken,
    /// Dropped, it is as if it was killed.
    task: AbortOnDropHandle<()>,
}

/// The world that controllers are started in.
pub struct Machines {
    /// Kubernetes.
    pub api: ApiSimulator,
    /// AWS.
    pub aws: Simulator,
    /// The lines to both.
    pub lines: Arc<dyn Lines>,
    /// Length of the lease, and all other settings.
    pub settings: Settings,
    /// The account that controllers come from.
    pub account: &'static str,
    /// How much what the API server's caches tell is behind.
    pub lag: std::time::Duration,
    /// Whether the disk is full that the audit trail is written to.
    pub audit_fails: bool,
}

/// A disk without room.
struct Full;

impl io::Write for Full {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::StorageFull.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Err(io::ErrorKind::StorageFull.into())
    }
}

impl std::fmt::Debug for Machines {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Machines").finish_non_exhaustive()
    }
}

impl Replica {
    /// Not running yet.
    pub fn new(number: usize) -> Self {
        Self {
            number,
            pods: 0,
            runs: 0,
            offset: Arc::default(),
            process: None,
        }
    }

    /// Sets the clock of its machine.
    pub fn set_clock(&self, offset: SignedDuration) {
        let offset = i64::try_from(offset.as_millis()).unwrap_or_default();
        self.offset.store(offset, Ordering::Relaxed);
    }

    /// Whether its process is there.
    pub fn is_up(&self) -> bool {
        self.process.is_some()
    }

    /// The process that runs, if one does.
    pub fn run(&self) -> Option<&Run> {
        self.process.as_ref().map(|process| &process.run)
    }

    /// Starts its process, in the same pod or in a new one.
    pub fn start(&mut self, machines: &Machines, same_pod: bool) {
        if !same_pod {
            self.pods += 1;
        }
        self.runs += 1;
        let run = Run {
            replica: self.number,
            holder: Holder {
                pod: format!("pod-{}-{}", self.number, self.pods),
                run: format!("run-{}-{}", self.number, self.runs),
            },
        };
        let shutdown = CancellationToken::new();
        let connections = self.connections(machines, &run);
        let options = Options {
            config: config(machines.settings.clone()),
            observe: false,
            listen: None,
            audit: if machines.audit_fails {
                Audit::to(Full)
            } else {
                Audit::to(io::sink())
            },
            me: run.holder.clone(),
        };
        let program = controller::run(connections, options, shutdown.clone());
        let name = run.holder.run.clone();
        let task = tokio::spawn(async move {
            if let Err(error) = program.await {
                panic!("{name} ended: {error}");
            }
        });
        self.process = Some(Process {
            run,
            shutdown,
            task: AbortOnDropHandle::new(task),
        });
    }

    /// Its process is gone, in the middle of whatever it did.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// Its process is told to end, and does. False if it was not running.
    pub async fn stop(&mut self) -> bool {
        let Some(process) = self.process.take() else {
            return false;
        };
        process.shutdown.cancel();
        // A pod has 30 seconds; after that it is killed.
        let _ = tokio::time::timeout(std::time::Duration::from_secs(30), process.task).await;
        true
    }

    /// Whether its process has ended by itself, which it never may.
    pub fn has_ended(&self) -> bool {
        self.process
            .as_ref()
            .is_some_and(|process| process.task.is_finished())
    }

    fn connections(&self, machines: &Machines, run: &Run) -> Connections {
        let (aws, offset) = (machines.aws.clone(), Arc::clone(&self.offset));
        let clock = Clock::from_fn(move || {
            aws.now() + SignedDuration::from_millis(offset.load(Ordering::Relaxed))
        });
        let actor = run.actor();
        let (lines, me) = (Arc::clone(&machines.lines), run.clone());
        let (event_lines, event_me) = (Arc::clone(&machines.lines), run.clone());
        let client = machines
            .api
            .connect(&actor)
            .lagging(machines.lag)
            .through(move |call| lines.api(&me, call))
            .watching(move |_, _| event_lines.event(&event_me))
            .client("breakglass");
        let (lines, me) = (Arc::clone(&machines.lines), run.clone());
        let http = machines
            .aws
            .http_client()
            .through(move |call| lines.aws(&me, call));
        let credentials = Credentials::new(
            format!("AKIA{}R{}", machines.account, self.number),
            "secret",
            None,
            None,
            "simulation",
        );
        let sdk = SdkConfig::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(Region::new(REGION))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .sleep_impl(SharedAsyncSleep::new(TokioSleep::new()))
            .http_client(http)
            .build();
        Connections { client, sdk, clock }
    }
}

fn config(settings: Settings) -> Config {
    let role = |account: &str| IamAccountConfig {
        account: account.to_owned(),
        granter_role_arn: Some(role_arn(account)),
        reaper_role_arn: Some(role_arn(account)),
    };
    Config {
        iam_accounts: IAM_ACCOUNTS.map(role).to_vec(),
        settings,
        ..Config::default()
    }
}
