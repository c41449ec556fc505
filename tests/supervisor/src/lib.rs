//! Runs a program that ends when its starter ends, even when the starter is killed by SIGKILL.
//!
//! A `/bin/sh` stands between the two and watches a pipe that only the starter holds open (`supervise.sh`). When the pipe
//! closes, it sends the program SIGTERM, and after a grace period SIGKILL. So neither a panic nor a killed test run
//! leaves a server behind, and no unsafe code is needed.

mod error;
mod log;
mod port;
mod program;
mod supervised;

pub use error::Error;
pub use log::tail;
pub use port::free_port;
pub use program::Program;
pub use supervised::{Exit, Supervised};
