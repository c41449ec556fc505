//! The world changes while nobody calls.

use aws_simulator::{Change, ChangeError};

use crate::virtual_cloud::{Cloud, PAYMENTS, PRODUCTION, pass};

fn by_hand(present: bool) -> Change {
    let (account, permission_set, principal) = (
        PAYMENTS.to_owned(),
        "AdministratorAccess".to_owned(),
        "alice@example.com".to_owned(),
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

#[tokio::test(start_paused = true)]
async fn assignments_made_and_removed_by_hand_are_there_and_gone_at_once() {
    let cloud = Cloud::example();
    let tuple = cloud.tuple();
    cloud.change(&by_hand(true));
    assert_eq!(tuple.listed().await.len(), 1);
    cloud.change(&by_hand(false));
    assert_eq!(tuple.listed().await.len(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_is_made_again_has_another_id_and_nothing_of_the_old() {
    let cloud = Cloud::example();
    let before = cloud.instance();
    cloud.change(&by_hand(true));
    cloud.change(&Change::AddGroupMember {
        group: "Operators".to_owned(),
        user: "alice@example.com".to_owned(),
    });
    cloud.change(&Change::RecreateUser {
        user: "alice@example.com".to_owned(),
    });
    cloud.change(&Change::RecreateGroup {
        group: "Everyone".to_owned(),
    });
    cloud.change(&Change::RecreatePermissionSet {
        permission_set: "ReadOnlyAccess".to_owned(),
    });
    let after = cloud.instance();
    assert_ne!(
        before.user_id("alice@example.com"),
        after.user_id("alice@example.com")
    );
    assert_ne!(before.group_id("Everyone"), after.group_id("Everyone"));
    assert_ne!(
        before.permission_set_arn("ReadOnlyAccess"),
        after.permission_set_arn("ReadOnlyAccess")
    );
    let truth = cloud.simulator.truth();
    assert!(!truth.is_member("Operators", "alice@example.com"));
    assert!(!truth.is_member("Everyone", "bob@example.com"));
    assert!(
        !truth.is_assigned(PAYMENTS, "AdministratorAccess", "alice@example.com"),
        "the row is the old user's"
    );
    assert_eq!(after.assignments[0].principal, None);
    assert_eq!(
        after.user_id("bob@example.com"),
        before.user_id("bob@example.com")
    );
}

#[tokio::test(start_paused = true)]
async fn a_membership_that_was_removed_and_made_again_has_another_id() {
    let cloud = Cloud::example();
    let membership = || {
        let instance = cloud.instance();
        let group = instance
            .groups
            .iter()
            .find(|group| group.display_name == "Everyone")
            .unwrap();
        group
            .members
            .first()
            .map(|member| member.membership_id.clone())
    };
    let before = membership();
    let (group, user) = ("Everyone".to_owned(), "bob@example.com".to_owned());
    cloud.change(&Change::RemoveGroupMember {
        group: group.clone(),
        user: user.clone(),
    });
    assert_eq!(membership(), None);
    cloud.change(&Change::AddGroupMember { group, user });
    assert!(membership().is_some() && membership() != before);
}

#[tokio::test(start_paused = true)]
async fn users_are_renamed_and_disabled() {
    let cloud = Cloud::example();
    let id = cloud.user_id("alice@example.com");
    cloud.change(&Change::DisableUser { user: id.clone() });
    cloud.change(&Change::RenameUser {
        user: id.clone(),
        user_name: "alice.smith@example.com".to_owned(),
    });
    let user = cloud
        .store()
        .describe_user()
        .identity_store_id(cloud.instance().identity_store_id)
        .user_id(&id)
        .send()
        .await
        .unwrap();
    assert_eq!(user.user_name(), Some("alice.smith@example.com"));
    assert_eq!(
        user.user_status(),
        Some(&aws_sdk_identitystore::types::UserStatus::Disabled)
    );
}

#[tokio::test(start_paused = true)]
async fn a_permission_set_takes_its_assignments_with_it_and_stops_those_under_way() {
    let cloud = Cloud::example();
    let (alice, bob) = (cloud.tuple(), cloud.tuple_of("bob@example.com"));
    alice.create().await.unwrap();
    pass(3).await;
    let id = bob.create().await.unwrap().request_id.unwrap();
    cloud.change(&Change::DeletePermissionSet {
        permission_set: "AdministratorAccess".to_owned(),
    });
    pass(3).await;
    assert_eq!(cloud.instance().assignments, []);
    assert_eq!(
        bob.creation(&id).await.status,
        Some(aws_sdk_ssoadmin::types::StatusValues::Failed)
    );
}

#[tokio::test(start_paused = true)]
async fn iam_changes_too() {
    let cloud = Cloud::example();
    let (account, user, group) = (
        PRODUCTION.to_owned(),
        "alice".to_owned(),
        "Operators".to_owned(),
    );
    cloud.change(&Change::AddIamGroupMember {
        account: account.clone(),
        group: group.clone(),
        user: user.clone(),
    });
    assert!(
        cloud
            .simulator
            .truth()
            .is_iam_member(PRODUCTION, "Operators", "alice")
    );
    cloud.change(&Change::RenameIamUser {
        account: account.clone(),
        user,
        new_name: "alicia".to_owned(),
    });
    assert!(
        cloud
            .simulator
            .truth()
            .is_iam_member(PRODUCTION, "Operators", "alicia")
    );
    cloud.change(&Change::RecreateIamGroup {
        account: account.clone(),
        group,
    });
    assert!(
        !cloud
            .simulator
            .truth()
            .is_iam_member(PRODUCTION, "Operators", "alicia")
    );
    let again = cloud.simulator.change(&Change::DeleteIamUser {
        account,
        user: "alice".to_owned(),
    });
    assert_eq!(
        again,
        Err(ChangeError::Missing {
            kind: "IAM user",
            name: "alice".to_owned()
        })
    );
}

#[tokio::test(start_paused = true)]
async fn the_same_seed_gives_the_same_world() {
    let (one, other) = (Cloud::example(), Cloud::example());
    assert_eq!(one.simulator.truth(), other.simulator.truth());
    for cloud in [&one, &other] {
        cloud.tuple().create().await.unwrap();
    }
    assert_eq!(
        one.instance().operations[0].request_id,
        other.instance().operations[0].request_id
    );
}
