//! GET and LIST.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::answer::{Answer, failure};
use super::{State, Target};
use crate::storage::{Filter, Table};

/// Where the next page of a list begins: after a key, at a revision or at the latest. The real server's token is opaque as well.
struct Continue {
    revision: Option<u64>,
    after: String,
}

/// In a token to go on with that shows another moment than the pages before.
const LATEST: &str = "latest";

impl Continue {
    fn read(token: &str) -> Option<Self> {
        let (revision, after) = token.split_once(':')?;
        Some(Self {
            revision: match revision {
                LATEST => None,
                number => Some(number.parse().ok()?),
            },
            after: after.to_owned(),
        })
    }
}

impl State {
    pub(super) fn get(&self, target: &Target<'_>) -> Answer {
        let key = target.key();
        let asked = target.request.query.resource_version.as_deref();
        let least = asked.and_then(|version| version.parse::<u64>().ok());
        if let Some(version) = least.filter(|version| *version > self.store.revision) {
            return self.too_large(version);
        }
        let found = if asked == Some("0") {
            let table = self.store.table(&target.kind.plural);
            table.and_then(|table| {
                let objects = table.objects_at(self.stale_revision(target, table));
                objects.get(key.as_str()).map(|object| Arc::clone(object))
            })
        } else {
            let entry = self.store.entry(&target.kind.plural, &key);
            entry.map(|entry| Arc::clone(&entry.shown))
        };
        found.map_or_else(
            || Answer::not_found(target.about()),
            |object| Answer::json(200, object),
        )
    }

    /// The revision that a reader sees who takes what the server's cache has.
    pub(super) fn stale_revision(&self, target: &Target<'_>, table: &Table) -> u64 {
        let then = target.asker.now.saturating_sub(target.asker.lag);
        let then = then.unwrap_or(jiff::Timestamp::MIN);
        table.revision_at(then, self.store.revision)
    }

    pub(super) fn list(&self, target: &Target<'_>) -> Answer {
        let query = &target.request.query;
        let Some(table) = self.store.table(&target.kind.plural) else {
            return page(target, &[], self.store.revision, None);
        };
        let (revision, after) = match (&query.continue_token, query.resource_version.as_deref()) {
            (Some(_), Some(_)) => {
                return Answer::bad_request(
                    "specifying resource version is not allowed when using continue",
                );
            }
            (Some(token), None) => match Continue::read(token) {
                Some(token) => (
                    token.revision.unwrap_or(self.store.revision),
                    Some(token.after),
                ),
                None => {
                    return Answer::bad_request(
                        "invalid continue token: continue key is not valid",
                    );
                }
            },
            (None, None) => (self.store.revision, None),
            (None, Some("0")) => (self.stale_revision(target, table), None),
            (None, Some(version)) => match version.parse::<u64>() {
                Ok(version) if version > self.store.revision => return self.too_large(version),
                Ok(version) if query.exact => (version, None),
                // What is at least as new is best served with the latest.
                Ok(_) => (self.store.revision, None),
                Err(_) => {
                    return Answer::bad_request(&format!(
                        "invalid resource version: resourceVersion: Invalid value: \"{version}\": {}",
                        Answer::no_version(version)
                    ));
                }
            },
        };
        if revision < table.floor {
            return too_old(after.as_deref());
        }
        let filter = Filter {
            namespace: target.request.namespace.clone(),
            name: query.only_name.clone(),
        };
        let objects: Vec<(&str, &Arc<Value>)> = table
            .objects_at(revision)
            .into_iter()
            .filter(|(key, _)| filter.matches(key))
            .filter(|(key, _)| after.as_deref().is_none_or(|after| *key > after))
            .collect();
        page(target, &objects, revision, query.limit)
    }

    fn too_large(&self, version: u64) -> Answer {
        let message = format!(
            "Timeout: Too large resource version: {version}, current: {}",
            self.store.revision
        );
        let details = json!({"causes": [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}], "retryAfterSeconds": 1});
        Answer::failure(504, "Timeout", &message, Some(details))
    }
}

fn page(
    target: &Target<'_>,
    objects: &[(&str, &Arc<Value>)],
    revision: u64,
    limit: Option<usize>,
) -> Answer {
    let shown = limit.unwrap_or(objects.len()).min(objects.len());
    let mut items: Vec<Value> = objects
        .iter()
        .take(shown)
        .map(|(_, object)| Value::clone(object))
        .collect();
    if target.kind.is_built_in() {
        for item in items.iter_mut().filter_map(Value::as_object_mut) {
            item.retain(|field, _| field != "kind" && field != "apiVersion");
        }
    }
    let mut metadata = json!({"resourceVersion": revision.to_string()});
    let token = match objects.get(shown.wrapping_sub(1)) {
        Some((last, _)) if shown < objects.len() => Some(format!("{revision}:{last}")),
        _ => None,
    };
    if let Some(metadata) = metadata.as_object_mut() {
        if token.is_some() {
            metadata.insert("remainingItemCount".into(), (objects.len() - shown).into());
        }
        if token.is_some() || !target.kind.is_built_in() {
            metadata.insert("continue".into(), token.unwrap_or_default().into());
        }
    }
    Answer::json(
        200,
        json!({
            "kind": target.kind.list,
            "apiVersion": target.kind.api_version(),
            "metadata": metadata,
            "items": items,
        }),
    )
}

/// The moment that a list should show is forgotten. A list by pages may go on from a token that comes with the refusal.
fn too_old(after: Option<&str>) -> Answer {
    let Some(after) = after else {
        return Answer::expired("The resourceVersion for the provided list is too old.");
    };
    let message = "The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided token results in an inconsistent list - objects that were created, modified, or deleted between the time the first chunk was returned and now may show up in the list.";
    let mut status = failure(410, "Expired", message, None);
    if let Some(metadata) = status.get_mut("metadata") {
        *metadata = json!({"continue": format!("{LATEST}:{after}")});
    }
    Answer::json(410, status)
}

/// The resourceVersion of each object of a list.
pub(super) fn versions(list: &Value) -> BTreeMap<String, String> {
    let items = list.get("items").and_then(Value::as_array);
    items
        .into_iter()
        .flatten()
        .map(|item| {
            let text = |pointer: &str| item.pointer(pointer).and_then(Value::as_str);
            let key = crate::storage::key(
                text("/metadata/namespace"),
                text("/metadata/name").unwrap_or_default(),
            );
            let version = text("/metadata/resourceVersion").unwrap_or_default();
            (key, version.to_owned())
        })
        .collect()
}
