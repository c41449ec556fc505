//! The rules of `metadata`, which are the same for every kind.

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::answer::{About, Answer, Cause};

/// What a client's metadata is read as; anything else in it is dropped.
const KNOWN: [&str; 12] = [
    "annotations",
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "finalizers",
    "generateName",
    "generation",
    "labels",
    "name",
    "namespace",
    "ownerReferences",
    "resourceVersion",
];

/// What only the server sets.
const SERVERS: [&str; 4] = [
    "uid",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
];

pub(crate) fn of(object: &Value) -> Option<&Map<String, Value>> {
    object.get("metadata").and_then(Value::as_object)
}

pub(crate) fn of_mut(object: &mut Value) -> Option<&mut Map<String, Value>> {
    object.get_mut("metadata").and_then(Value::as_object_mut)
}

pub(crate) fn text<'a>(object: &'a Value, field: &str) -> Option<&'a str> {
    of(object)?.get(field)?.as_str()
}

pub(crate) fn finalizers(object: &Value) -> Vec<&str> {
    let list = of(object).and_then(|metadata| metadata.get("finalizers"));
    let list = list.and_then(Value::as_array).into_iter().flatten();
    list.filter_map(Value::as_str).collect()
}

pub(crate) fn is_deleting(object: &Value) -> bool {
    of(object).is_some_and(|metadata| metadata.contains_key("deletionTimestamp"))
}

/// A time as the server writes it: whole seconds.
pub(crate) fn time(now: Timestamp) -> Value {
    let whole = Timestamp::from_second(now.as_second()).unwrap_or(now);
    whole.to_string().into()
}

/// Reads metadata as the server does: unknown and empty fields are dropped. Who set which field (`managedFields`) is not kept.
pub(crate) fn clean(object: &mut Value) {
    let Some(object) = object.as_object_mut() else {
        return;
    };
    let metadata = object
        .entry("metadata")
        .or_insert_with(|| Map::new().into());
    let Some(metadata) = metadata.as_object_mut() else {
        return;
    };
    metadata.retain(|name, value| {
        let known = KNOWN.contains(&name.as_str()) || name == "uid";
        let empty = match value {
            Value::Null => true,
            Value::String(text) => text.is_empty(),
            Value::Array(list) => list.is_empty(),
            Value::Object(map) => map.is_empty(),
            _ => false,
        };
        known && !empty
    });
}

/// The next generation.
pub(crate) fn bump_generation(metadata: &mut Map<String, Value>) {
    let generation = metadata.get("generation").and_then(Value::as_u64);
    if let Some(generation) = generation {
        metadata.insert("generation".to_owned(), (generation + 1).into());
    }
}

/// Marks an object that finalizers hold as deleted. Doing so again changes nothing.
pub(crate) fn mark_deleting(object: &mut Value, now: Timestamp) {
    let Some(metadata) = of_mut(object) else {
        return;
    };
    if !metadata.contains_key("deletionGracePeriodSeconds") {
        bump_generation(metadata);
    }
    metadata
        .entry("deletionTimestamp")
        .or_insert_with(|| time(now));
    metadata.insert("deletionGracePeriodSeconds".to_owned(), 0.into());
}

/// Puts into an update what its sender may leave out, and refuses changes of what only the server sets.
pub(crate) fn carry_over(about: About<'_>, new: &mut Value, old: &Value) -> Result<(), Answer> {
    let mut causes = Vec::new();
    if let (Some(new), Some(old)) = (of_mut(new), of(old)) {
        new.remove("generation");
        for field in ["namespace", "generation", "generateName"] {
            if let Some(value) = old.get(field) {
                new.entry(field).or_insert_with(|| value.clone());
            }
        }
        for field in SERVERS {
            match (new.get(field), old.get(field)) {
                (None, Some(value)) => {
                    new.insert(field.to_owned(), value.clone());
                }
                // It is what the server says, whatever a client does.
                (Some(_), Some(was)) if field == "creationTimestamp" => {
                    new.insert(field.to_owned(), was.clone());
                }
                (Some(given), was) if Some(given) != was => causes.push(Cause {
                    reason: "FieldValueInvalid",
                    message: format!("Invalid value: {given}: field is immutable"),
                    field: format!("metadata.{field}"),
                }),
                _ => {}
            }
        }
    }
    if is_deleting(old) {
        let before = finalizers(old);
        let added: Vec<String> = finalizers(new)
            .into_iter()
            .filter(|finalizer| !before.contains(finalizer))
            .map(|finalizer| format!("\"{finalizer}\""))
            .collect();
        if !added.is_empty() {
            causes.push(Cause {
                reason: "FieldValueForbidden",
                message: format!(
                    "Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers []string{{{}}}",
                    added.join(", ")
                ),
                field: "metadata.finalizers".to_owned(),
            });
        }
    }
    if causes.is_empty() {
        Ok(())
    } else {
        Err(Answer::invalid(about, &causes))
    }
}
