use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use supervisor::{Program, Supervised};

use crate::Error;

/// What a loaded machine may take to start a server that takes four seconds on an idle one.
const READY_WITHIN: Duration = Duration::from_mins(2);

/// How often a server is started anew because another process took its port between the choice and the start.
const ATTEMPTS: usize = 5;

/// A program whose end nobody waits for gets this long to end by itself: nothing of what it writes is ever read again.
const GRACE: Duration = Duration::from_secs(1);

pub(crate) fn program(
    name: &str,
    path: PathBuf,
    arguments: impl IntoIterator<Item = impl AsRef<std::ffi::OsStr>>,
) -> Program {
    Program::new(name, path).args(arguments).grace(GRACE)
}

/// A log file in `directory` that doesn't exist yet, so that what a process says is not taken for the words of an earlier one.
pub(crate) fn new_log(directory: &Path, name: &str) -> PathBuf {
    (1..u32::MAX)
        .map(|number| directory.join(format!("{name}-{number}.log")))
        .find(|path| !path.exists())
        .unwrap_or_else(|| directory.join(format!("{name}.log")))
}

/// Looks again and again until `ready` finds nothing missing; `Err` of `ready` says what is.
pub(crate) fn wait_until_ready(
    process: &Supervised,
    mut ready: impl FnMut() -> Result<(), String>,
) -> Result<(), Error> {
    let began = Instant::now();
    loop {
        let Err(last) = ready() else { return Ok(()) };
        if let Some(exit) = process.try_wait()? {
            return Err(Error::EndedEarly {
                name: process.name().to_owned(),
                exit,
                log: process.log_tail(),
            });
        }
        if began.elapsed() > READY_WITHIN {
            let (name, log) = (process.name().to_owned(), process.log_tail());
            return Err(Error::NotReady {
                name,
                waited: READY_WITHIN,
                last,
                log,
            });
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Whether the log has this text.
pub(crate) fn logged(process: &Supervised, text: &str) -> Result<(), String> {
    let log = std::fs::read(process.log_file()).map_err(|error| error.to_string())?;
    if String::from_utf8_lossy(&log).contains(text) {
        Ok(())
    } else {
        Err(format!("its log has no {text:?} yet"))
    }
}

/// Starts a server, and again if its port was taken meanwhile.
pub(crate) fn retry_while_port_is_taken<T>(
    mut start: impl FnMut() -> Result<T, Error>,
) -> Result<T, Error> {
    let mut result = start();
    for _ in 1..ATTEMPTS {
        match &result {
            Err(error) if error.is_port_taken() => result = start(),
            _ => break,
        }
    }
    result
}
