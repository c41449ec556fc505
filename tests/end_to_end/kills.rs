//! Controller, API server and etcd are killed while access of all kinds is being given and taken.

use aws_simulator::Delay;

use crate::support::{Load, Scenario, Setup, World, seconds};

const POD: &str = "11111111-2222-3333-4444-555555555555";

/// AWS takes its time, so that there is always something under way.
fn world(setup: Setup) -> World {
    let slow = setup.aws(|seed| {
        seed.settings.assignment_delay = Delay::exactly(seconds(2));
    });
    World::own(slow)
}

#[test]
fn under_load_a_controller_that_is_killed_again_and_again_leaves_nothing_behind() {
    let world = world(Setup::default().without_controller());
    let scenario = Scenario::new(&world, "kill-controller");
    let start = world.controller().in_pod(POD);
    let mut controller = world.start_controller(&start);
    let mut load = Load::start(&scenario);
    load.wait_until_in_the_middle();
    controller.kill();
    controller = world.start_controller(&start);
    load.wait_until_some_expired();
    controller.kill();
    world.start_controller(&start);
    load.add_more();
    load.ends_well();
}

/// The controller goes on taking away what expires meanwhile, and records it when the API server is back.
#[test]
fn under_load_an_api_server_that_is_killed_leaves_nothing_behind() {
    let world = world(Setup::default());
    let scenario = Scenario::new(&world, "kill-api");
    let mut load = Load::start(&scenario);
    load.wait_until_in_the_middle();
    world.control_plane.kill_api_server().unwrap();
    load.wait_until_some_expired();
    world.control_plane.start_api_server().unwrap();
    load.add_more();
    load.ends_well();
}

/// The API server is there all the time, and nothing that it is asked for is done.
#[test]
fn under_load_an_etcd_that_is_killed_leaves_nothing_behind() {
    let world = world(Setup::default());
    let scenario = Scenario::new(&world, "kill-etcd");
    let mut load = Load::start(&scenario);
    load.wait_until_in_the_middle();
    world.control_plane.kill_etcd().unwrap();
    load.wait_until_some_expired();
    world.control_plane.start_etcd().unwrap();
    load.add_more();
    load.ends_well();
}
