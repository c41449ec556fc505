//! The start of a WATCH.

use std::collections::VecDeque;
use std::sync::Arc;

use jiff::SignedDuration;
use serde_json::{Value, json};

use super::answer::{Answer, failure};
use super::request::Request;
use super::{Asker, State};
use crate::schema::Kind;
use crate::storage::{Event, EventKind, Filter, Reader};

/// The least that a watch without `timeoutSeconds` lasts; the server draws a time between this and twice this.
const LEAST: u64 = 1800;

/// A watch that was opened.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) kind: Arc<Kind>,
    /// What it begins with.
    pub(crate) first: VecDeque<Event>,
    /// What is told at once, and ends it.
    pub(crate) refused: Option<Value>,
    /// What comes after.
    pub(crate) reader: Reader,
    pub(crate) lasts: SignedDuration,
    pub(crate) bookmarks: bool,
    /// The revision that the first events lead to, told by a bookmark of its own.
    pub(crate) initial_end: Option<u64>,
}

impl State {
    /// Opens a watch.
    pub(crate) fn open(&mut self, asker: &Asker, request: &Request) -> Result<Opened, Answer> {
        let target = self.target(asker, request)?;
        let query = &request.query;
        let filter = Filter {
            namespace: request.namespace.clone(),
            name: query.only_name.clone(),
        };
        let since = match query.resource_version.as_deref() {
            None | Some("0") => None,
            Some(version) => match version.parse::<u64>() {
                Ok(version) => Some(version),
                Err(_) => {
                    return Err(Answer::internal(&format!(
                        "resourceVersion: Invalid value: \"{version}\": {}",
                        Answer::no_version(version)
                    )));
                }
            },
        };
        let table = self.store.table(&target.kind.plural);
        let mut first = VecDeque::new();
        let mut refused = None;
        let mut initial_end = None;
        if let Some(table) = table {
            let begin = match since {
                Some(since) if !query.initial_events => {
                    if since < table.floor {
                        // The real server answers 200 and tells it in the stream.
                        let message =
                            format!("too old resource version: {since} ({})", table.floor);
                        let status = failure(410, "Expired", &message, None);
                        refused = Some(json!({"type": "ERROR", "object": status}));
                    }
                    since
                }
                // The state comes first, which may be an old one.
                _ => {
                    let consistent = query.resource_version.is_none() && query.initial_events;
                    let begin = if consistent {
                        self.store.revision
                    } else {
                        self.stale_revision(&target, table)
                    };
                    let objects = table.objects_at(begin).into_iter();
                    let objects = objects.filter(|(key, _)| filter.matches(key));
                    first.extend(objects.map(|(_, object)| Event {
                        kind: EventKind::Added,
                        time: jiff::Timestamp::MIN,
                        object: Arc::clone(object),
                    }));
                    initial_end = query.initial_events.then_some(begin);
                    begin
                }
            };
            if refused.is_none() {
                let changes = table.changes_after(begin);
                let changes = changes.filter(|change| filter.matches(&change.key));
                first.extend(changes.filter_map(|change| Event::of(change)));
            }
        }
        let seconds = query.timeout_seconds.filter(|seconds| *seconds > 0);
        let seconds = seconds.unwrap_or_else(|| self.random.up_to_double(LEAST));
        let reader = self
            .watches
            .open(&target.kind.plural, filter, since.unwrap_or_default());
        Ok(Opened {
            kind: target.kind,
            first,
            refused,
            reader,
            lasts: SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX)),
            bookmarks: query.bookmarks,
            initial_end,
        })
    }

    /// The revision up to which a reader of a watch has seen everything, if what happened longer ago than `lag` has reached it.
    pub(crate) fn seen(&self, resource: &str, before: jiff::Timestamp) -> u64 {
        let table = self.store.table(resource);
        table.map_or(self.store.revision, |table| {
            table.revision_at(before, self.store.revision)
        })
    }
}

/// A bookmark: everything up to this revision has been told.
pub(crate) fn bookmark(kind: &Kind, revision: u64, initial_end: bool) -> Value {
    let mut metadata = json!({"resourceVersion": revision.to_string()});
    if let (true, Some(metadata)) = (initial_end, metadata.as_object_mut()) {
        metadata.insert(
            "annotations".to_owned(),
            json!({"k8s.io/initial-events-end": "true"}),
        );
    }
    let mut object =
        json!({"kind": kind.singular, "apiVersion": kind.api_version(), "metadata": metadata});
    if let (true, Some(object)) = (kind.is_built_in(), object.as_object_mut()) {
        object.insert("spec".to_owned(), json!({}));
    }
    json!({"type": "BOOKMARK", "object": object})
}
