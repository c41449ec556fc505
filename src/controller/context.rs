//! What every part of the controller shares.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use kube::core::DynamicObject;
use kube::runtime::events::Recorder;
use kube::runtime::reflector::ObjectRef;
use kube::runtime::watcher;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::cluster::{
    Cluster, Error as ClusterError, access_resource, grant_resource, parse_access,
};
use super::leader::Leadership;
use super::memory::{Memory, age};
use super::told::Told;
use super::watch::{Index, Mirror, NamedGrant, Relist};
use crate::api::access::{BreakglassAccess, Holder};
use crate::aws::Aws;
use crate::aws::desk::Desk;
use crate::clock::{Clock, Moment};
use crate::config::Settings;
use crate::decide::grant_verdict::Obstacle;
use crate::decide::ledger::is_deleter;
use crate::decide::policy::{PolicySet, Protected};
use crate::telemetry::audit::Audit;
use crate::telemetry::metrics::Metrics;

/// What every part of the controller shares.
#[derive(Debug)]
pub struct Context {
    /// The API server.
    pub cluster: Cluster,
    /// AWS.
    pub aws: Aws,
    /// When AWS is called.
    pub desk: Desk,
    /// The time of day.
    pub clock: Clock,
    /// Times of the protocol.
    pub settings: Settings,
    /// This run of this process.
    pub me: Holder,
    /// Whether to decide and report only.
    pub observe: bool,
    /// Accounts from the configuration that `*` does not cover.
    pub protected_accounts: std::collections::BTreeSet<String>,
    /// Grants as last seen.
    pub grants: Mirror,
    /// Accesses as last seen.
    pub accesses: Mirror,
    /// Has all kinds listed anew.
    pub relist: Relist,
    /// Which access knows a grant.
    pub index: Index,
    /// Policies as last seen; none before the first complete listing.
    pub policies: watch::Receiver<Option<Arc<PolicySet>>>,
    /// Whether it is this replica's turn.
    pub leadership: Leadership,
    /// What is remembered of each tuple.
    pub memory: Memory,
    /// What stood in the way of a claim, for which generation, and how often.
    pub obstacles: ByGrant<(i64, Obstacle, u32)>,
    /// What people asked to be looked at, until the status says that it was.
    pub requests: ByGrant<String>,
    /// What was said in statuses of late.
    pub told: Told,
    /// Wakes the reconcilers.
    pub wakers: Wakers,
    /// Records of AWS writes.
    pub audit: Audit,
    /// Numbers for dashboards.
    pub metrics: Metrics,
    /// Kubernetes Events.
    pub recorder: RecorderDebug,
    /// Sequence of attempt ids.
    pub attempts: AtomicU64,
    /// Told when the process is to end.
    pub shutdown: CancellationToken,
}

/// What is remembered of grants, by uid.
#[derive(Debug)]
pub struct ByGrant<T>(Mutex<HashMap<String, T>>);

impl<T> Default for ByGrant<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T: Clone> ByGrant<T> {
    /// A copy of what is remembered of that grant.
    pub fn get(&self, uid: &str) -> Option<T> {
        self.lock().get(uid).cloned()
    }

    /// Forgets that.
    pub fn forget(&self, uid: &str) {
        self.lock().remove(uid);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// kube's recorder has no `Debug`.
pub struct RecorderDebug(pub Recorder);

impl std::fmt::Debug for RecorderDebug {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Recorder")
    }
}

/// Asks for an object to be looked at.
#[derive(Clone, Debug)]
pub struct Wakers {
    /// Grants to look at.
    pub grants: mpsc::UnboundedSender<ObjectRef<DynamicObject>>,
    /// Accesses to look at.
    pub accesses: mpsc::UnboundedSender<ObjectRef<DynamicObject>>,
}

impl Wakers {
    /// Looks at a grant.
    pub fn grant(&self, grant: &NamedGrant) {
        let object = ObjectRef::new_with(&grant.name, grant_resource()).within(&grant.namespace);
        // Nobody listens any more: the process is about to end.
        let _ = self.grants.send(object);
    }

    /// Looks at an access.
    pub fn access(&self, name: &str) {
        let _ = self
            .accesses
            .send(ObjectRef::new_with(name, access_resource()));
    }
}

impl Context {
    /// Whether all kinds have been listed once: before that nothing is granted or ended early.
    pub fn synced(&self) -> bool {
        self.grants.listed().is_some()
            && self.accesses.listed().is_some()
            && self.policies.borrow().is_some()
    }

    /// The policies as last seen.
    pub fn policies(&self) -> Arc<PolicySet> {
        self.policies.borrow().clone().unwrap_or_default()
    }

    /// The accounts that `*` does not cover, as far as they are known now.
    pub fn protected(&self) -> Protected {
        Protected {
            accounts: self.protected_accounts.clone(),
            management: self.aws.management(),
        }
    }

    /// The access that knows the grant with that uid, as this process last saw or wrote it.
    pub fn access_of(&self, uid: &str) -> Option<BreakglassAccess> {
        self.latest_access(&self.index.access_of(uid)?)
    }

    /// An access as this process last saw, read or wrote it, whichever is newest.
    pub fn latest_access(&self, name: &str) -> Option<BreakglassAccess> {
        let seen = self
            .accesses
            .access(name)
            .and_then(|object| parse_access(&object).ok());
        let known = self.memory.get(name).ledger;
        newer(known.map(|(_, ledger)| (*ledger).clone()), seen)
    }

    /// Remembers a ledger entry as a call that was begun then has shown it, unless a newer one is known.
    pub fn learn_access(&self, begun: Instant, access: &BreakglassAccess) {
        let name = access.metadata.name.as_deref().unwrap_or_default();
        let index = || self.index.put(access);
        self.memory.learn(name, begun, access, index);
    }

    /// Takes in an event of the accesses: which grants they know. What this process has written since
    /// stays known.
    pub fn take_in(&self, event: &watcher::Event<DynamicObject>) {
        match event {
            watcher::Event::Apply(object) | watcher::Event::InitApply(object) => {
                let name = object.metadata.name.as_deref().unwrap_or_default();
                let seen = parse_access(object).ok();
                self.memory.look(name, |tuple| {
                    let known = tuple.and_then(|tuple| tuple.ledger.as_ref());
                    let known = known.map(|(_, known)| (**known).clone());
                    match newer(known, seen) {
                        Some(latest) => self.index.put(&latest),
                        None => self.index.put_unreadable(object),
                    }
                });
            }
            watcher::Event::Delete(object) => {
                let name = object.metadata.name.as_deref().unwrap_or_default();
                let uid = object.metadata.uid.as_deref();
                self.memory.forget(name, uid, || self.index.remove(name));
            }
            watcher::Event::Init => {}
            watcher::Event::InitDone => {
                let begun = self
                    .accesses
                    .listed()
                    .map_or_else(Instant::now, Moment::instant);
                self.memory
                    .listed(begun, |name| self.accesses.access(name).is_some());
            }
        }
    }

    /// Writes a ledger entry, if nobody has since it was read, and remembers what was written.
    pub async fn write_access(
        &self,
        access: &BreakglassAccess,
    ) -> Result<BreakglassAccess, ClusterError> {
        let name = access.metadata.name.as_deref().unwrap_or_default();
        let gives_up = !is_deleter(&access.spec, &self.me);
        let number = self.memory.begin_write(name, gives_up);
        let begun = Instant::now();
        let written = self.cluster.replace_access(access).await;
        match &written {
            Ok(written) => {
                self.memory.written(name, number, gives_up);
                self.learn_access(begun, written);
            }
            Err(ClusterError::Conflict(_)) => self.memory.not_written(name, number),
            Err(_) => {}
        }
        written
    }

    /// Makes a new ledger entry, and remembers what was written.
    pub async fn create_access(
        &self,
        access: &BreakglassAccess,
    ) -> Result<BreakglassAccess, ClusterError> {
        let begun = Instant::now();
        let made = self.cluster.create_access(access).await?;
        self.learn_access(begun, &made);
        Ok(made)
    }

    /// An id for an attempt that no other run of any process makes.
    pub fn attempt_id(&self) -> String {
        let number = self.attempts.fetch_add(1, Ordering::Relaxed);
        crate::digest::of(8, [&*self.me.pod, &*self.me.run, &number.to_string()])
    }

    /// What stands in the way of a claim of that grant, as it is now.
    pub fn obstacle(&self, uid: &str, generation: i64) -> Option<(Obstacle, u32)> {
        let (for_generation, obstacle, tries) = self.obstacles.get(uid)?;
        (for_generation == generation).then_some((obstacle, tries))
    }

    /// Remembers, or forgets, what stands in the way of a claim.
    pub fn set_obstacle(&self, uid: &str, generation: i64, obstacle: Option<(Obstacle, u32)>) {
        match obstacle {
            Some((obstacle, tries)) => {
                self.remember(&self.obstacles, uid, (generation, obstacle, tries));
            }
            None => self.obstacles.forget(uid),
        }
    }

    /// Takes up what a person asked to be looked at. False if that was taken up before: what the watch shows of the
    /// status may be behind for long.
    pub fn take_up(&self, uid: &str, request: &str) -> bool {
        let before = self.remember(&self.requests, uid, request.to_owned());
        before.as_deref() != Some(request)
    }

    /// Tells what it takes the place of.
    fn remember<T>(&self, all: &ByGrant<T>, uid: &str, what: T) -> Option<T>
    where
        T: Clone,
    {
        let mut all = all.lock();
        let before = all.insert(uid.to_owned(), what);
        if all.len() > self.grants.count() {
            // Those of grants that are gone.
            let grants = self.grants.all();
            let uids = grants
                .iter()
                .filter_map(|grant| grant.metadata.uid.as_deref());
            let uids: HashSet<_> = uids.collect();
            all.retain(|uid, _| uids.contains(uid.as_str()));
        }
        before
    }

    /// A spread for pauses, different from object to object, and from process to process: two that work on the same
    /// at once would keep step, and get in one another's way again and again.
    pub fn spread(&self, name: &str, now: Timestamp) -> u64 {
        let mut hasher = DefaultHasher::new();
        (&self.me.pod, &self.me.run, name, now.as_second()).hash(&mut hasher);
        hasher.finish()
    }
}

/// The newer of two versions of an access, which may have been removed and made again in between. Of
/// two with the same ledger the one that was seen counts: a status has no generation.
fn newer(
    known: Option<BreakglassAccess>,
    seen: Option<BreakglassAccess>,
) -> Option<BreakglassAccess> {
    known.into_iter().chain(seen).max_by_key(age) // The last of equals.
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::fixtures::{at, ledger};
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

    fn version(made: i64, generation: i64) -> BreakglassAccess {
        let mut access = BreakglassAccess::new("access", ledger(Vec::new()));
        access.metadata.creation_timestamp = Some(Time(at(made)));
        access.metadata.generation = Some(generation);
        access
    }

    #[test]
    fn the_newer_version_counts_whoever_has_it() {
        let (old, new) = (version(0, 1), version(0, 2));
        let remade = version(60, 1);
        for (a, b, wanted) in [
            (None, Some(&old), &old),
            (Some(&old), None, &old),
            (Some(&old), Some(&new), &new),
            (Some(&new), Some(&old), &new),
            (Some(&new), Some(&remade), &remade),
        ] {
            let found = newer(a.cloned(), b.cloned()).unwrap();
            assert_eq!(found.metadata, wanted.metadata);
        }
        let seen = BreakglassAccess {
            status: Some(crate::api::access::BreakglassAccessStatus::default()),
            ..old.clone()
        };
        assert!(newer(Some(old), Some(seen)).unwrap().status.is_some());
    }
}
