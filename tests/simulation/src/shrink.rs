//! Makes a story that breaks a rule as short as it can be while it still breaks that rule.

use crate::stage::{Direction, play};
use crate::story::{Cloud, Setting, Story};

/// What may be left out of the world that it plays in.
const SIMPLER: [fn(&mut Setting); 15] = [
    |setting| setting.cloud = Cloud::default(),
    |setting| setting.replicas = 1,
    |setting| setting.delegated = false,
    |setting| setting.lag = 0,
    |setting| setting.api_latency = 0,
    |setting| setting.audit_fails = false,
    |setting| setting.cloud.crowded = false,
    |setting| setting.cloud.tags_fail = false,
    |setting| setting.cloud.short_pages = false,
    |setting| setting.cloud.copies = None,
    |setting| setting.cloud.request_retention = None,
    |setting| setting.cloud.effect_shift = 0,
    |setting| (setting.cloud.staleness, setting.cloud.iam_staleness) = (0, 0),
    |setting| setting.cloud.latency = 0,
    |setting| setting.cloud.assignment_delay = 0,
];

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
    for simplify in SIMPLER {
        let mut candidate = best.clone();
        simplify(&mut candidate.setting);
        if candidate.setting == best.setting {
            continue;
        }
        if left == 0 {
            return best;
        }
        left -= 1;
        if still(&candidate) {
            best = candidate;
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
        story.setting.cloud.copies = Some(3);
        story.setting.cloud.short_pages = true;
        let breaks = |story: &Story| {
            needed.iter().all(|deed| has(story, deed)) && story.setting.cloud.copies.is_some()
        };
        let short = shortest(&story, 500, breaks);
        assert!(!short.setting.cloud.short_pages);
        assert_eq!(short.setting.cloud.copies, Some(3));
        let left: Vec<_> = short.deeds.into_iter().map(|(_, deed)| deed).collect();
        assert_eq!(left, needed);
        // Where there is no time for it, the story is told as it is.
        assert_eq!(shortest(&story, 0, breaks).deeds, story.deeds);
    }
}
