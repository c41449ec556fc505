//! Controller, API server and etcd are frozen while access of all kinds is being given and taken, and go on later.

use std::sync::Arc;

use crate::support::{
    Access, Controller, Grant, Load, Proxy, Scenario, Setup, World, eventually, seconds,
};

/// More records than any life takes.
const MANY: usize = 20;

/// What it was about to give when it was frozen may have expired when it goes on.
#[test]
fn under_load_a_controller_that_is_frozen_and_goes_on_leaves_nothing_behind() {
    let world = World::own(Setup::default().slow_aws());
    let scenario = Scenario::new(&world, "freeze-controller");
    let controller = world.first_controller();
    Load::outlives(&scenario, || controller.pause(), || controller.resume());
}

/// All that the sleeper had begun was finished without it. It remembers a world that is no more.
#[test]
fn under_load_a_frozen_leader_is_replaced_and_does_no_harm_when_it_goes_on() {
    let world = World::own(
        Setup::default()
            .setting("offlineAuthority", "5s")
            .slow_aws(),
    );
    let scenario = Scenario::new(&world, "freeze-leader");
    let sleeper = world.first_controller();
    eventually("the first one leads", || sleeper.leads());
    let second = world.start_controller(&world.controller());
    let mut load = Load::start(&scenario);
    load.wait_until_in_the_middle();
    sleeper.pause();
    load.ends_well();
    assert!(second.leads());
    // Now all is an administrator's, and the sleeper last saw it as its own.
    load.becomes_foreign();
    sleeper.resume();
    eventually("the sleeper sees that another leads", || !sleeper.leads());
    load.add_more();
    load.ends_well();
}

/// Between any two records of the ledger, with the answer to the first one in hand. Meanwhile another one takes over, and
/// does all that was left to do. Either is enough to keep the sleeper from what it was about to send: that its call has
/// timed out, and that the last moment to send is over.
#[test]
fn a_leader_that_is_frozen_after_any_record_does_no_harm_when_it_goes_on() {
    let setup = Setup::default()
        .setting("offlineAuthority", "5s")
        .setting("leaseDuration", "5s");
    let (world, proxy) = Proxy::world(setup);
    let sleeper = world.first_controller();
    let mut kinds = [Scenario::assignment, Scenario::group, Scenario::iam_group]
        .into_iter()
        .cycle();
    let too_many = (1..MANY).find(|record| {
        let scenario = Scenario::new(&world, "freeze-step");
        let access = kinds.next().unwrap()(&scenario);
        !frozen_after(*record, &access, &scenario, &proxy, &sleeper)
    });
    let records = too_many.unwrap_or(MANY) - 1;
    println!("frozen after each of {records} records");
    assert!((6..MANY - 1).contains(&records), "{records}");
}

/// False if the life of that access does not take so many records.
fn frozen_after(
    record: usize,
    access: &Access,
    scenario: &Scenario<'_>,
    proxy: &Proxy,
    sleeper: &Arc<Controller>,
) -> bool {
    eventually("the one that will sleep leads", || sleeper.leads());
    let second = scenario
        .world
        .start_controller(&scenario.world.controller());
    let until = proxy.records() + record;
    proxy.hold_records_from(Some(until));
    let grant = scenario.apply(&Grant::of(access).expires_in(seconds(6)));
    let is_over = || {
        let ledger = grant.ledger();
        ledger.is_some_and(|ledger| {
            ledger["spec"]["state"] == "Closed" && ledger["spec"]["ended"][0].is_object()
        })
    };
    eventually("it is recorded, or all is over", || {
        proxy.records() >= until || is_over()
    });
    if proxy.records() < until {
        proxy.hold_records_from(None);
        assert!(second.stop().success());
        return false;
    }
    sleeper.pause();
    // It has the answer when it goes on.
    proxy.hold_records_from(None);
    grant.wait_until_taken("Expired");
    eventually("the ledger closes", is_over);
    eventually("another one leads", || second.leads());
    // Now it is an administrator's, and the sleeper last saw it as its own.
    scenario.given_by_others(access);
    let writes = scenario.writes_of(access).len();
    sleeper.resume();
    eventually("the sleeper sees it", || !sleeper.leads());
    let proof = scenario.apply(&Grant::of(&scenario.for_another_user(access)).named("proof"));
    proof.wait_until_given();
    grant.assert_in_aws(true);
    assert_eq!(
        scenario.writes_of(access).len(),
        writes,
        "{}",
        grant.report()
    );
    proof.revoke();
    proof.wait_until_taken("Revoked");
    assert!(second.stop().success());
    true
}

#[test]
fn under_load_an_api_server_that_is_frozen_and_goes_on_leaves_nothing_behind() {
    let world = World::own(Setup::default().slow_aws());
    let scenario = Scenario::new(&world, "freeze-api");
    Load::outlives(
        &scenario,
        || world.control_plane.pause_api_server().unwrap(),
        || world.control_plane.resume_api_server().unwrap(),
    );
}

#[test]
fn under_load_an_etcd_that_is_frozen_and_goes_on_leaves_nothing_behind() {
    let world = World::own(Setup::default().slow_aws());
    let scenario = Scenario::new(&world, "freeze-etcd");
    Load::outlives(
        &scenario,
        || world.control_plane.pause_etcd().unwrap(),
        || world.control_plane.resume_etcd().unwrap(),
    );
}
