//! AWS: slow, refused, down, and what its listings show.

use aws_simulator::{AccountStatus, Change};
use simulation::cast::{
    ACCOUNTS, IAM_ACCOUNTS, IAM_GROUPS, MANAGEMENT, PERMISSION_SETS, ROLE, Target, role_arn,
};
use simulation::lives::{ASSIGNMENT, GROUP, IAM_GROUP, grant, life};
use simulation::story::{Aws, Cloud, Deed, Grant, Outage, Policy, Second};

use super::{ALICE, HOUR, MINUTE, aws, aws_writes, first, kept, long, name, traced};

/// Fault 17. R2, R3.
#[test]
fn ten_minutes_of_throttling_end_with_everything_taken_away() {
    for target in [ASSIGNMENT, GROUP, IAM_GROUP] {
        let report = kept(&life(
            "throttled",
            vec![first(target), aws(4 * MINUTE, Aws::Throttled, 10 * MINUTE)],
        ));
        // Once AWS answers again it goes as soon as it is tried again: at most five minutes after the try before.
        let over = i64::try_from(9 * MINUTE + 5 * MINUTE).unwrap();
        assert_eq!(report.lateness.len(), 1, "{target:?}");
        assert!(report.lateness[0] <= over, "{target:?}: {report:?}");
    }
}

/// What is shown of a failed try is written to the object that holds the ledger: that must not get in the way of the next
/// one.
///
/// Fault 17. R3.
#[test]
fn what_is_shown_of_a_try_does_not_hold_the_next_one_up() {
    for (target, look, delete, looks) in [
        (
            ASSIGNMENT,
            "ListAccountAssignments",
            "DeleteAccountAssignment",
            1,
        ),
        // The second finds the id.
        (GROUP, "GetGroupMembershipId", "DeleteGroupMembership", 2),
        (IAM_GROUP, "ListGroupsForUser", "RemoveUserFromGroup", 1),
    ] {
        for api_latency in [20, 50, 100] {
            let throttled = aws_writes(5 * MINUTE - 1, Aws::Throttled, 2);
            let mut life = life("throttled once", vec![first(target), throttled]);
            life.story.setting.api_latency = api_latency;
            life.story.setting.cloud.latency = 200;
            let trace = traced(&life).trace;
            let calls = |line: &String, what| line.contains(&format!("Z {what} "));
            let mut tries = trace.split(|line| calls(line, delete)).skip(1);
            let between: Vec<_> = tries.next().expect("it is tried").iter().collect();
            assert!(tries.next().is_some(), "{between:#?}");
            let looked = between.iter().filter(|line| calls(line, look)).count();
            assert_eq!(looked, looks, "{target:?}, {api_latency} ms: {between:#?}");
        }
    }
}

/// Fault 18. R3.
#[test]
fn errors_of_the_server_and_broken_connections_are_tried_on() {
    for kind in [
        Aws::ServerError,
        Aws::Lost,
        Aws::Html,
        Aws::Portal,
        Aws::Truncated,
        Aws::Hang,
    ] {
        for target in [ASSIGNMENT, GROUP, IAM_GROUP] {
            // It must be over in time to give anything at all.
            for (at, lasts) in [(5, 3 * MINUTE), (4 * MINUTE, 8 * MINUTE)] {
                let report = kept(&life(
                    "AWS fails",
                    vec![first(target), aws(at, kind, lasts)],
                ));
                let given = report.asked.get("R2").is_some_and(|given| *given >= 1);
                assert!(given, "{kind:?} {target:?} from {at} on: never given");
            }
        }
    }
}

/// Fault 18. R3, R12.
#[test]
fn a_page_for_people_is_no_answer_whatever_its_status() {
    for target in [ASSIGNMENT, GROUP, IAM_GROUP] {
        for at in [5, 4 * MINUTE] {
            kept(&life(
                "a proxy answers",
                vec![first(target), aws_writes(at, Aws::Portal, 4 * MINUTE)],
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
    let report = traced(&life);
    assert_eq!(report.lateness, [0], "it was given, and taken away in time");
    let says = |what: &str| report.trace.iter().any(|line| line.contains(what));
    assert!(says("Active"), "and it is told when it is there");
    // AWS has not called anything done that it goes on showing.
    assert!(!says("goes on showing the access"));
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

/// Fault 25. R3.
#[test]
fn a_listing_that_shows_for_long_what_was_deleted_is_told() {
    for target in [ASSIGNMENT, GROUP, IAM_GROUP] {
        let mut life = life("stale listings", vec![first(target)]);
        life.story.setting.cloud = Cloud {
            staleness: 100_000,
            iam_staleness: 100_000,
            ..life.story.setting.cloud
        };
        let report = traced(&life);
        let says_so = |line: &String| line.contains("goes on showing the access");
        assert!(
            report.trace.iter().any(says_so),
            "{target:?}: nobody is told"
        );
    }
}

/// Fault 18. R3.
#[test]
fn one_refusal_of_the_account_after_long_trouble_is_not_waited_out_for_an_hour() {
    let at = 2 * HOUR;
    let status = |at, status| {
        let account = ACCOUNTS[0].to_owned();
        (at, Deed::Aws(Change::SetAccountStatus { account, status }))
    };
    let mut life = long(
        "out of order for long, then suspended for a little",
        vec![
            first(ASSIGNMENT),
            aws(4 * MINUTE, Aws::ServerError, at - 4 * MINUTE),
            status(at, AccountStatus::Suspended),
            status(at + 10 * MINUTE, AccountStatus::Active),
        ],
    );
    life.story.calm = at + HOUR;
    let report = traced(&life);
    let is_delete = |line: &&String| line.contains("Z DeleteAccountAssignment ");
    let deletes: Vec<_> = report.trace.iter().filter(is_delete).collect();
    // At the pace of before, not once an hour.
    assert!(deletes.len() > 2, "{deletes:#?}");
    let last = deletes.last().map(|line| line.as_str());
    assert!(last < Some("2026-01-05T02:20:30"), "{deletes:#?}");
}

/// Fault 22. L1, R1, R3.
#[test]
fn operations_that_aws_accepts_and_that_fail_are_tried_on_and_not_said_to_be_done() {
    for only in [30, 4 * MINUTE] {
        let mut life = long(
            "operations fail",
            vec![
                first(ASSIGNMENT),
                aws_writes(5, Aws::Fails, only),
                aws_writes(4 * MINUTE + 30, Aws::Fails, 30 * MINUTE),
            ],
        );
        life.story.setting.cloud.assignment_delay = 90_000;
        let report = traced(&life);
        let says = |what: &str| report.trace.iter().any(|line| line.contains(what));
        assert!(says("Internal failure"), "AWS's reason is told");
        assert!(says("RevokeOverdue"), "that it takes long is told");
        // AWS has called no removal done.
        assert!(!says("goes on showing the access"));
        assert!(report.lateness.iter().all(|late| *late < 5), "{report:?}");
    }
}

/// Faults 24, 25. R3.
#[test]
fn one_listing_that_shows_nothing_does_not_prove_that_a_lost_delete_took_effect() {
    for target in [ASSIGNMENT, GROUP, IAM_GROUP] {
        for seed in 0..4 {
            let mut life = life(
                "stale listings and lost deletes",
                vec![
                    first(target),
                    aws_writes(30, Aws::Lost, 60),
                    (30, Deed::SetRevoked(name(), true)),
                ],
            );
            life.story.seed = seed;
            life.story.setting.cloud = Cloud {
                staleness: 50_000,
                iam_staleness: 150_000,
                copies: Some(3),
                ..life.story.setting.cloud
            };
            kept(&life);
        }
    }
}

/// They would have lasted an hour. Fault 41. R3.
#[test]
fn sessions_of_our_role_that_somebody_ends_hold_up_no_revoke() {
    let role_arn = role_arn(IAM_ACCOUNTS[0]);
    let expire = Change::ExpireSessions {
        role_arn: role_arn.clone(),
    };
    for ended in [expire, Change::RevokeSessions { role_arn }] {
        let report = kept(&life(
            "our sessions are ended",
            vec![first(IAM_GROUP), (4 * MINUTE, Deed::Aws(ended))],
        ));
        assert!(report.lateness.iter().all(|late| *late <= 5), "{report:?}");
        assert!(!report.lateness.is_empty(), "{report:?}");
    }
}

/// Nothing depends on the mark. R3.
#[test]
fn where_no_mark_can_be_changed_everything_is_given_and_taken_all_the_same() {
    let mut life = life("tags can't be changed", vec![first(IAM_GROUP)]);
    life.story.setting.cloud.tags_fail = true;
    let report = kept(&life);
    assert_eq!(report.asked["R2"], 1, "it was given once");
    assert_eq!(report.lateness, [0], "and taken at once");
}

/// Faults 18, 40. R3.
#[test]
fn that_giving_failed_again_and_again_holds_up_no_revoke() {
    for after in [1, 30, 90] {
        let revoked = 8 * MINUTE + after;
        let mut life = life(
            "given in vain for long",
            vec![
                (
                    10,
                    Deed::Apply(grant("first", ASSIGNMENT, None, 14 * MINUTE)),
                ),
                aws(12, Aws::ServerError, revoked - 12 - 1),
                (revoked, Deed::SetRevoked(name(), true)),
            ],
        );
        // It takes effect while nobody can see it.
        life.story.setting.cloud.assignment_delay = 60_000;
        let report = kept(&life);
        assert!(report.lateness.iter().all(|late| *late <= 5), "{report:?}");
        assert!(!report.lateness.is_empty(), "{report:?}");
    }
}

/// Fault 24. R3, R4.
#[test]
fn what_is_not_on_the_first_page_of_a_listing_is_there_all_the_same() {
    let others = [
        "bob@example.com",
        "carol@example.com",
        "mallory@example.com",
    ];
    let viewers = Target::IamGroup(IAM_ACCOUNTS[0], IAM_GROUPS[1]);
    for seed in 0..8 {
        for target in [ASSIGNMENT, GROUP, IAM_GROUP] {
            // Where it stood before, whoever overlooks it takes it for ours.
            for stood_before in [false, true] {
                let by_hand = |who, target| (1, Deed::GiveByHand(who, target));
                let (user, mut deeds) = if target == IAM_GROUP {
                    ("alice", vec![by_hand("alice", viewers)])
                } else {
                    (ALICE, others.map(|who| by_hand(who, target)).to_vec())
                };
                deeds.push(first(target));
                if stood_before {
                    deeds.push(by_hand(user, target));
                }
                let mut life = life("many pages", deeds);
                life.story.seed = seed;
                life.story.setting.cloud.short_pages = true;
                let given = kept(&life).asked.get("R2").copied().unwrap_or_default();
                assert_eq!(given, u64::from(!stood_before), "{}", life.story);
            }
        }
    }
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
        let report = kept(&life(
            "refused",
            vec![
                first(ASSIGNMENT),
                (10, Deed::Apply(grant("iam", IAM_GROUP, None, 5 * MINUTE))),
                aws(3 * MINUTE, kind, 10 * MINUTE),
            ],
        ));
        // Each is tried on, ever more seldom.
        assert!(
            report.aws_calls < 120,
            "{kind:?}: {} calls",
            report.aws_calls
        );
        // The other kind of access is not held up by the one that is stuck.
        if let Aws::IamDown | Aws::IdentityCenterDown = kind {
            let soonest = report.lateness.iter().min();
            assert!(
                soonest.is_some_and(|late| *late <= 5),
                "{kind:?}: {report:?}"
            );
        }
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

/// Faults 15, 25. R12.
/// And it can't be given at once.
#[test]
fn an_old_reading_of_what_was_taken_away_does_not_pass_for_access_that_could_not_be_given_again() {
    for target in [ASSIGNMENT, GROUP, IAM_GROUP] {
        for kind in [Aws::Conflict, Aws::Throttled, Aws::Lost, Aws::Hang] {
            let again = grant("again", target, None, 14 * MINUTE);
            let mut life = life(
                "asked for again while readings are old and writes fail",
                vec![
                    first(target),
                    (5 * MINUTE + 5, Deed::Apply(again)),
                    aws_writes(5 * MINUTE + 4, kind, 20),
                ],
            );
            life.story.setting.cloud.staleness = 50_000;
            life.story.setting.cloud.iam_staleness = 60_000;
            kept(&life);
        }
    }
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
        Deed::Aws(Change::ExpireSessions {
            role_arn: role_arn.clone(),
        }),
        Deed::Aws(Change::RevokeSessions { role_arn }),
    ] {
        for at in [11, 4 * MINUTE] {
            for target in [ASSIGNMENT, GROUP, IAM_GROUP] {
                kept(&long("expired", vec![first(target), (at, deed.clone())]));
            }
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

/// Fault 30. L2, L4.
/// What can't be taken away is tried on and on, and nobody else waits for it.
#[test]
fn what_is_stuck_delays_only_itself() {
    let stuck_account = Target::Assignment(ACCOUNTS[1], PERMISSION_SETS[0].0);
    let stuck_role = Target::IamGroup(IAM_ACCOUNTS[1], IAM_GROUPS[0]);
    let suspended = Change::SetAccountStatus {
        account: ACCOUNTS[1].to_owned(),
        status: AccountStatus::Suspended,
    };
    let no_role = Change::DeleteRole {
        account: IAM_ACCOUNTS[1].to_owned(),
        role: ROLE.to_owned(),
    };
    let no_sessions = Change::RevokeSessions {
        role_arn: role_arn(IAM_ACCOUNTS[1]),
    };
    for (stuck, changes) in [
        (stuck_account, vec![suspended]),
        (stuck_role, vec![no_role, no_sessions]),
    ] {
        let mut deeds = vec![(10, Deed::Apply(grant("stuck", stuck, None, 3 * MINUTE)))];
        deeds.extend(
            changes
                .into_iter()
                .map(|change| (2 * MINUTE, Deed::Aws(change))),
        );
        let others = [ASSIGNMENT, GROUP, IAM_GROUP];
        for target in others {
            // The second ones are given while it is stuck.
            for (user, at) in target.people().iter().zip([20, 5 * MINUTE]) {
                let name = format!("grant-{}", deeds.len());
                let grant = Grant {
                    user,
                    ..grant(&name, target, None, 8 * MINUTE)
                };
                deeds.push((at, Deed::Apply(grant)));
            }
        }
        let life = long("stuck", deeds);
        let report = traced(&life);
        let late = report.lateness.iter().filter(|late| **late > 5);
        assert!(late.count() <= 1, "{:?}", report.lateness);
        assert_eq!(report.lateness.len(), 2 * others.len() + 1);
        let is_stuck = |line: &String| {
            line.contains("Replace breakglassgrants stuck ") && line.contains("RevokeOverdue")
        };
        assert!(report.trace.iter().any(is_stuck), "{stuck:?} is not stuck");
    }
}

/// As many as there are: all people, and all they can have.
#[test]
fn all_that_there_is_to_have_ends_within_seconds_when_it_ends_in_the_same_second() {
    all_end_at_once(8 * MINUTE, None);
}

/// Fault 35. R3, R9.
#[test]
fn all_that_there_is_to_have_goes_with_its_namespace() {
    all_end_at_once(
        14 * MINUTE,
        Some((8 * MINUTE, Deed::DeleteNamespace("breakglass"))),
    );
}

fn all_end_at_once(expiry: Second, by: Option<(Second, Deed)>) {
    let mut deeds = Vec::from_iter(by);
    for target in Target::all() {
        for user in target.people() {
            let number = deeds.len();
            let grant = Grant {
                user,
                ..grant(&format!("grant-{number}"), target, None, expiry)
            };
            deeds.push((10, Deed::Apply(grant)));
        }
    }
    let is_given = |(_, deed): &&(Second, Deed)| matches!(deed, Deed::Apply(_));
    let all = deeds.iter().filter(is_given).count();
    let report = kept(&life("all end at once", deeds));
    assert_eq!(report.lateness.len(), all);
    assert!(report.lateness.iter().all(|late| *late <= 10), "{report:?}");
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
