//! What all writes have in common.

use std::sync::Arc;

use serde_json::Value;

use super::answer::Answer;
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
        let Some(fields) = object.as_object_mut() else {
            return Err(Answer::bad_request(
                "couldn't get version/kind; json parse error: json: cannot unmarshal into Go value of type struct { APIVersion string \"json:\\\"apiVersion,omitempty\\\"\"; Kind string \"json:\\\"kind,omitempty\\\"\" }",
            ));
        };
        let api_version = target.kind.api_version();
        for (field, wanted) in [
            ("apiVersion", &api_version),
            ("kind", &target.kind.singular),
        ] {
            match fields.get(field).and_then(Value::as_str) {
                Some(given) if given == wanted => {}
                // A built-in kind is known by its path; an object of a defined one must say what it is.
                None if target.kind.is_built_in() => {
                    fields.insert(field.to_owned(), wanted.clone().into());
                }
                given => {
                    let given = given.unwrap_or_default();
                    return Err(Answer::bad_request(&format!(
                        "the {field} in the data ({given}) does not match the expected {field} ({wanted})"
                    )));
                }
            }
        }
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
