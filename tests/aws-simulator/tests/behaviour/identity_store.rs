//! Users and groups of the identity store.

use aws_sdk_identitystore::operation::create_user::CreateUserError;
use aws_sdk_identitystore::operation::describe_user::DescribeUserError;
use aws_sdk_identitystore::operation::get_user_id::GetUserIdError;
use aws_sdk_identitystore::types::{
    AlternateIdentifier, ConflictExceptionReason, Email, ExternalId, ResourceType, UniqueAttribute,
    UserStatus,
};
use aws_simulator::Change;
use aws_smithy_types::Document;

use crate::virtual_cloud::{Cloud, code, refused};

fn attribute(path: &str, value: &str) -> AlternateIdentifier {
    let value = Document::String(value.to_owned());
    AlternateIdentifier::UniqueAttribute(
        UniqueAttribute::builder()
            .attribute_path(path)
            .attribute_value(value)
            .build()
            .unwrap(),
    )
}

fn store(cloud: &Cloud) -> String {
    cloud.instance().identity_store_id
}

#[tokio::test(start_paused = true)]
async fn a_user_is_found_by_name_or_address_whatever_the_case_unless_set_otherwise() {
    let cloud = Cloud::example();
    let find = |path: &'static str, value: &'static str| {
        let call = cloud.store().get_user_id().identity_store_id(store(&cloud));
        call.alternate_identifier(attribute(path, value)).send()
    };
    let alice = cloud.user_id("alice@example.com");
    assert_eq!(
        find("userName", "alice@example.com")
            .await
            .unwrap()
            .user_id(),
        alice
    );
    assert_eq!(
        find("emails.value", "alice@example.com")
            .await
            .unwrap()
            .user_id(),
        alice
    );
    assert_eq!(
        find("userName", "ALICE@example.com")
            .await
            .unwrap()
            .user_id(),
        alice
    );
    let described = cloud
        .store()
        .describe_user()
        .identity_store_id(store(&cloud))
        .user_id(&alice)
        .send()
        .await
        .unwrap();
    assert_eq!(
        described.user_name(),
        Some("alice@example.com"),
        "the answer has the stored spelling"
    );
    assert_eq!(described.user_status(), Some(&UserStatus::Enabled));

    cloud
        .simulator
        .set(|settings| settings.names_ignore_case = false);
    let error = refused!(
        find("userName", "ALICE@example.com").await,
        GetUserIdError::ResourceNotFoundException
    );
    assert_eq!(error.resource_type(), Some(&ResourceType::User));
    assert!(error.request_id().is_some());
    assert_eq!(
        code(find("displayName", "Alice").await),
        "ValidationException"
    );
}

#[tokio::test(start_paused = true)]
async fn users_are_made_changed_and_removed() {
    let cloud = Cloud::example();
    let (client, store) = (cloud.store(), store(&cloud));
    let email = Email::builder()
        .value("dave@example.com")
        .primary(true)
        .build();
    let made = client
        .create_user()
        .identity_store_id(&store)
        .user_name("dave")
        .display_name("Dave")
        .emails(email)
        .send()
        .await
        .unwrap();
    let id = made.user_id();
    assert_eq!(id.len(), 47);
    assert!(id.starts_with(store.trim_start_matches("d-")));
    let again = client
        .create_user()
        .identity_store_id(&store)
        .user_name("dave")
        .send()
        .await;
    assert_eq!(
        refused!(again, CreateUserError::ConflictException).reason(),
        Some(&ConflictExceptionReason::UniquenessConstraintViolation)
    );

    let listed = client
        .list_users()
        .identity_store_id(&store)
        .send()
        .await
        .unwrap();
    assert_eq!(listed.users().len(), 4);
    client
        .delete_user()
        .identity_store_id(&store)
        .user_id(id)
        .send()
        .await
        .unwrap();
    let gone = client
        .describe_user()
        .identity_store_id(&store)
        .user_id(id)
        .send()
        .await;
    assert_eq!(
        refused!(gone, DescribeUserError::ResourceNotFoundException).resource_id(),
        Some(id)
    );
}

#[tokio::test(start_paused = true)]
async fn groups_are_found_by_name_and_synchronised_ones_have_external_ids() {
    let cloud = Cloud::example();
    let (client, store) = (cloud.store(), store(&cloud));
    let id = cloud
        .change(&Change::CreateGroup {
            display_name: "Synced".to_owned(),
            external_id: Some("42".to_owned()),
        })
        .unwrap();
    let find = client
        .get_group_id()
        .identity_store_id(&store)
        .alternate_identifier(attribute("displayName", "Synced"));
    assert_eq!(find.send().await.unwrap().group_id(), id);
    let group = client
        .describe_group()
        .identity_store_id(&store)
        .group_id(&id)
        .send()
        .await
        .unwrap();
    let external = &group.external_ids()[0];
    assert_eq!(external.id(), "42");
    let external = ExternalId::builder()
        .issuer(external.issuer())
        .id("42")
        .build()
        .unwrap();
    let find = client
        .get_group_id()
        .identity_store_id(&store)
        .alternate_identifier(AlternateIdentifier::ExternalId(external));
    assert_eq!(find.send().await.unwrap().group_id(), id);
    let operators = cloud.group_id("Operators");
    let group = client
        .describe_group()
        .identity_store_id(&store)
        .group_id(operators)
        .send()
        .await
        .unwrap();
    assert!(group.external_ids().is_empty());
    assert_eq!(
        client
            .list_groups()
            .identity_store_id(&store)
            .send()
            .await
            .unwrap()
            .groups()
            .len(),
        3
    );
}
