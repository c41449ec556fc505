//! Group memberships.

use serde_json::{Value, json};

use super::{
    Answer, Context, STORE, arn, directory, directory_mut, json_page, not_found, not_unique,
};
use crate::error::ServiceError;
use crate::input::{Input, RESOURCE_ID};
use crate::settings::AbsentMembership;
use crate::wire::epoch;
use crate::world::directory::{Directory, Membership};

fn member<'a>(input: &Input<'a>) -> Result<&'a str, ServiceError> {
    input
        .required_structure("MemberId")?
        .required("UserId", &RESOURCE_ID)
}

fn json(membership: &Membership, store: &str, arn: &str) -> Value {
    json!({
        "IdentityStoreId": store,
        "MembershipId": membership.id,
        "MembershipArn": arn,
        "GroupId": membership.group_id,
        "MemberId": { "UserId": membership.user_id },
        "CreatedAt": epoch(membership.created),
        "UpdatedAt": epoch(membership.created),
    })
}

fn known(
    directory: &Directory,
    group: Option<&str>,
    user: Option<&str>,
) -> Result<(), ServiceError> {
    if let Some(group) = group.filter(|group| !directory.groups.contains_key(*group)) {
        return Err(not_found("GROUP", group));
    }
    match user.filter(|user| !directory.users.contains_key(*user)) {
        Some(user) => Err(not_found("USER", user)),
        None => Ok(()),
    }
}

/// Identity Store API reference, `ConflictException`: both operations list it.
fn unlucky(context: &mut Context<'_>) -> Result<(), ServiceError> {
    if context
        .random
        .chance(context.settings.chances.membership_conflict)
    {
        let message = "The request conflicts with another change; try again.";
        return Err(ServiceError::new(STORE, "ConflictException", message)
            .with("Reason", "CONCURRENT_MODIFICATION"));
    }
    Ok(())
}

pub(super) fn create(context: &mut Context<'_>, store: usize, input: &Input<'_>) -> Answer {
    let (group, user, now) = (
        input.required("GroupId", &RESOURCE_ID)?,
        member(input)?,
        context.now,
    );
    known(directory(context, store)?, Some(group), Some(user))?;
    unlucky(context)?;
    let Some(instance) = context.world.instances.get_mut(store) else {
        return Err(not_found("IDENTITY_STORE", ""));
    };
    let id = instance
        .directory
        .join(group, user, now, now, context.random);
    let id = id.ok_or_else(|| not_unique("Member and Group relationship already exists."))?;
    let store = instance.directory.id.clone();
    Ok(
        json!({ "MembershipId": id, "MembershipArn": arn(context, "membership", &id), "IdentityStoreId": store }),
    )
}

pub(super) fn delete(context: &mut Context<'_>, store: usize, input: &Input<'_>) -> Answer {
    let (id, now) = (input.required("MembershipId", &RESOURCE_ID)?, context.now);
    unlucky(context)?;
    let directory = directory_mut(context, store)?;
    let membership = directory
        .memberships(now)
        .find(|membership| membership.id == id)
        .cloned();
    let Some(membership) = membership else {
        let succeeds = match context.settings.absent_membership {
            AbsentMembership::NotFound => false,
            AbsentMembership::Succeeds => true,
            AbsentMembership::Either => context.random.one_of(true, &[false]),
        };
        return if succeeds {
            Ok(json!({}))
        } else {
            Err(not_found("GROUP_MEMBERSHIP", id))
        };
    };
    directory.leave(&membership.group_id, &membership.user_id, now);
    Ok(json!({}))
}

pub(super) fn get_id(context: &mut Context<'_>, store: usize, input: &Input<'_>) -> Answer {
    let (group, user) = (input.required("GroupId", &RESOURCE_ID)?, member(input)?);
    let directory = directory(context, store)?;
    known(directory, Some(group), Some(user))?;
    let id = &directory
        .membership(group, user, context.seen)
        .ok_or_else(|| not_found("GROUP_MEMBERSHIP", ""))?
        .id;
    Ok(
        json!({ "MembershipId": id, "MembershipArn": arn(context, "membership", id), "IdentityStoreId": directory.id }),
    )
}

pub(super) fn describe(context: &mut Context<'_>, store: usize, input: &Input<'_>) -> Answer {
    let id = input.required("MembershipId", &RESOURCE_ID)?;
    let directory = directory(context, store)?;
    let membership = directory
        .memberships(context.seen)
        .find(|membership| membership.id == id);
    let membership = membership.ok_or_else(|| not_found("GROUP_MEMBERSHIP", id))?;
    Ok(json(
        membership,
        &directory.id,
        &arn(context, "membership", id),
    ))
}

pub(super) fn is_member_in_groups(
    context: &mut Context<'_>,
    store: usize,
    input: &Input<'_>,
) -> Answer {
    let user = member(input)?;
    let groups = input.texts("GroupIds", &RESOURCE_ID, 1, 100)?;
    let directory = directory(context, store)?;
    known(directory, None, Some(user))?;
    let mut results = Vec::new();
    for group in groups {
        known(directory, Some(group), None)?;
        let exists = directory.membership(group, user, context.seen).is_some();
        results.push(
            json!({ "GroupId": group, "MemberId": { "UserId": user }, "MembershipExists": exists }),
        );
    }
    Ok(json!({ "Results": results }))
}

fn list(
    context: &mut Context<'_>,
    store: usize,
    input: &Input<'_>,
    of: &str,
    belongs: impl Fn(&Membership) -> bool,
) -> Answer {
    let directory = directory(context, store)?;
    let memberships = directory
        .memberships(context.seen)
        .filter(|membership| belongs(membership));
    let row = |membership: &Membership| {
        let key = format!("{} {}", membership.group_id, membership.user_id);
        (
            key,
            json(
                membership,
                &directory.id,
                &arn(context, "membership", &membership.id),
            ),
        )
    };
    let rows: Vec<(String, Value)> = memberships.map(row).collect();
    let page = json_page(
        input,
        STORE,
        format!("memberships {of}"),
        100,
        rows.into_iter(),
        (context.settings, context.revision, context.random),
    )?;
    Ok(json!({ "GroupMemberships": page.rows, "NextToken": page.next }))
}

pub(super) fn list_of_group(context: &mut Context<'_>, store: usize, input: &Input<'_>) -> Answer {
    let group = input.required("GroupId", &RESOURCE_ID)?;
    known(directory(context, store)?, Some(group), None)?;
    list(context, store, input, group, |membership| {
        membership.group_id == group
    })
}

pub(super) fn list_of_member(context: &mut Context<'_>, store: usize, input: &Input<'_>) -> Answer {
    let user = member(input)?;
    known(directory(context, store)?, None, Some(user))?;
    list(context, store, input, user, |membership| {
        membership.user_id == user
    })
}
