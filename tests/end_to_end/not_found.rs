//! What a grant names is not there, disabled, or spelled otherwise: a person must act, and the others go on.

use aws_simulator::Change;

use crate::support::cloud::SHIPPING;
use crate::support::entitlement::Kind;
use crate::support::live_grant::condition;
use crate::support::{Access, Grant, LiveGrant, Scenario, World};

/// A grant that can't be claimed says why; one beside it is given.
fn is_stalled(scenario: &Scenario<'_>, access: &Access, reason: &str, words: &[&str]) {
    let grant = stalls(scenario, access, reason, words);
    let other = scenario.apply(&Grant::of(&scenario.assignment()).named("other"));
    other.wait_until_given();
    assert_eq!(grant.row()["STATE"], "Pending");
    assert!(
        grant.field("/status/accessName").is_null(),
        "{}",
        grant.report()
    );
}

fn stalls<'s>(
    scenario: &'s Scenario<'s>,
    access: &Access,
    reason: &str,
    words: &[&str],
) -> LiveGrant<'s> {
    let grant = scenario.apply(&Grant::of(access));
    grant.wait_for_condition("Stalled", reason);
    let message = grant.message();
    for word in words {
        assert!(message.contains(word), "{word:?} is missing in: {message}");
    }
    assert_eq!(grant.condition("Ready").unwrap()["status"], "False");
    assert_eq!(grant.condition("Granted").unwrap()["status"], "False");
    grant
}

#[test]
fn a_user_that_is_not_there_is_told_and_given_access_once_made() {
    let scenario = Scenario::new(World::shared(), "no-user");
    let mut access = scenario.assignment();
    access.user = format!("{}@example.com", scenario.unique("bob"));
    let grant = stalls(&scenario, &access, "UserNotFound", &[&access.user]);
    access.user_id = scenario.world.cloud.add_user(&access.user);
    scenario.track(access.clone());
    scenario.promise(&Grant::of(&access));
    grant.wait_for_state("Active");
    assert!(scenario.world.cloud.has(&access));
    assert_eq!(grant.row()["STATE"], "Active");
}

#[test]
fn an_iam_user_that_is_not_there_is_told() {
    let scenario = Scenario::new(World::shared(), "no-iam-user");
    let mut access = scenario.iam_group();
    access.user = "nobody".to_owned();
    is_stalled(
        &scenario,
        &access,
        "UserNotFound",
        &["nobody", scenario.world.cloud.iam_account()],
    );
}

#[test]
fn a_group_that_is_not_there_is_told() {
    let scenario = Scenario::new(World::shared(), "no-group");
    let mut access = scenario.group();
    access.kind = Kind::Group {
        name: "Imaginary".to_owned(),
    };
    is_stalled(&scenario, &access, "GroupNotFound", &["Imaginary"]);
}

#[test]
fn an_iam_group_that_is_not_there_is_told() {
    let scenario = Scenario::new(World::shared(), "no-iam-group");
    let account = scenario.world.cloud.iam_account().to_owned();
    let mut access = scenario.iam_group();
    access.kind = Kind::IamGroup {
        account,
        name: "Imaginary".to_owned(),
    };
    is_stalled(&scenario, &access, "GroupNotFound", &["Imaginary"]);
}

#[test]
fn a_permission_set_that_is_not_there_is_told_and_given_once_made() {
    let scenario = Scenario::new(World::shared(), "no-set");
    let mut access = scenario.assignment();
    let Kind::Assignment { account, .. } = access.kind else {
        unreachable!("an assignment was asked for")
    };
    let set = "Imaginary".to_owned();
    access.kind = Kind::Assignment { account, set };
    let grant = stalls(&scenario, &access, "PermissionSetNotFound", &["Imaginary"]);
    access.entitlement_id = scenario.world.cloud.add_permission_set("Imaginary");
    scenario.track(access.clone());
    scenario.promise(&Grant::of(&access));
    grant.wait_for_state("Active");
    assert!(scenario.world.cloud.has(&access));
}

#[test]
fn an_account_that_is_not_there_is_told() {
    let scenario = Scenario::new(World::shared(), "no-account");
    let access = scenario.assignment_in("101010101010");
    let grant = scenario.apply(&Grant::of(&access));
    grant.wait("a person is told which account it is", |found| {
        let stalled = condition(found, "Stalled").cloned().unwrap_or_default();
        let message = stalled["message"].as_str().unwrap_or_default();
        found["status"]["state"] == "Pending" && message.contains("101010101010")
    });
    grant.assert_in_aws(false);
    let other = scenario.apply(&Grant::of(&scenario.assignment_in(SHIPPING)).named("other"));
    other.wait_until_given();
}

#[test]
fn an_account_whose_iam_is_not_managed_is_told() {
    let scenario = Scenario::new(World::shared(), "unmanaged");
    let access = scenario.iam_group_in(SHIPPING);
    is_stalled(
        &scenario,
        &access,
        "AccountNotManaged",
        &[SHIPPING, "iamAccounts"],
    );
}

#[test]
fn a_disabled_user_is_told_and_given_access_once_enabled() {
    let scenario = Scenario::new(World::shared(), "disabled");
    let aws = scenario.world.aws();
    let access = scenario.group();
    let user = access.user.clone();
    aws.change(&Change::DisableUser { user: user.clone() });
    let grant = stalls(&scenario, &access, "UserDisabled", &[&user, "disabled"]);
    grant.assert_in_aws(false);
    aws.change(&Change::EnableUser { user });
    grant.wait_until_given();
}

/// AWS may find a name in any case; a policy that was written for one spelling must not be got around by another.
#[test]
fn a_name_in_another_case_is_told_with_the_right_spelling() {
    let scenario = Scenario::new(World::shared(), "case");
    let access = scenario.assignment();
    let mut shouted = access.clone();
    shouted.user = access.user.to_uppercase();
    is_stalled(&scenario, &shouted, "NameMismatch", &[&access.user]);
    assert_eq!(scenario.creates_of(&access), 0);
}

#[test]
fn an_iam_name_in_another_case_is_told_with_the_right_spelling() {
    let scenario = Scenario::new(World::shared(), "iam-case");
    let access = scenario.iam_group();
    let mut shouted = access.clone();
    shouted.user = access.user.to_uppercase();
    is_stalled(&scenario, &shouted, "NameMismatch", &[&access.user]);
    assert_eq!(scenario.creates_of(&access), 0);
}

/// A directory that synchronises the group may undo what the controller does.
#[test]
fn a_group_that_is_managed_elsewhere_needs_a_policy_that_says_so() {
    let scenario = Scenario::new(World::shared(), "synchronised");
    let name = scenario.unique("Synced");
    let mut access = scenario.group();
    access.entitlement_id = scenario.world.aws().change(&Change::CreateGroup {
        display_name: name.clone(),
        external_id: Some(name.clone()),
    });
    access.kind = Kind::Group { name: name.clone() };
    scenario.track(access.clone());
    let grant = stalls(
        &scenario,
        &access,
        "GroupManagedElsewhere",
        &["allowManagedGroups"],
    );
    let mut rule = access.rule();
    rule["identityCenterGroup"]["allowManagedGroups"] = true.into();
    scenario.policy("all", serde_json::json!({"rules": [rule]}));
    grant.wait_until_given();
}
