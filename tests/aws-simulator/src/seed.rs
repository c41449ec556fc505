//! A world to begin with, as it is written in a file or in a test.

mod build;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::faults::Fault;
use crate::settings::Settings;
use crate::world::AccountStatus;
use crate::world::directory::ExternalId;

/// A world, its settings and its faults. Things are named; their ids are drawn from `random_seed`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Seed {
    /// The same seed gives the same ids, delays and page sizes.
    pub random_seed: u64,
    /// `aws`, `aws-cn` or `aws-us-gov`.
    pub partition: String,
    /// The account that owns the organization.
    pub management_account: String,
    /// The account that administers Identity Center on its behalf.
    pub delegated_administrator: Option<String>,
    /// The accounts of the organization; the management account is there in any case.
    pub accounts: Vec<SeedAccount>,
    /// The instances of Identity Center.
    pub instances: Vec<SeedInstance>,
    /// How AWS behaves.
    pub settings: Settings,
    /// What goes wrong.
    pub faults: Vec<Fault>,
}

/// An account.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct SeedAccount {
    /// Twelve digits.
    pub id: String,
    /// Its name; absent: `account-` and the id.
    pub name: Option<String>,
    /// Whether it is in use.
    pub status: AccountStatus,
    /// IAM roles, by name.
    pub roles: Vec<String>,
    /// IAM groups, by name.
    pub groups: Vec<String>,
    /// IAM users.
    pub users: Vec<SeedIamUser>,
}

/// An IAM user.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct SeedIamUser {
    /// The name.
    pub name: String,
    /// The groups the user is in, by name.
    pub groups: Vec<String>,
    /// Tags.
    pub tags: BTreeMap<String, String>,
}

/// An instance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct SeedInstance {
    /// Its Region.
    pub region: String,
    /// The account that owns it; absent: the management account, so that it is the organization's.
    pub owner: Option<String>,
    /// Its name.
    pub name: Option<String>,
    /// Whether it has permission sets.
    pub permission_sets_enabled: bool,
    /// Its permission sets.
    pub permission_sets: Vec<SeedPermissionSet>,
    /// Its users.
    pub users: Vec<SeedUser>,
    /// Its groups.
    pub groups: Vec<SeedGroup>,
    /// Its assignments.
    pub assignments: Vec<SeedAssignment>,
}

/// A permission set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SeedPermissionSet {
    /// The name.
    pub name: String,
    /// ISO 8601.
    #[serde(default = "an_hour")]
    pub session_duration: String,
    /// Tags.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
}

fn an_hour() -> String {
    "PT1H".to_owned()
}

/// A user of an identity store.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct SeedUser {
    /// The user name.
    pub user_name: String,
    /// The address.
    pub email: Option<String>,
    /// Whether sign-in is off.
    pub disabled: bool,
    /// Ids from elsewhere.
    pub external_ids: Vec<ExternalId>,
}

/// A group of an identity store.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct SeedGroup {
    /// The name.
    pub display_name: String,
    /// User names.
    pub members: Vec<String>,
    /// Ids from elsewhere.
    pub external_ids: Vec<ExternalId>,
}

/// An assignment: of a permission set in an account to a user or a group, all by name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct SeedAssignment {
    /// The account's id.
    pub account: String,
    /// The permission set's name.
    pub permission_set: String,
    /// The user's name, or else
    pub user: Option<String>,
    /// the group's.
    pub group: Option<String>,
}

/// A seed that names something it does not have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the world refers to the {kind} {name:?}, which it does not have")]
pub struct SeedError {
    kind: &'static str,
    name: String,
}

impl Default for Seed {
    /// A management account and nothing else.
    fn default() -> Self {
        Self {
            random_seed: 1,
            partition: "aws".to_owned(),
            management_account: "999988887777".to_owned(),
            delegated_administrator: None,
            accounts: Vec::new(),
            instances: Vec::new(),
            settings: Settings::default(),
            faults: Vec::new(),
        }
    }
}

impl Default for SeedInstance {
    fn default() -> Self {
        Self {
            region: "us-east-1".to_owned(),
            owner: None,
            name: None,
            permission_sets_enabled: true,
            permission_sets: Vec::new(),
            users: Vec::new(),
            groups: Vec::new(),
            assignments: Vec::new(),
        }
    }
}

impl Seed {
    /// A small organization: two member accounts, one instance in us-east-1, three people.
    pub fn example() -> Self {
        let set = |name: &str| SeedPermissionSet {
            name: name.to_owned(),
            session_duration: an_hour(),
            tags: BTreeMap::new(),
        };
        let user = |name: &str| SeedUser {
            user_name: name.to_owned(),
            email: Some(name.to_owned()),
            ..SeedUser::default()
        };
        let member = |name: &str| SeedIamUser {
            name: name.to_owned(),
            ..SeedIamUser::default()
        };
        let names = |names: &[&str]| {
            names
                .iter()
                .map(|name| (*name).to_owned())
                .collect::<Vec<_>>()
        };
        Self {
            accounts: vec![
                SeedAccount {
                    id: "111122223333".to_owned(),
                    name: Some("payments".to_owned()),
                    ..SeedAccount::default()
                },
                SeedAccount {
                    id: "444455556666".to_owned(),
                    name: Some("production".to_owned()),
                    roles: names(&["OrganizationAccountAccessRole"]),
                    groups: names(&["Operators", "ReadOnly"]),
                    users: vec![member("alice"), member("bob")],
                    ..SeedAccount::default()
                },
            ],
            instances: vec![SeedInstance {
                permission_sets: vec![set("AdministratorAccess"), set("ReadOnlyAccess")],
                users: vec![
                    user("alice@example.com"),
                    user("bob@example.com"),
                    user("carol@example.com"),
                ],
                groups: vec![
                    SeedGroup {
                        display_name: "Operators".to_owned(),
                        ..SeedGroup::default()
                    },
                    SeedGroup {
                        display_name: "Everyone".to_owned(),
                        members: names(&["bob@example.com"]),
                        ..SeedGroup::default()
                    },
                ],
                ..SeedInstance::default()
            }],
            ..Self::default()
        }
    }
}
