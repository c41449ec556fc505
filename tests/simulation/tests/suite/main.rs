//! The whole program on virtual time. Each test prints what it played, and how to play it again.

mod crashes;
mod pauses;
mod replay;
mod seeds;

use simulation::lives::Life;
use simulation::report::Report;
use simulation::stage::Direction;

/// Fails with all that is needed to play it again.
#[track_caller]
fn assert_kept(life: &Life, direction: &Direction, report: &Report) {
    assert!(
        report.violations.is_empty(),
        "{}, {direction:?}: {}\n{}",
        life.name,
        report.violations[0],
        life.story
    );
}
