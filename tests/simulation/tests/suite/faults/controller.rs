//! The program, its machine and its lease.

use aws_simulator::{AccountStatus, Change};
use simulation::cast::{self, ACCOUNTS, PERMISSION_SETS, Target};
use simulation::lives::{ASSIGNMENT, GROUP, IAM_GROUP, grant, life};
use simulation::story::{Api, Aws, Deed, Grant, Name, Second};

use super::{MINUTE, api, aws, aws_writes, first, kept, kill, long, name, second, traced};

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

/// Fault 37. R6, L2.
/// The API server tells the time before the first listing, and AWS takes seconds: what has not expired must not end.
#[test]
fn who_starts_with_a_clock_that_is_an_hour_ahead_ends_nothing_before_its_time() {
    for late in [0, 3, 8] {
        let mut deeds = vec![
            (
                10,
                Deed::Apply(grant("first", ASSIGNMENT, None, 30 * MINUTE)),
            ),
            kill(5 * MINUTE, MINUTE),
            (6 * MINUTE - 1, Deed::SetClock(0, 3600)),
        ];
        if late > 0 {
            deeds.push(aws(6 * MINUTE - 1, Aws::Late(late), 2 * MINUTE));
        }
        let report = kept(&long("an hour ahead at the start", deeds));
        let lateness = &report.lateness;
        let in_time = lateness.len() == 1 && lateness[0] <= 60;
        assert!(in_time, "{late}: {lateness:?}");
    }
}

/// Fault 38. R2, L3.
#[test]
fn after_hours_without_a_controller_what_is_overdue_goes_at_once() {
    const LEASE: Second = 15;
    let mut life = life(
        "six hours down",
        vec![
            first(ASSIGNMENT),
            kill(MINUTE, 360 * MINUTE),
            second(2 * MINUTE, None, 4 * MINUTE),
        ],
    );
    life.story.calm = 380 * MINUTE;
    life.story.setting.lease = LEASE;
    let report = kept(&life);
    assert_eq!(
        report.asked["R2"], 1,
        "the second is over before anybody sees it"
    );
    // Whoever held the lease may live: it is waited out. From the end of the first to the start it is so long:
    let down = 356 * 60;
    let in_time = down..down + i64::try_from(LEASE).unwrap() + 10;
    let late = &report.lateness;
    assert!(late.len() == 1 && in_time.contains(&late[0]), "{late:?}");
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
    let report = traced(&life);
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

/// Fault 38. L2.
/// Somebody has lengthened the sessions of its permission set in between.
#[test]
fn after_a_time_without_a_controller_the_longest_sessions_that_could_begin_are_told() {
    let (permission_set, session_duration) = (PERMISSION_SETS[0].0.to_owned(), "PT12H".to_owned());
    let longer = Change::SetSessionDuration {
        permission_set,
        session_duration,
    };
    // Also where nobody hears that it has been taken away.
    for kind in [None, Some(Aws::Unanswered)] {
        let trouble = kind.map(|kind| aws_writes(9 * MINUTE, kind, 5 * MINUTE));
        let deeds = [
            first(ASSIGNMENT),
            kill(4 * MINUTE, 6 * MINUTE),
            (6 * MINUTE, Deed::Aws(longer.clone())),
        ];
        let report = kept(&life(
            "sessions became longer while nobody looked",
            deeds.into_iter().chain(trouble).collect(),
        ));
        assert!(report.asked["sessions"] >= 1);
        assert!(report.residues.is_empty(), "{:?}", report.residues);
    }
}

/// L1. A stop has little time, and what it can't write it does not try in circles.
#[test]
fn a_stop_while_every_write_conflicts_is_a_stop() {
    let stop = Deed::Stop {
        replica: 0,
        down: MINUTE,
    };
    kept(&life(
        "stopped while every write conflicts",
        vec![
            first(ASSIGNMENT),
            api(2 * MINUTE, Api::Conflict, 2 * MINUTE),
            (3 * MINUTE, stop),
        ],
    ));
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
