//! Controller, API server and etcd are killed while access of all kinds is being given and taken.

use crate::support::{Load, Scenario, Setup, World};

const POD: &str = "11111111-2222-3333-4444-555555555555";

#[test]
fn under_load_a_controller_that_is_killed_again_and_again_leaves_nothing_behind() {
    let world = World::own(Setup::default().without_controller().slow_aws());
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
    let world = World::own(Setup::default().slow_aws());
    let scenario = Scenario::new(&world, "kill-api");
    Load::outlives(
        &scenario,
        || world.control_plane.kill_api_server().unwrap(),
        || world.control_plane.start_api_server().unwrap(),
    );
}

/// The API server is there all the time, and nothing that it is asked for is done.
#[test]
fn under_load_an_etcd_that_is_killed_leaves_nothing_behind() {
    let world = World::own(Setup::default().slow_aws());
    let scenario = Scenario::new(&world, "kill-etcd");
    Load::outlives(
        &scenario,
        || world.control_plane.kill_etcd().unwrap(),
        || world.control_plane.start_etcd().unwrap(),
    );
}
