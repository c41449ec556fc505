//! What others do to the world behind a client's back, at once and past all limits.

mod groups;
mod iam;
mod identity_center;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::random::Random;
use crate::seed::{SeedAccount, SeedError, SeedInstance};
use crate::settings::Settings;
use crate::world::iam::Tag;
use crate::world::{AccountStatus, World};

/// One change. Users, groups and permission sets of Identity Center are given by id, ARN or name, and looked for in all instances.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(
    rename_all = "camelCase",
    rename_all_fields = "camelCase",
    deny_unknown_fields
)]
#[expect(
    missing_docs,
    reason = "variants and fields say what they are; a line above a group says what it has in common"
)]
pub enum Change {
    // Assignments. A principal that no longer exists is given by its id.
    CreateAssignment {
        account: String,
        permission_set: String,
        principal: String,
    },
    DeleteAssignment {
        account: String,
        permission_set: String,
        principal: String,
    },

    // Users and groups of an identity store. Recreating gives the same names and another id; members are lost.
    CreateUser {
        user_name: String,
        external_id: Option<String>,
    },
    DeleteUser {
        user: String,
    },
    RenameUser {
        user: String,
        user_name: String,
    },
    RecreateUser {
        user: String,
    },
    EnableUser {
        user: String,
    },
    DisableUser {
        user: String,
    },
    CreateGroup {
        display_name: String,
        external_id: Option<String>,
    },
    DeleteGroup {
        group: String,
    },
    RenameGroup {
        group: String,
        display_name: String,
    },
    RecreateGroup {
        group: String,
    },
    AddGroupMember {
        group: String,
        user: String,
    },
    RemoveGroupMember {
        group: String,
        user: String,
    },
    /// A directory synchronisation writes its own list over the members. Whoever stays keeps the membership.
    SetGroupMembers {
        group: String,
        users: Vec<String>,
    },
    /// The membership is removed and made again at once, and has another id. Who was not in the group is in it now.
    RenewGroupMember {
        group: String,
        user: String,
    },
    /// A directory synchronisation takes the group over, or lets go of it.
    SetGroupExternalId {
        group: String,
        external_id: Option<String>,
    },

    // Permission sets. A deleted one takes its assignments with it. None can be renamed (IAM Identity Center API reference,
    // `UpdatePermissionSet`, takes no name): whoever wants another name makes another one, which has another ARN.
    CreatePermissionSet {
        name: String,
        session_duration: String,
    },
    SetSessionDuration {
        permission_set: String,
        session_duration: String,
    },
    DeletePermissionSet {
        permission_set: String,
    },
    RecreatePermissionSet {
        permission_set: String,
    },

    // IAM, by names. Deleting ends memberships; recreating gives another unique id and no members.
    CreateIamUser {
        account: String,
        user: String,
    },
    DeleteIamUser {
        account: String,
        user: String,
    },
    RenameIamUser {
        account: String,
        user: String,
        new_name: String,
    },
    RecreateIamUser {
        account: String,
        user: String,
    },
    CreateIamGroup {
        account: String,
        group: String,
    },
    DeleteIamGroup {
        account: String,
        group: String,
    },
    RenameIamGroup {
        account: String,
        group: String,
        new_name: String,
    },
    RecreateIamGroup {
        account: String,
        group: String,
    },
    AddIamGroupMember {
        account: String,
        group: String,
        user: String,
    },
    RemoveIamGroupMember {
        account: String,
        group: String,
        user: String,
    },
    SetIamUserTags {
        account: String,
        user: String,
        tags: Vec<Tag>,
    },
    CreateRole {
        account: String,
        role: String,
    },
    DeleteRole {
        account: String,
        role: String,
    },
    /// Temporary credentials of a role (its ARN) given so far expire now.
    ExpireSessions {
        role_arn: String,
    },
    /// Whatever sessions of a role (its ARN) that began so far ask for is denied, and they are not told why: what IAM does who "revokes
    /// active sessions" (IAM guide, `id_roles_use_revoke-sessions`).
    RevokeSessions {
        role_arn: String,
    },

    // Accounts and instances. An account that is closed is suspended, and leaves the organization in the end.
    AddAccount(SeedAccount),
    SetAccountStatus {
        account: String,
        status: AccountStatus,
    },
    /// The account is not in the organization any more. Identity Center cleans up what it has there (IAM Identity Center guide,
    /// `using-service-linked-roles`), so its assignments go too.
    RemoveAccount {
        account: String,
    },
    /// Long-term keys of the account count as expired until then, as temporary ones do that nobody renews in time.
    ExpireKeys {
        account: String,
        until: Timestamp,
    },
    DelegateAdministration {
        account: Option<String>,
    },
    AddInstance(SeedInstance),
    RemoveInstance {
        arn: String,
    },
    EnablePermissionSets {
        arn: String,
        enabled: bool,
    },
}

/// A change of something that is not there, or that is there already.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    /// It is not there.
    #[error("there is no {kind} {name:?}")]
    Missing {
        /// What was looked for.
        kind: &'static str,
        /// By which name or id.
        name: String,
    },
    /// The name is taken.
    #[error("there is a {kind} {name:?} already")]
    Taken {
        /// What was to be made.
        kind: &'static str,
        /// Under which name.
        name: String,
    },
    /// The account or instance to add is not consistent.
    #[error(transparent)]
    Seed(#[from] SeedError),
}

fn missing(kind: &'static str, name: &str) -> ChangeError {
    ChangeError::Missing {
        kind,
        name: name.to_owned(),
    }
}

fn taken(kind: &'static str, name: &str) -> ChangeError {
    ChangeError::Taken {
        kind,
        name: name.to_owned(),
    }
}

/// What a change works on.
struct Hand<'a> {
    world: &'a mut World,
    settings: &'a Settings,
    now: Timestamp,
    random: &'a mut Random,
}

/// The id of what was made, if anything was.
type Changed = Result<Option<String>, ChangeError>;

impl Change {
    pub(crate) fn apply(
        &self,
        world: &mut World,
        settings: &Settings,
        now: Timestamp,
        random: &mut Random,
    ) -> Changed {
        let mut hand = Hand {
            world,
            settings,
            now,
            random,
        };
        match self {
            Self::CreateIamUser { .. }
            | Self::DeleteIamUser { .. }
            | Self::RenameIamUser { .. }
            | Self::RecreateIamUser { .. }
            | Self::CreateIamGroup { .. }
            | Self::DeleteIamGroup { .. }
            | Self::RenameIamGroup { .. }
            | Self::RecreateIamGroup { .. }
            | Self::AddIamGroupMember { .. }
            | Self::RemoveIamGroupMember { .. }
            | Self::SetIamUserTags { .. }
            | Self::CreateRole { .. }
            | Self::DeleteRole { .. } => iam::apply(&mut hand, self),
            Self::CreateGroup { .. }
            | Self::DeleteGroup { .. }
            | Self::RenameGroup { .. }
            | Self::RecreateGroup { .. }
            | Self::AddGroupMember { .. }
            | Self::RemoveGroupMember { .. }
            | Self::SetGroupMembers { .. }
            | Self::RenewGroupMember { .. }
            | Self::SetGroupExternalId { .. } => groups::apply(&mut hand, self),
            Self::ExpireSessions { role_arn } => {
                let sessions = hand.world.sessions_of(role_arn);
                sessions.for_each(|session| session.expires = now);
                Ok(None)
            }
            Self::RevokeSessions { role_arn } => {
                let sessions = hand.world.sessions_of(role_arn);
                sessions.for_each(|session| session.revoked = true);
                Ok(None)
            }
            Self::AddAccount(seed) => {
                let account = seed.account(&hand.world.partition, now, hand.random)?;
                hand.world.accounts.insert(seed.id.clone(), account);
                Ok(None)
            }
            Self::SetAccountStatus { account, status } => {
                hand.world
                    .accounts
                    .get_mut(account)
                    .ok_or_else(|| missing("account", account))?
                    .status = *status;
                Ok(None)
            }
            Self::RemoveAccount { account } => {
                let accounts = &mut hand.world.accounts;
                accounts
                    .remove(account)
                    .ok_or_else(|| missing("account", account))?;
                identity_center::remove_assignments(&mut hand, |row| row.account == *account);
                Ok(None)
            }
            Self::ExpireKeys { account, until } => {
                let keys = &mut hand.world.expired_keys;
                keys.insert(account.clone(), *until);
                Ok(None)
            }
            Self::DelegateAdministration { account } => {
                hand.world.delegated_administrator.clone_from(account);
                Ok(None)
            }
            Self::AddInstance(seed) => {
                let owner = seed
                    .owner
                    .clone()
                    .unwrap_or_else(|| hand.world.management_account.clone());
                let instance = seed.instance(&hand.world.partition, &owner, now, hand.random)?;
                let arn = instance.arn.clone();
                hand.world.instances.push(instance);
                Ok(Some(arn))
            }
            Self::RemoveInstance { arn } => {
                hand.world.instances.retain(|instance| instance.arn != *arn);
                Ok(None)
            }
            Self::EnablePermissionSets { arn, enabled } => {
                let instance = hand
                    .world
                    .instance_mut(arn)
                    .ok_or_else(|| missing("instance", arn))?;
                instance.permission_sets_enabled = *enabled;
                Ok(None)
            }
            _ => identity_center::apply(&mut hand, self),
        }
    }
}
