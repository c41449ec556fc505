//! The checks see what they are there for.

use jiff::{SignedDuration, Timestamp};

use super::checker::{lateness, violations};
use super::history::{
    AccessHistory, Asked, EarlyEnd, Foreign, GrantHistory, History, LateCalls, Trouble, Write,
    without,
};
use crate::support::{Access, Kind};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_000_000 + second).unwrap()
}

/// A grant from second 10 to 100 that was seen to be active from 15 on, given at 12 and taken at 101, and gone at 103.
fn history() -> History {
    let access = Access {
        user: "alice@example.com".to_owned(),
        user_id: "u-1".to_owned(),
        kind: Kind::Group {
            name: "Responders".to_owned(),
        },
        entitlement_id: "g-1".to_owned(),
    };
    let mut entry = AccessHistory::new(access);
    entry.presence = vec![(at(0), false), (at(13), true), (at(103), false)];
    entry.writes = vec![create(12), delete(101)];
    History {
        accesses: vec![entry],
        grants: vec![GrantHistory {
            name: "grant".to_owned(),
            access: 0,
            created: at(10),
            start: None,
            expiry: at(100),
            edit: None,
            early_end: None,
            active: Some(at(15)),
            outcome: None,
        }],
        ..History::default()
    }
}

fn create(second: i64) -> Write {
    Write {
        creates: true,
        time: at(second),
    }
}

fn delete(second: i64) -> Write {
    Write {
        creates: false,
        time: at(second),
    }
}

fn asked(from: i64, until: i64) -> Asked {
    Asked {
        from: at(from),
        until: at(until),
    }
}

fn trouble(from: i64, until: i64) -> Trouble {
    Trouble {
        what: String::new(),
        from: at(from),
        until: Some(at(until)),
        aftermath: SignedDuration::from_secs(10),
        late_calls: LateCalls::WhenOver,
    }
}

#[track_caller]
fn assert_found(history: &History, found: &[&str]) {
    let violations = violations(history, at(1_000));
    assert_eq!(violations.len(), found.len(), "{violations:?}");
    for (violation, part) in violations.iter().zip(found) {
        assert!(violation.contains(part), "{violation}");
    }
}

#[test]
fn a_grant_that_is_given_and_taken_is_no_violation() {
    assert_found(&history(), &[]);
    let late = lateness(&history(), at(1_000));
    let [late] = late.as_slice() else {
        panic!("{late:?}")
    };
    assert_eq!(late.to_first_delete, Some(SignedDuration::from_secs(1)));
    assert_eq!(late.to_gone, SignedDuration::from_secs(3));
    assert!(late.calm && late.by_expiry && late.since == at(100));
}

#[test]
fn grants_that_give_nothing_are_seen() {
    let mut history = history();
    for number in 1..10 {
        let mut entry = AccessHistory::new(history.accesses[0].access.clone());
        entry.presence = vec![(at(0), false)];
        history.accesses.push(entry);
        history.grants.push(GrantHistory {
            access: number,
            ..history.grants[0].clone()
        });
    }
    assert_found(&history, &["9 of 10 grants"]);
    // One in ten may be AWS's doing.
    for entry in &mut history.accesses[2..] {
        entry.presence = vec![(at(0), false), (at(50), true), (at(100), false)];
    }
    assert_found(&history, &[]);
    for entry in &mut history.accesses[2..] {
        entry.presence.clear();
    }
    history.troubles.push(trouble(15, 95));
    assert_found(&history, &[]);
}

#[test]
fn access_that_is_left_behind_is_seen() {
    let mut history = history();
    history.accesses[0].presence.pop();
    assert_found(&history, &["nothing covered it"]);
    // Not while nothing works, but not without bounds either.
    history.accesses[0].presence.push((at(150), false));
    assert_found(&history, &["nothing covered it"]);
    history.troubles.push(trouble(95, 130));
    assert_found(&history, &[]);
    history.troubles.push(trouble(130, 900));
    history.accesses[0].presence[2].0 = at(500);
    assert_found(&history, &["nothing covered it"]);
}

#[test]
fn access_that_is_given_too_late_or_too_early_is_seen() {
    for second in [9, 101] {
        let mut history = history();
        history.accesses[0].writes.push(create(second));
        assert_found(&history, &["without a grant"]);
        // One that was frozen between its last look at the time and the call.
        history.troubles.push(trouble(second - 5, second));
        assert_found(&history, &[]);
    }
    let mut history = history();
    history.grants[0].early_end = Some((asked(50, 52), EarlyEnd::Revoked));
    history.accesses[0].presence[2].0 = at(60);
    history.accesses[0].writes = vec![create(12), create(54), delete(55)];
    assert_found(&history, &[]);
    history.accesses[0].writes[1] = create(56);
    assert_found(&history, &["without a grant"]);
}

#[test]
fn access_that_is_taken_from_one_who_was_told_to_have_it_is_seen() {
    let mut history = history();
    history.accesses[0].writes.push(delete(50));
    assert_found(&history, &["while grant was active"]);
    history.grants[0].early_end = Some((asked(49, 52), EarlyEnd::Revoked));
    history.accesses[0].presence[2].0 = at(53);
    assert_found(&history, &[]);
}

#[test]
fn access_of_others_that_is_taken_or_to_be_taken_is_seen() {
    let mut history = history();
    history.accesses[0].presence = vec![(at(0), false), (at(5), true), (at(103), false)];
    history.accesses[0].foreign.push(Foreign {
        given: at(5),
        seen_by_all: at(8),
        taken: None,
    });
    assert_found(&history, &["to be taken", "was gone"]);
    history.accesses[0].foreign[0].taken = Some(at(99));
    history.accesses[0].writes.pop();
    assert_found(&history, &[]);
}

#[test]
fn an_edit_counts_from_when_it_may_have_been_seen() {
    let mut history = history();
    let grant = &mut history.grants[0];
    grant.edit = Some((asked(90, 98), at(130)));
    assert_eq!(grant.ends(), at(130));
    assert_eq!(grant.surely_lasts_until(), at(100));
    grant.edit = Some((asked(50, 58), at(55)));
    assert_eq!(grant.ends(), at(58));
    assert_eq!(grant.surely_lasts_until(), at(55));
    // Too late to matter.
    grant.edit = Some((asked(100, 101), at(130)));
    assert_eq!(grant.ends(), at(100));
}

#[test]
fn what_is_taken_out_of_the_middle_leaves_two_parts() {
    let spans = [(at(0), at(10)), (at(20), at(30))];
    let left = without(&spans, [(at(4), at(6)), (at(8), at(25))]);
    assert_eq!(left, [(at(0), at(4)), (at(6), at(8)), (at(25), at(30))]);
}
