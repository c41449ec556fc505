//! What can go wrong, one thing at a time and for certain. The random stories mix all of it.
//!
//! A line `Fault 7. R3.` above a test puts it into `tests/FAULTS.md`.

use aws_simulator::{AccountStatus, Change};
use simulation::cast::{
    ACCOUNTS, GROUPS, IAM_ACCOUNTS, IAM_GROUPS, MANAGEMENT, PERMISSION_SETS, ROLE, Target, role_arn,
};
use simulation::lives::{ASSIGNMENT, GROUP, IAM_GROUP, Life, grant, life};
use simulation::report::Report;
use simulation::stage::{Direction, play};
use simulation::story::{
    Api, Aws, Cloud, Deed, Grant, Name, Outage, Policy, Second, Tamper, Trouble,
};

use crate::assert_kept;

const MINUTE: Second = 60;
const ALICE: &str = "alice@example.com";

fn kept(life: &Life) -> Report {
    let direction = Direction::default();
    let report = play(&life.story, &direction);
    assert_kept(life, &direction, &report);
    report
}

/// A grant of five minutes, from second 10 on.
fn first(target: Target) -> (Second, Deed) {
    (10, Deed::Apply(grant("first", target, None, 5 * MINUTE)))
}

fn second(at: Second, start: Option<Second>, expiry: Second) -> (Second, Deed) {
    let grant = grant("second", ASSIGNMENT, start, expiry);
    (at, Deed::Apply(grant))
}

fn name() -> Name {
    grant("first", ASSIGNMENT, None, 0).name
}

fn trouble<K>(kind: K, lasts: Second) -> Trouble<K> {
    Trouble {
        kind,
        lasts,
        replica: None,
        percent: 100,
        only_writes: false,
    }
}

fn api(at: Second, kind: Api, lasts: Second) -> (Second, Deed) {
    (at, Deed::ApiTrouble(trouble(kind, lasts)))
}

fn aws(at: Second, kind: Aws, lasts: Second) -> (Second, Deed) {
    (at, Deed::AwsTrouble(trouble(kind, lasts)))
}

/// The same, of writes only.
fn aws_writes(at: Second, kind: Aws, lasts: Second) -> (Second, Deed) {
    let only_writes = true;
    let trouble = trouble(kind, lasts);
    (
        at,
        Deed::AwsTrouble(Trouble {
            only_writes,
            ..trouble
        }),
    )
}

fn kill(at: Second, down: Second) -> (Second, Deed) {
    let (replica, same_pod) = (0, false);
    (
        at,
        Deed::Kill {
            replica,
            down,
            same_pod,
        },
    )
}

/// Fault 4. R2, R3.
#[test]
fn a_create_whose_answer_dies_with_the_process_is_taken_away_when_its_time_was_over_meanwhile() {
    for target in [ASSIGNMENT, GROUP, IAM_GROUP] {
        let life = life(
            "killed with the create on its way, back after the expiry",
            vec![
                first(target),
                aws_writes(9, Aws::Unanswered, 3),
                kill(12, 10 * MINUTE),
            ],
        );
        let report = kept(&life);
        assert!(report.lateness.iter().any(|late| *late > 60), "{report:?}");
    }
}

/// Fault 5. R1, R8.
#[test]
fn a_watch_that_is_far_behind_at_the_start_grants_nothing_that_has_ended() {
    kept(&life(
        "revoked while down, and the watch is late",
        vec![
            first(ASSIGNMENT),
            kill(MINUTE, MINUTE),
            (90, Deed::SetRevoked(name(), true)),
            api(2 * MINUTE, Api::EventLate(50), 3 * MINUTE),
        ],
    ));
}

/// Fault 6. R3, L1.
#[test]
fn edits_of_which_no_event_comes_are_seen_as_one() {
    kept(&life(
        "made, lengthened, shortened and revoked unseen",
        vec![
            api(5, Api::EventLost, 5 * MINUTE),
            first(ASSIGNMENT),
            (20, Deed::SetExpiry(name(), 9 * MINUTE)),
            (40, Deed::SetExpiry(name(), 6 * MINUTE)),
            (3 * MINUTE, Deed::SetRevoked(name(), true)),
        ],
    ));
}

/// Fault 7. R3.
#[test]
fn a_delete_that_the_watch_loses_ends_access_all_the_same() {
    kept(&life(
        "deleted by force, and no event of it",
        vec![
            first(ASSIGNMENT),
            api(MINUTE, Api::EventLost, 2 * MINUTE),
            (90, Deed::DeleteByForce(name())),
        ],
    ));
}

/// Fault 8. L2.
#[test]
fn a_watch_that_falls_silent_delays_no_expiry() {
    let report = kept(&life(
        "silent watches",
        vec![first(ASSIGNMENT), api(MINUTE, Api::WatchSilent, 8 * MINUTE)],
    ));
    assert_eq!(report.lateness, [0]);
}

/// Fault 9. R1, L1.
#[test]
fn watches_that_are_told_that_their_history_is_gone_begin_anew() {
    kept(&life(
        "compacted, expired and restarted",
        vec![
            first(ASSIGNMENT),
            (30, Deed::Compact),
            (31, Deed::EndWatches),
            api(MINUTE, Api::WatchExpired, MINUTE),
            second(70, None, 8 * MINUTE),
        ],
    ));
}

/// Fault 10. R3, R4, R8.
#[test]
fn a_backup_that_is_put_back_revives_nothing_and_leaves_nothing() {
    for bump in [false, true] {
        for (made, back) in [(2, 3), (2, 7), (6, 8)] {
            kept(&life(
                "put back from a backup",
                vec![
                    first(ASSIGNMENT),
                    (made * MINUTE, Deed::Backup),
                    (back * MINUTE, Deed::Restore { bump }),
                    second(9 * MINUTE, None, 11 * MINUTE),
                ],
            ));
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

/// Fault 17. R2, L3, L4.
#[test]
fn ten_minutes_of_throttling_end_with_everything_taken_away() {
    for target in [ASSIGNMENT, GROUP, IAM_GROUP] {
        kept(&life(
            "throttled",
            vec![first(target), aws(4 * MINUTE, Aws::Throttled, 10 * MINUTE)],
        ));
    }
}

/// Fault 18. R3.
#[test]
fn errors_of_the_server_and_broken_connections_are_tried_on() {
    for kind in [
        Aws::ServerError,
        Aws::Lost,
        Aws::Html,
        Aws::Truncated,
        Aws::Hang,
    ] {
        for at in [5, 4 * MINUTE] {
            kept(&life(
                "AWS fails",
                vec![first(ASSIGNMENT), aws(at, kind, 8 * MINUTE)],
            ));
        }
    }
}

/// Fault 19. R3, R4.
#[test]
fn what_took_effect_without_an_answer_is_ours() {
    for target in [ASSIGNMENT, GROUP, IAM_GROUP] {
        for at in [5, 4 * MINUTE] {
            kept(&life(
                "no answers",
                vec![first(target), aws_writes(at, Aws::Unanswered, 4 * MINUTE)],
            ));
        }
    }
}

/// Fault 20. R3.
#[test]
fn what_takes_effect_minutes_after_its_answer_was_given_up_is_taken_away() {
    for target in [ASSIGNMENT, GROUP, IAM_GROUP] {
        kept(&life(
            "a create arrives after the delete",
            vec![
                first(target),
                aws_writes(5, Aws::Late(240), 8),
                (20, Deed::SetRevoked(name(), true)),
            ],
        ));
    }
}

/// Fault 23. R3.
#[test]
fn ids_of_operations_that_aws_forgets_are_not_needed() {
    let mut life = life("forgotten ids", vec![first(ASSIGNMENT)]);
    life.story.setting.cloud = Cloud {
        assignment_delay: 90_000,
        request_retention: Some(1),
        ..life.story.setting.cloud
    };
    kept(&life);
}

/// Faults 24, 25. R3, L1.
#[test]
fn listings_that_lag_behind_neither_end_nor_repeat_anything() {
    for target in [ASSIGNMENT, GROUP, IAM_GROUP] {
        let mut life = life("stale listings", vec![first(target)]);
        life.story.setting.cloud = Cloud {
            staleness: 50_000,
            iam_staleness: 150_000,
            copies: Some(3),
            ..life.story.setting.cloud
        };
        let report = kept(&life);
        let creates = report.asked["R2"];
        assert!(creates <= 2, "{creates} creates for one access");
    }
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
    for at in 8..16 {
        kept(&life(
            "given by hand around our create",
            vec![first(ASSIGNMENT), (at, Deed::GiveByHand(ALICE, ASSIGNMENT))],
        ));
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

/// Fault 36. R2, R3.
#[test]
fn a_grant_that_expires_while_access_is_being_given_is_never_active() {
    let mut life = life(
        "expires in the middle",
        vec![(10, Deed::Apply(grant("first", ASSIGNMENT, None, 20)))],
    );
    life.story.setting.cloud.assignment_delay = 60_000;
    kept(&life);
}

/// Fault 37. R2, L2.
#[test]
fn a_clock_that_is_set_an_hour_off_ends_access_on_time() {
    for seconds in [-3600, 3600] {
        for at in [5, MINUTE] {
            let report = kept(&life(
                "the clock is set",
                vec![(at, Deed::SetClock(0, seconds)), first(ASSIGNMENT)],
            ));
            let late = report.lateness.iter().max();
            assert!(
                late.is_none_or(|late| *late <= 60),
                "{seconds} at {at}: {late:?}"
            );
        }
    }
}

/// Fault 38. R2, L3.
#[test]
fn after_hours_without_a_controller_what_is_overdue_goes_at_once() {
    let mut life = life(
        "six hours down",
        vec![
            first(ASSIGNMENT),
            kill(MINUTE, 360 * MINUTE),
            second(2 * MINUTE, None, 4 * MINUTE),
        ],
    );
    life.story.calm = 380 * MINUTE;
    kept(&life);
}

/// Faults 40, 41. L4, R12.
#[test]
fn refusals_end_with_access_taken_away_and_everything_else_goes_on() {
    for kind in [
        Aws::Denied,
        Aws::Expired,
        Aws::IamDown,
        Aws::IdentityCenterDown,
    ] {
        kept(&life(
            "refused",
            vec![
                first(ASSIGNMENT),
                (10, Deed::Apply(grant("iam", IAM_GROUP, None, 5 * MINUTE))),
                aws(3 * MINUTE, kind, 10 * MINUTE),
            ],
        ));
    }
}

/// Fault 42. R5.
#[test]
fn without_the_ledger_nothing_is_given_and_what_expires_is_taken_away() {
    for kind in [Api::Refused(500), Api::Lost, Api::Hang, Api::Unanswered] {
        let report = kept(&life(
            "no ledger",
            vec![first(ASSIGNMENT), api(4 * MINUTE, kind, 8 * MINUTE)],
        ));
        let late = report.lateness.iter().max();
        assert!(late.is_some_and(|late| *late <= 60), "{kind:?}: {late:?}");
    }
}

/// Fault 43. L1, L5.
#[test]
fn writes_that_always_conflict_stop_nothing_for_ever() {
    let conflict = Trouble {
        percent: 70,
        ..trouble(Api::Conflict, 10 * MINUTE)
    };
    kept(&life(
        "conflicts",
        vec![first(ASSIGNMENT), (5, Deed::ApiTrouble(conflict))],
    ));
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

/// Faults 15, 25. R6, R12.
#[test]
fn an_old_reading_of_what_was_taken_away_does_not_pass_for_access_given_again() {
    let ends_when_removed = Policy::Everything {
        hours: 8,
        end_on_removal: true,
        exclusive: false,
    };
    for target in [ASSIGNMENT, GROUP, IAM_GROUP] {
        for after in [1, 5, 20, 50] {
            let again = grant("again", target, None, 14 * MINUTE);
            let mut life = life(
                "asked for again while readings are old",
                vec![
                    (1, Deed::PutPolicy("everything", ends_when_removed.clone())),
                    first(target),
                    (5 * MINUTE + after, Deed::Apply(again.clone())),
                    (10 * MINUTE, Deed::AskAgain(again.name)),
                ],
            );
            life.story.setting.cloud = Cloud {
                staleness: 50_000,
                iam_staleness: 60_000,
                ..life.story.setting.cloud
            };
            let report = kept(&life);
            assert_eq!(report.lateness, [0, 0], "{target:?} {after}: it was there");
        }
    }
}

// What AWS as a whole does.

/// A life that is calm only much later, so that what stays undone must be told in the meantime.
fn long(name: &'static str, deeds: Vec<(Second, Deed)>) -> Life {
    let mut life = life(name, deeds);
    life.story.calm = 40 * MINUTE;
    life
}

/// Faults 18, 40. R3, L5.
#[test]
fn what_is_down_at_aws_for_half_an_hour_delays_only_what_it_must() {
    for outage in [
        Outage::PrimaryRegion,
        Outage::IamWrites,
        Outage::Iam,
        Outage::Throttling(100),
    ] {
        for at in [5, 12, 4 * MINUTE] {
            let deeds = vec![
                first(ASSIGNMENT),
                (10, Deed::Apply(grant("group", GROUP, None, 5 * MINUTE))),
                (10, Deed::Apply(grant("iam", IAM_GROUP, None, 5 * MINUTE))),
                (at, Deed::Outage(outage, 30 * MINUTE)),
            ];
            kept(&long("something is down at AWS", deeds));
        }
    }
    // One service down is no reason to be late with the other.
    let report = kept(&long(
        "the primary Region is down",
        vec![
            (10, Deed::Apply(grant("iam", IAM_GROUP, None, 5 * MINUTE))),
            (MINUTE, Deed::Outage(Outage::PrimaryRegion, 30 * MINUTE)),
        ],
    ));
    assert_eq!(report.lateness, [0]);
}

/// Fault 41. R3, L5.
#[test]
fn keys_and_sessions_that_expire_are_used_again_when_they_are_renewed() {
    let role_arn = role_arn(IAM_ACCOUNTS[0]);
    for deed in [
        Deed::KeysExpire(30 * MINUTE),
        Deed::Aws(Change::ExpireSessions { role_arn }),
    ] {
        for at in [11, 4 * MINUTE] {
            for target in [ASSIGNMENT, GROUP, IAM_GROUP] {
                kept(&long("expired", vec![first(target), (at, deed.clone())]));
            }
        }
    }
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

/// Fault 49. R3, L4, L5.
#[test]
fn a_permission_set_that_a_delegate_may_not_touch_any_more_is_loud_and_holds_up_nothing_else() {
    let refused = Target::Assignment(MANAGEMENT, PERMISSION_SETS[0].0);
    let other = Target::Assignment(ACCOUNTS[0], PERMISSION_SETS[1].0);
    let bob = "bob@example.com";
    for at in [9, 11, 2 * MINUTE] {
        let mut life = long(
            "assigned in the management account",
            vec![
                first(ASSIGNMENT),
                (20, Deed::Apply(grant("other", other, None, 5 * MINUTE))),
                (at, Deed::GiveByHand(bob, refused)),
                (30 * MINUTE, Deed::TakeByHand(bob, refused)),
            ],
        );
        life.story.setting.delegated = true;
        let report = kept(&life);
        assert_eq!(report.lateness.first(), Some(&0), "{report:?}");
    }
}

// What is done to the cluster, and in it.

/// Fault 47. R4, R8.
#[test]
fn without_the_ledger_nothing_that_stands_is_taken_away_and_nothing_ended_is_given() {
    for by_force in [false, true] {
        for at in [9, 10, 11, 12, 13, 2 * MINUTE, 5 * MINUTE, 5 * MINUTE + 2] {
            let deeds = vec![
                (5, Deed::GiveByHand("bob@example.com", ASSIGNMENT)),
                first(ASSIGNMENT),
                (10, Deed::Apply(grant("iam", IAM_GROUP, None, 5 * MINUTE))),
                (10, Deed::Apply(grant("ended", GROUP, None, 5 * MINUTE))),
                (
                    MINUTE,
                    Deed::SetRevoked(grant("ended", GROUP, None, 0).name, true),
                ),
                (at, Deed::LoseLedger { by_force }),
                (
                    at + 1,
                    Deed::SetRevoked(grant("ended", GROUP, None, 0).name, false),
                ),
                second(10 * MINUTE, None, 12 * MINUTE),
            ];
            kept(&life("the ledger is lost", deeds));
        }
    }
}

/// Fault 47. R3, R9.
#[test]
fn entries_of_the_ledger_that_somebody_deletes_stay_until_their_access_is_gone() {
    for target in [ASSIGNMENT, GROUP, IAM_GROUP] {
        for at in [10, 11, 12, 13, 2 * MINUTE, 5 * MINUTE, 5 * MINUTE + 2] {
            let report = kept(&life(
                "the ledger is deleted",
                vec![
                    first(target),
                    (at, Deed::DeleteLedger),
                    (
                        3 * MINUTE,
                        Deed::Apply(grant("more", target, None, 8 * MINUTE)),
                    ),
                    (
                        11 * MINUTE,
                        Deed::Apply(grant("later", target, None, 13 * MINUTE)),
                    ),
                ],
            ));
            assert!(report.asked["R2"] >= 1, "{report:?}");
        }
    }
}

/// Fault 9. R1, L1, L2.
#[test]
fn an_api_server_that_knows_nothing_yet_is_asked_again() {
    for at in [5, 11, 4 * MINUTE] {
        for lasts in [2, 3 * MINUTE] {
            let report = kept(&life(
                "started anew, and initializing",
                vec![
                    first(ASSIGNMENT),
                    (at, Deed::EndWatches),
                    api(at, Api::Initializing, lasts),
                ],
            ));
            assert!(report.lateness.iter().all(|late| *late <= 5), "{report:?}");
        }
    }
}

/// Fault 34. R1, R3, R7, R9.
#[test]
fn who_may_write_grants_past_all_checks_neither_keeps_access_nor_gets_more() {
    let other = Target::Assignment(ACCOUNTS[1], PERMISSION_SETS[1].0);
    for tamper in [
        Tamper::Ended,
        Tamper::AnothersAccess,
        Tamper::Finalizer,
        Tamper::BadExpiry,
        Tamper::ForMallory,
        Tamper::Start,
    ] {
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

/// Fault 35. R3, R9.
#[test]
fn a_namespace_that_is_deleted_takes_its_access_with_it() {
    for at in [10, 11, 12, MINUTE] {
        let report = kept(&life(
            "the namespace is deleted",
            vec![
                first(ASSIGNMENT),
                (10, Deed::Apply(grant("iam", IAM_GROUP, None, 5 * MINUTE))),
                (at, Deed::DeleteNamespace("breakglass")),
            ],
        ));
        assert!(report.lateness.iter().all(|late| *late <= 5), "{report:?}");
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

/// Fault 44. R2, R3, L2.
#[test]
fn without_an_audit_trail_access_is_given_and_taken_away_all_the_same() {
    for target in [ASSIGNMENT, GROUP, IAM_GROUP] {
        let mut life = life("no room for the audit trail", vec![first(target)]);
        life.story.setting.audit_fails = true;
        let report = kept(&life);
        assert_eq!((report.asked["R2"], &*report.lateness), (1, &[0][..]));
    }
}

/// As many as there are: all people, and all they can have.
#[test]
fn all_that_there_is_to_have_ends_within_seconds_when_it_ends_in_the_same_second() {
    let mut deeds = Vec::new();
    for target in Target::all() {
        for user in target.people() {
            let number = deeds.len();
            let grant = Grant {
                user,
                ..grant(&format!("grant-{number}"), target, None, 8 * MINUTE)
            };
            deeds.push((10, Deed::Apply(grant)));
        }
    }
    let all = deeds.len();
    let report = kept(&life("all end at once", deeds));
    assert_eq!(report.lateness.len(), all);
    assert!(report.lateness.iter().all(|late| *late <= 10), "{report:?}");
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

/// One kind is listed long before another.
#[test]
fn at_a_start_that_takes_its_time_nothing_ends_early_before_all_kinds_are_listed() {
    for seed in 0..8 {
        let refused = Trouble {
            percent: 80,
            ..trouble(Api::Refused(503), 2 * MINUTE)
        };
        let mut life = life(
            "most requests are refused at the start",
            vec![
                (
                    10,
                    Deed::Apply(grant("first", ASSIGNMENT, None, 12 * MINUTE)),
                ),
                kill(MINUTE, MINUTE),
                (90, Deed::SetRevoked(name(), true)),
                (2 * MINUTE - 1, Deed::ApiTrouble(refused)),
            ],
        );
        life.story.seed = seed;
        assert!(kept(&life).asked["R11"] >= 2);
    }
}

/// As soon as it is given it is revoked, and no listing shows it yet.
#[test]
fn what_ends_before_any_listing_shows_it_is_taken_away_all_the_same() {
    for target in [ASSIGNMENT, GROUP, IAM_GROUP] {
        for revoked in [13, 15, 20, 40] {
            let mut life = life(
                "revoked before it shows",
                vec![first(target), (revoked, Deed::SetRevoked(name(), true))],
            );
            life.story.setting.cloud.staleness = 30_000;
            life.story.setting.cloud.iam_staleness = 60_000;
            kept(&life);
        }
    }
}
