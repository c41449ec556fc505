//! IAM (API version 2010-05-08): users, groups, their members, tags, and roles.

mod tags;

use serde_json::{Value, json};

use super::{Answer, Context};
use crate::error::ServiceError;
use crate::input::{
    ANY_TEXT, IAM_GROUP_NAME, IAM_NEW_USER_NAME, IAM_PATH, IAM_ROLE_NAME, IAM_USER_NAME, Input,
};
use crate::limits::{self, PageRequest};
use crate::wire::{Service, iso};
use crate::world::iam::{Iam, IamGroup, IamRole, IamUser};

const IAM: Service = Service::Iam;
/// IAM and STS quotas: "Groups an IAM user can be a member of".
const GROUPS_PER_USER: usize = 10;

pub(super) fn handle(context: &mut Context<'_>, operation: &str, input: &Input<'_>) -> Answer {
    match operation {
        "CreateUser" => create_user(context, input),
        "GetUser" => get_user(context, input),
        "DeleteUser" => delete_user(context, input),
        "ListUsers" => list_users(context, input),
        "CreateGroup" => create_group(context, input),
        "GetGroup" => get_group(context, input),
        "DeleteGroup" => delete_group(context, input),
        "ListGroups" => list_groups(context, input),
        "AddUserToGroup" => add_user_to_group(context, input),
        "RemoveUserFromGroup" => remove_user_from_group(context, input),
        "ListGroupsForUser" => list_groups_for_user(context, input),
        "TagUser" => tags::tag_user(context, input),
        "UntagUser" => tags::untag_user(context, input),
        "ListUserTags" => tags::list_user_tags(context, input),
        "CreateRole" => create_role(context, input),
        "GetRole" => get_role(context, input),
        "DeleteRole" => delete_role(context, input),
        other => Err(ServiceError::unknown_operation(IAM, other)),
    }
}

fn own<'c>(context: &'c mut Context<'_>) -> Result<&'c mut Iam, ServiceError> {
    let account = context.world.accounts.get_mut(&context.caller.account);
    account
        .map(|account| &mut account.iam)
        .ok_or_else(|| ServiceError::new(IAM, "ServiceFailure", "no such account"))
}

fn no_such(kind: &str, name: &str) -> ServiceError {
    ServiceError::new(
        IAM,
        "NoSuchEntity",
        format!("The {kind} with name {name} cannot be found."),
    )
}

fn taken(kind: &str, name: &str) -> ServiceError {
    ServiceError::new(
        IAM,
        "EntityAlreadyExists",
        format!("{kind} with name {name} already exists."),
    )
}

fn user<'i>(iam: &'i Iam, name: &str) -> Result<&'i IamUser, ServiceError> {
    iam.user(name).ok_or_else(|| no_such("user", name))
}

fn group<'i>(iam: &'i Iam, name: &str) -> Result<&'i IamGroup, ServiceError> {
    iam.group(name).ok_or_else(|| no_such("group", name))
}

fn user_json(iam: &Iam, user: &IamUser) -> Value {
    json!({
        "Path": user.path,
        "UserName": user.name,
        "UserId": user.id,
        "Arn": iam.arn("user", &user.path, &user.name),
        "CreateDate": iso(user.created),
    })
}

fn group_json(iam: &Iam, group: &IamGroup) -> Value {
    json!({
        "Path": group.path,
        "GroupName": group.name,
        "GroupId": group.id,
        "Arn": iam.arn("group", &group.path, &group.name),
        "CreateDate": iso(group.created),
    })
}

fn role_json(iam: &Iam, role: &IamRole) -> Value {
    // The policy document is answered URL-encoded (IAM API reference, `Role`).
    let document: String = form_urlencoded::byte_serialize(role.trust_policy.as_bytes()).collect();
    json!({
        "Path": role.path,
        "RoleName": role.name,
        "RoleId": role.id,
        "Arn": iam.arn("role", &role.path, &role.name),
        "CreateDate": iso(role.created),
        "AssumeRolePolicyDocument": document,
        "MaxSessionDuration": role.max_session_seconds,
    })
}

/// A page of a listing that takes `MaxItems` and `Marker`, with `also` beside the list.
fn page<T: Into<Value>>(
    context: &mut Context<'_>,
    input: &Input<'_>,
    member: &str,
    rows: Vec<(String, T)>,
    also: Value,
) -> Answer {
    let limit = input.number("MaxItems", 1, 1000)?.unwrap_or(100);
    let listing = format!("{member} {also}");
    let request = PageRequest {
        listing,
        token: input.text("Marker", &ANY_TEXT)?,
        limit: Some(limit),
        revision: context.revision,
    };
    let page = limits::page(rows.into_iter(), &request, context.settings, context.random)
        .map_err(|_| ServiceError::invalid(IAM, "Invalid Marker."))?;
    let rows: Vec<Value> = page.rows.into_iter().map(Into::into).collect();
    let mut answer = match also {
        Value::Object(also) => also,
        _ => serde_json::Map::new(),
    };
    answer.insert(member.to_owned(), rows.into());
    answer.insert("IsTruncated".to_owned(), page.next.is_some().into());
    if let Some(marker) = page.next {
        answer.insert("Marker".to_owned(), marker.into());
    }
    Ok(Value::Object(answer))
}

fn create_user(context: &mut Context<'_>, input: &Input<'_>) -> Answer {
    let name = input.required("UserName", &IAM_NEW_USER_NAME)?;
    let path = input.text("Path", &IAM_PATH)?.unwrap_or("/");
    let tags = tags::merge(&[], tags::read(input)?)?;
    let (now, account) = (context.now, context.caller.account.as_str());
    let Some(account) = context.world.accounts.get_mut(account) else {
        return Err(no_such("account", account));
    };
    let user = account
        .iam
        .add_user(name, path, now, context.random)
        .ok_or_else(|| taken("User", name))?;
    user.tags.set(now, tags);
    let user = user.clone();
    Ok(json!({ "User": user_json(&account.iam, &user) }))
}

fn get_user(context: &mut Context<'_>, input: &Input<'_>) -> Answer {
    let seen = context.seen;
    let name = input.text("UserName", &IAM_USER_NAME)?;
    let name = name.ok_or_else(|| {
        ServiceError::invalid(
            IAM,
            "Must specify userName when calling with non-User credentials",
        )
    })?;
    let iam = own(context)?;
    let user = user(iam, name)?;
    let tags = user
        .tags
        .at(seen)
        .filter(|tags| !tags.is_empty())
        .map(|tags| tags::json(tags));
    let mut answer = user_json(iam, user);
    if let (Value::Object(members), Some(tags)) = (&mut answer, tags) {
        members.insert("Tags".to_owned(), tags.into());
    }
    Ok(json!({ "User": answer }))
}

fn delete_user(context: &mut Context<'_>, input: &Input<'_>) -> Answer {
    let (name, now) = (input.required("UserName", &IAM_USER_NAME)?, context.now);
    let iam = own(context)?;
    if iam.groups_of(&user(iam, name)?.id, now).next().is_some() {
        let message = "Cannot delete entity, must remove users from group first.";
        return Err(ServiceError::new(IAM, "DeleteConflict", message));
    }
    iam.remove_user(name);
    Ok(Value::Null)
}

fn list_users(context: &mut Context<'_>, input: &Input<'_>) -> Answer {
    let iam = own(context)?;
    let rows = iam
        .users()
        .map(|user| (user.name.to_lowercase(), user_json(iam, user)))
        .collect();
    page(context, input, "Users", rows, Value::Null)
}

fn create_group(context: &mut Context<'_>, input: &Input<'_>) -> Answer {
    let name = input.required("GroupName", &IAM_GROUP_NAME)?;
    let path = input.text("Path", &IAM_PATH)?.unwrap_or("/");
    let account = context.caller.account.as_str();
    let Some(account) = context.world.accounts.get_mut(account) else {
        return Err(no_such("account", account));
    };
    let group = account
        .iam
        .add_group(name, path, context.now, context.random)
        .ok_or_else(|| taken("Group", name))?
        .clone();
    Ok(json!({ "Group": group_json(&account.iam, &group) }))
}

fn get_group(context: &mut Context<'_>, input: &Input<'_>) -> Answer {
    let seen = context.seen;
    let name = input.required("GroupName", &IAM_GROUP_NAME)?;
    let iam = own(context)?;
    let group = group(iam, name)?;
    let rows = iam
        .members_of(&group.id, seen)
        .map(|user| (user.name.to_lowercase(), user_json(iam, user)))
        .collect();
    let group = json!({ "Group": group_json(iam, group) });
    page(context, input, "Users", rows, group)
}

fn delete_group(context: &mut Context<'_>, input: &Input<'_>) -> Answer {
    let (name, now) = (input.required("GroupName", &IAM_GROUP_NAME)?, context.now);
    let iam = own(context)?;
    if iam.members_of(&group(iam, name)?.id, now).next().is_some() {
        let message = "Cannot delete entity, must remove users from group first.";
        return Err(ServiceError::new(IAM, "DeleteConflict", message));
    }
    iam.remove_group(name);
    Ok(Value::Null)
}

fn list_groups(context: &mut Context<'_>, input: &Input<'_>) -> Answer {
    let iam = own(context)?;
    let rows = iam
        .groups()
        .map(|group| (group.name.to_lowercase(), group_json(iam, group)))
        .collect();
    page(context, input, "Groups", rows, Value::Null)
}

/// The unique ids of the group and user that a request names.
fn named_pair(
    context: &mut Context<'_>,
    input: &Input<'_>,
) -> Result<(String, String), ServiceError> {
    let group_name = input.required("GroupName", &IAM_GROUP_NAME)?;
    let user_name = input.required("UserName", &IAM_USER_NAME)?;
    let iam = own(context)?;
    Ok((
        group(iam, group_name)?.id.clone(),
        user(iam, user_name)?.id.clone(),
    ))
}

fn add_user_to_group(context: &mut Context<'_>, input: &Input<'_>) -> Answer {
    let (group_id, user_id) = named_pair(context, input)?;
    let now = context.now;
    let iam = own(context)?;
    if !iam.is_member(&group_id, &user_id)
        && iam.groups_of(&user_id, now).count() >= GROUPS_PER_USER
    {
        let message = format!("Cannot exceed quota for GroupsPerUser: {GROUPS_PER_USER}");
        return Err(ServiceError::new(IAM, "LimitExceeded", message));
    }
    iam.set_member(&group_id, &user_id, now, true);
    Ok(Value::Null)
}

fn remove_user_from_group(context: &mut Context<'_>, input: &Input<'_>) -> Answer {
    let (group_id, user_id) = named_pair(context, input)?;
    let now = context.now;
    if own(context)?.set_member(&group_id, &user_id, now, false) {
        return Ok(Value::Null);
    }
    let (user, group) = (
        input.required("UserName", &IAM_USER_NAME)?,
        input.required("GroupName", &IAM_GROUP_NAME)?,
    );
    Err(ServiceError::new(
        IAM,
        "NoSuchEntity",
        format!("User {user} is not in group {group}"),
    ))
}

fn list_groups_for_user(context: &mut Context<'_>, input: &Input<'_>) -> Answer {
    let seen = context.seen;
    let name = input.required("UserName", &IAM_USER_NAME)?;
    let iam = own(context)?;
    let id = user(iam, name)?.id.clone();
    let rows = iam
        .groups_of(&id, seen)
        .map(|group| (group.name.to_lowercase(), group_json(iam, group)))
        .collect();
    page(context, input, "Groups", rows, Value::Null)
}

fn create_role(context: &mut Context<'_>, input: &Input<'_>) -> Answer {
    let name = input.required("RoleName", &IAM_ROLE_NAME)?;
    let policy = input.required("AssumeRolePolicyDocument", &ANY_TEXT)?;
    let path = input.text("Path", &IAM_PATH)?.unwrap_or("/");
    let seconds = input
        .number("MaxSessionDuration", 3600, 43_200)?
        .unwrap_or(3600);
    let account = context.caller.account.as_str();
    let Some(account) = context.world.accounts.get_mut(account) else {
        return Err(no_such("account", account));
    };
    let role = account
        .iam
        .add_role(name, path, context.now, context.random)
        .ok_or_else(|| taken("Role", name))?;
    policy.clone_into(&mut role.trust_policy);
    role.max_session_seconds = seconds;
    let role = role.clone();
    Ok(json!({ "Role": role_json(&account.iam, &role) }))
}

fn get_role(context: &mut Context<'_>, input: &Input<'_>) -> Answer {
    let name = input.required("RoleName", &IAM_ROLE_NAME)?;
    let iam = own(context)?;
    let role = iam.role(name).ok_or_else(|| no_such("role", name))?;
    Ok(json!({ "Role": role_json(iam, role) }))
}

fn delete_role(context: &mut Context<'_>, input: &Input<'_>) -> Answer {
    let name = input.required("RoleName", &IAM_ROLE_NAME)?;
    own(context)?
        .remove_role(name)
        .map(|_| Value::Null)
        .ok_or_else(|| no_such("role", name))
}
