//! What an access is about: one person and one entitlement in AWS, by the ids that AWS gave them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One principal and one entitlement, pinned by ids. Names are kept for people and because IAM's
/// API takes nothing else; they never decide identity.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Tuple {
    /// A permission set in an account, assigned directly to an Identity Center user.
    AccountAssignment(AccountAssignment),
    /// Membership of an Identity Center user in an Identity Center group.
    IdentityCenterGroup(IdentityCenterGroup),
    /// Membership of an IAM user in an IAM group.
    IamGroup(IamGroup),
}

/// A permission set in an account, assigned directly to an Identity Center user.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AccountAssignment {
    /// ARN of the Identity Center instance.
    pub instance_arn: String,
    /// Id of the identity store that holds the user.
    pub identity_store_id: String,
    /// Id of the target account, 12 digits.
    pub account: String,
    /// ARN of the permission set.
    pub permission_set_arn: String,
    /// Name of the permission set when it was pinned.
    pub permission_set: String,
    /// Id of the user in the identity store.
    pub user_id: String,
    /// User name when it was pinned.
    pub user: String,
}

/// Membership of an Identity Center user in an Identity Center group.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct IdentityCenterGroup {
    /// ARN of the Identity Center instance.
    pub instance_arn: String,
    /// Id of the identity store that holds user and group.
    pub identity_store_id: String,
    /// Id of the group in the identity store.
    pub group_id: String,
    /// Display name of the group when it was pinned.
    pub group: String,
    /// Id of the user in the identity store.
    pub user_id: String,
    /// User name when it was pinned.
    pub user: String,
}

/// Membership of an IAM user in an IAM group.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct IamGroup {
    /// Id of the account that holds user and group, 12 digits.
    pub account: String,
    /// Unique id of the group (`AGPA...`): names are re-used, and IAM ignores their case.
    pub group_id: String,
    /// Name of the group when it was pinned.
    pub group: String,
    /// Unique id of the user (`AIDA...`).
    pub user_id: String,
    /// Name of the user when it was pinned.
    pub user: String,
}

impl Tuple {
    /// Name of the [`BreakglassAccess`](super::access::BreakglassAccess) of this tuple: a prefix for
    /// the kind and 160 bits of SHA-256 over all ids. Two tuples never share a name in practice; the
    /// tuple itself is compared on read all the same.
    pub fn access_name(&self) -> String {
        let (prefix, ids) = self.ids();
        let parts = std::iter::once(prefix).chain(ids);
        format!("{prefix}-{}", crate::digest::of(20, parts))
    }

    /// Whether the two are the same person and entitlement, whatever they are called now.
    pub fn same_ids(&self, other: &Self) -> bool {
        self.ids() == other.ids()
    }

    /// A prefix for the kind, and the ids. Names of accesses are made of them: what is here may
    /// never change.
    fn ids(&self) -> (&'static str, [&str; 4]) {
        match self {
            Self::AccountAssignment(t) => (
                "assignment",
                [
                    &t.instance_arn,
                    &t.account,
                    &t.permission_set_arn,
                    &t.user_id,
                ],
            ),
            Self::IdentityCenterGroup(t) => (
                "group",
                [
                    &t.instance_arn,
                    &t.identity_store_id,
                    &t.group_id,
                    &t.user_id,
                ],
            ),
            // IAM's ids are unique across accounts, but only AWS says so.
            Self::IamGroup(t) => ("iam", [&t.account, &t.account, &t.group_id, &t.user_id]),
        }
    }

    /// Whether AWS gives and takes it within the call: what it answers is so. An assignment is an
    /// operation that goes on after the answer.
    pub fn is_membership(&self) -> bool {
        match self {
            Self::AccountAssignment(_) => false,
            Self::IdentityCenterGroup(_) | Self::IamGroup(_) => true,
        }
    }

    /// Name of the person when the tuple was pinned.
    pub fn user(&self) -> &str {
        match self {
            Self::AccountAssignment(t) => &t.user,
            Self::IdentityCenterGroup(t) => &t.user,
            Self::IamGroup(t) => &t.user,
        }
    }

    /// The entitlement in short, such as `BreakglassAccess@111122223333`.
    pub fn summary(&self) -> String {
        match self {
            Self::AccountAssignment(t) => format!("{}@{}", t.permission_set, t.account),
            Self::IdentityCenterGroup(t) => format!("group {}", t.group),
            Self::IamGroup(t) => format!("group {}@{}", t.group, t.account),
        }
    }
}
