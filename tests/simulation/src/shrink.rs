//! Makes a story that breaks a rule as short as it can be while it still breaks that rule.

use crate::stage::{Direction, play};
use crate::story::Story;

/// The shortest story found that breaks the same rule, after at most so many plays.
pub fn shrink(story: &Story, direction: &Direction, rule: &str, plays: usize) -> Story {
    let mut best = story.clone();
    let mut left = plays;
    let mut chunk = best.deeds.len().div_ceil(2);
    while chunk > 0 {
        let mut at = 0;
        let mut shorter = false;
        while at < best.deeds.len() {
            if left == 0 {
                return best;
            }
            left -= 1;
            let mut candidate = best.clone();
            let end = (at + chunk).min(candidate.deeds.len());
            candidate.deeds.drain(at..end);
            if breaks(&candidate, direction, rule) {
                best = candidate;
                shorter = true;
            } else {
                at += chunk;
            }
        }
        if !shorter || chunk > 1 {
            chunk /= 2;
        }
    }
    best
}

fn breaks(story: &Story, direction: &Direction, rule: &str) -> bool {
    play(story, direction)
        .violations
        .first()
        .is_some_and(|violation| violation.rule == rule)
}
