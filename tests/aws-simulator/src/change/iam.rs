//! Changes in IAM.

use super::{Change, ChangeError, Changed, Hand, missing, taken};
use crate::world::iam::Iam;

fn iam<'w>(hand: &'w mut Hand<'_>, account: &str) -> Result<&'w mut Iam, ChangeError> {
    hand.world
        .accounts
        .get_mut(account)
        .map(|account| &mut account.iam)
        .ok_or_else(|| missing("account", account))
}

fn add_user(hand: &mut Hand<'_>, account: &str, user: &str) -> Changed {
    let found = hand
        .world
        .accounts
        .get_mut(account)
        .ok_or_else(|| missing("account", account))?;
    let added = found
        .iam
        .add_user(user, "/", hand.now, hand.random)
        .ok_or_else(|| taken("IAM user", user))?;
    Ok(Some(added.id.clone()))
}

fn remove_user(hand: &mut Hand<'_>, account: &str, user: &str) -> Changed {
    iam(hand, account)?
        .remove_user(user)
        .ok_or_else(|| missing("IAM user", user))?;
    Ok(None)
}

fn add_group(hand: &mut Hand<'_>, account: &str, group: &str) -> Changed {
    let found = hand
        .world
        .accounts
        .get_mut(account)
        .ok_or_else(|| missing("account", account))?;
    let added = found
        .iam
        .add_group(group, "/", hand.now, hand.random)
        .ok_or_else(|| taken("IAM group", group))?;
    Ok(Some(added.id.clone()))
}

fn remove_group(hand: &mut Hand<'_>, account: &str, group: &str) -> Changed {
    iam(hand, account)?
        .remove_group(group)
        .ok_or_else(|| missing("IAM group", group))?;
    Ok(None)
}

fn set_member(
    hand: &mut Hand<'_>,
    account: &str,
    group: &str,
    user: &str,
    member: bool,
) -> Changed {
    let now = hand.now;
    let iam = iam(hand, account)?;
    let group_id = iam
        .group(group)
        .ok_or_else(|| missing("IAM group", group))?
        .id
        .clone();
    let user_id = iam
        .user(user)
        .ok_or_else(|| missing("IAM user", user))?
        .id
        .clone();
    iam.set_member(&group_id, &user_id, now, member);
    Ok(None)
}

pub(super) fn apply(hand: &mut Hand<'_>, change: &Change) -> Changed {
    match change {
        Change::CreateIamUser { account, user } => add_user(hand, account, user),
        Change::DeleteIamUser { account, user } => remove_user(hand, account, user),
        Change::RecreateIamUser { account, user } => {
            let name = iam(hand, account)?
                .user(user)
                .ok_or_else(|| missing("IAM user", user))?
                .name
                .clone();
            remove_user(hand, account, &name)?;
            add_user(hand, account, &name)
        }
        Change::RenameIamUser {
            account,
            user,
            new_name,
        } => {
            let renamed = iam(hand, account)?.rename_user(user, new_name);
            if renamed {
                Ok(None)
            } else {
                Err(missing("IAM user that can be renamed", user))
            }
        }
        Change::CreateIamGroup { account, group } => add_group(hand, account, group),
        Change::DeleteIamGroup { account, group } => remove_group(hand, account, group),
        Change::RenameIamGroup {
            account,
            group,
            new_name,
        } => {
            let renamed = iam(hand, account)?.rename_group(group, new_name);
            if renamed {
                Ok(None)
            } else {
                Err(missing("IAM group that can be renamed", group))
            }
        }
        Change::RecreateIamGroup { account, group } => {
            let name = iam(hand, account)?
                .group(group)
                .ok_or_else(|| missing("IAM group", group))?
                .name
                .clone();
            remove_group(hand, account, &name)?;
            add_group(hand, account, &name)
        }
        Change::AddIamGroupMember {
            account,
            group,
            user,
        } => set_member(hand, account, group, user, true),
        Change::RemoveIamGroupMember {
            account,
            group,
            user,
        } => set_member(hand, account, group, user, false),
        Change::SetIamUserTags {
            account,
            user,
            tags,
        } => {
            let now = hand.now;
            iam(hand, account)?
                .user_mut(user)
                .ok_or_else(|| missing("IAM user", user))?
                .tags
                .set(now, tags.clone());
            Ok(None)
        }
        Change::CreateRole { account, role } => {
            let found = hand
                .world
                .accounts
                .get_mut(account)
                .ok_or_else(|| missing("account", account))?;
            let added = found
                .iam
                .add_role(role, "/", hand.now, hand.random)
                .ok_or_else(|| taken("role", role))?;
            Ok(Some(added.id.clone()))
        }
        Change::DeleteRole { account, role } => {
            iam(hand, account)?
                .remove_role(role)
                .ok_or_else(|| missing("role", role))?;
            Ok(None)
        }
        _ => Ok(None),
    }
}
