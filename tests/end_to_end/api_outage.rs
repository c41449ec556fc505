//! The API server is away when access must end.

use aws_simulator::{Action, Fault, Service};
use control_plane::ControlPlane;

use crate::support::time::wait_for;
use crate::support::{Grant, LiveGrant, Scenario, Setup, World, now, poll_aws, seconds};

/// A grant of each kind that ends so long from now, given.
fn grants<'s>(scenario: &'s Scenario<'s>, lasting: i64) -> Vec<LiveGrant<'s>> {
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
            scenario.apply(&grant.expires_in(seconds(lasting)))
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
    let grants = grants(&scenario, 15);
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
    let grants = grants(&scenario, 15);
    world.control_plane.pause_api_server().unwrap();
    taken_without_the_api_server(&scenario, &grants);

    world.control_plane.resume_api_server().unwrap();
    for grant in &grants {
        grant.wait_until_taken("Expired");
    }
}

/// The API server is there, and waits for its store: each look at the ledger takes its whole timeout.
fn taken_without_etcd(name: &str, stop: Order, go_on: Order) {
    let world = World::own(Setup::default().setting("offlineAuthority", "2m"));
    let scenario = Scenario::new(&world, name);
    let grants = grants(&scenario, 15);
    stop(&world.control_plane).unwrap();
    taken_without_the_api_server(&scenario, &grants);

    go_on(&world.control_plane).unwrap();
    for grant in &grants {
        grant.wait_until_taken("Expired");
        assert_eq!(scenario.creates_of(&grant.access), 1, "{}", grant.report());
    }
}

type Order = fn(&ControlPlane) -> Result<(), control_plane::Error>;

#[test]
fn what_expires_while_etcd_is_down_is_taken_all_the_same() {
    let (stop, go_on) = (ControlPlane::kill_etcd, ControlPlane::start_etcd);
    taken_without_etcd("etcd-down", stop, go_on);
}

#[test]
fn what_expires_while_etcd_hangs_is_taken_all_the_same() {
    let (stop, go_on) = (ControlPlane::pause_etcd, ControlPlane::resume_etcd);
    taken_without_etcd("etcd-hangs", stop, go_on);
}

/// While the API server is away nobody else takes it: one refusal must not be the last word.
#[test]
fn a_delete_that_aws_refuses_while_the_api_server_is_down_is_tried_again() {
    let world = World::own(Setup::default().setting("offlineAuthority", "2m"));
    let scenario = Scenario::new(&world, "api-down-refused");
    let throttled = |code: &str| Action::error(code, "Rate exceeded");
    let refusals = [
        Fault::new(throttled("ThrottlingException"))
            .on(Service::SsoAdmin, "DeleteAccountAssignment"),
        Fault::new(Action::AccessDenied).on(Service::IdentityStore, "DeleteGroupMembership"),
        Fault::new(throttled("Throttling")).on(Service::Iam, "RemoveUserFromGroup"),
    ];
    for refusal in refusals {
        world.aws().simulator.add_fault(refusal.times(2));
    }
    let grants = grants(&scenario, 15);
    world.control_plane.kill_api_server().unwrap();
    taken_without_the_api_server(&scenario, &grants);
    for grant in &grants {
        assert!(scenario.deletes_of(&grant.access) > 2, "{}", grant.access);
    }

    world.control_plane.start_api_server().unwrap();
    for grant in &grants {
        grant.wait_until_taken("Expired");
    }
}

/// Another controller may have taken over, and may be giving the same access anew: who has lost touch leaves it alone.
#[test]
fn what_expires_after_the_authority_has_ended_is_taken_when_the_api_server_is_back() {
    let world = World::own(Setup::default().setting("offlineAuthority", "5s"));
    let scenario = Scenario::new(&world, "api-down-long");
    let grants = grants(&scenario, 25);
    world.control_plane.kill_api_server().unwrap();
    let authority_ended = now() + seconds(5);
    for grant in &grants {
        assert!(authority_ended < grant.expiry, "this shows nothing");
        // The other tests here see the delete long before that.
        wait_for(grant.expiry + seconds(8));
        assert_eq!(scenario.deletes_of(&grant.access), 0, "{}", grant.access);
    }

    world.control_plane.start_api_server().unwrap();
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
