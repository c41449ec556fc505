//! The API server, and what is done in it.

use simulation::cast::{PEOPLE, Target};
use simulation::lives::{ASSIGNMENT, GROUP, IAM_GROUP, grant, life};
use simulation::story::{Api, Aws, Deed, Grant, Name, Policy, Trouble};

use super::{
    ALICE, HOUR, MINUTE, api, aws, aws_writes, first, kept, kill, long, name, second, traced,
};

/// Fault 5. R1, R8.
#[test]
fn a_watch_that_is_far_behind_at_the_start_grants_nothing_that_has_ended() {
    let killed = Deed::Kill {
        replica: 0,
        down: MINUTE,
        same_pod: true,
    };
    for target in [ASSIGNMENT, GROUP, IAM_GROUP] {
        let given = first(target);
        let Deed::Apply(Grant { user, .. }) = given.1 else {
            unreachable!("it is applied")
        };
        let mut life = life(
            "removed while down, revoked right after, and the watch is late",
            vec![
                given.clone(),
                (2 * MINUTE, killed.clone()),
                (150, Deed::TakeByHand(user, target)),
                api(3 * MINUTE, Api::EventLate(50), 3 * MINUTE),
                // Long enough for the revocation to come between the listing and the Create.
                aws(3 * MINUTE, Aws::Late(4), MINUTE),
                (3 * MINUTE + 2, Deed::SetRevoked(name(), true)),
            ],
        );
        life.story.setting.lag = 30;
        let report = kept(&life);
        assert_eq!(report.asked["R2"], 1, "{target:?} is given only once");
    }
}

/// Fault 6. R3, L1.
#[test]
fn edits_of_which_no_event_comes_are_seen_as_one() {
    let report = kept(&life(
        "lengthened, shortened and revoked unseen",
        vec![
            first(ASSIGNMENT),
            api(MINUTE, Api::EventLost, 5 * MINUTE),
            (70, Deed::SetExpiry(name(), 9 * MINUTE)),
            (90, Deed::SetExpiry(name(), 6 * MINUTE)),
            (2 * MINUTE, Deed::SetRevoked(name(), true)),
        ],
    ));
    assert_eq!(report.asked["R2"], 1, "given once");
    // Everything is listed anew every four minutes.
    let late = &report.lateness;
    assert!(late.len() == 1 && late[0] <= 4 * 60 + 5, "{late:?}");
}

/// Fault 5. R2.
/// What was claimed beforehand is asked for once more before anything is given, and not of a copy that may be old.
#[test]
fn what_ends_just_before_its_start_is_not_given_though_no_event_has_come() {
    let deny = Deed::PutPolicy("deny", Policy::DenyAll);
    let ends = [
        Deed::SetRevoked(name(), true),
        Deed::Delete(name()),
        Deed::Garble(name()),
        deny,
    ];
    for end in ends {
        for target in [ASSIGNMENT, GROUP, IAM_GROUP] {
            let given = grant("first", target, Some(3 * MINUTE), 6 * MINUTE);
            let mut life = life(
                "over before it begins",
                vec![(10, Deed::Apply(given)), (175, end.clone())],
            );
            life.story.setting.lag = 50;
            let report = kept(&life);
            let given = report.asked.get("R2").copied().unwrap_or_default();
            assert_eq!(given, 0, "{target:?} after {end:?}");
        }
    }
}

/// Fault 7. R3.
#[test]
fn a_delete_that_the_watch_loses_ends_access_all_the_same() {
    let given = grant("first", ASSIGNMENT, None, 39 * MINUTE);
    let report = kept(&long(
        "deleted by force, and no event of it",
        vec![
            (10, Deed::Apply(given)),
            api(MINUTE, Api::EventLost, 2 * MINUTE),
            (90, Deed::DeleteByForce(name())),
        ],
    ));
    // Everything is listed anew every four minutes.
    let late = &report.lateness;
    assert!(late.len() == 1 && late[0] <= 4 * 60 + 5, "{late:?}");
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
    let other = grant("second", GROUP, None, 8 * MINUTE);
    let mut life = life(
        "compacted, expired and restarted",
        vec![
            first(ASSIGNMENT),
            (30, Deed::Compact),
            (31, Deed::EndWatches),
            api(MINUTE, Api::WatchExpired, MINUTE),
            (70, Deed::Apply(other)),
            (
                6 * MINUTE,
                Deed::SetRevoked(
                    Name {
                        name: "second".to_owned(),
                        ..name()
                    },
                    true,
                ),
            ),
        ],
    );
    // Nothing else would show what watches no longer do.
    life.story.setting.settings.relist_interval = std::time::Duration::from_mins(30);
    let report = kept(&life);
    assert_eq!(report.asked["R2"], 2, "both are given");
    let late = &report.lateness;
    assert!(
        late.len() == 2 && late.iter().all(|late| *late <= 5),
        "{late:?}"
    );
}

/// Fault 10. R3, R4, R8.
#[test]
fn a_backup_that_is_put_back_revives_nothing_and_leaves_nothing() {
    for bump in [false, true] {
        for (made, back) in [(2, 3), (2, 7), (6, 8)] {
            let life = life(
                "put back from a backup",
                vec![
                    first(ASSIGNMENT),
                    (made * MINUTE, Deed::Backup),
                    (back * MINUTE, Deed::Restore { bump }),
                    second(9 * MINUTE, None, 11 * MINUTE),
                ],
            );
            let report = traced(&life);
            let given = report.asked["R2"];
            let calls = &report.trace;
            assert!(
                given >= 2,
                "{made} {back} {bump}: the second is given: {given}\n{calls:#?}"
            );
        }
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
        ..Trouble::new(Api::Conflict, 10 * MINUTE)
    };
    kept(&life(
        "conflicts",
        vec![first(ASSIGNMENT), (5, Deed::ApiTrouble(conflict))],
    ));
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
            let late = &report.lateness;
            assert!(late.len() == 1 && late[0] <= 5, "{late:?}");
        }
    }
}

/// Fault 9. R9, L1.
/// Neither is the page of a proxy that does not reach it an answer: nothing is missing.
#[test]
fn a_start_waits_for_an_api_server_that_only_a_proxy_answers_for() {
    for kind in [Api::Page(404), Api::Page(502), Api::Foreign, Api::Forbidden] {
        let report = kept(&life(
            "a proxy answers at the start",
            vec![api(0, kind, 20), first(ASSIGNMENT)],
        ));
        assert_eq!(report.asked["R2"], 1, "{kind:?}: given");
        assert_eq!(report.lateness, [0], "{kind:?}: and taken away");
    }
}

/// Fault 12. R3, L1.
#[test]
fn where_only_leases_can_be_had_no_more_all_else_goes_on() {
    let lengths = [(Api::NoLease, 15), (Api::LeaseFails, 15)];
    let silent = [(Api::LeaseHangs, 15), (Api::LeaseHangs, 5)];
    for (kind, lease) in lengths.into_iter().chain(silent) {
        for replicas in [1, 2] {
            let mut life = life(
                "no leases",
                vec![
                    first(ASSIGNMENT),
                    (30, Deed::ApiTrouble(Trouble::new(kind, 14 * MINUTE))),
                    (2 * MINUTE, Deed::SetRevoked(name(), true)),
                    second(3 * MINUTE, None, 8 * MINUTE),
                ],
            );
            life.story.setting.replicas = replicas;
            life.story.setting.lease = lease;
            let report = kept(&life);
            assert!(report.asked["R2"] >= 2, "{kind:?}: both were given");
            let late = report.lateness.iter().max();
            assert!(late.is_some_and(|late| *late <= 5), "{kind:?}: {report:?}");
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
        let late = &report.lateness;
        assert!(late.iter().all(|late| *late <= 5), "{at}: {late:?}");
        // In the first seconds it may be gone before it was claimed.
        assert!(at < MINUTE || late.len() == 2, "{at}: {late:?}");
    }
}

/// Fault 42. R3, R11.
/// To take away what has expired the ledger alone is enough.
#[test]
fn who_can_not_list_grants_or_policies_ends_what_expires_all_the_same() {
    for kind in ["breakglassgrants", "breakglasspolicies"] {
        for target in [ASSIGNMENT, GROUP, IAM_GROUP] {
            let report = kept(&life(
                "started without rights on one kind",
                vec![
                    first(target),
                    kill(MINUTE, 30),
                    api(MINUTE, Api::NoRights(kind), 6 * MINUTE),
                ],
            ));
            assert_eq!(report.asked["R2"], 1, "{kind}: given once");
            assert_eq!(report.lateness, [0], "{kind}: {target:?}");
        }
    }
}

/// One kind is listed long before another.
#[test]
fn at_a_start_that_takes_its_time_nothing_ends_early_before_all_kinds_are_listed() {
    for seed in 0..8 {
        let refused = Trouble {
            percent: 80,
            ..Trouble::new(Api::Refused(503), 2 * MINUTE)
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
            ..Trouble::new(Api::EventLost, 6 * MINUTE)
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
            (0, Deed::ApiTrouble(Trouble::new(Api::NoLease, 16 * MINUTE))),
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

/// To take the authority over holds up whatever is due for as long as a Delete of the other may still come.
/// Fault 12. L1.
#[test]
fn of_two_without_the_lease_only_one_compares_with_aws() {
    for kind in [Api::NoLease, Api::LeaseFails, Api::LeaseHangs] {
        let mut life = long(
            "two without the lease compare",
            vec![
                api(0, kind, HOUR),
                (
                    10,
                    Deed::Apply(grant("first", ASSIGNMENT, None, 35 * MINUTE)),
                ),
            ],
        );
        life.story.setting.replicas = 2;
        let report = traced(&life);
        // From its first comparison until just before its end.
        let span = "2026-01-05T00:02:00Z".."2026-01-05T00:34:50Z";
        let written: Vec<_> = report
            .trace
            .iter()
            .filter(|line| span.contains(&line.as_str()) && line.contains("\"offlineDeleter\""))
            .collect();
        assert!(written.is_empty(), "{kind:?}: {written:#?}");
        let reads = report.trace.iter().filter(|line| {
            span.contains(&line.as_str()) && line.contains("ListAccountAssignments {")
        });
        assert!(reads.count() >= 3, "{kind:?}");
    }
}

/// Whoever had the authority is gone for good, and nobody knows that.
#[test]
fn who_has_no_lease_compares_with_aws_where_a_person_asks_for_it() {
    let killed = Deed::Kill {
        replica: 0,
        down: 30,
        same_pod: false,
    };
    let grant = grant("first", ASSIGNMENT, None, 35 * MINUTE);
    let deeds = vec![
        api(0, Api::NoLease, HOUR),
        (10, Deed::Apply(grant)),
        (2 * MINUTE, killed),
        (6 * MINUTE, Deed::TakeByHand(ALICE, ASSIGNMENT)),
        (8 * MINUTE, Deed::AskAgain(name())),
    ];
    let report = traced(&long("asks who has no lease", deeds));
    let gives = |line: &&String| line.contains("CreateAccountAssignment {");
    let gives: Vec<_> = report.trace.iter().filter(gives).collect();
    let asked = "2026-01-05T00:08:00".."2026-01-05T00:08:30";
    assert_eq!(gives.len(), 2, "{gives:#?}");
    assert!(asked.contains(&gives[1].as_str()), "{gives:#?}");
}

/// R11. The ledger is listed, and the grants or the policies are not: what was about to be given waits.
#[test]
fn at_a_start_that_takes_its_time_nothing_is_given_before_all_kinds_are_listed() {
    for seed in 0..24 {
        let refused = Trouble {
            percent: 70,
            ..Trouble::new(Api::Initializing, 2 * MINUTE)
        };
        let killed = Deed::Kill {
            replica: 0,
            down: 30,
            same_pod: true,
        };
        let mut life = life(
            "most lists are refused at the start",
            vec![
                (
                    10,
                    Deed::Apply(grant("first", ASSIGNMENT, None, 9 * MINUTE)),
                ),
                aws_writes(10, Aws::Throttled, 35),
                (30, killed),
                (MINUTE - 1, Deed::ApiTrouble(refused)),
            ],
        );
        life.story.seed = seed;
        assert!(kept(&life).asked["R11"] >= 1);
    }
}

/// R7. Policies change while names are looked up in AWS, where many wait for that.
#[test]
fn what_no_policy_admits_any_more_is_not_claimed_however_long_its_names_were_looked_up() {
    let many = (0..24).map(|number| {
        let name = format!("grant-{number}");
        let target = Target::all()[number % 4];
        let user = PEOPLE[1 + number % 2];
        let grant = grant(&name, target, None, 20 * MINUTE);
        (10, Deed::Apply(Grant { user, ..grant }))
    });
    let deeds = [
        aws(5, Aws::Late(4), 6 * MINUTE),
        (20, Deed::PutPolicy("everything", Policy::Only(PEOPLE[0]))),
    ];
    kept(&long(
        "the policy goes while names are looked up",
        many.chain(deeds).collect(),
    ));
}
