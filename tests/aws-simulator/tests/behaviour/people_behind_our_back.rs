//! The world changes while nobody calls.

use aws_simulator::{AccessTuple, AccountStatus, Change, ChangeError};

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

#[tokio::test(start_paused = true)]
async fn a_synchronisation_writes_over_the_members_of_a_group() {
    let cloud = Cloud::example();
    let members = || {
        let mut groups = cloud.instance().groups.into_iter();
        let group = groups.find(|group| group.display_name == "Everyone");
        group.unwrap().members
    };
    cloud.change(&Change::AddGroupMember {
        group: "Everyone".to_owned(),
        user: "alice@example.com".to_owned(),
    });
    let bob = members()
        .into_iter()
        .find(|member| member.user_name == "bob@example.com");
    cloud.change(&Change::SetGroupMembers {
        group: "Everyone".to_owned(),
        users: vec!["bob@example.com".to_owned(), "carol@example.com".to_owned()],
    });
    let now = members();
    let mut names: Vec<_> = now.iter().map(|one| one.user_name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["bob@example.com", "carol@example.com"]);
    assert!(
        now.contains(&bob.unwrap()),
        "who stays keeps the membership"
    );
    let unknown = cloud.simulator.change(&Change::SetGroupMembers {
        group: "Everyone".to_owned(),
        users: vec!["nobody".to_owned()],
    });
    assert!(unknown.is_err() && members() == now);
}

#[tokio::test(start_paused = true)]
async fn a_membership_is_renewed_at_once() {
    let cloud = Cloud::example();
    let before = cloud.simulator.effects_since(0).len();
    let (group, user) = ("Everyone".to_owned(), "bob@example.com".to_owned());
    let made = cloud.change(&Change::RenewGroupMember { group, user });
    let effects = cloud.simulator.effects_since(0);
    let [gone, come] = &effects[before..] else {
        panic!("{effects:?}");
    };
    assert!(!gone.present && come.present && gone.time == come.time);
    assert!(
        matches!(&come.access, AccessTuple::GroupMembership { membership, .. } if Some(membership) == made.as_ref())
    );
}

#[tokio::test(start_paused = true)]
async fn a_synchronisation_takes_a_group_over() {
    let cloud = Cloud::example();
    let external_ids = async || {
        let group = cloud.store().describe_group();
        let group = group.identity_store_id(cloud.instance().identity_store_id);
        let group = group.group_id(cloud.group_id("Operators")).send().await;
        group.unwrap().external_ids().len()
    };
    let change = |external_id: Option<&str>| {
        cloud.change(&Change::SetGroupExternalId {
            group: "Operators".to_owned(),
            external_id: external_id.map(str::to_owned),
        })
    };
    change(Some("7"));
    assert_eq!(external_ids().await, 1);
    change(None);
    assert_eq!(external_ids().await, 0);
}

#[tokio::test(start_paused = true)]
async fn an_account_is_closed_and_leaves_with_its_assignments() {
    let cloud = Cloud::example();
    let tuple = cloud.tuple();
    cloud.change(&by_hand(true));
    cloud.change(&Change::SetAccountStatus {
        account: PAYMENTS.to_owned(),
        status: AccountStatus::Suspended,
    });
    assert_eq!(tuple.listed().await.len(), 1, "a closed one keeps them");
    let leave = Change::RemoveAccount {
        account: PAYMENTS.to_owned(),
    };
    cloud.change(&leave);
    assert_eq!(tuple.listed().await.len(), 0);
    assert!(cloud.simulator.truth().account(PAYMENTS).is_none());
    assert_eq!(
        crate::virtual_cloud::code(tuple.create().await),
        "ResourceNotFoundException"
    );
    let client = cloud.sts(PAYMENTS).get_caller_identity().send().await;
    assert_eq!(crate::virtual_cloud::code(client), "InvalidClientTokenId");
    assert!(cloud.simulator.change(&leave).is_err());
    let give = cloud.simulator.change(&by_hand(true));
    assert!(give.is_err(), "nobody is given anything in it any more");
}
