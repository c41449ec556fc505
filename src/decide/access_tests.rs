//! Single steps of the ledger protocol that random histories meet too seldom.

use std::sync::LazyLock;

use super::access::{Known, Reading, Step, Waiting, activate, next};
use super::authorities::Authorities;
use super::fixtures::{at, claim, holder, ledger, shown};
use super::ledger::{Evidence, begin, end, task};
use crate::api::access::{
    AccessState, Attempt, BreakglassAccessSpec, Claim, EndReason, EndedClaim, Holder, Operation,
    Origin,
};
use crate::api::policy::OnExternalRemoval;
use crate::api::tuple::{AccountAssignment, Tuple};
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

/// A Create that was announced then.
fn create(pod: &str, second: i64) -> Attempt {
    Attempt {
        operation: Operation::Create,
        id: "1".to_owned(),
        holder: holder(pod),
        written_at: at(second),
        send_before: at(second + 10),
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

/// Calls wait in line: what was decided before a claim begins must not hit it.
#[test]
fn a_delete_may_leave_only_until_the_next_claim_begins() {
    let mut ended = open(vec![claim("later", 11, 100)]);
    ended.claims[0].active_time = None;
    let sent = |second| match seen(PRESENT, second, &ended) {
        Step::Send(ledger, Operation::Delete) => ledger.attempt.unwrap().send_before,
        other => panic!("{other:?}"),
    };
    let window = Settings::default().send_window.as_secs().cast_signed();
    assert_eq!(sent(0), at(window.min(11)));
    assert_eq!(sent(10), at(11));
}

/// A claim that is due only later was active before, where a clock was put back. It is given again then.
#[test]
fn nobody_is_active_while_access_is_taken_away() {
    let ledger = open(vec![claim("later", 11, 100)]);
    assert!(ledger.claims[0].active_time.is_some());
    match seen(PRESENT, 0, &ledger) {
        Step::Send(ledger, Operation::Delete) => assert_eq!(ledger.claims[0].active_time, None),
        other => panic!("{other:?}"),
    }
}

/// Another process may have written it, and may be about to send it: two at once would send everything twice.
#[test]
fn what_may_still_be_sent_is_not_sent_again() {
    let until = at(2);
    let announced = |operation| Attempt {
        id: "another's".into(),
        operation,
        holder: holder("another"),
        written_at: at(0),
        send_before: until,
    };
    let giving = BreakglassAccessSpec {
        attempt: Some(announced(Operation::Create)),
        ..open(vec![claim("uid-1", 0, 100)])
    };
    let taking = BreakglassAccessSpec {
        attempt: Some(announced(Operation::Delete)),
        ..settling()
    };
    for (ledger, shows) in [(&giving, Seen::Absent), (&taking, PRESENT)] {
        let early = seen(shows.clone(), 1, ledger);
        assert_eq!(early, Step::Rest(Waiting::Until(until)), "{shows:?}");
        let late = seen(shows, 2, ledger);
        assert_ne!(late, Step::Rest(Waiting::Until(until)));
    }
}

/// A reading may wait in line for longer than the window: two of them would then be one.
#[test]
fn the_first_reading_counts_from_its_end() {
    let first = BreakglassAccessSpec {
        first_absent_time: None,
        ..settling()
    };
    let reading = Reading {
        begun: at(0),
        seen: Seen::Absent,
    };
    let answered = 2 * window();
    let step = next(&Known {
        now: at(answered),
        ..known(&first, Some(&reading))
    });
    let once = written(step);
    assert_eq!(once.first_absent_time, Some(at(answered)));
    assert_eq!(once.state, AccessState::Settling);
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
        admitted: [("a".to_owned(), true)].into(),
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

/// A clock that was ahead wrote a time that lies too far ahead by the right one.
#[test]
fn a_send_window_that_can_not_be_holds_nothing_up() {
    let attempt = |send_before| {
        let mut ledger = BreakglassAccessSpec {
            offline_deleter: Some(ME.clone()),
            ..settling()
        };
        let attempt = Attempt {
            operation: Operation::Delete,
            id: "attempt".to_owned(),
            holder: ME.clone(),
            written_at: at(send_before - 10),
            send_before: at(send_before),
        };
        begin(&mut ledger, attempt, &Settings::default());
        ledger
    };
    let window = i64::try_from(Settings::default().send_window.as_secs()).unwrap();
    let asked = |ledger: &BreakglassAccessSpec| {
        next(&Known {
            now: at(1),
            ..known(ledger, None)
        })
    };
    let latest = at(1 + window);
    let wait = Step::Rest(Waiting::Until(latest));
    assert_eq!(asked(&attempt(1 + window)), wait);
    assert_eq!(asked(&attempt(2 + window)), Step::Read);
}

/// What is there already is adopted, or called active, by what grants and policies say then: not by what they said when
/// the claim was made, which may be hours ago.
#[test]
fn what_is_there_is_taken_by_the_word_of_the_policies_of_now() {
    let mut ours = claim("a", 0, 100);
    ours.exclusive = true;
    let present = Reading {
        begun: at(1),
        seen: Seen::Present {
            session_seconds: None,
        },
    };
    let closed = ledger(vec![ours.clone()]);
    let taken_away = BreakglassAccessSpec {
        claims: vec![ours],
        tuple: assigned(closed.clone()).tuple,
        first_absent_time: None,
        ..settling()
    };
    for ledger in [&closed, &taken_away] {
        let step = |found: Option<&Authorities>| {
            next(&Known {
                authorities: found,
                now: at(1),
                ..known(ledger, Some(&present))
            })
        };
        assert_eq!(step(None), Step::Confirm);
        let mut found = Authorities {
            evidence: [("a".to_owned(), Evidence::Stands(at(100)))].into(),
            ..Authorities::default()
        };
        assert_eq!(step(Some(&found)), Step::Withdraw(vec!["a".to_owned()]));
        for exclusive in [false, true] {
            found.admitted = [("a".to_owned(), exclusive)].into();
            let Step::Write(opened) = step(Some(&found)) else {
                panic!("{:?}", step(Some(&found)));
            };
            assert_eq!(opened.state, AccessState::Open);
            let ours = exclusive || ledger.state == AccessState::Settling;
            assert_eq!(opened.origin == Some(Origin::Created), ours);
        }
    }
}

fn look(begun: i64, present: bool) -> Reading {
    let seen = if present {
        Seen::Present {
            session_seconds: None,
        }
    } else {
        Seen::Absent
    };
    Reading {
        begun: at(begun),
        seen,
    }
}

/// Who had it once keeps the right to it while it is ours to give. What stood before, and was removed by others, is not.
#[test]
fn who_was_given_access_is_not_sent_away_when_the_policy_that_allowed_it_is_gone() {
    let mut had = claim("a", 0, 100);
    had.granted_time = Some(at(0));
    let found = Authorities {
        evidence: [("a".to_owned(), Evidence::Stands(at(100)))].into(),
        ..Authorities::default()
    };
    let absent = Reading {
        begun: at(1),
        seen: Seen::Absent,
    };
    let step = |ledger: &BreakglassAccessSpec| {
        next(&Known {
            authorities: Some(&found),
            now: at(1),
            ..known(ledger, Some(&absent))
        })
    };
    let taken_away = BreakglassAccessSpec {
        claims: vec![had.clone()],
        first_absent_time: None,
        ..settling()
    };
    let given = step(&taken_away);
    assert!(
        matches!(given, Step::Send(_, Operation::Create)),
        "{given:?}"
    );
    let ended = vec![("a".to_owned(), EndReason::RemovedExternally)];
    assert_eq!(step(&ledger(vec![had.clone()])), Step::End(ended));
    // Somebody has given it once more: it is there, and not ours.
    let closed = ledger(vec![had]);
    let present = look(1, true);
    let found = next(&Known {
        authorities: Some(&found),
        now: at(1),
        ..known(&closed, Some(&present))
    });
    match found {
        Step::Write(found) => assert_eq!(found.origin, Some(Origin::PreExisting)),
        other => panic!("{other:?}"),
    }
}

/// A star covers every account but the management account: as long as nobody knows which that is, nothing is given by its
/// word, and nobody is sent away.
#[test]
fn where_nobody_knows_whether_a_policy_admits_it_a_claim_waits() {
    let found = Authorities {
        evidence: [("a".to_owned(), Evidence::Stands(at(100)))].into(),
        in_doubt: ["a".to_owned()].into(),
        ..Authorities::default()
    };
    for granted_time in [None, Some(at(0))] {
        let claim = Claim {
            granted_time,
            ..claim("a", 0, 100)
        };
        for present in [true, false] {
            let reading = look(1, present);
            let closed = ledger(vec![claim.clone()]);
            let step = next(&Known {
                authorities: Some(&found),
                now: at(1),
                ..known(&closed, Some(&reading))
            });
            assert_eq!(step, Step::Rest(Waiting::Management));
            // Another, whom a policy surely admits, gets it without him; but not from him.
            let both = ledger(vec![
                claim.clone(),
                crate::decide::fixtures::claim("b", 0, 50),
            ]);
            let mut found = found.clone();
            let stands = Evidence::Stands(at(50));
            found.evidence.insert("b".to_owned(), stands);
            found.admitted.insert("b".to_owned(), false);
            let step = next(&Known {
                authorities: Some(&found),
                now: at(1),
                ..known(&both, Some(&reading))
            });
            let alone = Step::Withdraw(vec!["a".to_owned()]);
            assert_eq!(step == alone, granted_time.is_none(), "{step:?}");
        }
        // What was given stays given, or is given back.
        for (state, is_given) in [
            (AccessState::Open, true),
            (AccessState::Settling, granted_time.is_some()),
        ] {
            let ours = BreakglassAccessSpec {
                state,
                origin: Some(Origin::Created),
                ..ledger(vec![claim.clone()])
            };
            let absent = look(1, false);
            let step = next(&Known {
                authorities: Some(&found),
                now: at(1),
                ..known(&ours, Some(&absent))
            });
            let gives = matches!(step, Step::Send(_, Operation::Create));
            assert_eq!(gives, is_given, "{state:?}: {step:?}");
        }
    }
}

/// What was given stays; but nothing is given, or given back, because of a grant that nobody can read.
#[test]
fn a_grant_that_nobody_can_read_is_no_reason_to_give() {
    let mut found = Authorities {
        evidence: [("a".to_owned(), Evidence::Unknown)].into(),
        ..Authorities::default()
    };
    let claims = vec![claim("a", 0, 100), claim("b", 0, 100)];
    let absent = look(1, false);
    for state in [
        AccessState::Closed,
        AccessState::Settling,
        AccessState::Open,
    ] {
        let ledger = BreakglassAccessSpec {
            state,
            origin: (state != AccessState::Closed).then_some(Origin::Created),
            ..ledger(claims.clone())
        };
        let step = |found: &Authorities| {
            next(&Known {
                authorities: Some(found),
                now: at(1),
                ..known(&ledger, Some(&absent))
            })
        };
        assert_eq!(step(&found), Step::Rest(Waiting::Grants), "{state:?}");
        // For another it is given, for as long as his lasts.
        let stands = Evidence::Stands(at(5));
        found.evidence.insert("b".to_owned(), stands);
        found.admitted.insert("b".to_owned(), false);
        match step(&found) {
            Step::Send(ledger, Operation::Create) => {
                assert_eq!(ledger.attempt.unwrap().send_before, at(5), "{state:?}");
            }
            step => panic!("{state:?}: {step:?}"),
        }
        found.evidence.remove("b");
        found.admitted.clear();
    }
}

#[test]
fn a_membership_that_was_taken_away_and_still_shows_is_given_again_not_believed() {
    let deleted = |state, delete_unknown_until| BreakglassAccessSpec {
        state,
        claims: vec![claim("uid-1", 0, 100)],
        first_absent_time: None,
        still_listed_until: Some(at(60)),
        delete_unknown_until,
        ..settling()
    };
    let authorities = Authorities {
        evidence: [("uid-1".to_owned(), Evidence::Stands(at(100)))].into(),
        admitted: [("uid-1".to_owned(), true)].into(),
        ..Authorities::default()
    };
    let step = |ledger: &BreakglassAccessSpec, begun| {
        let seen = Seen::Present {
            session_seconds: None,
        };
        let begun = at(begun);
        next(&Known {
            now: at(61),
            authorities: Some(&authorities),
            ..known(ledger, Some(&Reading { begun, seen }))
        })
    };
    // Being taken away; and given back by a Create that failed, or of which nobody knows.
    for state in [AccessState::Settling, AccessState::Open] {
        let known = deleted(state, None);
        // However late the reading is judged.
        let old = step(&known, 59);
        assert!(matches!(old, Step::Send(_, Operation::Create)), "{old:?}");
        match step(&known, 60) {
            Step::Write(ledger) => assert_eq!(ledger.claims[0].active_time, Some(at(61))),
            new => panic!("{state:?}: {new:?}"),
        }
        let waits = step(&deleted(state, Some(at(90))), 59);
        let Step::Write(ledger) = waits else {
            panic!("{state:?}: {waits:?}");
        };
        assert_eq!(ledger.claims[0].active_time, None);
        // Another has it since.
        let mut shared = known.clone();
        shared.claims.push(claim("uid-2", 0, 100));
        shared.claims[1].active_time = Some(at(30));
        shared.state = AccessState::Open;
        let joins = step(&shared, 59);
        assert!(matches!(joins, Step::Write(_)), "{joins:?}");
    }
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
    begin(&mut after, create("another", 1), &SETTINGS);
    assert_eq!(task(&before), task(&after));
    after.attempt = None;
    after.create_unknown_until = Some(at(900));
    after.first_absent_time = Some(at(1));
    assert_eq!(task(&before), task(&after));
    end(&mut after, &[("uid".into(), EndReason::Deleted)], at(2));
    assert_ne!(task(&before), task(&after));
}

/// Who ends at the same time covers nobody; who stays does, since he has had it.
#[test]
fn access_goes_on_only_with_who_does_not_end_as_well() {
    let expired = |uid: &str| (uid.to_owned(), EndReason::Expired);
    let mut all = open(vec![claim("a", 0, 100), claim("b", 0, 100)]);
    end(&mut all, &[expired("a"), expired("b")], at(130));
    assert!(all.ended.iter().all(|ended| ended.gone_time.is_none()));
    let mut one = open(vec![claim("a", 0, 100), claim("b", 0, 200)]);
    one.longest_session_seconds = Some(7);
    end(&mut one, &[expired("a")], at(130));
    let ended = &one.ended[0];
    assert_eq!(ended.gone_time, Some(at(100)), "b had it all along");
    assert_eq!(ended.longest_session_seconds, Some(7));
    shown(&mut one.claims[0], 110);
    one.claims.push(claim("c", 0, 120));
    end(&mut one, &[expired("c")], at(130));
    assert_eq!(one.ended[1].gone_time, Some(at(120)), "b had it since 110");
}

/// When the access was gone, and how long sessions could be until then, is written when it closes.
#[test]
fn what_is_closed_says_since_when_nothing_is_left() {
    let mut ledger = BreakglassAccessSpec {
        first_absent_time: None,
        longest_session_seconds: Some(3_600),
        ..settling()
    };
    ledger.claims = vec![claim("a", -100, -50)];
    end(&mut ledger, &[("a".into(), EndReason::Expired)], at(-40));
    // It is there still, and sessions have become longer.
    let there = Seen::Present {
        session_seconds: Some(43_200),
    };
    let deleting = match seen(there, 6, &ledger) {
        Step::Send(ledger, Operation::Delete) => ledger,
        other => panic!("not a Delete: {other:?}"),
    };
    assert_eq!(deleting.longest_session_seconds, Some(43_200));
    // It was absent, for the first time, while b was due.
    ledger.claims = vec![claim("b", -100, 5)];
    ledger.longest_session_seconds = deleting.longest_session_seconds;
    ledger.first_absent_time = Some(at(0));
    ledger.offline_deleter = None;
    end(&mut ledger, &[("b".into(), EndReason::Expired)], at(6));
    let closed = written(seen_absent_at(window(), &ledger));
    assert_eq!(closed.state, AccessState::Closed);
    let gone: Vec<_> = closed.ended.iter().map(|ended| ended.gone_time).collect();
    assert_eq!(gone, [Some(at(0)), Some(at(5))]);
    let longest = |ended: &EndedClaim| ended.longest_session_seconds == Some(43_200);
    assert!(closed.ended.iter().all(longest));
    assert_eq!(closed.longest_session_seconds, None);
}

/// A claim that comes while nothing is there: it was gone for those before.
#[test]
fn what_is_given_anew_was_gone_before() {
    let mut ledger = settling();
    ledger.longest_session_seconds = Some(3_600);
    ledger.claims = vec![claim("a", -100, -1), claim("b", -100, 100)];
    end(&mut ledger, &[("a".into(), EndReason::Expired)], at(0));
    let mut given = ledger.clone();
    begin(&mut given, create("pod", 10), &SETTINGS);
    assert_eq!(given.ended[0].gone_time, Some(at(0)));
    // Where it was there all along it was not, until somebody else's right to it goes on.
    ledger.first_absent_time = None;
    activate(&mut ledger, at(30), Some(43_200), |_| true);
    assert_eq!(ledger.ended[0].gone_time, Some(at(30)));
    assert_eq!(ledger.ended[0].longest_session_seconds, Some(43_200));
}

/// The same of an assignment, which AWS gives and takes in its own time.
fn assigned(ledger: BreakglassAccessSpec) -> BreakglassAccessSpec {
    let text = str::to_owned;
    let tuple = AccountAssignment {
        instance_arn: text("instance"),
        identity_store_id: text("store"),
        account: text("111122223333"),
        permission_set: text("ReadOnly"),
        permission_set_arn: text("set"),
        user: text("alice"),
        user_id: text("id"),
    };
    BreakglassAccessSpec {
        tuple: Tuple::AccountAssignment(tuple),
        ..ledger
    }
}

/// Ours, given, and marked active at second 0.
fn open(claims: Vec<Claim>) -> BreakglassAccessSpec {
    let active = |mut claim| {
        shown(&mut claim, 0);
        claim
    };
    BreakglassAccessSpec {
        state: AccessState::Open,
        origin: Some(Origin::Created),
        offline_deleter: Some(holder("pod")),
        ..ledger(claims.into_iter().map(active).collect())
    }
}

fn stands(uid: &str) -> Authorities {
    Authorities {
        evidence: [(uid.to_owned(), Evidence::Stands(at(10_000)))].into(),
        admitted: [(uid.to_owned(), true)].into(),
        ..Authorities::default()
    }
}

const PRESENT: Seen = Seen::Present {
    session_seconds: None,
};

fn seen(seen: Seen, second: i64, ledger: &BreakglassAccessSpec) -> Step {
    let reading = Reading {
        begun: at(second),
        seen,
    };
    let authorities = stands("a");
    next(&Known {
        now: at(second),
        authorities: Some(&authorities),
        ..known(ledger, Some(&reading))
    })
}

#[test]
fn the_second_reading_is_made_when_its_time_has_come() {
    let asked_at = |second| {
        next(&Known {
            now: at(second),
            ..known(&settling(), None)
        })
    };
    let wait = Step::Rest(Waiting::Until(at(window())));
    assert_eq!(asked_at(1), wait);
    assert_eq!(asked_at(window() - 1), wait);
    assert_eq!(asked_at(window()), Step::Read);
}

/// It may be older than what made the claim active.
#[test]
fn an_absence_is_believed_when_it_can_not_be_from_before_the_access_was_given() {
    let open = open(vec![claim("a", 0, 10_000)]);
    let wait = Step::Rest(Waiting::Until(at(window())));
    assert_eq!(seen(Seen::Absent, 1, &open), wait);
    assert_eq!(seen(Seen::Absent, window() - 1, &open), wait);
    match seen(Seen::Absent, window(), &open) {
        Step::Send(ledger, Operation::Create) => {
            assert_eq!(ledger.claims[0].active_time, None, "it is not there");
            assert_eq!(ledger.claims[0].granted_time, Some(at(0)), "it was");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_access_at_rest_is_read_when_there_is_a_reason() {
    let rest = open(vec![claim("a", 0, 10_000)]);
    let asked = |ledger: &BreakglassAccessSpec, drift_due| {
        next(&Known {
            now: at(1),
            drift_due,
            ..known(ledger, None)
        })
    };
    assert_eq!(asked(&rest, false), Step::Rest(Waiting::Nothing));
    assert_eq!(asked(&rest, true), Step::Read);
    let mut not_active = rest.clone();
    not_active.claims[0].active_time = None;
    assert_eq!(asked(&not_active, false), Step::Read);
    let missed = BreakglassAccessSpec {
        first_absent_time: Some(at(0)),
        ..rest
    };
    assert_eq!(asked(&missed, false), Step::Read);
}

#[test]
fn what_is_there_at_first_is_active_and_not_ours() {
    let closed = ledger(vec![claim("a", 0, 10_000)]);
    let found = written(seen(PRESENT, 1, &closed));
    assert_eq!(found.origin, Some(Origin::PreExisting));
    assert_eq!(found.state, AccessState::Open);
    assert!(found.claims[0].active_time.is_some());
}

/// An assignment that stands is believed, unless a Delete may still take it away.
#[test]
fn a_claim_that_comes_while_access_is_taken_away_waits_for_the_delete() {
    let again = BreakglassAccessSpec {
        claims: vec![claim("a", 0, 10_000)],
        first_absent_time: None,
        ..settling()
    };
    let stands = written(seen(PRESENT, 1, &assigned(again.clone())));
    assert_eq!(stands.state, AccessState::Open);
    assert!(stands.claims[0].active_time.is_some());
    for ledger in [assigned(again.clone()), again] {
        let deleting = BreakglassAccessSpec {
            delete_unknown_until: Some(at(50)),
            ..ledger
        };
        let step = seen(PRESENT, 1, &deleting);
        assert_eq!(step, Step::Rest(Waiting::Until(at(50))));
    }
}

#[test]
fn what_somebody_took_away_ends_the_grants_whose_policies_say_so_and_no_other() {
    let mut stood = BreakglassAccessSpec {
        origin: Some(Origin::PreExisting),
        first_absent_time: Some(at(0)),
        ..open(vec![claim("a", 0, 10_000), claim("b", 0, 10_000)])
    };
    stood.claims[1].on_external_removal = OnExternalRemoval::End;
    let ended = vec![("b".to_owned(), EndReason::RemovedExternally)];
    assert_eq!(seen(Seen::Absent, window(), &stood), Step::End(ended));
}

/// Two that live would take it from one another without end.
#[test]
fn the_authority_is_left_to_who_took_it_last_until_he_has_had_time() {
    let taken = BreakglassAccessSpec {
        first_absent_time: None,
        delete_unknown_until: Some(at(100)),
        ..settling()
    };
    let others = BreakglassAccessSpec {
        offline_deleter: Some(holder("another pod")),
        ..taken.clone()
    };
    let until = 100 + window();
    let wait = Step::Rest(Waiting::Until(at(until)));
    assert_eq!(seen_absent_at(1, &others), wait);
    assert_eq!(seen_absent_at(until - 1, &others), wait);
    assert_eq!(
        written(seen_absent_at(until, &others)).offline_deleter,
        Some(holder("pod"))
    );
    let ours = written(seen_absent_at(1, &taken));
    assert_eq!(ours.first_absent_time, Some(at(1)));
}
