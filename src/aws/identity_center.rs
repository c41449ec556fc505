//! Identity Center itself: its one instance, and the names in it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_sdk_identitystore::types::{AlternateIdentifier, UniqueAttribute, UserStatus};
use aws_sdk_ssoadmin::types::InstanceStatus;
use aws_smithy_types::Document;
use tokio::sync::Mutex as AsyncMutex;
use tokio::time::Instant;

use super::calls::{Calls, Pages, id};
use super::clients::Clients;
use super::credentials::Roles;
use super::desk::{DeskKey, Service};
use super::error::{Class, Error};
use super::outcome::ResolveError;
use crate::api::access::Operation;
use crate::decide::policy::Management;

/// The instance that everything in Identity Center belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Instance {
    pub(super) arn: String,
    pub(super) identity_store_id: String,
    /// The management account, for an organization's instance. AWS may leave it out.
    pub(super) owner_account: Option<String>,
    /// Where it can be written to, if AWS says.
    primary_region: Option<String>,
}

/// A permission set. Its name never changes (SSO Admin API reference, `UpdatePermissionSet` takes
/// none); the length of its sessions may.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PermissionSet {
    pub(super) name: String,
    session_seconds: Option<i64>,
    described: Instant,
}

/// How old the length of a session may be.
const SESSION_FRESH: Duration = Duration::from_mins(15);

/// A user, as far as it matters here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct User {
    pub(super) name: Option<String>,
    pub(super) disabled: bool,
}

/// Identity Center, read with the reaper's credentials.
#[derive(Debug)]
pub(super) struct IdentityCenter {
    pub(super) calls: Calls,
    pub(super) roles: Roles,
    region: String,
    configured_arn: Option<String>,
    /// The one that `ListInstances` has shown.
    found: Mutex<Option<Instance>>,
    permission_sets: Mutex<HashMap<String, PermissionSet>>,
    /// One at a time reads a permission set; the others find its result.
    searching: AsyncMutex<()>,
}

impl IdentityCenter {
    pub(super) fn new(
        calls: Calls,
        roles: Roles,
        region: String,
        configured_arn: Option<String>,
    ) -> Self {
        Self {
            calls,
            roles,
            region,
            configured_arn,
            found: Mutex::default(),
            permission_sets: Mutex::default(),
            searching: AsyncMutex::default(),
        }
    }

    pub(super) fn sso_key(instance_arn: &str) -> DeskKey {
        DeskKey {
            scope: instance_arn.to_owned(),
            service: Service::SsoAdmin,
        }
    }

    pub(super) fn store_key(instance_arn: &str) -> DeskKey {
        DeskKey {
            scope: instance_arn.to_owned(),
            service: Service::IdentityStore,
        }
    }

    pub(super) fn sso(&self) -> &aws_sdk_ssoadmin::Client {
        self.roles.reaper.reads.sso_admin()
    }

    pub(super) fn store(&self) -> &aws_sdk_identitystore::Client {
        self.roles.reaper.reads.identity_store()
    }

    /// What to write with, once AWS has told whose credentials these are.
    pub(super) async fn writer(&self, operation: Operation) -> Result<&Clients, Error> {
        let role = match operation {
            Operation::Create => &self.roles.granter,
            Operation::Delete => &self.roles.reaper,
        };
        role.account(&self.calls).await?;
        Ok(&role.writes)
    }

    /// What is known of the management account without asking.
    pub(super) fn management(&self) -> Management {
        self.found()
            .and_then(|instance| instance.owner_account)
            .map_or(Management::Unknown, Management::Account)
    }

    /// The instance, found once. An account that has none is asked again each time: one may be
    /// switched on.
    pub(super) async fn instance(&self) -> Result<Instance, ResolveError> {
        if let Some(instance) = self.found() {
            return Ok(instance);
        }
        let found = self.list_instances().await?;
        let region = &self.region;
        let chosen = match (&self.configured_arn, found.as_slice()) {
            (Some(arn), all) => all.iter().find(|instance| instance.arn == *arn).ok_or_else(|| {
                let message = format!("the Identity Center instance {arn} is not in Region {region}, or these credentials can't see it; mend identityCenter.instanceArn or identityCenter.region");
                ResolveError::stalled("InstanceNotFound", message)
            })?,
            (None, [only]) => only,
            (None, []) => {
                let message = format!("there is no Identity Center instance in Region {region}; set AWS_REGION or identityCenter.region to its primary Region");
                return Err(ResolveError::stalled("InstanceNotFound", message));
            }
            (None, several) => {
                let arns: Vec<_> = several.iter().map(|instance| instance.arn.as_str()).collect();
                let message = format!("there are several Identity Center instances ({}); set identityCenter.instanceArn to one", arns.join(", "));
                return Err(ResolveError::stalled("SeveralInstances", message));
            }
        };
        // A replica in another Region answers reads of users and groups, and nothing else (IAM Identity
        // Center user guide, "Using IAM Identity Center across multiple AWS Regions").
        if let Some(primary) = &chosen.primary_region
            && primary != region
        {
            let message = format!(
                "Region {region} is not the primary Region of Identity Center; set AWS_REGION or identityCenter.region to {primary}"
            );
            return Err(ResolveError::stalled("WrongRegion", message));
        }
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(found.insert(chosen.clone()).clone())
    }

    fn found(&self) -> Option<Instance> {
        self.found
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    async fn list_instances(&self) -> Result<Vec<Instance>, Error> {
        const OPERATION: &str = "sso:ListInstances";
        let key = Self::sso_key("");
        let mut found = Vec::new();
        let mut pages = Pages::of(OPERATION);
        loop {
            let page = self.sso().list_instances();
            let page = page.set_next_token(pages.mark()).send();
            let page = self.calls.read(&key, OPERATION, page).await?;
            let instances = page
                .instances
                .ok_or_else(|| Error::senseless(OPERATION, "no list"))?;
            for instance in instances {
                // Only a deleted or half-made instance says anything else than ACTIVE.
                if !matches!(instance.status(), None | Some(InstanceStatus::Active)) {
                    continue;
                }
                found.push(Instance {
                    arn: id(OPERATION, instance.instance_arn())?,
                    identity_store_id: id(OPERATION, instance.identity_store_id())?,
                    owner_account: instance.owner_account_id().map(str::to_owned),
                    primary_region: instance.primary_region().map(str::to_owned),
                });
            }
            if !pages.turn(page.next_token)? {
                return Ok(found);
            }
        }
    }

    /// The user of that name: id and nothing else is to be trusted until the name is compared.
    pub(super) async fn resolve_user(
        &self,
        instance: &Instance,
        name: &str,
    ) -> Result<String, ResolveError> {
        const OPERATION: &str = "identitystore:GetUserId";
        let not_found = || {
            ResolveError::stalled(
                "UserNotFound",
                format!("there is no user {name} in Identity Center"),
            )
        };
        let send = self
            .store()
            .get_user_id()
            .identity_store_id(&instance.identity_store_id)
            .alternate_identifier(unique("userName", name)?)
            .send();
        let id = match self
            .calls
            .read(&Self::store_key(&instance.arn), OPERATION, send)
            .await
        {
            Ok(answer) => id(OPERATION, Some(&answer.user_id))?,
            Err(error) if error.is_gone() => return Err(not_found()),
            Err(error) => return Err(error.into()),
        };
        let user = self
            .user(&instance.arn, &instance.identity_store_id, &id)
            .await?
            .ok_or_else(not_found)?;
        exact("user", name, user.name.as_deref().unwrap_or_default())?;
        if user.disabled {
            return Err(ResolveError::stalled(
                "UserDisabled",
                format!("user {name} is disabled in Identity Center; enable it first"),
            ));
        }
        Ok(id)
    }

    /// A user by id; none if there is none.
    pub(super) async fn user(
        &self,
        instance_arn: &str,
        store_id: &str,
        user_id: &str,
    ) -> Result<Option<User>, Error> {
        const OPERATION: &str = "identitystore:DescribeUser";
        let send = self
            .store()
            .describe_user()
            .identity_store_id(store_id)
            .user_id(user_id)
            .send();
        match self
            .calls
            .read(&Self::store_key(instance_arn), OPERATION, send)
            .await
        {
            Ok(answer) => {
                id(OPERATION, Some(answer.user_id()))?;
                Ok(Some(User {
                    name: answer.user_name().map(str::to_owned),
                    disabled: matches!(answer.user_status(), Some(UserStatus::Disabled)),
                }))
            }
            Err(error) if error.is_gone() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Id of the permission set of that name. Names are read once for each ARN; a name that is not
    /// known makes us list the ARNs again.
    pub(super) async fn resolve_permission_set(
        &self,
        instance: &Instance,
        name: &str,
    ) -> Result<String, ResolveError> {
        if let Some(arn) = self.known_permission_set(name) {
            return Ok(arn);
        }
        let mut unreadable = None;
        for arn in self.list_permission_sets(&instance.arn).await? {
            let read = self.permission_set_in_turn(&instance.arn, &arn).await;
            if let Some(arn) = self.known_permission_set(name) {
                return Ok(arn);
            }
            match read {
                // A set may vanish while we look, and a delegate may be refused a single one.
                Err(error) if matches!(error.class, Class::Gone | Class::Denied) => {
                    unreadable = Some(error);
                }
                Err(error) => return Err(error.into()),
                Ok(_) => {}
            }
        }
        match unreadable {
            Some(error) if error.class == Class::Denied => Err(error.into()),
            _ => Err(ResolveError::stalled(
                "PermissionSetNotFound",
                format!("there is no permission set {name}"),
            )),
        }
    }

    /// Reads the names of all permission sets that are not known yet.
    pub(super) async fn read_permission_sets(&self) -> Result<(), ResolveError> {
        let instance = self.instance().await?;
        for arn in self.list_permission_sets(&instance.arn).await? {
            match self.permission_set_in_turn(&instance.arn, &arn).await {
                Err(error) if !matches!(error.class, Class::Gone | Class::Denied) => {
                    return Err(error.into());
                }
                Err(_) | Ok(_) => {}
            }
        }
        Ok(())
    }

    /// A permission set by ARN, read by one caller at a time, so that all who search share the work.
    async fn permission_set_in_turn(
        &self,
        instance_arn: &str,
        arn: &str,
    ) -> Result<PermissionSet, Error> {
        let _turn = self.searching.lock().await;
        self.permission_set(instance_arn, arn).await
    }

    fn known_permission_set(&self, name: &str) -> Option<String> {
        let known = self
            .permission_sets
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        known
            .iter()
            .find(|(_, set)| set.name == name)
            .map(|(arn, _)| arn.clone())
    }

    /// Forgets a permission set that AWS no longer knows, so that one made anew under its name is found.
    pub(super) fn forget_permission_set(&self, arn: &str) {
        self.permission_sets
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(arn);
    }

    /// ARNs of all permission sets. Those that vanished are forgotten.
    async fn list_permission_sets(&self, instance_arn: &str) -> Result<Vec<String>, Error> {
        const OPERATION: &str = "sso:ListPermissionSets";
        let key = Self::sso_key(instance_arn);
        let mut arns = Vec::new();
        let mut pages = Pages::of(OPERATION);
        loop {
            let page = self
                .sso()
                .list_permission_sets()
                .instance_arn(instance_arn)
                .max_results(100)
                .set_next_token(pages.mark())
                .send();
            let page = self.calls.read(&key, OPERATION, page).await?;
            let found = page
                .permission_sets
                .ok_or_else(|| Error::senseless(OPERATION, "no list"))?;
            for arn in found {
                arns.push(id(OPERATION, Some(&arn))?);
            }
            if !pages.turn(page.next_token)? {
                break;
            }
        }
        self.permission_sets
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .retain(|arn, _| arns.contains(arn));
        Ok(arns)
    }

    /// A permission set by ARN.
    pub(super) async fn permission_set(
        &self,
        instance_arn: &str,
        arn: &str,
    ) -> Result<PermissionSet, Error> {
        match self.cached_permission_set(arn) {
            Some(set) => Ok(set),
            None => self.describe_permission_set(instance_arn, arn).await,
        }
    }

    /// How long a session of a permission set lasts at most, in seconds; none where nobody can tell.
    pub(super) async fn session_seconds(&self, instance_arn: &str, arn: &str) -> Option<i64> {
        let cached = self.cached_permission_set(arn);
        if let Some(set) = cached.filter(|set| set.described.elapsed() < SESSION_FRESH) {
            return set.session_seconds;
        }
        let set = self.describe_permission_set(instance_arn, arn).await;
        set.ok().and_then(|set| set.session_seconds)
    }

    fn cached_permission_set(&self, arn: &str) -> Option<PermissionSet> {
        self.permission_sets
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(arn)
            .cloned()
    }

    async fn describe_permission_set(
        &self,
        instance_arn: &str,
        arn: &str,
    ) -> Result<PermissionSet, Error> {
        const OPERATION: &str = "sso:DescribePermissionSet";
        let described = Instant::now();
        let send = self
            .sso()
            .describe_permission_set()
            .instance_arn(instance_arn)
            .permission_set_arn(arn)
            .send();
        let answer = self
            .calls
            .read(&Self::sso_key(instance_arn), OPERATION, send)
            .await?;
        let set = answer
            .permission_set
            .filter(|set| set.permission_set_arn().is_none_or(|told| told == arn))
            .ok_or_else(|| Error::senseless(OPERATION, "not what was asked for"))?;
        let set = PermissionSet {
            // It is remembered for life.
            name: id(OPERATION, set.name())?,
            // An hour is what AWS takes where none is set (SSO Admin API reference, `CreatePermissionSet`).
            session_seconds: match set.session_duration() {
                None => Some(3_600),
                Some(text) => iso_8601_seconds(text),
            },
            described,
        };
        self.permission_sets
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(arn.to_owned(), set.clone());
        Ok(set)
    }
}

/// The alternate identifier by which names are looked up.
pub(super) fn unique(path: &str, value: &str) -> Result<AlternateIdentifier, Error> {
    UniqueAttribute::builder()
        .attribute_path(path)
        .attribute_value(Document::String(value.to_owned()))
        .build()
        .map(AlternateIdentifier::UniqueAttribute)
        .map_err(|error| Error::new("identitystore", Class::Invalid, error.to_string()))
}

/// A name must be written as AWS spells it, byte for byte: no tricks with case or look-alikes.
pub(super) fn exact(what: &str, written: &str, spelled: &str) -> Result<(), ResolveError> {
    if written == spelled {
        return Ok(());
    }
    let message = format!(
        "AWS spells the {what} {spelled:?}, and the grant says {written:?}; write it as AWS does"
    );
    Err(ResolveError::stalled("NameMismatch", message))
}

/// Seconds of a session's length such as `PT1H30M` (SSO Admin API reference, `SessionDuration`).
fn iso_8601_seconds(text: &str) -> Option<i64> {
    let length: jiff::SignedDuration = text.parse().ok()?;
    Some(length.as_secs()).filter(|seconds| *seconds > 0)
}

/// What is shared by the parts that need Identity Center.
pub(super) type Shared = Arc<IdentityCenter>;

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #![proptest_config(crate::hostile::cases(300))]

        #[test]
        fn a_session_lasts_some_time_or_nobody_can_tell(
            text in proptest::prop_oneof!["-?PT?[0-9]{0,20}[HMSDWY]?([0-9]{1,9}[MS])?", crate::hostile::text()],
        ) {
            if let Some(seconds) = iso_8601_seconds(&text) {
                proptest::prop_assert!(seconds > 0, "{} s from {}", seconds, text);
            }
        }
    }

    #[test]
    fn session_durations_are_read() {
        assert_eq!(iso_8601_seconds("PT1H"), Some(3_600));
        assert_eq!(iso_8601_seconds("PT1H30M"), Some(5_400));
        assert_eq!(iso_8601_seconds("PT12H"), Some(43_200));
        assert_eq!(iso_8601_seconds("soon"), None);
    }

    #[test]
    fn names_must_be_spelled_as_aws_spells_them() {
        assert!(exact("user", "alice", "alice").is_ok());
        for spelled in ["Alice", "alice ", "аlice"] {
            assert!(exact("user", "alice", spelled).is_err(), "{spelled}");
        }
    }
}
