//! Who calls AWS: the credentials of the environment, or roles assumed with them.
//!
//! The granter only creates, the reaper only reads and deletes; both may be the same. Before its
//! first call on an account each set of credentials proves once that it belongs to that account: a
//! reading in the wrong account would show access as gone, and a write would hit strangers.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use aws_config::identity::IdentityCache;
use aws_config::retry::RetryConfig;
use aws_config::sts::AssumeRoleProvider;
use aws_config::timeout::TimeoutConfig;
use aws_config::{AppName, BehaviorVersion, Region, SdkConfig};
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_async::time::TimeSource;
use tokio::sync::OnceCell;

use super::calls::Calls;
use super::desk::{DeskKey, Service};
use super::error::{Class, Error};
use crate::clock::Clock;

/// In the User-Agent of every call, and so in `CloudTrail`.
const APP_NAME: &str = "breakglass";

/// The program's one clock, for signatures and for the end of credentials.
#[derive(Debug)]
struct SdkClock(Clock);

impl TimeSource for SdkClock {
    fn now(&self) -> SystemTime {
        self.0.now().into()
    }
}

/// What the environment says (Region, credentials, endpoints), with the settings that all our calls
/// share.
pub(super) async fn environment(region: Option<&str>, clock: Clock) -> SdkConfig {
    let mut loader = aws_config::defaults(BehaviorVersion::v2026_01_12());
    if let Some(region) = region {
        loader = loader.region(Region::new(region.to_owned()));
    }
    with_our_settings(loader.load().await, clock)
}

/// The settings that all our calls share. The SDK has a limit for connecting only; the rest are
/// ours.
pub(super) fn with_our_settings(sdk: SdkConfig, clock: Clock) -> SdkConfig {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(3))
        .operation_attempt_timeout(Duration::from_secs(10))
        .operation_timeout(Duration::from_secs(30))
        .build();
    let mut config = sdk
        .into_builder()
        .timeout_config(timeouts)
        .time_source(SdkClock(clock))
        .identity_cache(IdentityCache::lazy().build())
        .retry_config(RetryConfig::standard().with_max_attempts(2));
    config.set_app_name(AppName::new(APP_NAME).ok());
    config.build()
}

/// Clients of the services, made when they are first needed and then kept: each has its connections,
/// and learns by how much our clock is off.
#[derive(Debug)]
pub(super) struct Clients {
    sdk: SdkConfig,
    sso_admin: OnceLock<aws_sdk_ssoadmin::Client>,
    identity_store: OnceLock<aws_sdk_identitystore::Client>,
    iam: OnceLock<aws_sdk_iam::Client>,
}

impl Clients {
    fn new(sdk: SdkConfig) -> Self {
        Self {
            sdk,
            sso_admin: OnceLock::new(),
            identity_store: OnceLock::new(),
            iam: OnceLock::new(),
        }
    }

    pub(super) fn sso_admin(&self) -> &aws_sdk_ssoadmin::Client {
        self.sso_admin
            .get_or_init(|| aws_sdk_ssoadmin::Client::new(&self.sdk))
    }

    pub(super) fn identity_store(&self) -> &aws_sdk_identitystore::Client {
        self.identity_store
            .get_or_init(|| aws_sdk_identitystore::Client::new(&self.sdk))
    }

    pub(super) fn iam(&self) -> &aws_sdk_iam::Client {
        self.iam.get_or_init(|| aws_sdk_iam::Client::new(&self.sdk))
    }
}

/// One set of credentials.
#[derive(Debug)]
pub(super) struct Role {
    /// For people, such as `the credentials of the environment`.
    name: String,
    /// For reads: a lost answer is asked for once more.
    pub(super) reads: Clients,
    /// For writes: one send. A repeated send would come after the check that allowed the first.
    pub(super) writes: Clients,
    sdk: SdkConfig,
    account: OnceCell<String>,
}

impl Role {
    /// The credentials that the program was started with.
    pub(super) fn of_the_environment(sdk: &SdkConfig) -> Arc<Self> {
        Arc::new(Self::new(
            "the credentials of the environment".to_owned(),
            sdk.clone(),
        ))
    }

    /// A role, assumed through the Regional endpoint of STS when it is first needed.
    async fn assumed(sdk: &SdkConfig, role_arn: &str, session_name: &str) -> Arc<Self> {
        let provider = AssumeRoleProvider::builder(role_arn)
            .configure(sdk)
            .session_name(session_name)
            .build()
            .await;
        let credentials = SharedCredentialsProvider::new(provider);
        let sdk = sdk.to_builder().credentials_provider(credentials).build();
        Arc::new(Self::new(format!("the role {role_arn}"), sdk))
    }

    fn new(name: String, sdk: SdkConfig) -> Self {
        let once = sdk
            .to_builder()
            .retry_config(RetryConfig::disabled())
            .build();
        Self {
            name,
            reads: Clients::new(sdk.clone()),
            writes: Clients::new(once),
            sdk,
            account: OnceCell::new(),
        }
    }

    /// The account that these credentials belong to, asked once.
    pub(super) async fn account(&self, calls: &Calls) -> Result<&str, Error> {
        const OPERATION: &str = "sts:GetCallerIdentity";
        let ask = || async {
            let key = DeskKey {
                scope: self.name.clone(),
                service: Service::Iam,
            };
            let sts = aws_sdk_sts::Client::new(&self.sdk);
            let answer = calls
                .read(&key, OPERATION, sts.get_caller_identity().send())
                .await
                .map_err(|mut error| {
                    error.message = format!("{} ({})", error.message, self.name);
                    error
                })?;
            let told = answer.account.filter(|account| {
                account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit())
            });
            told.ok_or_else(|| Error::senseless(OPERATION, "no account"))
        };
        self.account.get_or_try_init(ask).await.map(String::as_str)
    }

    /// Fails unless these credentials belong to the account.
    pub(super) async fn prove(&self, calls: &Calls, account: &str) -> Result<(), Error> {
        let found = self.account(calls).await?;
        if found == account {
            return Ok(());
        }
        let message = format!(
            "{} belong to account {found}, not to {account}: nothing is done there. Mend iamAccounts in the configuration file, or the role",
            self.name
        );
        Err(Error::new("sts:GetCallerIdentity", Class::Denied, message))
    }
}

/// The two roles of an account or of Identity Center.
#[derive(Clone, Debug)]
pub(super) struct Roles {
    /// Creates.
    pub(super) granter: Arc<Role>,
    /// Reads and deletes.
    pub(super) reaper: Arc<Role>,
}

impl Roles {
    /// Where no role is configured the environment's credentials do.
    pub(super) async fn configured(
        sdk: &SdkConfig,
        environment: &Arc<Role>,
        granter: Option<&str>,
        reaper: Option<&str>,
    ) -> Self {
        let role = async |arn: Option<&str>, session_name: &str| match arn {
            None => Arc::clone(environment),
            Some(arn) => Role::assumed(sdk, arn, session_name).await,
        };
        Self {
            granter: role(granter, "breakglass-granter").await,
            reaper: role(reaper, "breakglass-reaper").await,
        }
    }
}
