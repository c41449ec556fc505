//! Users and groups.

use serde_json::{Value, json};

use super::{
    Answer, Context, STORE, arn, directory, directory_mut, json_page, not_found, not_unique,
};
use crate::clock::later;
use crate::error::ServiceError;
use crate::input::{ATTRIBUTE_PATH, Input, RESOURCE_ID, STORE_TEXT, STORE_USER_NAME};
use crate::wire::epoch;
use crate::world::assignments::PrincipalType;
use crate::world::directory::{ExternalId, Group, User};

/// The ids, or null: the list holds at least one if it is there.
fn external_ids(ids: &[ExternalId]) -> Value {
    if ids.is_empty() {
        return Value::Null;
    }
    ids.iter()
        .map(|id| json!({ "Issuer": id.issuer, "Id": id.id }))
        .collect()
}

fn user_json(user: &User, store: &str, arn: &str) -> Value {
    let email = |email: &String| json!([{ "Value": email, "Type": "work", "Primary": true }]);
    json!({
        "IdentityStoreId": store,
        "UserId": user.id,
        "UserArn": arn,
        "Revision": user.updated.as_millisecond().to_string(),
        "UserName": user.user_name,
        "DisplayName": user.display_name,
        "Emails": user.email.as_ref().map(email),
        "ExternalIds": external_ids(&user.external_ids),
        "UserStatus": if user.enabled { "ENABLED" } else { "DISABLED" },
        "CreatedAt": epoch(user.created),
        "UpdatedAt": epoch(user.updated),
    })
}

fn group_json(group: &Group, store: &str, arn: &str) -> Value {
    json!({
        "IdentityStoreId": store,
        "GroupId": group.id,
        "GroupArn": arn,
        "Revision": group.updated.as_millisecond().to_string(),
        "DisplayName": group.display_name,
        "ExternalIds": external_ids(&group.external_ids),
        "CreatedAt": epoch(group.created),
        "UpdatedAt": epoch(group.updated),
    })
}

pub(super) fn create_user(context: &mut Context<'_>, store: usize, input: &Input<'_>) -> Answer {
    let name = input.required("UserName", &STORE_USER_NAME)?;
    let display_name = input.text("DisplayName", &STORE_TEXT)?.map(str::to_owned);
    let email = match input.structures("Emails")?.first() {
        Some(email) => email.text("Value", &STORE_TEXT)?.map(str::to_owned),
        None => None,
    };
    let ignore_case = context.settings.names_ignore_case;
    let now = context.now;
    let Some(instance) = context.world.instances.get_mut(store) else {
        return Err(not_found("IDENTITY_STORE", ""));
    };
    let directory = &mut instance.directory;
    if directory.user_named(name, ignore_case).is_some() {
        return Err(not_unique("Duplicate UserName"));
    }
    if email
        .as_ref()
        .is_some_and(|email| directory.user_with_email(email, ignore_case).is_some())
    {
        return Err(not_unique("Duplicate email address"));
    }
    let user = directory.add_user(name, now, context.random);
    user.display_name = display_name;
    user.email = email;
    let id = user.id.clone();
    let arn = arn(context, "user", &id);
    Ok(
        json!({ "UserId": id, "UserArn": arn, "IdentityStoreId": input.text("IdentityStoreId", &STORE_TEXT)? }),
    )
}

pub(super) fn describe_user(context: &mut Context<'_>, store: usize, input: &Input<'_>) -> Answer {
    let id = input.required("UserId", &RESOURCE_ID)?;
    let directory = directory(context, store)?;
    let user = directory
        .users
        .get(id)
        .ok_or_else(|| not_found("USER", id))?;
    Ok(user_json(user, &directory.id, &arn(context, "user", id)))
}

/// Only the names can be changed here (Identity Store API reference, `UpdateUser`, has many attributes more).
pub(super) fn update_user(context: &mut Context<'_>, store: usize, input: &Input<'_>) -> Answer {
    let id = input.required("UserId", &RESOURCE_ID)?;
    let (now, ignore_case) = (context.now, context.settings.names_ignore_case);
    let directory = directory_mut(context, store)?;
    for operation in input.structures("Operations")? {
        let (path, value) = (
            operation.required("AttributePath", &ATTRIBUTE_PATH)?,
            operation.required("AttributeValue", &STORE_TEXT)?,
        );
        let holder = directory
            .user_named(value, ignore_case)
            .map(|user| user.id.clone());
        let user = directory
            .users
            .get_mut(id)
            .ok_or_else(|| not_found("USER", id))?;
        match path {
            "userName" if holder.is_some_and(|holder| holder != id) => {
                return Err(not_unique("Duplicate UserName"));
            }
            "userName" => value.clone_into(&mut user.user_name),
            "displayName" => user.display_name = Some(value.to_owned()),
            _ => {
                return Err(ServiceError::invalid(
                    STORE,
                    format!("AttributePath {path} can not be updated"),
                ));
            }
        }
        user.updated = now;
    }
    Ok(json!({}))
}

pub(super) fn delete_user(context: &mut Context<'_>, store: usize, input: &Input<'_>) -> Answer {
    let id = input.required("UserId", &RESOURCE_ID)?;
    let now = context.now;
    directory_mut(context, store)?
        .remove_user(id, now)
        .ok_or_else(|| not_found("USER", id))?;
    orphan(context, store, PrincipalType::User, id);
    Ok(json!({}))
}

fn orphan(context: &mut Context<'_>, store: usize, kind: PrincipalType, id: &str) {
    let vanish_at = context
        .settings
        .orphans_vanish_after
        .map(|after| later(context.now, after));
    if let Some(instance) = context.world.instances.get_mut(store) {
        instance.orphan(kind, id, vanish_at);
    }
}

/// The one filter that listings take: an attribute and its exact value.
fn filter<'a>(input: &Input<'a>, attribute: &str) -> Result<Option<&'a str>, ServiceError> {
    let Some(filter) = input.structures("Filters")?.first().copied() else {
        return Ok(None);
    };
    if filter.required("AttributePath", &ATTRIBUTE_PATH)? != attribute {
        return Err(ServiceError::invalid(
            STORE,
            format!("Only {attribute} can be filtered by"),
        ));
    }
    filter.required("AttributeValue", &STORE_TEXT).map(Some)
}

pub(super) fn list_users(context: &mut Context<'_>, store: usize, input: &Input<'_>) -> Answer {
    let wanted = filter(input, "UserName")?;
    let directory = directory(context, store)?;
    let users = directory
        .users
        .values()
        .filter(|user| wanted.is_none_or(|wanted| user.user_name == wanted));
    let rows: Vec<_> = users
        .map(|user| {
            (
                user.id.clone(),
                user_json(user, &directory.id, &arn(context, "user", &user.id)),
            )
        })
        .collect();
    let page = json_page(
        input,
        STORE,
        format!("users {wanted:?}"),
        100,
        rows.into_iter(),
        (context.settings, context.revision, context.random),
    )?;
    Ok(json!({ "Users": page.rows, "NextToken": page.next }))
}

/// What `AlternateIdentifier` names: an external id, or one of the unique attributes.
enum Alternate<'a> {
    External { issuer: &'a str, id: &'a str },
    Attribute { path: &'a str, value: &'a str },
}

fn alternate<'a>(input: &Input<'a>, paths: &[&str]) -> Result<Alternate<'a>, ServiceError> {
    let identifier = input.required_structure("AlternateIdentifier")?;
    if let Some(external) = identifier.structure("ExternalId")? {
        return Ok(Alternate::External {
            issuer: external.required("Issuer", &STORE_TEXT)?,
            id: external.required("Id", &STORE_TEXT)?,
        });
    }
    let attribute = identifier.required_structure("UniqueAttribute")?;
    let path = attribute.required("AttributePath", &ATTRIBUTE_PATH)?;
    if !paths.contains(&path) {
        return Err(ServiceError::invalid(
            STORE,
            format!(
                "The attribute path {path} is not unique; valid are {}",
                paths.join(", ")
            ),
        ));
    }
    Ok(Alternate::Attribute {
        path,
        value: attribute.required("AttributeValue", &STORE_TEXT)?,
    })
}

fn has_external_id(ids: &[ExternalId], issuer: &str, id: &str) -> bool {
    ids.iter().any(|own| own.issuer == issuer && own.id == id)
}

/// The unique attributes are `userName` and `emails.value` (Identity Store API reference, `GetUserId`).
pub(super) fn get_user_id(context: &mut Context<'_>, store: usize, input: &Input<'_>) -> Answer {
    let ignore_case = context.settings.names_ignore_case;
    let directory = directory(context, store)?;
    let user = match alternate(input, &["userName", "emails.value"])? {
        Alternate::External { issuer, id } => directory
            .users
            .values()
            .find(|user| has_external_id(&user.external_ids, issuer, id)),
        Alternate::Attribute {
            path: "userName",
            value,
        } => directory.user_named(value, ignore_case),
        Alternate::Attribute { value, .. } => directory.user_with_email(value, ignore_case),
    };
    let id = &user.ok_or_else(|| not_found("USER", ""))?.id;
    Ok(
        json!({ "UserId": id, "UserArn": arn(context, "user", id), "IdentityStoreId": directory.id }),
    )
}

pub(super) fn create_group(context: &mut Context<'_>, store: usize, input: &Input<'_>) -> Answer {
    let name = input.required("DisplayName", &STORE_TEXT)?;
    let (now, ignore_case) = (context.now, context.settings.names_ignore_case);
    let Some(instance) = context.world.instances.get_mut(store) else {
        return Err(not_found("IDENTITY_STORE", ""));
    };
    if instance.directory.group_named(name, ignore_case).is_some() {
        return Err(not_unique("Duplicate GroupDisplayName"));
    }
    let id = instance
        .directory
        .add_group(name, now, context.random)
        .id
        .clone();
    let store = instance.directory.id.clone();
    Ok(json!({ "GroupId": id, "GroupArn": arn(context, "group", &id), "IdentityStoreId": store }))
}

pub(super) fn describe_group(context: &mut Context<'_>, store: usize, input: &Input<'_>) -> Answer {
    let id = input.required("GroupId", &RESOURCE_ID)?;
    let directory = directory(context, store)?;
    let group = directory
        .groups
        .get(id)
        .ok_or_else(|| not_found("GROUP", id))?;
    Ok(group_json(group, &directory.id, &arn(context, "group", id)))
}

/// The unique attribute is `displayName` (Identity Store API reference, `GetGroupId`).
pub(super) fn get_group_id(context: &mut Context<'_>, store: usize, input: &Input<'_>) -> Answer {
    let ignore_case = context.settings.names_ignore_case;
    let directory = directory(context, store)?;
    let group = match alternate(input, &["displayName"])? {
        Alternate::External { issuer, id } => directory
            .groups
            .values()
            .find(|group| has_external_id(&group.external_ids, issuer, id)),
        Alternate::Attribute { value, .. } => directory.group_named(value, ignore_case),
    };
    let id = &group.ok_or_else(|| not_found("GROUP", ""))?.id;
    Ok(
        json!({ "GroupId": id, "GroupArn": arn(context, "group", id), "IdentityStoreId": directory.id }),
    )
}

pub(super) fn list_groups(context: &mut Context<'_>, store: usize, input: &Input<'_>) -> Answer {
    let wanted = filter(input, "DisplayName")?;
    let directory = directory(context, store)?;
    let groups = directory
        .groups
        .values()
        .filter(|group| wanted.is_none_or(|wanted| group.display_name == wanted));
    let rows: Vec<_> = groups
        .map(|group| {
            (
                group.id.clone(),
                group_json(group, &directory.id, &arn(context, "group", &group.id)),
            )
        })
        .collect();
    let page = json_page(
        input,
        STORE,
        format!("groups {wanted:?}"),
        100,
        rows.into_iter(),
        (context.settings, context.revision, context.random),
    )?;
    Ok(json!({ "Groups": page.rows, "NextToken": page.next }))
}

pub(super) fn delete_group(context: &mut Context<'_>, store: usize, input: &Input<'_>) -> Answer {
    let id = input.required("GroupId", &RESOURCE_ID)?;
    let now = context.now;
    directory_mut(context, store)?
        .remove_group(id, now)
        .ok_or_else(|| not_found("GROUP", id))?;
    orphan(context, store, PrincipalType::Group, id);
    Ok(json!({}))
}
