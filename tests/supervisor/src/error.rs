use std::error::Error as _;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use crate::Exit;

/// Why a program could not be started, signalled or waited for.
#[derive(thiserror::Error)]
pub enum Error {
    /// The log file can't be written.
    #[error("can't open the log file {} of {name}", path.display())]
    OpenLog {
        /// Which program.
        name: String,
        /// Its log file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// There is no such program, or the supervising shell can't be started.
    #[error("can't start {name} ({})", path.display())]
    Start {
        /// Which program.
        name: String,
        /// Its file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Someone ended the supervising shell: what became of the program is unknown, but it won't outlive its handle for long.
    #[error("the shell that supervises {name} is gone; end of its log:\n{log}")]
    Lost {
        /// Which program.
        name: String,
        /// The end of its log.
        log: String,
    },
    /// A signal was asked for a program that has ended. None was sent: its pid may be another's by now.
    #[error("{name} has ended ({exit}); end of its log:\n{log}")]
    Ended {
        /// Which program.
        name: String,
        /// How it ended.
        exit: Exit,
        /// The end of its log.
        log: String,
    },
    /// The system refused the signal.
    #[error("can't send SIG{signal} to {name} (pid {pid}): {reason}")]
    Signal {
        /// Which program.
        name: String,
        /// Its pid.
        pid: u32,
        /// The signal's name without SIG.
        signal: String,
        /// What the shell's `kill` says.
        reason: String,
    },
    /// The program still runs.
    #[error("{name} has not ended within {waited:?}; end of its log:\n{log}")]
    StillRunning {
        /// Which program.
        name: String,
        /// How long was waited.
        waited: Duration,
        /// The end of its log.
        log: String,
    },
    /// All ports that were tried are in use.
    #[error("no free TCP port on 127.0.0.1 in {first}..={last}: end what listens there")]
    NoFreePort {
        /// The lowest port tried.
        first: u16,
        /// The highest port tried.
        last: u16,
    },
}

/// The message and its causes, as tests show it that unwrap a result: a derived Debug would put the log on one line.
impl fmt::Debug for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{self}")?;
        std::iter::successors(self.source(), |&cause| cause.source())
            .try_for_each(|cause| write!(formatter, "\n  because: {cause}"))
    }
}
