//! AWS: the three kinds of access behind one face, and the pace at which AWS is called.
//!
//! [`Aws`] is what the rest of the program sees. Each kind of target has a file of its own that
//! holds everything AWS-specific about it; adding a kind means adding such a file and an arm to the
//! matches below.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_config::SdkConfig;
use jiff::Timestamp;
use tokio::sync::{Mutex as AsyncMutex, OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use crate::api::access::Operation;
use crate::api::tuple::Tuple;
use crate::clock::Clock;
use crate::config::Config;
use crate::decide::policy::Management;
use crate::decide::target::Target;
use account_assignment::AccountAssignments;
use calls::Calls;
use clients::Sdk;
pub use clients::environment;
use credentials::{Role, Roles};
use desk::{Desk, DeskKey};
use error::Error;
use iam_group::IamGroups;
use identity_center::{IdentityCenter, Shared};
use identity_center_group::IdentityCenterGroups;
pub use outcome::{Cleared, LONGEST_SESSION_SECONDS, Outcome, ResolveError, Resolved, Seen};

mod account_assignment;
mod calls;
mod clients;
mod credentials;
pub mod desk;
pub mod error;
mod iam_group;
mod identity_center;
mod identity_center_group;
mod outcome;
#[cfg(test)]
mod tests;

/// AWS as this program uses it. Clones share credentials, caches and limits. The SDK's futures are
/// large: here they go to the heap.
///
/// What is wrong with one account or with Identity Center shows only in calls about it: the others
/// work on. Nothing is asked of AWS before it is needed, and what went wrong is asked again.
#[derive(Clone, Debug)]
pub struct Aws(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    calls: Calls,
    environment: Arc<Role>,
    center: Shared,
    assignments: AccountAssignments,
    groups: IdentityCenterGroups,
    iam: IamGroups,
    lookups: Lookups,
    /// When the management account was last asked for.
    asked_management: AsyncMutex<Option<Instant>>,
}

/// While nobody can tell which account is the management account, it is asked for this often.
pub const MANAGEMENT_RETRY: Duration = Duration::from_secs(5);

/// How many names are looked up at once for each kind of target, and in each account. Hundreds of
/// new grants must leave room for what is being taken away.
const LOOKUPS_AT_ONCE: usize = 2;

/// Places for looking up names, by account or kind.
#[derive(Debug, Default)]
struct Lookups(Mutex<BTreeMap<String, Arc<Semaphore>>>);

impl Lookups {
    /// A place, as soon as one is free. None never comes to pass: nobody closes the semaphore.
    async fn place(&self, target: &Target) -> Option<OwnedSemaphorePermit> {
        let line = match target {
            Target::AccountAssignment { .. } => "assignments",
            Target::IdentityCenterGroup { .. } => "groups",
            Target::IamGroup { account, .. } => account,
        };
        let places = Arc::clone(
            self.0
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .entry(line.to_owned())
                .or_insert_with(|| Arc::new(Semaphore::new(LOOKUPS_AT_ONCE))),
        );
        places.acquire_owned().await.ok()
    }
}

/// Why AWS can't be used at all until a person acts.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// Nothing says in which Region Identity Center is.
    #[error(
        "no AWS Region is set: set AWS_REGION, or identityCenter.region in the configuration file, to the primary Region of Identity Center"
    )]
    NoRegion,
}

impl Aws {
    /// Calls AWS with those credentials, at that endpoint. Fails only where no call could ever work
    /// until a person acts; ask [`Aws::problems`] for the rest.
    pub async fn connect(
        sdk: &SdkConfig,
        config: &Config,
        desk: Desk,
        clock: Clock,
    ) -> Result<Self, ConnectError> {
        let sdk = &Sdk::new(sdk, clock);
        let region = sdk
            .config()
            .region()
            .ok_or(ConnectError::NoRegion)?
            .to_string();
        let calls = Calls::new(desk);
        let environment = Role::of_the_environment(sdk);
        let center = &config.identity_center;
        let roles = Roles::configured(
            sdk,
            &environment,
            center.granter_role_arn.as_deref(),
            center.reaper_role_arn.as_deref(),
        );
        let center = IdentityCenter::new(
            calls.clone(),
            roles.await,
            region,
            center.instance_arn.clone(),
        );
        let center = Arc::new(center);
        let mut accounts = BTreeMap::new();
        for account in &config.iam_accounts {
            let granter = account.granter_role_arn.as_deref();
            let roles = Roles::configured(
                sdk,
                &environment,
                granter,
                account.reaper_role_arn.as_deref(),
            )
            .await;
            accounts.insert(account.account.clone(), roles);
        }
        Ok(Self(Arc::new(Inner {
            assignments: AccountAssignments::new(Arc::clone(&center)),
            groups: IdentityCenterGroups::new(Arc::clone(&center)),
            lookups: Lookups::default(),
            asked_management: AsyncMutex::default(),
            iam: IamGroups::new(calls.clone(), Arc::clone(&environment), accounts),
            calls,
            environment,
            center,
        })))
    }

    /// What is wrong as far as can be told by asking: one line each, saying what to do.
    pub async fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if let Err(error) = self.0.environment.account(&self.0.calls).await {
            problems.push(format!("AWS can't be asked who we are: {error}"));
            return problems;
        }
        match self.0.center.instance().await {
            Ok(_) => {}
            Err(error) => problems.push(format!(
                "Identity Center can't be used: {error}. IAM groups work all the same"
            )),
        }
        if let Err(error) = self.0.center.roles.granter.account(&self.0.calls).await {
            problems.push(format!("Identity Center access can't be given: {error}"));
        }
        for (account, roles) in self.0.iam.accounts() {
            for role in [&roles.reaper, &roles.granter] {
                if let Err(error) = role.prove(&self.0.calls, account).await {
                    let problem =
                        format!("IAM groups of account {account} can't be managed: {error}");
                    if !problems.contains(&problem) {
                        problems.push(problem); // Both roles may be the same credentials.
                    }
                }
            }
        }
        problems
    }

    /// Has AWS tell the time, whatever else it says.
    pub async fn ask_the_time(&self) {
        if let Err(error) = self.0.environment.ask_for_account(&self.0.calls).await {
            tracing::debug!(%error, "AWS was asked for the time");
        }
    }

    /// What is known of the organization's management account, without asking AWS.
    pub fn management(&self) -> Management {
        self.0.center.management()
    }

    /// Asks which account is the management account, where that is not known yet and nobody has just
    /// asked.
    pub async fn learn_management(&self) -> Management {
        let mut asked = self.0.asked_management.lock().await;
        if asked.is_none_or(|asked| asked.elapsed() >= MANAGEMENT_RETRY) {
            if let Err(error) = self.0.center.instance().await {
                tracing::debug!(%error, "the management account is not known yet");
            }
            *asked = Some(Instant::now());
        }
        self.management()
    }

    /// Reads the names of all permission sets, so that the first grant need not wait for that.
    pub async fn warm(&self) -> Result<(), ResolveError> {
        Box::pin(self.0.center.read_permission_sets()).await
    }

    /// Which limit work on a tuple counts against.
    pub fn desk_key(&self, tuple: &Tuple) -> DeskKey {
        match tuple {
            Tuple::AccountAssignment(tuple) => AccountAssignments::desk_key(tuple),
            Tuple::IdentityCenterGroup(tuple) => IdentityCenterGroups::desk_key(tuple),
            Tuple::IamGroup(tuple) => IamGroups::desk_key(&tuple.account),
        }
    }

    /// Finds what a grant names. Names must be spelled as AWS spells them, byte for byte.
    pub async fn resolve(&self, user: &str, target: &Target) -> Result<Resolved, ResolveError> {
        let _place = self.0.lookups.place(target).await;
        match target {
            Target::AccountAssignment {
                account,
                permission_set,
            } => Box::pin(self.0.assignments.resolve(user, account, permission_set)).await,
            Target::IdentityCenterGroup { name } => {
                Box::pin(self.0.groups.resolve(user, name)).await
            }
            Target::IamGroup { account, name } => {
                Box::pin(self.0.iam.resolve(user, account, name)).await
            }
        }
    }

    /// Reads from AWS whether a tuple is there. The reading begins after the call does.
    pub async fn read(&self, tuple: &Tuple) -> Result<Seen, Error> {
        match tuple {
            Tuple::AccountAssignment(tuple) => Box::pin(self.0.assignments.read(tuple)).await,
            Tuple::IdentityCenterGroup(tuple) => Box::pin(self.0.groups.read(tuple)).await,
            Tuple::IamGroup(tuple) => Box::pin(self.0.iam.read(tuple)).await,
        }
    }

    /// Gives the access: one send, never repeated.
    pub async fn create(&self, tuple: &Tuple, cleared: Cleared) -> Outcome {
        match tuple {
            Tuple::AccountAssignment(tuple) => {
                Box::pin(self.0.assignments.create(tuple, cleared)).await
            }
            Tuple::IdentityCenterGroup(tuple) => {
                Box::pin(self.0.groups.create(tuple, cleared)).await
            }
            Tuple::IamGroup(tuple) => Box::pin(self.0.iam.create(tuple, cleared)).await,
        }
    }

    /// Takes the access away: one send, never repeated.
    pub async fn delete(&self, tuple: &Tuple, cleared: Cleared) -> Outcome {
        match tuple {
            Tuple::AccountAssignment(tuple) => {
                Box::pin(self.0.assignments.delete(tuple, cleared)).await
            }
            Tuple::IdentityCenterGroup(tuple) => {
                Box::pin(self.0.groups.delete(tuple, cleared)).await
            }
            Tuple::IamGroup(tuple) => Box::pin(self.0.iam.delete(tuple, cleared)).await,
        }
    }

    /// How far an asynchronous operation is. An error says nothing about the operation: list then.
    /// Only assignments are asynchronous.
    pub async fn progress(
        &self,
        tuple: &Tuple,
        operation: Operation,
        request_id: &str,
    ) -> Result<Outcome, Error> {
        match tuple {
            Tuple::AccountAssignment(tuple) => {
                Box::pin(self.0.assignments.progress(tuple, operation, request_id)).await
            }
            Tuple::IdentityCenterGroup(_) | Tuple::IamGroup(_) => Ok(Outcome::Succeeded {
                request_id: Some(request_id.to_owned()),
            }),
        }
    }

    /// Longest session, in seconds, that the access allows to start; none where it can't be told.
    pub async fn session_seconds(&self, tuple: &Tuple) -> Option<i64> {
        match tuple {
            Tuple::AccountAssignment(tuple) => {
                Box::pin(self.0.assignments.session_seconds(tuple)).await
            }
            Tuple::IdentityCenterGroup(_) | Tuple::IamGroup(_) => Some(LONGEST_SESSION_SECONDS),
        }
    }

    /// Marks the access as ours for people and for recovery, where AWS has a place for it. Nothing
    /// depends on it. None where nothing was written.
    pub async fn mark(&self, tuple: &Tuple, expiry: Timestamp) -> Option<Outcome> {
        match tuple {
            Tuple::IamGroup(tuple) => Box::pin(self.0.iam.mark(tuple, expiry)).await,
            Tuple::AccountAssignment(_) | Tuple::IdentityCenterGroup(_) => None,
        }
    }

    /// Takes the mark away again. None where nothing was written.
    pub async fn unmark(&self, tuple: &Tuple) -> Option<Outcome> {
        match tuple {
            Tuple::IamGroup(tuple) => Box::pin(self.0.iam.unmark(tuple)).await,
            Tuple::AccountAssignment(_) | Tuple::IdentityCenterGroup(_) => None,
        }
    }
}
