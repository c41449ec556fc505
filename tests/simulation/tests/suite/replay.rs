//! A seed plays the same story for ever.

use std::process::Command;

use simulation::stage::{Direction, play};
use simulation::story::draw;

#[test]
fn a_seed_gives_the_same_calls_each_time_it_is_played() {
    for seed in 3..9 {
        let direction = Direction {
            trace: true,
            ..Direction::default()
        };
        let first = play(&draw(seed), &direction);
        let again = play(&draw(seed), &direction);
        assert!(first.aws_calls > 50, "{first:?}");
        for (first, again) in first.trace.iter().zip(&again.trace) {
            assert_eq!(first, again, "seed {seed}");
        }
        assert_eq!(first.fingerprint, again.fingerprint, "seed {seed}");
        assert_eq!(first.api_calls, again.api_calls, "seed {seed}");
    }
}

/// Nothing that differs between processes, such as where something lies in memory, may decide anything.
#[test]
fn another_process_plays_it_the_same() {
    let play = || {
        let mut simulate = Command::new(env!("CARGO_BIN_EXE_simulate"));
        let played = simulate
            .args(["--seeds", "1", "--from", "3", "--trace"])
            .output();
        let played = String::from_utf8(played.unwrap().stdout).unwrap();
        let lines = played.lines().map(str::to_owned);
        // The last lines tell how long it took.
        lines
            .take_while(|line| line.starts_with("2026-"))
            .collect::<Vec<_>>()
    };
    let (first, again) = (play(), play());
    assert!(first.len() > 500, "{first:?}");
    for (first, again) in first.iter().zip(&again) {
        assert_eq!(first, again);
    }
    assert_eq!(first.len(), again.len());
}

#[test]
fn another_seed_is_another_story() {
    let play = |seed| play(&draw(seed), &Direction::default()).fingerprint;
    assert_ne!(play(5), play(6));
}
