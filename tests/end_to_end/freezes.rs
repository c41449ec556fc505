//! Controller, API server and etcd are frozen while access of all kinds is being given and taken, and go on later.

use aws_simulator::Delay;

use crate::support::{Load, Scenario, Setup, World, eventually, seconds};

/// AWS takes its time, so that there is always something under way.
fn world(setup: Setup) -> World {
    let slow = setup.aws(|seed| {
        seed.settings.assignment_delay = Delay::exactly(seconds(2));
    });
    World::own(slow)
}

/// What it was about to give when it was frozen may have expired when it goes on.
#[test]
fn under_load_a_controller_that_is_frozen_and_goes_on_leaves_nothing_behind() {
    let world = world(Setup::default());
    let scenario = Scenario::new(&world, "freeze-controller");
    let controller = world.first_controller();
    let mut load = Load::start(&scenario);
    load.wait_until_in_the_middle();
    controller.pause();
    load.wait_until_some_expired();
    controller.resume();
    load.add_more();
    load.ends_well();
}

/// All that the sleeper had begun was finished without it. It remembers a world that is no more.
#[test]
fn under_load_a_frozen_leader_is_replaced_and_does_no_harm_when_it_goes_on() {
    let world = world(Setup::default().setting("offlineAuthority", "5s"));
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
    let world = world(Setup::default());
    let scenario = Scenario::new(&world, "freeze-api");
    let mut load = Load::start(&scenario);
    load.wait_until_in_the_middle();
    world.control_plane.pause_api_server().unwrap();
    load.wait_until_some_expired();
    world.control_plane.resume_api_server().unwrap();
    load.add_more();
    load.ends_well();
}

#[test]
fn under_load_an_etcd_that_is_frozen_and_goes_on_leaves_nothing_behind() {
    let world = world(Setup::default());
    let scenario = Scenario::new(&world, "freeze-etcd");
    let mut load = Load::start(&scenario);
    load.wait_until_in_the_middle();
    world.control_plane.pause_etcd().unwrap();
    load.wait_until_some_expired();
    world.control_plane.resume_etcd().unwrap();
    load.add_more();
    load.ends_well();
}
