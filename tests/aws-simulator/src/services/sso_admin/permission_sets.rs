//! Permission sets.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{
    Answer, Context, SSO, found, found_mut, instance_arn, is_delegate, json_page, not_found,
};
use crate::error::ServiceError;
use crate::input::{
    ANY_TEXT, DURATION, INSTANCE_ARN, Input, PERMISSION_SET_ARN, PERMISSION_SET_NAME, TAGGABLE_ARN,
};
use crate::wire::epoch;
use crate::world::instance::PermissionSet;

pub(super) fn missing(arn: &str) -> ServiceError {
    not_found(format!("PermissionSet {arn} not found"))
}

fn json(set: &PermissionSet) -> Value {
    json!({
        "Name": set.name,
        "PermissionSetArn": set.arn,
        "Description": set.description,
        "CreatedDate": epoch(set.created),
        "SessionDuration": set.session_duration,
        "RelayState": set.relay_state,
    })
}

pub(super) fn list(context: &mut Context<'_>, input: &Input<'_>) -> Answer {
    let arn = instance_arn(context, "ListPermissionSets", input)?;
    let arns: Vec<String> = found(context, &arn)?
        .permission_sets
        .keys()
        .cloned()
        .collect();
    let rows = arns.into_iter().map(|arn| (arn.clone(), arn));
    let page = json_page(
        input,
        SSO,
        format!("permission sets {arn}"),
        100,
        rows,
        (context.settings, context.revision, context.random),
    )?;
    Ok(json!({ "PermissionSets": page.rows, "NextToken": page.next }))
}

pub(super) fn describe(context: &mut Context<'_>, input: &Input<'_>) -> Answer {
    let set = input.required("PermissionSetArn", &PERMISSION_SET_ARN)?;
    let arn = instance_arn(context, "DescribePermissionSet", input)?;
    let set = found(context, &arn)?
        .permission_sets
        .get(set)
        .ok_or_else(|| missing(set))?;
    Ok(json!({ "PermissionSet": json(set) }))
}

/// Sessions last an hour unless said otherwise, and at most twelve (IAM Identity Center guide, session duration).
pub(super) fn create(context: &mut Context<'_>, input: &Input<'_>) -> Answer {
    let name = input.required("Name", &PERMISSION_SET_NAME)?;
    let duration = input.text("SessionDuration", &DURATION)?;
    let description = input.text("Description", &ANY_TEXT)?.map(str::to_owned);
    let relay_state = input.text("RelayState", &ANY_TEXT)?.map(str::to_owned);
    let mut tags = BTreeMap::new();
    for tag in input.structures("Tags")? {
        tags.insert(
            tag.required("Key", &ANY_TEXT)?.to_owned(),
            tag.text("Value", &ANY_TEXT)?.unwrap_or_default().to_owned(),
        );
    }
    let arn = instance_arn(context, "CreatePermissionSet", input)?;
    let Some(instance) = context
        .world
        .instances
        .iter_mut()
        .find(|instance| instance.arn == arn)
    else {
        return Err(not_found(arn));
    };
    if instance.permission_set_named(name).is_some() {
        return Err(ServiceError::new(
            SSO,
            "ConflictException",
            format!("PermissionSet with name {name} already exists."),
        ));
    }
    let set =
        instance.add_permission_set(&context.world.partition, name, context.now, context.random);
    if let Some(duration) = duration {
        duration.clone_into(&mut set.session_duration);
    }
    set.description = description;
    set.relay_state = relay_state;
    set.tags = tags;
    Ok(json!({ "PermissionSet": json(set) }))
}

/// A permission set that is assigned can't be deleted (IAM Identity Center guide, remove permission sets).
pub(super) fn delete(context: &mut Context<'_>, input: &Input<'_>) -> Answer {
    let set = input.required("PermissionSetArn", &PERMISSION_SET_ARN)?;
    let arn = instance_arn(context, "DeletePermissionSet", input)?;
    let now = context.now;
    let instance = found_mut(context, &arn)?;
    if !instance.permission_sets.contains_key(set) {
        return Err(missing(set));
    }
    let in_flight = instance
        .assignments
        .in_flight()
        .any(|operation| operation.tuple.permission_set == set);
    if in_flight
        || instance
            .assignments
            .rows(now)
            .any(|row| row.permission_set == set)
    {
        let message = format!("PermissionSet {set} is assigned to accounts");
        return Err(ServiceError::new(SSO, "ConflictException", message));
    }
    instance.permission_sets.remove(set);
    Ok(json!({}))
}

pub(super) fn list_tags(context: &mut Context<'_>, input: &Input<'_>) -> Answer {
    let resource = input.required("ResourceArn", &TAGGABLE_ARN)?;
    let named = input.text("InstanceArn", &INSTANCE_ARN)?;
    let mut administered = context.world.instances.iter().filter(|instance| {
        let ours = instance.owner == context.caller.account || is_delegate(context, instance);
        ours && instance.region == context.region && named.is_none_or(|arn| arn == instance.arn)
    });
    let set = administered
        .find_map(|instance| instance.permission_sets.get(resource))
        .ok_or_else(|| missing(resource))?;
    let tags: Vec<Value> = set
        .tags
        .iter()
        .map(|(key, value)| json!({ "Key": key, "Value": value }))
        .collect();
    Ok(json!({ "Tags": tags }))
}
