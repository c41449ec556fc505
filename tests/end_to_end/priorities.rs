//! Who is served first when AWS allows fewer calls than there is work.

use aws_simulator::{Delay, Settings};
use serde_json::json;

use crate::support::{Access, Grant, LiveGrant, Scenario, Setup, World, eventually, seconds};

/// As much as waits at once, and how fast it can be worked off.
const CROWD: usize = 120;
const CALLS_PER_SECOND: u32 = 4;

fn crowd<'s>(scenario: &'s Scenario<'s>, access: &Access, size: usize) -> Vec<LiveGrant<'s>> {
    (0..size)
        .map(|number| {
            let access = scenario.for_another_user(access);
            scenario.apply(&Grant::of(&access).named(&format!("crowd-{number}")))
        })
        .collect()
}

fn count(grants: &[LiveGrant<'_>], holds: impl Fn(&LiveGrant<'_>) -> bool) -> usize {
    grants.iter().filter(|grant| holds(grant)).count()
}

#[test]
fn a_revoke_that_comes_due_goes_before_hundreds_of_grants() {
    let slow = Setup::default().setting("callsPerSecond", CALLS_PER_SECOND);
    let world = World::own(slow);
    let scenario = Scenario::new(&world, "mass-grant");
    scenario.leave_open();
    let ends = scenario.apply(
        &Grant::of(&scenario.group())
            .named("ends")
            .expires_in(seconds(25)),
    );
    ends.wait_until_given();
    let crowd = crowd(&scenario, &scenario.group(), CROWD);
    ends.wait_in_aws(false);
    let waiting = count(&crowd, |grant| !grant.is_in_aws());
    assert!(
        waiting > CROWD / 3,
        "only {waiting} grants waited: this shows nothing"
    );
    let writes = scenario.writes_of(&ends.access);
    let delete = writes.iter().find(|write| !write.creates).unwrap();
    let late = delete.time().duration_since(ends.expiry);
    assert!(
        late < seconds(10),
        "the delete went out {late:#} after the expiry\n{}",
        ends.report()
    );
    ends.wait_until_taken("Expired");
}

/// All that an organization does in Identity Center shares these limits: who runs into them holds up everybody.
#[test]
fn a_crowd_of_grants_is_given_within_the_limits_of_aws() {
    let mut setup = Setup::default()
        .setting("unknownOutcome", "1m")
        .aws(|seed| seed.settings = Settings::default());
    let settings = setup.config["settings"].as_object_mut().unwrap();
    settings.remove("callsPerSecond");
    let world = World::own(setup);
    let scenario = Scenario::new(&world, "limits");
    scenario.leave_open();
    let grants = crowd(&scenario, &scenario.assignment(), 40);
    for grant in &grants {
        grant.wait_until_given();
    }
    // Slow as AWS is at times: more are under way at once.
    let simulator = &world.aws().simulator;
    simulator.set(|settings| settings.assignment_delay = Delay::exactly(seconds(20)));
    let scenario = Scenario::new(&world, "limits-slow");
    scenario.leave_open();
    for grant in crowd(&scenario, &scenario.assignment(), 12) {
        grant.wait_until_given();
    }
    let mut calls = simulator.calls_since(0);
    calls.retain(|call| call.outcome.as_deref() == Some("ThrottlingException"));
    assert!(calls.is_empty(), "{calls:#?}");
}

#[test]
fn an_emergency_grant_is_served_amid_hundreds_of_revokes() {
    let world = World::own(Setup::default());
    let scenario = Scenario::new(&world, "mass-expiry");
    scenario.leave_open();
    let group = scenario.group();
    let crowd = crowd(&scenario, &group, CROWD);
    for grant in &crowd {
        grant.wait_for_state("Active");
    }
    assert!(world.first_controller().stop().success());
    scenario.deny(
        "stop",
        &json!([{"identityCenterGroup": {"names": [group.name()]}}]),
    );
    let slow = Setup::default()
        .setting("callsPerSecond", CALLS_PER_SECOND)
        .config;
    world.start_controller(&world.controller().config(&slow.to_string()));
    eventually("the revokes are under way", || {
        count(&crowd, |grant| !grant.is_in_aws()) > 3
    });

    let emergency = scenario.apply(&Grant::of(&scenario.group()).named("emergency"));
    emergency.wait_until_given();
    let left = CROWD - count(&crowd, |grant| !grant.is_in_aws());
    assert!(
        left > CROWD / 4,
        "only {left} revokes waited: this shows nothing"
    );
    assert_eq!(emergency.row()["STATE"], "Active");
}
