//! Names are re-used; ids are not. A grant belongs to the ids that its names had when it was claimed.

use aws_simulator::Change;

use crate::support::cloud::{PRODUCTION, STAGING};
use crate::support::entitlement::Kind;
use crate::support::scenario::{assignment, group, iam_group};
use crate::support::{Access, Grant, Scenario, World, eventually, seconds};

/// Re-creates something that an active grant names, and checks that the new one gets nothing.
fn identity_changed(theme: &str, make: fn(&Scenario<'_>) -> Access, change: fn(&Access) -> Change) {
    let scenario = Scenario::new(World::shared(), theme);
    let access = make(&scenario);
    let grant = scenario.apply(&Grant::of(&access).expires_in(seconds(20)));
    grant.wait_until_given();
    let creates = scenario.creates_of(&access);
    let id = scenario.world.aws().change(&change(&access));
    grant.wait_for_condition("Stalled", "IdentityChanged");
    assert_eq!(grant.condition("Ready").unwrap()["status"], "False");

    // The one that bears the name now.
    let mut successor = access.clone();
    match (&change(&access), &access.kind) {
        (Change::RecreateUser { .. } | Change::RecreateIamUser { .. }, _) => successor.user_id = id,
        _ => successor.entitlement_id = id,
    }
    scenario.track(successor.clone());
    assert!(!scenario.world.cloud.has(&successor), "{}", grant.report());
    grant.wait_for_state("Expired");
    assert_eq!(grant.row()["STATE"], "Expired");
    assert!(!scenario.world.cloud.has(&successor), "{}", grant.report());
    assert_eq!(scenario.creates_of(&access), creates, "{}", grant.report());
}

#[test]
fn a_permission_set_made_again_under_the_same_name_is_not_given() {
    identity_changed("other-set", assignment, |access| {
        Change::RecreatePermissionSet {
            permission_set: access.entitlement_id.clone(),
        }
    });
}

#[test]
fn a_user_made_again_under_the_same_name_gets_nothing() {
    identity_changed("other-user-id", group, |access| Change::RecreateUser {
        user: access.user.clone(),
    });
}

#[test]
fn a_group_made_again_under_the_same_name_is_not_given() {
    identity_changed("other-group-id", group, |access| Change::RecreateGroup {
        group: access.entitlement_id.clone(),
    });
}

#[test]
fn an_iam_user_made_again_under_the_same_name_gets_nothing() {
    identity_changed("other-iam-user", iam_group, |access| {
        Change::RecreateIamUser {
            account: PRODUCTION.to_owned(),
            user: access.user.clone(),
        }
    });
}

/// IAM goes by name: a successor who was given the same membership by others keeps it.
#[test]
fn the_membership_of_a_successor_with_the_same_name_is_left_alone() {
    let scenario = Scenario::new(World::shared(), "successor");
    let access = scenario.iam_group();
    let grant = scenario.apply(&Grant::of(&access).expires_in(seconds(15)));
    grant.wait_until_given();
    scenario.world.aws().change(&Change::RecreateIamUser {
        account: PRODUCTION.to_owned(),
        user: access.user.clone(),
    });
    scenario.given_by_others(&access);
    grant.wait_for_condition("Stalled", "IdentityChanged");
    grant.wait_for_state("Expired");
    grant.assert_in_aws(true);
}

/// Access of a user who was deleted is gone; the grant ends as if it had been taken.
#[test]
fn a_deleted_user_holds_up_no_end() {
    let scenario = Scenario::new(World::shared(), "deleted-user");
    let access = scenario.group();
    let grant = scenario.apply(&Grant::of(&access));
    grant.wait_until_given();
    scenario.world.aws().change(&Change::DeleteUser {
        user: access.user.clone(),
    });
    grant.delete();
    grant.wait_until_gone();
    eventually("the ledger entry goes", || {
        let rows = scenario
            .world
            .kubectl(&["get", "breakglassaccesses", "--no-headers"]);
        !rows.contains(&access.user)
    });
}

#[test]
fn the_same_user_name_in_two_accounts_is_two_people() {
    let scenario = Scenario::new(World::shared(), "namesakes");
    let in_production = scenario.iam_group_in(PRODUCTION);
    let Kind::IamGroup { name, .. } = &in_production.kind else {
        unreachable!("an IAM group was asked for")
    };
    let cloud = &scenario.world.cloud;
    let in_staging = scenario.track(Access {
        user: in_production.user.clone(),
        user_id: cloud.add_iam_user(STAGING, &in_production.user),
        entitlement_id: cloud.add_iam_group(STAGING, name),
        kind: Kind::IamGroup {
            account: STAGING.to_owned(),
            name: name.clone(),
        },
    });
    let production = scenario.apply(&Grant::of(&in_production).named("production"));
    production.wait_until_given();
    assert!(!cloud.has(&in_staging));
    let staging = scenario.apply(&Grant::of(&in_staging).named("staging"));
    staging.wait_until_given();
    production.revoke();
    production.wait_until_taken("Revoked");
    staging.assert_in_aws(true);
    assert_eq!(staging.row()["TARGET"], in_staging.summary());
}
