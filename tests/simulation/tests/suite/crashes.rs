//! A process that dies after any of its writes, and after any two, loses nothing: whether it comes back
//! as the same pod, as another, or another one stands by.

use simulation::lives::{Life, lives};
use simulation::report::Report;
use simulation::stage::{Direction, play};

use crate::{is_played, is_played_after, kept, side_by_side};

#[test]
fn every_life_is_well_without_a_crash() {
    for life in lives() {
        let direction = Direction::default();
        let report = kept(&life, &direction);
        assert!(report.writes_sent >= 5, "{}: {report:?}", life.name);
    }
}

/// Faults 1, 2. R3, R4, R5, R9.
#[test]
fn a_crash_after_any_write_is_survived() {
    for (replicas, new_pod) in [(1, false), (1, true), (2, true)] {
        let lives = lives().into_iter();
        let lives: Vec<_> = lives.map(|life| life.with(replicas, false)).collect();
        side_by_side(&lives, |life| {
            let writes = play(&life.story, &Direction::default()).writes_sent;
            for point in 1..=writes {
                crash(life, vec![point], new_pod);
            }
            println!("{}: {writes} crashes, new pod: {new_pod}", life.name);
        });
    }
}

/// Fault 3. R3, R4, R5, R9.
#[test]
fn two_crashes_after_any_two_writes_are_survived() {
    let two = lives().into_iter().map(|life| life.with(2, false));
    let all: Vec<_> = lives().into_iter().chain(two).collect();
    side_by_side(&all, |life| {
        let writes = play(&life.story, &Direction::default()).writes_sent;
        let firsts = (1..=writes).flat_map(|first| [(first, false), (first, true)]);
        let mut pairs = 0;
        for (number, (first, new_pod)) in (0..).zip(firsts) {
            if !is_played(number, 7) {
                continue;
            }
            // What was interrupted is done again, so there are more writes than in the life without.
            let writes = crash(life, vec![first], new_pod).writes_sent;
            for (place, second) in (number..).zip(first + 1..=writes) {
                if is_played_after(place, 8) {
                    crash(life, vec![first, second], new_pod);
                    pairs += 1;
                }
            }
        }
        let replicas = life.story.setting.replicas;
        println!("{}: {pairs} pairs, replicas: {replicas}", life.name);
    });
}

fn crash(life: &Life, crash_at: Vec<u64>, new_pod: bool) -> Report {
    let direction = Direction {
        crash_at,
        new_pod,
        ..Direction::default()
    };
    kept(life, &direction)
}
