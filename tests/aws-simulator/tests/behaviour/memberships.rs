//! Memberships of the identity store.

use aws_sdk_identitystore::operation::create_group_membership::CreateGroupMembershipError;
use aws_sdk_identitystore::operation::delete_group_membership::DeleteGroupMembershipError;
use aws_sdk_identitystore::operation::get_group_membership_id::GetGroupMembershipIdError;
use aws_sdk_identitystore::types::{ConflictExceptionReason, MemberId, ResourceType};
use jiff::SignedDuration;

use crate::virtual_cloud::{Cloud, code, pass, refused};

fn store(cloud: &Cloud) -> String {
    cloud.instance().identity_store_id
}

#[tokio::test(start_paused = true)]
async fn a_membership_is_made_once_and_removed_by_its_id() {
    let cloud = Cloud::example();
    let (client, store) = (cloud.store(), store(&cloud));
    let (group, member) = (
        cloud.group_id("Operators"),
        MemberId::UserId(cloud.user_id("alice@example.com")),
    );
    let join = || {
        client
            .create_group_membership()
            .identity_store_id(&store)
            .group_id(&group)
            .member_id(member.clone())
    };
    let id = join().send().await.unwrap().membership_id().to_owned();
    let again = refused!(
        join().send().await,
        CreateGroupMembershipError::ConflictException
    );
    assert_eq!(
        again.reason(),
        Some(&ConflictExceptionReason::UniquenessConstraintViolation)
    );
    assert!(
        cloud
            .simulator
            .truth()
            .is_member("Operators", "alice@example.com")
    );

    let leave = || {
        client
            .delete_group_membership()
            .identity_store_id(&store)
            .membership_id(&id)
    };
    leave().send().await.unwrap();
    let gone = refused!(
        leave().send().await,
        DeleteGroupMembershipError::ResourceNotFoundException
    );
    assert_eq!(gone.resource_type(), Some(&ResourceType::GroupMembership));
    let find = client
        .get_group_membership_id()
        .identity_store_id(&store)
        .group_id(&group)
        .member_id(member.clone());
    let gone = refused!(
        find.send().await,
        GetGroupMembershipIdError::ResourceNotFoundException
    );
    assert_eq!(gone.resource_type(), Some(&ResourceType::GroupMembership));
    let next = join().send().await.unwrap().membership_id().to_owned();
    assert_ne!(next, id, "a new membership has a new id");
}

#[tokio::test(start_paused = true)]
async fn all_reads_agree_on_a_membership() {
    let cloud = Cloud::example();
    let (client, store) = (cloud.store(), store(&cloud));
    let (group, member) = (
        cloud.group_id("Everyone"),
        MemberId::UserId(cloud.user_id("bob@example.com")),
    );
    let find = client
        .get_group_membership_id()
        .identity_store_id(&store)
        .group_id(&group)
        .member_id(member.clone());
    let id = find.send().await.unwrap().membership_id;
    let described = client
        .describe_group_membership()
        .identity_store_id(&store)
        .membership_id(&id)
        .send()
        .await
        .unwrap();
    assert_eq!(
        (described.group_id(), described.member_id()),
        (group.as_str(), Some(&member))
    );
    let groups = [group.clone(), cloud.group_id("Operators")];
    let checked = client
        .is_member_in_groups()
        .identity_store_id(&store)
        .member_id(member.clone());
    let checked = checked
        .set_group_ids(Some(groups.to_vec()))
        .send()
        .await
        .unwrap();
    let results: Vec<_> = checked
        .results()
        .iter()
        .map(|result| (result.group_id().unwrap(), result.membership_exists()))
        .collect();
    assert_eq!(
        results,
        [(groups[0].as_str(), true), (groups[1].as_str(), false)]
    );
    let of_group = client
        .list_group_memberships()
        .identity_store_id(&store)
        .group_id(&group)
        .send()
        .await
        .unwrap();
    assert_eq!(of_group.group_memberships()[0].membership_id(), id);
    let of_member = client
        .list_group_memberships_for_member()
        .identity_store_id(&store)
        .member_id(member)
        .send()
        .await
        .unwrap();
    assert_eq!(
        of_member.group_memberships()[0].group_id(),
        Some(group.as_str())
    );
}

#[tokio::test(start_paused = true)]
async fn a_missing_group_is_told_from_a_missing_user() {
    let cloud = Cloud::example();
    let (client, store) = (cloud.store(), store(&cloud));
    let (group, alice) = (
        cloud.group_id("Operators"),
        cloud.user_id("alice@example.com"),
    );
    let join = |group: &str, user: &str| {
        let member = MemberId::UserId(user.to_owned());
        client
            .create_group_membership()
            .identity_store_id(&store)
            .group_id(group)
            .member_id(member)
            .send()
    };
    let kind = async |group: &str, user: &str| {
        let error = refused!(
            join(group, user).await,
            CreateGroupMembershipError::ResourceNotFoundException
        );
        error.resource_type().cloned()
    };
    assert_eq!(kind(&alice, &alice).await, Some(ResourceType::Group));
    assert_eq!(kind(&group, &group).await, Some(ResourceType::User));
}

#[tokio::test(start_paused = true)]
async fn memberships_end_with_their_user_or_group() {
    let cloud = Cloud::example();
    assert!(
        cloud
            .simulator
            .truth()
            .is_member("Everyone", "bob@example.com")
    );
    let bob = cloud.user_id("bob@example.com");
    let (client, store) = (cloud.store(), store(&cloud));
    client
        .delete_user()
        .identity_store_id(&store)
        .user_id(&bob)
        .send()
        .await
        .unwrap();
    let everyone = cloud.group_id("Everyone");
    let left = client
        .list_group_memberships()
        .identity_store_id(&store)
        .group_id(&everyone)
        .send()
        .await
        .unwrap();
    assert!(left.group_memberships().is_empty());

    let made = client
        .create_group()
        .identity_store_id(&store)
        .display_name("Night shift")
        .send()
        .await
        .unwrap();
    let member = MemberId::UserId(cloud.user_id("alice@example.com"));
    let join = client
        .create_group_membership()
        .identity_store_id(&store)
        .group_id(made.group_id());
    join.member_id(member.clone()).send().await.unwrap();
    client
        .delete_group()
        .identity_store_id(&store)
        .group_id(made.group_id())
        .send()
        .await
        .unwrap();
    let left = client
        .list_group_memberships_for_member()
        .identity_store_id(&store)
        .member_id(member)
        .send()
        .await
        .unwrap();
    assert!(left.group_memberships().is_empty());
}

#[tokio::test(start_paused = true)]
async fn membership_reads_can_be_old() {
    let cloud = Cloud::example();
    cloud
        .simulator
        .set(|settings| settings.staleness.identity_store = SignedDuration::from_secs(20));
    let (client, store) = (cloud.store(), store(&cloud));
    let member = MemberId::UserId(cloud.user_id("alice@example.com"));
    let group = cloud.group_id("Operators");
    let join = || {
        client
            .create_group_membership()
            .identity_store_id(&store)
            .group_id(&group)
            .member_id(member.clone())
    };
    let find = || {
        client
            .get_group_membership_id()
            .identity_store_id(&store)
            .group_id(&group)
            .member_id(member.clone())
    };
    join().send().await.unwrap();
    assert_eq!(code(find().send().await), "ResourceNotFoundException");
    assert_eq!(
        code(join().send().await),
        "ConflictException",
        "writes see what is"
    );
    pass(21).await;
    assert!(find().send().await.is_ok());
}
