//! The objects of a kind, and how they came to be so.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;

/// As many changes are kept, however old.
const KEPT_AT_LEAST: usize = 100;

#[derive(Clone, Debug)]
pub(crate) struct Table {
    pub(crate) objects: BTreeMap<String, Entry>,
    changes: VecDeque<Arc<Change>>,
    /// Changes after this revision are known.
    pub(crate) floor: u64,
}

/// An object as it is stored, and as it is read: fields that were absent when it was written have their defaults then.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) stored: Arc<Value>,
    pub(crate) shown: Arc<Value>,
}

/// A change of one object.
#[derive(Debug)]
pub(crate) struct Change {
    pub(crate) revision: u64,
    pub(crate) time: Timestamp,
    pub(crate) key: String,
    pub(crate) before: Option<Arc<Value>>,
    pub(crate) after: Option<Arc<Value>>,
}

impl Entry {
    /// The entry with the resourceVersion that writing it gives it.
    pub(crate) fn at(self, revision: u64) -> Self {
        if Arc::ptr_eq(&self.stored, &self.shown) {
            let stored = at_revision(self.stored, revision);
            return Self {
                shown: Arc::clone(&stored),
                stored,
            };
        }
        Self {
            stored: at_revision(self.stored, revision),
            shown: at_revision(self.shown, revision),
        }
    }
}

/// An object with another resourceVersion.
pub(crate) fn at_revision(mut object: Arc<Value>, revision: u64) -> Arc<Value> {
    if let Some(metadata) = Arc::make_mut(&mut object)
        .get_mut("metadata")
        .and_then(Value::as_object_mut)
    {
        metadata.insert("resourceVersion".to_owned(), revision.to_string().into());
    }
    object
}

impl Table {
    pub(crate) fn new(revision: u64) -> Self {
        Self {
            objects: BTreeMap::new(),
            changes: VecDeque::new(),
            floor: revision,
        }
    }

    pub(crate) fn remember(&mut self, change: Arc<Change>, oldest: Timestamp) {
        self.changes.push_back(change);
        while self.changes.len() > KEPT_AT_LEAST
            && let Some(change) = self.changes.front()
            && change.time < oldest
        {
            self.floor = change.revision;
            self.changes.pop_front();
        }
    }

    pub(crate) fn remembered(&self) -> usize {
        self.changes.len()
    }

    pub(crate) fn forget(&mut self, revision: u64) {
        self.changes.clear();
        self.floor = revision;
    }

    /// The changes after a revision.
    pub(crate) fn changes_after(&self, revision: u64) -> impl Iterator<Item = &Arc<Change>> {
        self.changes
            .iter()
            .filter(move |change| change.revision > revision)
    }

    /// The revision of the last change at or before a time, as far as changes are known.
    pub(crate) fn revision_at(&self, time: Timestamp, now: u64) -> u64 {
        if self.changes.back().is_none_or(|last| last.time <= time) {
            return now;
        }
        self.changes
            .iter()
            .rev()
            .find(|change| change.time <= time)
            .map_or(self.floor, |change| change.revision)
    }

    /// The objects as they were at a revision that is not older than the floor.
    pub(crate) fn objects_at(&self, revision: u64) -> BTreeMap<&str, &Arc<Value>> {
        let mut objects: BTreeMap<&str, &Arc<Value>> = self
            .objects
            .iter()
            .map(|(key, entry)| (key.as_str(), &entry.shown))
            .collect();
        for change in self.changes.iter().rev() {
            if change.revision <= revision {
                break;
            }
            match &change.before {
                Some(before) => objects.insert(&change.key, before),
                None => objects.remove(change.key.as_str()),
            };
        }
        objects
    }
}
