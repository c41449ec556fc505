//! Draws a story from a seed.

mod aws;
mod cluster;
mod crowd;
mod people;

use crate::entropy::Random;
use crate::story::{Cloud, Deed, Second, Setting, Story};

pub use crowd::crowd;

const MINUTE: Second = 60;
const HOUR: Second = 60 * MINUTE;
/// Things go wrong for so long; then there is time to come to rest, and to see that it is rest.
const CALM: Second = 23 * HOUR;

/// The story of that seed: a day of work and trouble.
pub fn draw(seed: u64) -> Story {
    let mut random = Random::new(seed);
    let mut setting = setting(&mut random);
    let mut deeds = vec![(
        0,
        Deed::PutPolicy("everything", people::first_policy(&mut random)),
    )];
    people::grants(&mut random, &mut deeds);
    aws::hands(&mut random, &mut deeds);
    aws::changes(&mut random, &mut deeds);
    cluster::machines(&mut random, &setting, &mut deeds);
    cluster::two_leaders(&mut random, &mut setting, &mut deeds);
    setting.delegated = random.chance(0.2);
    setting.audit_fails = random.chance(0.1);
    setting.lag = random.pick(&[0, 0, 0, 2, 30]);
    setting.cloud.tags_fail = random.chance(0.1);
    aws::outages(&mut random, &mut deeds);
    aws::departures(&mut random, &mut deeds);
    aws::directory(&mut random, &mut deeds);
    aws::management(&mut random, &mut deeds);
    people::hostile(&mut random, &mut deeds);
    cluster::administration(&mut random, &mut deeds);
    story(seed, setting, deeds, CALM)
}

/// A story in which people are busy and nothing goes wrong.
pub fn calm(seed: u64) -> Story {
    let mut random = Random::new(seed);
    let setting = setting(&mut random);
    let assignment_delay = setting.cloud.assignment_delay;
    let setting = Setting {
        api_latency: setting.api_latency.min(20),
        cloud: Cloud {
            assignment_delay,
            latency: 100,
            ..Cloud::default()
        },
        ..setting
    };
    let mut deeds = vec![(
        0,
        Deed::PutPolicy("everything", people::first_policy(&mut random)),
    )];
    people::grants(&mut random, &mut deeds);
    story(seed, setting, deeds, CALM)
}

/// Some time in the story, so that what begins then can last for so long: in half of all cases when
/// something begins or ends for a grant.
fn moment(random: &mut Random, deeds: &[(Second, Deed)], lasts: Second) -> Second {
    let latest = CALM - lasts - 1;
    let boundaries: Vec<Second> = deeds
        .iter()
        .filter_map(|(at, deed)| match deed {
            Deed::Apply(grant) => Some([*at, grant.start.unwrap_or(*at), grant.expiry]),
            _ => None,
        })
        .flatten()
        .filter(|at| *at < latest)
        .collect();
    if boundaries.is_empty() || random.chance(0.5) {
        return random.below(latest);
    }
    (random.pick(&boundaries) + random.below(20))
        .saturating_sub(8)
        .min(latest)
}

fn story(seed: u64, setting: Setting, mut deeds: Vec<(Second, Deed)>, calm: Second) -> Story {
    deeds.sort_by_key(|(at, _)| *at);
    Story {
        seed,
        setting,
        deeds,
        calm,
        // Every object is looked at within half an hour.
        still: 45 * MINUTE,
    }
}

fn setting(random: &mut Random) -> Setting {
    let settings = breakglass::config::Settings {
        // Most of the calls of a story are of watches that begin anew; ten minutes are allowed.
        relist_interval: std::time::Duration::from_mins(random.pick(&[4, 10, 10])),
        ..breakglass::config::Settings::default()
    };
    Setting {
        replicas: random.pick(&[1, 1, 2]),
        lease: random.pick(&[15, 60, 600, 600, 600, 600, 1200, 1200]),
        delegated: false,
        lag: 0,
        api_latency: random.pick(&[0, 0, 20, 300, 3_000]),
        crowd: 0,
        audit_fails: false,
        cloud: Cloud {
            assignment_delay: random.pick(&[0, 2_000, 20_000, 90_000, 240_000]),
            effect_shift: random.pick(&[0, 0, 5_000, -5_000, 30_000]),
            staleness: random.pick(&[0, 0, 2_000, 30_000]),
            iam_staleness: random.pick(&[0, 4_000, 60_000]),
            latency: random.pick(&[0, 100, 2_000]),
            request_retention: random.pick(&[None, None, Some(5), Some(600)]),
            absent_delete: random.pick(&[0, 1, 2, 3, 3]),
            short_pages: random.chance(0.3),
            copies: random.pick(&[None, Some(3)]),
            crowded: random.chance(0.3),
            tags_fail: false,
        },
        settings,
    }
}
