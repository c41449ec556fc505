//! What others give stays theirs, and what others take is put back or let go as the policy says.

use serde_json::json;

use crate::support::cloud::SHIPPING;
use crate::support::entitlement::Kind;
use crate::support::live_grant::condition;
use crate::support::scenario::{assignment, group, iam_group};
use crate::support::{Access, Grant, LiveGrant, Scenario, Setup, World, eventually, now, seconds};

type Make = fn(&Scenario<'_>) -> Access;

fn access_that_stood_before(make: Make) {
    let scenario = Scenario::new(World::shared(), "pre-existing");
    let access = make(&scenario);
    scenario.given_by_others(&access);
    let grant = scenario.apply(&Grant::of(&access).expires_in(seconds(14)));
    grant.wait_until_given();
    grant.wait_for_condition("AlreadyPresent", "StoodBefore");
    assert!(
        grant.message().contains("stood before this grant"),
        "{}",
        grant.message()
    );

    grant.wait_for_state("Expired");
    grant.assert_in_aws(true);
    assert_eq!(grant.row()["STATE"], "Expired");
    assert!(scenario.writes_of(&access).is_empty(), "{}", grant.report());
}

#[test]
fn an_assignment_that_stood_before_a_grant_survives_it() {
    access_that_stood_before(assignment);
}

#[test]
fn an_identity_center_membership_that_stood_before_a_grant_survives_it() {
    access_that_stood_before(group);
}

#[test]
fn an_iam_membership_that_stood_before_a_grant_survives_it() {
    access_that_stood_before(iam_group);
}

fn access_that_stood_before_and_was_removed(make: Make) {
    let scenario = Scenario::new(World::shared(), "taken-over");
    let access = make(&scenario);
    scenario.given_by_others(&access);
    let grant = scenario.apply(&Grant::of(&access).expires_in(seconds(25)));
    grant.wait_until_given();
    scenario.taken_by_others(&access);
    grant.wait_in_aws(true);
    grant.wait("it is given by us now", |found| {
        found["status"]["state"] == "Active" && condition(found, "AlreadyPresent").is_none()
    });
    assert_eq!(scenario.creates_of(&access), 1, "{}", grant.report());
    assert_eq!(grant.ledger().unwrap()["spec"]["origin"], "Created");
    grant.wait_until_taken("Expired");
}

#[test]
fn a_pre_existing_assignment_removed_by_hand_comes_back_as_ours_and_ends() {
    access_that_stood_before_and_was_removed(assignment);
}

#[test]
fn a_pre_existing_membership_removed_by_hand_comes_back_as_ours_and_ends() {
    access_that_stood_before_and_was_removed(iam_group);
}

#[test]
fn a_pre_existing_access_removed_by_hand_ends_the_grant_where_the_policy_says_so() {
    let scenario = Scenario::without_policy(World::shared(), "given-up");
    scenario.policy("end", json!({"onExternalRemoval": "End"}));
    let access = scenario.assignment();
    scenario.given_by_others(&access);
    let grant = scenario.apply(&Grant::of(&access));
    grant.wait_until_given();
    scenario.taken_by_others(&access);
    ended_by_removal(&grant);
    assert!(scenario.writes_of(&access).is_empty(), "{}", grant.report());
}

fn ended_by_removal(grant: &LiveGrant<'_>) {
    grant.wait_until_taken("Revoked");
    let ready = grant.condition("Ready").unwrap();
    assert_eq!(ready["reason"], "RemovedExternally", "{}", grant.report());
    assert_eq!(grant.row()["STATE"], "Revoked");
}

fn active_access_removed_by_hand_is_restored(make: Make) {
    let scenario = Scenario::new(World::shared(), "restored");
    let access = make(&scenario);
    let grant = scenario.apply(&Grant::of(&access).expires_in(seconds(20)));
    grant.wait_until_given();
    scenario.world.aws().take(&access);
    grant.wait_in_aws(true);
    grant.wait_until_given();
    assert_eq!(scenario.creates_of(&access), 2, "{}", grant.report());
    grant.wait_until_taken("Expired");
}

#[test]
fn an_active_assignment_removed_by_hand_is_given_again() {
    active_access_removed_by_hand_is_restored(assignment);
}

#[test]
fn an_active_identity_center_membership_removed_by_hand_is_given_again() {
    active_access_removed_by_hand_is_restored(group);
}

#[test]
fn an_active_iam_membership_removed_by_hand_is_given_again() {
    active_access_removed_by_hand_is_restored(iam_group);
}

/// Between two of the regular comparisons with AWS a person can ask for one.
#[test]
fn a_request_for_another_look_restores_what_was_removed_by_hand() {
    let world = World::own(Setup::default().setting("driftInterval", "10m"));
    let scenario = Scenario::new(&world, "asked-to-look");
    for (number, access) in [
        scenario.assignment(),
        scenario.group(),
        scenario.iam_group(),
    ]
    .iter()
    .enumerate()
    {
        let grant = scenario.apply(&Grant::of(access).named(&format!("grant-{number}")));
        grant.wait_until_given();
        world.aws().take(access);
        grant.annotate("breakglass.dev/requestedAt", &now().to_string());
        grant.wait_in_aws(true);
        grant.wait_until_given();
    }
}

#[test]
fn active_access_removed_by_hand_ends_the_grant_where_the_policy_says_so() {
    let scenario = Scenario::without_policy(World::shared(), "removal-ends");
    scenario.policy("end", json!({"onExternalRemoval": "End"}));
    let access = scenario.assignment();
    let grant = scenario.apply(&Grant::of(&access));
    grant.wait_until_given();
    scenario.world.aws().take(&access);
    ended_by_removal(&grant);
    assert_eq!(scenario.creates_of(&access), 1, "{}", grant.report());
}

/// From Created to Closed an access counts as ours; after that it is whoever's gave it.
fn access_given_after_the_end(make: Make) {
    let scenario = Scenario::new(World::shared(), "given-later");
    let access = make(&scenario);
    let grant = scenario.apply(&Grant::of(&access));
    grant.wait_until_given();
    grant.revoke();
    grant.wait_until_taken("Revoked");
    eventually("the ledger closes", || {
        grant
            .ledger()
            .is_none_or(|ledger| ledger["spec"]["state"] == "Closed")
    });
    let deletes = scenario.deletes_of(&access);

    scenario.given_by_others(&access);
    let request = now().to_string();
    grant.annotate("breakglass.dev/requestedAt", &request);
    grant.wait("the request for another look is answered", |found| {
        found["status"]["lastHandledRequest"] == request
    });
    let other = scenario.apply(&Grant::of(&access).named("other").expires_in(seconds(14)));
    other.wait_for_condition("AlreadyPresent", "StoodBefore");
    other.wait_for_state("Expired");
    grant.assert_in_aws(true);
    assert_eq!(scenario.deletes_of(&access), deletes, "{}", grant.report());
}

#[test]
fn an_assignment_that_an_administrator_gives_after_the_end_survives() {
    access_given_after_the_end(assignment);
}

#[test]
fn an_iam_membership_that_an_administrator_gives_after_the_end_survives() {
    access_given_after_the_end(iam_group);
}

/// A permission set in one account says nothing about another account, nor about the next person.
#[test]
fn access_that_only_looks_alike_is_left_alone() {
    let scenario = Scenario::new(World::shared(), "look-alikes");
    let access = scenario.assignment();
    let elsewhere = scenario.track(Access {
        kind: Kind::Assignment {
            account: SHIPPING.to_owned(),
            set: access.name().to_owned(),
        },
        ..access.clone()
    });
    let somebody = scenario.for_another_user(&access);
    scenario.given_by_others(&elsewhere);
    scenario.given_by_others(&somebody);
    let grant = scenario.apply(&Grant::of(&access));
    grant.wait_until_given();
    grant.delete();
    grant.wait_until_gone();
    grant.assert_in_aws(false);
}
