use std::ffi::{OsStr, OsString};
use std::fs::OpenOptions;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::{Error, Supervised};

/// What to run: a program, its arguments and its environment (that of the starter, changed by [`Program::env`] and
/// [`Program::env_remove`]).
///
/// As with any background process of a shell, SIGINT and SIGQUIT are ignored unless the program asks for them; SIGTERM is what
/// ends it.
#[derive(Debug)]
pub struct Program {
    name: String,
    path: PathBuf,
    arguments: Vec<OsString>,
    environment: Vec<(OsString, Option<OsString>)>,
    directory: Option<PathBuf>,
    grace: Duration,
}

impl Program {
    /// `name` is for error messages, `path` a file or a name to be found in PATH.
    pub fn new(name: impl Into<String>, path: impl Into<PathBuf>) -> Self {
        Self {
            name: name.into(),
            path: path.into(),
            arguments: Vec::new(),
            environment: Vec::new(),
            directory: None,
            grace: Duration::from_secs(5),
        }
    }

    /// Adds an argument.
    #[must_use]
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.arguments.push(argument.as_ref().to_owned());
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args(mut self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        self.arguments.extend(
            arguments
                .into_iter()
                .map(|argument| argument.as_ref().to_owned()),
        );
        self
    }

    /// Sets an environment variable.
    #[must_use]
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.environment
            .push((name.as_ref().to_owned(), Some(value.as_ref().to_owned())));
        self
    }

    /// Removes an environment variable that the starter has.
    #[must_use]
    pub fn env_remove(mut self, name: impl AsRef<OsStr>) -> Self {
        self.environment.push((name.as_ref().to_owned(), None));
        self
    }

    /// Runs the program in this directory instead of the starter's.
    #[must_use]
    pub fn current_dir(mut self, directory: impl Into<PathBuf>) -> Self {
        self.directory = Some(directory.into());
        self
    }

    /// How long the program may take to end after SIGTERM before it gets SIGKILL; 5 seconds by default.
    #[must_use]
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// Starts the program; what it prints (standard output and standard error) is appended to `log_file`.
    pub fn spawn(self, log_file: &Path) -> Result<Supervised, Error> {
        let start_error = |source| Error::Start {
            name: self.name.clone(),
            path: self.path.clone(),
            source,
        };
        // A name without a slash is looked for in PATH by the shell, whose message is then in the log.
        if self.path.components().count() > 1
            && !self
                .directory
                .as_deref()
                .unwrap_or(Path::new(""))
                .join(&self.path)
                .is_file()
        {
            return Err(start_error(io::Error::from(io::ErrorKind::NotFound)));
        }
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(log_file)
            .map_err(|source| Error::OpenLog {
                name: self.name.clone(),
                path: log_file.to_owned(),
                source,
            })?;
        let mut shell = Command::new("/bin/sh");
        shell
            .args(["-c", include_str!("supervise.sh"), "supervisor"])
            .arg(self.grace.as_secs_f64().to_string())
            .arg(&self.path)
            .args(&self.arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .process_group(0);
        if let Some(directory) = &self.directory {
            shell.current_dir(directory);
        }
        for (name, value) in &self.environment {
            match value {
                Some(value) => shell.env(name, value),
                None => shell.env_remove(name),
            };
        }
        let shell = shell.spawn().map_err(start_error)?;
        Supervised::new(&self.name, shell, log_file, self.grace, start_error)
    }
}
