//! Makes a story that breaks a rule as short as it can be while it still breaks that rule.

use crate::stage::{Direction, play};
use crate::story::Story;

/// The shortest story found that breaks the same rule, after at most so many plays.
pub fn shrink(story: &Story, direction: &Direction, rule: &str, plays: usize) -> Story {
    shortest(story, plays, |story| breaks(story, direction, rule))
}

/// The shortest story found of which that is still so.
fn shortest(story: &Story, plays: usize, still: impl Fn(&Story) -> bool) -> Story {
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
            if still(&candidate) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::story::{Deed, draw};

    #[test]
    fn of_a_story_only_what_breaks_the_rule_is_left() {
        let mut story = draw(1);
        let needed = [Deed::Backup, Deed::Compact];
        story
            .deeds
            .insert(story.deeds.len() / 3, (5, needed[0].clone()));
        story.deeds.push((7, needed[1].clone()));
        let has = |story: &Story, deed: &Deed| story.deeds.iter().any(|(_, one)| one == deed);
        let breaks = |story: &Story| needed.iter().all(|deed| has(story, deed));
        let short = shortest(&story, 500, breaks);
        let left: Vec<_> = short.deeds.into_iter().map(|(_, deed)| deed).collect();
        assert_eq!(left, needed);
        // Where there is no time for it, the story is told as it is.
        assert_eq!(shortest(&story, 0, breaks).deeds, story.deeds);
    }
}
