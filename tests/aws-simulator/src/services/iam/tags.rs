//! Tags on IAM users (IAM guide, tagging IAM resources; IAM API reference, `TagUser`).

use serde_json::{Value, json};

use super::{IAM, no_such, own, page, user};
use crate::error::ServiceError;
use crate::input::{IAM_TAG_KEY, IAM_TAG_VALUE, IAM_USER_NAME, Input};
use crate::services::{Answer, Context};
use crate::world::iam::Tag;

const TAGS_PER_USER: usize = 50;

pub(super) fn json(tags: &[Tag]) -> Vec<Value> {
    tags.iter()
        .map(|tag| json!({ "Key": tag.key, "Value": tag.value }))
        .collect()
}

/// The tags of a request. One bad tag fails all of them.
pub(super) fn read(input: &Input<'_>) -> Result<Vec<Tag>, ServiceError> {
    let mut tags: Vec<Tag> = Vec::new();
    for tag in input.structures("Tags")? {
        let (key, value) = (
            tag.required("Key", &IAM_TAG_KEY)?,
            tag.required("Value", &IAM_TAG_VALUE)?,
        );
        if key.to_lowercase().starts_with("aws:") {
            let message = "System tags (keys beginning with 'aws:') cannot be added or changed.";
            return Err(ServiceError::new(IAM, "InvalidInput", message));
        }
        if tags.iter().any(|tag| same_key(&tag.key, key)) {
            let message =
                "Duplicate tag keys found. Please note that Tag keys are case insensitive.";
            return Err(ServiceError::new(IAM, "InvalidInput", message));
        }
        tags.push(Tag {
            key: key.to_owned(),
            value: value.to_owned(),
        });
    }
    Ok(tags)
}

/// Keys differ in more than case; a key written anew in another case replaces the old one.
fn same_key(one: &str, other: &str) -> bool {
    one.to_lowercase() == other.to_lowercase()
}

pub(super) fn merge(old: &[Tag], new: Vec<Tag>) -> Result<Vec<Tag>, ServiceError> {
    let kept = old
        .iter()
        .filter(|tag| !new.iter().any(|other| same_key(&other.key, &tag.key)));
    let mut tags: Vec<Tag> = kept.cloned().collect();
    tags.extend(new);
    if tags.len() > TAGS_PER_USER {
        let message = "The number of tags has reached the maximum limit.";
        return Err(ServiceError::new(IAM, "LimitExceeded", message));
    }
    tags.sort_by_key(|tag| tag.key.to_lowercase());
    Ok(tags)
}

/// IAM API reference: both operations list it, for changes of one user that meet.
fn unlucky(context: &mut Context<'_>) -> Result<(), ServiceError> {
    if context.random.chance(context.settings.chances.tag_conflict) {
        let message = "The request was rejected because multiple requests to change this object were submitted simultaneously.";
        return Err(ServiceError::new(IAM, "ConcurrentModification", message));
    }
    Ok(())
}

pub(super) fn tag_user(context: &mut Context<'_>, input: &Input<'_>) -> Answer {
    let (name, new, now) = (
        input.required("UserName", &IAM_USER_NAME)?,
        read(input)?,
        context.now,
    );
    if new.is_empty() {
        return Err(input.missing("Tags"));
    }
    unlucky(context)?;
    let user = own(context)?
        .user_mut(name)
        .ok_or_else(|| no_such("user", name))?;
    let tags = merge(user.tags.latest().map_or(&[], Vec::as_slice), new)?;
    user.tags.set(now, tags);
    Ok(Value::Null)
}

pub(super) fn untag_user(context: &mut Context<'_>, input: &Input<'_>) -> Answer {
    let (name, now) = (input.required("UserName", &IAM_USER_NAME)?, context.now);
    let keys = input.texts("TagKeys", &IAM_TAG_KEY, 1, TAGS_PER_USER)?;
    unlucky(context)?;
    let user = own(context)?
        .user_mut(name)
        .ok_or_else(|| no_such("user", name))?;
    let mut tags = user.tags.latest().cloned().unwrap_or_default();
    tags.retain(|tag| !keys.iter().any(|key| same_key(key, &tag.key)));
    user.tags.set(now, tags);
    Ok(Value::Null)
}

pub(super) fn list_user_tags(context: &mut Context<'_>, input: &Input<'_>) -> Answer {
    let seen = context.seen;
    let name = input.required("UserName", &IAM_USER_NAME)?;
    let tags = user(own(context)?, name)?
        .tags
        .at(seen)
        .cloned()
        .unwrap_or_default();
    let rows = tags
        .iter()
        .map(|tag| tag.key.to_lowercase())
        .zip(json(&tags))
        .collect();
    page(context, input, "Tags", rows, Value::Null)
}
