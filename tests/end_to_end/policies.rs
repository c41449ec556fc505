//! Who may get what.

use serde_json::json;

use crate::support::cloud::{MANAGEMENT, PROTECTED};
use crate::support::live_grant::condition;
use crate::support::{Grant, LiveGrant, Scenario, Setup, World, seconds};

/// The grant may be seen before the policy that was applied first, so the words are waited for.
fn is_denied(scenario: &Scenario<'_>, grant: &LiveGrant<'_>, words: &[&str]) {
    grant.wait(&format!("it is denied, saying {words:?}"), |found| {
        let stalled = condition(found, "Stalled").cloned().unwrap_or_default();
        let message = stalled["message"].as_str().unwrap_or_default();
        found["status"]["state"] == "Denied"
            && stalled["reason"] == "NoPolicyAdmits"
            && words.iter().all(|word| message.contains(word))
    });
    assert_eq!(grant.row()["STATE"], "Denied");
    assert!(
        scenario.writes_of(&grant.access).is_empty(),
        "{}",
        grant.report()
    );
}

#[test]
fn a_denied_grant_is_told_which_policy_and_rule_came_nearest() {
    let scenario = Scenario::without_policy(World::shared(), "nearest");
    let access = scenario.assignment();
    let other = scenario.for_another_user(&access);
    let policy = scenario.policy(
        "oncall",
        json!({"rules": [scenario.group().rule(), other.rule()]}),
    );
    let grant = scenario.apply(&Grant::of(&access));
    is_denied(&scenario, &grant, &[&policy, "rule 2", &access.user]);
    scenario.policy("oncall", json!({"rules": [access.rule()]}));
    grant.wait_until_given();
}

#[test]
fn a_grant_without_any_policy_for_its_namespace_is_denied() {
    let scenario = Scenario::without_policy(World::shared(), "no-policy");
    let grant = scenario.apply(&Grant::of(&scenario.iam_group()));
    is_denied(&scenario, &grant, &["no policy"]);
    scenario.policy("now", json!({}));
    grant.wait_until_given();
}

#[test]
fn a_grant_that_lasts_too_long_is_denied_until_its_expiry_is_corrected() {
    let scenario = Scenario::without_policy(World::shared(), "max-duration");
    scenario.policy("short", json!({"maxDuration": "1h30m"}));
    let mut grant = scenario.apply(&Grant::of(&scenario.group()).expires_in(seconds(3 * 3600)));
    is_denied(&scenario, &grant, &["maxDuration", "1h30m"]);
    grant.move_expiry(seconds(3600));
    grant.wait_until_given();
}

#[test]
fn a_policy_can_ask_for_a_ticket_and_limit_the_lead() {
    let scenario = Scenario::without_policy(World::shared(), "ticket");
    let spec = json!({"ticketPattern": "INC-[0-9]+", "maxLead": "1h"});
    scenario.policy("strict", spec);
    let access = scenario.assignment();
    let grant = |name: &str| Grant::of(&access).named(name);
    let without = scenario.apply(&grant("without"));
    is_denied(&scenario, &without, &["ticket"]);
    let wrong = scenario.apply(&grant("wrong").ticket("see INC-12"));
    is_denied(&scenario, &wrong, &["INC-[0-9]+"]);
    let early = grant("early").ticket("INC-12").starts_in(seconds(7200));
    let early = scenario.apply(&early.expires_in(seconds(10_000)));
    is_denied(&scenario, &early, &["maxLead"]);
    let right = scenario.apply(&grant("right").ticket("INC-12"));
    right.wait_until_given();
    assert_eq!(
        right.field("/status/policy"),
        format!("{}-strict", scenario.name)
    );
}

#[test]
fn a_star_covers_neither_protected_accounts_nor_the_management_account() {
    for account in [PROTECTED, MANAGEMENT] {
        let scenario = Scenario::without_policy(World::shared(), "protected");
        scenario.policy("star", json!({}));
        let access = scenario.assignment_in(account);
        let grant = scenario.apply(&Grant::of(&access));
        is_denied(&scenario, &grant, &["`*` does not cover", account]);
        scenario.policy("listed", json!({"rules": [access.rule()]}));
        grant.wait_until_given();
    }
}

#[test]
fn users_are_matched_as_the_grant_spells_them() {
    let scenario = Scenario::without_policy(World::shared(), "spelling");
    scenario.policy(
        "lower",
        json!({"rules": [{
            "users": ["alice*"],
            "accountAssignment": {"accounts": ["*"], "permissionSets": ["*"]},
        }]}),
    );
    let access = scenario.assignment();
    let mut shouted = access.clone();
    shouted.user = access.user.replace("alice", "ALICE");
    let grant = scenario.apply(&Grant::of(&shouted).named("shouted"));
    is_denied(&scenario, &grant, &["ALICE"]);
    let grant = scenario.apply(&Grant::of(&access));
    grant.wait_until_given();
}

/// Only this controller ever gives it, the policy says, so what stands there was left behind.
#[test]
fn access_that_stood_before_is_taken_at_the_end_where_the_policy_calls_it_exclusively_ours() {
    let scenario = Scenario::without_policy(World::shared(), "exclusive");
    scenario.policy("ours", json!({"ownership": "Exclusive"}));
    let accesses = [
        scenario.assignment(),
        scenario.group(),
        scenario.iam_group(),
    ];
    let grants = accesses.iter().enumerate().map(|(number, access)| {
        scenario.world.aws().give(access);
        let grant = Grant::of(access).named(&format!("grant-{number}"));
        scenario.apply(&grant.expires_in(seconds(14)))
    });
    let grants: Vec<_> = grants.collect();
    for grant in &grants {
        grant.wait_until_given();
        assert!(
            grant.condition("AlreadyPresent").is_none(),
            "{}",
            grant.report()
        );
        assert!(
            scenario.writes_of(&grant.access).is_empty(),
            "{}",
            grant.report()
        );
    }
    for grant in &grants {
        grant.wait_until_taken("Expired");
    }
}

/// It might deny anything, so nothing new is given until it is mended; what runs goes on and ends.
#[test]
fn a_policy_that_can_not_be_read_stops_new_grants_only() {
    let world = World::own(Setup::default());
    let scenario = Scenario::new(&world, "unreadable");
    let running = scenario.apply(&Grant::of(&scenario.assignment()).named("running"));
    running.wait_until_given();
    let broken = scenario.policy("broken", json!({"ticketPattern": "INC-("}));
    world.first_controller().wait_for_log(&broken);
    let new = scenario.apply(&Grant::of(&scenario.group()).named("new"));
    new.wait_for_state("Denied");
    let message = new.message();
    assert!(
        message.contains(&broken) && message.contains("can't be read"),
        "{message}"
    );
    assert_eq!(new.row()["STATE"], "Denied");
    let shown = world.kubectl(&["get", "breakglasspolicies", &broken]);
    assert!(shown.contains("False"), "{shown}");
    assert_eq!(running.row()["STATE"], "Active");
    running.revoke();
    running.wait_until_taken("Revoked");
    new.assert_in_aws(false);

    scenario.policy("broken", json!({"ticketPattern": "INC-[0-9]+"}));
    new.wait_until_given();
}
