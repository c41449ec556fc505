//! What administrators of a cluster do, and what they do to its clients.

use crate::ApiSimulator;
use crate::storage::Store;

/// A backup of etcd.
#[derive(Clone, Debug)]
pub struct Snapshot(Store);

impl Snapshot {
    /// The same without any object of a kind, by its plural: a backup tool was told to leave them out.
    #[must_use]
    pub fn without(mut self, resource: &str) -> Self {
        self.0.empty(resource);
        self
    }
}

impl ApiSimulator {
    /// Makes a backup.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot(self.state().store.clone())
    }

    /// Everything is as it was when the backup was made, definitions aside, and all watches end. It is nobody's commit.
    ///
    /// Without `bump` resourceVersions run backwards, as after a plain `etcdutl snapshot restore`: numbers that clients have seen come
    /// again with other contents, and a watch that goes on from one is silent until they are passed. With `bump` they jump far
    /// ahead, and older ones are expired (`--bump-revision --mark-compacted`).
    pub fn restore(&self, snapshot: &Snapshot, bump: bool) {
        let mut state = self.state();
        state.store.restore(&snapshot.0, bump);
        // Definitions may have changed since.
        let state = &mut *state;
        for kind in state.kinds.all() {
            state.store.reread(kind);
        }
        state.watches.end();
    }

    /// Forgets what was before now: a watch, a page or a list from an older resourceVersion is told that it is too old. Open watches
    /// go on.
    pub fn compact(&self) {
        self.state().store.forget();
    }

    /// The API server is started again: all watches end, and what was before now is too old for a watch, since its cache begins anew.
    pub fn end_watches(&self) {
        let mut state = self.state();
        state.store.forget();
        state.watches.end();
    }
}
