//! Changes in Identity Center.

use jiff::Timestamp;

use super::{Change, ChangeError, Changed, Hand, missing, taken};
use crate::clock::later;
use crate::world::assignments::{Principal, PrincipalType, Tuple};
use crate::world::directory::ExternalId;
use crate::world::instance::Instance;

/// Who the ids of synchronised users and groups are from.
const ISSUER: &str = "https://scim.example.com";

pub(super) fn user_id(instance: &Instance, user: &str) -> Option<String> {
    let users = &instance.directory.users;
    users
        .get(user)
        .or_else(|| instance.directory.user_named(user, false))
        .map(|user| user.id.clone())
}

pub(super) fn group_id(instance: &Instance, group: &str) -> Option<String> {
    let groups = &instance.directory.groups;
    groups
        .get(group)
        .or_else(|| instance.directory.group_named(group, false))
        .map(|group| group.id.clone())
}

fn permission_set_arn(instance: &Instance, set: &str) -> Option<String> {
    let sets = &instance.permission_sets;
    sets.get(set)
        .or_else(|| instance.permission_set_named(set))
        .map(|set| set.arn.clone())
}

/// The principal of a standing assignment that has left the directory.
fn orphan(instance: &Instance, id: &str) -> Option<Principal> {
    let mut rows = instance.assignments.rows(Timestamp::MAX);
    rows.find(|row| row.principal.id == id)
        .map(|row| row.principal.clone())
}

fn tuple(instance: &Instance, account: &str, set: &str, principal: &str) -> Option<Tuple> {
    let user = || {
        user_id(instance, principal).map(|id| Principal {
            kind: PrincipalType::User,
            id,
        })
    };
    let group = || {
        group_id(instance, principal).map(|id| Principal {
            kind: PrincipalType::Group,
            id,
        })
    };
    let permission_set = permission_set_arn(instance, set)?;
    let principal = user()
        .or_else(group)
        .or_else(|| orphan(instance, principal))?;
    Some(Tuple {
        account: account.to_owned(),
        permission_set,
        principal,
    })
}

impl Hand<'_> {
    /// The instance in which `find` finds something, and what it finds.
    pub(super) fn find<T>(
        &self,
        kind: &'static str,
        name: &str,
        find: impl Fn(&Instance) -> Option<T>,
    ) -> Result<(usize, T), ChangeError> {
        let mut found = self
            .world
            .instances
            .iter()
            .enumerate()
            .filter_map(|(index, instance)| Some((index, find(instance)?)));
        found.next().ok_or_else(|| missing(kind, name))
    }

    /// An instance, the first one for whatever is new.
    pub(super) fn instance(&mut self, index: usize) -> Result<&mut Instance, ChangeError> {
        self.world
            .instances
            .get_mut(index)
            .ok_or_else(|| missing("instance", "first"))
    }

    fn set_assignment(
        &mut self,
        account: &str,
        set: &str,
        principal: &str,
        present: bool,
    ) -> Changed {
        if present && !self.world.accounts.contains_key(account) {
            return Err(missing("account", account));
        }
        let what = "permission set or principal";
        let (index, tuple) = self.find(what, &format!("{set}, {principal}"), |instance| {
            tuple(instance, account, set, principal)
        })?;
        let now = self.now;
        self.instance(index)?.assignments.set(tuple, now, present);
        Ok(None)
    }

    fn add_user(&mut self, index: usize, name: &str, external_ids: Vec<ExternalId>) -> Changed {
        let now = self.now;
        let Some(instance) = self.world.instances.get_mut(index) else {
            return Err(missing("instance", "first"));
        };
        if instance.directory.user_named(name, false).is_some() {
            return Err(taken("user", name));
        }
        let user = instance.directory.add_user(name, now, self.random);
        user.external_ids = external_ids;
        Ok(Some(user.id.clone()))
    }

    pub(super) fn add_group(
        &mut self,
        index: usize,
        name: &str,
        external_ids: Vec<ExternalId>,
    ) -> Changed {
        let now = self.now;
        let Some(instance) = self.world.instances.get_mut(index) else {
            return Err(missing("instance", "first"));
        };
        if instance.directory.group_named(name, false).is_some() {
            return Err(taken("group", name));
        }
        let group = instance.directory.add_group(name, now, self.random);
        group.external_ids = external_ids;
        Ok(Some(group.id.clone()))
    }

    pub(super) fn remove(
        &mut self,
        kind: PrincipalType,
        index: usize,
        id: &str,
    ) -> Result<(), ChangeError> {
        let now = self.now;
        let vanish_at = self
            .settings
            .orphans_vanish_after
            .map(|after| later(now, after));
        let instance = self.instance(index)?;
        match kind {
            PrincipalType::User => drop(instance.directory.remove_user(id, now)),
            PrincipalType::Group => drop(instance.directory.remove_group(id, now)),
        }
        instance.orphan(kind, id, vanish_at);
        Ok(())
    }

    fn with_user(
        &mut self,
        user: &str,
        change: impl FnOnce(&mut crate::world::directory::User),
    ) -> Changed {
        let (index, id) = self.find("user", user, |instance| user_id(instance, user))?;
        let now = self.now;
        if let Some(user) = self.instance(index)?.directory.users.get_mut(&id) {
            change(user);
            user.updated = now;
        }
        Ok(None)
    }

    fn add_permission_set(&mut self, index: usize, name: &str, session_duration: &str) -> Changed {
        let Some(instance) = self.world.instances.get_mut(index) else {
            return Err(missing("instance", "first"));
        };
        if instance.permission_set_named(name).is_some() {
            return Err(taken("permission set", name));
        }
        let set = instance.add_permission_set(&self.world.partition, name, self.now, self.random);
        session_duration.clone_into(&mut set.session_duration);
        Ok(Some(set.arn.clone()))
    }

    /// Removes a permission set and its assignments. Answers where it was, its name and its session duration.
    fn remove_permission_set(&mut self, set: &str) -> Result<(usize, String, String), ChangeError> {
        let (index, arn) = self.find("permission set", set, |instance| {
            permission_set_arn(instance, set)
        })?;
        remove_assignments(self, |row| row.permission_set == arn);
        let removed = self
            .instance(index)?
            .permission_sets
            .remove(&arn)
            .ok_or_else(|| missing("permission set", set))?;
        Ok((index, removed.name, removed.session_duration))
    }
}

/// Removes all assignments of that kind, at once.
pub(super) fn remove_assignments(hand: &mut Hand<'_>, removed: impl Fn(&Tuple) -> bool) {
    let now = hand.now;
    for instance in &mut hand.world.instances {
        let rows = instance.assignments.rows(now);
        let rows: Vec<Tuple> = rows.filter(|row| removed(row)).cloned().collect();
        for row in rows {
            instance.assignments.set(row, now, false);
        }
    }
}

pub(super) fn external(id: Option<&String>) -> Vec<ExternalId> {
    id.map(|id| ExternalId {
        issuer: ISSUER.to_owned(),
        id: id.clone(),
    })
    .into_iter()
    .collect()
}

pub(super) fn apply(hand: &mut Hand<'_>, change: &Change) -> Changed {
    match change {
        Change::CreateAssignment {
            account,
            permission_set,
            principal,
        } => hand.set_assignment(account, permission_set, principal, true),
        Change::DeleteAssignment {
            account,
            permission_set,
            principal,
        } => hand.set_assignment(account, permission_set, principal, false),
        Change::CreateUser {
            user_name,
            external_id,
        } => hand.add_user(0, user_name, external(external_id.as_ref())),
        Change::DeleteUser { user } => {
            let (index, id) = hand.find("user", user, |instance| user_id(instance, user))?;
            hand.remove(PrincipalType::User, index, &id)?;
            Ok(None)
        }
        Change::RecreateUser { user } => {
            let (index, id) = hand.find("user", user, |instance| user_id(instance, user))?;
            let old = hand
                .instance(index)?
                .directory
                .users
                .get(&id)
                .cloned()
                .ok_or_else(|| missing("user", user))?;
            hand.remove(PrincipalType::User, index, &id)?;
            let new = hand.add_user(index, &old.user_name, old.external_ids)?;
            hand.with_user(&old.user_name, |user| user.email = old.email)?;
            Ok(new)
        }
        Change::RenameUser { user, user_name } => {
            hand.with_user(user, |user| user_name.clone_into(&mut user.user_name))
        }
        Change::EnableUser { user } => hand.with_user(user, |user| user.enabled = true),
        Change::DisableUser { user } => hand.with_user(user, |user| user.enabled = false),
        Change::CreatePermissionSet {
            name,
            session_duration,
        } => hand.add_permission_set(0, name, session_duration),
        Change::SetSessionDuration {
            permission_set,
            session_duration,
        } => {
            let (index, arn) = hand.find("permission set", permission_set, |instance| {
                permission_set_arn(instance, permission_set)
            })?;
            if let Some(set) = hand.instance(index)?.permission_sets.get_mut(&arn) {
                session_duration.clone_into(&mut set.session_duration);
            }
            Ok(None)
        }
        Change::DeletePermissionSet { permission_set } => {
            hand.remove_permission_set(permission_set).map(|_| None)
        }
        Change::RecreatePermissionSet { permission_set } => {
            let (index, name, duration) = hand.remove_permission_set(permission_set)?;
            hand.add_permission_set(index, &name, &duration)
        }
        _ => Ok(None),
    }
}
