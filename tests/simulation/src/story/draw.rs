//! Draws a story from a seed.

use aws_simulator::{AccountStatus, Change};

use super::{
    Api, Aws, Cloud, Deed, Grant, Name, Outage, Policy, Second, Setting, Story, Tamper, Trouble,
};
use crate::cast::{
    ACCOUNTS, GROUPS, IAM_ACCOUNTS, IAM_GROUPS, IAM_PEOPLE, MANAGEMENT, NAMESPACES, PEOPLE,
    PERMISSION_SETS, ROLE, Target, role_arn,
};
use crate::entropy::Random;

const MINUTE: Second = 60;
const HOUR: Second = 60 * MINUTE;
/// Things go wrong for so long; then there is time to come to rest, and to see that it is rest.
const CALM: Second = 20 * HOUR;

/// The story of that seed: twenty hours of work and trouble.
pub fn draw(seed: u64) -> Story {
    let mut random = Random::new(seed);
    let mut setting = setting(&mut random);
    let mut deeds = vec![(0, Deed::PutPolicy("everything", first_policy(&mut random)))];
    people(&mut random, &mut deeds);
    hands(&mut random, &mut deeds);
    machines(&mut random, &setting, &mut deeds);
    setting.delegated = random.chance(0.2);
    setting.audit_fails = random.chance(0.1);
    outages(&mut random, &mut deeds);
    departures(&mut random, &mut deeds);
    directory(&mut random, &mut deeds);
    management(&mut random, &mut deeds);
    hostile(&mut random, &mut deeds);
    cluster(&mut random, &mut deeds);
    deeds.sort_by_key(|(at, _)| *at);
    Story {
        seed,
        setting,
        deeds,
        calm: CALM,
        // Every object is looked at within half an hour.
        still: 45 * MINUTE,
    }
}

/// A story in which people are busy and nothing goes wrong.
pub fn calm(seed: u64) -> Story {
    let mut random = Random::new(seed);
    let setting = setting(&mut random);
    let assignment_delay = setting.cloud.assignment_delay;
    let setting = Setting {
        cloud: Cloud {
            assignment_delay,
            latency: 100,
            ..Cloud::default()
        },
        ..setting
    };
    let mut deeds = vec![(0, Deed::PutPolicy("everything", first_policy(&mut random)))];
    people(&mut random, &mut deeds);
    deeds.sort_by_key(|(at, _)| *at);
    Story {
        seed,
        setting,
        deeds,
        calm: CALM,
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
        lease: random.pick(&[60, 600, 600, 1200]),
        delegated: false,
        audit_fails: false,
        cloud: Cloud {
            assignment_delay: random.pick(&[0, 2_000, 20_000, 90_000, 240_000]),
            effect_shift: random.pick(&[0, 0, 5_000, -5_000, 30_000]),
            staleness: random.pick(&[0, 0, 2_000, 30_000]),
            iam_staleness: random.pick(&[0, 4_000, 60_000]),
            latency: random.pick(&[0, 100, 2_000]),
            request_retention: random.pick(&[None, None, Some(5), Some(600)]),
            absent_delete: random.pick(&[0, 1, 2]),
            short_pages: random.chance(0.3),
            copies: random.pick(&[None, Some(3)]),
            crowded: random.chance(0.3),
        },
        settings,
    }
}

fn first_policy(random: &mut Random) -> Policy {
    Policy::Everything {
        hours: random.pick(&[4, 8, 24]),
        end_on_removal: random.chance(0.3),
        exclusive: random.chance(0.15),
    }
}

/// Grants, and what their authors do with them later.
fn people(random: &mut Random, deeds: &mut Vec<(Second, Deed)>) {
    let all = Target::all();
    // Few tuples in some stories, so that grants overlap; many in others.
    let targets: Vec<Target> = (0..random.between(1, 5))
        .map(|_| random.pick(&all))
        .collect();
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
                deeds.push((at, later_deed(random, &name, at, &targets)));
            }
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
        4 | 5 => Deed::SetRevoked(name, true),
        6 => Deed::SetRevoked(name, false),
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

/// What people do in AWS behind the controller's back.
fn hands(random: &mut Random, deeds: &mut Vec<(Second, Deed)>) {
    let applied: Vec<_> = deeds
        .iter()
        .filter_map(|(at, deed)| match deed {
            Deed::Apply(grant) => Some((*at, grant.user, grant.target)),
            _ => None,
        })
        .collect();
    for _ in 0..random.below(5) {
        let (near, user, target) = random.pick(&applied);
        let at = (near + random.below(2 * HOUR)).min(CALM - 1);
        let before = near.saturating_sub(random.below(HOUR));
        match random.below(4) {
            0 => deeds.push((before, Deed::GiveByHand(user, target))),
            1 => deeds.push((at, Deed::GiveByHand(user, target))),
            2 => deeds.push((at, Deed::TakeByHand(user, target))),
            _ => {
                deeds.push((at, Deed::TakeByHand(user, target)));
                deeds.push((at + random.below(MINUTE), Deed::GiveByHand(user, target)));
            }
        }
    }
    for _ in 0..random.below(3) {
        let at = random.below(CALM - HOUR);
        let back = at + random.between(1, HOUR);
        let user = random.pick(&PEOPLE).to_owned();
        let (then, later) = match random.below(8) {
            0 => (
                Change::DisableUser { user: user.clone() },
                Change::EnableUser { user },
            ),
            1 => (
                Change::RecreateUser { user: user.clone() },
                Change::EnableUser { user },
            ),
            2 => {
                let account = random.pick(&ACCOUNTS);
                let to = |status| Change::SetAccountStatus {
                    account: account.to_owned(),
                    status,
                };
                (to(AccountStatus::Suspended), to(AccountStatus::Active))
            }
            3 => {
                let group = random.pick(&GROUPS).to_owned();
                (
                    Change::RecreateGroup {
                        group: group.clone(),
                    },
                    Change::AddGroupMember { group, user },
                )
            }
            4 => {
                let permission_set = random.pick(&PERMISSION_SETS).0.to_owned();
                let to = |session: &str| Change::SetSessionDuration {
                    permission_set: permission_set.clone(),
                    session_duration: session.to_owned(),
                };
                (to("PT8H"), to("PT2H"))
            }
            5 => {
                let permission_set = random.pick(&PERMISSION_SETS).0.to_owned();
                let again = Change::RecreatePermissionSet { permission_set };
                (again.clone(), again)
            }
            6 => {
                let account = random.pick(&IAM_ACCOUNTS).to_owned();
                let user = "bob".to_owned();
                let rename = |user: &str, new_name: &str| Change::RenameIamUser {
                    account: account.clone(),
                    user: user.to_owned(),
                    new_name: new_name.to_owned(),
                };
                (rename(&user, "robert"), rename("robert", &user))
            }
            _ => {
                let account = random.pick(&IAM_ACCOUNTS).to_owned();
                let user = "alice".to_owned();
                let again = Change::RecreateIamUser { account, user };
                (again.clone(), again)
            }
        };
        deeds.push((at, Deed::Aws(then)));
        deeds.push((back, Deed::Aws(later)));
    }
}

/// What becomes of the machines and the lines between them.
fn machines(random: &mut Random, setting: &Setting, deeds: &mut Vec<(Second, Deed)>) {
    let replicas = setting.replicas as u64;
    let one = |random: &mut Random| usize::try_from(random.below(replicas)).unwrap_or(0);
    for _ in 0..random.below(6) {
        let replica = one(random);
        let down = random.pick(&[1, 20, 5 * MINUTE, HOUR, 3 * HOUR]);
        let at = random.below(CALM - down - 1);
        deeds.push((
            at,
            if random.chance(0.3) {
                Deed::Stop { replica, down }
            } else {
                Deed::Kill {
                    replica,
                    down,
                    same_pod: random.chance(0.5),
                }
            },
        ));
    }
    for _ in 0..random.below(6) {
        let late = random.between(1, 50);
        let kind = random.pick(&[
            Api::Refused(500),
            Api::Refused(503),
            Api::Refused(429),
            Api::Conflict,
            Api::Lost,
            Api::Unanswered,
            Api::Late(late),
            Api::Hang,
            Api::EventLost,
            Api::EventTwice,
            Api::EventLate(late),
            Api::WatchSilent,
            Api::WatchExpired,
            Api::NoLease,
        ]);
        deeds.push(trouble(random, setting, kind, Deed::ApiTrouble));
    }
    for _ in 0..random.below(6) {
        let late = random.between(1, 240);
        let kind = random.pick(&[
            Aws::ServerError,
            Aws::Throttled,
            Aws::TooManyRequests,
            Aws::Conflict,
            Aws::Lost,
            Aws::Unanswered,
            Aws::Late(late),
            Aws::Hang,
            Aws::Html,
            Aws::Truncated,
            Aws::Denied,
            Aws::Expired,
            Aws::IamDown,
            Aws::IdentityCenterDown,
        ]);
        deeds.push(trouble(random, setting, kind, Deed::AwsTrouble));
    }
    if random.chance(0.2) {
        let off = random.pick(&[-3600, -20, 20, 3600]);
        let (replica, at) = (one(random), random.below(CALM - 2 * HOUR));
        deeds.push((at, Deed::SetClock(replica, off)));
        let back = at + random.between(MINUTE, 2 * HOUR);
        deeds.push((back, Deed::SetClock(replica, 0)));
    }
    if random.chance(0.1) {
        let at = random.below(CALM - 2 * HOUR);
        let back = at + random.between(MINUTE, 2 * HOUR);
        deeds.push((at, Deed::Backup));
        deeds.push((
            back,
            Deed::Restore {
                bump: random.chance(0.5),
            },
        ));
    }
    for deed in [Deed::Compact, Deed::EndWatches] {
        if random.chance(0.2) {
            deeds.push((random.below(CALM), deed));
        }
    }
}

fn trouble<K>(
    random: &mut Random,
    setting: &Setting,
    kind: K,
    deed: impl Fn(Trouble<K>) -> Deed,
) -> (Second, Deed) {
    let lasts = random.pick(&[30, 5 * MINUTE, 20 * MINUTE, 2 * HOUR]);
    let replica = random
        .chance(0.3)
        .then(|| usize::try_from(random.below(setting.replicas as u64)).unwrap_or(0));
    let trouble = Trouble {
        kind,
        lasts,
        replica,
        percent: random.pick(&[5, 30, 100]),
        only_writes: random.chance(0.4),
    };
    (random.below(CALM - lasts), deed(trouble))
}

/// What is down at AWS for everybody, and the keys that controllers come with.
fn outages(random: &mut Random, deeds: &mut Vec<(Second, Deed)>) {
    for _ in 0..random.below(3) {
        let lasts = random.pick(&[30, 5 * MINUTE, 20 * MINUTE, 2 * HOUR]);
        let at = random.below(CALM - lasts);
        let deed = match random.below(6) {
            0 => Deed::Outage(Outage::PrimaryRegion, lasts),
            1 => Deed::Outage(Outage::IamWrites, lasts),
            2 => Deed::Outage(Outage::Iam, lasts),
            3 => Deed::Outage(Outage::Throttling(random.pick(&[50, 90, 100])), lasts),
            4 => Deed::KeysExpire(lasts),
            _ => Deed::Aws(Change::ExpireSessions {
                role_arn: role_arn(random.pick(&IAM_ACCOUNTS)),
            }),
        };
        deeds.push((at, deed));
    }
}

/// People, entitlements and accounts that go for good; some names are given again much later.
fn departures(random: &mut Random, deeds: &mut Vec<(Second, Deed)>) {
    if !random.chance(0.3) {
        return;
    }
    let user = random.pick(&PEOPLE).to_owned();
    let group = random.pick(&GROUPS).to_owned();
    let (set, session) = random.pick(&PERMISSION_SETS);
    let account = random.pick(&IAM_ACCOUNTS).to_owned();
    let (then, later) = match random.below(7) {
        0 => {
            let (user_name, external_id) = (user.clone(), None);
            let again = Change::CreateUser {
                user_name,
                external_id,
            };
            (Change::DeleteUser { user }, Some(again))
        }
        1 => {
            let (display_name, external_id) = (group.clone(), None);
            let again = Change::CreateGroup {
                display_name,
                external_id,
            };
            (Change::DeleteGroup { group }, Some(again))
        }
        2 => {
            let permission_set = set.to_owned();
            let again = Change::CreatePermissionSet {
                name: set.to_owned(),
                session_duration: session.to_owned(),
            };
            (Change::DeletePermissionSet { permission_set }, Some(again))
        }
        3 => {
            let account = random.pick(&ACCOUNTS).to_owned();
            (Change::RemoveAccount { account }, None)
        }
        4 => {
            let user = random.pick(&IAM_PEOPLE).to_owned();
            let again = Change::CreateIamUser {
                account: account.clone(),
                user: user.clone(),
            };
            (Change::DeleteIamUser { account, user }, Some(again))
        }
        5 => {
            let group = random.pick(&IAM_GROUPS).to_owned();
            let again = Change::CreateIamGroup {
                account: account.clone(),
                group: group.clone(),
            };
            (Change::DeleteIamGroup { account, group }, Some(again))
        }
        _ => {
            let role = ROLE.to_owned();
            let again = Change::CreateRole {
                account: account.clone(),
                role: role.clone(),
            };
            (Change::DeleteRole { account, role }, Some(again))
        }
    };
    let at = random.below(CALM - HOUR);
    deeds.push((at, Deed::Aws(then)));
    if let Some(later) = later.filter(|_| random.chance(0.5)) {
        let back = at + random.between(1, HOUR);
        deeds.push((back, Deed::Aws(later)));
    }
}

/// A directory synchronisation, which writes its own members over those that are there.
fn directory(random: &mut Random, deeds: &mut Vec<(Second, Deed)>) {
    if !random.chance(0.3) {
        return;
    }
    for _ in 0..random.between(1, 4) {
        let group = random.pick(&GROUPS).to_owned();
        let user = random.pick(&PEOPLE).to_owned();
        let change = match random.below(4) {
            0 => Change::RenewGroupMember { group, user },
            1 => Change::SetGroupExternalId {
                group,
                external_id: random.chance(0.5).then(|| "directory".to_owned()),
            },
            2 => Change::SetGroupMembers {
                group,
                users: Vec::new(),
            },
            _ => Change::SetGroupMembers {
                group,
                users: vec![user, random.pick(&PEOPLE).to_owned()],
            },
        };
        deeds.push((random.below(CALM), Deed::Aws(change)));
    }
}

/// Somebody has a permission set in the management account for a while: whoever administers by
/// delegation is refused everything about that set.
fn management(random: &mut Random, deeds: &mut Vec<(Second, Deed)>) {
    if !random.chance(0.2) {
        return;
    }
    let (set, _) = random.pick(&PERMISSION_SETS);
    let (user, target) = (random.pick(&PEOPLE), Target::Assignment(MANAGEMENT, set));
    let at = random.below(CALM - 3 * HOUR);
    let back = at + random.between(MINUTE, 3 * HOUR);
    deeds.push((at, Deed::GiveByHand(user, target)));
    deeds.push((back, Deed::TakeByHand(user, target)));
}

/// Edits of grants and policies by somebody who may write them, and means harm or knows no better.
fn hostile(random: &mut Random, deeds: &mut Vec<(Second, Deed)>) {
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
            let tamper = random.pick(&[
                Tamper::Ended,
                Tamper::AnothersAccess,
                Tamper::Finalizer,
                Tamper::BadExpiry,
                Tamper::ForMallory,
                Tamper::Start,
            ]);
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

/// What administrators do to the cluster, or fail to prevent.
fn cluster(random: &mut Random, deeds: &mut Vec<(Second, Deed)>) {
    if random.chance(0.15) {
        let namespace = random.pick(&NAMESPACES);
        deeds.push((random.below(CALM), Deed::DeleteNamespace(namespace)));
    }
    if random.chance(0.15) {
        let deed = match random.below(3) {
            0 => Deed::DeleteLedger,
            1 => Deed::LoseLedger { by_force: true },
            _ => Deed::LoseLedger { by_force: false },
        };
        deeds.push((random.below(CALM), deed));
    }
    if random.chance(0.3) {
        let at = random.below(CALM - HOUR);
        let initializing = Trouble {
            kind: Api::Initializing,
            lasts: random.pick(&[2, 20, 3 * MINUTE]),
            replica: None,
            percent: random.pick(&[50, 100]),
            only_writes: false,
        };
        deeds.push((at, Deed::EndWatches));
        deeds.push((at, Deed::ApiTrouble(initializing)));
    }
}
