//! The API server is away when access must end.

use crate::support::time::wait_for;
use crate::support::{Grant, LiveGrant, Scenario, Setup, World, now, poll_aws, seconds};

fn grants<'s>(scenario: &'s Scenario<'s>) -> Vec<LiveGrant<'s>> {
    let accesses = [
        scenario.assignment(),
        scenario.group(),
        scenario.iam_group(),
    ];
    let grants: Vec<_> = accesses
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
    grants
}

fn taken_without_the_api_server(scenario: &Scenario<'_>, grants: &[LiveGrant<'_>]) {
    for grant in grants {
        poll_aws(scenario, &grant.access, false);
        let writes = scenario.writes_of(&grant.access);
        let early = writes
            .iter()
            .find(|write| !write.creates && write.time() < grant.expiry);
        assert!(early.is_none(), "taken before its expiry: {early:?}");
    }
}

#[test]
fn what_expires_while_the_api_server_is_down_is_taken_all_the_same() {
    let world = World::own(Setup::default());
    let scenario = Scenario::new(&world, "api-down");
    let grants = grants(&scenario);
    world.control_plane.kill_api_server().unwrap();
    taken_without_the_api_server(&scenario, &grants);

    world.control_plane.start_api_server().unwrap();
    for grant in &grants {
        grant.wait_until_taken("Expired");
        assert_eq!(grant.row()["STATE"], "Expired");
        assert_eq!(scenario.creates_of(&grant.access), 1, "{}", grant.report());
    }
}

/// Connections stay open, and nothing is answered: worse than one that is gone.
#[test]
fn what_expires_while_the_api_server_hangs_is_taken_all_the_same() {
    // Each look at the ledger takes its whole timeout of 10 seconds, so the authority must last for some of them.
    let world = World::own(Setup::default().setting("offlineAuthority", "2m"));
    let scenario = Scenario::new(&world, "api-hangs");
    let grants = grants(&scenario);
    world.control_plane.pause_api_server().unwrap();
    taken_without_the_api_server(&scenario, &grants);

    world.control_plane.resume_api_server().unwrap();
    for grant in &grants {
        grant.wait_until_taken("Expired");
    }
}

/// Without the API server nobody can say that a grant stands, so nothing is given; nor is anything taken early.
#[test]
fn what_has_not_expired_is_neither_given_nor_taken_while_the_api_server_is_down() {
    let world = World::own(Setup::default());
    let scenario = Scenario::new(&world, "api-away");
    let stays = scenario.apply(&Grant::of(&scenario.assignment()).named("stays"));
    let starts = Grant::of(&scenario.group())
        .named("starts")
        .starts_in(seconds(14));
    let start = starts.start();
    let starts = scenario.apply(&starts);
    stays.wait_until_given();
    starts.wait_for_state("Scheduled");
    let claimed = start - seconds(4);
    wait_for(claimed);
    world.control_plane.kill_api_server().unwrap();
    while now() < start + seconds(6) {
        assert!(world.cloud.has(&stays.access), "taken while it is due");
        assert!(
            !world.cloud.has(&starts.access),
            "given without a quorum read"
        );
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    world.control_plane.start_api_server().unwrap();
    starts.wait_until_given();
    stays.wait_until_given();
    assert_eq!(
        scenario.writes_of(&stays.access).len(),
        1,
        "{}",
        stays.report()
    );
}
