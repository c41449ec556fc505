//! Several accounts and roles: what is wrong with one touches no other.

use aws_simulator::{Action, Fault, Seed, SeedAccount, SeedIamUser, Service};

use super::*;
use crate::aws::ConnectError;
use crate::config::IdentityCenterConfig;

/// Payments and production both have an `alice`, `Operators`, and two roles.
fn two_accounts() -> (Cloud, Config) {
    let mut seed = Seed::example();
    seed.accounts = [PAYMENTS, PRODUCTION]
        .map(|id| SeedAccount {
            id: id.to_owned(),
            roles: vec!["granter".to_owned(), "reaper".to_owned()],
            groups: vec!["Operators".to_owned()],
            users: vec![SeedIamUser {
                name: "alice".to_owned(),
                ..SeedIamUser::default()
            }],
            ..SeedAccount::default()
        })
        .into();
    let accounts = [PAYMENTS, PRODUCTION]
        .map(|id| iam_account(id, Some(&role(id, "granter")), Some(&role(id, "reaper"))));
    let config = Config {
        iam_accounts: accounts.into(),
        ..Config::default()
    };
    (Cloud::new(&seed), config)
}

fn add_roles_of_identity_center(cloud: &Cloud, config: &mut Config) {
    for name in ["granter", "reaper"] {
        cloud.change(&Change::CreateRole {
            account: MANAGEMENT.to_owned(),
            role: name.to_owned(),
        });
    }
    config.identity_center = IdentityCenterConfig {
        granter_role_arn: Some(role(MANAGEMENT, "granter")),
        reaper_role_arn: Some(role(MANAGEMENT, "reaper")),
        ..IdentityCenterConfig::default()
    };
}

#[tokio::test(start_paused = true)]
async fn the_same_names_in_two_accounts_are_two_people() {
    let (cloud, config) = two_accounts();
    let aws = cloud.aws_with(MANAGEMENT, &config).await;
    let payments = resolved(&aws, "alice", &iam_group_in(PAYMENTS, "Operators"))
        .await
        .tuple;
    let production = resolved(&aws, "alice", &iam_group()).await.tuple;
    assert!(!payments.same_ids(&production));
    assert_ne!(aws.desk_key(&payments), aws.desk_key(&production));
    let outcome = cloud.create(&aws, &payments).await;
    assert!(matches!(outcome, Outcome::Succeeded { .. }), "{outcome:?}");
    let truth = cloud.simulator.truth();
    assert!(truth.is_iam_member(PAYMENTS, "Operators", "alice"));
    assert!(!truth.is_iam_member(PRODUCTION, "Operators", "alice"));
    assert!(is_present(&aws.read(&payments).await.unwrap()));
    assert_eq!(aws.read(&production).await, Ok(Seen::Absent));
}

/// The granter only gives; a stolen one can neither look around nor take away.
#[tokio::test(start_paused = true)]
async fn the_granter_only_creates_and_the_reaper_does_the_rest() {
    let (cloud, mut config) = two_accounts();
    add_roles_of_identity_center(&cloud, &mut config);
    let aws = cloud.aws_with(MANAGEMENT, &config).await;
    for (user, target) in [
        (ALICE, assignment()),
        (ALICE, group("Operators")),
        ("alice", iam_group()),
    ] {
        let tuple = resolved(&aws, user, &target).await.tuple;
        let _ = aws.mark(&tuple, cloud.clock().now()).await;
        cloud.create(&aws, &tuple).await;
        tokio::time::sleep(Duration::from_secs(5)).await;
        assert!(is_present(&aws.read(&tuple).await.unwrap()), "{target}");
        cloud.delete(&aws, &tuple).await;
        let _ = aws.unmark(&tuple).await;
    }
    for operation in ["TagUser", "UntagUser"] {
        assert_eq!(cloud.calls_of(operation).len(), 1, "{operation}");
    }
    let granting = [
        "CreateAccountAssignment",
        "CreateGroupMembership",
        "AddUserToGroup",
        "TagUser",
    ];
    for call in cloud.simulator.calls_since(0) {
        let by = call.role.as_deref().unwrap_or_default();
        match call.operation.as_str() {
            "AssumeRole" => assert_eq!(call.role, None),
            "GetCallerIdentity" => {}
            operation if granting.contains(&operation) => {
                assert!(by.ends_with("/granter"), "{operation} by {by}");
            }
            operation => assert!(by.ends_with("/reaper"), "{operation} by {by}"),
        }
        assert!(
            call.user_agent.contains("breakglass"),
            "{}",
            call.user_agent
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_role_that_can_not_be_assumed_holds_up_no_other_account() {
    let (cloud, config) = two_accounts();
    cloud.simulator.add_fault(
        Fault::new(Action::AccessDenied)
            .on(Service::Sts, "AssumeRole")
            .with_parameter("RoleArn", &role(PAYMENTS, "reaper")),
    );
    let aws = cloud.aws_with(MANAGEMENT, &config).await;
    let locked = aws
        .resolve("alice", &iam_group_in(PAYMENTS, "Operators"))
        .await;
    let Err(crate::aws::ResolveError::Aws(error)) = locked else {
        panic!("{locked:?}");
    };
    assert_eq!(error.class, Class::Denied, "{error}");
    assert!(error.message.contains("AssumeRole"), "{error}");
    assert!(error.message.contains(&role(PAYMENTS, "reaper")), "{error}");

    let tuple = resolved(&aws, "alice", &iam_group()).await.tuple;
    let outcome = cloud.create(&aws, &tuple).await;
    assert!(matches!(outcome, Outcome::Succeeded { .. }), "{outcome:?}");
    let problems = aws.problems().await;
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(problems[0].contains(PAYMENTS), "{problems:?}");
}

/// STS that is out of order refuses nobody: it is asked again soon, and no person is sent to look.
#[tokio::test(start_paused = true)]
async fn a_failure_of_sts_is_not_a_refusal() {
    for (action, class) in [
        (Action::HtmlPage(503), Class::Transient),
        (Action::Reset, Class::Transient),
        (Action::Hang, Class::Transient),
        (
            Action::error("Throttling", "Rate exceeded"),
            Class::Throttled,
        ),
    ] {
        let (cloud, config) = two_accounts();
        let aws = cloud.aws_with(MANAGEMENT, &config).await;
        let tuple = resolved(&aws, "alice", &iam_group()).await.tuple;
        cloud
            .simulator
            .add_fault(Fault::new(action.clone()).on(Service::Sts, "AssumeRole"));
        let outcome = cloud.create(&aws, &tuple).await;
        assert_eq!(failed(&outcome), class, "{action:?}: {outcome:?}");
        assert_eq!(cloud.writes(), []);
    }
}

/// Half an answer of STS may leave half a token. Nobody is locked out until it would have ended.
#[tokio::test(start_paused = true)]
async fn credentials_that_aws_refuses_are_asked_for_anew() {
    let (cloud, mut config) = two_accounts();
    add_roles_of_identity_center(&cloud, &mut config);
    let aws = cloud.aws_with(MANAGEMENT, &config).await;
    for (user, target, operation, codes) in [
        (
            "alice",
            iam_group(),
            "AddUserToGroup",
            [
                "ExpiredToken",
                "IncompleteSignature",
                "InvalidClientTokenId",
                "MissingAuthenticationToken",
                "SignatureDoesNotMatch",
            ],
        ),
        (
            ALICE,
            group("Operators"),
            "CreateGroupMembership",
            [
                "ExpiredTokenException",
                "IncompleteSignature",
                "InvalidSignatureException",
                "MissingAuthenticationTokenException",
                "UnrecognizedClientException",
            ],
        ),
    ] {
        let tuple = resolved(&aws, user, &target).await.tuple;
        cloud.create(&aws, &tuple).await;
        for code in codes {
            cloud.delete(&aws, &tuple).await;
            cloud.simulator.clear_calls();
            let mut refusal = Fault::new(Action::error(code, "refused")).times(1);
            refusal.operation = Some(operation.to_owned());
            cloud.simulator.add_fault(refusal);
            assert_eq!(failed(&cloud.create(&aws, &tuple).await), Class::Denied);
            let outcome = cloud.create(&aws, &tuple).await;
            assert!(matches!(outcome, Outcome::Succeeded { .. }), "{outcome:?}");
            assert_eq!(cloud.calls_of("AssumeRole").len(), 1, "{code}");
        }
    }
}

/// Somebody ended all sessions of the role: what began before is denied everything, in the words of any
/// other denial.
#[tokio::test(start_paused = true)]
async fn credentials_that_are_denied_are_asked_for_anew_once_a_minute() {
    let (cloud, config) = two_accounts();
    let aws = cloud.aws_with(MANAGEMENT, &config).await;
    let tuple = resolved(&aws, "alice", &iam_group()).await.tuple;
    cloud.create(&aws, &tuple).await;
    let denied = Fault::new(Action::AccessDenied);
    let denied = denied.on(Service::Iam, "RemoveUserFromGroup");
    cloud.simulator.add_fault(denied.times(4));
    cloud.simulator.clear_calls();
    for assumed in [0, 0, 1, 1] {
        tokio::time::sleep(std::time::Duration::from_secs(31)).await;
        assert_eq!(failed(&cloud.delete(&aws, &tuple).await), Class::Denied);
        assert_eq!(cloud.calls_of("AssumeRole").len(), assumed);
    }
    let outcome = cloud.delete(&aws, &tuple).await;
    assert!(matches!(outcome, Outcome::Succeeded { .. }), "{outcome:?}");
    assert_eq!(cloud.calls_of("AssumeRole").len(), 2);
}

/// A reading in the wrong account would show access as gone; a write would hit strangers.
#[tokio::test(start_paused = true)]
async fn credentials_of_another_account_read_and_write_nothing() {
    let (cloud, config) = two_accounts();
    let right = cloud.aws_with(MANAGEMENT, &config).await;
    let tuple = resolved(&right, "alice", &iam_group()).await.tuple;
    let mixed_up = Config {
        iam_accounts: vec![iam_account(
            PRODUCTION,
            Some(&role(PAYMENTS, "granter")),
            Some(&role(PAYMENTS, "reaper")),
        )],
        ..Config::default()
    };
    let bare = Config {
        iam_accounts: vec![iam_account(PRODUCTION, None, None)],
        ..Config::default()
    };
    for (config, found, lines) in [(mixed_up, PAYMENTS, 2), (bare, MANAGEMENT, 1)] {
        let aws = cloud.aws_with(MANAGEMENT, &config).await;
        cloud.simulator.clear_calls();
        let error = aws.read(&tuple).await.unwrap_err();
        assert_eq!(error.class, Class::Denied);
        assert!(
            error.message.contains(found) && error.message.contains(PRODUCTION),
            "{error}"
        );
        assert!(aws.resolve("alice", &iam_group()).await.is_err());
        assert_eq!(failed(&cloud.create(&aws, &tuple).await), Class::Denied);
        assert_eq!(failed(&cloud.delete(&aws, &tuple).await), Class::Denied);
        let calls = cloud.simulator.calls_since(0);
        assert!(calls.iter().all(|call| call.service == Service::Sts));
        assert_eq!(
            aws.problems().await.len(),
            lines,
            "{:?}",
            aws.problems().await
        );
    }
}

/// Fault 46. R3, R4.
/// A tuple that was pinned in one account is never looked for in another.
#[tokio::test(start_paused = true)]
async fn a_tuple_of_an_account_that_is_no_longer_managed_is_not_gone() {
    let (cloud, mut config) = two_accounts();
    let aws = cloud.aws_with(MANAGEMENT, &config).await;
    let tuple = resolved(&aws, "alice", &iam_group()).await.tuple;
    config.iam_accounts.pop();
    let aws = cloud.aws_with(MANAGEMENT, &config).await;
    assert_eq!(aws.read(&tuple).await.unwrap_err().class, Class::Denied);
    assert_eq!(failed(&cloud.delete(&aws, &tuple).await), Class::Denied);
}

/// Fault 46. R3, R4.
/// What was pinned in one instance of Identity Center is not gone because another does not have it.
#[tokio::test(start_paused = true)]
async fn a_tuple_of_another_instance_is_not_gone() {
    let before = Cloud::example();
    let aws = before.aws().await;
    let other = Cloud::new(&Seed {
        random_seed: Seed::example().random_seed + 1,
        ..Seed::example()
    });
    let elsewhere = other.aws().await;
    for target in [assignment(), group("Operators")] {
        let tuple = resolved(&aws, ALICE, &target).await.tuple;
        assert_eq!(aws.read(&tuple).await, Ok(Seen::Absent));
        let error = elsewhere.read(&tuple).await.unwrap_err();
        assert_eq!(error.class, Class::Denied);
        assert!(error.to_string().contains("belongs to the"), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn identity_and_account_are_asked_once() {
    let (cloud, config) = two_accounts();
    let aws = cloud.aws_with(MANAGEMENT, &config).await;
    let target = iam_group();
    let (tuple, _) = tokio::join!(
        resolved(&aws, "alice", &target),
        resolved(&aws, "alice", &target)
    );
    cloud.create(&aws, &tuple.tuple).await;
    cloud.delete(&aws, &tuple.tuple).await;
    assert_eq!(cloud.calls_of("GetCallerIdentity").len(), 2);
    assert_eq!(cloud.calls_of("AssumeRole").len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_granter_of_identity_center_that_can_not_be_assumed_is_told_at_the_start() {
    let cloud = Cloud::example();
    let config = Config {
        identity_center: IdentityCenterConfig {
            granter_role_arn: Some(role(MANAGEMENT, "granter")),
            ..IdentityCenterConfig::default()
        },
        iam_accounts: vec![iam_account(MANAGEMENT, None, None)],
        ..Config::default()
    };
    let aws = cloud.aws_with(MANAGEMENT, &config).await;
    let problems = aws.problems().await;
    assert!(
        problems
            .iter()
            .any(|line| line.contains(&role(MANAGEMENT, "granter"))),
        "{problems:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn all_is_well_in_the_example() {
    let cloud = Cloud::example();
    assert_eq!(cloud.aws().await.problems().await, Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn without_a_region_it_does_not_start_and_says_what_to_do() {
    let cloud = Cloud::example();
    let sdk = cloud
        .environment(MANAGEMENT)
        .into_builder()
        .region(None)
        .build();
    let error = cloud.connect(&sdk, &Config::default()).await.unwrap_err();
    assert!(matches!(error, ConnectError::NoRegion));
    assert!(error.to_string().contains("AWS_REGION"), "{error}");
}
