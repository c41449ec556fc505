//! Objects are removed, forged or broken around the controller: access still ends.

use serde_json::json;

use crate::support::kubernetes::{Resource, kubectl};
use crate::support::time::wait_for;
use crate::support::{Grant, LiveGrant, Scenario, Setup, World, eventually, seconds};

/// A cluster on which everybody with the rights may write what only the controller should.
fn unguarded() -> World {
    World::own(Setup {
        guarded: false,
        ..Setup::default()
    })
}

fn strip_and_delete(grant: &LiveGrant<'_>) {
    grant.patch(&json!({"metadata": {"finalizers": null}}));
    grant.delete();
    grant.wait_until_gone();
}

#[test]
fn a_grant_deleted_by_force_still_loses_its_access() {
    let world = unguarded();
    let scenario = Scenario::new(&world, "force");
    for make in [Scenario::assignment, Scenario::group, Scenario::iam_group] {
        let grant = scenario.apply(&Grant::of(&make(&scenario)));
        grant.wait_until_given();
        strip_and_delete(&grant);
        grant.wait_in_aws(false);
    }
    // Also if nobody is there to see it go.
    let grant = scenario.apply(&Grant::of(&scenario.assignment()));
    grant.wait_until_given();
    let before = world.first_controller();
    before.kill();
    strip_and_delete(&grant);
    let again = scenario.apply(&Grant::of(&grant.access).expires_in(seconds(-5)));
    world.start_controller(&world.controller());
    grant.wait_in_aws(false);
    again.wait_for_state("Expired");
    let shown = world.kubectl(&["get", "breakglassgrants", "-n", &scenario.name]);
    assert!(shown.contains("Expired"), "{shown}");
}

fn forge(scenario: &Scenario<'_>, grant: &LiveGrant<'_>, status: &serde_json::Value) {
    let kubernetes = &scenario.world.kubernetes;
    let namespace = Some(scenario.name.as_str());
    kubernetes
        .patch_status(
            Resource::Grant,
            namespace,
            &grant.name,
            &json!({"status": status}),
        )
        .unwrap();
}

#[test]
fn a_wiped_status_is_written_again_and_changes_nothing() {
    let world = unguarded();
    let scenario = Scenario::new(&world, "wiped");
    let access = scenario.assignment();
    let grant = scenario.apply(&Grant::of(&access).expires_in(seconds(20)));
    grant.wait_until_given();
    forge(&scenario, &grant, &serde_json::Value::Null);
    grant.wait_until_given();
    assert_eq!(scenario.writes_of(&access).len(), 1, "{}", grant.report());
    assert_eq!(grant.row()["STATE"], "Active");
    grant.wait_until_taken("Expired");
    // Nor does it bring back what has ended.
    forge(&scenario, &grant, &serde_json::Value::Null);
    grant.wait_until_taken("Expired");
    assert_eq!(scenario.creates_of(&access), 1, "{}", grant.report());
}

#[test]
fn a_forged_status_gives_nothing_and_keeps_nothing() {
    let world = unguarded();
    let scenario = Scenario::without_policy(&world, "forged");
    let active = json!({"state": "Active", "accessName": "assignment-0000", "grantedTime": "2026-01-01T00:00:00Z"});
    // Nobody admits it, whatever its status says.
    let denied = scenario.apply(&Grant::of(&scenario.group()).named("denied"));
    denied.wait_for_state("Denied");
    forge(&scenario, &denied, &active);
    denied.wait_for_state("Denied");
    assert_eq!(
        scenario.creates_of(&denied.access),
        0,
        "{}",
        denied.report()
    );

    scenario.policy("all", json!({}));
    let access = scenario.assignment();
    let grant = scenario.apply(&Grant::of(&access).named("forged").expires_in(seconds(20)));
    grant.wait_until_given();
    forge(
        &scenario,
        &grant,
        &json!({"accessName": "assignment-0000", "state": "Expired"}),
    );
    grant.wait_until_given();
    grant.wait_until_taken("Expired");
    assert_eq!(grant.row()["STATE"], "Expired");
    assert_eq!(scenario.creates_of(&access), 1, "{}", grant.report());
}

/// An end in the status is no proof of one: AWS is asked, and nothing is given anew.
#[test]
fn a_forged_end_of_an_active_grant_leaves_nothing_behind() {
    let world = unguarded();
    let scenario = Scenario::new(&world, "forged-end");
    for make in [Scenario::assignment, Scenario::iam_group] {
        let grant = scenario.apply(&Grant::of(&make(&scenario)).expires_in(seconds(15)));
        grant.wait_until_given();
        let ended = json!({"state": "Expired", "endedTime": "2026-01-01T00:00:00Z"});
        forge(&scenario, &grant, &ended);
        grant.wait_in_aws(false);
        let writes = scenario.writes_of(&grant.access);
        let delete = writes.iter().find(|write| !write.creates).unwrap();
        assert!(
            delete.time() < grant.expiry + seconds(10),
            "{}",
            grant.report()
        );
        wait_for(grant.expiry);
        eventually("the ledger closes", || {
            grant
                .ledger()
                .is_none_or(|ledger| ledger["spec"]["state"] == "Closed")
        });
        grant.assert_in_aws(false);
        assert_eq!(scenario.creates_of(&grant.access), 1, "{}", grant.report());
        grant.delete();
        grant.wait_until_gone();
    }
}

/// It still ends at its claim, or when its revocation can be read; the others do not notice.
#[test]
fn a_malformed_grant_beside_good_ones_holds_nothing_up() {
    let world = World::own(Setup::default());
    let scenario = Scenario::new(&world, "malformed");
    let apply = |name: &str, expires| {
        let access = scenario.assignment();
        scenario.apply(&Grant::of(&access).named(name).expires_in(seconds(expires)))
    };
    let expires = apply("expires", 25);
    let revoked = apply("revoked", 3600);
    expires.wait_until_given();
    revoked.wait_until_given();
    accept_anything(&world);
    eventually("the API server accepts what makes no sense", || {
        let nonsense = json!({"spec": {"startTime": "yesterday", "user": 7}});
        let namespace = Some(scenario.name.as_str());
        let patch = |name| {
            world
                .kubernetes
                .patch(Resource::Grant, namespace, name, &nonsense)
        };
        patch("expires").is_ok() && patch("revoked").is_ok()
    });
    let good = apply("good", 3600);
    good.wait_until_given();
    expires.wait_for_condition("Stalled", "InvalidSpec");
    assert_eq!(expires.row()["STATE"], "Active");
    expires.assert_in_aws(true);
    revoked.annotate("breakglass.dev/revoke", "it can't be read");
    revoked.wait_until_taken("Revoked");
    expires.wait_until_taken("Expired");
}

/// As an older or a careless definition might.
fn accept_anything(world: &World) {
    let name = "breakglassgrants.breakglass.dev";
    let crd = world.kubectl(&["get", "crd", name, "-o", "json"]);
    let mut crd: serde_json::Value = serde_json::from_str(&crd).unwrap();
    let spec = crd
        .pointer_mut("/spec/versions/0/schema/openAPIV3Schema/properties/spec")
        .unwrap();
    *spec = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    crd["spec"]["versions"][0]["selectableFields"] = json!(null);
    let file = world.control_plane.directory().join("careless.json");
    std::fs::write(&file, crd.to_string()).unwrap();
    world.kubectl(&["replace", "-f", file.to_str().unwrap()]);
}

/// Fault 35. R9.
#[test]
fn a_deleted_namespace_takes_its_access_with_it() {
    let world = World::shared();
    world.start_controller_manager();
    let scenario = Scenario::new(world, "doomed");
    let grants = [
        scenario.apply(&Grant::of(&scenario.assignment()).named("one")),
        scenario.apply(&Grant::of(&scenario.iam_group()).named("two")),
    ];
    for grant in &grants {
        grant.wait_until_given();
    }
    world.kubectl(&["delete", "namespace", &scenario.name, "--wait=false"]);
    for grant in &grants {
        grant.wait_in_aws(false);
    }
    eventually("the namespace is gone", || {
        let found = ["get", "namespace", &scenario.name, "--ignore-not-found"];
        world.kubectl(&found).is_empty()
    });
}

/// Fault 35. R3, R9.
/// All grants go with their kind, and their access before them; the ledger is another kind.
#[test]
fn a_kind_that_is_deleted_takes_all_access_with_it() {
    let world = World::own(Setup::default());
    let scenario = Scenario::new(&world, "uninstalled");
    let foreign = scenario.assignment();
    scenario.given_by_others(&foreign);
    let grants = [
        scenario.assignment(),
        scenario.group(),
        scenario.iam_group(),
    ];
    let mut number = 0..;
    let grants = grants.map(|access| {
        let name = format!("grant-{}", number.next().unwrap());
        scenario.apply(&Grant::of(&access).named(&name))
    });
    for grant in &grants {
        grant.wait_until_given();
    }
    let ledgers = grants.each_ref().map(|grant| {
        let ledger = grant.ledger().unwrap();
        format!(
            "breakglassaccesses/{}",
            ledger["metadata"]["name"].as_str().unwrap()
        )
    });
    let kind = "customresourcedefinitions/breakglassgrants.breakglass.dev";
    world.kubectl(&["delete", kind, "--wait=false"]);
    for grant in &grants {
        grant.wait_in_aws(false);
    }
    eventually("the kind is gone", || {
        world
            .kubectl(&["get", kind, "--ignore-not-found"])
            .is_empty()
    });
    assert!(world.aws().has(&foreign));
    // Whoever installs it again has a controller that works, the same that ran all along.
    world.kubectl(&["apply", "--server-side", "-f", "crds/breakglassgrants.yaml"]);
    eventually("the kind is served", || {
        kubectl(
            &world.control_plane,
            "admin",
            &["get", "breakglassgrants", "-A"],
        )
        .is_ok()
    });
    let again = scenario.apply(&Grant::of(&scenario.iam_group()).named("again"));
    again.wait_until_given();
    again.revoke();
    again.wait_until_taken("Revoked");
    // The ledger forgets what was given when nothing of it is left, and nobody is there to ask.
    for ledger in ledgers {
        eventually("the ledger entry is gone", || {
            let found = ["get", &ledger, "--ignore-not-found"];
            world.kubectl(&found).is_empty()
        });
    }
    assert!(world.aws().has(&foreign));
}

/// AWS is out, and the namespace must go all the same; access ends when AWS is back.
#[test]
fn a_deleted_namespace_does_not_wait_for_aws_for_ever() {
    use aws_simulator::{Action, Fault, Service};
    let world = World::shared();
    world.start_controller_manager();
    let scenario = Scenario::new(world, "doomed-outage");
    let grant = scenario.apply(&Grant::of(&scenario.group()));
    grant.wait_until_given();
    let refused = Fault::new(Action::error("InternalServerException", "down"))
        .on(Service::IdentityStore, "DeleteGroupMembership");
    let refused = world.aws().simulator.add_fault(refused);
    world.kubectl(&["delete", "namespace", &scenario.name, "--wait=false"]);
    eventually("the namespace is gone", || {
        let found = ["get", "namespace", &scenario.name, "--ignore-not-found"];
        world.kubectl(&found).is_empty()
    });
    grant.assert_in_aws(true);
    world.aws().simulator.remove_fault(refused);
    grant.wait_in_aws(false);
}

/// Deleting a ledger entry is not a revoke, and it must not make us forget.
#[test]
fn a_deleted_ledger_entry_is_kept_until_its_access_has_ended() {
    let world = unguarded();
    let scenario = Scenario::new(&world, "ledger");
    let grant = scenario.apply(&Grant::of(&scenario.assignment()).expires_in(seconds(18)));
    grant.wait_until_given();
    let ledger = grant.ledger().unwrap();
    let name = ledger["metadata"]["name"].as_str().unwrap();
    world.kubectl(&["delete", "breakglassaccesses", name, "--wait=false"]);
    grant.wait_until_given();
    assert!(grant.ledger().is_some());
    grant.wait_until_taken("Expired");
}
