//! The AWS behind a world: our own stand-in, or moto.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use aws_simulator::{CallRecord, Change, Clock, Seed, Service, Simulator, Truth};
use jiff::Timestamp;

use super::moto::Moto;
use super::time::block_on;
use super::{Access, Kind};

/// The account that owns the organization in the simulator's worlds.
pub const MANAGEMENT: &str = "999988887777";
/// An account without anything special.
pub const PAYMENTS: &str = "111122223333";
/// Another account without anything special.
pub const SHIPPING: &str = "222233334444";
/// An account that the controller's configuration protects.
pub const PROTECTED: &str = "333344445555";
/// An account whose IAM groups are managed.
pub const PRODUCTION: &str = "444455556666";
/// Another account whose IAM groups are managed.
pub const STAGING: &str = "555566667777";
/// An account whose IAM groups should be managed, but whose roles can't be assumed.
pub const UNREACHABLE: &str = "666677778888";

/// The AWS behind a world.
pub enum Cloud {
    Simulator(Box<Simulated>),
    Moto(Box<Moto>),
}

/// Our own stand-in, which can fail, and which tells the truth.
pub struct Simulated {
    pub simulator: Simulator,
    url: String,
    /// User and group of each membership that was ever seen, by its id: a delete names nothing else.
    memberships: Mutex<HashMap<String, (String, String)>>,
}

/// A call that gives or takes an access.
#[derive(Clone, Debug)]
pub struct Write {
    /// Whether it gives.
    pub creates: bool,
    pub record: CallRecord,
}

impl Write {
    pub fn time(&self) -> Timestamp {
        self.record.time
    }
}

impl Cloud {
    /// Serves a simulator of this world.
    pub fn simulator(seed: &Seed) -> Self {
        let simulator = Simulator::new(seed, Clock::system()).unwrap();
        let url = block_on(simulator.clone().spawn()).unwrap();
        let memberships = Mutex::default();
        Self::Simulator(Box::new(Simulated {
            simulator,
            url,
            memberships,
        }))
    }

    /// The simulator; not to be asked for where moto is behind the world.
    pub fn simulated(&self) -> &Simulated {
        match self {
            Self::Simulator(simulated) => simulated,
            Self::Moto(_) => panic!("this world has moto behind it"),
        }
    }

    /// What a program needs to call it.
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        let (url, key) = match self {
            Self::Simulator(simulated) => (&simulated.url, format!("AKIA{MANAGEMENT}TEST")),
            Self::Moto(moto) => (moto.url(), "AKIATESTTESTTESTTEST".to_owned()),
        };
        vec![
            ("AWS_ENDPOINT_URL", url.clone()),
            ("AWS_REGION", "us-east-1".to_owned()),
            ("AWS_ACCESS_KEY_ID", key),
            ("AWS_SECRET_ACCESS_KEY", "test".to_owned()),
        ]
    }

    /// Whether AWS has the access at this moment.
    pub fn has(&self, access: &Access) -> bool {
        match self {
            Self::Simulator(simulated) => simulated.has(access),
            Self::Moto(moto) => moto.has(access),
        }
    }

    /// An account whose IAM groups the controller manages.
    pub fn iam_account(&self) -> &str {
        match self {
            Self::Simulator(_) => PRODUCTION,
            Self::Moto(_) => Moto::ACCOUNT,
        }
    }

    /// Adds an Identity Center user; the answer is the id.
    pub fn add_user(&self, name: &str) -> String {
        match self {
            Self::Simulator(simulated) => simulated.change(&Change::CreateUser {
                user_name: name.to_owned(),
                external_id: None,
            }),
            Self::Moto(moto) => moto.add_user(name),
        }
    }

    /// Adds a permission set; the answer is the ARN.
    pub fn add_permission_set(&self, name: &str) -> String {
        match self {
            Self::Simulator(simulated) => simulated.change(&Change::CreatePermissionSet {
                name: name.to_owned(),
                session_duration: "PT1H".to_owned(),
            }),
            Self::Moto(moto) => moto.add_permission_set(name),
        }
    }

    /// Adds an Identity Center group; the answer is the id.
    pub fn add_group(&self, name: &str) -> String {
        match self {
            Self::Simulator(simulated) => simulated.change(&Change::CreateGroup {
                display_name: name.to_owned(),
                external_id: None,
            }),
            Self::Moto(moto) => moto.add_group(name),
        }
    }

    /// Adds an IAM user; the answer is the id.
    pub fn add_iam_user(&self, account: &str, name: &str) -> String {
        match self {
            Self::Simulator(simulated) => simulated.change(&Change::CreateIamUser {
                account: account.to_owned(),
                user: name.to_owned(),
            }),
            Self::Moto(moto) => moto.add_iam_user(name),
        }
    }

    /// Adds an IAM group; the answer is the id.
    pub fn add_iam_group(&self, account: &str, name: &str) -> String {
        match self {
            Self::Simulator(simulated) => simulated.change(&Change::CreateIamGroup {
                account: account.to_owned(),
                group: name.to_owned(),
            }),
            Self::Moto(moto) => moto.add_iam_group(name),
        }
    }
}

impl Simulated {
    /// Changes the world as somebody else would; the answer is the id of what was made.
    pub fn change(&self, change: &Change) -> String {
        let made = self.simulator.change(change).unwrap();
        self.note_memberships(&self.simulator.truth());
        made.unwrap_or_default()
    }

    /// Whether the access stands, whatever became of the names.
    pub fn has(&self, access: &Access) -> bool {
        self.which_stand([access])[0]
    }

    /// Which of these stand at one moment.
    pub fn which_stand<'a>(&self, accesses: impl IntoIterator<Item = &'a Access>) -> Vec<bool> {
        let truth = self.simulator.truth();
        self.note_memberships(&truth);
        let stands = |access: &Access| match &access.kind {
            Kind::Assignment { account, .. } => {
                truth.is_assigned(account, &access.entitlement_id, &access.user_id)
            }
            Kind::Group { .. } => truth.is_member(&access.entitlement_id, &access.user_id),
            Kind::IamGroup { account, name } => truth.is_iam_member(account, name, &access.user),
        };
        accesses.into_iter().map(stands).collect()
    }

    /// Somebody else gives the access.
    pub fn give(&self, access: &Access) {
        let (user, group) = (access.user.clone(), access.entitlement_id.clone());
        self.change(&match &access.kind {
            Kind::Assignment { account, .. } => Change::CreateAssignment {
                account: account.clone(),
                permission_set: access.entitlement_id.clone(),
                principal: access.user_id.clone(),
            },
            Kind::Group { .. } => Change::AddGroupMember { group, user },
            Kind::IamGroup { account, name } => Change::AddIamGroupMember {
                account: account.clone(),
                group: name.clone(),
                user,
            },
        });
    }

    /// Somebody else takes the access.
    pub fn take(&self, access: &Access) {
        self.change(&Self::taking(access));
    }

    /// Somebody else takes the access, unless it is gone already.
    pub fn take_if_there(&self, access: &Access) {
        drop(self.simulator.change(&Self::taking(access)));
    }

    fn taking(access: &Access) -> Change {
        let (user, group) = (access.user.clone(), access.entitlement_id.clone());
        match &access.kind {
            Kind::Assignment { account, .. } => Change::DeleteAssignment {
                account: account.clone(),
                permission_set: access.entitlement_id.clone(),
                principal: access.user_id.clone(),
            },
            Kind::Group { .. } => Change::RemoveGroupMember { group, user },
            Kind::IamGroup { account, name } => Change::RemoveIamGroupMember {
                account: account.clone(),
                group: name.clone(),
                user,
            },
        }
    }

    /// Number of the last call so far.
    pub fn last_call(&self) -> u64 {
        let calls = self.simulator.calls_since(0);
        calls.last().map_or(0, |record| record.sequence)
    }

    /// Calls that would give or take this access, whatever came of them, in their order.
    pub fn writes_of(&self, access: &Access, since: u64) -> Vec<Write> {
        self.note_memberships(&self.simulator.truth());
        let calls = self.simulator.calls_since(since).into_iter();
        calls
            .filter_map(|record| {
                let creates = self.gives_or_takes(access, &record)?;
                Some(Write { creates, record })
            })
            .collect()
    }

    /// Whether a call gives this access (true), takes it (false), or neither.
    pub fn gives_or_takes(&self, access: &Access, record: &CallRecord) -> Option<bool> {
        let is = |name: &str, value: &str| record.parameter(name) == Some(value);
        let creates = match record.operation.as_str() {
            "CreateAccountAssignment" | "CreateGroupMembership" | "AddUserToGroup" => true,
            "DeleteAccountAssignment" | "DeleteGroupMembership" | "RemoveUserFromGroup" => false,
            _ => return None,
        };
        let is_it = match (&access.kind, record.service) {
            (Kind::Assignment { account, .. }, Service::SsoAdmin) => {
                is("TargetId", account)
                    && is("PermissionSetArn", &access.entitlement_id)
                    && is("PrincipalId", &access.user_id)
            }
            (Kind::Group { .. }, Service::IdentityStore) if creates => {
                let member = record.parameters.get("MemberId");
                is("GroupId", &access.entitlement_id)
                    && member.and_then(|id| id["UserId"].as_str()) == Some(&access.user_id)
            }
            (Kind::Group { .. }, Service::IdentityStore) => {
                let id = record.parameter("MembershipId").unwrap_or_default();
                let whose = (access.entitlement_id.clone(), access.user_id.clone());
                self.memberships().get(id) == Some(&whose)
            }
            (Kind::IamGroup { account, name }, Service::Iam) => {
                record.account.as_ref() == Some(account)
                    && is("GroupName", name)
                    && is("UserName", &access.user)
            }
            _ => false,
        };
        is_it.then_some(creates)
    }

    /// All calls that are about one of these ids or names.
    pub fn calls_about(&self, since: u64, words: &[&str]) -> Vec<CallRecord> {
        let mut calls = self.simulator.calls_since(since);
        calls.retain(|record| {
            let text = serde_json::to_string(&record.parameters).unwrap();
            words.iter().any(|word| text.contains(word))
        });
        calls
    }

    fn note_memberships(&self, truth: &Truth) {
        let groups = truth.instances.iter().flat_map(|instance| &instance.groups);
        let mut known = self.memberships();
        for group in groups {
            for member in &group.members {
                known.insert(
                    member.membership_id.clone(),
                    (group.id.clone(), member.user_id.clone()),
                );
            }
        }
    }

    fn memberships(&self) -> std::sync::MutexGuard<'_, HashMap<String, (String, String)>> {
        self.memberships
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
