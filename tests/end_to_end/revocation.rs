//! The ways to end a grant before its time.

use aws_simulator::{Action, Fault, Service};
use serde_json::json;

use crate::support::kubernetes::Resource;
use crate::support::live_grant::condition;
use crate::support::scenario::{assignment, group, iam_group};
use crate::support::{Access, Grant, LiveGrant, Scenario, World, eventually};

type Make = fn(&Scenario<'_>) -> Access;

const KINDS: [Make; 3] = [assignment, group, iam_group];

/// Ends a grant of each kind in some way, and checks that it was revoked for this reason.
fn each_kind_is_revoked(theme: &str, reason: &str, end: impl Fn(&Scenario<'_>, &[LiveGrant<'_>])) {
    let scenario = Scenario::new(World::shared(), theme);
    let grants: Vec<_> = KINDS
        .iter()
        .enumerate()
        .map(|(number, make)| {
            scenario.apply(&Grant::of(&make(&scenario)).named(&format!("grant-{number}")))
        })
        .collect();
    for grant in &grants {
        grant.wait_until_given();
    }
    end(&scenario, &grants);
    for grant in &grants {
        grant.wait_until_taken("Revoked");
        let ready = grant.condition("Ready").unwrap();
        assert_eq!(ready["reason"], reason, "{}", grant.report());
        assert_eq!(grant.row()["STATE"], "Revoked");
        assert!(
            grant.field("/status/endedTime").is_string(),
            "{}",
            grant.report()
        );
    }
}

#[test]
fn a_grant_is_revoked_by_its_field_and_stays_so() {
    each_kind_is_revoked("by-field", "RevokedByRequest", |_, grants| {
        for grant in grants {
            grant.revoke();
        }
    });
}

#[test]
fn taking_the_revocation_back_has_no_effect() {
    let scenario = Scenario::new(World::shared(), "taken-back");
    let grant = scenario.apply(&Grant::of(&scenario.assignment()));
    grant.wait_until_given();
    grant.revoke();
    grant.wait_until_taken("Revoked");
    grant.patch(&json!({"spec": {"revoked": false}}));
    grant.wait_for_condition("Stalled", "EditedAfterEnd");
    grant.wait_until_taken("Revoked");
    assert_eq!(scenario.creates_of(&grant.access), 1, "{}", grant.report());
}

#[test]
fn a_grant_is_revoked_by_the_annotation_for_emergencies() {
    each_kind_is_revoked("by-annotation", "RevokedByRequest", |_, grants| {
        for grant in grants {
            grant.annotate("breakglass.dev/revoke", "laptop stolen");
        }
    });
}

#[test]
fn a_deny_policy_ends_what_it_matches_for_good() {
    each_kind_is_revoked("by-policy", "DeniedByPolicy", |scenario, grants| {
        let policy = scenario.deny("stop", &json!([{}]));
        for grant in grants {
            grant.wait_for_state("Revoked");
        }
        scenario.remove_policy(&policy);
    });
}

#[test]
fn a_deny_policy_for_one_person_leaves_others_alone() {
    let scenario = Scenario::new(World::shared(), "mallory");
    let mallory = scenario.assignment();
    let alice = scenario.for_another_user(&mallory);
    let mallory = scenario.apply(&Grant::of(&mallory).named("mallory"));
    let alice = scenario.apply(&Grant::of(&alice).named("alice"));
    mallory.wait_until_given();
    alice.wait_until_given();
    scenario.deny("mallory-left", &json!([{"users": [mallory.access.user]}]));
    mallory.wait_until_taken("Revoked");
    alice.wait_until_given();
    // Another grant for her is never given.
    let again = scenario.apply(&Grant::of(&mallory.access).named("again"));
    again.wait_for_state("Denied");
    assert!(
        again.message().contains("mallory-left"),
        "{}",
        again.message()
    );
    again.assert_in_aws(false);
}

#[test]
fn a_deleted_grant_takes_its_access_with_it() {
    let scenario = Scenario::new(World::shared(), "deleted");
    for make in KINDS {
        let grant = scenario.apply(&Grant::of(&make(&scenario)));
        grant.wait_until_given();
        let ledger = grant.ledger().unwrap();
        grant.delete();
        grant.wait_until_gone();
        grant.assert_in_aws(false);
        let name = ledger["metadata"]["name"].as_str().unwrap();
        eventually("the ledger entry goes", || {
            let found = ["get", "breakglassaccesses", name, "--ignore-not-found"];
            scenario.world.kubectl(&found).is_empty()
        });
    }
}

/// The ledger entry is all that is left of it, and somebody still has the access.
#[test]
fn an_overdue_revoke_stays_loud_and_names_its_grant_after_the_grant_is_gone() {
    let world = World::shared();
    let scenario = Scenario::new(world, "overdue-gone");
    let grant = scenario.apply(&Grant::of(&scenario.assignment()));
    grant.wait_until_given();
    let ledger = grant.ledger().unwrap();
    let name = ledger["metadata"]["name"].as_str().unwrap();
    let refused = Fault::new(Action::AccessDenied)
        .on(Service::SsoAdmin, "DeleteAccountAssignment")
        .with_parameter("PrincipalId", &grant.access.user_id);
    let refused = world.aws().simulator.add_fault(refused);
    grant.delete();
    grant.wait_until_gone();
    let is_loud = || {
        let ledger = world.kubernetes.get(Resource::Access, None, name).unwrap();
        condition(&ledger.unwrap(), "RevokeOverdue").is_some_and(|found| found["status"] == "True")
    };
    eventually("the ledger entry is overdue", is_loud);
    let tries = scenario.deletes_of(&grant.access);
    eventually("it is tried again and again", || {
        scenario.deletes_of(&grant.access) > tries + 2
    });
    assert!(
        is_loud(),
        "{}",
        world.kubectl(&["get", "breakglassaccesses", name, "-o", "yaml"])
    );
    world.aws().simulator.remove_fault(refused);
    grant.wait_in_aws(false);

    let deleted = || {
        let mut lines = world.first_controller().audit();
        lines.retain(|line| {
            let succeeded = line["operation"] == "Delete" && line["outcome"] == "Succeeded";
            succeeded && line["user"] == grant.access.user
        });
        lines.pop()
    };
    eventually("the delete is audited", || deleted().is_some());
    let line = deleted().unwrap();
    assert_eq!(line["grants"][0]["uid"], grant.uid, "{line:#}");
}

/// A grant made again under the same name is another one.
#[test]
fn a_grant_made_again_under_the_same_name_is_given_again() {
    let scenario = Scenario::new(World::shared(), "again");
    let access = scenario.iam_group();
    let first = scenario.apply(&Grant::of(&access));
    first.wait_until_given();
    first.revoke();
    first.wait_until_taken("Revoked");
    first.delete();
    first.wait_until_gone();
    let second = scenario.apply(&Grant::of(&access));
    assert_ne!(first.uid, second.uid);
    second.wait_until_given();
}

#[test]
fn a_grant_that_is_revoked_when_it_is_made_is_never_given() {
    let scenario = Scenario::new(World::shared(), "born-revoked");
    let grant = Grant::of(&scenario.assignment()).annotation("breakglass.dev/revoke", "a mistake");
    let grant = scenario.apply(&grant);
    grant.wait_for_state("Revoked");
    assert_eq!(grant.row()["STATE"], "Revoked");
    grant.patch(&json!({"metadata": {"annotations": {"breakglass.dev/revoke": null}}}));
    grant.wait_until_taken("Revoked");
    assert_eq!(scenario.creates_of(&grant.access), 0, "{}", grant.report());
}

/// Policies say who may get access. They are not asked when it is taken away.
#[test]
fn removing_the_policy_ends_nothing_and_hinders_no_end() {
    let scenario = Scenario::new(World::shared(), "policy-gone");
    let grant = scenario.apply(&Grant::of(&scenario.assignment()));
    grant.wait_until_given();
    scenario.remove_policies();
    let other = scenario.apply(&Grant::of(&scenario.group()).named("other"));
    other.wait_for_state("Denied");
    grant.wait_until_given();
    grant.revoke();
    grant.wait_until_taken("Revoked");
}
