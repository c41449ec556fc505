//! What people ask for, and what they do with it later.

use super::{CALM, HOUR, MINUTE};
use crate::cast::{
    ACCOUNTS, IAM_ACCOUNTS, MANAGEMENT, NAMESPACES, PEOPLE, PERMISSION_SETS, Target,
};
use crate::entropy::Random;
use crate::story::{Deed, Grant, Name, Policy, Second, Tamper};

pub(super) fn first_policy(random: &mut Random) -> Policy {
    Policy::Everything {
        hours: random.pick(&[4, 8, 24]),
        end_on_removal: random.chance(0.3),
        exclusive: random.chance(0.15),
    }
}

/// Grants, and what their authors do with them later.
pub(super) fn grants(random: &mut Random, deeds: &mut Vec<(Second, Deed)>) {
    let all = Target::all();
    // Few tuples in some stories, so that grants overlap; many in others.
    let mut targets: Vec<Target> = (0..random.between(1, 5))
        .map(|_| random.pick(&all))
        .collect();
    // What nobody may have by a star, and what is not there.
    for (target, chance) in [
        (Target::Assignment(MANAGEMENT, PERMISSION_SETS[0].0), 0.05),
        (Target::Assignment(ACCOUNTS[0], "Misspelt"), 0.02),
        (Target::Group("Misspelt"), 0.02),
        (Target::IamGroup(IAM_ACCOUNTS[0], "Misspelt"), 0.02),
    ] {
        if random.chance(chance) {
            targets.push(target);
        }
    }
    let mut now = 0;
    for number in 0..random.between(4, 24) {
        now += random.between(0, 90 * MINUTE);
        let target = random.pick(&targets);
        let name = Name {
            namespace: random.pick(&NAMESPACES),
            // Some names come back for another purpose.
            name: format!("grant-{}", random.between(number / 2, number)),
        };
        let start = random
            .chance(0.3)
            .then(|| now + random.between(0, 2 * HOUR));
        let begin = start.unwrap_or(now);
        let lasts = random.pick(&[MINUTE, 10 * MINUTE, HOUR, 3 * HOUR]);
        let expiry = if random.chance(0.05) {
            begin.saturating_sub(HOUR).max(1)
        } else {
            begin + random.between(lasts / 2, lasts)
        };
        let grant = Grant {
            name: name.clone(),
            user: random.pick(target.people()),
            target,
            start: start.filter(|start| *start < expiry),
            expiry,
        };
        if now >= CALM {
            break;
        }
        // Back to back with the one before, once in a while.
        deeds.push((now, Deed::Apply(grant.clone())));
        if random.chance(0.1) {
            let next = Grant {
                name: Name {
                    name: format!("{}-next", name.name),
                    ..name.clone()
                },
                start: Some(expiry),
                expiry: expiry + random.between(MINUTE, HOUR),
                ..grant
            };
            deeds.push((now + 1, Deed::Apply(next)));
        }
        for _ in 0..random.below(3) {
            let at = now + random.between(1, lasts + 10 * MINUTE);
            if at < CALM {
                let deed = later_deed(random, &name, at, &targets);
                if matches!(deed, Deed::SetRevoked(_, true)) && random.chance(0.5) {
                    let back = at + random.pick(&[1, 30, 10 * MINUTE]);
                    let again = Deed::SetRevoked(name.clone(), false);
                    deeds.push((back.min(CALM - 1), again));
                }
                deeds.push((at, deed));
            }
        }
    }
    if random.chance(0.3) {
        let also = Policy::Everything {
            hours: random.pick(&[1, 24]),
            end_on_removal: random.chance(0.5),
            exclusive: false,
        };
        let at = random.pick(&[0, 6 * HOUR]);
        let name = random.pick(&["also", "zz-also"]);
        deeds.push((at, Deed::PutPolicy(name, also)));
        if random.chance(0.5) {
            let later = at + random.between(MINUTE, 12 * HOUR);
            deeds.push((later, Deed::DeletePolicy(name)));
        }
    }
    for _ in 0..random.below(3) {
        let at = random.below(CALM);
        let back = (at + random.between(MINUTE, HOUR)).min(CALM - 1);
        let (policy, name) = match random.below(5) {
            0 => (Policy::DenyPerson(random.pick(&PEOPLE)), "deny"),
            1 => (Policy::DenyTarget(random.pick(&targets)), "deny"),
            2 => (Policy::DenyAll, "deny"),
            3 => (Policy::Nonsense, "nonsense"),
            _ => (Policy::Only(random.pick(&PEOPLE)), "everything"),
        };
        deeds.push((at, Deed::PutPolicy(name, policy)));
        if name == "everything" {
            deeds.push((back, Deed::PutPolicy(name, first_policy(random))));
        } else {
            deeds.push((back, Deed::DeletePolicy(name)));
        }
    }
}

fn later_deed(random: &mut Random, name: &Name, now: Second, targets: &[Target]) -> Deed {
    let name = name.clone();
    match random.below(16) {
        0 | 1 => Deed::SetExpiry(name, now + random.between(MINUTE, 3 * HOUR)),
        2 => Deed::SetExpiry(name, now.saturating_sub(MINUTE).max(1)),
        3 => Deed::Retarget(name, random.pick(targets)),
        4..=6 => Deed::SetRevoked(name, true),
        7 => Deed::Annotate(name),
        8 => Deed::AskAgain(name),
        9 | 10 => Deed::Delete(name),
        11 => Deed::DeleteByForce(name),
        12 => Deed::DropFinalizer(name),
        13 => Deed::WipeStatus(name),
        14 => Deed::ForgeStatus(name),
        _ => Deed::Garble(name),
    }
}

/// Edits of grants and policies by somebody who may write them, and means harm or knows no better.
pub(super) fn hostile(random: &mut Random, deeds: &mut Vec<(Second, Deed)>) {
    let applied = deeds.iter().filter_map(|(at, deed)| match deed {
        Deed::Apply(grant) => Some((*at, grant.name.clone())),
        _ => None,
    });
    let (times, names): (Vec<_>, Vec<_>) = applied.unzip();
    let indices: Vec<usize> = (0..times.len()).collect();
    if random.chance(0.3) {
        for _ in 0..random.between(1, 4) {
            let one = random.pick(&indices);
            let (near, name) = (times[one], names[one].clone());
            let tamper = random.pick(&Tamper::ALL);
            let at = near + random.pick(&[0, 1, 2, 5, 30, 10 * MINUTE, HOUR]);
            deeds.push((at.min(CALM - 1), Deed::Tamper(name, tamper)));
        }
    }
    if random.chance(0.3) {
        let at = (random.pick(&times) + random.below(HOUR)).min(CALM - HOUR);
        let back = at + random.pick(&[0, 1, 10, MINUTE, HOUR - 1]);
        deeds.push(match random.below(4) {
            0 => (at, Deed::DeletePolicy("everything")),
            1 => (at, Deed::PutPolicy("everything", Policy::DenyAll)),
            2 => (at, Deed::PutPolicy("everything", Policy::Nonsense)),
            _ => {
                let policy = Policy::Everything {
                    hours: 1,
                    end_on_removal: true,
                    exclusive: false,
                };
                (at, Deed::PutPolicy("everything", policy))
            }
        });
        deeds.push((back, Deed::PutPolicy("everything", first_policy(random))));
    }
}
