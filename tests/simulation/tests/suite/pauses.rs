//! Two controllers at once, with and without a lease that works, one of them standing still from any of
//! its calls on, and going on with it when the other has taken over.

use std::sync::atomic::{AtomicU64, Ordering};

use simulation::lives::lives;
use simulation::stage::{Direction, Hold, play};

use crate::{is_played, kept, side_by_side};

/// Shorter than the lease, and than a call may take, so that its sender goes on with what it knew; longer than both, so
/// that the other one takes over; long enough for it to do the work; and to finish.
const HELD_FOR: [u64; 4] = [9, 45, 240, 600];

/// Faults 12, 13. R2, R6, R10.
#[test]
fn two_controllers_without_a_lease_keep_every_rule_while_one_is_held_up_at_any_call() {
    held_up(true);
}

/// Fault 13. R2, R6, R10.
#[test]
fn two_controllers_with_a_lease_keep_every_rule_while_one_is_held_up_at_any_call() {
    held_up(false);
}

fn held_up(without_lease: bool) {
    let lives = lives().into_iter();
    let lives: Vec<_> = lives.map(|life| life.with(2, without_lease)).collect();
    let taken_over = AtomicU64::new(0);
    side_by_side(&lives, |life| {
        let calls = play(&life.story, &Direction::default()).calls_sent;
        let kinds = HELD_FOR
            .into_iter()
            .flat_map(|seconds| [(seconds, false), (seconds, true)]);
        let pauses = kinds.flat_map(|(seconds, answer)| {
            (1..=calls).map(move |call| Hold {
                call,
                seconds,
                answer,
            })
        });
        let mut played = 0;
        for (number, hold) in (0..).zip(pauses) {
            if is_played(number, 61) {
                let direction = Direction {
                    hold: Some(hold),
                    ..Direction::default()
                };
                let report = kept(life, &direction);
                played += 1;
                let both = u64::from(report.writers.len() == 2);
                taken_over.fetch_add(both, Ordering::Relaxed);
            }
        }
        println!("{}: {calls} calls, {played} pauses", life.name);
    });
    let taken_over = taken_over.into_inner();
    println!("in {taken_over} of them both wrote to AWS");
    assert!(taken_over > 10, "{taken_over}");
}
