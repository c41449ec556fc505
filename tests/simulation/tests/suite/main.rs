//! The whole program on virtual time. Each test prints what it played, and how to play it again.

mod crashes;
mod faults;
mod matrix;
mod pauses;
mod replay;
mod seeds;

use std::sync::atomic::{AtomicUsize, Ordering};

use simulation::lives::{Life, lives};
use simulation::report::Report;
use simulation::stage::{Direction, play};

/// Whether this one of many is played: with `SIMULATION=2/5` those of the second of five parts, which together are all
/// (`make simulate-crashes`), and one in so many otherwise.
fn is_played(number: u64, one_in: u64) -> bool {
    let Ok(part) = std::env::var("SIMULATION") else {
        return number.is_multiple_of(one_in);
    };
    let numbers = part.split_once('/');
    let numbers = numbers.and_then(|(part, of)| Some((part.parse().ok()?, of.parse().ok()?)));
    let (part, of): (u64, u64) = numbers
        .filter(|(part, of)| (1..=*of).contains(part))
        .unwrap_or_else(|| panic!("SIMULATION must be a part such as 2/5, not {part:?}"));
    number % of == part - 1
}

/// The same of what follows from one that [`is_played`]: every part plays all of it.
fn is_played_after(number: u64, one_in: u64) -> bool {
    number.is_multiple_of(one_in) || std::env::var_os("SIMULATION").is_some()
}

/// How many of the last calls tell what went on when a rule was broken.
const LAST_CALLS: usize = 120;

/// Plays a life that must keep all rules, or fails with all that is needed to understand why it does not.
#[track_caller]
fn kept(life: &Life, direction: &Direction) -> Report {
    let report = play(&life.story, direction);
    if let Some(violation) = report.violations.first() {
        panic!(
            "{}, {direction:?}: {violation}\n{}\n{}",
            life.name,
            life.story,
            again(life, direction)
        );
    }
    report
}

/// The command that plays it again; of a life that has none, the calls that came last.
fn again(life: &Life, direction: &Direction) -> String {
    if lives().iter().any(|known| known.name == life.name) {
        return life.command(direction);
    }
    let told = Direction {
        trace: true,
        ..direction.clone()
    };
    let calls = play(&life.story, &told).trace;
    calls[calls.len().saturating_sub(LAST_CALLS)..].join("\n")
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
