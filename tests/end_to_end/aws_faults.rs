//! AWS refuses, fails, forgets to answer, or is slow. Access is given when it can be, and taken away in the end.

use aws_simulator::{AccountStatus, Action, Change, Fault, Service};

use crate::support::cloud::{PAYMENTS, STAGING, UNREACHABLE};
use crate::support::live_grant::condition;
use crate::support::{Access, Grant, LiveGrant, Scenario, Setup, World, eventually, seconds};

const CREATE: &str = "CreateAccountAssignment";
const DELETE: &str = "DeleteAccountAssignment";

/// A fault for the writes of one assignment.
fn fault(action: Action, operation: &str, access: &Access) -> Fault {
    Fault::new(action)
        .on(Service::SsoAdmin, operation)
        .with_parameter("PrincipalId", &access.user_id)
}

/// However the first tries to give and to take end, access is given and taken.
fn comes_through(theme: &str, action: &Action, shape: fn(Fault) -> Fault) {
    let scenario = Scenario::new(World::shared(), theme);
    let access = scenario.assignment();
    let simulator = &scenario.world.aws().simulator;
    simulator.add_fault(shape(fault(action.clone(), CREATE, &access)));
    let grant = scenario.apply(&Grant::of(&access));
    grant.wait_until_given();
    assert_eq!(grant.row()["STATE"], "Active");
    simulator.add_fault(shape(fault(action.clone(), DELETE, &access)));
    grant.revoke();
    grant.wait_until_taken("Revoked");
    assert_eq!(grant.row()["STATE"], "Revoked");
}

/// Fault 22. L1.
#[test]
fn an_operation_that_fails_later_is_tried_again() {
    let action = Action::FailOperation("Internal failure, please retry".to_owned());
    comes_through("failed", &action, |fault| fault.times(2));
}

#[test]
fn a_conflict_with_another_operation_is_tried_again() {
    let action = Action::error("ConflictException", "The operation conflicts with another");
    comes_through("conflict", &action, |fault| fault.times(3));
}

#[test]
fn a_throttled_write_is_tried_again() {
    let action = Action::error("ThrottlingException", "Rate exceeded");
    comes_through("throttled", &action, |fault| fault.times(4));
}

#[test]
fn an_internal_error_is_tried_again() {
    let action = Action::error("InternalServerException", "try again");
    comes_through("internal", &action, |fault| fault.times(2));
}

#[test]
fn an_answer_that_is_lost_before_the_effect_is_made_up_for() {
    comes_through("lost-request", &Action::Reset, |fault| fault.times(1));
}

#[test]
fn an_answer_that_is_lost_after_the_effect_does_no_harm() {
    comes_through("lost-answer", &Action::Reset, |fault| {
        fault.times(1).after_effect()
    });
}

#[test]
fn an_html_page_in_place_of_an_answer_is_tried_again() {
    comes_through("html", &Action::HtmlPage(502), |fault| fault.times(2));
}

/// The status of an operation is only a hint; the listing is the truth.
#[test]
fn a_status_that_can_not_be_read_holds_nothing_up() {
    // Statuses are asked for by the ids of requests, so nothing would tell another test's apart.
    let world = World::own(Setup::default());
    let scenario = Scenario::new(&world, "no-status");
    let simulator = &world.aws().simulator;
    let unread = |operation: &str| {
        let calls = simulator.calls_since(0).into_iter();
        let unread = calls.filter(|call| call.operation == operation && !call.succeeded());
        unread.count()
    };
    let (given, taken) = (
        "DescribeAccountAssignmentCreationStatus",
        "DescribeAccountAssignmentDeletionStatus",
    );
    for operation in [given, taken] {
        let broken = Fault::new(Action::HtmlPage(500)).on(Service::SsoAdmin, operation);
        simulator.add_fault(broken);
    }
    let grant = scenario.apply(&Grant::of(&scenario.assignment()));
    grant.wait_until_given();
    assert!(unread(given) > 0, "{}", grant.report());
    grant.revoke();
    grant.wait_until_taken("Revoked");
    assert!(unread(taken) > 0, "{}", grant.report());
}

/// Nobody but AWS can mend it, so it is told, and tried until it can be done.
#[test]
fn access_in_a_suspended_account_is_blocked_and_loud_and_goes_when_the_account_is_back() {
    let world = World::own(Setup::default().setting("blockedRetry", "5s"));
    let scenario = Scenario::new(&world, "suspended");
    let now_is = |status| {
        let account = PAYMENTS.to_owned();
        world
            .aws()
            .change(&Change::SetAccountStatus { account, status });
    };
    let grant = scenario.apply(&Grant::of(&scenario.assignment()).expires_in(seconds(12)));
    grant.wait_until_given();
    now_is(AccountStatus::Suspended);
    let seen = grant.wait("it is stalled and overdue", |found| {
        condition(found, "Stalled").is_some_and(|stalled| stalled["reason"] == "AccountBlocked")
            && condition(found, "RevokeOverdue").is_some()
    });
    assert_eq!(seen["status"]["state"], "Revoking", "{seen:#}");
    eventually("the access is blocked and overdue", || {
        let ledger = grant.ledger().unwrap();
        let holds = |kind| condition(&ledger, kind).is_some_and(|found| found["status"] == "True");
        holds("Blocked") && holds("RevokeOverdue")
    });
    grant.assert_in_aws(true);
    now_is(AccountStatus::Active);
    grant.wait_until_taken("Expired");
}

/// All of it is told at once: what is read in one look belongs together.
fn waits_for_a_person(grant: &LiveGrant<'_>) {
    let seen = grant.wait_for_condition("Stalled", "AccessDenied");
    let ready = condition(&seen, "Ready").unwrap();
    assert_eq!(ready["status"], "False", "{seen:#}");
    let message = ready["message"].as_str().unwrap();
    assert!(
        message.contains(CREATE) || message.contains(DELETE),
        "{seen:#}"
    );
}

#[test]
fn a_refused_create_is_told_and_given_once_allowed() {
    let scenario = Scenario::new(World::shared(), "create-refused");
    let access = scenario.assignment();
    let simulator = &scenario.world.aws().simulator;
    let refused = simulator.add_fault(fault(Action::AccessDenied, CREATE, &access));
    let grant = scenario.apply(&Grant::of(&access));
    waits_for_a_person(&grant);
    grant.assert_in_aws(false);
    assert_ne!(grant.row()["STATE"], "Active");
    simulator.remove_fault(refused);
    grant.wait_until_given();
}

/// Revokes are retried without limit, loudly.
#[test]
fn a_refused_delete_is_overdue_and_loud_until_it_is_allowed() {
    let scenario = Scenario::new(World::shared(), "delete-refused");
    let access = scenario.assignment();
    let simulator = &scenario.world.aws().simulator;
    let grant = scenario.apply(&Grant::of(&access).expires_in(seconds(10)));
    grant.wait_until_given();
    let refused = simulator.add_fault(fault(Action::AccessDenied, DELETE, &access));
    grant.wait_for_state("Revoking");
    waits_for_a_person(&grant);
    grant.wait_for_condition("RevokeOverdue", "StillPresent");
    assert_eq!(grant.row()["STATE"], "Revoking");
    assert_eq!(grant.condition("Granted").unwrap()["status"], "True");
    grant.assert_in_aws(true);
    let tries = scenario.deletes_of(&access);
    eventually("it is tried again and again", || {
        scenario.deletes_of(&access) > tries + 2
    });
    simulator.remove_fault(refused);
    grant.wait_until_taken("Expired");
    assert!(
        grant.condition("RevokeOverdue").is_none(),
        "{}",
        grant.report()
    );
}

/// An AWS outage must not hang a namespace for ever: the ledger remembers what the grant no longer can.
#[test]
fn a_deleted_grant_does_not_wait_for_aws_for_ever_and_access_ends_all_the_same() {
    let scenario = Scenario::new(World::shared(), "bounded");
    let access = scenario.assignment();
    let simulator = &scenario.world.aws().simulator;
    let grant = scenario.apply(&Grant::of(&access));
    grant.wait_until_given();
    let ledger = grant.ledger().unwrap()["metadata"]["name"]
        .as_str()
        .unwrap()
        .to_owned();
    let refused = simulator.add_fault(fault(Action::AccessDenied, DELETE, &access));
    grant.delete();
    grant.wait_until_gone();
    grant.assert_in_aws(true);
    let row = scenario
        .world
        .kubectl(&["get", "breakglassaccesses", &ledger]);
    assert!(row.contains(&access.user), "{row}");
    simulator.remove_fault(refused);
    grant.wait_in_aws(false);
}

#[test]
fn an_account_that_can_not_be_entered_holds_up_no_other() {
    let scenario = Scenario::new(World::shared(), "no-entry");
    let locked = scenario.apply(&Grant::of(&scenario.iam_group_in(UNREACHABLE)).named("locked"));
    let open = scenario.apply(&Grant::of(&scenario.iam_group_in(STAGING)).named("open"));
    open.wait_until_given();
    locked.wait_for_condition("Stalled", "AccessDenied");
    let message = locked.message();
    assert!(
        message.contains(UNREACHABLE) && message.contains("AssumeRole"),
        "{message}"
    );
    assert_eq!(locked.row()["STATE"], "Pending");
    open.revoke();
    open.wait_until_taken("Revoked");
}

#[test]
fn an_iam_user_in_ten_groups_is_told_and_given_access_once_out_of_one() {
    let scenario = Scenario::new(World::shared(), "ten-groups");
    let access = scenario.iam_group();
    let account = scenario.world.cloud.iam_account().to_owned();
    let others: Vec<Access> = (0..10)
        .map(|_| {
            let name = scenario.unique("Club");
            let entitlement_id = scenario.world.cloud.add_iam_group(&account, &name);
            let account = account.clone();
            let kind = crate::support::Kind::IamGroup { account, name };
            scenario.track(Access {
                kind,
                entitlement_id,
                ..access.clone()
            })
        })
        .collect();
    for other in &others {
        scenario.given_by_others(other);
    }
    let grant = scenario.apply(&Grant::of(&access));
    grant.wait_for_condition("Stalled", "QuotaExceeded");
    assert!(grant.message().contains("10"), "{}", grant.message());
    grant.assert_in_aws(false);
    scenario.taken_by_others(&others[0]);
    grant.wait_until_given();
}

/// IAM has errors of its own.
#[test]
fn a_failing_iam_is_tried_again() {
    let scenario = Scenario::new(World::shared(), "iam-fault");
    let access = scenario.iam_group();
    let simulator = &scenario.world.aws().simulator;
    let write = |operation: &str| {
        Fault::new(Action::error("ServiceFailure", "try again"))
            .on(Service::Iam, operation)
            .with_parameter("UserName", &access.user)
            .times(2)
    };
    simulator.add_fault(write("AddUserToGroup"));
    simulator.add_fault(write("RemoveUserFromGroup"));
    let grant = scenario.apply(&Grant::of(&access));
    grant.wait_until_given();
    grant.delete();
    grant.wait_until_gone();
    grant.wait_in_aws(false);
}

/// A mark on the user is for people; its failure holds nothing up.
#[test]
fn a_mark_that_can_not_be_set_or_removed_holds_nothing_up() {
    let scenario = Scenario::new(World::shared(), "no-mark");
    let access = scenario.iam_group();
    let simulator = &scenario.world.aws().simulator;
    for operation in ["TagUser", "UntagUser"] {
        let refused = Fault::new(Action::AccessDenied).on(Service::Iam, operation);
        simulator.add_fault(refused.with_parameter("UserName", &access.user));
    }
    let grant = scenario.apply(&Grant::of(&access));
    grant.wait_until_given();
    grant.revoke();
    grant.wait_until_taken("Revoked");
}

#[test]
fn a_mark_names_the_group_while_access_is_given() {
    let scenario = Scenario::new(World::shared(), "marked");
    let access = scenario.iam_group();
    let marks = || {
        let truth = scenario.world.aws().simulator.truth();
        let account = truth.account(scenario.world.cloud.iam_account()).unwrap();
        let user = account
            .users
            .iter()
            .find(|user| user.name == access.user)
            .unwrap();
        user.tags.len()
    };
    let grant = scenario.apply(&Grant::of(&access));
    grant.wait_until_given();
    assert_eq!(marks(), 1);
    let calls = scenario.calls_about(&[&access.user]);
    let puts = calls.iter().filter(|call| call.operation == "TagUser");
    assert_eq!(
        puts.count(),
        1,
        "it is put once, however often a turn is decided again"
    );
    grant.revoke();
    grant.wait_until_taken("Revoked");
    eventually("the mark is gone", || marks() == 0);
}
