//! The whole program on virtual time. Each test prints what it played, and how to play it again.

mod crashes;
mod faults;
mod matrix;
mod pauses;
mod replay;
mod seeds;

use std::sync::atomic::{AtomicUsize, Ordering};

use simulation::lives::Life;
use simulation::report::Report;
use simulation::stage::Direction;

/// Whether this one of many is played: all are with `SIMULATION=all` (`make simulate-crashes`), and a
/// few otherwise.
fn is_played(number: u64) -> bool {
    number.is_multiple_of(16) || std::env::var_os("SIMULATION").is_some_and(|what| what == "all")
}

/// Fails with all that is needed to play it again.
#[track_caller]
fn assert_kept(life: &Life, direction: &Direction, report: &Report) {
    assert!(
        report.violations.is_empty(),
        "{}, {direction:?}: {}\n{}\n{}",
        life.name,
        report.violations[0],
        life.story,
        life.command(direction)
    );
}

/// Does that for each, as many at once as there are processors. A failure of one ends the test when
/// the others are done.
fn side_by_side<T: Sync>(all: &[T], work: impl Fn(&T) + Sync) {
    let next = AtomicUsize::new(0);
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..processors {
            scope.spawn(|| {
                while let Some(one) = all.get(next.fetch_add(1, Ordering::Relaxed)) {
                    work(one);
                }
            });
        }
    });
}
