//! A simulator on virtual time, and SDK clients that call it without a socket.

use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_sts::error::{ProvideErrorMetadata, SdkError};
use aws_simulator::{CallRecord, Change, Clock, Seed, Simulator, TrueInstance};
use jiff::Timestamp;

pub const MANAGEMENT: &str = "999988887777";
pub const PAYMENTS: &str = "111122223333";
pub const PRODUCTION: &str = "444455556666";

pub fn at(time: &str) -> Timestamp {
    time.parse().unwrap()
}

/// Tests run with tokio's time paused, so that it moves only when all wait for it.
pub struct Cloud {
    pub simulator: Simulator,
}

impl Cloud {
    pub fn new(seed: &Seed) -> Self {
        Self {
            simulator: Simulator::new(seed, Clock::starting_at(at("2026-01-01T00:00:00Z")))
                .unwrap(),
        }
    }

    pub fn example() -> Self {
        Self::new(&Seed::example())
    }

    /// SDK settings for a caller of this account, without retries.
    pub fn config(&self, account: &str, region: &str) -> SdkConfig {
        let key = format!("AKIA{account}TEST");
        self.config_of(Credentials::new(key, "secret", None, None, "test"), region)
    }

    pub fn config_of(&self, credentials: Credentials, region: &str) -> SdkConfig {
        SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(region.to_owned()))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .retry_config(RetryConfig::disabled())
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .http_client(self.simulator.http_client())
            .build()
    }

    pub fn sso(&self) -> aws_sdk_ssoadmin::Client {
        aws_sdk_ssoadmin::Client::new(&self.config(MANAGEMENT, "us-east-1"))
    }

    pub fn store(&self) -> aws_sdk_identitystore::Client {
        aws_sdk_identitystore::Client::new(&self.config(MANAGEMENT, "us-east-1"))
    }

    pub fn iam(&self) -> aws_sdk_iam::Client {
        aws_sdk_iam::Client::new(&self.config(PRODUCTION, "us-east-1"))
    }

    pub fn sts(&self, account: &str) -> aws_sdk_sts::Client {
        aws_sdk_sts::Client::new(&self.config(account, "us-east-1"))
    }

    pub fn instance(&self) -> TrueInstance {
        self.simulator.truth().instances.remove(0)
    }

    pub fn user_id(&self, name: &str) -> String {
        self.instance().user_id(name).unwrap().to_owned()
    }

    pub fn group_id(&self, name: &str) -> String {
        self.instance().group_id(name).unwrap().to_owned()
    }

    pub fn change(&self, change: &Change) -> Option<String> {
        self.simulator.change(change).unwrap()
    }

    pub fn calls(&self) -> Vec<CallRecord> {
        self.simulator.calls_since(0)
    }
}

/// Moves virtual time.
pub async fn pass(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

/// The code of the error that a call of any operation must end in.
pub fn code<E: ProvideErrorMetadata, R>(
    result: Result<impl std::fmt::Debug, SdkError<E, R>>,
) -> String {
    match result {
        Ok(answer) => panic!("no error: {answer:?}"),
        Err(error) => code_of(&error).to_owned(),
    }
}

/// The code of an error of any operation.
pub fn code_of<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> &str {
    error
        .as_service_error()
        .and_then(ProvideErrorMetadata::code)
        .unwrap_or("no service error")
}

/// The error of a call that must be refused with this variant of its operation's errors.
macro_rules! refused {
    ($result:expr, $variant:path) => {
        match $result.unwrap_err().into_service_error() {
            $variant(error) => error,
            other => panic!("{other:?}"),
        }
    };
}
pub(crate) use refused;
