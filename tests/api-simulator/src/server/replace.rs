//! PUT, and what it shares with PATCH.

use serde_json::Value;

use super::answer::{Answer, Cause};
use super::{Done, State, Target, metadata};
use crate::storage::Entry;

impl State {
    pub(super) fn replace(&mut self, target: &Target<'_>) -> Result<Done, Answer> {
        let body = Self::body(target)?;
        let current = self.existing(target);
        let old = current.as_ref().map(|entry| &*entry.shown);
        let mut new = Self::read_object(target, body, old)?;
        same_name(target, &new)?;
        match current {
            Some(current) => {
                same_object(target, &new, &current.shown)?;
                self.update(target, &current, new)
            }
            None if target.kind.is_made_by_put() => {
                same_object(target, &new, &Value::Null)?;
                // The version of the one that is gone is no condition.
                if let Some(metadata) = metadata::of_mut(&mut new) {
                    metadata.remove("resourceVersion");
                }
                self.make(target, new)
            }
            None => Err(Answer::not_found(target.about())),
        }
    }

    /// Writes a whole object over the one that is there.
    pub(super) fn update(
        &mut self,
        target: &Target<'_>,
        current: &Entry,
        mut new: Value,
    ) -> Result<Done, Answer> {
        let old = &*current.shown;
        same_version(target, &new, old)?;
        let status = target.request.subresource.is_some();
        if status {
            new = with_status_of(&new, old);
        } else if target.kind.has_status_subresource() {
            copy_status(&mut new, old);
        }
        metadata::carry_over(target.about_kind(), &mut new, old)?;
        if !status && target.kind.has_generation() && target.kind.is_another(&new, old) {
            metadata::of_mut(&mut new).map(metadata::bump_generation);
        }
        let causes = target.kind.validate(&new, Some(old), status);
        if !causes.is_empty() {
            return Err(Answer::invalid(target.about_kind(), &causes));
        }
        if metadata::is_deleting(old) && metadata::finalizers(&new).is_empty() {
            // What is shown is what was asked for; it is never stored.
            return Ok(self.remove(target, Answer::json(200, new)));
        }
        if let (Some(new), Some(old)) = (metadata::of_mut(&mut new), metadata::of(old))
            && let Some(version) = old.get("resourceVersion")
        {
            new.insert("resourceVersion".to_owned(), version.clone());
        }
        if new == *current.stored {
            return Ok(Answer::json(200, current.shown.clone()).into());
        }
        Ok(self.persist(target, 200, new))
    }
}

pub(super) fn same_name(target: &Target<'_>, new: &Value) -> Result<(), Answer> {
    let given = metadata::text(new, "name").unwrap_or_default();
    if given == target.name {
        return Ok(());
    }
    if given.is_empty() {
        return Err(Answer::bad_request(&format!(
            "the name of the object ({} based on URL) was undeterminable: name must be provided",
            target.name
        )));
    }
    Err(Answer::bad_request(&format!(
        "the name of the object ({given}) does not match the name on the URL ({})",
        target.name
    )))
}

/// The uid in the body of a PUT is a condition, which etcd's client checks.
fn same_object(target: &Target<'_>, new: &Value, old: &Value) -> Result<(), Answer> {
    let is = metadata::text(old, "uid").unwrap_or_default();
    match metadata::text(new, "uid") {
        Some(given) if given != is => Err(Answer::conflict(
            target.about(),
            &format!(
                "StorageError: invalid object, Code: 4, Key: {}, ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: UID in precondition: {given}, UID in object meta: {is}",
                target.place_in_etcd(),
            ),
        )),
        _ => Ok(()),
    }
}

fn same_version(target: &Target<'_>, new: &Value, old: &Value) -> Result<(), Answer> {
    match metadata::text(new, "resourceVersion") {
        Some(given) if Some(given) == metadata::text(old, "resourceVersion") => Ok(()),
        Some(given) if given.parse::<u64>().is_err() => {
            Err(Answer::internal(&Answer::no_version(given)))
        }
        Some(_) => Err(Answer::modified(target.about())),
        None if target.kind.may_be_overwritten() => Ok(()),
        // The real server names the resource here where it means the kind.
        None => Err(Answer::invalid(
            target.about(),
            &[Cause {
                reason: "FieldValueInvalid",
                message: "Invalid value: 0: must be specified for an update".to_owned(),
                field: "metadata.resourceVersion".to_owned(),
            }],
        )),
    }
}

/// The old object with the new status: all else that is sent to the status subresource is ignored.
fn with_status_of(new: &Value, old: &Value) -> Value {
    let mut object = old.clone();
    copy_status(&mut object, new);
    object
}

fn copy_status(to: &mut Value, from: &Value) {
    let Some(to) = to.as_object_mut() else {
        return;
    };
    match from.get("status") {
        Some(status) => to.insert("status".to_owned(), status.clone()),
        None => to.remove("status"),
    };
}
