//! IAM users and groups.

use aws_simulator::{Change, Rate};
use jiff::SignedDuration;

use crate::virtual_cloud::{Cloud, PRODUCTION, code, code_of, pass};

#[tokio::test(start_paused = true)]
async fn names_ignore_case_and_keep_their_spelling() {
    let cloud = Cloud::example();
    let iam = cloud.iam();
    let user = iam
        .get_user()
        .user_name("ALICE")
        .send()
        .await
        .unwrap()
        .user
        .unwrap();
    assert_eq!(user.user_name(), "alice");
    assert!(
        user.user_id().starts_with("AIDA") && user.user_id().len() == 21,
        "{}",
        user.user_id()
    );
    assert_eq!(user.arn(), "arn:aws:iam::444455556666:user/alice");
    assert_eq!(
        code(iam.create_user().user_name("Alice").send().await),
        "EntityAlreadyExists"
    );
    assert_eq!(
        code(iam.create_group().group_name("OPERATORS").send().await),
        "EntityAlreadyExists"
    );
    let group = iam
        .get_group()
        .group_name("operators")
        .send()
        .await
        .unwrap()
        .group
        .unwrap();
    assert_eq!(group.group_name(), "Operators");
    assert!(group.group_id().starts_with("AGPA"));
    iam.add_user_to_group()
        .user_name("aLiCe")
        .group_name("OPERATORS")
        .send()
        .await
        .unwrap();
    assert!(
        cloud
            .simulator
            .truth()
            .is_iam_member(PRODUCTION, "Operators", "alice")
    );
}

#[tokio::test(start_paused = true)]
async fn a_user_joins_and_leaves_a_group() {
    let cloud = Cloud::example();
    let iam = cloud.iam();
    let leave = || {
        iam.remove_user_from_group()
            .user_name("alice")
            .group_name("Operators")
            .send()
    };
    assert_eq!(code(leave().await), "NoSuchEntity", "not a member");
    for _ in 0..2 {
        iam.add_user_to_group()
            .user_name("alice")
            .group_name("Operators")
            .send()
            .await
            .unwrap();
    }
    let groups = iam
        .list_groups_for_user()
        .user_name("alice")
        .send()
        .await
        .unwrap();
    let names: Vec<_> = groups
        .groups()
        .iter()
        .map(aws_sdk_iam::types::Group::group_name)
        .collect();
    assert_eq!(names, ["Operators"]);
    let members = iam
        .get_group()
        .group_name("Operators")
        .send()
        .await
        .unwrap();
    assert_eq!(members.users()[0].user_name(), "alice");
    assert_eq!(
        code(iam.delete_user().user_name("alice").send().await),
        "DeleteConflict"
    );
    assert_eq!(
        code(iam.delete_group().group_name("Operators").send().await),
        "DeleteConflict"
    );
    leave().await.unwrap();
    let error = leave().await.unwrap_err();
    assert_eq!(error.raw_response().unwrap().status().as_u16(), 404);
    assert!(error.into_service_error().is_no_such_entity_exception());
    assert_eq!(
        code(
            iam.add_user_to_group()
                .user_name("nobody")
                .group_name("Operators")
                .send()
                .await
        ),
        "NoSuchEntity"
    );
    assert_eq!(
        code(
            iam.add_user_to_group()
                .user_name("alice")
                .group_name("None")
                .send()
                .await
        ),
        "NoSuchEntity"
    );
}

#[tokio::test(start_paused = true)]
async fn a_user_is_in_ten_groups_at_most() {
    let cloud = Cloud::example();
    let iam = cloud.iam();
    for number in 0..11 {
        let name = format!("group{number}");
        iam.create_group().group_name(&name).send().await.unwrap();
        let joined = iam
            .add_user_to_group()
            .user_name("alice")
            .group_name(&name)
            .send()
            .await;
        if number < 10 {
            joined.unwrap();
            continue;
        }
        let error = joined.unwrap_err();
        assert_eq!(error.raw_response().unwrap().status().as_u16(), 409);
        assert!(error.into_service_error().is_limit_exceeded_exception());
    }
    iam.add_user_to_group()
        .user_name("alice")
        .group_name("group3")
        .send()
        .await
        .unwrap();
}

#[tokio::test(start_paused = true)]
async fn group_members_come_in_pages() {
    let cloud = Cloud::example();
    let iam = cloud.iam();
    for name in ["alice", "bob"] {
        iam.add_user_to_group()
            .user_name(name)
            .group_name("Operators")
            .send()
            .await
            .unwrap();
    }
    let first = iam
        .get_group()
        .group_name("Operators")
        .max_items(1)
        .send()
        .await
        .unwrap();
    assert!(first.is_truncated());
    let second = iam
        .get_group()
        .group_name("Operators")
        .set_marker(first.marker)
        .send()
        .await
        .unwrap();
    assert!(!second.is_truncated());
    let names: Vec<_> = first
        .users
        .iter()
        .chain(&second.users)
        .map(|user| user.user_name.as_str())
        .collect();
    assert_eq!(names, ["alice", "bob"]);
    let wrong = iam.list_users().marker("nonsense").send().await;
    assert_eq!(code(wrong), "ValidationError");
}

#[tokio::test(start_paused = true)]
async fn users_made_again_have_other_ids_and_no_groups() {
    let cloud = Cloud::example();
    let iam = cloud.iam();
    iam.add_user_to_group()
        .user_name("alice")
        .group_name("Operators")
        .send()
        .await
        .unwrap();
    let before = iam
        .get_user()
        .user_name("alice")
        .send()
        .await
        .unwrap()
        .user
        .unwrap();
    cloud.change(&Change::RecreateIamUser {
        account: PRODUCTION.to_owned(),
        user: "alice".to_owned(),
    });
    let after = iam
        .get_user()
        .user_name("alice")
        .send()
        .await
        .unwrap()
        .user
        .unwrap();
    assert_ne!(before.user_id(), after.user_id());
    assert!(
        iam.list_groups_for_user()
            .user_name("alice")
            .send()
            .await
            .unwrap()
            .groups()
            .is_empty()
    );
    iam.delete_user().user_name("alice").send().await.unwrap();
    assert_eq!(
        code(iam.get_user().user_name("alice").send().await),
        "NoSuchEntity"
    );
}

#[tokio::test(start_paused = true)]
async fn accounts_have_their_own_users() {
    let cloud = Cloud::example();
    let other =
        aws_sdk_iam::Client::new(&cloud.config(crate::virtual_cloud::PAYMENTS, "us-east-1"));
    assert_eq!(
        code(other.get_user().user_name("alice").send().await),
        "NoSuchEntity"
    );
    assert!(other.list_users().send().await.unwrap().users().is_empty());
    assert_eq!(
        cloud.iam().list_users().send().await.unwrap().users().len(),
        2
    );
}

#[tokio::test(start_paused = true)]
async fn iam_can_be_slow_to_show_and_quick_to_throttle() {
    let cloud = Cloud::example();
    let iam = cloud.iam();
    cloud.simulator.set(|settings| {
        settings.staleness.iam = SignedDuration::from_secs(10);
        settings.iam_rate = Some(Rate {
            per_second: 1.0,
            burst: 2.0,
        });
    });
    iam.add_user_to_group()
        .user_name("alice")
        .group_name("Operators")
        .send()
        .await
        .unwrap();
    assert!(
        iam.list_groups_for_user()
            .user_name("alice")
            .send()
            .await
            .unwrap()
            .groups()
            .is_empty()
    );
    let error = iam.list_users().send().await.unwrap_err();
    assert_eq!(error.raw_response().unwrap().status().as_u16(), 400);
    assert_eq!(code_of(&error), "Throttling");
    pass(11).await;
    assert_eq!(
        iam.list_groups_for_user()
            .user_name("alice")
            .send()
            .await
            .unwrap()
            .groups()
            .len(),
        1
    );
}
