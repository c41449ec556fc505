//! The controller is killed at the worst moment, and started again.

use aws_simulator::{Action, Delay, Fault, Service};

use crate::support::scenario::{assignment, group};
use crate::support::time::wait_for;
use crate::support::{Access, Grant, LiveGrant, Scenario, Setup, World, eventually, seconds};

const POD: &str = "11111111-2222-3333-4444-555555555555";
const OTHER_POD: &str = "66666666-7777-8888-9999-000000000000";

/// A world whose controller is the container of one pod: one that is started again knows that the one before is dead.
fn world(setup: Setup) -> World {
    let slow = setup.aws(|seed| {
        seed.settings.assignment_delay = Delay::exactly(seconds(2));
    });
    World::own(slow.without_controller())
}

/// Killed in the middle of this operation; the next controller runs in the pod `next`.
fn killed_while_granting(scenario: &Scenario<'_>, access: &Access, operation: &str, next: &str) {
    let world = scenario.world;
    let first = world.start_controller(&world.controller().in_pod(POD));
    let grant = scenario.apply(&Grant::of(access).expires_in(seconds(45)));
    eventually("the create is sent", || {
        let calls = scenario.writes_of(access);
        calls
            .iter()
            .any(|write| write.record.operation == operation)
    });
    first.kill();

    world.start_controller(&world.controller().in_pod(next));
    grant.wait_until_given();
    assert_eq!(
        grant.ledger().unwrap()["spec"]["origin"],
        "Created",
        "{}",
        grant.report()
    );
    assert!(
        grant.condition("AlreadyPresent").is_none(),
        "{}",
        grant.report()
    );
    assert_eq!(grant.row()["STATE"], "Active");
    grant.wait_until_taken("Expired");
}

#[test]
fn a_controller_killed_while_it_gives_an_assignment_still_ends_it() {
    let world = world(Setup::default());
    let scenario = Scenario::new(&world, "killed-granting");
    let access = scenario.assignment();
    killed_while_granting(&scenario, &access, "CreateAccountAssignment", POD);
}

/// Nobody tells the next one that the first is dead: it waits until the authority of the first has ended.
#[test]
fn a_controller_of_another_pod_ends_what_a_killed_one_was_giving() {
    let world = world(Setup::default().setting("offlineAuthority", "5s"));
    let scenario = Scenario::new(&world, "killed-elsewhere");
    let access = scenario.assignment();
    killed_while_granting(&scenario, &access, "CreateAccountAssignment", OTHER_POD);
}

#[test]
fn a_controller_killed_before_it_hears_of_a_membership_still_ends_it() {
    let world = world(Setup::default());
    let scenario = Scenario::new(&world, "killed-adding");
    let slow = Fault::new(Action::Delay(seconds(3))).on(Service::Iam, "AddUserToGroup");
    world
        .aws()
        .simulator
        .add_fault(slow.after_effect().times(1));
    killed_while_granting(&scenario, &scenario.iam_group(), "AddUserToGroup", POD);
}

fn killed_while_revoking(make: fn(&Scenario<'_>) -> Access, delete: (Service, &str)) {
    let world = world(Setup::default());
    let scenario = Scenario::new(&world, "killed-revoking");
    let first = world.start_controller(&world.controller().in_pod(POD));
    let grant = scenario.apply(&Grant::of(&make(&scenario)));
    grant.wait_until_given();
    // Nobody hears what becomes of the first delete.
    let slow = Fault::new(Action::Delay(seconds(3))).on(delete.0, delete.1);
    world.aws().simulator.add_fault(slow.times(1));
    grant.revoke();
    eventually("the delete is sent", || {
        scenario.deletes_of(&grant.access) > 0
    });
    first.kill();

    world.start_controller(&world.controller().in_pod(POD));
    grant.wait_until_taken("Revoked");
    assert_eq!(grant.row()["STATE"], "Revoked");
}

#[test]
fn a_controller_killed_while_it_takes_an_assignment_takes_it_when_it_is_back() {
    let delete = (Service::SsoAdmin, "DeleteAccountAssignment");
    killed_while_revoking(assignment, delete);
}

#[test]
fn a_controller_killed_while_it_takes_a_membership_takes_it_when_it_is_back() {
    let delete = (Service::IdentityStore, "DeleteGroupMembership");
    killed_while_revoking(group, delete);
}

/// The delete was never sent: only the record of the attempt stands.
#[test]
fn what_expired_while_the_controller_was_down_is_taken_when_it_is_back() {
    let world = world(Setup::default());
    let scenario = Scenario::new(&world, "down-at-expiry");
    let first = world.start_controller(&world.controller().in_pod(POD));
    let accesses = [
        scenario.assignment(),
        scenario.group(),
        scenario.iam_group(),
    ];
    let grants: Vec<LiveGrant<'_>> = accesses
        .iter()
        .enumerate()
        .map(|(number, access)| {
            let grant = Grant::of(access).named(&format!("grant-{number}"));
            scenario.apply(&grant.expires_in(seconds(15)))
        })
        .collect();
    for grant in &grants {
        grant.wait_until_given();
    }
    first.kill();
    // Made and expired while nobody looked.
    let missed = scenario.apply(
        &Grant::of(&scenario.assignment())
            .named("missed")
            .expires_in(seconds(3)),
    );
    wait_for(grants[0].expiry.max(missed.expiry));

    world.start_controller(&world.controller().in_pod(POD));
    for grant in &grants {
        grant.wait_until_taken("Expired");
        assert_eq!(grant.row()["STATE"], "Expired");
    }
    missed.wait_until_taken("Expired");
    assert_eq!(
        scenario.creates_of(&missed.access),
        0,
        "{}",
        missed.report()
    );
}

/// Told to stop, it gives back what it holds, so that the next one need not wait.
#[test]
fn a_controller_that_is_told_to_stop_ends_cleanly_and_the_next_one_goes_on_at_once() {
    let world = world(Setup::default());
    let scenario = Scenario::new(&world, "clean-stop");
    let first = world.start_controller(&world.controller());
    let grant = scenario.apply(&Grant::of(&scenario.assignment()));
    grant.wait_until_given();
    let exit = first.stop();
    assert!(exit.success(), "{exit}\n{}", first.log());
    let ledger = grant.ledger().unwrap();
    assert!(ledger["spec"]["offlineDeleter"].is_null(), "{ledger:#}");
    grant.assert_in_aws(true);
    grant.revoke();

    world.start_controller(&world.controller());
    grant.wait_until_taken("Revoked");
    eventually(
        "the ledger closes without waiting for the one before",
        || {
            grant
                .ledger()
                .is_none_or(|ledger| ledger["spec"]["state"] == "Closed")
        },
    );
}
