//! A seed plays the same story for ever.

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

#[test]
fn another_seed_is_another_story() {
    let play = |seed| play(&draw(seed), &Direction::default()).fingerprint;
    assert_ne!(play(5), play(6));
}
