//! Who and what there is in every story: few people and few entitlements, so that grants meet.

use std::sync::LazyLock;

use aws_simulator::{
    Seed, SeedAccount, SeedAssignment, SeedGroup, SeedIamUser, SeedInstance, SeedPermissionSet,
    SeedUser,
};
use serde_json::{Value, json};

/// The account that owns the organization. Nobody may be given anything there by a star.
pub const MANAGEMENT: &str = "999988887777";
/// The account to which the administration of Identity Center may be delegated.
pub const DELEGATE: &str = "555566667777";
/// Accounts with assignments.
pub const ACCOUNTS: [&str; 2] = ["111122223333", "222233334444"];
/// Permission sets, and how long their sessions last.
pub const PERMISSION_SETS: [(&str, &str); 2] = [("Administrator", "PT4H"), ("ReadOnly", "PT1H")];
/// Groups of Identity Center.
pub const GROUPS: [&str; 2] = ["Operators", "Auditors"];
/// Accounts with IAM users and groups.
pub const IAM_ACCOUNTS: [&str; 2] = ["333344445555", "444455556666"];
/// IAM groups.
pub const IAM_GROUPS: [&str; 2] = ["Workers", "Viewers"];
/// People, as Identity Center knows them.
pub const PEOPLE: [&str; 4] = [
    "alice@example.com",
    "bob@example.com",
    "carol@example.com",
    "mallory@example.com",
];
/// People, as IAM knows them.
pub const IAM_PEOPLE: [&str; 3] = ["alice", "bob", "mallory"];
/// Namespaces with grants.
pub const NAMESPACES: [&str; 2] = ["breakglass", "payments"];
/// Role of the controller in each account with IAM users.
pub const ROLE: &str = "Breakglass";
/// The Region of Identity Center.
pub const REGION: &str = "us-east-1";

/// What a grant may be for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Target {
    /// A permission set in an account.
    Assignment(&'static str, &'static str),
    /// A group of Identity Center.
    Group(&'static str),
    /// An IAM group in an account.
    IamGroup(&'static str, &'static str),
}

impl Target {
    /// All there are.
    pub fn all() -> Vec<Self> {
        let assignments = ACCOUNTS
            .iter()
            .flat_map(|account| PERMISSION_SETS.map(|(set, _)| Self::Assignment(account, set)));
        let iam_groups = IAM_ACCOUNTS
            .iter()
            .flat_map(|account| IAM_GROUPS.map(|group| Self::IamGroup(account, group)));
        assignments
            .chain(GROUPS.map(Self::Group))
            .chain(iam_groups)
            .collect()
    }

    /// The people who may be given it.
    pub fn people(self) -> &'static [&'static str] {
        match self {
            Self::Assignment(..) | Self::Group(_) => &PEOPLE,
            Self::IamGroup(..) => &IAM_PEOPLE,
        }
    }

    /// As a grant names it.
    pub fn spec(self) -> Value {
        match self {
            Self::Assignment(account, set) => {
                json!({"accountAssignment": {"account": account, "permissionSet": set}})
            }
            Self::Group(name) => json!({"identityCenterGroup": {"name": name}}),
            Self::IamGroup(account, name) => {
                json!({"iamGroup": {"account": account, "name": name}})
            }
        }
    }
}

/// ARN of the controller's role in an account.
pub fn role_arn(account: &str) -> String {
    format!("arn:aws:iam::{account}:role/{ROLE}")
}

/// So many more people for Identity Center, for stories in which many want something at once.
pub fn crowd(size: usize) -> &'static [String] {
    static CROWD: LazyLock<Vec<String>> = LazyLock::new(|| {
        (0..200)
            .map(|n| format!("one-of-many-{n:03}@example.com"))
            .collect()
    });
    &CROWD[..size]
}

/// The world at the beginning: everybody is there, so many of a crowd included, and nobody has anything, save the groups.
pub fn world(random_seed: u64, crowd_size: usize) -> Seed {
    let account = |id: &str| SeedAccount {
        id: id.to_owned(),
        ..SeedAccount::default()
    };
    let iam_account = |id: &str| SeedAccount {
        roles: vec![ROLE.to_owned()],
        groups: IAM_GROUPS.map(str::to_owned).to_vec(),
        users: IAM_PEOPLE
            .map(|name| SeedIamUser {
                name: name.to_owned(),
                ..SeedIamUser::default()
            })
            .to_vec(),
        ..account(id)
    };
    Seed {
        random_seed,
        management_account: MANAGEMENT.to_owned(),
        accounts: ACCOUNTS
            .map(account)
            .into_iter()
            .chain(IAM_ACCOUNTS.map(iam_account))
            .chain([account(DELEGATE)])
            .collect(),
        instances: vec![SeedInstance {
            region: REGION.to_owned(),
            permission_sets: PERMISSION_SETS
                .map(|(name, session)| SeedPermissionSet {
                    name: name.to_owned(),
                    session_duration: session.to_owned(),
                    tags: std::collections::BTreeMap::new(),
                })
                .to_vec(),
            users: PEOPLE
                .into_iter()
                .chain(crowd(crowd_size).iter().map(String::as_str))
                .map(|name| SeedUser {
                    user_name: name.to_owned(),
                    ..SeedUser::default()
                })
                .collect(),
            groups: GROUPS
                .map(|name| SeedGroup {
                    display_name: name.to_owned(),
                    ..SeedGroup::default()
                })
                .to_vec(),
            assignments: group_assignments().collect(),
            ..SeedInstance::default()
        }],
        ..Seed::default()
    }
}

/// What members of the groups may do: sign in to an account each.
fn group_assignments() -> impl Iterator<Item = SeedAssignment> {
    let places = ACCOUNTS.into_iter().zip(PERMISSION_SETS).zip(GROUPS);
    places.map(|((account, (permission_set, _)), group)| SeedAssignment {
        account: account.to_owned(),
        permission_set: permission_set.to_owned(),
        user: None,
        group: Some(group.to_owned()),
    })
}
