//! The adapters against the simulated AWS, in this process and on virtual time.
//!
//! They stand here and not under `tests/` because only the crate itself can make a [`Cleared`].

mod accounts;
mod answers;
mod deadlines;
mod hostile;
mod ids;
mod meddler;
mod names;
mod readings;

use std::time::Duration;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_simulator::{CallRecord, Change, Seed, Simulator, TrueInstance};

use super::desk::Desk;
use super::error::Class;
use super::{Aws, Cleared, ConnectError, Outcome, Resolved, Seen};
use crate::api::access::Operation;
use crate::api::tuple::Tuple;
use crate::clock::{Clock, after};
use crate::config::{Config, IamAccountConfig, Settings};
use crate::decide::target::Target;

const MANAGEMENT: &str = "999988887777";
const PAYMENTS: &str = "111122223333";
const PRODUCTION: &str = "444455556666";
const ALICE: &str = "alice@example.com";

fn caller(account: &str) -> SdkConfig {
    let key = format!("AKIA{account}TEST");
    let credentials = Credentials::new(key, "secret", None, None, "test");
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new("us-east-1"))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .build()
}

/// A simulated AWS.
struct Cloud {
    simulator: Simulator,
}

impl Cloud {
    fn new(seed: &Seed) -> Self {
        let begin = "2026-01-01T00:00:00Z".parse().unwrap();
        let clock = aws_simulator::Clock::starting_at(begin);
        Self {
            simulator: Simulator::new(seed, clock).unwrap(),
        }
    }

    fn example() -> Self {
        Self::new(&Seed::example())
    }

    fn clock(&self) -> Clock {
        let simulator = self.simulator.clone();
        Clock::from_fn(move || simulator.now())
    }

    /// What the environment would say of a caller in this account.
    fn environment(&self, account: &str) -> SdkConfig {
        let client = self.simulator.http_client();
        caller(account).into_builder().http_client(client).build()
    }

    /// Over a socket, with the SDK's own HTTP client.
    async fn aws_at(&self, url: &str) -> Aws {
        let sdk = caller(MANAGEMENT).into_builder().endpoint_url(url).build();
        self.connect(&sdk, &Config::default()).await.unwrap()
    }

    async fn aws_with(&self, account: &str, config: &Config) -> Aws {
        let sdk = self.environment(account);
        self.connect(&sdk, config).await.unwrap()
    }

    async fn connect(&self, sdk: &SdkConfig, config: &Config) -> Result<Aws, ConnectError> {
        let desk = Desk::new(&Settings::default());
        Aws::connect(sdk, config, desk, self.clock()).await
    }

    /// With the default configuration, and the credentials of the management account.
    async fn aws(&self) -> Aws {
        self.aws_with(MANAGEMENT, &Config::default()).await
    }

    /// With the default configuration, and the credentials of an account that has IAM users.
    async fn aws_in_production(&self) -> Aws {
        self.aws_with(PRODUCTION, &Config::default()).await
    }

    /// Leave to send, for ten seconds from now.
    fn cleared(&self, operation: Operation) -> Cleared {
        self.cleared_for(operation, Duration::from_secs(10))
    }

    fn cleared_for(&self, operation: Operation, time: Duration) -> Cleared {
        let clock = self.clock();
        Cleared::new(operation, after(clock.now(), time), clock)
    }

    async fn create(&self, aws: &Aws, tuple: &Tuple) -> Outcome {
        aws.create(tuple, self.cleared(Operation::Create)).await
    }

    async fn delete(&self, aws: &Aws, tuple: &Tuple) -> Outcome {
        aws.delete(tuple, self.cleared(Operation::Delete)).await
    }

    fn instance(&self) -> TrueInstance {
        self.simulator.truth().instances.remove(0)
    }

    fn change(&self, change: &Change) -> Option<String> {
        self.simulator.change(change).unwrap()
    }

    fn calls_of(&self, operation: &str) -> Vec<CallRecord> {
        let mut calls = self.simulator.calls_since(0);
        calls.retain(|call| call.operation == operation);
        calls
    }

    fn writes(&self) -> Vec<CallRecord> {
        let mut calls = self.simulator.calls_since(0);
        calls.retain(|call| WRITES.contains(&call.operation.as_str()));
        calls
    }
}

const WRITES: [&str; 8] = [
    "CreateAccountAssignment",
    "DeleteAccountAssignment",
    "CreateGroupMembership",
    "DeleteGroupMembership",
    "AddUserToGroup",
    "RemoveUserFromGroup",
    "TagUser",
    "UntagUser",
];

fn assignment() -> Target {
    Target::AccountAssignment {
        account: PAYMENTS.to_owned(),
        permission_set: "AdministratorAccess".to_owned(),
    }
}

fn group(name: &str) -> Target {
    Target::IdentityCenterGroup {
        name: name.to_owned(),
    }
}

fn iam_group_in(account: &str, name: &str) -> Target {
    Target::IamGroup {
        account: account.to_owned(),
        name: name.to_owned(),
    }
}

fn iam_group() -> Target {
    iam_group_in(PRODUCTION, "Operators")
}

/// One access of each kind that the example has, and what is needed to work on it.
struct Kind {
    name: &'static str,
    cloud: Cloud,
    aws: Aws,
    tuple: Tuple,
    create: (aws_simulator::Service, &'static str),
    delete: (aws_simulator::Service, &'static str),
}

async fn kinds() -> Vec<Kind> {
    use aws_simulator::Service::{Iam, IdentityStore, SsoAdmin};
    let mut kinds = Vec::new();
    for (name, user, target, create, delete) in [
        (
            "assignment",
            ALICE,
            assignment(),
            (SsoAdmin, "CreateAccountAssignment"),
            (SsoAdmin, "DeleteAccountAssignment"),
        ),
        (
            "group",
            ALICE,
            group("Operators"),
            (IdentityStore, "CreateGroupMembership"),
            (IdentityStore, "DeleteGroupMembership"),
        ),
        (
            "IAM group",
            "alice",
            iam_group(),
            (Iam, "AddUserToGroup"),
            (Iam, "RemoveUserFromGroup"),
        ),
    ] {
        let cloud = Cloud::example();
        let aws = match name {
            "IAM group" => cloud.aws_in_production().await,
            _ => cloud.aws().await,
        };
        let tuple = resolved(&aws, user, &target).await.tuple;
        kinds.push(Kind {
            name,
            cloud,
            aws,
            tuple,
            create,
            delete,
        });
    }
    kinds
}

impl Kind {
    /// Gives the access, and waits until AWS has done so.
    async fn give(&self) {
        let outcome = self.cloud.create(&self.aws, &self.tuple).await;
        assert!(
            matches!(
                outcome,
                Outcome::Succeeded { .. } | Outcome::InProgress { .. }
            ),
            "{}: {outcome:?}",
            self.name
        );
        tokio::time::sleep(Duration::from_secs(5)).await;
        assert!(self.is_there(), "{}", self.name);
    }

    /// What is really so.
    fn is_there(&self) -> bool {
        let truth = self.cloud.simulator.truth();
        match &self.tuple {
            Tuple::AccountAssignment(t) => {
                truth.is_assigned(&t.account, &t.permission_set_arn, &t.user_id)
            }
            Tuple::IdentityCenterGroup(t) => truth.is_member(&t.group_id, &t.user_id),
            Tuple::IamGroup(t) => truth.is_iam_member(&t.account, &t.group, &t.user),
        }
    }
}

async fn resolved(aws: &Aws, user: &str, target: &Target) -> Resolved {
    aws.resolve(user, target).await.unwrap()
}

/// The class of an outcome that says: no effect.
fn failed(outcome: &Outcome) -> Class {
    match outcome {
        Outcome::Failed(error) => error.class,
        other => panic!("not failed: {other:?}"),
    }
}

fn is_present(seen: &Seen) -> bool {
    matches!(seen, Seen::Present { .. })
}

fn role(account: &str, name: &str) -> String {
    format!("arn:aws:iam::{account}:role/{name}")
}

fn iam_account(account: &str, granter: Option<&str>, reaper: Option<&str>) -> IamAccountConfig {
    IamAccountConfig {
        account: account.to_owned(),
        granter_role_arn: granter.map(str::to_owned),
        reaper_role_arn: reaper.map(str::to_owned),
    }
}
