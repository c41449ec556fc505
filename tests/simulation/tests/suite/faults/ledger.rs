//! The ledger: out of reach, lost, or deleted by somebody.

use std::time::Duration;

use simulation::lives::{ASSIGNMENT, GROUP, IAM_GROUP, grant, life};
use simulation::story::{Api, Aws, Calls, Deed, Second, Trouble};

use super::{
    ALICE, HOUR, MINUTE, api, aws, aws_calls, aws_writes, first, kept, name, second, traced,
};

/// From minute 3 on that controller hears nothing of the cluster, for so long.
fn cut_off(replica: usize, lasts: Second) -> [(Second, Deed); 2] {
    [Api::WatchSilent, Api::Lost].map(|kind| {
        let trouble = Trouble::new(kind, lasts);
        let replica = Some(replica);
        (3 * MINUTE, Deed::ApiTrouble(Trouble { replica, ..trouble }))
    })
}

/// Fault 42. R5.
#[test]
fn without_the_ledger_nothing_is_given_and_what_expires_is_taken_away() {
    for kind in [
        Api::Refused(500),
        Api::Refused(429),
        Api::Forbidden,
        Api::NoRights("breakglassaccesses"),
        Api::Page(502),
        Api::Page(404),
        Api::Truncated,
        Api::Foreign,
        Api::DoneAndRefused,
        Api::Lost,
        Api::Dropped,
        Api::Hang,
        Api::Unanswered,
    ] {
        let wanted = grant("wanted", GROUP, None, 11 * MINUTE);
        let report = kept(&life(
            "no ledger",
            vec![
                first(ASSIGNMENT),
                api(4 * MINUTE, kind, 8 * MINUTE),
                (4 * MINUTE + 5, Deed::Apply(wanted)),
            ],
        ));
        let late = report.lateness.iter().max();
        assert!(late.is_some_and(|late| *late <= 60), "{kind:?}: {late:?}");
        assert_eq!(report.asked["R2"], 1, "{kind:?}: only the first was given");
    }
}

/// Faults 12, 42. R6.
#[test]
fn a_delete_that_aws_refused_without_the_ledger_takes_nothing_from_who_was_given_more_time() {
    for kind in [Aws::Throttled, Aws::Denied] {
        let mut tried = false;
        // Whoever leads.
        for replica in [0, 1] {
            let [silent, lost] = cut_off(replica, 3 * MINUTE);
            let mut life = life(
                "lengthened while the leader was cut off, from AWS too",
                vec![
                    first(ASSIGNMENT),
                    silent,
                    lost,
                    (4 * MINUTE, Deed::SetExpiry(name(), 14 * MINUTE)),
                    aws_writes(4 * MINUTE + 30, kind, 2 * MINUTE),
                ],
            );
            life.story.setting.replicas = 2;
            life.story.setting.lease = 15;
            let report = traced(&life);
            let between = "2026-01-05T00:05:00Z".."2026-01-05T00:13:00Z";
            let lines = report.trace.iter();
            let lines: Vec<_> = lines
                .filter(|line| between.contains(&line.as_str()))
                .collect();
            let says = |what: &str| lines.iter().any(|line| line.contains(what));
            tried |= says("DeleteAccountAssignment {");
            // It is there all the time, and so it is told.
            assert!(!says("AWS is being asked to give"), "{kind:?}: {lines:#?}");
        }
        assert!(tried, "{kind:?}");
    }
}

/// Faults 20, 42. R6.
/// AWS answers only the second of two deletes, and the first comes when the access was given anew.
#[test]
fn of_two_deletes_without_the_ledger_the_first_may_come_last() {
    for target in [GROUP, IAM_GROUP, ASSIGNMENT] {
        for late in [5 * MINUTE, 9 * MINUTE] {
            let mut life = life(
                "a late delete, and no ledger",
                vec![
                    first(target),
                    aws_writes(5 * MINUTE - 5, Aws::Late(late), 12),
                    api(4 * MINUTE + 30, Api::Lost, 3 * MINUTE),
                    (6 * MINUTE, Deed::SetExpiry(name(), 40 * MINUTE)),
                ],
            );
            life.story.calm = 60 * MINUTE;
            kept(&life);
        }
    }
}

/// Faults 12, 42. L5.
/// Whoever took over has seen the access gone, and goes on saying so when the one before comes back.
#[test]
fn who_comes_back_after_another_took_over_does_not_make_an_access_overdue_that_is_gone() {
    for target in [ASSIGNMENT, GROUP, IAM_GROUP] {
        let mut taken = 0;
        // Whoever leads.
        for replica in [0, 1] {
            let [silent, lost] = cut_off(replica, 9 * MINUTE);
            let mut life = life("cut off for long", vec![first(target), silent, lost]);
            life.story.setting.replicas = 2;
            life.story.setting.lease = 15;
            let report = traced(&life);
            taken += usize::from(report.writers.len() > 1);
            let overdue = |line: &&String| line.contains("RevokeOverdue");
            let overdue: Vec<_> = report.trace.iter().filter(overdue).collect();
            assert!(overdue.is_empty(), "{target:?}: {overdue:#?}");
        }
        assert!(
            taken > 0,
            "{target:?}: one took it away, and then the other"
        );
    }
}

/// Faults 20, 42. R3.
/// What AWS answers to the first delete says nothing of a Create that is still on its way.
#[test]
fn a_create_that_comes_after_the_delete_is_taken_away_without_the_ledger_too() {
    for target in [GROUP, IAM_GROUP] {
        let given = Deed::Apply(grant("first", target, None, MINUTE));
        let deeds = vec![
            (10, given),
            aws_writes(5, Aws::Late(240), 30),
            api(40, Api::Lost, 9 * MINUTE),
        ];
        let report = traced(&life("a late create, and no ledger", deeds));
        let away = "2026-01-05T00:04:05Z".."2026-01-05T00:09:30Z";
        let is_delete = |line: &&String| {
            let taken = ["DeleteGroupMembership {", "RemoveUserFromGroup {"];
            taken.iter().any(|call| line.contains(call)) && away.contains(&line.as_str())
        };
        assert!(
            report.trace.iter().any(|line| is_delete(&line)),
            "{target:?}"
        );
    }
}

/// Faults 25, 42. R3.
/// What was given a moment before may not show yet: that there is nothing to take away is not the last word.
#[test]
fn what_does_not_show_yet_is_looked_for_again_without_the_ledger() {
    for target in [ASSIGNMENT, GROUP, IAM_GROUP] {
        let given = Deed::Apply(grant("first", target, None, MINUTE));
        let deeds = vec![(25, given), api(50, Api::Lost, 9 * MINUTE)];
        let mut life = life("given a moment before the end", deeds);
        life.story.setting.cloud.staleness = 58_000;
        life.story.setting.cloud.iam_staleness = 58_000;
        let report = traced(&life);
        let away = "2026-01-05T00:01:00Z".."2026-01-05T00:09:30Z";
        let is_delete = |line: &&String| {
            let taken = [
                "DeleteAccountAssignment {",
                "DeleteGroupMembership {",
                "RemoveUserFromGroup {",
            ];
            taken.iter().any(|call| line.contains(call)) && away.contains(&line.as_str())
        };
        let sent = report.trace.iter().any(|line| is_delete(&line));
        assert!(sent, "{target:?}");
    }
}

/// Faults 12, 42. L1, L5.
/// Who was cut off took away what another one had lengthened meanwhile, and says so as soon as it can.
#[test]
fn what_was_taken_away_without_the_ledger_though_it_was_lengthened_is_given_back_at_once() {
    for target in [ASSIGNMENT, GROUP, IAM_GROUP] {
        // Whoever leads.
        let given = [0, 1].map(|replica| {
            let [silent, lost] = cut_off(replica, 3 * MINUTE);
            let mut life = life(
                "lengthened while the leader was cut off",
                vec![
                    first(target),
                    silent,
                    lost,
                    (4 * MINUTE, Deed::SetExpiry(name(), 14 * MINUTE)),
                ],
            );
            life.story.setting.replicas = 2;
            life.story.setting.lease = 15;
            let report = traced(&life);
            let creates = [
                "CreateAccountAssignment {",
                "CreateGroupMembership {",
                "AddUserToGroup {",
            ];
            let creates = report
                .trace
                .iter()
                .filter(|line| creates.iter().any(|call| line.contains(call)));
            let times: Vec<_> = creates.map(|line| line[11..19].to_owned()).collect();
            times
        });
        println!("{target:?}: {given:?}");
        // It was away from the old end on, and the one that took it was back a minute later.
        let back = given.iter().find(|times| times.len() > 1);
        let back = back.and_then(|times| times.last()).expect("given back");
        assert!(
            ("00:06:00".."00:06:30").contains(&back.as_str()),
            "{target:?}: {given:?}"
        );
    }
}

/// Fault 42. R4.
/// Reads go on, so nobody's right to act without the ledger ends by itself.
#[test]
fn what_is_gone_is_not_deleted_for_ever_while_the_ledger_can_not_be_written() {
    let forbidden = api(4 * MINUTE, Api::Forbidden, 50 * MINUTE);
    let by_hand = Deed::GiveByHand(ALICE, ASSIGNMENT);
    let mut life = life(
        "given by hand long after",
        vec![first(ASSIGNMENT), forbidden, (40 * MINUTE, by_hand)],
    );
    life.story.calm = HOUR;
    let report = traced(&life);
    let deletes: Vec<_> = report
        .trace
        .iter()
        .filter(|line| line.contains("DeleteAccountAssignment {"))
        .collect();
    let settled = "2026-01-05T00:21:00Z".."2026-01-05T00:54:00Z";
    assert!(deletes[0].as_str() < settled.start, "{deletes:#?}");
    let since = deletes.iter().find(|line| settled.contains(&line.as_str()));
    assert_eq!(since, None, "{deletes:#?}");
}

/// Faults 12, 42. R4.
/// AWS is down, and then can't be read only: long after it took a delete, what is there may be somebody else's.
#[test]
fn what_can_not_be_seen_is_not_deleted_again_without_the_ledger_long_after_aws_took_it() {
    for (target, user) in [(ASSIGNMENT, ALICE), (IAM_GROUP, "alice")] {
        let forbidden = api(50, Api::Forbidden, 9 * MINUTE);
        // Given so late that what AWS says of the first deletes is not the last word.
        let deeds = vec![
            (25, Deed::Apply(grant("first", target, None, MINUTE))),
            forbidden,
            aws_writes(75, Aws::ServerError, 110),
            aws_calls(Calls::Reads, 75, Aws::ServerError, 8 * MINUTE),
            (150, Deed::GiveByHand(user, target)),
        ];
        let mut life = life("given by hand while AWS can't be read", deeds);
        let settings = &mut life.story.setting.settings;
        settings.unknown_outcome = Duration::from_mins(2);
        let report = traced(&life);
        let deletes = report.trace.iter().filter(|line| {
            let calls = ["DeleteAccountAssignment {", "RemoveUserFromGroup {"];
            calls.iter().any(|call| line.contains(call))
        });
        let times: Vec<_> = deletes.map(|line| &line[11..19]).collect();
        println!("{target:?}: {times:?}");
        assert!(times[0] < "00:01:15", "{target:?}: {times:?}");
        let long_after = "00:03:00".."00:09:00";
        let again = times.iter().find(|time| long_after.contains(*time));
        assert_eq!(again, None, "{target:?}: {times:?}");
    }
}

/// Fault 42. R6.
/// A proxy in front of the API server knows of no object: what it says is not said of any.
#[test]
fn what_a_proxy_says_ends_no_grant() {
    let kinds = [Api::Page(404), Api::Foreign];
    for (target, kind) in [ASSIGNMENT, GROUP, IAM_GROUP]
        .into_iter()
        .flat_map(|target| kinds.map(|kind| (target, kind)))
    {
        let user = match target {
            IAM_GROUP => "alice",
            _ => ALICE,
        };
        // Some of them come between the reading of the ledger and that of the grant.
        for second in 0..6 {
            let mut life = life(
                "given again while a proxy does not reach the API server",
                vec![
                    first(target),
                    (115, Deed::TakeByHand(user, target)),
                    (2 * MINUTE, Deed::AskAgain(name())),
                    api(2 * MINUTE + second, kind, MINUTE),
                ],
            );
            life.story.setting.api_latency = 3_000;
            let late = kept(&life).lateness;
            // Until its end, and no longer than two calls to the API server take.
            assert!(late.len() == 1 && late[0] <= 8, "{target:?}: {late:?}");
        }
    }
}

/// Faults 20, 42. R6, R12.
/// It is recorded when the ledger is back, for it may still come: nobody counts on the access until it can't any more.
#[test]
fn a_delete_without_the_ledger_that_arrives_late_takes_nothing_from_whoever_came_since() {
    for target in [ASSIGNMENT, GROUP, IAM_GROUP] {
        for late in [15, 25, 40, 55] {
            for down in [65, 70, 80] {
                let back = 4 * MINUTE + down;
                let again = grant("second", target, None, 9 * MINUTE);
                kept(&life(
                    "deleted without a record, late",
                    vec![
                        first(target),
                        api(4 * MINUTE, Api::Lost, down),
                        aws_writes(4 * MINUTE + 50, Aws::Late(late), 25),
                        (back + 1, Deed::Apply(again)),
                    ],
                ));
            }
        }
    }
}

/// Fault 42. R5, R10.
/// AWS is away when the second replica takes a revoke over: before it can put itself down as the one who may delete, the API
/// server is away too.
#[test]
fn who_was_not_yet_named_in_the_ledger_deletes_nothing_without_it() {
    for replica in [0, 1] {
        let dies = Deed::Kill {
            replica,
            down: 10 * MINUTE,
            same_pod: false,
        };
        let mut life = life(
            "taken over, and not yet put down",
            vec![
                first(ASSIGNMENT),
                aws(2 * MINUTE - 5, Aws::Lost, 2 * MINUTE + 55),
                (2 * MINUTE, Deed::SetRevoked(name(), true)),
                (2 * MINUTE + 5, dies),
                api(4 * MINUTE + 45, Api::Lost, 2 * MINUTE),
            ],
        );
        life.story.setting.replicas = 2;
        kept(&life);
    }
}

/// Faults 7, 8. R4.
/// An entry that is closed and removed ends the right to act without it, whatever a watch shows still.
#[test]
fn what_is_removed_is_not_taken_away_again_when_no_watch_tells_of_it() {
    let refused = Trouble {
        percent: 50,
        ..Trouble::new(Api::Refused(500), 5 * MINUTE)
    };
    for seed in 0..60 {
        let mut life = life(
            "removed, and shown still",
            vec![
                first(ASSIGNMENT),
                (MINUTE, Deed::Delete(name())),
                api(MINUTE + 5, Api::WatchSilent, 5 * MINUTE),
                (MINUTE + 6, Deed::EndWatches),
                (2 * MINUTE, Deed::ApiTrouble(refused.clone())),
            ],
        );
        life.story.seed = seed;
        kept(&life);
    }
}

/// R9. An entry goes a settle window after its last grant: who claims it at that moment finds it, or makes a new one.
#[test]
fn a_claim_that_is_made_while_its_entry_is_removed_is_not_lost() {
    let late = Trouble {
        percent: 50,
        calls: Calls::Writes,
        ..Trouble::new(Api::Late(3), MINUTE)
    };
    for seed in 0..6 {
        for at in MINUTE + 57..MINUTE + 75 {
            let mut life = life(
                "removed, and asked for again",
                vec![
                    first(ASSIGNMENT),
                    (MINUTE, Deed::Delete(name())),
                    (MINUTE + 50, Deed::ApiTrouble(late.clone())),
                    second(at, None, 8 * MINUTE),
                ],
            );
            life.story.seed = seed;
            kept(&life);
        }
    }
}

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
