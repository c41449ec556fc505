//! IAM of one account: users, groups, members, tags, roles.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::random::Random;
use crate::world::timeline::Timeline;
use crate::world::unique_id;

/// The IAM entities of an account. Names are unique whatever their case (IAM guide, name requirements), so maps are keyed by the
/// lower-case name.
#[derive(Clone, Debug)]
pub(crate) struct Iam {
    /// `arn:PARTITION:iam::ACCOUNT`.
    pub(crate) arn_prefix: String,
    users: BTreeMap<String, IamUser>,
    groups: BTreeMap<String, IamGroup>,
    roles: BTreeMap<String, IamRole>,
    /// By the unique ids of group and user; the past is kept.
    members: BTreeMap<(String, String), Timeline<bool>>,
}

/// An IAM user.
#[derive(Clone, Debug)]
pub(crate) struct IamUser {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) path: String,
    pub(crate) created: Timestamp,
    pub(crate) tags: Timeline<Vec<Tag>>,
}

/// An IAM group.
#[derive(Clone, Debug)]
pub(crate) struct IamGroup {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) path: String,
    pub(crate) created: Timestamp,
}

/// An IAM role.
#[derive(Clone, Debug)]
pub(crate) struct IamRole {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) path: String,
    pub(crate) created: Timestamp,
    pub(crate) trust_policy: String,
    pub(crate) max_session_seconds: usize,
}

/// A tag.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Tag {
    /// The key, in the case it was last written.
    pub key: String,
    /// The value.
    pub value: String,
}

impl Iam {
    pub(crate) fn new(partition: &str, account: &str) -> Self {
        Self {
            arn_prefix: format!("arn:{partition}:iam::{account}"),
            users: BTreeMap::new(),
            groups: BTreeMap::new(),
            roles: BTreeMap::new(),
            members: BTreeMap::new(),
        }
    }

    pub(crate) fn user(&self, name: &str) -> Option<&IamUser> {
        self.users.get(&name.to_lowercase())
    }

    pub(crate) fn user_mut(&mut self, name: &str) -> Option<&mut IamUser> {
        self.users.get_mut(&name.to_lowercase())
    }

    pub(crate) fn users(&self) -> impl Iterator<Item = &IamUser> {
        self.users.values()
    }

    pub(crate) fn group(&self, name: &str) -> Option<&IamGroup> {
        self.groups.get(&name.to_lowercase())
    }

    pub(crate) fn groups(&self) -> impl Iterator<Item = &IamGroup> {
        self.groups.values()
    }

    pub(crate) fn role(&self, name: &str) -> Option<&IamRole> {
        self.roles.get(&name.to_lowercase())
    }

    pub(crate) fn roles(&self) -> impl Iterator<Item = &IamRole> {
        self.roles.values()
    }

    /// The ARN of an entity: `user`, `group` or `role`.
    pub(crate) fn arn(&self, kind: &str, path: &str, name: &str) -> String {
        format!("{}:{kind}{path}{name}", self.arn_prefix)
    }

    /// Adds a user unless the name is taken.
    pub(crate) fn add_user(
        &mut self,
        name: &str,
        path: &str,
        now: Timestamp,
        random: &mut Random,
    ) -> Option<&mut IamUser> {
        let key = name.to_lowercase();
        if self.users.contains_key(&key) {
            return None;
        }
        let (id, tags) = (unique_id("AIDA", random), Timeline::always(Vec::new()));
        let user = IamUser {
            id,
            name: name.to_owned(),
            path: path.to_owned(),
            created: now,
            tags,
        };
        Some(self.users.entry(key).or_insert(user))
    }

    /// Adds a group unless the name is taken.
    pub(crate) fn add_group(
        &mut self,
        name: &str,
        path: &str,
        now: Timestamp,
        random: &mut Random,
    ) -> Option<&IamGroup> {
        let key = name.to_lowercase();
        if self.groups.contains_key(&key) {
            return None;
        }
        let group = IamGroup {
            id: unique_id("AGPA", random),
            name: name.to_owned(),
            path: path.to_owned(),
            created: now,
        };
        Some(self.groups.entry(key).or_insert(group))
    }

    /// Adds a role unless the name is taken.
    pub(crate) fn add_role(
        &mut self,
        name: &str,
        path: &str,
        now: Timestamp,
        random: &mut Random,
    ) -> Option<&mut IamRole> {
        let key = name.to_lowercase();
        if self.roles.contains_key(&key) {
            return None;
        }
        let role = IamRole {
            id: unique_id("AROA", random),
            name: name.to_owned(),
            path: path.to_owned(),
            created: now,
            trust_policy: "{}".to_owned(),
            max_session_seconds: 3600,
        };
        Some(self.roles.entry(key).or_insert(role))
    }

    /// Removes a user. Memberships are by unique ids, which never come back, so they end with it.
    pub(crate) fn remove_user(&mut self, name: &str) -> Option<IamUser> {
        self.users.remove(&name.to_lowercase())
    }

    /// Removes a group, and with it its memberships.
    pub(crate) fn remove_group(&mut self, name: &str) -> Option<IamGroup> {
        self.groups.remove(&name.to_lowercase())
    }

    pub(crate) fn remove_role(&mut self, name: &str) -> Option<IamRole> {
        self.roles.remove(&name.to_lowercase())
    }

    /// Gives a user another name; false if the user is not there or the name is taken by somebody else.
    pub(crate) fn rename_user(&mut self, name: &str, new_name: &str) -> bool {
        rename(&mut self.users, name, new_name, |user| &mut user.name)
    }

    /// Gives a group another name; false if the group is not there or the name is taken by another.
    pub(crate) fn rename_group(&mut self, name: &str, new_name: &str) -> bool {
        rename(&mut self.groups, name, new_name, |group| &mut group.name)
    }

    /// Makes a user a member of a group or not, by unique ids; false if it was so already.
    pub(crate) fn set_member(
        &mut self,
        group_id: &str,
        user_id: &str,
        at: Timestamp,
        member: bool,
    ) -> bool {
        let entry = self
            .members
            .entry((group_id.to_owned(), user_id.to_owned()))
            .or_default();
        let changes = entry.holds() != member;
        if changes {
            entry.set(at, member);
        }
        changes
    }

    pub(crate) fn is_member(&self, group_id: &str, user_id: &str) -> bool {
        self.members
            .get(&(group_id.to_owned(), user_id.to_owned()))
            .is_some_and(Timeline::holds)
    }

    /// The groups of a user that a reader sees whose copy ends at `when`.
    pub(crate) fn groups_of(
        &self,
        user_id: &str,
        when: Timestamp,
    ) -> impl Iterator<Item = &IamGroup> {
        self.groups()
            .filter(move |group| self.was_member(&group.id, user_id, when))
    }

    /// The members of a group that such a reader sees.
    pub(crate) fn members_of(
        &self,
        group_id: &str,
        when: Timestamp,
    ) -> impl Iterator<Item = &IamUser> {
        self.users()
            .filter(move |user| self.was_member(group_id, &user.id, when))
    }

    fn was_member(&self, group_id: &str, user_id: &str, when: Timestamp) -> bool {
        self.members
            .get(&(group_id.to_owned(), user_id.to_owned()))
            .is_some_and(|member| member.held_at(when))
    }
}

/// Names are kept in lower case, since IAM ignores their case.
fn rename<T>(
    all: &mut BTreeMap<String, T>,
    name: &str,
    new_name: &str,
    name_of: impl Fn(&mut T) -> &mut String,
) -> bool {
    let (key, new_key) = (name.to_lowercase(), new_name.to_lowercase());
    if key != new_key && all.contains_key(&new_key) {
        return false;
    }
    let Some(mut renamed) = all.remove(&key) else {
        return false;
    };
    new_name.clone_into(name_of(&mut renamed));
    all.insert(new_key, renamed);
    true
}
