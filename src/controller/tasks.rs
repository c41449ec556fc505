//! The parts of the process that run as long as it does.
//!
//! One that ends earlier, by a panic too, ends the process: a controller that lacks a part looks well
//! and does nothing.

use std::panic::AssertUnwindSafe;

use futures::FutureExt;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

/// The parts that run.
#[derive(Debug)]
pub struct Tasks {
    parts: JoinSet<Option<&'static str>>,
    shutdown: CancellationToken,
}

/// A part ended before the process was to end.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("a bug: {0} ended by itself, so the controller stops to be started anew")]
pub struct EndedEarly(&'static str);

impl Tasks {
    /// None yet. All are to end at `shutdown`.
    pub fn new(shutdown: CancellationToken) -> Self {
        Self {
            parts: JoinSet::new(),
            shutdown,
        }
    }

    /// Runs a part that the process can't do without. It ends by itself at the shutdown, when what
    /// it has begun is done.
    pub fn run(&mut self, part: &'static str, work: impl Future<Output = ()> + Send + 'static) {
        self.parts.spawn(async move {
            // What it panicked with is in the log.
            let _ = AssertUnwindSafe(work).catch_unwind().await;
            Some(part)
        });
    }

    /// The same for a part that can be dropped at any time.
    pub fn run_until_shutdown(
        &mut self,
        part: &'static str,
        work: impl Future<Output = ()> + Send + 'static,
    ) {
        let shutdown = self.shutdown.clone();
        self.run(part, async move {
            shutdown.run_until_cancelled_owned(work).await;
        });
    }

    /// Runs a part that the process can't do without either, and that outlives the others: whoever has the handle ends it.
    pub fn run_beyond(
        &mut self,
        part: &'static str,
        work: impl Future<Output = ()> + Send + 'static,
    ) -> AbortOnDropHandle<()> {
        let (lives, ended) = oneshot::channel::<()>();
        let handle = AbortOnDropHandle::new(tokio::spawn(async move {
            let _lives = lives;
            work.await;
        }));
        self.run_until_shutdown(part, async { drop(ended.await) });
        handle
    }

    /// Runs what may end at any time, and is dropped at the shutdown.
    pub fn run_aside(&mut self, work: impl Future<Output = ()> + Send + 'static) {
        let shutdown = self.shutdown.clone();
        self.parts.spawn(async move {
            let work = AssertUnwindSafe(work).catch_unwind();
            shutdown.run_until_cancelled_owned(work).await;
            None
        });
    }

    /// Waits until all have ended. If one ends early the others are told to end too.
    pub async fn end(mut self) -> Result<(), EndedEarly> {
        let mut outcome = Ok(());
        while let Some(ended) = self.parts.join_next().await {
            if let Ok(Some(part)) = ended
                && !self.shutdown.is_cancelled()
            {
                outcome = Err(EndedEarly(part));
                self.shutdown.cancel();
            }
        }
        outcome
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_part_that_panics_ends_all_others_and_is_named() {
        let shutdown = CancellationToken::new();
        let mut tasks = Tasks::new(shutdown.clone());
        tasks.run("the patient part", shutdown.cancelled_owned());
        tasks.run_until_shutdown("the endless part", std::future::pending());
        tasks.run_aside(std::future::ready(()));
        tasks.run("the unlucky part", async { panic!("for this test") });
        assert_eq!(tasks.end().await, Err(EndedEarly("the unlucky part")));
    }

    #[tokio::test]
    async fn a_part_that_outlives_the_others_ends_them_too_if_it_panics() {
        let mut tasks = Tasks::new(CancellationToken::new());
        let handle = tasks.run_beyond("the unlucky part", async { panic!("for this test") });
        assert_eq!(tasks.end().await, Err(EndedEarly("the unlucky part")));
        assert!(handle.await.is_err());
    }

    #[tokio::test]
    async fn what_ends_at_the_shutdown_ends_well() {
        let shutdown = CancellationToken::new();
        let mut tasks = Tasks::new(shutdown.clone());
        let _alive = tasks.run_beyond("the last part", std::future::pending());
        tasks.run("the patient part", shutdown.clone().cancelled_owned());
        tasks.run_until_shutdown("the endless part", std::future::pending());
        shutdown.cancel();
        assert_eq!(tasks.end().await, Ok(()));
    }
}
