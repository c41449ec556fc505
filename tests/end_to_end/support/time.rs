//! Time, and waiting for things to come true.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use breakglass::clock::Clock;
use jiff::{SignedDuration, Timestamp};
use tokio::runtime::{Builder, Runtime};

/// For what takes moments on an idle machine. Only a failing test waits this long.
pub const PATIENCE: Duration = Duration::from_mins(3);

/// Between two looks at what is waited for.
pub const BETWEEN_LOOKS: Duration = Duration::from_millis(100);

/// Clients and stand-ins live here, and so outlive each single test.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
});

/// Runs a future to its end.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    RUNTIME.block_on(future)
}

/// The time of day.
pub fn now() -> Timestamp {
    Clock::system().now()
}

/// A number of seconds.
pub fn seconds(count: i64) -> SignedDuration {
    SignedDuration::from_secs(count)
}

/// The next full second that is at least so far ahead: people write no fractions.
pub fn full_second_in(ahead: SignedDuration) -> Timestamp {
    let at = now() + ahead;
    let whole = Timestamp::from_second(at.as_second()).unwrap();
    if whole < at {
        whole + seconds(1)
    } else {
        whole
    }
}

/// Blocks until a point in time has come. For the end of a time that the test itself has set; what another process does is
/// waited for by [`eventually`].
pub fn wait_for(time: Timestamp) {
    while let Ok(left) = Duration::try_from(time.duration_since(now()))
        && !left.is_zero()
    {
        std::thread::sleep(left);
    }
}

/// Looks again and again until there is an answer; without one in time, the reason that was given last.
pub fn poll<T>(within: Duration, mut look: impl FnMut() -> Result<T, String>) -> Result<T, String> {
    let began = Instant::now();
    loop {
        match look() {
            Ok(found) => return Ok(found),
            Err(last) if began.elapsed() > within => {
                return Err(format!("not within {within:?}; at last: {last}"));
            }
            Err(_) => std::thread::sleep(BETWEEN_LOOKS),
        }
    }
}

/// Waits until something holds.
#[track_caller]
pub fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let answer = poll(PATIENCE, || {
        if holds() {
            Ok(())
        } else {
            Err("not yet".to_owned())
        }
    });
    if let Err(why) = answer {
        panic!("{what}: {why}");
    }
}
