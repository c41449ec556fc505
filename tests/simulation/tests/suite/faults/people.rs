//! What people ask for, edit and do by hand, in the middle of everything.

use aws_simulator::{AccountStatus, Change};
use simulation::cast::{ACCOUNTS, GROUPS, IAM_ACCOUNTS, IAM_GROUPS, PERMISSION_SETS, ROLE, Target};
use simulation::lives::{ASSIGNMENT, GROUP, IAM_GROUP, grant, life};
use simulation::stage::Direction;
use simulation::story::{Deed, Grant, Policy, Second, Tamper};

use super::{ALICE, MINUTE, first, kept, long, name, second, traced};

/// R1, R3. People are renamed, and the ledger entry of their access is older than their name.
#[test]
fn who_is_renamed_is_given_access_and_denied_it_by_the_new_name() {
    const NEW: &str = "alicia";
    for target in [ASSIGNMENT, GROUP, IAM_GROUP] {
        let before = grant("first", target, None, 5 * MINUTE);
        let user = before.user.to_owned();
        let renamed = match target {
            Target::IamGroup(account, _) => Change::RenameIamUser {
                account: account.to_owned(),
                user,
                new_name: NEW.to_owned(),
            },
            Target::Assignment(..) | Target::Group(_) => Change::RenameUser {
                user,
                user_name: NEW.to_owned(),
            },
        };
        let later = grant("second", target, None, 38 * MINUTE);
        let later = Grant { user: NEW, ..later };
        for denied in [NEW, before.user] {
            let report = kept(&long(
                "renamed",
                vec![
                    (10, Deed::Apply(before.clone())),
                    (7 * MINUTE, Deed::Aws(renamed.clone())),
                    (12 * MINUTE, Deed::Apply(later.clone())),
                    (
                        20 * MINUTE,
                        Deed::PutPolicy("deny", Policy::DenyPerson(denied)),
                    ),
                ],
            ));
            assert_eq!(report.asked["R2"], 2, "{target:?}: each is given once");
            let late = &report.lateness;
            let in_time = late.len() == 2 && late.iter().all(|late| *late <= 5);
            assert!(in_time, "{target:?}, {denied} is denied: {late:?}");
        }
    }
}

/// Fault 11. R8.
#[test]
fn a_grant_made_again_from_its_manifest_after_its_expiry_gives_nothing() {
    let report = kept(&life(
        "made again too late",
        vec![
            first(ASSIGNMENT),
            (6 * MINUTE, Deed::Delete(name())),
            (
                8 * MINUTE,
                Deed::Apply(grant("first", ASSIGNMENT, None, 5 * MINUTE)),
            ),
        ],
    ));
    assert_eq!(report.asked["R2"], 1, "it was given once");
}

/// Fault 14. R6.
#[test]
fn of_two_grants_that_overlap_the_first_to_end_takes_nothing() {
    let report = kept(&life(
        "two overlap",
        vec![first(ASSIGNMENT), second(60, None, 9 * MINUTE)],
    ));
    assert_eq!(report.lateness, [0], "one end of access");
}

/// Fault 15. R6, L1.
#[test]
fn a_grant_that_comes_while_the_same_access_is_taken_away_has_it_in_the_end() {
    for late in 0..20 {
        kept(&life(
            "one comes while the other goes",
            vec![
                first(ASSIGNMENT),
                second(5 * MINUTE + late, None, 10 * MINUTE),
            ],
        ));
    }
}

/// Fault 16. R6.
#[test]
fn between_two_grants_back_to_back_nothing_is_taken() {
    let report = kept(&life(
        "back to back",
        vec![first(ASSIGNMENT), second(20, Some(5 * MINUTE), 9 * MINUTE)],
    ));
    assert_eq!(report.lateness, [0], "one end of access");
}

/// Fault 26. R1, L1.
#[test]
fn what_somebody_takes_away_is_given_back_while_its_grant_lasts() {
    let life = life(
        "taken away by hand",
        vec![
            first(ASSIGNMENT),
            (2 * MINUTE, Deed::TakeByHand(ALICE, ASSIGNMENT)),
            (3 * MINUTE, Deed::AskAgain(name())),
        ],
    );
    assert_eq!(kept(&life).asked["R2"], 2, "given twice");
}

/// Fault 27. R4.
#[test]
fn what_stood_before_stays() {
    for target in [ASSIGNMENT, GROUP] {
        let report = kept(&life(
            "it stood before",
            vec![(5, Deed::GiveByHand(ALICE, target)), first(target)],
        ));
        assert!(!report.asked.contains_key("R2"), "nothing was created");
        assert!(report.lateness.is_empty(), "nothing was deleted");
    }
}

/// Faults 28, 29. R4.
#[test]
fn hands_at_work_on_the_same_access_are_within_what_is_stated() {
    for target in [ASSIGNMENT, GROUP, IAM_GROUP] {
        let mut between = 0;
        for at in 10..60 {
            let mut life = life(
                "given by hand around our create",
                vec![first(target), (at, Deed::GiveByHand(ALICE, target))],
            );
            // So that seconds lie between a reading and what rests on it.
            life.story.setting.cloud.latency = 1_000;
            life.story.setting.api_latency = 3_000;
            let report = kept(&life);
            let which = "made by a person between our reading and our Create";
            between += report.residues.get(which).unwrap_or(&0);
        }
        // To IAM who is in the group already is added once more, and is then there by us.
        assert!(between > 0 || target == IAM_GROUP, "{target:?}");
    }
    for at in 8..16 {
        kept(&life(
            "taken and given by hand while it is ours",
            vec![
                first(ASSIGNMENT),
                (MINUTE + at, Deed::TakeByHand(ALICE, ASSIGNMENT)),
                (MINUTE + at + 1, Deed::GiveByHand(ALICE, ASSIGNMENT)),
            ],
        ));
    }
}

/// Fault 30. R3, L4.
#[test]
fn people_and_entitlements_that_go_in_the_middle_leave_nothing_usable() {
    let account = ACCOUNTS[0].to_owned();
    let changes = [
        (
            Change::RecreateUser {
                user: ALICE.to_owned(),
            },
            ASSIGNMENT,
        ),
        (
            Change::DeleteUser {
                user: ALICE.to_owned(),
            },
            GROUP,
        ),
        (
            Change::RecreateGroup {
                group: GROUPS[0].to_owned(),
            },
            GROUP,
        ),
        (
            Change::RecreatePermissionSet {
                permission_set: PERMISSION_SETS[0].0.to_owned(),
            },
            ASSIGNMENT,
        ),
        (
            Change::SetAccountStatus {
                account,
                status: AccountStatus::Suspended,
            },
            ASSIGNMENT,
        ),
    ];
    for (change, target) in changes {
        for at in [11, 2 * MINUTE] {
            kept(&life(
                "gone in the middle",
                vec![first(target), (at, Deed::Aws(change.clone()))],
            ));
        }
    }
}

/// Fault 30. R1, R4.
#[test]
fn an_iam_user_made_again_under_the_name_of_another_is_given_nothing() {
    for at in 10..20 {
        let (account, user) = (IAM_ACCOUNTS[0].to_owned(), "alice".to_owned());
        let again = Change::RecreateIamUser { account, user };
        let mut life = life(
            "another by that name",
            vec![first(IAM_GROUP), (at, Deed::Aws(again))],
        );
        life.story.setting.cloud.latency = 3_000;
        kept(&life);
    }
}

/// Fault 34. R3, R9.
#[test]
fn a_grant_made_again_under_the_name_of_one_that_is_gone_by_force_takes_nothing_over() {
    let (mut before, mut again) = (
        grant("first", ASSIGNMENT, None, 38 * MINUTE),
        grant("first", GROUP, None, 38 * MINUTE),
    );
    for same in [false, true] {
        if same {
            again.target = before.target;
            before.expiry -= MINUTE;
        }
        kept(&long(
            "gone by force and made again",
            vec![
                (10, Deed::Apply(before.clone())),
                (MINUTE, Deed::DeleteByForce(name())),
                (MINUTE, Deed::Apply(again.clone())),
            ],
        ));
    }
}

/// R7.
#[test]
fn longer_than_a_policy_allows_is_neither_given_nor_kept() {
    let an_hour = Policy::Everything {
        hours: 1,
        end_on_removal: false,
        exclusive: false,
    };
    for asked in [50 * MINUTE, 90 * MINUTE] {
        let mut life = life(
            "too long",
            vec![
                (1, Deed::PutPolicy("everything", an_hour.clone())),
                (10, Deed::Apply(grant("first", ASSIGNMENT, None, asked))),
                (30 * MINUTE, Deed::SetExpiry(name(), 90 * MINUTE)),
            ],
        );
        life.story.calm = 92 * MINUTE;
        let given = kept(&life).asked.get("R2").copied().unwrap_or_default();
        assert_eq!(given, u64::from(asked < 60 * MINUTE), "{}", life.story);
    }
}

/// The expiry of a merge request that was merged late: access was due until then, and nothing is overdue yet.
#[test]
fn an_expiry_that_was_past_when_it_was_written_ends_access_at_that_moment() {
    let given = grant("first", ASSIGNMENT, None, 30 * MINUTE);
    let report = traced(&life(
        "shortened too late",
        vec![
            (10, Deed::Apply(given)),
            (14 * MINUTE, Deed::SetExpiry(name(), 2 * MINUTE)),
        ],
    ));
    let late = &report.lateness;
    assert!(late.len() == 1 && late[0] <= 5, "{late:?}");
    let is_overdue = |line: &&String| line.contains("RevokeOverdue");
    assert_eq!(report.trace.iter().find(is_overdue), None);
}

/// From the moment at which people mean it, not from that at which somebody notices. L2.
#[test]
fn what_people_end_early_is_taken_away_within_seconds() {
    // Not at a time at which something is looked at anyway.
    const AT: Second = 4 * MINUTE + 7;
    let deeds = [
        Deed::PutPolicy("deny", Policy::DenyAll),
        Deed::SetRevoked(name(), true),
        Deed::Annotate(name()),
        Deed::Retarget(name(), GROUP),
        Deed::SetExpiry(name(), AT + 1),
        Deed::Delete(name()),
        Deed::DeleteByForce(name()),
    ];
    for deed in deeds {
        let given = grant("first", ASSIGNMENT, None, 14 * MINUTE);
        let report = kept(&life(
            "ended early",
            vec![(10, Deed::Apply(given)), (AT, deed.clone())],
        ));
        let first = report.lateness.first();
        assert!(
            first.is_some_and(|late| *late <= 5),
            "{deed:?}: {:?}",
            report.lateness
        );
    }
}

/// A Deny may be in it that nobody can read. R1.
#[test]
fn nothing_is_given_again_while_a_policy_can_not_be_read() {
    let report = kept(&life(
        "a policy turns into nonsense",
        vec![
            (
                10,
                Deed::Apply(grant("first", ASSIGNMENT, None, 14 * MINUTE)),
            ),
            (2 * MINUTE, Deed::PutPolicy("other", Policy::Nonsense)),
            (4 * MINUTE, Deed::TakeByHand(ALICE, ASSIGNMENT)),
            (4 * MINUTE + 5, Deed::AskAgain(name())),
            (9 * MINUTE, Deed::DeletePolicy("other")),
        ],
    ));
    assert_eq!(report.asked["R2"], 2, "it was given again in the end");
}

/// Faults 31, 32, 33. R1, R2, R3.
#[test]
fn edits_while_access_is_being_given_count() {
    let elsewhere = Target::Assignment(ACCOUNTS[1], PERMISSION_SETS[1].0);
    for at in 10..16 {
        for deed in [
            Deed::Retarget(name(), elsewhere),
            Deed::SetExpiry(name(), 20),
            Deed::Delete(name()),
            Deed::Garble(name()),
        ] {
            kept(&life(
                "edited in the middle",
                vec![first(ASSIGNMENT), (at, deed)],
            ));
        }
    }
}

/// Fault 33. R9, L1.
#[test]
fn a_grant_that_was_about_to_be_claimed_and_can_not_be_read_any_more_can_be_deleted() {
    let deeds = vec![(11, Deed::Garble(name())), (12, Deed::Delete(name()))];
    let life = life("held half-way", [vec![first(ASSIGNMENT)], deeds].concat());
    // The first write is the status of the policy, the second the finalizer.
    let direction = Direction {
        crash_at: vec![2],
        ..Direction::default()
    };
    crate::kept(&life, &direction);
}

/// Fault 34. R3, R9.
#[test]
fn a_grant_without_its_finalizer_or_gone_by_force_ends_all_the_same() {
    for deed in [
        Deed::DeleteByForce(name()),
        Deed::DropFinalizer(name()),
        Deed::WipeStatus(name()),
        Deed::ForgeStatus(name()),
    ] {
        for at in [12, MINUTE] {
            kept(&life(
                "by force",
                vec![first(ASSIGNMENT), (at, deed.clone())],
            ));
        }
    }
}

/// Fault 34. R9.
/// What others hold a grant by stays when ours goes.
#[test]
fn the_finalizers_of_others_stay() {
    for deleted in [MINUTE, 7 * MINUTE] {
        let life = life(
            "held by others too",
            vec![
                first(ASSIGNMENT),
                (20, Deed::Tamper(name(), Tamper::Finalizer)),
                (deleted, Deed::Delete(name())),
            ],
        );
        let report = kept(&life);
        assert!(report.asked["R9"] > 1, "{report:?}");
        assert_eq!(report.lateness, [0]);
        // Whoever comes after the last word on it knows the grant by the watch only.
        for point in 1..=report.writes_sent {
            let direction = Direction {
                crash_at: vec![point],
                ..Direction::default()
            };
            crate::kept(&life, &direction);
        }
    }
}

/// Fault 36. R2, R3.
#[test]
fn a_grant_that_expires_while_access_is_being_given_is_never_active() {
    let mut life = life(
        "expires in the middle",
        vec![(10, Deed::Apply(grant("first", ASSIGNMENT, None, 20)))],
    );
    life.story.setting.cloud.assignment_delay = 60_000;
    let mut given = 0;
    for seed in 0..8 {
        life.story.seed = seed;
        let report = traced(&life);
        given += report.asked.get("R2").copied().unwrap_or_default();
        let is_active = |line: &&String| line.contains("\"state\":\"Active\"");
        assert_eq!(report.trace.iter().find(is_active), None, "seed {seed}");
    }
    assert!(given >= 8, "AWS was asked for it each time: {given}");
}

/// Fault 48. R6.
#[test]
fn the_same_asked_for_twice_at_the_same_moment_is_given_once() {
    let report = kept(&life(
        "asked for twice",
        vec![first(ASSIGNMENT), second(10, None, 5 * MINUTE)],
    ));
    assert_eq!(report.asked["R2"], 1, "given once");
}

/// A Deny is the emergency stop, whatever else goes on.
#[test]
fn a_deny_ends_access_that_is_being_given_too() {
    for at in 10..16 {
        kept(&life(
            "denied in the middle",
            vec![
                first(ASSIGNMENT),
                (at, Deed::PutPolicy("deny", Policy::DenyAll)),
            ],
        ));
    }
}

/// As the grant was when it was admitted. R6.
#[test]
fn a_deny_ends_what_can_not_be_read_any_more() {
    const AT: Second = 4 * MINUTE + 7;
    let given = grant("first", ASSIGNMENT, None, 14 * MINUTE);
    let life = life(
        "denied when it can't be read",
        vec![
            (10, Deed::Apply(given)),
            (2 * MINUTE, Deed::Garble(name())),
            (AT, Deed::PutPolicy("deny", Policy::DenyAll)),
        ],
    );
    let report = traced(&life);
    let mut trace = report.trace.iter();
    let delete = trace.find(|line| line.contains("DeleteAccountAssignment {"));
    let delete = delete.map(|line| &line[11..19]);
    assert!(
        delete.is_some_and(|at| ("00:04:07".."00:04:12").contains(&at)),
        "{delete:?}"
    );
}

/// Fault 30. R3, L4.
#[test]
fn people_entitlements_and_accounts_that_go_for_good_leave_nothing_usable() {
    let (user, iam_user) = (ALICE.to_owned(), "alice".to_owned());
    let account = IAM_ACCOUNTS[0].to_owned();
    let iam_group = IAM_GROUPS[0].to_owned();
    let changes = [
        (Change::DeleteUser { user }, ASSIGNMENT),
        (
            Change::DeletePermissionSet {
                permission_set: PERMISSION_SETS[0].0.to_owned(),
            },
            ASSIGNMENT,
        ),
        (
            Change::RemoveAccount {
                account: ACCOUNTS[0].to_owned(),
            },
            ASSIGNMENT,
        ),
        (
            Change::DeleteGroup {
                group: GROUPS[0].to_owned(),
            },
            GROUP,
        ),
        (
            Change::DeleteIamUser {
                account: account.clone(),
                user: iam_user,
            },
            IAM_GROUP,
        ),
        (
            Change::DeleteIamGroup {
                account: account.clone(),
                group: iam_group,
            },
            IAM_GROUP,
        ),
        (
            Change::DeleteRole {
                account,
                role: ROLE.to_owned(),
            },
            IAM_GROUP,
        ),
    ];
    for (change, target) in changes {
        for at in [11, 2 * MINUTE, 5 * MINUTE + 1] {
            kept(&long(
                "gone for good in the middle",
                vec![first(target), (at, Deed::Aws(change.clone()))],
            ));
        }
    }
}

/// Faults 26, 29. R4, L1.
#[test]
fn a_directory_that_writes_its_own_members_over_ours_is_within_what_is_stated() {
    let (group, user) = (GROUPS[0].to_owned(), ALICE.to_owned());
    let members = |users: &[&str]| Change::SetGroupMembers {
        group: group.clone(),
        users: users.iter().map(|&user| user.to_owned()).collect(),
    };
    for change in [
        members(&[]),
        members(&[ALICE]),
        members(&["bob@example.com"]),
        Change::RenewGroupMember {
            group: group.clone(),
            user,
        },
        Change::SetGroupExternalId {
            group: group.clone(),
            external_id: Some("directory".to_owned()),
        },
    ] {
        for at in [9, 11, 2 * MINUTE, 5 * MINUTE + 1] {
            kept(&life(
                "the directory writes over",
                vec![first(GROUP), (at, Deed::Aws(change.clone()))],
            ));
        }
    }
}

/// Fault 34. R1, R3, R7, R9.
#[test]
fn who_may_write_grants_past_all_checks_neither_keeps_access_nor_gets_more() {
    let other = Target::Assignment(ACCOUNTS[1], PERMISSION_SETS[1].0);
    for tamper in Tamper::ALL {
        for target in [ASSIGNMENT, IAM_GROUP] {
            for at in [10, 11, 12, MINUTE, 5 * MINUTE + 1] {
                kept(&life(
                    "tampered with",
                    vec![
                        (5, Deed::Apply(grant("other", other, None, 9 * MINUTE))),
                        first(target),
                        (at, Deed::Tamper(name(), tamper)),
                        (6 * MINUTE, Deed::Delete(name())),
                    ],
                ));
            }
        }
    }
}

/// A policy is edited where it stands: what it allowed goes on, what it denies ends.
#[test]
fn policies_that_change_under_a_grant_are_taken_as_they_are() {
    let nobody_else = Policy::Only("bob@example.com");
    let short = Policy::Everything {
        hours: 0,
        end_on_removal: false,
        exclusive: false,
    };
    for at in 9..16 {
        for policy in [
            Policy::Nonsense,
            Policy::DenyAll,
            nobody_else.clone(),
            short.clone(),
        ] {
            kept(&life(
                "the policy is edited",
                vec![
                    first(ASSIGNMENT),
                    (at, Deed::PutPolicy("everything", policy)),
                    (2 * MINUTE, Deed::SetExpiry(name(), 7 * MINUTE)),
                ],
            ));
        }
        kept(&life(
            "the policy is deleted and made anew",
            vec![
                first(ASSIGNMENT),
                (at, Deed::DeletePolicy("everything")),
                (at + 2, Deed::PutPolicy("everything", short.clone())),
                (2 * MINUTE, Deed::SetExpiry(name(), 7 * MINUTE)),
            ],
        ));
    }
}

/// Somebody wipes it again and again, so that every look meets it once.
#[test]
fn a_status_that_is_wiped_every_second_ends_nothing() {
    let wiped = (MINUTE..3 * MINUTE).map(|at| (at, Deed::WipeStatus(name())));
    let report = kept(&life(
        "wiped every second",
        [first(ASSIGNMENT)].into_iter().chain(wiped).collect(),
    ));
    assert_eq!(report.lateness, [0]);
}

/// Tries lie further and further apart all the same.
#[test]
fn who_asks_again_while_a_watch_is_behind_hurries_the_next_try_only_once() {
    let asks = (5 * MINUTE + 20, Deed::AskAgain(name()));
    let mut life = life("asks again", vec![first(IAM_GROUP), asks]);
    life.story.setting.lag = MINUTE;
    // It is shown for so long, and taken away each time.
    life.story.setting.cloud.iam_staleness = 170_000;
    let report = traced(&life);
    let deletes = report.trace.iter();
    let deletes = deletes.filter(|line| line.contains("RemoveUserFromGroup {"));
    // Seconds 0, 1, 3, 7, 15, 31 and so on, once from the end and once more from when the request is seen.
    let (before, after): (Vec<_>, Vec<_>) =
        deletes.partition(|line| line.as_str() < "2026-01-05T00:06:20Z");
    assert!((5..=8).contains(&before.len()), "{before:#?}");
    assert!((5..=8).contains(&after.len()), "{after:#?}");
}
