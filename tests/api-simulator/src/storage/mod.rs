//! What etcd and the server's watch cache are: objects, a counter of revisions, and the latest changes.

mod table;
mod watches;

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::schema::Kind;
pub(crate) use table::{Change, Entry, Table};
pub(crate) use watches::{Event, EventKind, Filter, Reader, Watches};

/// How long changes are kept for watches to start from. The server's cache is sized to hold 75 s of them, and etcd is compacted every
/// five minutes.
const KEPT_FOR: SignedDuration = SignedDuration::from_mins(5);

/// What restoring an old backup with `--bump-revision` skips, as etcd's documentation advises.
const BUMP: u64 = 1_000_000_000;

/// All that is stored, by the plural of its kind.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    pub(crate) revision: u64,
    tables: BTreeMap<String, Table>,
    kept_for: SignedDuration,
}

/// An object is known by its namespace, if its kind has any, and its name: the order of these texts is that of a list.
pub(crate) fn key(namespace: Option<&str>, name: &str) -> String {
    namespace.map_or_else(
        || name.to_owned(),
        |namespace| format!("{namespace}/{name}"),
    )
}

impl Store {
    pub(crate) fn new() -> Self {
        Self {
            revision: 1,
            tables: BTreeMap::new(),
            kept_for: KEPT_FOR,
        }
    }

    /// Changes are kept for at least this long.
    pub(crate) fn keep_for(&mut self, time: SignedDuration) {
        self.kept_for = self.kept_for.max(time.saturating_add(KEPT_FOR));
    }

    pub(crate) fn table(&self, resource: &str) -> Option<&Table> {
        self.tables.get(resource)
    }

    pub(crate) fn table_mut(&mut self, resource: &str) -> &mut Table {
        let revision = self.revision;
        self.tables
            .entry(resource.to_owned())
            .or_insert_with(|| Table::new(revision))
    }

    pub(crate) fn entry(&self, resource: &str, key: &str) -> Option<&Entry> {
        self.table(resource)?.objects.get(key)
    }

    /// Reads all objects of a kind again, whose definition may be another now.
    pub(crate) fn reread(&mut self, kind: &Kind) {
        for entry in self.table_mut(&kind.plural).objects.values_mut() {
            *entry = Entry::of(kind, Arc::clone(&entry.stored));
        }
    }

    /// Writes an object, or takes it away, under a new revision.
    pub(crate) fn put(
        &mut self,
        resource: &str,
        key: &str,
        entry: Option<Entry>,
        now: Timestamp,
    ) -> Arc<Change> {
        self.table_mut(resource);
        self.revision += 1;
        let revision = self.revision;
        let entry = entry.map(|entry| entry.at(revision));
        let oldest = now.saturating_sub(self.kept_for).unwrap_or(Timestamp::MIN);
        let table = self.table_mut(resource);
        let before = match &entry {
            Some(entry) => table.objects.insert(key.to_owned(), entry.clone()),
            None => table.objects.remove(key),
        };
        let change = Arc::new(Change {
            revision,
            time: now,
            key: key.to_owned(),
            before: before.map(|entry| entry.shown),
            after: entry.map(|entry| entry.shown),
        });
        table.remember(Arc::clone(&change), oldest);
        change
    }

    /// Forgets all changes: who asks for what was after an older revision than now is told that it is too old.
    pub(crate) fn forget(&mut self) {
        let revision = self.revision;
        for table in self.tables.values_mut() {
            table.forget(revision);
        }
    }

    /// What there is becomes what there was. The clock of revisions goes on from the backup, or far ahead of it.
    pub(crate) fn restore(&mut self, backup: &Self, bump: bool) {
        self.revision = backup.revision + if bump { BUMP } else { 0 };
        let definitions = self.tables.remove(crate::schema::DEFINITIONS);
        self.tables.clone_from(&backup.tables);
        // Definitions are served as they are, whatever the backup has.
        if let Some(definitions) = definitions {
            self.tables
                .insert(crate::schema::DEFINITIONS.to_owned(), definitions);
        }
        self.forget();
    }

    /// Has no objects of that kind, and no memory of any.
    pub(crate) fn empty(&mut self, resource: &str) {
        self.tables.remove(resource);
    }

    pub(crate) fn each(&self, resource: &str) -> impl Iterator<Item = &Arc<Value>> {
        let table = self.tables.get(resource);
        table
            .into_iter()
            .flat_map(|table| table.objects.values().map(|entry| &entry.shown))
    }
}
