//! The network between the controller and the API server hangs, breaks, loses answers, or is slow.

use std::time::Duration;

use crate::support::proxy::{Conduct, Use};
use crate::support::time::wait_for;
use crate::support::{Grant, LiveGrant, Load, Proxy, Scenario, Setup, eventually, now, seconds};

#[test]
fn under_load_a_network_that_hangs_and_breaks_in_turn_leaves_nothing_behind() {
    let (world, proxy) = Proxy::world(Setup::default().slow_aws());
    let scenario = Scenario::new(&world, "network");
    let mut load = Load::start(&scenario);
    load.wait_until_in_the_middle();
    let ends = load.first_expiry() + seconds(2);
    let conducts = [
        Conduct::Hang,
        Conduct::Pass,
        Conduct::Reset,
        Conduct::Pass,
        Conduct::LoseAnswers,
        Conduct::Pass,
    ];
    for conduct in conducts.into_iter().cycle() {
        if now() >= ends {
            break;
        }
        proxy.conduct(conduct);
        wait_for(now() + seconds(1));
    }
    proxy.conduct(Conduct::Pass);
    load.add_more();
    load.ends_well();
}

/// Each write to the ledger is made, and the controller never hears of it.
#[test]
fn under_load_writes_whose_answers_are_lost_leave_nothing_behind() {
    let (world, proxy) = Proxy::world(Setup::default().slow_aws());
    let scenario = Scenario::new(&world, "lost-answers");
    Load::outlives(
        &scenario,
        || proxy.conduct_of(Use::Write, Conduct::LoseAnswers),
        || proxy.conduct_of(Use::Write, Conduct::Pass),
    );
}

/// The attempt is recorded in time, and the controller hears of that when the time is over: it must not act on it.
#[test]
fn what_is_known_to_be_recorded_too_late_is_not_given() {
    let (world, proxy) = Proxy::world(Setup::default().slow_aws());
    let scenario = Scenario::new(&world, "late-record");
    let grant = Grant::of(&scenario.group()).starts_in(seconds(12));
    let ends = grant.start() + seconds(7);
    let grant = scenario.apply(&grant.expires(ends));
    // Whatever is still to be told of the claim would be held up too, and the attempt behind it.
    grant.wait_for_state("Scheduled");
    eventually("it is claimed ahead of its start, and that is told", || {
        let ledger = grant.ledger().unwrap_or_default();
        !ledger["status"]["grants"].is_null()
    });
    proxy.conduct_of(Use::Record, Conduct::HoldAnswers);
    eventually("the attempt is recorded", || {
        let ledger = grant.ledger().unwrap_or_default();
        ledger["spec"]["attempt"]["operation"] == "Create"
    });
    // The answer must come before the call is given up, after 10 seconds; and on a slow machine the
    // attempt must be recorded before the end.
    wait_for(ends + seconds(1));
    proxy.conduct_of(Use::Record, Conduct::Pass);
    grant.wait_for_state("Expired");
    assert_eq!(scenario.creates_of(&grant.access), 0, "{}", grant.report());
}

#[test]
fn under_load_a_slow_network_leaves_nothing_behind() {
    let (world, proxy) = Proxy::world(Setup::default().slow_aws());
    let scenario = Scenario::new(&world, "slow-network");
    proxy.conduct(Conduct::Delay(Duration::from_millis(300)));
    let mut load = Load::start(&scenario);
    load.add_more();
    load.ends_well();
}

/// Nothing tells that they are silent: what was missed is found by the next listing, and expiry needs no watch.
#[test]
fn watches_that_fall_silent_hide_nothing_for_long() {
    let (world, proxy) = Proxy::world(Setup::default().setting("relistInterval", "6s").slow_aws());
    let scenario = Scenario::new(&world, "silent");
    let before = scenario.apply(&Grant::of(&scenario.iam_group()).named("before"));
    before.wait_until_given();
    proxy.conduct_of(Use::Watch, Conduct::Hang);
    unseen(&scenario, &before);
    proxy.conduct_of(Use::Watch, Conduct::Pass);
}

/// Each watch is broken off as soon as it is begun.
#[test]
fn watches_that_can_not_be_had_hide_nothing_for_long() {
    let (world, proxy) = Proxy::world(Setup::default().setting("relistInterval", "6s").slow_aws());
    let scenario = Scenario::new(&world, "broken");
    let before = scenario.apply(&Grant::of(&scenario.iam_group()).named("before"));
    before.wait_until_given();
    proxy.conduct_of(Use::Watch, Conduct::Reset);
    unseen(&scenario, &before);
    proxy.conduct_of(Use::Watch, Conduct::Pass);
    let listed = proxy.lists("breakglassgrants");
    let after = scenario.apply(&Grant::of(&scenario.iam_group()).named("after"));
    after.wait_until_given();
    eventually("the grants are listed again from time to time", || {
        proxy.lists("breakglassgrants") > listed
    });
}

/// A grant is made, one is revoked, and one expires, while no watch tells.
fn unseen(scenario: &Scenario<'_>, before: &LiveGrant<'_>) {
    let made = scenario.apply(
        &Grant::of(&scenario.assignment())
            .named("made")
            .expires_in(seconds(25)),
    );
    before.revoke();
    before.wait_until_taken("Revoked");
    made.wait_until_given();
    made.wait_until_taken("Expired");
}
