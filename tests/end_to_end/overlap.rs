//! Several grants of one access: the union of them counts.

use aws_simulator::{Action, Delay, Fault, Service};

use crate::support::scenario::{assignment, group, iam_group};
use crate::support::time::full_second_in;
use crate::support::{Access, Grant, Scenario, Setup, World, eventually, now, seconds};

fn overlapping_grants(access: fn(&Scenario<'_>) -> Access) {
    let scenario = Scenario::new(World::shared(), "overlap");
    let access = access(&scenario);
    let first = scenario.apply(&Grant::of(&access).named("first").expires_in(seconds(14)));
    let last = scenario.apply(&Grant::of(&access).named("last").expires_in(seconds(22)));
    first.wait_until_given();
    last.wait_until_given();

    first.wait_for_state("Expired");
    first.assert_in_aws(true);
    assert_eq!(first.row()["STATE"], "Expired");
    assert_eq!(last.row()["STATE"], "Active");
    last.wait_until_taken("Expired");
    let writes = scenario.writes_of(&access);
    let early = writes
        .iter()
        .find(|write| !write.creates && write.time() < last.expiry);
    assert!(
        early.is_none(),
        "taken while a grant covers it: {early:?}\n{}",
        last.report()
    );
}

#[test]
fn overlapping_grants_of_an_assignment_keep_it_until_the_last_ends() {
    overlapping_grants(assignment);
}

#[test]
fn overlapping_grants_of_an_identity_center_group_keep_it_until_the_last_ends() {
    overlapping_grants(group);
}

#[test]
fn overlapping_grants_of_an_iam_group_keep_it_until_the_last_ends() {
    overlapping_grants(iam_group);
}

#[test]
fn back_to_back_grants_leave_no_gap() {
    let scenario = Scenario::new(World::shared(), "back-to-back");
    let access = scenario.assignment();
    let handover = full_second_in(seconds(15));
    let first = scenario.apply(&Grant::of(&access).named("first").expires(handover));
    let second = Grant::of(&access).named("second").starts(handover);
    let second = scenario.apply(&second.expires(handover + seconds(10)));
    first.wait_until_given();
    second.wait_for_state("Scheduled");

    second.wait_until_given();
    first.wait_for_state("Expired");
    second.assert_in_aws(true);
    second.wait_until_taken("Expired");
    let writes = scenario.writes_of(&access);
    let gap = writes
        .iter()
        .find(|write| !write.creates && write.time() < second.expiry);
    assert!(
        gap.is_none(),
        "taken at the handover: {gap:?}\n{}",
        second.report()
    );
    assert_eq!(scenario.creates_of(&access), 1, "{}", second.report());
}

#[test]
fn a_grant_revoked_early_leaves_the_access_to_the_other() {
    let scenario = Scenario::new(World::shared(), "early-end");
    let access = scenario.iam_group();
    let revoked = scenario.apply(&Grant::of(&access).named("revoked"));
    let other = scenario.apply(&Grant::of(&access).named("other"));
    revoked.wait_until_given();
    other.wait_until_given();
    revoked.revoke();
    revoked.wait_for_state("Revoked");
    other.assert_in_aws(true);
    assert_eq!(scenario.deletes_of(&access), 0, "{}", other.report());
    other.revoke();
    other.wait_until_taken("Revoked");
}

/// The delete of the first grant is on its way when the second one comes: whatever wins, who is told Active has the access.
fn a_grant_that_comes_while_the_access_is_taken_away(
    access: fn(&Scenario<'_>) -> Access,
    fault: fn(&Access) -> Fault,
) {
    let scenario = Scenario::new(World::shared(), "reopened");
    let access = access(&scenario);
    let aws = scenario.world.aws();
    let first = scenario.apply(&Grant::of(&access).named("first"));
    first.wait_until_given();
    let fault = aws.simulator.add_fault(fault(&access));
    first.revoke();
    eventually("the delete is on its way", || {
        scenario.deletes_of(&access) > 0
    });
    let second = scenario.apply(&Grant::of(&access).named("second"));
    second.wait_until_given();
    first.wait_for_state("Revoked");
    aws.simulator.remove_fault(fault);

    // Nothing that was under way takes it later.
    second.assert_in_aws_until(now() + seconds(6));
    assert_eq!(second.row()["STATE"], "Active");
    second.revoke();
    second.wait_until_taken("Revoked");
}

#[test]
fn an_assignment_that_is_being_taken_away_is_given_again_to_a_new_grant() {
    a_grant_that_comes_while_the_access_is_taken_away(assignment, |access| {
        Fault::new(Action::Delay(seconds(2)))
            .on(Service::SsoAdmin, "DeleteAccountAssignment")
            .with_parameter("PrincipalId", &access.user_id)
    });
}

#[test]
fn a_membership_that_is_being_taken_away_is_given_again_to_a_new_grant() {
    a_grant_that_comes_while_the_access_is_taken_away(iam_group, |access| {
        Fault::new(Action::Delay(seconds(2)))
            .on(Service::Iam, "RemoveUserFromGroup")
            .with_parameter("UserName", &access.user)
    });
}

/// The same, but nobody knows what became of the delete.
#[test]
fn a_delete_without_an_answer_does_not_take_the_access_from_a_new_grant() {
    a_grant_that_comes_while_the_access_is_taken_away(assignment, |access| {
        Fault::new(Action::Reset)
            .on(Service::SsoAdmin, "DeleteAccountAssignment")
            .with_parameter("PrincipalId", &access.user_id)
            .after_effect()
            .times(1)
    });
}

/// The delete of the first grant waits for its turn while another operation takes its time: it is never sent.
#[test]
fn a_grant_that_comes_while_the_delete_waits_for_its_turn_keeps_the_access() {
    let world = World::own(
        Setup::default()
            .setting("inFlight", 1)
            .setting("unknownOutcome", "1m"),
    );
    let scenario = Scenario::new(&world, "queued");
    let takes = |delay| {
        let delay = Delay::exactly(delay);
        world
            .aws()
            .simulator
            .set(|settings| settings.assignment_delay = delay);
    };
    let access = scenario.assignment();
    let first = scenario.apply(&Grant::of(&access).named("first"));
    first.wait_until_given();
    takes(seconds(15));
    let slow = scenario.apply(&Grant::of(&scenario.assignment()).named("slow"));
    eventually("the slow operation has begun", || {
        scenario.creates_of(&slow.access) > 0
    });
    first.revoke();
    first.wait_for_state("Revoking");
    let second = scenario.apply(&Grant::of(&access).named("second"));
    eventually("the second one has a claim", || {
        let ledger = second.ledger().unwrap_or_default();
        ledger["spec"]["claims"][0]["uid"] == second.uid.as_str()
    });
    assert!(
        !slow.is_in_aws(),
        "the delete need not wait: this shows nothing"
    );

    second.wait_until_given();
    first.wait_for_state("Revoked");
    second.assert_in_aws_until(now() + seconds(4));
    assert_eq!(scenario.writes_of(&access).len(), 1, "{}", second.report());
    takes(seconds(0));
}

#[test]
fn the_end_of_one_persons_grant_leaves_another_person_alone() {
    let scenario = Scenario::new(World::shared(), "two-people");
    for (number, access) in [
        scenario.assignment(),
        scenario.group(),
        scenario.iam_group(),
    ]
    .iter()
    .enumerate()
    {
        let other = scenario.for_another_user(access);
        let name = |who: &str| format!("{who}-{number}");
        let ends = scenario.apply(&Grant::of(access).named(&name("ends")));
        let stays = scenario.apply(&Grant::of(&other).named(&name("stays")));
        ends.wait_until_given();
        stays.wait_until_given();
        ends.delete();
        ends.wait_until_gone();
        ends.assert_in_aws(false);
        stays.assert_in_aws(true);
        assert_eq!(stays.row()["STATE"], "Active");
    }
}
