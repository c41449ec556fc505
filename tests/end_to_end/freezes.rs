//! Controller, API server and etcd are frozen while access of all kinds is being given and taken, and go on later.

use crate::support::{Load, Scenario, Setup, World, eventually};

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
