//! The program, its machine, the API server and the ledger.

use aws_simulator::{AccountStatus, Change};
use simulation::cast::{self, ACCOUNTS, PEOPLE, PERMISSION_SETS, Target};
use simulation::lives::{ASSIGNMENT, GROUP, IAM_GROUP, grant, life};
use simulation::stage::Direction;
use simulation::story::{Api, Aws, Deed, Grant, Name, Second, Trouble};

use super::{MINUTE, api, aws, aws_writes, first, kept, kill, long, name, second, trouble};

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

/// Fault 37. L2, R2.
/// No comparison finds much more than the one before; in the end it is a minute and a half.
#[test]
fn a_clock_that_drifts_ends_access_on_time() {
    for direction in [-1, 1] {
        let drift = (1..=180).map(|step| {
            (
                MINUTE + step * 2,
                Deed::SetClock(0, direction * i64::try_from(step).unwrap() / 2),
            )
        });
        let report = kept(&life(
            "the clock drifts",
            drift.chain([first(ASSIGNMENT)]).collect(),
        ));
        let late = report.lateness.iter().max();
        assert!(
            late.is_some_and(|late| *late <= 60),
            "{direction}: {late:?}"
        );
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

/// Fault 38. L3, L2.
#[test]
fn after_hours_without_a_controller_revokes_go_before_what_is_asked_for() {
    let back = 360 * MINUTE;
    let target =
        |number: usize| Target::Assignment(ACCOUNTS[number % 2], PERMISSION_SETS[number / 2 % 2].0);
    let asked = |name: &str, number: usize, at: Second, expiry: Second| {
        let given = Grant {
            name: Name {
                namespace: "breakglass",
                name: format!("{name}-{number}"),
            },
            user: &cast::crowd(40)[number],
            target: target(number),
            start: None,
            expiry,
        };
        (at, Deed::Apply(given))
    };
    let overdue = (0..30).map(|number| asked("overdue", number, 10, 5 * MINUTE));
    let wanted = (30..40).map(|number| asked("wanted", number, back - 30, back + 30 * MINUTE));
    let kills = [kill(3 * MINUTE, back - 3 * MINUTE)];
    let mut life = life(
        "six hours down",
        overdue.chain(wanted).chain(kills).collect(),
    );
    life.story.setting.crowd = 40;
    life.story.calm = back + 20 * MINUTE;
    let direction = Direction {
        trace: true,
        ..Direction::default()
    };
    let report = crate::kept(&life, &direction);
    let writes = ["CreateAccountAssignment {", "DeleteAccountAssignment {"];
    let [creates, deletes] = writes.map(|write| {
        let lines = report.trace.iter().enumerate();
        let lines = lines.filter(|(_, line)| line.contains(write));
        lines.map(|(at, _)| at).collect::<Vec<_>>()
    });
    let count = (creates.len(), deletes.len(), report.lateness.len());
    assert_eq!(count, (40, 40, 40), "each is given once and taken once");
    // While both wait one of eight turns is a grant's; some are under way when the first revoke is filed.
    let early = creates[30..].iter().filter(|at| **at < deletes[29]).count();
    assert!(
        early <= 5,
        "{early} of 10 were given before all of 30 were taken"
    );
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

/// Fault 43. L1, L2.
/// What is done does not hang on what is told.
#[test]
fn statuses_that_can_never_be_written_delay_nothing() {
    for target in [ASSIGNMENT, GROUP, IAM_GROUP] {
        let given = (10, Deed::Apply(grant("first", target, None, 5 * MINUTE)));
        // What is claimed is written into the status first.
        let never = api(MINUTE, Api::StatusConflict, 8 * MINUTE);
        let calm = kept(&life("calm", vec![given.clone()]));
        let report = kept(&life("no status", vec![given, never]));
        let (writes, refused) = (calm.writes_sent, report.writes_sent);
        assert!(writes < refused, "{target:?}: nothing was tried again");
        let late = report.lateness.first();
        assert!(late.is_some_and(|late| *late <= 5), "{target:?}: {late:?}");
        assert_eq!(report.asked["R2"], 1, "{target:?} was given once");
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

/// Faults 7, 8. R4.
/// An entry that is closed and removed ends the right to act without it, whatever a watch shows still.
#[test]
fn what_is_removed_is_not_taken_away_again_when_no_watch_tells_of_it() {
    let refused = Trouble {
        percent: 50,
        ..trouble(Api::Refused(500), 5 * MINUTE)
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
        only_writes: true,
        ..trouble(Api::Late(3), MINUTE)
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

/// Two work on the same without a lease, and one of them hears of claims whose grants it does not know.
///
/// Faults 6, 12. R6, R10.
#[test]
fn who_misses_most_events_ends_nothing_early() {
    for seed in 0..4 {
        let lost = Trouble {
            replica: Some(1),
            percent: 85,
            ..trouble(Api::EventLost, 6 * MINUTE)
        };
        let grants = (0..6).map(|number| {
            let name = format!("grant-{number}");
            let user = PEOPLE[number % PEOPLE.len()];
            let grant = grant(&name, ASSIGNMENT, None, 8 * MINUTE);
            (
                20 + 10 * number as u64,
                Deed::Apply(Grant { user, ..grant }),
            )
        });
        let troubles = [
            (0, Deed::ApiTrouble(trouble(Api::NoLease, 16 * MINUTE))),
            (1, Deed::ApiTrouble(lost)),
        ];
        let mut life = life(
            "one of two misses most events",
            troubles.into_iter().chain(grants).collect(),
        );
        life.story.setting.replicas = 2;
        life.story.seed = seed;
        kept(&life);
    }
}

/// Who may write leases can make every controller stand by; and may write a grant every minute, so that
/// the cluster is never quiet. R9, R10.
#[test]
fn who_holds_the_lease_and_does_nothing_keeps_access_for_minutes_at_most() {
    for (replicas, edits) in [(1, false), (2, false), (2, true)] {
        let mut deeds = vec![
            (
                10,
                Deed::Apply(grant("first", ASSIGNMENT, None, 39 * MINUTE)),
            ),
            (2 * MINUTE, Deed::HoldLease(30 * MINUTE)),
            (4 * MINUTE, Deed::SetRevoked(name(), true)),
        ];
        if edits {
            let other = grant("other", GROUP, Some(38 * MINUTE), 39 * MINUTE);
            deeds.push((20, Deed::Apply(other.clone())));
            let edit = |minute| Deed::SetExpiry(other.name.clone(), 39 * MINUTE + minute);
            deeds.extend((3..36).map(|minute| (minute * MINUTE, edit(minute))));
        }
        let mut life = long("somebody else has the lease", deeds);
        life.story.setting.replicas = replicas;
        let late = kept(&life).lateness;
        let longest = late.iter().max();
        assert!(
            longest.is_some_and(|late| (60..16 * 60).contains(late)),
            "{late:?}"
        );
    }
}

/// What a leader tries only now and then it has not left undone: nobody else tries it too. R10.
#[test]
fn what_waits_for_its_next_try_is_not_left_undone() {
    let account = ACCOUNTS[0].to_owned();
    let change = |status| {
        let account = account.clone();
        Deed::Aws(Change::SetAccountStatus { account, status })
    };
    let mut life = life(
        "suspended for hours",
        vec![
            first(ASSIGNMENT),
            (2 * MINUTE, change(AccountStatus::Suspended)),
            (4 * 60 * MINUTE, change(AccountStatus::Active)),
        ],
    );
    life.story.setting.replicas = 2;
    life.story.calm = 4 * 60 * MINUTE + 1;
    let report = kept(&life);
    assert_eq!(report.writers.len(), 1, "{:?}", report.writers);
}

/// A lease is good for as long as we know it to be, not for as long as somebody has written into it.
#[test]
fn a_lease_that_somebody_wrote_once_is_over_like_any_other() {
    let mut life = long(
        "somebody else has had the lease",
        vec![
            first(ASSIGNMENT),
            (2 * MINUTE, Deed::HoldLease(0)),
            (4 * MINUTE, Deed::SetRevoked(name(), true)),
        ],
    );
    life.story.setting.lease = 60;
    assert_eq!(kept(&life).lateness, [0]);
}
