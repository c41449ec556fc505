//! Who can act where, live sessions included, in the worst case.

use aws_simulator::{AccessTuple, Change, LONGEST_ROLE_SESSION, LastSession};
use jiff::{SignedDuration, Timestamp};

use crate::virtual_cloud::{Cloud, PAYMENTS, PRODUCTION, pass};

const ALICE: &str = "alice@example.com";
const HOUR: u64 = 3600;

fn assignment(principal: &str, present: bool) -> Change {
    let (account, permission_set, principal) = (
        PAYMENTS.to_owned(),
        "AdministratorAccess".to_owned(),
        principal.to_owned(),
    );
    if present {
        Change::CreateAssignment {
            account,
            permission_set,
            principal,
        }
    } else {
        Change::DeleteAssignment {
            account,
            permission_set,
            principal,
        }
    }
}

fn membership(user: &str, present: bool) -> Change {
    let (group, user) = ("Operators".to_owned(), user.to_owned());
    if present {
        Change::AddGroupMember { group, user }
    } else {
        Change::RemoveGroupMember { group, user }
    }
}

fn sessions_last(cloud: &Cloud, duration: &str) {
    cloud.change(&Change::SetSessionDuration {
        permission_set: "AdministratorAccess".to_owned(),
        session_duration: duration.to_owned(),
    });
}

fn of(cloud: &Cloud) -> AccessTuple {
    let tuple = cloud.tuple();
    AccessTuple::Assignment {
        account: tuple.account,
        permission_set: tuple.permission_set_arn,
        principal: tuple.user_id,
    }
}

fn after(cloud: &Cloud, seconds: u64) -> Timestamp {
    cloud.simulator.now() + SignedDuration::from_secs(i64::try_from(seconds).unwrap())
}

/// Whether Alice can act until just before that many seconds from now, and no longer.
fn acts_until(cloud: &Cloud, seconds: u64) -> bool {
    let end = after(cloud, seconds);
    let before = end - SignedDuration::from_nanos(1);
    let acts = |at| cloud.simulator.can_act(ALICE, PAYMENTS, at);
    acts(before) && !acts(end)
}

#[tokio::test(start_paused = true)]
async fn a_session_outlives_its_assignment_by_the_duration_of_the_permission_set() {
    let cloud = Cloud::example();
    sessions_last(&cloud, "PT4H");
    let start = cloud.simulator.now();
    let tuple = cloud.tuple();
    assert!(!cloud.simulator.can_act(ALICE, PAYMENTS, start));
    assert_eq!(
        cloud.simulator.last_session_end(&of(&cloud)),
        LastSession::Never
    );
    tuple.create().await.unwrap();
    pass(2).await;
    let made = cloud.simulator.now();
    assert!(cloud.simulator.can_act(ALICE, PAYMENTS, made));
    assert!(cloud.simulator.can_act(&tuple.user_id, PAYMENTS, made));
    assert!(!cloud.simulator.can_act(ALICE, PRODUCTION, made));
    assert!(!cloud.simulator.can_act("bob@example.com", PAYMENTS, made));
    let moment_before = made - SignedDuration::from_nanos(1);
    assert!(!cloud.simulator.can_act(ALICE, PAYMENTS, moment_before));
    assert_eq!(
        cloud.simulator.last_session_end(&of(&cloud)),
        LastSession::Open
    );

    pass(10 * HOUR).await;
    tuple.delete().await.unwrap();
    pass(2).await;
    assert!(acts_until(&cloud, 4 * HOUR));
    let end = after(&cloud, 4 * HOUR);
    assert_eq!(
        cloud.simulator.last_session_end(&of(&cloud)),
        LastSession::Ends(end)
    );
    assert_eq!(cloud.simulator.times_of_use(ALICE, PAYMENTS), [(made, end)]);
    cloud.simulator.forget_sessions(end);
    assert!(acts_until(&cloud, 4 * HOUR), "that is not over yet");
    pass(30 * HOUR).await;
    cloud.simulator.forget_sessions(cloud.simulator.now());
    assert_eq!(cloud.simulator.times_of_use(ALICE, PAYMENTS), []);
}

#[tokio::test(start_paused = true)]
async fn a_session_lasts_as_long_as_was_said_when_it_was_started() {
    let cloud = Cloud::example();
    sessions_last(&cloud, "PT8H");
    cloud.change(&assignment(ALICE, true));
    pass(HOUR).await;
    sessions_last(&cloud, "PT1H");
    pass(HOUR).await;
    cloud.change(&assignment(ALICE, false));
    assert!(acts_until(&cloud, 7 * HOUR), "one from before the change");

    let cloud = Cloud::example();
    cloud.change(&assignment(ALICE, true));
    pass(HOUR).await;
    cloud.change(&assignment(ALICE, false));
    sessions_last(&cloud, "PT8H");
    assert!(acts_until(&cloud, HOUR), "the change came too late");
}

#[tokio::test(start_paused = true)]
async fn who_has_left_a_group_can_start_sessions_for_an_hour() {
    let cloud = Cloud::example();
    sessions_last(&cloud, "PT2H");
    cloud.change(&assignment("Operators", true));
    let joined = cloud.change(&membership(ALICE, true)).unwrap();
    let access = cloud.simulator.membership(&joined).unwrap();
    assert_eq!(cloud.simulator.last_session_end(&access), LastSession::Open);
    cloud.change(&membership(ALICE, false));
    pass(1).await;
    assert!(acts_until(&cloud, 3 * HOUR - 1));
    assert_eq!(
        cloud.simulator.last_session_end(&access),
        LastSession::Ends(after(&cloud, 3 * HOUR - 1))
    );

    // An assignment of the group that is removed ends it at once, and one that is made within the hour counts.
    pass(HOUR / 2 - 1).await;
    cloud.change(&assignment("Operators", false));
    assert!(acts_until(&cloud, 2 * HOUR));
    pass(HOUR / 4).await;
    cloud.change(&assignment("Operators", true));
    assert!(acts_until(&cloud, 2 * HOUR + HOUR / 4));
}

#[tokio::test(start_paused = true)]
async fn who_is_disabled_or_deleted_starts_no_session_any_more() {
    for deleted in [false, true] {
        let cloud = Cloud::example();
        let access = of(&cloud);
        cloud.change(&assignment(ALICE, true));
        pass(HOUR).await;
        let user = ALICE.to_owned();
        cloud.change(&if deleted {
            Change::DeleteUser { user }
        } else {
            Change::DisableUser { user }
        });
        pass(60).await;
        assert!(acts_until(&cloud, HOUR - 60), "by the name it had");
        assert_eq!(
            cloud.simulator.last_session_end(&access),
            LastSession::Ends(after(&cloud, HOUR - 60)),
            "though the row stands"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn who_has_left_an_iam_group_may_have_taken_on_a_role_for_twelve_hours() {
    let cloud = Cloud::example();
    let iam = cloud.iam();
    let acts = |at| cloud.simulator.can_act("alice", PRODUCTION, at);
    assert!(!acts(cloud.simulator.now()));
    let join = iam.add_user_to_group().user_name("alice");
    join.group_name("Operators").send().await.unwrap();
    let access = cloud.simulator.effects_since(0).pop().unwrap().access;
    assert_eq!(cloud.simulator.last_session_end(&access), LastSession::Open);
    pass(HOUR).await;
    let leave = iam.remove_user_from_group().user_name("alice");
    leave.group_name("Operators").send().await.unwrap();
    let end = cloud.simulator.now() + LONGEST_ROLE_SESSION;
    assert!(acts(end - SignedDuration::from_nanos(1)) && !acts(end));
    assert_eq!(
        cloud.simulator.last_session_end(&access),
        LastSession::Ends(end)
    );
}
