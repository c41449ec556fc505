use std::fmt;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::{Error, log};

/// A running program. It ends when this is dropped, and when the process that holds this ends, however that happens.
#[derive(Debug)]
pub struct Supervised {
    name: String,
    pid: u32,
    log_file: PathBuf,
    grace: Duration,
    lifeline: Mutex<Option<ChildStdin>>,
    state: Arc<Watched>,
}

/// How a program ended, as a shell tells it: a code above 128 means a signal (or a program that returned that very code).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exit {
    code: u8,
}

/// The state of a program, and a bell for those who wait for its end.
#[derive(Debug, Default)]
struct Watched {
    state: Mutex<State>,
    ended: Condvar,
}

#[derive(Clone, Copy, Debug, Default)]
enum State {
    #[default]
    Running,
    Ended(Exit),
    Lost,
}

/// What a system with far too much to do may take to carry out a SIGKILL; more than this only a process that hangs in the kernel takes.
const KILL_TAKES: Duration = Duration::from_mins(2);

impl Exit {
    /// The code that the program returned, or 128 + the number of the signal that ended it.
    pub fn code(self) -> u8 {
        self.code
    }

    /// Whether the program returned 0.
    pub fn success(self) -> bool {
        self.code == 0
    }

    /// The number of the signal that ended the program.
    pub fn signal(self) -> Option<u8> {
        self.code.checked_sub(128).filter(|signal| *signal > 0)
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.signal() {
            Some(signal) => write!(formatter, "by signal {signal}"),
            None => write!(formatter, "with exit code {}", self.code),
        }
    }
}

impl Supervised {
    /// Takes over the shell that runs `supervise.sh`.
    pub(crate) fn new(
        name: &str,
        mut shell: Child,
        log_file: &Path,
        grace: Duration,
        start_error: impl Fn(io::Error) -> Error,
    ) -> Result<Self, Error> {
        let (Some(lifeline), Some(reports)) = (shell.stdin.take(), shell.stdout.take()) else {
            return Err(start_error(io::Error::other(
                "the supervising shell has no pipes",
            )));
        };
        let mut reports = BufReader::new(reports);
        let Some(pid) = read_number(&mut reports) else {
            drop(lifeline);
            shell.wait().map_err(&start_error)?;
            return Err(Error::Lost {
                name: name.to_owned(),
                log: log::tail(log_file),
            });
        };
        let state = Arc::new(Watched::default());
        let watched = Arc::clone(&state);
        let watch = move || {
            let exit = read_number(&mut reports).map(|code| Exit { code });
            // The shell's own end comes after that of everything it started, and only a waited-for shell is no zombie.
            let ended = shell.wait().is_ok();
            *watched.lock() = exit.filter(|_| ended).map_or(State::Lost, State::Ended);
            watched.ended.notify_all();
        };
        std::thread::Builder::new()
            .name(format!("{name} watch"))
            .spawn(watch)
            .map_err(start_error)?;
        Ok(Self {
            name: name.to_owned(),
            pid,
            log_file: log_file.to_owned(),
            grace,
            lifeline: Mutex::new(Some(lifeline)),
            state,
        })
    }

    /// The name that it was started under.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The pid of the program itself. Once the program has ended, the system may give it to another.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Where its output goes.
    pub fn log_file(&self) -> &Path {
        &self.log_file
    }

    /// The last lines of its output.
    pub fn log_tail(&self) -> String {
        log::tail(&self.log_file)
    }

    /// How it ended, or `None` while it runs.
    pub fn try_wait(&self) -> Result<Option<Exit>, Error> {
        let state = *self.state.lock();
        match state {
            State::Running => Ok(None),
            State::Ended(exit) => Ok(Some(exit)),
            State::Lost => Err(Error::Lost {
                name: self.name.clone(),
                log: self.log_tail(),
            }),
        }
    }

    /// Whether it runs no more.
    pub fn has_exited(&self) -> bool {
        !matches!(*self.state.lock(), State::Running)
    }

    /// Waits until it ends.
    pub fn wait(&self, at_most: Duration) -> Result<Exit, Error> {
        let running = |state: &mut State| matches!(state, State::Running);
        drop(
            self.state
                .ended
                .wait_timeout_while(self.state.lock(), at_most, running),
        );
        self.try_wait()?.ok_or_else(|| Error::StillRunning {
            name: self.name.clone(),
            waited: at_most,
            log: self.log_tail(),
        })
    }

    /// Sends a signal, named without SIG ("TERM", "STOP"), unless the program has ended.
    pub fn signal(&self, signal: &str) -> Result<(), Error> {
        if let Some(exit) = self.try_wait()? {
            return Err(Error::Ended {
                name: self.name.clone(),
                exit,
                log: self.log_tail(),
            });
        }
        let refused = |reason| Error::Signal {
            name: self.name.clone(),
            pid: self.pid,
            signal: signal.to_owned(),
            reason,
        };
        // The shell's own `kill`, because not every system has it as a program.
        let output = Command::new("/bin/sh")
            .args([
                "-c",
                r#"kill -s "$1" "$2""#,
                "kill",
                signal,
                &self.pid.to_string(),
            ])
            .output()
            .map_err(|error| refused(error.to_string()))?;
        if output.status.success() {
            Ok(())
        } else {
            Err(refused(
                String::from_utf8_lossy(&output.stderr).trim().to_owned(),
            ))
        }
    }

    /// Ends it by SIGKILL, and returns when it is gone. It is no error if it has ended by itself.
    pub fn kill(&self) -> Result<Exit, Error> {
        if let Err(error) = self.signal("KILL")
            && !self.has_exited()
        {
            // It may have ended in between, which the watching thread tells in a moment.
            return self.wait(Duration::from_secs(1)).map_err(|_| error);
        }
        self.wait(KILL_TAKES)
    }

    /// Ends it by SIGTERM, and by SIGKILL if that takes longer than its grace; returns when it is gone.
    pub fn stop(&self) -> Result<Exit, Error> {
        drop(
            self.lifeline
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take(),
        );
        self.wait(self.grace.saturating_add(KILL_TAKES))
    }
}

impl Drop for Supervised {
    fn drop(&mut self) {
        // The errors are those of a program that is gone already, or that SIGKILL doesn't end: nothing is left to try.
        drop(self.stop());
    }
}

impl Watched {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn read_number<T: std::str::FromStr>(reports: &mut impl BufRead) -> Option<T> {
    let mut line = String::new();
    reports.read_line(&mut line).ok()?;
    line.trim().parse().ok()
}
