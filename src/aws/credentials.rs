//! Who calls AWS: the credentials of the environment, or roles assumed with them.
//!
//! The granter only creates, the reaper only reads and deletes; both may be the same. Before its
//! first call on an account each set of credentials proves once that it belongs to that account: a
//! reading in the wrong account would show access as gone, and a write would hit strangers.

use std::sync::Arc;

use aws_config::sts::AssumeRoleProvider;
use aws_credential_types::provider::SharedCredentialsProvider;
use tokio::sync::OnceCell;

use super::calls::Calls;
use super::clients::{Clients, Sdk};
use super::desk::{DeskKey, Service};
use super::error::{Class, Error};

/// One set of credentials.
#[derive(Debug)]
pub(super) struct Role {
    /// For people, such as `the credentials of the environment`.
    name: String,
    /// For reads: a lost answer is asked for once more.
    pub(super) reads: Clients,
    /// For writes: one send. A repeated send would come after the check that allowed the first.
    pub(super) writes: Clients,
    account: OnceCell<String>,
}

impl Role {
    /// The credentials that the program was started with.
    pub(super) fn of_the_environment(sdk: &Sdk) -> Arc<Self> {
        Arc::new(Self::new(
            "the credentials of the environment".to_owned(),
            sdk,
        ))
    }

    /// A role, assumed through the Regional endpoint of STS when it is first needed. It is asked for
    /// once: whoever needs it tries again, and the SDK counts such retries for all accounts together.
    async fn assumed(sdk: &Sdk, role_arn: &str, session_name: &str) -> Arc<Self> {
        let provider = AssumeRoleProvider::builder(role_arn)
            .configure(sdk.once().config())
            .session_name(session_name)
            .build();
        let provider = Box::pin(provider).await; // It is large.
        let sdk = sdk.with_credentials(SharedCredentialsProvider::new(provider));
        Arc::new(Self::new(format!("the role {role_arn}"), &sdk))
    }

    fn new(name: String, sdk: &Sdk) -> Self {
        Self {
            name,
            reads: Clients::new(sdk.clone()),
            writes: Clients::new(sdk.once()),
            account: OnceCell::new(),
        }
    }

    /// The account that these credentials belong to, asked once.
    pub(super) async fn account(&self, calls: &Calls) -> Result<&str, Error> {
        let ask = || self.ask_for_account(calls);
        self.account.get_or_try_init(ask).await.map(String::as_str)
    }

    /// The account that these credentials belong to, asked now. AWS answers it to everybody.
    pub(super) async fn ask_for_account(&self, calls: &Calls) -> Result<String, Error> {
        const OPERATION: &str = "sts:GetCallerIdentity";
        let key = DeskKey {
            scope: self.name.clone(),
            service: Service::Iam,
        };
        let asked = self.reads.sts().get_caller_identity().send();
        let answer = calls
            .read(&key, OPERATION, asked)
            .await
            .map_err(|mut error| {
                error.message = format!("{} ({})", error.message, self.name);
                error
            })?;
        let told = answer.account.filter(|account| {
            account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit())
        });
        told.ok_or_else(|| Error::senseless(OPERATION, "no account"))
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
        sdk: &Sdk,
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
