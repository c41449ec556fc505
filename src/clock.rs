//! The one wall clock. Deadlines are compared with it; waits use tokio's monotonic clock.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

/// Where the program reads the time of day. Everything else takes `now` as an argument.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Timestamp + Send + Sync>);

impl Clock {
    /// The clock of the machine.
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place that reads the machine's clock"
    )]
    pub fn system() -> Self {
        Self(Arc::new(Timestamp::now))
    }

    /// A clock that a test moves.
    pub fn from_fn(now: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    /// The time of day.
    pub fn now(&self) -> Timestamp {
        (self.0)()
    }
}

impl std::fmt::Debug for Clock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Clock").field(&self.now()).finish()
    }
}

/// `time` moved by `by`, or the end of time: a deadline must never wrap around.
#[must_use]
pub fn after(time: Timestamp, by: std::time::Duration) -> Timestamp {
    SignedDuration::try_from(by)
        .ok()
        .and_then(|by| time.checked_add(by).ok())
        .unwrap_or(Timestamp::MAX)
}

/// How long it is from `now` to `then`; zero when `then` is past.
#[must_use]
pub fn until(now: Timestamp, then: Timestamp) -> std::time::Duration {
    then.duration_since(now).try_into().unwrap_or_default()
}
