//! What people change in a grant, before its claim, after it, and after its end.

use serde_json::json;

use crate::support::live_grant::condition;
use crate::support::time::full_second_in;
use crate::support::{Grant, Scenario, World, now, seconds};

#[test]
fn a_shorter_expiry_takes_effect_at_once() {
    let scenario = Scenario::new(World::shared(), "shorter");
    let mut grant = scenario.apply(&Grant::of(&scenario.assignment()));
    grant.wait_until_given();
    grant.move_expiry(seconds(4));
    grant.wait_until_taken("Expired");
    assert_eq!(grant.row()["EXPIRES"], grant.expiry.to_string());
    assert_eq!(scenario.creates_of(&grant.access), 1, "{}", grant.report());
}

/// The claim is lowered durably, so that an edit back up is asked for like any other extension.
#[test]
fn an_expiry_moved_into_the_past_ends_the_grant() {
    let scenario = Scenario::new(World::shared(), "cut");
    let mut grant = scenario.apply(&Grant::of(&scenario.iam_group()));
    grant.wait_until_given();
    grant.move_expiry(seconds(-30));
    grant.wait_until_taken("Expired");
}

#[test]
fn a_later_expiry_that_policy_admits_leaves_no_gap() {
    let scenario = Scenario::new(World::shared(), "longer");
    let mut grant = scenario.apply(&Grant::of(&scenario.assignment()).expires_in(seconds(15)));
    let old = grant.expiry;
    grant.wait_until_given();
    grant.move_expiry(seconds(26));
    grant.assert_in_aws_until(old + seconds(3));
    assert_eq!(grant.row()["STATE"], "Active");
    grant.wait_until_taken("Expired");
    assert!(now() >= grant.expiry);
    assert_eq!(scenario.creates_of(&grant.access), 1, "{}", grant.report());
}

#[test]
fn a_later_expiry_that_policy_denies_leaves_the_old_end() {
    let scenario = Scenario::new(World::shared(), "too-long");
    let mut grant = scenario.apply(&Grant::of(&scenario.group()).expires_in(seconds(15)));
    let old = grant.expiry;
    grant.wait_until_given();
    grant.move_expiry(seconds(100 * 3600));
    grant.wait("it is told that the old end stands", |found| {
        let ready = condition(found, "Ready");
        let message = ready
            .and_then(|ready| ready["message"].as_str())
            .unwrap_or_default();
        found["status"]["state"] == "Active"
            && message.contains("maxDuration")
            && message.contains("second grant")
    });
    grant.wait_in_aws(false);
    assert!(now() >= old, "it was taken before its old end");
    grant.wait("it is over", |found| found["status"]["state"] == "Expired");
    grant.wait_for_condition("Stalled", "EditedAfterEnd");
    grant.assert_in_aws(false);
}

/// The claim was lowered, and growing again is an extension like any other.
#[test]
fn shortening_and_extending_again_needs_a_policy() {
    let scenario = Scenario::new(World::shared(), "down-and-up");
    let mut grant = scenario.apply(&Grant::of(&scenario.assignment()));
    grant.wait_until_given();
    grant.move_expiry(seconds(20));
    let lowered = grant.expiry;
    grant.wait("the claim is lowered", |_| {
        let ledger = grant.ledger().unwrap_or_default();
        ledger["spec"]["claims"][0]["expiryTime"] == lowered.to_string()
    });
    scenario.remove_policies();
    let probe = scenario.apply(&Grant::of(&scenario.group()).named("probe"));
    probe.wait_for_state("Denied");
    let mut again = grant;
    again.move_expiry(seconds(3600));
    again.wait_in_aws(false);
    assert!(now() >= lowered);
    again.wait("it is over", |found| found["status"]["state"] == "Expired");
}

#[test]
fn an_edit_before_the_claim_corrects_the_grant() {
    let scenario = Scenario::new(World::shared(), "typo");
    let access = scenario.assignment();
    let mut mistyped = access.clone();
    mistyped.user = format!("x{}", access.user);
    let grant = scenario.apply(&Grant::of(&mistyped));
    grant.wait_for_condition("Stalled", "UserNotFound");
    assert_eq!(grant.row()["STATE"], "Pending");
    scenario.promise(&Grant::of(&access));
    grant.patch(&json!({"spec": {"user": access.user}}));
    grant.wait_until_given();
}

#[test]
fn another_user_after_the_claim_ends_the_grant() {
    let scenario = Scenario::new(World::shared(), "other-user");
    let access = scenario.assignment();
    let other = scenario.for_another_user(&access);
    let grant = scenario.apply(&Grant::of(&access));
    grant.wait_until_given();
    grant.patch(&json!({"spec": {"user": other.user}}));
    grant.wait_until_taken("Revoked");
    let stalled = grant.wait_for_condition("Stalled", "TargetChanged");
    assert_eq!(stalled["status"]["state"], "Revoked");
    assert!(
        grant.message().contains("use a new name"),
        "{}",
        grant.message()
    );
    assert_eq!(scenario.creates_of(&other), 0, "{}", grant.report());
}

#[test]
fn another_target_after_the_claim_ends_the_grant() {
    let scenario = Scenario::new(World::shared(), "other-target");
    let access = scenario.iam_group();
    let other = scenario.iam_group();
    let grant = scenario.apply(&Grant::of(&access));
    grant.wait_until_given();
    grant.patch(&json!({"spec": {"target": other.target()}}));
    grant.wait_until_taken("Revoked");
    grant.wait_for_condition("Stalled", "TargetChanged");
    assert_eq!(grant.row()["STATE"], "Revoked");
    // Changing it back has no effect.
    grant.patch(&json!({"spec": {"target": access.target()}}));
    grant.wait_until_taken("Revoked");
    assert_eq!(scenario.creates_of(&access), 1, "{}", grant.report());
}

#[test]
fn another_start_after_the_claim_ends_the_grant() {
    let scenario = Scenario::new(World::shared(), "other-start");
    let grant = scenario.apply(&Grant::of(&scenario.group()));
    grant.wait_until_given();
    let start = full_second_in(seconds(1800));
    grant.patch(&json!({"spec": {"startTime": start.to_string()}}));
    grant.wait_until_taken("Revoked");
    grant.wait_for_condition("Stalled", "TargetChanged");
}

#[test]
fn an_edit_after_the_end_is_told_and_has_no_effect() {
    let scenario = Scenario::new(World::shared(), "after-the-end");
    let mut grant = scenario.apply(&Grant::of(&scenario.assignment()).expires_in(seconds(14)));
    grant.wait_until_given();
    grant.wait_until_taken("Expired");
    grant.move_expiry(seconds(3600));
    grant.wait_for_condition("Stalled", "EditedAfterEnd");
    assert!(
        grant.message().contains("use a new name"),
        "{}",
        grant.message()
    );
    assert_eq!(grant.row()["STATE"], "Expired");
    grant.assert_in_aws(false);
    assert_eq!(scenario.creates_of(&grant.access), 1, "{}", grant.report());
}

/// What is not about who, what and when changes nothing.
#[test]
fn reason_and_ticket_may_be_edited_at_any_time() {
    let scenario = Scenario::new(World::shared(), "prose");
    let grant = scenario.apply(&Grant::of(&scenario.assignment()));
    grant.wait_until_given();
    grant.patch(&json!({"spec": {"reason": "Payments API still down", "ticket": "INC-7"}}));
    grant.wait_until_given();
    assert_eq!(
        scenario.writes_of(&grant.access).len(),
        1,
        "{}",
        grant.report()
    );
}
