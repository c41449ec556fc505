//! Many at once: what was given for an hour ends for everybody, while others need something now.

use super::people::first_policy;
use super::{HOUR, MINUTE, setting, story};
use crate::cast::{self, ACCOUNTS, IAM_ACCOUNTS, IAM_GROUPS, IAM_PEOPLE, NAMESPACES, Target};
use crate::cast::{GROUPS, PERMISSION_SETS};
use crate::entropy::Random;
use crate::story::{Cloud, Deed, Grant, Name, Outage, Second, Setting, Story};
use aws_simulator::{AccountStatus, Change};

/// How many people there are.
const SIZE: usize = 60;
/// When it ends for everybody.
const END: Second = HOUR;

/// A story in which many wait for their turn at once, and in most of which something is stuck besides:
/// an account, or IAM as a whole.
pub fn crowd(seed: u64) -> Story {
    let mut random = Random::new(seed);
    let setting = Setting {
        replicas: 1,
        crowd: SIZE,
        cloud: Cloud {
            assignment_delay: random.pick(&[0, 2_000, 10_000]),
            latency: 100,
            ..Cloud::default()
        },
        // Who waits in line is asked how long; what a turn itself takes is in other stories.
        api_latency: 20,
        ..setting(&mut random)
    };
    let mut deeds = vec![(0, Deed::PutPolicy("everything", first_policy(&mut random)))];
    let mut apply = |at, user, target, expiry| {
        let number = deeds.len();
        let name = Name {
            namespace: NAMESPACES[number % NAMESPACES.len()],
            name: format!("grant-{number:03}"),
        };
        let start = None;
        let grant = Grant {
            name,
            user,
            target,
            start,
            expiry,
        };
        deeds.push((at, Deed::Apply(grant)));
    };
    let people = cast::crowd(SIZE);
    let (ended, in_need) = people.split_at(SIZE - 16);
    for (number, user) in ended.iter().enumerate() {
        let at = random.between(1, 30 * MINUTE);
        for account in ACCOUNTS {
            let target = Target::Assignment(account, PERMISSION_SETS[number % 2].0);
            apply(at, user, target, END);
        }
        apply(at, user, Target::Group(GROUPS[number % 2]), END);
    }
    for user in IAM_PEOPLE {
        for account in IAM_ACCOUNTS {
            for group in IAM_GROUPS {
                let target = Target::IamGroup(account, group);
                apply(MINUTE, user, target, END);
            }
        }
    }
    for user in in_need {
        let at = (END + random.between(0, 20)).saturating_sub(10);
        let target = Target::Assignment(random.pick(&ACCOUNTS), PERMISSION_SETS[0].0);
        apply(at, user, target, END + HOUR);
    }
    let begin = END - random.between(1, 5 * MINUTE);
    match random.below(3) {
        0 => {}
        1 => deeds.push((begin, Deed::Outage(Outage::Iam, 20 * MINUTE))),
        _ => {
            let account = random.pick(&IAM_ACCOUNTS).to_owned();
            let change = |status| {
                let account = account.clone();
                Deed::Aws(Change::SetAccountStatus { account, status })
            };
            deeds.push((begin, change(AccountStatus::Suspended)));
            deeds.push((END + 20 * MINUTE, change(AccountStatus::Active)));
        }
    }
    story(seed, setting, deeds, END + HOUR + 30 * MINUTE)
}
