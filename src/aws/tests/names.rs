//! Finding what a grant names.

use aws_simulator::{Action, ExternalId, Fault, Seed, SeedGroup, SeedPermissionSet, Service};

use super::*;
use crate::aws::ResolveError;
use crate::decide::policy::Management;

async fn stalled(aws: &Aws, user: &str, target: &Target) -> (&'static str, String) {
    match aws.resolve(user, target).await.unwrap_err() {
        ResolveError::Stalled { reason, message } => (reason, message),
        ResolveError::Aws(error) => panic!("{error:?}"),
    }
}

/// AWS ignores case where it looks names up; a policy that admits `alice` does not admit `Alice`.
#[tokio::test(start_paused = true)]
async fn a_name_in_another_case_is_told_with_the_right_spelling() {
    let cloud = Cloud::example();
    let (aws, iam) = (cloud.aws().await, cloud.aws_in_production().await);
    for (aws, user, target, right) in [
        (&aws, "Alice@example.com", assignment(), ALICE),
        (&aws, ALICE, group("operators"), "Operators"),
        (&iam, "ALICE", iam_group(), "alice"),
        (
            &iam,
            "alice",
            iam_group_in(PRODUCTION, "OPERATORS"),
            "Operators",
        ),
    ] {
        let (reason, message) = stalled(aws, user, &target).await;
        assert_eq!(reason, "NameMismatch", "{user} {target}");
        assert!(message.contains(&format!("{right:?}")), "{message}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_not_there_is_told_by_its_kind() {
    let mut seed = Seed::example();
    seed.instances[0].users[1].disabled = true;
    let cloud = Cloud::new(&seed);
    let (aws, iam) = (cloud.aws().await, cloud.aws_in_production().await);
    let set = |account: &str, name: &str| Target::AccountAssignment {
        account: account.to_owned(),
        permission_set: name.to_owned(),
    };
    for (aws, user, target, reason) in [
        (&aws, "nobody", assignment(), "UserNotFound"),
        (&aws, "bob@example.com", assignment(), "UserDisabled"),
        (&aws, ALICE, group("Nobodies"), "GroupNotFound"),
        (
            &aws,
            ALICE,
            set(PAYMENTS, "administratoraccess"),
            "PermissionSetNotFound",
        ),
        (&iam, "nobody", iam_group(), "UserNotFound"),
        (
            &iam,
            "alice",
            iam_group_in(PRODUCTION, "Nobodies"),
            "GroupNotFound",
        ),
        (
            &iam,
            "alice",
            iam_group_in(PAYMENTS, "Operators"),
            "AccountNotManaged",
        ),
    ] {
        assert_eq!(
            stalled(aws, user, &target).await.0,
            reason,
            "{user} {target}"
        );
    }
}

/// What can't be asked is not "not there": a grant that waits is better than one that is turned away.
#[tokio::test(start_paused = true)]
async fn a_lookup_that_fails_is_not_taken_for_a_missing_name() {
    for (operation, service) in [
        ("GetUserId", Service::IdentityStore),
        ("DescribeUser", Service::IdentityStore),
        ("ListPermissionSets", Service::SsoAdmin),
        ("DescribePermissionSet", Service::SsoAdmin),
        ("ListAccountAssignments", Service::SsoAdmin),
    ] {
        for action in [
            Action::AccessDenied,
            Action::HtmlPage(503),
            Action::error("ThrottlingException", "Rate exceeded"),
        ] {
            let cloud = Cloud::example();
            cloud
                .simulator
                .add_fault(Fault::new(action.clone()).on(service, operation));
            let result = cloud.aws().await.resolve(ALICE, &assignment()).await;
            assert!(
                matches!(result, Err(ResolveError::Aws(_))),
                "{operation} {action:?}: {result:?}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_permission_set_past_the_first_hundred_is_found_and_each_is_read_once() {
    let mut seed = Seed::example();
    seed.settings.short_pages = true;
    seed.instances[0]
        .permission_sets
        .extend((0..150).map(|i| SeedPermissionSet {
            name: format!("Set{i}"),
            session_duration: "PT1H30M".to_owned(),
            tags: std::collections::BTreeMap::default(),
        }));
    let cloud = Cloud::new(&seed);
    let aws = cloud.aws().await;
    let target = |name: &str| Target::AccountAssignment {
        account: PAYMENTS.to_owned(),
        permission_set: name.to_owned(),
    };
    let (last, middle) = (target("Set149"), target("Set70"));
    let (one, two) = tokio::join!(
        resolved(&aws, ALICE, &last),
        resolved(&aws, "bob@example.com", &middle)
    );
    for found in [&one, &two] {
        assert_eq!(aws.session_seconds(&found.tuple).await, Some(5_400));
    }
    let mut described: Vec<_> = cloud
        .calls_of("DescribePermissionSet")
        .iter()
        .map(|call| call.parameters["PermissionSetArn"].to_string())
        .collect();
    described.sort();
    let calls = described.len();
    described.dedup();
    assert_eq!(calls, described.len(), "some were read twice");
    let Tuple::AccountAssignment(tuple) = one.tuple else {
        panic!("{one:?}");
    };
    assert_eq!(
        Some(tuple.permission_set_arn.as_str()),
        cloud.instance().permission_set_arn("Set149")
    );
}

/// People are told when the last session ends at the latest, so its length must not be an old one.
#[tokio::test(start_paused = true)]
async fn a_session_that_may_last_longer_now_is_noticed() {
    let cloud = Cloud::example();
    let aws = cloud.aws().await;
    let found = resolved(&aws, ALICE, &assignment()).await;
    assert_eq!(aws.session_seconds(&found.tuple).await, Some(3_600));
    cloud.change(&Change::SetSessionDuration {
        permission_set: "AdministratorAccess".to_owned(),
        session_duration: "PT12H".to_owned(),
    });
    tokio::time::sleep(Duration::from_mins(20)).await;
    assert_eq!(aws.session_seconds(&found.tuple).await, Some(43_200));
}

/// Somebody may delete a set and make another under its name while its ARN is remembered.
#[tokio::test(start_paused = true)]
async fn a_permission_set_made_again_is_found_under_its_new_arn() {
    let cloud = Cloud::example();
    let aws = cloud.aws().await;
    let before = resolved(&aws, ALICE, &assignment()).await;
    cloud.change(&Change::RecreatePermissionSet {
        permission_set: "AdministratorAccess".to_owned(),
    });
    let after = resolved(&aws, ALICE, &assignment()).await;
    assert!(!before.tuple.same_ids(&after.tuple));
}

#[tokio::test(start_paused = true)]
async fn a_group_of_a_directory_outside_is_marked_as_such() {
    let mut seed = Seed::example();
    seed.instances[0].groups.push(SeedGroup {
        display_name: "Synced".to_owned(),
        external_ids: vec![ExternalId {
            issuer: "okta".to_owned(),
            id: "7".to_owned(),
        }],
        ..SeedGroup::default()
    });
    let cloud = Cloud::new(&seed);
    let aws = cloud.aws().await;
    assert!(
        resolved(&aws, ALICE, &group("Synced"))
            .await
            .managed_elsewhere
    );
    assert!(
        !resolved(&aws, ALICE, &group("Operators"))
            .await
            .managed_elsewhere
    );
}

/// `*` in a policy must not cover an account that may be the management account.
#[tokio::test(start_paused = true)]
async fn the_management_account_is_unknown_until_aws_has_told_it() {
    let cloud = Cloud::example();
    let aws = cloud.aws().await;
    let refused = cloud
        .simulator
        .add_fault(Fault::new(Action::AccessDenied).on(Service::SsoAdmin, "ListInstances"));
    assert!(aws.resolve(ALICE, &assignment()).await.is_err());
    assert_eq!(aws.management(), Management::Unknown);
    cloud.simulator.remove_fault(refused);
    resolved(&aws, ALICE, &assignment()).await;
    assert_eq!(aws.management(), Management::Account(MANAGEMENT.to_owned()));

    let none = Cloud::new(&Seed::default());
    let aws = none.aws().await;
    assert_eq!(
        stalled(&aws, ALICE, &assignment()).await.0,
        "InstanceNotFound"
    );
    assert_eq!(aws.management(), Management::Unknown);
}
