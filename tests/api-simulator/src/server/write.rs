//! What all writes have in common.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;

use super::answer::{About, Answer, Cause};
use super::{Done, State, Target, metadata};
use crate::schema::Nature;
use crate::storage::{Entry, key};

/// As many Events are kept; the server keeps them for an hour.
const EVENTS_KEPT: usize = 1000;

impl State {
    /// Reads what a client sent as an object of the kind: the right kind, without unknown fields, with defaults.
    pub(super) fn read_object(
        target: &Target<'_>,
        mut object: Value,
        old: Option<&Value>,
    ) -> Result<Value, Answer> {
        same_kind(target, &mut object)?;
        whole_micros(target, &mut object)?;
        metadata::clean(&mut object);
        target.kind.coerce(&mut object, old);
        let place = target.request.namespace.as_deref();
        if let Some(metadata) = metadata::of_mut(&mut object) {
            match metadata.get("namespace").and_then(Value::as_str) {
                Some(given) if Some(given) != place => {
                    return Err(Answer::bad_request(
                        "the namespace of the provided object does not match the namespace sent on the request",
                    ));
                }
                _ => {}
            }
            if let Some(place) = place {
                metadata.insert("namespace".to_owned(), place.into());
            }
        }
        Ok(object)
    }

    /// The body, which must be an object of the kind.
    pub(super) fn body(target: &Target<'_>) -> Result<Value, Answer> {
        let body = target.request.body.value();
        let body = body.ok_or_else(|| unrecognized(target, "couldn't get version/kind"))?;
        Ok(Value::clone(body))
    }

    /// Stores an object and answers it.
    pub(super) fn persist(&mut self, target: &Target<'_>, code: u16, object: Value) -> Done {
        let entry = Entry::of(&target.kind, Arc::new(object));
        let key = target.key();
        let now = target.asker.now;
        let change = self.store.put(&target.kind.plural, &key, Some(entry), now);
        if target.kind.nature == Nature::Event && change.before.is_none() {
            self.count_event(&target.kind.plural, key);
        }
        let after = change.after.clone().unwrap_or_default();
        Done {
            answer: Answer::json(code, after),
            commit: Some(self.commit(target, &change)),
        }
    }

    fn count_event(&mut self, resource: &str, key: String) {
        self.events += 1;
        self.kept_events.push_back(key);
        if self.kept_events.len() > EVENTS_KEPT
            && let Some(oldest) = self.kept_events.pop_front()
        {
            self.store.table_mut(resource).objects.remove(&oldest);
        }
    }

    /// Takes an object away.
    pub(super) fn remove(&mut self, target: &Target<'_>, answer: Answer) -> Done {
        let now = target.asker.now;
        let change = self
            .store
            .put(&target.kind.plural, &target.key(), None, now);
        Done {
            answer,
            commit: Some(self.commit(target, &change)),
        }
    }

    /// The object that the request names.
    pub(super) fn existing(&self, target: &Target<'_>) -> Option<Entry> {
        let key = key(target.request.namespace.as_deref(), &target.name);
        self.store.entry(&target.kind.plural, &key).cloned()
    }
}

/// Whether an object says that it is of the right kind. A built-in kind is known by its path; an object of a defined one must say
/// what it is.
fn same_kind(target: &Target<'_>, object: &mut Value) -> Result<(), Answer> {
    let name = metadata::text(object, "name")
        .unwrap_or_default()
        .to_owned();
    let Some(fields) = object.as_object_mut() else {
        return Err(unrecognized(target, "couldn't get version/kind"));
    };
    let (version, kind) = (target.kind.api_version(), &target.kind.singular);
    if target.kind.is_built_in() {
        fields
            .entry("apiVersion")
            .or_insert_with(|| version.clone().into());
        fields.entry("kind").or_insert_with(|| kind.clone().into());
    }
    let text = |field: &str| {
        fields
            .get(field)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    let (given_version, given_kind) = (text("apiVersion"), text("kind"));
    if given_kind.is_empty() {
        return Err(unrecognized(target, "Object 'Kind' is missing"));
    }
    if given_version != version {
        return Err(Answer::bad_request(&format!(
            "the API version in the data ({given_version}) does not match the expected API version ({version})"
        )));
    }
    if given_kind != kind {
        let about = About {
            group: &target.kind.group,
            resource: given_kind,
            name: &name,
        };
        let cause = Cause {
            reason: "FieldValueInvalid",
            message: format!("Invalid value: \"{given_kind}\": must be {kind}"),
            field: "kind".to_owned(),
        };
        return Err(Answer::invalid(about, &[cause]));
    }
    Ok(())
}

fn unrecognized(target: &Target<'_>, why: &str) -> Answer {
    let kind = &target.kind.singular;
    Answer::bad_request(&format!(
        "the object provided is unrecognized (must be of type {kind}): {why}"
    ))
}

/// The times of a Lease have six digits after the second, neither more nor less, and are stored in UTC.
fn whole_micros(target: &Target<'_>, object: &mut Value) -> Result<(), Answer> {
    if target.kind.nature != Nature::Lease {
        return Ok(());
    }
    for field in ["acquireTime", "renewTime"] {
        let time = object.get_mut("spec").and_then(|spec| spec.get_mut(field));
        let Some(Value::String(time)) = time else {
            continue;
        };
        let digits = time.get(20..26).unwrap_or_default();
        let zone = time.get(26..).unwrap_or_default();
        let shaped =
            digits.chars().all(|digit| digit.is_ascii_digit()) && zone.starts_with(['Z', '+', '-']);
        match time.parse::<Timestamp>() {
            Ok(parsed) if shaped => *time = format!("{parsed:.6}"),
            _ => {
                return Err(Answer::bad_request(&format!(
                    "Lease in version \"v1\" cannot be handled as a Lease: parsing time \"{time}\""
                )));
            }
        }
    }
    Ok(())
}
