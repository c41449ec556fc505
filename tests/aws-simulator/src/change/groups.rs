//! Changes of groups and their members in Identity Center.

use jiff::Timestamp;

use super::identity_center::{external, group_id, user_id};
use super::{Change, Changed, Hand, missing};
use crate::world::assignments::PrincipalType;

impl Hand<'_> {
    fn set_member(&mut self, group: &str, user: &str, member: bool) -> Changed {
        let (index, group) = self.find("group", group, |instance| group_id(instance, group))?;
        let now = self.now;
        let Some(instance) = self.world.instances.get_mut(index) else {
            return Ok(None);
        };
        let user = user_id(instance, user).ok_or_else(|| missing("user", user))?;
        if member {
            return Ok(instance
                .directory
                .join(&group, &user, now, now, self.random));
        }
        instance.directory.leave(&group, &user, now);
        Ok(None)
    }

    fn set_members(&mut self, group: &str, users: &[String]) -> Changed {
        let (index, group) = self.find("group", group, |instance| group_id(instance, group))?;
        let now = self.now;
        let Some(instance) = self.world.instances.get_mut(index) else {
            return Ok(None);
        };
        let id = |user: &String| user_id(instance, user).ok_or_else(|| missing("user", user));
        let wanted = users.iter().map(id).collect::<Result<Vec<_>, _>>()?;
        let members = instance.directory.memberships(Timestamp::MAX);
        let gone: Vec<String> = members
            .filter(|one| one.group_id == group && !wanted.contains(&one.user_id))
            .map(|one| one.user_id.clone())
            .collect();
        for user in gone {
            instance.directory.leave(&group, &user, now);
        }
        for user in wanted {
            instance
                .directory
                .join(&group, &user, now, now, self.random);
        }
        Ok(None)
    }
}

pub(super) fn apply(hand: &mut Hand<'_>, change: &Change) -> Changed {
    match change {
        Change::CreateGroup {
            display_name,
            external_id,
        } => hand.add_group(0, display_name, external(external_id.as_ref())),
        Change::DeleteGroup { group } => {
            let (index, id) = hand.find("group", group, |instance| group_id(instance, group))?;
            hand.remove(PrincipalType::Group, index, &id)?;
            Ok(None)
        }
        Change::RecreateGroup { group } => {
            let (index, id) = hand.find("group", group, |instance| group_id(instance, group))?;
            let old = hand
                .instance(index)?
                .directory
                .groups
                .get(&id)
                .cloned()
                .ok_or_else(|| missing("group", group))?;
            hand.remove(PrincipalType::Group, index, &id)?;
            hand.add_group(index, &old.display_name, old.external_ids)
        }
        Change::RenameGroup {
            group,
            display_name,
        } => {
            let (index, id) = hand.find("group", group, |instance| group_id(instance, group))?;
            if let Some(group) = hand.instance(index)?.directory.groups.get_mut(&id) {
                display_name.clone_into(&mut group.display_name);
            }
            Ok(None)
        }
        Change::AddGroupMember { group, user } => hand.set_member(group, user, true),
        Change::RemoveGroupMember { group, user } => hand.set_member(group, user, false),
        Change::SetGroupMembers { group, users } => hand.set_members(group, users),
        Change::RenewGroupMember { group, user } => {
            hand.set_member(group, user, false)?;
            hand.set_member(group, user, true)
        }
        Change::SetGroupExternalId { group, external_id } => {
            let (index, id) = hand.find("group", group, |instance| group_id(instance, group))?;
            if let Some(group) = hand.instance(index)?.directory.groups.get_mut(&id) {
                group.external_ids = external(external_id.as_ref());
            }
            Ok(None)
        }
        _ => Ok(None),
    }
}
