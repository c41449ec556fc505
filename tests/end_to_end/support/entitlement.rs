//! Who could have what in AWS, by the names that people use.

use std::fmt;

use serde_json::{Value, json};

/// One person and one entitlement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// The user's name.
    pub user: String,
    /// The user's id when the scenario made it.
    pub user_id: String,
    /// What the user could have.
    pub kind: Kind,
    /// ARN of the permission set, or id of the group, when the scenario made it.
    pub entitlement_id: String,
}

/// What a user could have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A permission set in an account.
    Assignment { account: String, set: String },
    /// An Identity Center group.
    Group { name: String },
    /// An IAM group.
    IamGroup { account: String, name: String },
}

impl Access {
    /// `spec.target` of a grant.
    pub fn target(&self) -> Value {
        match &self.kind {
            Kind::Assignment { account, set } => {
                json!({"accountAssignment": {"account": account, "permissionSet": set}})
            }
            Kind::Group { name } => json!({"identityCenterGroup": {"name": name}}),
            Kind::IamGroup { account, name } => {
                json!({"iamGroup": {"account": account, "name": name}})
            }
        }
    }

    /// The column TARGET of `kubectl get breakglassgrants`.
    pub fn summary(&self) -> String {
        match &self.kind {
            Kind::Assignment { account, set } => format!("{set}@{account}"),
            Kind::Group { name } => format!("group {name}"),
            Kind::IamGroup { account, name } => format!("group {name}@{account}"),
        }
    }

    /// Name of the permission set or group.
    pub fn name(&self) -> &str {
        match &self.kind {
            Kind::Assignment { set: name, .. }
            | Kind::Group { name }
            | Kind::IamGroup { name, .. } => name,
        }
    }

    /// Whether calls to AWS can't tell the two apart: those to IAM give names only.
    pub fn is_written_like(&self, other: &Self) -> bool {
        let by_name = matches!(self.kind, Kind::IamGroup { .. });
        self == other || (by_name && self.kind == other.kind && self.user == other.user)
    }

    /// A policy rule for this user and entitlement and no other.
    pub fn rule(&self) -> Value {
        let mut rule = json!({"users": [self.user]});
        match &self.kind {
            Kind::Assignment { account, set } => {
                rule["accountAssignment"] = json!({"accounts": [account], "permissionSets": [set]});
            }
            Kind::Group { name } => rule["identityCenterGroup"] = json!({"names": [name]}),
            Kind::IamGroup { account, name } => {
                rule["iamGroup"] = json!({"accounts": [account], "names": [name]});
            }
        }
        rule
    }
}

impl fmt::Display for Access {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.user, self.summary())
    }
}
