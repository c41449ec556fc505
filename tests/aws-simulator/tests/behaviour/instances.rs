//! Instances, permission sets, Regions and partitions.

use aws_sdk_identitystore::operation::list_users::ListUsersError;
use aws_sdk_ssoadmin::types::{InstanceStatus, RegionScope};
use aws_simulator::{Change, Seed, SeedInstance};

use crate::virtual_cloud::{Cloud, MANAGEMENT, PAYMENTS, code, refused};

#[tokio::test(start_paused = true)]
async fn the_instance_is_listed_and_described() {
    let cloud = Cloud::example();
    let answer = cloud.sso().list_instances().send().await.unwrap();
    let [listed] = answer.instances() else {
        panic!("{answer:?}")
    };
    let truth = cloud.instance();
    assert_eq!(listed.instance_arn.as_deref(), Some(truth.arn.as_str()));
    assert_eq!(
        listed.identity_store_id.as_deref(),
        Some(truth.identity_store_id.as_str())
    );
    assert_eq!(listed.owner_account_id.as_deref(), Some(MANAGEMENT));
    assert_eq!(listed.status, Some(InstanceStatus::Active));
    assert_eq!(listed.primary_region.as_deref(), Some("us-east-1"));

    let described = cloud
        .sso()
        .describe_instance()
        .instance_arn(&truth.arn)
        .send()
        .await
        .unwrap();
    assert_eq!(described.permission_sets_enabled, Some(true));
    cloud.change(&Change::EnablePermissionSets {
        arn: truth.arn.clone(),
        enabled: false,
    });
    let described = cloud
        .sso()
        .describe_instance()
        .instance_arn(&truth.arn)
        .send()
        .await
        .unwrap();
    assert_eq!(described.permission_sets_enabled, Some(false));
    assert_eq!(code(cloud.tuple().create().await), "ValidationException");
}

#[tokio::test(start_paused = true)]
async fn there_can_be_no_instance_or_two() {
    let cloud = Cloud::new(&Seed {
        instances: Vec::new(),
        ..Seed::example()
    });
    assert!(
        cloud
            .sso()
            .list_instances()
            .send()
            .await
            .unwrap()
            .instances()
            .is_empty()
    );
    let arn = cloud
        .change(&Change::AddInstance(SeedInstance::default()))
        .unwrap();
    assert_eq!(
        cloud
            .sso()
            .list_instances()
            .send()
            .await
            .unwrap()
            .instances()
            .len(),
        1
    );
    cloud.change(&Change::AddInstance(SeedInstance {
        owner: Some(PAYMENTS.to_owned()),
        ..SeedInstance::default()
    }));
    let payments = aws_sdk_ssoadmin::Client::new(&cloud.config(PAYMENTS, "us-east-1"));
    assert_eq!(
        payments
            .list_instances()
            .send()
            .await
            .unwrap()
            .instances()
            .len(),
        2
    );
    assert_eq!(
        cloud
            .sso()
            .list_instances()
            .send()
            .await
            .unwrap()
            .instances()
            .len(),
        1,
        "account instances are their owner's"
    );
    cloud.change(&Change::RemoveInstance { arn });
    assert!(
        cloud
            .sso()
            .list_instances()
            .send()
            .await
            .unwrap()
            .instances()
            .is_empty()
    );
}

#[tokio::test(start_paused = true)]
async fn an_instance_is_found_in_its_own_region_only() {
    let cloud = Cloud::example();
    let (arn, store) = (cloud.instance().arn, cloud.instance().identity_store_id);
    let elsewhere = cloud.config(MANAGEMENT, "eu-west-1");
    let client = aws_sdk_ssoadmin::Client::new(&elsewhere);
    assert!(
        client
            .list_instances()
            .send()
            .await
            .unwrap()
            .instances()
            .is_empty()
    );
    let everywhere = client
        .list_instances()
        .region_scope(RegionScope::AllRegions)
        .send()
        .await
        .unwrap();
    assert_eq!(everywhere.instances().len(), 1);
    assert_eq!(
        code(
            client
                .list_permission_sets()
                .instance_arn(&arn)
                .send()
                .await
        ),
        "ResourceNotFoundException"
    );
    assert_eq!(
        code(client.describe_instance().instance_arn(&arn).send().await),
        "AccessDeniedException"
    );
    let client = aws_sdk_identitystore::Client::new(&elsewhere);
    let error = refused!(
        client.list_users().identity_store_id(store).send().await,
        ListUsersError::ResourceNotFoundException
    );
    assert_eq!(
        error.resource_type,
        Some(aws_sdk_identitystore::types::ResourceType::IdentityStore)
    );
}

#[tokio::test(start_paused = true)]
async fn permission_sets_are_made_described_and_removed() {
    let cloud = Cloud::example();
    let (sso, arn) = (cloud.sso(), cloud.instance().arn);
    let tag = aws_sdk_ssoadmin::types::Tag::builder()
        .key("team")
        .value("payments")
        .build()
        .unwrap();
    let made = sso
        .create_permission_set()
        .instance_arn(&arn)
        .name("Auditor")
        .session_duration("PT8H")
        .tags(tag)
        .send()
        .await
        .unwrap();
    let made = made.permission_set.unwrap();
    let set = made.permission_set_arn.clone().unwrap();
    let instance_id = arn.rsplit('/').next().unwrap();
    assert!(
        set.starts_with(&format!("arn:aws:sso:::permissionSet/{instance_id}/ps-")),
        "{set}"
    );
    let again = sso
        .create_permission_set()
        .instance_arn(&arn)
        .name("Auditor")
        .send()
        .await;
    assert_eq!(code(again), "ConflictException");

    let described = sso
        .describe_permission_set()
        .instance_arn(&arn)
        .permission_set_arn(&set)
        .send()
        .await
        .unwrap();
    let described = described.permission_set.unwrap();
    assert_eq!(
        (
            described.name.as_deref(),
            described.session_duration.as_deref()
        ),
        (Some("Auditor"), Some("PT8H"))
    );
    let plain = sso
        .create_permission_set()
        .instance_arn(&arn)
        .name("Plain")
        .send()
        .await
        .unwrap()
        .permission_set
        .unwrap();
    assert_eq!(
        plain.session_duration.as_deref(),
        Some("PT1H"),
        "the default is an hour"
    );
    let tags = sso
        .list_tags_for_resource()
        .resource_arn(&set)
        .send()
        .await
        .unwrap();
    assert_eq!(
        (tags.tags()[0].key(), tags.tags()[0].value()),
        ("team", "payments")
    );

    let listed = sso
        .list_permission_sets()
        .instance_arn(&arn)
        .send()
        .await
        .unwrap();
    assert_eq!(listed.permission_sets().len(), 4);
    sso.delete_permission_set()
        .instance_arn(&arn)
        .permission_set_arn(&set)
        .send()
        .await
        .unwrap();
    let gone = sso
        .describe_permission_set()
        .instance_arn(&arn)
        .permission_set_arn(&set)
        .send()
        .await;
    assert_eq!(code(gone), "ResourceNotFoundException");
}

#[tokio::test(start_paused = true)]
async fn a_permission_set_in_use_stays() {
    let cloud = Cloud::example();
    let tuple = cloud.tuple();
    let remove = || {
        tuple
            .client
            .delete_permission_set()
            .instance_arn(&tuple.instance_arn)
            .permission_set_arn(&tuple.permission_set_arn)
    };
    tuple.create().await.unwrap();
    assert_eq!(code(remove().send().await), "ConflictException");
    crate::virtual_cloud::pass(3).await;
    assert_eq!(code(remove().send().await), "ConflictException");
}

#[tokio::test(start_paused = true)]
async fn other_partitions_have_their_own_arns() {
    for partition in ["aws-cn", "aws-us-gov"] {
        let cloud = Cloud::new(&Seed {
            partition: partition.to_owned(),
            ..Seed::example()
        });
        let instance = cloud.instance();
        assert!(
            instance
                .arn
                .starts_with(&format!("arn:{partition}:sso:::instance/ssoins-")),
            "{}",
            instance.arn
        );
        assert!(
            instance.permission_sets[0]
                .arn
                .starts_with(&format!("arn:{partition}:sso:::permissionSet/"))
        );
        assert!(cloud.tuple().create().await.is_ok());
        let user = cloud
            .iam()
            .get_user()
            .user_name("alice")
            .send()
            .await
            .unwrap()
            .user
            .unwrap();
        assert!(user.arn().starts_with(&format!("arn:{partition}:iam::")));
        let caller = cloud
            .sts(MANAGEMENT)
            .get_caller_identity()
            .send()
            .await
            .unwrap();
        assert!(
            caller
                .arn()
                .unwrap()
                .starts_with(&format!("arn:{partition}:"))
        );
    }
}
