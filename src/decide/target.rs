//! The target of a grant, parsed once: no raw options behind this point.

use std::fmt;

use crate::api::grant::GrantTarget;
use crate::api::tuple::Tuple;

/// What a grant asks for, by the names that people wrote.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Target {
    /// A permission set in an account.
    AccountAssignment {
        /// Id of the account, 12 digits.
        account: String,
        /// Name of the permission set.
        permission_set: String,
    },
    /// An Identity Center group.
    IdentityCenterGroup {
        /// Display name of the group.
        name: String,
    },
    /// An IAM group.
    IamGroup {
        /// Id of the account, 12 digits.
        account: String,
        /// Name of the group.
        name: String,
    },
}

impl Target {
    /// The target of a grant, if it has exactly one. Admission lets nothing else through, but an
    /// older definition or a restored object may.
    pub fn parse(target: &GrantTarget) -> Option<Self> {
        match (
            &target.account_assignment,
            &target.identity_center_group,
            &target.iam_group,
        ) {
            (Some(t), None, None) => Some(Self::AccountAssignment {
                account: t.account.clone(),
                permission_set: t.permission_set.clone(),
            }),
            (None, Some(t), None) => Some(Self::IdentityCenterGroup {
                name: t.name.clone(),
            }),
            (None, None, Some(t)) => Some(Self::IamGroup {
                account: t.account.clone(),
                name: t.name.clone(),
            }),
            _ => None,
        }
    }

    /// The target of a pinned tuple, by the names that it was pinned with.
    pub fn of(tuple: &Tuple) -> Self {
        match tuple {
            Tuple::AccountAssignment(t) => Self::AccountAssignment {
                account: t.account.clone(),
                permission_set: t.permission_set.clone(),
            },
            Tuple::IdentityCenterGroup(t) => Self::IdentityCenterGroup {
                name: t.group.clone(),
            },
            Tuple::IamGroup(t) => Self::IamGroup {
                account: t.account.clone(),
                name: t.group.clone(),
            },
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AccountAssignment {
                account,
                permission_set,
            } => write!(f, "{permission_set}@{account}"),
            Self::IdentityCenterGroup { name } => write!(f, "group {name}"),
            Self::IamGroup { account, name } => write!(f, "group {name}@{account}"),
        }
    }
}
