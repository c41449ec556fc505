//! etcd forgets old versions while the controller watches: it lists anew and goes on.

use crate::support::proxy::{Conduct, Use};
use crate::support::{Grant, Load, Proxy, Scenario, Setup, World, eventually};

const KINDS: [&str; 3] = [
    "breakglassgrants",
    "breakglassaccesses",
    "breakglasspolicies",
];

/// A world whose controller lists anew only when it must.
fn world(setup: Setup) -> (World, Proxy) {
    Proxy::world(setup.setting("relistInterval", "30m"))
}

/// What the controller missed can't be told any more. The API server asks etcd for every watch.
#[test]
fn what_etcd_has_forgotten_is_listed_anew() {
    let setup = Setup::default().api_server_argument("--watch-cache=false");
    let (world, proxy) = world(setup);
    let scenario = Scenario::new(&world, "compacted");
    let ends = scenario.apply(&Grant::of(&scenario.group()).named("ends"));
    let stays = scenario.apply(&Grant::of(&scenario.iam_group()).named("stays"));
    ends.wait_until_given();
    stays.wait_until_given();

    proxy.conduct_of(Use::Watch, Conduct::Hang);
    let made = scenario.apply(&Grant::of(&scenario.assignment()).named("made"));
    ends.delete();
    world.control_plane.compact_etcd().unwrap();
    let listed = KINDS.map(|kind| proxy.lists(kind));
    made.assert_in_aws(false);
    ends.assert_in_aws(true);
    // The watches that hang are lost with what they would have told.
    proxy.lose_watches();

    made.wait_until_given();
    ends.wait_until_gone();
    ends.assert_in_aws(false);
    stays.assert_in_aws(true);
    for (kind, before) in KINDS.into_iter().zip(listed) {
        eventually("each kind is listed anew", || proxy.lists(kind) > before);
    }
    stays.revoke();
    stays.wait_until_taken("Revoked");
}

/// The API server forgets what it had remembered for watches, and can't ask etcd for it either.
#[test]
fn under_load_an_api_server_that_comes_back_after_a_compaction_leaves_nothing_behind() {
    let (world, proxy) = world(Setup::default());
    let scenario = Scenario::new(&world, "compacted-load");
    let mut load = Load::start(&scenario);
    load.wait_until_in_the_middle();
    // What the controller writes from now on, it does not see.
    proxy.conduct_of(Use::Watch, Conduct::Hang);
    load.wait_until_some_expired();
    let listed = proxy.lists("breakglassgrants");
    world.control_plane.kill_api_server().unwrap();
    world.control_plane.compact_etcd().unwrap();
    world.control_plane.start_api_server().unwrap();
    proxy.lose_watches();
    load.add_more();
    load.ends_well();
    assert!(proxy.lists("breakglassgrants") > listed);
}
