//! Single steps of the ledger protocol that random histories meet too seldom.

use std::sync::LazyLock;

use super::access::{Authorities, Known, Reading, Step, Waiting, next};
use super::fixtures::{at, claim, holder, ledger};
use super::ledger::{Evidence, begin, end, task};
use crate::api::access::{
    AccessState, Attempt, BreakglassAccessSpec, EndReason, Holder, Operation, Origin,
};
use crate::aws::Seen;
use crate::config::Settings;

/// Ours, being taken away, and seen absent once at second 0.
fn settling() -> BreakglassAccessSpec {
    BreakglassAccessSpec {
        state: AccessState::Settling,
        origin: Some(Origin::Created),
        offline_deleter: Some(holder("pod")),
        first_absent_time: Some(at(0)),
        ..ledger(Vec::new())
    }
}

/// What follows from a reading that shows the access absent.
fn seen_absent_at(second: i64, ledger: &BreakglassAccessSpec) -> Step {
    let reading = Reading {
        begun: at(second),
        seen: Seen::Absent,
    };
    next(&Known {
        now: at(second),
        ..known(ledger, Some(&reading))
    })
}

static ME: LazyLock<Holder> = LazyLock::new(|| holder("pod"));
static SETTINGS: LazyLock<Settings> = LazyLock::new(Settings::default);

fn known<'a>(ledger: &'a BreakglassAccessSpec, reading: Option<&'a Reading>) -> Known<'a> {
    Known {
        ledger,
        authorities: None,
        reading,
        drift_due: false,
        me: &ME,
        attempt_id: "1",
        now: at(0),
        settings: &SETTINGS,
    }
}

#[track_caller]
fn written(step: Step) -> BreakglassAccessSpec {
    match step {
        Step::Write(ledger) => *ledger,
        other => panic!("not a write: {other:?}"),
    }
}

fn window() -> i64 {
    Settings::default()
        .iam_settle_window
        .as_secs()
        .cast_signed()
}

#[test]
fn one_absence_closes_nothing_and_a_second_must_be_a_window_later() {
    let first = BreakglassAccessSpec {
        first_absent_time: None,
        ..settling()
    };
    let seen_once = written(seen_absent_at(0, &first));
    assert_eq!(seen_once.state, AccessState::Settling);
    assert_eq!(seen_once.first_absent_time, Some(at(0)));
    let too_soon = seen_absent_at(window() - 1, &settling());
    assert_eq!(too_soon, Step::Rest(Waiting::Until(at(window()))));
}

/// Whoever may delete without the ledger must know, before it closes, that it may not any more.
#[test]
fn the_authority_is_dropped_by_a_write_of_its_own_before_the_ledger_closes() {
    let dropped = written(seen_absent_at(window(), &settling()));
    assert_eq!(dropped.state, AccessState::Settling);
    assert_eq!(dropped.offline_deleter, None);
    let closed = written(seen_absent_at(window(), &dropped));
    assert_eq!(closed.state, AccessState::Closed);
    assert_eq!(closed.origin, None);
}

#[test]
fn nothing_closes_while_a_write_may_still_take_effect() {
    for operation in [Operation::Create, Operation::Delete] {
        let ledger = BreakglassAccessSpec {
            attempt: Some(Attempt {
                operation,
                id: "0".into(),
                holder: holder("pod"),
                written_at: at(0),
                send_before: at(0),
            }),
            ..settling()
        };
        match seen_absent_at(window(), &ledger) {
            Step::Rest(Waiting::Until(until)) => assert!(until > at(window()), "{operation:?}"),
            other => panic!("{operation:?}: {other:?}"),
        }
    }
}

/// A reading proves nothing if it was begun while a Create might still have taken effect, however
/// late it is judged.
#[test]
fn a_reading_begun_too_early_proves_nothing_later() {
    let ledger = BreakglassAccessSpec {
        create_unknown_until: Some(at(10)),
        first_absent_time: None,
        ..settling()
    };
    let reading = Reading {
        begun: at(9),
        seen: Seen::Absent,
    };
    let step = next(&Known {
        now: at(12),
        ..known(&ledger, Some(&reading))
    });
    // The bound that has passed is forgotten, and nothing else is written.
    let written = written(step);
    assert_eq!(written.first_absent_time, None);
}

/// Nothing is given by a clock that is known to be wrong; what ends goes on ending.
#[test]
fn a_wrong_clock_gives_nothing() {
    let claims = vec![claim("a", 0, 100)];
    let open = BreakglassAccessSpec {
        state: AccessState::Closed,
        ..ledger(claims)
    };
    let absent = Reading {
        begun: at(1),
        seen: Seen::Absent,
    };
    let mut found = Authorities {
        evidence: [("a".to_owned(), Evidence::Stands(at(100)))].into(),
        admitted: vec!["a".to_owned()],
        ..Authorities::default()
    };
    let step = |found: &Authorities| {
        next(&Known {
            authorities: Some(found),
            now: at(1),
            ..known(&open, Some(&absent))
        })
    };
    assert!(matches!(step(&found), Step::Send(_, Operation::Create)));
    found.clock_is_wrong = true;
    assert_eq!(step(&found), Step::Rest(Waiting::Clock));
}

#[test]
fn a_membership_that_was_taken_away_and_still_shows_is_given_again_not_believed() {
    let ledger = BreakglassAccessSpec {
        claims: vec![claim("uid-1", 0, 100)],
        first_absent_time: None,
        ..settling()
    };
    let reading = Reading {
        begun: at(1),
        seen: Seen::Present {
            session_seconds: None,
        },
    };
    let authorities = Authorities {
        evidence: [("uid-1".to_owned(), Evidence::Stands(at(100)))].into(),
        admitted: vec!["uid-1".to_owned()],
        ..Authorities::default()
    };
    let step = next(&Known {
        now: at(1),
        authorities: Some(&authorities),
        ..known(&ledger, Some(&reading))
    });
    assert!(matches!(step, Step::Send(_, Operation::Create)), "{step:?}");
}

/// Two processes at work on one tuple would otherwise end one another's pauses for ever.
#[test]
fn an_attempt_and_its_outcome_leave_what_is_asked_for_as_it_was() {
    let before = BreakglassAccessSpec {
        state: AccessState::Open,
        origin: Some(Origin::Created),
        ..ledger(vec![claim("uid", 0, 100)])
    };
    let mut after = before.clone();
    let attempt = Attempt {
        operation: Operation::Create,
        id: "1".to_owned(),
        holder: holder("another"),
        written_at: at(1),
        send_before: at(11),
    };
    begin(&mut after, attempt, &SETTINGS);
    assert_eq!(task(&before), task(&after));
    after.attempt = None;
    after.create_unknown_until = Some(at(900));
    after.first_absent_time = Some(at(1));
    assert_eq!(task(&before), task(&after));
    end(&mut after, "uid", EndReason::Deleted, at(2));
    assert_ne!(task(&before), task(&after));
}
