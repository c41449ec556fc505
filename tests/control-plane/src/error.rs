use std::error::Error as _;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use supervisor::Exit;

/// Why a control plane could not be started or used.
#[derive(thiserror::Error)]
pub enum Error {
    /// A program was not built yet.
    #[error(
        "{program} is in none of {}: run `make control-plane`",
        display(looked_in)
    )]
    MissingProgram {
        /// Which program.
        program: String,
        /// The folders that were searched.
        looked_in: Vec<PathBuf>,
    },
    /// A file or folder of the control plane can't be used.
    #[error("can't {action} {}", path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// With which file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A process can't be started, signalled or stopped.
    #[error(transparent)]
    Process(#[from] supervisor::Error),
    /// A process ended before it was ready.
    #[error("{name} ended ({exit}) before it was ready; end of its log:\n{log}")]
    EndedEarly {
        /// Which process.
        name: String,
        /// How it ended.
        exit: Exit,
        /// The end of its log.
        log: String,
    },
    /// A process runs, but was not ready in time.
    #[error("{name} was not ready within {waited:?} ({last}); end of its log:\n{log}")]
    NotReady {
        /// Which process.
        name: String,
        /// How long was waited.
        waited: Duration,
        /// What the last look at it said.
        last: String,
        /// The end of its log.
        log: String,
    },
    /// The process was stopped before.
    #[error("{0} is not running: start it first")]
    NotRunning(&'static str),
    /// The process is there already.
    #[error("{0} is running already: stop it first")]
    AlreadyRunning(&'static str),
    /// etcd can't be asked.
    #[error("can't ask etcd at {url}")]
    EtcdUnreachable {
        /// Where.
        url: String,
        /// What the system says.
        source: io::Error,
    },
    /// etcd does not do what it is asked for.
    #[error("etcd answers to {path}: {answer}")]
    EtcdRefused {
        /// What was asked.
        path: String,
        /// The answer.
        answer: String,
    },
    /// There is no such user; they are named in `Options`.
    #[error("no user {name}: add it to the options of the control plane (there are {})", known.join(", "))]
    UnknownUser {
        /// The name asked for.
        name: String,
        /// The names there are.
        known: Vec<String>,
    },
    /// kube doesn't accept a kubeconfig that was written here.
    #[error("can't use the kubeconfig {}", path.display())]
    Kubeconfig {
        /// The file.
        path: PathBuf,
        /// What kube says.
        source: Box<kube::config::KubeconfigError>,
    },
    /// kube can't make a client.
    #[error("can't make a client for {url}")]
    Client {
        /// The API server.
        url: String,
        /// What kube says.
        source: Box<kube::Error>,
    },
}

impl Error {
    /// For `map_err` of an operation on a file.
    pub(crate) fn file(
        action: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File {
            action,
            path,
            source,
        }
    }

    /// Whether a server found that another process had taken its port.
    pub(crate) fn is_port_taken(&self) -> bool {
        matches!(self, Self::EndedEarly { log, .. } if log.contains("address already in use"))
    }
}

/// The message and its causes, as tests show it that unwrap a result: a derived Debug would put the log on one line.
impl fmt::Debug for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{self}")?;
        std::iter::successors(self.source(), |&cause| cause.source())
            .try_for_each(|cause| write!(formatter, "\n  because: {cause}"))
    }
}

fn display(folders: &[PathBuf]) -> String {
    folders
        .iter()
        .map(|folder| folder.display().to_string())
        .collect::<Vec<_>>()
        .join(", ")
}
