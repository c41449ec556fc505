//! A process that dies after any of its writes, and after any two, loses nothing.

use simulation::lives::{Life, lives};
use simulation::stage::{Direction, play};

use crate::{assert_kept, is_played, side_by_side};

#[test]
fn every_life_is_well_without_a_crash() {
    for life in lives() {
        let direction = Direction::default();
        let report = play(&life.story, &direction);
        assert_kept(&life, &direction, &report);
        assert!(report.writes_sent >= 5, "{}: {report:?}", life.name);
    }
}

/// Faults 1, 2. R3, R4, R5, R9.
#[test]
fn a_crash_after_any_write_is_survived() {
    each_life(|life, writes| {
        (1..=writes)
            .map(|first| vec![first])
            .for_each(|points| crash(life, points));
        writes
    });
}

/// Fault 3. R3, R4, R5, R9.
#[test]
fn two_crashes_after_any_two_writes_are_survived() {
    each_life(|life, writes| {
        // What was interrupted is done again, so there are more writes than in the life without.
        let pairs = (1..=writes)
            .flat_map(|first| (first + 1..=writes + 12).map(move |second| vec![first, second]));
        let played = (0..).zip(pairs).filter(|(number, _)| is_played(*number));
        let played = played.map(|(_, points)| crash(life, points));
        played.count().try_into().expect("a number")
    });
}

fn crash(life: &Life, crash_at: Vec<u64>) {
    let direction = Direction {
        crash_at,
        ..Direction::default()
    };
    assert_kept(life, &direction, &play(&life.story, &direction));
}

/// Does that for each life, with the number of writes that it takes undisturbed.
fn each_life(test: impl Fn(&Life, u64) -> u64 + Sync) {
    let lives = lives();
    side_by_side(&lives, |life| {
        let writes = play(&life.story, &Direction::default()).writes_sent;
        let points = test(life, writes);
        println!("{}: {points} crashes in {writes} writes", life.name);
    });
}
