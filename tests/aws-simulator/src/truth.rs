//! The world laid open: what really is, whatever reads answer.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::world::assignments::{OperationKind, PrincipalType, Tuple};
use crate::world::iam::Tag;
use crate::world::instance::Instance;
use crate::world::{Account, AccountStatus, World};

/// Everything that exists at one time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Truth {
    /// The time.
    pub time: Timestamp,
    /// The account that owns the organization.
    pub management_account: String,
    /// The account that administers Identity Center on its behalf.
    pub delegated_administrator: Option<String>,
    /// All accounts.
    pub accounts: Vec<TrueAccount>,
    /// All instances.
    pub instances: Vec<TrueInstance>,
}

/// An account and its IAM.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TrueAccount {
    /// Twelve digits.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Whether it is in use.
    pub status: AccountStatus,
    /// IAM users.
    pub users: Vec<TrueIamUser>,
    /// IAM groups.
    pub groups: Vec<TrueIamGroup>,
    /// ARNs of IAM roles.
    pub roles: Vec<String>,
}

/// An IAM user.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TrueIamUser {
    /// Unique id, AIDA...
    pub id: String,
    /// The name.
    pub name: String,
    /// Names of the groups the user is in.
    pub groups: Vec<String>,
    /// Tags.
    pub tags: Vec<Tag>,
}

/// An IAM group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TrueIamGroup {
    /// Unique id, AGPA...
    pub id: String,
    /// The name.
    pub name: String,
    /// Names of its members.
    pub members: Vec<String>,
}

/// An instance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TrueInstance {
    /// Its ARN.
    pub arn: String,
    /// Its Region.
    pub region: String,
    /// The account that owns it.
    pub owner: String,
    /// The id of its identity store.
    pub identity_store_id: String,
    /// Permission sets.
    pub permission_sets: Vec<TruePermissionSet>,
    /// Users.
    pub users: Vec<TrueUser>,
    /// Groups.
    pub groups: Vec<TrueGroup>,
    /// Assignments that stand.
    pub assignments: Vec<TrueAssignment>,
    /// All operations that are remembered.
    pub operations: Vec<TrueOperation>,
}

/// A permission set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TruePermissionSet {
    /// Its ARN.
    pub arn: String,
    /// Its name.
    pub name: String,
    /// ISO 8601.
    pub session_duration: String,
}

/// A user of an identity store.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TrueUser {
    /// Its id.
    pub id: String,
    /// The user name.
    pub user_name: String,
    /// Whether sign-in is on.
    pub enabled: bool,
}

/// A group of an identity store.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TrueGroup {
    /// Its id.
    pub id: String,
    /// The name.
    pub display_name: String,
    /// Whether a directory synchronisation manages it, by its external ids.
    pub managed: bool,
    /// The members.
    pub members: Vec<TrueMember>,
}

/// A member of a group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TrueMember {
    /// The membership's id.
    pub membership_id: String,
    /// The user's id.
    pub user_id: String,
    /// The user's name.
    pub user_name: String,
}

/// An assignment.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TrueAssignment {
    /// The account's id.
    pub account: String,
    /// The permission set's ARN.
    pub permission_set_arn: String,
    /// Its name, if it still exists.
    pub permission_set: Option<String>,
    /// Whether to a user or a group.
    pub principal_type: PrincipalType,
    /// The user's or group's id.
    pub principal_id: String,
    /// Its name, if it still exists.
    pub principal: Option<String>,
}

/// A Create- or `DeleteAccountAssignment`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TrueOperation {
    /// Its request id.
    pub request_id: String,
    /// Which of the two.
    pub kind: OperationKind,
    /// `IN_PROGRESS`, SUCCEEDED or FAILED.
    pub status: String,
    /// Why it failed.
    pub failure_reason: Option<String>,
    /// When it was asked for.
    pub created: Timestamp,
    /// What for.
    pub assignment: TrueAssignment,
}

impl Truth {
    pub(crate) fn of(world: &World, now: Timestamp) -> Self {
        Self {
            time: now,
            management_account: world.management_account.clone(),
            delegated_administrator: world.delegated_administrator.clone(),
            accounts: world
                .accounts
                .iter()
                .map(|(id, found)| account(id, found, now))
                .collect(),
            instances: world
                .instances
                .iter()
                .map(|found| instance(found, now))
                .collect(),
        }
    }

    /// An account by its id.
    pub fn account(&self, id: &str) -> Option<&TrueAccount> {
        self.accounts.iter().find(|account| account.id == id)
    }

    /// The first instance.
    pub fn instance(&self) -> Option<&TrueInstance> {
        self.instances.first()
    }

    /// Whether `principal`, a user's or group's name or id, holds this permission set (name or ARN) directly in this account, in
    /// any instance.
    pub fn is_assigned(&self, account: &str, permission_set: &str, principal: &str) -> bool {
        self.instances
            .iter()
            .flat_map(|instance| &instance.assignments)
            .any(|row| {
                let set = row.permission_set_arn == permission_set
                    || row.permission_set.as_deref() == Some(permission_set);
                let whose =
                    row.principal_id == principal || row.principal.as_deref() == Some(principal);
                row.account == account && set && whose
            })
    }

    /// Whether a user (name or id) is in a group (name or id) of any identity store.
    pub fn is_member(&self, group: &str, user: &str) -> bool {
        let groups = self.instances.iter().flat_map(|instance| &instance.groups);
        let mut named = groups.filter(|found| found.id == group || found.display_name == group);
        named.any(|group| {
            group
                .members
                .iter()
                .any(|member| member.user_id == user || member.user_name == user)
        })
    }

    /// Whether an IAM user (by name) is in an IAM group (by name).
    pub fn is_iam_member(&self, account: &str, group: &str, user: &str) -> bool {
        let groups = self
            .account(account)
            .map(|account| account.groups.as_slice())
            .unwrap_or_default();
        groups
            .iter()
            .any(|found| found.name == group && found.members.iter().any(|member| member == user))
    }
}

impl TrueInstance {
    /// The id of a user.
    pub fn user_id(&self, user_name: &str) -> Option<&str> {
        self.users
            .iter()
            .find(|user| user.user_name == user_name)
            .map(|user| user.id.as_str())
    }

    /// The id of a group.
    pub fn group_id(&self, display_name: &str) -> Option<&str> {
        self.groups
            .iter()
            .find(|group| group.display_name == display_name)
            .map(|group| group.id.as_str())
    }

    /// The ARN of a permission set.
    pub fn permission_set_arn(&self, name: &str) -> Option<&str> {
        self.permission_sets
            .iter()
            .find(|set| set.name == name)
            .map(|set| set.arn.as_str())
    }
}

fn account(id: &str, account: &Account, now: Timestamp) -> TrueAccount {
    let iam = &account.iam;
    let user = |user: &crate::world::iam::IamUser| TrueIamUser {
        id: user.id.clone(),
        name: user.name.clone(),
        groups: iam
            .groups_of(&user.id, now)
            .map(|group| group.name.clone())
            .collect(),
        tags: user.tags.latest().cloned().unwrap_or_default(),
    };
    let group = |group: &crate::world::iam::IamGroup| TrueIamGroup {
        id: group.id.clone(),
        name: group.name.clone(),
        members: iam
            .members_of(&group.id, now)
            .map(|user| user.name.clone())
            .collect(),
    };
    TrueAccount {
        id: id.to_owned(),
        name: account.name.clone(),
        status: account.status,
        users: iam.users().map(user).collect(),
        groups: iam.groups().map(group).collect(),
        roles: iam
            .roles()
            .map(|role| iam.arn("role", &role.path, &role.name))
            .collect(),
    }
}

fn instance(instance: &Instance, now: Timestamp) -> TrueInstance {
    let directory = &instance.directory;
    let member = |membership: &crate::world::directory::Membership| TrueMember {
        membership_id: membership.id.clone(),
        user_id: membership.user_id.clone(),
        user_name: directory
            .users
            .get(&membership.user_id)
            .map(|user| user.user_name.clone())
            .unwrap_or_default(),
    };
    let group = |group: &crate::world::directory::Group| TrueGroup {
        id: group.id.clone(),
        display_name: group.display_name.clone(),
        managed: !group.external_ids.is_empty(),
        members: directory
            .memberships(now)
            .filter(|membership| membership.group_id == group.id)
            .map(member)
            .collect(),
    };
    let operation = |operation: &crate::world::assignments::Operation| TrueOperation {
        request_id: operation.request_id.clone(),
        kind: operation.kind,
        status: operation.status().0.to_owned(),
        failure_reason: operation.status().1.map(str::to_owned),
        created: operation.created,
        assignment: assignment(instance, &operation.tuple),
    };
    let mut operations: Vec<TrueOperation> =
        instance.assignments.operations().map(operation).collect();
    operations.sort_by_key(|operation| operation.created);
    TrueInstance {
        arn: instance.arn.clone(),
        region: instance.region.clone(),
        owner: instance.owner.clone(),
        identity_store_id: directory.id.clone(),
        permission_sets: instance
            .permission_sets
            .values()
            .map(|set| TruePermissionSet {
                arn: set.arn.clone(),
                name: set.name.clone(),
                session_duration: set.session_duration.clone(),
            })
            .collect(),
        users: directory
            .users
            .values()
            .map(|user| TrueUser {
                id: user.id.clone(),
                user_name: user.user_name.clone(),
                enabled: user.enabled,
            })
            .collect(),
        groups: directory.groups.values().map(group).collect(),
        assignments: instance
            .assignments
            .rows(now)
            .map(|tuple| assignment(instance, tuple))
            .collect(),
        operations,
    }
}

fn assignment(instance: &Instance, tuple: &Tuple) -> TrueAssignment {
    TrueAssignment {
        account: tuple.account.clone(),
        permission_set_arn: tuple.permission_set.clone(),
        permission_set: instance
            .permission_sets
            .get(&tuple.permission_set)
            .map(|set| set.name.clone()),
        principal_type: tuple.principal.kind,
        principal_id: tuple.principal.id.clone(),
        principal: instance.principal_name(&tuple.principal).map(str::to_owned),
    }
}
