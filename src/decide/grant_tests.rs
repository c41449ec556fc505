//! What is done about a grant, and what people are told: the rows of the table of conditions.

use kube::core::DynamicObject;
use serde_json::{Value, json};

use super::fixtures::{at, claim, ledger, raw_grant, raw_policy, shown, some_tuple, tuple};
use super::grant::{Decision, Next, Standing, decide, next_wake};
use super::grant_status::status;
use super::grant_verdict::{Facts, Obstacle};
use super::grant_view::GrantView;
use super::ledger::{Evidence, Lookup, end, evidence};
use super::policy::{Management, PolicySet, Protected, Ruling};
use crate::api::access::{
    AccessState, BreakglassAccess, BreakglassAccessSpec, BreakglassAccessStatus, EndReason, Origin,
};
use crate::api::conditions::{self, Condition, ConditionStatus};
use crate::api::grant::{BreakglassGrantStatus, GrantState};
use crate::api::tuple::Tuple;
use crate::config::Settings;

fn spec(expiry: i64) -> Value {
    json!({
        "user": "alice", "reason": "r", "expiryTime": at(expiry).to_string(),
        "target": {"iamGroup": {"account": "111122223333", "name": "Ops"}},
    })
}

fn policies() -> PolicySet {
    PolicySet::parse(&[raw_policy(
        "oncall",
        json!({
            "namespaces": ["*"], "maxDuration": "1h",
            "rules": [{"users": ["*"], "iamGroup": {"accounts": ["111122223333"], "names": ["*"]}}],
        }),
    )])
}

fn view(raw: &DynamicObject) -> GrantView {
    GrantView::parse(raw).unwrap()
}

fn access(spec: BreakglassAccessSpec) -> BreakglassAccess {
    BreakglassAccess::new("iam-1", spec)
}

/// An access with a claim of the grant in `raw`, open and ours.
fn claimed(raw: &DynamicObject, expiry: i64) -> BreakglassAccess {
    let mut claim = claim("uid-1", 0, expiry);
    if let Ok(asked) = &view(raw).asked {
        claim.spec_hash = asked.hash();
    }
    let mut spec = ledger(vec![claim]);
    spec.state = AccessState::Open;
    spec.origin = Some(Origin::Created);
    access(spec)
}

fn decision(raw: &DynamicObject, access: Option<&BreakglassAccess>, now: i64) -> Decision {
    let protected = Protected {
        management: Management::Account("999999999999".into()),
        ..Protected::default()
    };
    decide(
        &view(raw),
        Standing::in_access(access, "uid-1"),
        &policies(),
        &protected,
        at(now),
        &Settings::default(),
    )
}

fn told(
    raw: &DynamicObject,
    access: Option<&BreakglassAccess>,
    ruling: Option<&Ruling>,
    now: i64,
) -> BreakglassGrantStatus {
    told_with(raw, access, ruling, None, now)
}

fn told_with(
    raw: &DynamicObject,
    access: Option<&BreakglassAccess>,
    ruling: Option<&Ruling>,
    obstacle: Option<&Obstacle>,
    now: i64,
) -> BreakglassGrantStatus {
    let view = view(raw);
    status(&Facts {
        view: &view,
        standing: Standing::in_access(access, "uid-1"),
        ruling,
        obstacle,
        observe: false,
        request_waits: false,
        now: at(now),
        settings: &Settings::default(),
    })
}

fn condition<'a>(status: &'a BreakglassGrantStatus, kind: &str) -> Option<&'a Condition> {
    conditions::find(&status.conditions, kind)
}

/// state, Ready, its reason, Reconciling, Stalled, Granted
fn row(status: &BreakglassGrantStatus) -> (GrantState, bool, &str, bool, bool, bool) {
    let is = |kind| condition(status, kind).is_some_and(|c| c.status == ConditionStatus::True);
    let ready = condition(status, conditions::READY).unwrap();
    assert!(
        condition(status, conditions::GRANTED).is_some(),
        "kubectl wait needs Granted always"
    );
    (
        status.state,
        is(conditions::READY),
        &ready.reason,
        is(conditions::RECONCILING),
        is(conditions::STALLED),
        is(conditions::GRANTED),
    )
}

#[test]
fn an_admitted_grant_is_claimed_and_one_that_is_over_never() {
    assert!(matches!(
        decision(&raw_grant(spec(100)), None, 1).next,
        Next::Claim(_)
    ));
    assert_eq!(
        decision(&raw_grant(spec(100)), None, 100).next,
        Next::Nothing
    );
    let mut revoked = raw_grant(spec(100));
    revoked.data["spec"]["revoked"] = json!(true);
    assert_eq!(decision(&revoked, None, 1).next, Next::Nothing);
    let mut ended = raw_grant(spec(100));
    ended.data["status"] = json!({"endedTime": at(0).to_string()});
    assert_eq!(decision(&ended, None, 1).next, Next::Nothing);
    let mut too_long = raw_grant(spec(3_601));
    assert_eq!(decision(&too_long, None, 1).next, Next::Nothing);
    too_long.data["spec"]["expiryTime"] = json!(at(3_600).to_string());
    assert!(matches!(decision(&too_long, None, 1).next, Next::Claim(_)));
}

#[test]
fn a_scheduled_grant_is_claimed_a_minute_ahead_and_not_earlier() {
    let mut raw = raw_grant(spec(1_000));
    raw.data["spec"]["startTime"] = json!(at(500).to_string());
    assert_eq!(decision(&raw, None, 439).next, Next::Nothing);
    assert!(matches!(decision(&raw, None, 440).next, Next::Claim(_)));
    let early = decision(&raw, None, 1);
    let status = told(&raw, None, early.ruling.as_ref(), 1);
    assert_eq!(
        row(&status),
        (
            GrantState::Scheduled,
            true,
            "Scheduled",
            false,
            false,
            false
        )
    );
    assert_eq!(status.policy.as_deref(), Some("oncall"));
}

#[test]
fn expiry_moves_earlier_always_and_later_only_by_policy() {
    let raw = raw_grant(spec(50));
    assert_eq!(
        decision(&raw, Some(&claimed(&raw, 100)), 1).next,
        Next::MoveExpiry(at(50))
    );
    let raw = raw_grant(spec(3_600));
    assert!(
        matches!(decision(&raw, Some(&claimed(&raw, 100)), 1).next, Next::MoveExpiry(to) if to == at(3_600))
    );
    let raw = raw_grant(spec(3_601));
    let mut access = claimed(&raw, 100);
    let decision = decision(&raw, Some(&access), 1);
    assert_eq!(decision.next, Next::Nothing);
    shown(&mut access.spec.claims[0], 1);
    let status = told(&raw, Some(&access), decision.ruling.as_ref(), 1);
    assert_eq!(
        row(&status),
        (GrantState::Active, true, "Active", false, false, true)
    );
    let message = &condition(&status, conditions::READY).unwrap().message;
    assert!(
        message.contains("the old end stands") && message.contains("add a second grant"),
        "{message}"
    );
}

#[expect(clippy::too_many_lines, reason = "one life, row by row of the table")]
#[test]
fn the_table_of_conditions_holds() {
    let raw = raw_grant(spec(100));
    // Denied by policy.
    let denied = Ruling::Denied {
        reason: "NoPolicyAdmits",
        message: "no".into(),
    };
    assert_eq!(
        row(&told(&raw, None, Some(&denied), 1)),
        (
            GrantState::Denied,
            false,
            "NoPolicyAdmits",
            false,
            true,
            false
        )
    );
    // A person must act.
    let obstacle = |stalled| Obstacle {
        reason: "UserNotFound".into(),
        message: "m".into(),
        stalled,
        retry: Some(at(9)),
    };
    let status = told_with(&raw, None, None, Some(&obstacle(true)), 1);
    assert_eq!(
        row(&status),
        (
            GrantState::Pending,
            false,
            "UserNotFound",
            false,
            true,
            false
        )
    );
    assert_eq!(status.next_attempt_time, Some(at(9)));
    // AWS is slow.
    let status = told_with(&raw, None, None, Some(&obstacle(false)), 1);
    assert_eq!(
        row(&status),
        (
            GrantState::Pending,
            false,
            "UserNotFound",
            true,
            false,
            false
        )
    );
    // Claimed, not active yet.
    let mut access = claimed(&raw, 100);
    assert_eq!(
        row(&told(&raw, Some(&access), None, 1)),
        (GrantState::Granting, false, "Granting", true, false, false)
    );
    // Active.
    shown(&mut access.spec.claims[0], 1);
    assert_eq!(
        row(&told(&raw, Some(&access), None, 2)),
        (GrantState::Active, true, "Active", false, false, true)
    );
    // Must end, and is not gone.
    assert_eq!(
        row(&told(&raw, Some(&access), None, 100)),
        (GrantState::Revoking, false, "Expired", true, false, true)
    );
    end(
        &mut access.spec,
        &[("uid-1".into(), EndReason::Expired)],
        at(100),
    );
    let status = told(&raw, Some(&access), None, 101);
    assert_eq!(
        row(&status),
        (GrantState::Revoking, false, "Expired", true, false, true)
    );
    assert_eq!(
        status.ended_time, None,
        "an end is told when nothing is left"
    );
    // AWS refuses us meanwhile.
    let mut refused = access.clone();
    let stalled = Condition {
        kind: conditions::STALLED.into(),
        status: ConditionStatus::True,
        reason: "AccessDenied".into(),
        message: "m".into(),
        last_transition_time: at(0),
        observed_generation: None,
    };
    refused.status = Some(BreakglassAccessStatus {
        conditions: vec![stalled],
        ..Default::default()
    });
    assert_eq!(
        row(&told(&raw, Some(&refused), None, 101)),
        (GrantState::Revoking, false, "Expired", true, true, true)
    );
    // Overdue.
    let status = told(&raw, Some(&access), None, 100 + 301);
    assert!(condition(&status, conditions::REVOKE_OVERDUE).is_some());
    // Gone.
    access.spec.state = AccessState::Settling;
    access.spec.first_absent_time = Some(at(102));
    let status = told(&raw, Some(&access), None, 103);
    assert_eq!(
        row(&status),
        (GrantState::Expired, true, "Expired", false, false, false)
    );
    assert_eq!(status.ended_time, Some(at(100)));
    assert_eq!(status.revoked_time, Some(at(102)), "as it was seen");
    // Past, and never claimed: no end is recorded, a corrected expiry is asked anew.
    let status = told(&raw, None, None, 100);
    assert_eq!(
        row(&status),
        (GrantState::Expired, true, "Expired", false, false, false)
    );
    assert_eq!(status.ended_time, None);
}

#[test]
fn terminal_stays_terminal_whatever_happens_to_the_tuple_later() {
    let mut raw = raw_grant(spec(100));
    let mut access = claimed(&raw, 100);
    end(
        &mut access.spec,
        &[("uid-1".into(), EndReason::Expired)],
        at(100),
    );
    access.spec.claims.push(claim("uid-2", 0, 200));
    let covered = told(&raw, Some(&access), None, 101);
    assert_eq!(covered.state, GrantState::Expired);
    raw.data["status"] = serde_json::to_value(&covered).unwrap();
    end(
        &mut access.spec,
        &[("uid-2".into(), EndReason::Expired)],
        at(200),
    );
    let later = told(&raw, Some(&access), None, 201);
    assert_eq!(
        row(&later),
        row(&covered),
        "the other grant's end is not ours"
    );
    assert_eq!(
        (later.ended_time, later.revoked_time),
        (covered.ended_time, covered.revoked_time)
    );
}

#[test]
fn an_edit_after_the_end_has_no_effect_and_says_so() {
    let mut raw = raw_grant(spec(100));
    let mut access = claimed(&raw, 100);
    end(
        &mut access.spec,
        &[("uid-1".into(), EndReason::Expired)],
        at(100),
    );
    access.spec.state = AccessState::Closed;
    raw.data["spec"]["expiryTime"] = json!(at(500).to_string());
    assert_eq!(decision(&raw, Some(&access), 101).next, Next::Nothing);
    let status = told(&raw, Some(&access), None, 101);
    assert_eq!(
        row(&status),
        (
            GrantState::Expired,
            false,
            "EditedAfterEnd",
            false,
            true,
            false
        )
    );
}

#[test]
fn a_changed_target_ends_a_claimed_grant_and_asks_for_a_new_name() {
    let mut raw = raw_grant(spec(100));
    let mut access = claimed(&raw, 100);
    raw.data["spec"]["user"] = json!("bob");
    assert_eq!(
        row(&told(&raw, Some(&access), None, 1)),
        (
            GrantState::Revoking,
            false,
            "TargetChanged",
            true,
            false,
            false
        )
    );
    end(
        &mut access.spec,
        &[("uid-1".into(), EndReason::TargetChanged)],
        at(1),
    );
    access.spec.state = AccessState::Closed;
    assert_eq!(
        row(&told(&raw, Some(&access), None, 2)),
        (
            GrantState::Revoked,
            false,
            "TargetChanged",
            false,
            true,
            false
        )
    );
}

#[test]
fn the_finalizer_goes_when_nothing_is_left_and_at_the_latest_after_its_bound() {
    let mut raw = raw_grant(spec(100));
    raw.metadata.finalizers = Some(vec![crate::api::FINALIZER.into()]);
    let mut access = claimed(&raw, 100);
    end(
        &mut access.spec,
        &[("uid-1".into(), EndReason::Expired)],
        at(100),
    );
    assert_eq!(decision(&raw, Some(&access), 101).next, Next::Nothing);
    assert_eq!(decision(&raw, Some(&access), 400).next, Next::Release);
    // AWS may have been without it before, and have it again.
    access.spec.state = AccessState::Settling;
    access.spec.first_absent_time = Some(at(99));
    assert_eq!(decision(&raw, Some(&access), 101).next, Next::Nothing);
    access.spec.first_absent_time = Some(at(100));
    assert_eq!(decision(&raw, Some(&access), 101).next, Next::Release);
    access.spec.state = AccessState::Closed;
    assert_eq!(decision(&raw, Some(&access), 101).next, Next::Release);
}

#[test]
fn a_spec_that_no_longer_parses_keeps_its_claim_to_the_end_and_no_longer() {
    let raw = raw_grant(json!({"user": 7}));
    let mut access = claimed(&raw, 100);
    shown(&mut access.spec.claims[0], 1);
    assert_eq!(
        row(&told(&raw, Some(&access), None, 2)),
        (GrantState::Active, false, "InvalidSpec", false, true, true)
    );
    assert_eq!(
        row(&told(&raw, Some(&access), None, 100)).0,
        GrantState::Revoking
    );
}

#[test]
fn what_stood_before_is_said_to_stay() {
    let raw = raw_grant(spec(100));
    let mut access = claimed(&raw, 100);
    access.spec.origin = Some(Origin::PreExisting);
    shown(&mut access.spec.claims[0], 1);
    access.spec.longest_session_seconds = Some(3_600);
    let active = told(&raw, Some(&access), None, 2);
    assert!(condition(&active, conditions::ALREADY_PRESENT).is_some());
    assert_eq!(active.sessions_end_by_time, None);
    end(
        &mut access.spec,
        &[("uid-1".into(), EndReason::Expired)],
        at(100),
    );
    // Also when the ledger has been closed, and another grant has come since.
    let mut closed = access.clone();
    closed.spec.state = AccessState::Closed;
    closed.spec.origin = None;
    closed.spec.ended[0].settled = true;
    let mut anothers = closed.clone();
    anothers.spec.claims.push(claim("uid-2", 0, 900));
    for access in [access, closed, anothers] {
        let status = told(&raw, Some(&access), None, 101);
        assert_eq!(status.state, GrantState::Expired);
        let ready = condition(&status, conditions::READY).unwrap();
        assert!(ready.message.contains("left as it was"), "{ready:?}");
        assert_eq!(status.sessions_end_by_time, None);
    }
}

#[test]
fn what_was_given_and_went_before_the_end_is_told_as_given() {
    for (origin, what) in [
        (Some(Origin::Created), "the access is gone"),
        // It stood before, its group was deleted, and the ledger was closed.
        (None, "left as it was"),
    ] {
        let raw = raw_grant(spec(100));
        let mut access = claimed(&raw, 100);
        shown(&mut access.spec.claims[0], 1);
        access.spec.claims[0].active_time = None;
        access.spec.origin = origin;
        end(
            &mut access.spec,
            &[("uid-1".into(), EndReason::Expired)],
            at(100),
        );
        access.spec.state = AccessState::Closed;
        access.spec.ended[0].gone(at(101), None);
        access.spec.ended[0].settled = true;
        let status = told(&raw, Some(&access), None, 102);
        let ready = condition(&status, conditions::READY).unwrap();
        assert!(ready.message.contains(what), "{ready:?}");
        assert_eq!(status.granted_time, Some(at(1)), "{what}");
        assert_eq!(status.revoked_time, Some(at(101)), "{what}");
    }
}

#[test]
fn a_grant_whose_ledger_entry_is_lost_does_not_say_that_it_was_never_given() {
    let mut raw = raw_grant(spec(100));
    raw.data["status"] = json!({"grantedTime": at(1).to_string()});
    let status = told(&raw, None, None, 101);
    assert_eq!(
        row(&status),
        (GrantState::Expired, false, "LedgerLost", false, true, false)
    );
    let ready = condition(&status, conditions::READY).unwrap();
    assert!(ready.message.contains("look in AWS"), "{ready:?}");
}

#[test]
fn sessions_are_said_to_end_after_the_access() {
    let raw = raw_grant(spec(100));
    let mut access = claimed(&raw, 100);
    shown(&mut access.spec.claims[0], 1);
    // An assignment, a group of Identity Center, a group of IAM. AWS has a limit where nothing is known.
    for (kind, longest, hours) in [
        (0, Some(3_600), 2),
        (0, None, 13),
        (1, Some(43_200), 14),
        (2, Some(43_200), 12),
    ] {
        access.spec.tuple = some_tuple(kind, "x");
        access.spec.longest_session_seconds = longest;
        assert_eq!(
            told(&raw, Some(&access), None, 2).sessions_end_by_time,
            Some(at(100 + hours * 3_600).to_string())
        );
    }
}

/// While the access is there somebody may begin a session, whatever the hour.
#[test]
fn sessions_are_said_to_end_after_a_late_removal() {
    let mut raw = raw_grant(spec(100));
    let mut access = claimed(&raw, 100);
    access.spec.longest_session_seconds = Some(3_600);
    shown(&mut access.spec.claims[0], 1);
    end(
        &mut access.spec,
        &[("uid-1".into(), EndReason::Expired)],
        at(100),
    );
    let revoking = told(&raw, Some(&access), None, 101).sessions_end_by_time;
    assert_eq!(revoking, Some(at(100 + 3_600).to_string()));
    let overdue = told(&raw, Some(&access), None, 100 + 300).sessions_end_by_time;
    assert_eq!(overdue.as_deref(), Some("unknown"));
    access.spec.state = AccessState::Settling;
    access.spec.first_absent_time = Some(at(900));
    let told_late = told(&raw, Some(&access), None, 901);
    assert_eq!(told_late.revoked_time, Some(at(900)));
    let until = Some(at(900 + 3_600).to_string());
    assert_eq!(told_late.sessions_end_by_time, until);
    raw.data["status"] = serde_json::to_value(&told_late).unwrap();
    let again = told(&raw, Some(&access), None, 2_000);
    assert_eq!(again.sessions_end_by_time, until);
    // An old copy had shown nothing: it was there once more.
    access.spec.first_absent_time = None;
    let again = told(&raw, Some(&access), None, 2_050);
    assert_eq!(again.state, GrantState::Expired, "what was told stays told");
    assert_eq!(again.sessions_end_by_time.as_deref(), Some("unknown"));
    assert!(condition(&again, conditions::REVOKE_OVERDUE).is_some());
    let ready = condition(&again, conditions::READY).unwrap();
    assert!(ready.message.contains("once more"), "{}", ready.message);
    access.spec.first_absent_time = Some(at(2_100));
    let later = told(&raw, Some(&access), None, 2_101);
    assert_eq!(later.revoked_time, Some(at(2_100)));
    let until = Some(at(2_100 + 3_600).to_string());
    assert_eq!(later.sessions_end_by_time, until);
}

/// Where the ledger can't be written nothing books the end.
#[test]
fn a_claim_that_is_past_its_end_is_overdue_too() {
    let raw = raw_grant(spec(100));
    let access = claimed(&raw, 100);
    let late = told(&raw, Some(&access), None, 100 + 300);
    assert_eq!(late.state, GrantState::Revoking);
    assert!(condition(&late, conditions::REVOKE_OVERDUE).is_some());
    assert_eq!(late.sessions_end_by_time.as_deref(), Some("unknown"));
    let standing = Standing::in_access(Some(&access), "uid-1");
    let wake = |now| next_wake(&view(&raw), standing, at(now), &Settings::default());
    assert_eq!(wake(101), Some(at(100 + 300)));
    // The answer to the Create was lost: it may be there.
    let due = told(&raw, Some(&access), None, 2);
    assert_eq!(
        due.sessions_end_by_time,
        Some(at(100 + 12 * 3_600).to_string())
    );
}

/// What another grant had of the same access later is that one's business.
#[test]
fn sessions_of_a_grant_do_not_last_longer_because_another_ends_later() {
    let mut raw = raw_grant(spec(100));
    let mut access = claimed(&raw, 100);
    shown(&mut access.spec.claims[0], 1);
    let mut other = claim("uid-2", 0, 500);
    shown(&mut other, 1);
    access.spec.claims.push(other);
    access.spec.longest_session_seconds = Some(3_600);
    end(
        &mut access.spec,
        &[("uid-1".into(), EndReason::Expired)],
        at(100),
    );
    let covered = told(&raw, Some(&access), None, 101);
    assert_eq!(covered.revoked_time, Some(at(100)));
    raw.data["status"] = serde_json::to_value(&covered).unwrap();
    // An old copy does not show what the other still has.
    access.spec.first_absent_time = Some(at(400));
    assert_eq!(told(&raw, Some(&access), None, 401), covered);
    end(
        &mut access.spec,
        &[("uid-2".into(), EndReason::Expired)],
        at(500),
    );
    access.spec.state = AccessState::Settling;
    access.spec.first_absent_time = Some(at(502));
    let times =
        |status: &BreakglassGrantStatus| (status.revoked_time, status.sessions_end_by_time.clone());
    let then = told(&raw, Some(&access), None, 503);
    assert_eq!(times(&then), times(&covered));
    // Closed, and opened and taken away again since, with longer sessions.
    access.spec.longest_session_seconds = Some(43_200);
    access.spec.ended.retain(|ended| ended.uid == "uid-1");
    access.spec.ended[0].settled = true;
    access.spec.first_absent_time = Some(at(9_000));
    // Nor do they move when somebody has wiped the status, or written what he likes.
    for status in [
        serde_json::to_value(&covered).unwrap(),
        json!({}),
        json!({"revokedTime": at(90_000).to_string()}),
    ] {
        raw.data["status"] = status;
        let then = told(&raw, Some(&access), None, 9_001);
        assert_eq!(times(&then), times(&covered));
    }
}

/// The answer to a Create may be lost, and its effect come when the grant has ended.
#[test]
fn what_aws_was_asked_for_is_not_said_to_have_never_been_given() {
    let raw = raw_grant(spec(100));
    let mut access = claimed(&raw, 100);
    access.spec.longest_session_seconds = Some(3_600);
    let mut untouched = access.clone();
    untouched.spec.origin = None;
    // What was given then was given for another.
    let mut scheduled = access.clone();
    scheduled.spec.claims[0].start_time = at(150);
    let mut seen = access.clone();
    shown(&mut seen.spec.claims[0], 1);
    for (access, message, sessions) in [
        (&mut access, "was never seen in AWS", Some(at(101 + 3_600))),
        (&mut seen, "the access is gone", Some(at(101 + 3_600))),
        (&mut untouched, "the access was never given", None),
        (&mut scheduled, "the access was never given", None),
    ] {
        end(
            &mut access.spec,
            &[("uid-1".into(), EndReason::RevokedByRequest)],
            at(100),
        );
        access.spec.state = AccessState::Closed;
        // A grant that comes later changes nothing.
        access.spec.ended[0].settled = true;
        access.spec.claims.push(claim("uid-2", 0, 900));
        access.spec.ended[0].gone(at(101), Some(3_600));
        let status = told(&raw, Some(access), None, 101);
        assert_eq!(status.granted_time, access.spec.ended[0].active_time);
        assert_eq!(status.revoked_time, sessions.map(|_| at(101)));
        let until = sessions.map(|until| until.to_string());
        assert_eq!(status.sessions_end_by_time, until);
        let ready = condition(&status, conditions::READY).unwrap();
        assert!(ready.message.contains(message), "{}", ready.message);
    }
}

/// Whoever may write a status must not be able to keep access, nor to end it: save that an end is final.
#[test]
fn what_a_status_says_decides_nothing_but_an_end() {
    let mut raw = raw_grant(spec(100));
    let mut access = claimed(&raw, 100);
    shown(&mut access.spec.claims[0], 1);
    for (status, wanted) in [
        (json!({}), Evidence::Stands(at(100))),
        (json!({"state": "Revoked"}), Evidence::Stands(at(100))),
        (json!({"accessName": "iam-2"}), Evidence::Stands(at(100))),
        (
            json!({"endedTime": at(5).to_string()}),
            Evidence::Ends(EndReason::EndedBefore),
        ),
    ] {
        raw.data["status"] = status.clone();
        let lookup = Lookup::Found(Box::new(view(&raw)));
        let claim = &access.spec.claims[0];
        let found = evidence(claim, &lookup, &PolicySet::default(), &access.spec.tuple);
        assert_eq!(found, wanted, "{status}");
    }
}

/// People and entitlements are renamed, and the entry has one name for all its claims.
#[test]
fn a_deny_policy_is_asked_by_the_names_that_the_grant_itself_gives() {
    let raw = raw_grant(spec(100));
    let mut access = claimed(&raw, 100);
    for (named, denied, wanted) in [
        ("alice", "alice", Evidence::Ends(EndReason::DeniedByPolicy)),
        ("alice", "alicia", Evidence::Stands(at(100))),
        ("alicia", "alice", Evidence::Ends(EndReason::DeniedByPolicy)),
        ("alicia", "alicia", Evidence::Stands(at(100))),
    ] {
        let mut tuple = tuple();
        if let Tuple::IamGroup(group) = &mut tuple {
            named.clone_into(&mut group.user);
        }
        access.spec.rename(tuple);
        let deny = json!({"effect": "Deny", "namespaces": ["*"], "rules": [{"users": [denied]}]});
        let policies = PolicySet::parse(&[raw_policy("deny", deny)]);
        let lookup = Lookup::Found(Box::new(view(&raw)));
        let claim = &access.spec.claims[0];
        let found = evidence(claim, &lookup, &policies, &access.spec.tuple);
        assert_eq!(found, wanted, "{named} in the ledger, {denied} denied");
    }
}

#[test]
fn an_unchanged_status_is_not_a_new_one() {
    let mut raw = raw_grant(spec(100));
    let mut access = claimed(&raw, 100);
    shown(&mut access.spec.claims[0], 1);
    let first = told(&raw, Some(&access), None, 2);
    raw.data["status"] = serde_json::to_value(&first).unwrap();
    assert_eq!(told(&raw, Some(&access), None, 50), first);
}
