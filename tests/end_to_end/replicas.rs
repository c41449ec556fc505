//! Several controllers at once. The lease saves work; nothing depends on it.

use std::sync::Arc;

use serde_json::json;

use crate::support::live_grant::condition;
use crate::support::time::wait_for;
use crate::support::{Controller, Grant, Scenario, Setup, World, eventually, now, seconds};

#[test]
fn a_standby_takes_over_from_a_killed_leader_and_ends_what_it_gave() {
    let world = World::own(Setup::default().setting("offlineAuthority", "5s"));
    let scenario = Scenario::new(&world, "failover");
    let first = world.first_controller();
    eventually("the first one leads", || first.leads());
    let second = world.start_controller(&world.controller());
    let grant = scenario.apply(&Grant::of(&scenario.assignment()).expires_in(seconds(20)));
    let iam = scenario.apply(
        &Grant::of(&scenario.iam_group())
            .named("iam")
            .expires_in(seconds(20)),
    );
    grant.wait_until_given();
    iam.wait_until_given();
    assert!(!second.leads());
    first.kill();
    grant.wait_until_taken("Expired");
    iam.wait_until_taken("Expired");
    assert!(second.leads());
    assert_eq!(grant.row()["STATE"], "Expired");
}

/// Frozen for longer than its lease, it wakes up in a world that has gone on without it.
#[test]
fn a_leader_that_was_frozen_does_no_harm_when_it_goes_on() {
    let world = World::own(Setup::default().setting("offlineAuthority", "5s"));
    let scenario = Scenario::new(&world, "frozen");
    let first = world.first_controller();
    eventually("the first one leads", || first.leads());
    let second = world.start_controller(&world.controller());
    let ends = scenario.apply(
        &Grant::of(&scenario.assignment())
            .named("ends")
            .expires_in(seconds(20)),
    );
    let stays = scenario.apply(&Grant::of(&scenario.group()).named("stays"));
    ends.wait_until_given();
    stays.wait_until_given();
    first.pause();
    ends.wait_until_taken("Expired");
    assert!(second.leads());
    eventually("the ledger closes", || {
        ends.ledger()
            .is_none_or(|ledger| ledger["spec"]["state"] == "Closed")
    });
    // Now it is an administrator's, and the sleeper last saw it as its own.
    scenario.given_by_others(&ends.access);
    let deletes = scenario.deletes_of(&ends.access);
    first.resume();
    eventually("the sleeper sees that another leads", || !first.leads());
    let proof = scenario.apply(&Grant::of(&scenario.iam_group()).named("proof"));
    proof.wait_until_given();
    ends.assert_in_aws(true);
    stays.assert_in_aws(true);
    assert_eq!(
        scenario.deletes_of(&ends.access),
        deletes,
        "{}",
        ends.report()
    );
    assert_eq!(stays.row()["STATE"], "Active");
}

/// Two leases, so that both lead: what the lease should prevent must be harmless.
fn two_leaders(world: &World) -> (Arc<Controller>, Arc<Controller>) {
    let namespace = "second-lease";
    world.kubectl(&["create", "namespace", namespace]);
    let resource = "--resource=leases.coordination.k8s.io";
    let verbs = "--verb=get,create,update";
    world.kubectl(&["create", "role", "lease", "-n", namespace, verbs, resource]);
    let subject = "--serviceaccount=breakglass-system:breakglass-controller";
    let bind = [
        "create",
        "rolebinding",
        "lease",
        "-n",
        namespace,
        "--role=lease",
        subject,
    ];
    world.kubectl(&bind);
    let first = world.first_controller();
    let second = world.start_controller(&world.controller().lease_in(namespace));
    eventually("both lead", || first.leads() && second.leads());
    (first, second)
}

#[test]
fn two_leaders_at_once_are_safe() {
    let world = World::own(Setup::default());
    let scenario = Scenario::new(&world, "two-leaders");
    let (_, second) = two_leaders(&world);
    let pre_existing = scenario.assignment();
    scenario.given_by_others(&pre_existing);
    let ours = [
        scenario.assignment(),
        scenario.group(),
        scenario.iam_group(),
    ];
    let grants: Vec<_> = ours
        .iter()
        .chain([&pre_existing])
        .enumerate()
        .map(|(number, access)| {
            let grant = |name: &str, ends| {
                let name = format!("{name}-{number}");
                scenario.apply(&Grant::of(access).named(&name).expires_in(seconds(ends)))
            };
            (grant("short", 14), grant("long", 20))
        })
        .collect();
    for (_, long) in &grants {
        long.wait_in_aws(true);
    }
    let handover = grants.iter().map(|(short, _)| short.expiry).max().unwrap();
    wait_for(handover);
    for (_, long) in &grants {
        long.assert_in_aws(true);
    }
    for (short, long) in &grants {
        short.wait_for_state("Expired");
        long.wait_for_state("Expired");
        long.assert_in_aws(long.access == pre_existing);
        let writes = scenario.writes_of(&long.access);
        let early = writes
            .iter()
            .find(|write| !write.creates && write.time() < long.expiry);
        assert!(early.is_none(), "taken while a grant covers it: {early:?}");
    }
    assert!(second.stop().success());
}

/// Without faults, and with nothing left to do, nothing more is written; and what ended can be given anew.
#[test]
fn two_leaders_at_once_come_to_rest() {
    let world = World::own(Setup::default());
    let scenario = Scenario::new(&world, "two-at-rest");
    two_leaders(&world);
    let access = scenario.assignment();
    let first = scenario.apply(&Grant::of(&access).named("first").expires_in(seconds(12)));
    first.wait_until_given();
    first.wait_until_taken("Expired");
    let second = scenario.apply(&Grant::of(&access).named("second"));
    second.wait_until_given();
    let writes = || {
        let generation = &second.ledger().unwrap()["metadata"]["generation"];
        generation.as_u64().unwrap()
    };
    // Whoever did not give it may still take over who deletes when the API server is away: once.
    let written = writes();
    second.assert_in_aws_until(now() + seconds(6));
    let settled = writes();
    assert!(settled <= written + 1, "{}", second.report());
    // Nobody does anything any more, however often both look.
    second.assert_in_aws_until(now() + seconds(6));
    assert_eq!(writes(), settled, "{}", second.report());
    second.revoke();
    second.wait_until_taken("Revoked");
}

/// To see what a new version would do it runs beside the one that works. Whoever came first, that one goes on working.
#[test]
fn an_observer_beside_a_real_controller_leaves_the_work_to_it() {
    let world = World::own(Setup::default().without_controller());
    let scenario = Scenario::new(&world, "observed");
    let observer = world.start_controller(&world.controller().arg("--observe"));
    let grant = scenario.apply(&Grant::of(&scenario.assignment()));
    grant.wait("the observer tells of it", |found| {
        condition(found, "Ready").is_some_and(|ready| ready["reason"] == "ObserveOnly")
    });
    let real = world.start_controller(&world.controller());
    grant.wait_until_given();
    eventually("the observer stands back", || {
        real.leads() && !observer.leads()
    });
    grant.revoke();
    grant.wait_until_taken("Revoked");
    assert_eq!(grant.row()["STATE"], "Revoked");
    let writes = scenario.writes_of(&grant.access);
    assert_eq!(writes.len(), 2, "{}", grant.report());
    assert!(real.leads() && !observer.leads());
}

/// It decides and tells, and gives nothing.
#[test]
fn a_controller_that_only_observes_gives_nothing_and_claims_nothing() {
    let world = World::own(Setup::default().without_controller());
    let scenario = Scenario::new(&world, "observe");
    let observer = world.start_controller(&world.controller().arg("--observe"));
    let admitted = scenario.apply(&Grant::of(&scenario.assignment()).named("admitted"));
    admitted.wait("it is told that nothing is given", |found| {
        let ready = condition(found, "Ready");
        ready.is_some_and(|ready| ready["reason"] == "ObserveOnly")
    });
    scenario.deny("nobody", &json!([{"users": ["member*"]}]));
    let denied = scenario.apply(&Grant::of(&scenario.iam_group()).named("denied"));
    denied.wait_for_state("Denied");
    assert!(scenario.writes_of(&admitted.access).is_empty());
    assert_eq!(world.kubectl(&["get", "breakglassaccesses"]), "");
    assert!(observer.stop().success());
    // Let loose, it gives what it had only talked about.
    world.start_controller(&world.controller());
    admitted.wait_until_given();
    denied.assert_in_aws(false);
}
