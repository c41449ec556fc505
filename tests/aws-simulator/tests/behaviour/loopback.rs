//! The same over a socket, as a program in another process sees it.

use aws_config::retry::RetryConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_ssoadmin::error::SdkError;
use aws_sdk_ssoadmin::types::StatusValues;
use aws_simulator::{Action, Clock, Delay, Fault, Seed, Service, Simulator};

use crate::tuple::Tuple;
use crate::virtual_cloud::{Cloud, MANAGEMENT, PAYMENTS, PRODUCTION, code};

async fn served(seed: &Seed) -> (Simulator, SdkConfig) {
    let simulator = Simulator::new(seed, Clock::system()).unwrap();
    let url = simulator.clone().spawn().await.unwrap();
    assert!(url.starts_with("http://127.0.0.1:"), "{url}");
    let credentials = Credentials::new(
        format!("AKIA{MANAGEMENT}TEST"),
        "secret",
        None,
        None,
        "test",
    );
    let config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .endpoint_url(url)
        .retry_config(RetryConfig::disabled())
        .build();
    (simulator, config)
}

fn tuple(simulator: &Simulator, config: &SdkConfig) -> Tuple {
    Tuple {
        client: aws_sdk_ssoadmin::Client::new(config),
        ..Cloud {
            simulator: simulator.clone(),
        }
        .tuple()
    }
}

#[tokio::test]
async fn all_services_answer_on_one_port() {
    let (simulator, config) = served(&Seed::example()).await;
    let caller = aws_sdk_sts::Client::new(&config)
        .get_caller_identity()
        .send()
        .await
        .unwrap();
    assert_eq!(caller.account(), Some(MANAGEMENT));
    let role = format!("arn:aws:iam::{PRODUCTION}:role/OrganizationAccountAccessRole");
    let sts = aws_sdk_sts::Client::new(&config)
        .assume_role()
        .role_arn(role)
        .role_session_name("test");
    let given = sts.send().await.unwrap().credentials.unwrap();
    let credentials = Credentials::new(
        given.access_key_id,
        given.secret_access_key,
        Some(given.session_token),
        None,
        "test",
    );
    let assumed = config
        .to_builder()
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .build();
    let iam = aws_sdk_iam::Client::new(&assumed);
    iam.add_user_to_group()
        .user_name("alice")
        .group_name("Operators")
        .send()
        .await
        .unwrap();
    assert!(
        simulator
            .truth()
            .is_iam_member(PRODUCTION, "Operators", "alice")
    );

    let sso = aws_sdk_ssoadmin::Client::new(&config)
        .list_instances()
        .send()
        .await
        .unwrap();
    let store = sso.instances()[0].identity_store_id().unwrap();
    let users = aws_sdk_identitystore::Client::new(&config)
        .list_users()
        .identity_store_id(store)
        .send()
        .await
        .unwrap();
    assert_eq!(users.users().len(), 3);
    let services: Vec<_> = simulator
        .calls_since(0)
        .iter()
        .map(|call| call.service)
        .collect();
    assert_eq!(
        services,
        [
            Service::Sts,
            Service::Sts,
            Service::Iam,
            Service::SsoAdmin,
            Service::IdentityStore
        ]
    );
    assert!(
        simulator.calls_since(0)[0]
            .user_agent
            .contains("aws-sdk-rust")
    );
}

#[tokio::test]
async fn an_assignment_is_made_in_real_time() {
    let mut seed = Seed::example();
    seed.settings.assignment_delay = Delay::NONE;
    let (simulator, config) = served(&seed).await;
    let tuple = tuple(&simulator, &config);
    let id = tuple.create().await.unwrap().request_id.unwrap();
    assert_eq!(
        tuple.creation(&id).await.status,
        Some(StatusValues::Succeeded)
    );
    assert!(
        simulator
            .truth()
            .is_assigned(PAYMENTS, "AdministratorAccess", "alice@example.com")
    );
}

#[tokio::test]
async fn errors_keep_their_shape_on_the_wire() {
    let (simulator, config) = served(&Seed::example()).await;
    assert_eq!(
        code(tuple(&simulator, &config).delete().await),
        "ResourceNotFoundException"
    );
    let error = aws_sdk_iam::Client::new(&config)
        .get_user()
        .user_name("nobody")
        .send()
        .await
        .unwrap_err();
    let error = error.into_service_error();
    assert!(error.is_no_such_entity_exception());
    assert_eq!(
        error.meta().message(),
        Some("The user with name nobody cannot be found.")
    );
}

#[tokio::test]
async fn a_lost_answer_is_a_broken_connection() {
    let (simulator, config) = served(&Seed::example()).await;
    simulator.add_fault(
        Fault::new(Action::Reset)
            .on(Service::SsoAdmin, "CreateAccountAssignment")
            .times(1)
            .after_effect(),
    );
    let tuple = tuple(&simulator, &config);
    let error = tuple.create().await.unwrap_err();
    assert!(
        matches!(&error, SdkError::DispatchFailure(failure) if failure.is_io()),
        "{error:?}"
    );
    assert_eq!(simulator.truth().instances[0].operations.len(), 1);
    assert_eq!(
        code(tuple.create().await),
        "ConflictException",
        "the next call goes through"
    );
}
