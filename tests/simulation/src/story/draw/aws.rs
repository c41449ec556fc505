//! What happens in AWS: by hand, by a directory, and to AWS itself.

use aws_simulator::{AccountStatus, Change};

use super::{CALM, HOUR, MINUTE};
use crate::cast::{
    ACCOUNTS, GROUPS, IAM_ACCOUNTS, IAM_GROUPS, IAM_PEOPLE, MANAGEMENT, PEOPLE, PERMISSION_SETS,
    ROLE, Target, role_arn,
};
use crate::entropy::Random;
use crate::story::{Deed, Outage, Second};

/// What people do in AWS behind the controller's back.
pub(super) fn hands(random: &mut Random, deeds: &mut Vec<(Second, Deed)>) {
    let applied: Vec<_> = deeds
        .iter()
        .filter_map(|(at, deed)| match deed {
            Deed::Apply(grant) => Some((*at, grant.user, grant.target, grant.expiry)),
            _ => None,
        })
        .collect();
    for _ in 0..random.below(5) {
        let (near, user, target, expiry) = random.pick(&applied);
        let at = (near + random.below(2 * HOUR)).min(CALM - 1);
        let before = near.saturating_sub(random.below(HOUR));
        match random.below(5) {
            0 => deeds.push((before, Deed::GiveByHand(user, target))),
            // While it is taken away, and while nobody is sure yet that it is gone.
            4 => {
                let after = (expiry + random.below(4 * MINUTE)).min(CALM - 1);
                deeds.push((after, Deed::GiveByHand(user, target)));
            }
            1 => deeds.push((at, Deed::GiveByHand(user, target))),
            2 => deeds.push((at, Deed::TakeByHand(user, target))),
            _ => {
                deeds.push((at, Deed::TakeByHand(user, target)));
                deeds.push((at + random.below(MINUTE), Deed::GiveByHand(user, target)));
            }
        }
    }
}

/// What people change in AWS for a while besides who has what.
pub(super) fn changes(random: &mut Random, deeds: &mut Vec<(Second, Deed)>) {
    for _ in 0..random.below(3) {
        let at = random.below(CALM - HOUR);
        let back = at + random.between(1, HOUR);
        let user = random.pick(&PEOPLE).to_owned();
        let (then, later) = match random.below(12) {
            10 => {
                let account = random.pick(&IAM_ACCOUNTS).to_owned();
                let rename = |group: &str, new_name: &str| Change::RenameIamGroup {
                    account: account.clone(),
                    group: group.to_owned(),
                    new_name: new_name.to_owned(),
                };
                let group = random.pick(&IAM_GROUPS);
                (rename(group, "Renamed"), rename("Renamed", group))
            }
            11 => {
                let account = random.pick(&IAM_ACCOUNTS).to_owned();
                let group = random.pick(&IAM_GROUPS).to_owned();
                let again = Change::RecreateIamGroup { account, group };
                (again.clone(), again)
            }
            8 => {
                let rename = |user: &str, user_name: &str| Change::RenameUser {
                    user: user.to_owned(),
                    user_name: user_name.to_owned(),
                };
                let new = "married@example.com";
                asked_by(random, deeds, (&user, new), (at, back));
                (rename(&user, new), rename(new, &user))
            }
            9 => {
                let group = random.pick(&GROUPS);
                let rename = |group: &str, display_name: &str| Change::RenameGroup {
                    group: group.to_owned(),
                    display_name: display_name.to_owned(),
                };
                (rename(group, "Renamed"), rename("Renamed", group))
            }
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
                let status =
                    random.pick(&[AccountStatus::Suspended, AccountStatus::PendingClosure]);
                (to(status), to(AccountStatus::Active))
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
                (to("PT12H"), to("PT2H"))
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
                asked_by(random, deeds, ("bob", "robert"), (at, back));
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

/// Somebody asks by a new name, while it is the right one, for what may have been given by the old one.
fn asked_by(
    random: &mut Random,
    deeds: &mut Vec<(Second, Deed)>,
    (old, new): (&str, &'static str),
    (from, to): (Second, Second),
) {
    let applied = deeds.iter().filter_map(|(_, deed)| match deed {
        Deed::Apply(grant) if grant.user == old => Some(grant.clone()),
        _ => None,
    });
    let mut applied: Vec<_> = applied.collect();
    if applied.is_empty() {
        return;
    }
    let mut grant = applied.swap_remove(random.below(applied.len() as u64).try_into().unwrap_or(0));
    let at = random.between(from, to);
    grant.name.name.push_str("-renamed");
    grant.user = new;
    grant.start = None;
    grant.expiry = at + random.between(MINUTE, HOUR);
    deeds.push((at, Deed::Apply(grant)));
}

/// What is down at AWS for everybody, and the keys that controllers come with.
pub(super) fn outages(random: &mut Random, deeds: &mut Vec<(Second, Deed)>) {
    for _ in 0..random.below(3) {
        let lasts = random.pick(&[30, 5 * MINUTE, 20 * MINUTE, 2 * HOUR]);
        let at = random.below(CALM - lasts);
        let deed = match random.below(6) {
            0 => Deed::Outage(Outage::PrimaryRegion, lasts),
            1 => Deed::Outage(Outage::IamWrites, lasts),
            2 => Deed::Outage(Outage::Iam, lasts),
            3 => Deed::Outage(Outage::Throttling(random.pick(&[50, 90, 100])), lasts),
            4 => Deed::KeysExpire(lasts),
            _ => {
                let role_arn = role_arn(random.pick(&IAM_ACCOUNTS));
                Deed::Aws(if random.chance(0.5) {
                    Change::ExpireSessions { role_arn }
                } else {
                    Change::RevokeSessions { role_arn }
                })
            }
        };
        deeds.push((at, deed));
    }
}

/// People, entitlements and accounts that go for good; some names are given again much later.
pub(super) fn departures(random: &mut Random, deeds: &mut Vec<(Second, Deed)>) {
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
pub(super) fn directory(random: &mut Random, deeds: &mut Vec<(Second, Deed)>) {
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
pub(super) fn management(random: &mut Random, deeds: &mut Vec<(Second, Deed)>) {
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
