//! When to look again. One function turns a time into a requeue; nothing else does, because a
//! requeue that is forgotten is an expiry that is forgotten.

use std::time::Duration;

use jiff::Timestamp;
use kube::runtime::controller::Action;

use crate::clock::until;

/// Timers run on a clock that stands still while a machine sleeps and that does not see the wall
/// clock being set. So no sleep is longer than this while a boundary is near ...
const NEAR: Duration = Duration::from_mins(1);
/// ... than this while one is far ...
const FAR: Duration = Duration::from_mins(5);
/// ... or than this when none is known.
const REST: Duration = Duration::from_mins(30);

/// Looks again at `next`, or earlier.
pub fn at(now: Timestamp, next: Option<Timestamp>) -> Action {
    Action::requeue(wait(now, next))
}

fn wait(now: Timestamp, next: Option<Timestamp>) -> Duration {
    let Some(next) = next else { return REST };
    let wait = until(now, next);
    // Timers may fire a little early; a look before the boundary would have to be repeated.
    let after_it = wait.saturating_add(Duration::from_millis(1));
    if wait <= FAR + NEAR {
        after_it.min(NEAR)
    } else {
        FAR
    }
}

/// How long to wait after so many failures in a row: doubling, capped, and spread a little, so
/// that what failed together is not repeated together.
pub fn backoff(tries: u32, cap: Duration, spread: u64) -> Duration {
    let doubled = Duration::from_millis(500).saturating_mul(1 << tries.clamp(1, 16));
    let capped = doubled.min(cap);
    // Between 80 and 100 percent.
    let less = u32::try_from(spread % 100).unwrap_or_default();
    capped.saturating_sub(capped * less / 500)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::fixtures::at as second;

    #[test]
    fn a_near_boundary_is_met_at_once_and_never_slept_over() {
        assert_eq!(
            wait(second(0), Some(second(10))),
            Duration::from_millis(10_001)
        );
        assert_eq!(wait(second(0), Some(second(100))), NEAR);
        assert_eq!(wait(second(0), Some(second(100_000))), FAR);
        assert_eq!(wait(second(10), Some(second(0))), Duration::from_millis(1));
        assert_eq!(wait(second(0), None), REST);
    }

    #[test]
    fn backoff_grows_to_its_cap_and_no_further() {
        let cap = Duration::from_mins(5);
        assert_eq!(backoff(1, cap, 0), Duration::from_secs(1));
        assert_eq!(backoff(3, cap, 0), Duration::from_secs(4));
        assert_eq!(backoff(60, cap, 0), cap);
        assert!(backoff(60, cap, 99) >= Duration::from_mins(4));
    }
}
