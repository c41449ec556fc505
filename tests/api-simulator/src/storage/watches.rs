//! The open watches.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};

use super::table::{Change, at_revision};

/// As many events wait for a client that does not read; then its watch ends, as the server ends those of slow clients.
const WAITING: usize = 10_000;

/// What a watch is about.
#[derive(Clone, Debug, Default)]
pub(crate) struct Filter {
    pub(crate) namespace: Option<String>,
    pub(crate) name: Option<String>,
}

impl Filter {
    pub(crate) fn matches(&self, key: &str) -> bool {
        let (namespace, name) = key
            .split_once('/')
            .map_or((None, key), |(namespace, name)| (Some(namespace), name));
        self.namespace
            .as_deref()
            .is_none_or(|wanted| namespace == Some(wanted))
            && self.name.as_deref().is_none_or(|wanted| name == wanted)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EventKind {
    Added,
    Modified,
    Deleted,
}

/// An event, and when it happened.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) kind: EventKind,
    pub(crate) time: Timestamp,
    pub(crate) object: Arc<Value>,
}

impl Event {
    pub(crate) fn of(change: &Change) -> Option<Self> {
        let (kind, object) = match (&change.before, &change.after) {
            (None, None) => return None,
            (None, Some(after)) => (EventKind::Added, Arc::clone(after)),
            (Some(_), Some(after)) => (EventKind::Modified, Arc::clone(after)),
            // The last state, with the revision of its removal.
            (Some(before), None) => (
                EventKind::Deleted,
                at_revision(Arc::clone(before), change.revision),
            ),
        };
        Some(Self {
            kind,
            time: change.time,
            object,
        })
    }

    pub(crate) fn to_json(&self) -> Value {
        let kind = match self.kind {
            EventKind::Added => "ADDED",
            EventKind::Modified => "MODIFIED",
            EventKind::Deleted => "DELETED",
        };
        json!({"type": kind, "object": *self.object})
    }
}

#[derive(Debug)]
struct Watcher {
    resource: String,
    filter: Filter,
    /// What it knows already. After a restored backup that may be more than there is.
    since: u64,
    events: mpsc::Sender<Event>,
}

/// The open watches; each has a queue of its own.
#[derive(Debug, Default)]
pub(crate) struct Watches {
    open: Vec<Watcher>,
    /// Changes when all watches end, with what is still on its way to them.
    ended: watch::Sender<()>,
}

/// The client's end of a watch.
#[derive(Debug)]
pub(crate) struct Reader {
    pub(crate) events: mpsc::Receiver<Event>,
    pub(crate) ended: watch::Receiver<()>,
}

impl Watches {
    pub(crate) fn open(&mut self, resource: &str, filter: Filter, since: u64) -> Reader {
        self.open.retain(|watcher| !watcher.events.is_closed());
        let (events, received) = mpsc::channel(WAITING);
        self.open.push(Watcher {
            resource: resource.to_owned(),
            filter,
            since,
            events,
        });
        Reader {
            events: received,
            ended: self.ended.subscribe(),
        }
    }

    pub(crate) fn tell(&mut self, resource: &str, change: &Change) {
        let Some(event) = Event::of(change) else {
            return;
        };
        self.open.retain(|watcher| {
            watcher.resource != resource
                || change.revision <= watcher.since
                || !watcher.filter.matches(&change.key)
                || watcher.events.try_send(event.clone()).is_ok()
        });
    }

    pub(crate) fn end(&mut self) {
        self.open.clear();
        self.ended.send_replace(());
    }
}
