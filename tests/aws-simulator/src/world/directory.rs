//! The identity store of an instance: users, groups, memberships.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::random::Random;
use crate::world::timeline::Timeline;

/// An identity store.
#[derive(Clone, Debug)]
pub(crate) struct Directory {
    /// `d-` and ten hexadecimal digits.
    pub(crate) id: String,
    pub(crate) users: BTreeMap<String, User>,
    pub(crate) groups: BTreeMap<String, Group>,
    /// By group id and user id; the past is kept.
    memberships: BTreeMap<(String, String), Timeline<Option<Membership>>>,
}

/// A user.
#[derive(Clone, Debug)]
#[expect(clippy::struct_field_names, reason = "AWS calls it a user name")]
pub(crate) struct User {
    pub(crate) id: String,
    pub(crate) user_name: String,
    pub(crate) display_name: Option<String>,
    pub(crate) email: Option<String>,
    pub(crate) enabled: bool,
    pub(crate) external_ids: Vec<ExternalId>,
    pub(crate) created: Timestamp,
    pub(crate) updated: Timestamp,
}

/// A group.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    pub(crate) id: String,
    pub(crate) display_name: String,
    pub(crate) external_ids: Vec<ExternalId>,
    pub(crate) created: Timestamp,
    pub(crate) updated: Timestamp,
}

/// A user's being in a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Membership {
    pub(crate) id: String,
    pub(crate) group_id: String,
    pub(crate) user_id: String,
    pub(crate) created: Timestamp,
}

/// The id that the directory has elsewhere, there when it is synchronised from outside (Identity Store API reference, `ExternalId`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExternalId {
    /// Who gave the id.
    pub issuer: String,
    /// The id.
    pub id: String,
}

impl Directory {
    pub(crate) fn new(random: &mut Random) -> Self {
        Self {
            id: format!("d-{}", random.hex(10)),
            users: BTreeMap::new(),
            groups: BTreeMap::new(),
            memberships: BTreeMap::new(),
        }
    }

    /// A new id of this store's form: ten hexadecimal digits and a UUID.
    pub(crate) fn new_id(&self, random: &mut Random) -> String {
        format!("{}-{}", self.id.trim_start_matches("d-"), random.uuid())
    }

    pub(crate) fn user_named(&self, name: &str, ignore_case: bool) -> Option<&User> {
        self.users
            .values()
            .find(|user| same(&user.user_name, name, ignore_case))
    }

    pub(crate) fn user_with_email(&self, email: &str, ignore_case: bool) -> Option<&User> {
        self.users.values().find(|user| {
            user.email
                .as_deref()
                .is_some_and(|own| same(own, email, ignore_case))
        })
    }

    pub(crate) fn group_named(&self, name: &str, ignore_case: bool) -> Option<&Group> {
        self.groups
            .values()
            .find(|group| same(&group.display_name, name, ignore_case))
    }

    /// Adds a user who has only a name.
    pub(crate) fn add_user(
        &mut self,
        user_name: &str,
        now: Timestamp,
        random: &mut Random,
    ) -> &mut User {
        let id = self.new_id(random);
        let user = User {
            id: id.clone(),
            user_name: user_name.to_owned(),
            display_name: None,
            email: None,
            enabled: true,
            external_ids: Vec::new(),
            created: now,
            updated: now,
        };
        self.users.entry(id).or_insert(user)
    }

    pub(crate) fn add_group(
        &mut self,
        display_name: &str,
        now: Timestamp,
        random: &mut Random,
    ) -> &mut Group {
        let id = self.new_id(random);
        let group = Group {
            id: id.clone(),
            display_name: display_name.to_owned(),
            external_ids: Vec::new(),
            created: now,
            updated: now,
        };
        self.groups.entry(id).or_insert(group)
    }

    /// Removes a user, whose memberships go too.
    pub(crate) fn remove_user(&mut self, id: &str, now: Timestamp) -> Option<User> {
        self.end_memberships(now, |_, user| user == id);
        self.users.remove(id)
    }

    /// Removes a group, whose memberships go too.
    pub(crate) fn remove_group(&mut self, id: &str, now: Timestamp) -> Option<Group> {
        self.end_memberships(now, |group, _| group == id);
        self.groups.remove(id)
    }

    fn end_memberships(&mut self, now: Timestamp, ended: impl Fn(&str, &str) -> bool) {
        for ((group, user), membership) in &mut self.memberships {
            if ended(group, user) && matches!(membership.latest(), Some(Some(_))) {
                membership.set(now, None);
            }
        }
    }

    /// Puts a user into a group; `since` may be the beginning of time. None if the user is in it.
    pub(crate) fn join(
        &mut self,
        group_id: &str,
        user_id: &str,
        now: Timestamp,
        since: Timestamp,
        random: &mut Random,
    ) -> Option<String> {
        let id = self.new_id(random);
        let membership = self
            .memberships
            .entry((group_id.to_owned(), user_id.to_owned()))
            .or_default();
        if matches!(membership.latest(), Some(Some(_))) {
            return None;
        }
        let (group_id, user_id) = (group_id.to_owned(), user_id.to_owned());
        membership.set(
            since,
            Some(Membership {
                id: id.clone(),
                group_id,
                user_id,
                created: now,
            }),
        );
        Some(id)
    }

    /// Takes a user out of a group; false if the user was not in it.
    pub(crate) fn leave(&mut self, group_id: &str, user_id: &str, now: Timestamp) -> bool {
        match self
            .memberships
            .get_mut(&(group_id.to_owned(), user_id.to_owned()))
        {
            Some(membership) if matches!(membership.latest(), Some(Some(_))) => {
                membership.set(now, None);
                true
            }
            _ => false,
        }
    }

    /// The memberships that a reader sees whose copy ends at `when`, ordered by group and user.
    pub(crate) fn memberships(&self, when: Timestamp) -> impl Iterator<Item = &Membership> {
        self.memberships
            .values()
            .filter_map(move |membership| membership.at(when)?.as_ref())
    }

    /// One membership as such a reader sees it.
    pub(crate) fn membership(
        &self,
        group_id: &str,
        user_id: &str,
        when: Timestamp,
    ) -> Option<&Membership> {
        self.memberships
            .get(&(group_id.to_owned(), user_id.to_owned()))?
            .at(when)?
            .as_ref()
    }
}

fn same(one: &str, other: &str, ignore_case: bool) -> bool {
    one == other || (ignore_case && one.to_lowercase() == other.to_lowercase())
}
