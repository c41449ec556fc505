//! The command line: parse, dispatch, nothing else.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use breakglass::api::access::Holder;
use breakglass::api::crds;
use breakglass::aws;
use breakglass::clock::Clock;
use breakglass::config::Config;
use breakglass::controller::{self, Connections, Options};
use breakglass::telemetry::audit::Audit;
use breakglass::telemetry::{LogFormat, log_to_stderr};
use clap::{Args, Parser, Subcommand};
use tokio_util::sync::CancellationToken;

/// Time-boxed AWS access from Git: given when a pull request is merged, and always taken away again.
#[derive(Debug, Parser)]
#[command(version, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs the controller.
    ///
    /// It needs a cluster (KUBECONFIG, or the service account of its pod), AWS credentials in the
    /// usual chain, and a Region (`AWS_REGION`).
    Controller(ControllerArgs),
    /// Prints the `CustomResourceDefinitions` as YAML, ready for `kubectl apply --server-side -f -`.
    Crds {
        /// Write one file per kind into this folder instead.
        #[arg(long, value_name = "FOLDER")]
        into: Option<PathBuf>,
    },
}

#[derive(Debug, Args)]
struct ControllerArgs {
    /// Configuration file (YAML). Without it: the one Identity Center instance, and the account of
    /// the credentials as the one IAM account.
    #[arg(long, env = "BREAKGLASS_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// Decide and report, but write nothing to AWS and claim nothing.
    #[arg(long, env = "BREAKGLASS_OBSERVE")]
    observe: bool,
    /// Where /livez, /readyz and /metrics are served.
    #[arg(
        long,
        env = "BREAKGLASS_LISTEN",
        value_name = "ADDRESS:PORT",
        default_value = "0.0.0.0:8080"
    )]
    listen: SocketAddr,
    /// File to which an audit line is added for each write to AWS. Without it: standard output.
    #[arg(long, env = "BREAKGLASS_AUDIT", value_name = "FILE")]
    audit: Option<PathBuf>,
    /// How log lines look.
    #[arg(long, env = "BREAKGLASS_LOG_FORMAT", value_enum, default_value_t)]
    log_format: LogFormat,
    /// Uid of the pod: a restarted container knows by it that the one before is dead.
    #[arg(long, env = "POD_UID", value_name = "UID")]
    pod_uid: Option<String>,
}

fn main() -> ExitCode {
    let (result, in_json) = match Cli::parse().command {
        Command::Controller(args) => {
            let in_json = matches!(args.log_format, LogFormat::Json);
            (run_controller(args), in_json)
        }
        Command::Crds { into } => (write_crds(into.as_deref()), false),
    };
    match result {
        Ok(()) => return ExitCode::SUCCESS,
        // Who reads the log as JSON must find every line so.
        Err(error) if in_json => tracing::error!("{error:#}"),
        Err(error) => eprintln!("breakglass: {error:#}"),
    }
    ExitCode::FAILURE
}

fn write_crds(folder: Option<&Path>) -> anyhow::Result<()> {
    for (name, content) in crds::files()? {
        match folder {
            None => write!(std::io::stdout(), "---\n{content}")?,
            Some(folder) => {
                let path = folder.join(name);
                std::fs::write(&path, content)
                    .with_context(|| format!("cannot write {}", path.display()))?;
            }
        }
    }
    Ok(())
}

fn run_controller(args: ControllerArgs) -> anyhow::Result<()> {
    log_to_stderr(args.log_format);
    let config = args
        .config
        .as_deref()
        .map(Config::load)
        .transpose()?
        .unwrap_or_default();
    let run = random_id();
    let me = Holder {
        pod: args
            .pod_uid
            .filter(|uid| !uid.is_empty())
            .unwrap_or_else(|| run.clone()),
        run,
    };
    let audit = match &args.audit {
        None => Audit::stdout(),
        Some(path) => Audit::file(path)
            .with_context(|| format!("cannot write the audit file {}", path.display()))?,
    };
    let region = config.identity_center.region.clone();
    let options = Options {
        config,
        observe: args.observe,
        listen: Some(args.listen),
        audit,
        me,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let connections = Connections {
            client: controller::client().await?,
            sdk: aws::environment(region.as_deref()).await,
            clock: Clock::system(),
        };
        let shutdown = CancellationToken::new();
        tokio::spawn(cancel_on_signal(shutdown.clone()));
        controller::run(connections, options, shutdown).await?;
        Ok(())
    })
}

/// Unique per run: two processes never share one, or one could mistake the other's work for its own.
fn random_id() -> String {
    use std::hash::{BuildHasher, RandomState};
    // Each state is seeded from the operating system's randomness.
    format!(
        "{:016x}{:016x}",
        RandomState::new().hash_one(1),
        RandomState::new().hash_one(2)
    )
}

async fn cancel_on_signal(shutdown: CancellationToken) {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut terminate), Ok(mut interrupt)) = (
        signal(SignalKind::terminate()),
        signal(SignalKind::interrupt()),
    ) else {
        return tracing::error!("signals can't be handled; SIGTERM will end the process at once");
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tracing::info!("shutting down");
    shutdown.cancel();
}
