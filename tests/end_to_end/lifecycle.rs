//! The main job: a grant gives access, and its end takes it away.

use jiff::SignedDuration;
use serde_json::json;

use crate::support::scenario::{assignment, group, iam_group};
use crate::support::time::wait_for;
use crate::support::{Access, Grant, Scenario, Setup, World, eventually, now, seconds};

/// From a merged grant to its expiry, for any kind of target and any AWS.
pub fn a_grant_gives_access_until_its_expiry(world: &World, access: fn(&Scenario<'_>) -> Access) {
    let scenario = Scenario::new(world, "lifecycle");
    let access = access(&scenario);
    let grant = scenario.apply(&Grant::of(&access).expires_in(seconds(14)));
    grant.wait_until_given();
    let row = grant.row();
    assert_eq!(row["USER"], access.user);
    assert_eq!(row["TARGET"], access.summary());
    assert_eq!(row["STATE"], "Active");
    assert_eq!(row["EXPIRES"], grant.expiry.to_string());
    assert_eq!(grant.condition("Granted").unwrap()["status"], "True");

    grant.wait_until_taken("Expired");
    assert!(
        now() >= grant.expiry,
        "it was called expired before its time"
    );
    assert_eq!(grant.row()["STATE"], "Expired");
    assert_eq!(grant.condition("Ready").unwrap()["status"], "True");
    assert_eq!(grant.condition("Granted").unwrap()["status"], "False");
    for field in ["grantedTime", "revokedTime", "endedTime"] {
        assert!(
            grant.field(&format!("/status/{field}")).is_string(),
            "status has no {field}"
        );
    }
}

#[test]
fn an_account_assignment_is_given_until_its_expiry() {
    a_grant_gives_access_until_its_expiry(World::shared(), assignment);
}

#[test]
fn an_identity_center_group_membership_is_given_until_its_expiry() {
    a_grant_gives_access_until_its_expiry(World::shared(), group);
}

#[test]
fn an_iam_group_membership_is_given_until_its_expiry() {
    a_grant_gives_access_until_its_expiry(World::shared(), iam_group);
}

/// The promise that people rely on: 5 seconds on an idle machine, and some more on one that runs many tests at once.
#[test]
fn the_delete_goes_out_at_the_expiry_and_not_before() {
    // Its own: in a shared one it stands in line behind what other tests have ended.
    let world = World::own(Setup::default());
    let scenario = Scenario::new(&world, "on-time");
    let grants: Vec<_> = [
        scenario.assignment(),
        scenario.group(),
        scenario.iam_group(),
    ]
    .iter()
    .enumerate()
    .map(|(number, access)| {
        let grant = Grant::of(access).named(&format!("grant-{number}"));
        scenario.apply(&grant.expires_in(seconds(14)))
    })
    .collect();
    for grant in &grants {
        grant.wait_until_given();
    }
    for grant in &grants {
        grant.wait_until_taken("Expired");
        let writes = scenario.writes_of(&grant.access);
        let delete = writes.iter().find(|write| !write.creates).unwrap();
        let late = delete.time().duration_since(grant.expiry);
        assert!(
            late >= SignedDuration::ZERO && late < seconds(10),
            "the first delete went out {late:#} after the expiry\n{}",
            grant.report()
        );
    }
}

/// Once all is as it should be, nothing more is written.
#[test]
fn access_at_rest_is_read_and_never_written() {
    let scenario = Scenario::new(World::shared(), "at-rest");
    let grant = scenario.apply(&Grant::of(&scenario.assignment()));
    grant.wait_until_given();
    let version = grant.field("/metadata/resourceVersion");
    let readings = || {
        let calls = scenario.calls_about(&[&grant.access.entitlement_id]);
        let lists = |call: &&aws_simulator::CallRecord| call.operation == "ListAccountAssignments";
        calls.iter().filter(lists).count()
    };
    let before = readings();
    eventually("AWS is compared three more times", || {
        readings() >= before + 3
    });
    assert_eq!(
        scenario.writes_of(&grant.access).len(),
        1,
        "{}",
        grant.report()
    );
    assert_eq!(
        grant.field("/metadata/resourceVersion"),
        version,
        "{}",
        grant.report()
    );
}

#[test]
fn the_status_says_until_when_sessions_may_live_on() {
    let scenario = Scenario::new(World::shared(), "sessions");
    let grant = scenario.apply(&Grant::of(&scenario.assignment()));
    grant.wait_until_given();
    // The permission set allows sessions of an hour, and a session may be chained into a role for another.
    let latest = grant.expiry + SignedDuration::from_hours(2);
    assert_eq!(grant.field("/status/sessionsEndByTime"), latest.to_string());
}

#[test]
fn a_scheduled_grant_gives_access_from_its_start() {
    let scenario = Scenario::new(World::shared(), "scheduled");
    let grant = Grant::of(&scenario.assignment());
    let grant = grant.starts_in(seconds(12)).expires_in(seconds(24));
    let start = grant.start();
    let grant = scenario.apply(&grant);
    grant.wait_for_state("Scheduled");
    grant.assert_in_aws(false);
    assert_eq!(grant.row()["STATE"], "Scheduled");
    assert!(
        grant.ledger().is_none(),
        "it is claimed long before its start"
    );
    grant.wait_until_given();
    assert!(now() >= start);
    grant.wait_until_taken("Expired");
}

#[test]
fn a_scheduled_grant_is_denied_if_no_policy_admits_it_at_its_start() {
    let scenario = Scenario::without_policy(World::shared(), "scheduled-denied");
    scenario.policy("first", json!({}));
    let grant = Grant::of(&scenario.assignment()).starts_in(seconds(12));
    let start = grant.start();
    let grant = scenario.apply(&grant);
    grant.wait_for_state("Scheduled");
    scenario.remove_policies();
    wait_for(start);
    grant.wait_for_state("Denied");
    grant.assert_in_aws(false);
    assert_eq!(scenario.creates_of(&grant.access), 0, "{}", grant.report());
}

/// A claim is made a little before the start, and until the first write nothing has happened that could not be taken back.
#[test]
fn a_claim_that_no_policy_admits_any_more_is_withdrawn_and_can_be_made_again() {
    let scenario = Scenario::without_policy(World::shared(), "withdrawn");
    scenario.policy("first", json!({}));
    let grant = Grant::of(&scenario.group()).starts_in(seconds(10));
    let start = grant.start();
    let grant = scenario.apply(&grant);
    grant.wait("it is claimed ahead of its start", |found| {
        found["status"]["accessName"].is_string()
    });
    scenario.remove_policies();
    wait_for(start);
    grant.wait_for_state("Denied");
    assert_eq!(scenario.creates_of(&grant.access), 0, "{}", grant.report());
    scenario.policy("second", json!({}));
    grant.wait_until_given();
}

#[test]
fn a_past_expiry_is_never_granted_and_can_be_corrected() {
    let scenario = Scenario::new(World::shared(), "past");
    let mut grant = scenario.apply(&Grant::of(&scenario.assignment()).expires_in(seconds(-60)));
    grant.wait_for_state("Expired");
    assert_eq!(grant.row()["STATE"], "Expired");
    assert_eq!(grant.condition("Ready").unwrap()["status"], "True");
    assert!(
        grant.field("/status/endedTime").is_null(),
        "{}",
        grant.report()
    );
    assert_eq!(scenario.creates_of(&grant.access), 0);
    grant.move_expiry(seconds(3600));
    grant.wait_until_given();
}

#[test]
fn many_grants_of_all_kinds_come_and_go_together() {
    let scenario = Scenario::new(World::shared(), "many");
    let shared = scenario.assignment();
    let mut accesses = vec![shared.clone()];
    for _ in 0..3 {
        accesses.push(scenario.for_another_user(&shared));
        accesses.push(scenario.group());
        accesses.push(scenario.iam_group());
    }
    let grants: Vec<_> = accesses
        .iter()
        .enumerate()
        .map(|(number, access)| {
            let grant = Grant::of(access).named(&format!("grant-{number}"));
            scenario.apply(&grant.expires_in(seconds(40)))
        })
        .collect();
    for grant in &grants {
        grant.wait_until_given();
    }
    for grant in &grants {
        grant.wait_until_taken("Expired");
    }
}
