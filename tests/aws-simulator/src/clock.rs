//! The one place that reads a clock.

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

/// Where the simulator takes its time from.
///
/// Everything that takes time (an assignment being made, a token bucket filling, a session expiring) is computed from this
/// when somebody asks, so nothing runs in the background and a paused tokio clock moves all of it.
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    System,
    Tokio { base: Timestamp, started: Instant },
}

impl Clock {
    /// The machine's clock.
    pub const fn system() -> Self {
        Self(Source::System)
    }

    /// `base` plus what tokio's clock has advanced since this call. With tokio's time paused this is virtual time.
    pub fn starting_at(base: Timestamp) -> Self {
        Self(Source::Tokio {
            base,
            started: Instant::now(),
        })
    }

    /// The time now.
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the simulator's own clock"
    )]
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Source::System => Timestamp::now(),
            Source::Tokio { base, started } => {
                let elapsed =
                    SignedDuration::try_from(started.elapsed()).unwrap_or(SignedDuration::MAX);
                later(*base, elapsed)
            }
        }
    }

    /// Returns once [`Clock::now`] is at or after `when`.
    pub async fn sleep_until(&self, when: Timestamp) {
        loop {
            match std::time::Duration::try_from(when.duration_since(self.now())) {
                Ok(left) if !left.is_zero() => tokio::time::sleep(left).await,
                _ => return,
            }
        }
    }
}

/// `start` plus `by`, held at the ends of what a timestamp can say.
pub(crate) fn later(start: Timestamp, by: SignedDuration) -> Timestamp {
    start.saturating_add(by).unwrap_or(Timestamp::MAX)
}
