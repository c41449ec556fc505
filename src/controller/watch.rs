//! The watches: raw JSON, without what nobody reads, listed again from time to time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::{Stream, StreamExt, TryStreamExt};
use kube::ResourceExt;
use kube::api::Api;
use kube::core::DynamicObject;
use kube::runtime::reflector::{ObjectRef, Store, store::Writer};
use kube::runtime::{WatchStreamExt, watcher};
use serde_json::Value;
use tokio::sync::Notify;

use super::cluster::{access_resource, grant_resource};
use crate::api::access::BreakglassAccess;
use crate::api::{FINALIZER, PROVENANCE_ANNOTATIONS, REQUESTED_AT_ANNOTATION, REVOKE_ANNOTATION};
use crate::clock::{Clock, Moment};
use crate::digest::shortened;

/// How many objects are listed at once: each may be more than a megabyte.
const PAGE: u32 = 25;
/// No annotation is told or compared beyond that many characters.
const LONGEST_ANNOTATION: usize = 1024;

/// A kind as last seen, and when it was last listed as a whole.
#[derive(Clone)]
pub struct Mirror {
    store: Store<DynamicObject>,
    listed: Arc<Mutex<Option<Moment>>>,
}

impl std::fmt::Debug for Mirror {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mirror").finish_non_exhaustive()
    }
}

/// Events of a watch that fills a [`Mirror`].
pub type Events =
    futures::stream::BoxStream<'static, Result<watcher::Event<DynamicObject>, watcher::Error>>;

impl Mirror {
    /// Watches a kind. The mirror is filled while the events are read.
    pub fn watch(
        api: Api<DynamicObject>,
        resource: kube::core::ApiResource,
        relist: &Relist,
        clock: &Clock,
    ) -> (Self, Events) {
        let is_grant = resource == grant_resource();
        let writer = Writer::new(resource);
        let listed = Arc::new(Mutex::new(None));
        let mirror = Self {
            store: writer.as_reader(),
            listed: Arc::clone(&listed),
        };
        let begun = Arc::new(Mutex::new(clock.moment()));
        let events = relisting(api, relist.clone(), Arc::clone(&begun), clock.clone())
            .modify(move |object| trim(object, is_grant))
            .reflect(writer)
            .inspect_ok(move |event| {
                if matches!(event, watcher::Event::InitDone) {
                    let begun = *begun.lock().unwrap_or_else(PoisonError::into_inner);
                    *listed.lock().unwrap_or_else(PoisonError::into_inner) = Some(begun);
                }
            })
            .boxed();
        (mirror, events)
    }

    /// The store, for a controller.
    pub fn store(&self) -> Store<DynamicObject> {
        self.store.clone()
    }

    /// When the last complete quorum listing was begun; none before the first.
    pub fn listed(&self) -> Option<Moment> {
        *self.listed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All objects.
    pub fn all(&self) -> Vec<Arc<DynamicObject>> {
        self.store.state()
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.store.len()
    }

    /// A grant by name.
    pub fn grant(&self, namespace: &str, name: &str) -> Option<Arc<DynamicObject>> {
        self.store
            .get(&ObjectRef::new_with(name, grant_resource()).within(namespace))
    }

    /// An access by name.
    pub fn access(&self, name: &str) -> Option<Arc<DynamicObject>> {
        self.store
            .get(&ObjectRef::new_with(name, access_resource()))
    }
}

/// Takes off what nobody reads, for it may be large and is kept twice: who may make grants must not be able to fill
/// our memory. An access is written as a whole, and keeps what others wrote into it.
fn trim(object: &mut DynamicObject, is_grant: bool) {
    object.managed_fields_mut().clear();
    if !is_grant {
        return;
    }
    object.labels_mut().clear();
    object.owner_references_mut().clear();
    object.finalizers_mut().retain(|one| one == FINALIZER);
    let annotations = object.annotations_mut();
    annotations.retain(|key, _| {
        let provenance = PROVENANCE_ANNOTATIONS.iter();
        let mut read = provenance.chain([&REVOKE_ANNOTATION, &REQUESTED_AT_ANNOTATION]);
        read.any(|one| one == key)
    });
    for text in annotations.values_mut() {
        *text = shortened(text, LONGEST_ANNOTATION);
    }
}

/// When the watches start again with a listing. Clones share it.
#[derive(Clone, Debug)]
pub struct Relist {
    interval: Duration,
    now: Arc<Notify>,
}

impl Relist {
    /// After that long.
    pub fn every(interval: Duration) -> Self {
        Self {
            interval,
            now: Arc::default(),
        }
    }

    /// All of them, now: what they show can't be so.
    pub fn now(&self) {
        self.now.notify_waiters();
    }

    async fn due(self) {
        tokio::select! {
            () = tokio::time::sleep(self.interval) => {}
            () = self.now.notified() => {}
        }
    }
}

/// A watch that starts again with a listing: a delete that a watch lost, or a watch that has fallen
/// silent, is noticed by then. `begun` says when the listing was started.
fn relisting(
    api: Api<DynamicObject>,
    relist: Relist,
    begun: Arc<Mutex<Moment>>,
    clock: Clock,
) -> impl Stream<Item = Result<watcher::Event<DynamicObject>, watcher::Error>> {
    futures::stream::repeat(()).flat_map(move |()| {
        *begun.lock().unwrap_or_else(PoisonError::into_inner) = clock.moment();
        watcher(api.clone(), watcher::Config::default().page_size(PAGE))
            .default_backoff()
            .take_until(relist.clone().due())
    })
}

/// Which access knows a grant, by the grant's uid.
#[derive(Debug, Default)]
pub struct Index(Mutex<IndexMaps>);

#[derive(Debug, Default)]
struct IndexMaps {
    access_of: HashMap<String, String>,
    uids_of: HashMap<String, Vec<String>>,
}

impl Index {
    /// Takes in an event of the accesses.
    pub fn apply(&self, event: &watcher::Event<DynamicObject>) {
        match event {
            watcher::Event::Apply(object) | watcher::Event::InitApply(object) => {
                let name = object.metadata.name.clone().unwrap_or_default();
                self.set(name, grants_of(object).map(|grant| grant.uid).collect());
            }
            watcher::Event::Delete(object) => {
                self.remove(object.metadata.name.as_deref().unwrap_or_default());
            }
            // Entries of accesses that vanished during an outage do no harm: who follows them finds
            // no access.
            watcher::Event::Init | watcher::Event::InitDone => {}
        }
    }

    /// Name of the access that has a claim, or an ended claim, of the grant with that uid.
    pub fn access_of(&self, uid: &str) -> Option<String> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .access_of
            .get(uid)
            .cloned()
    }

    /// Takes in an access that this process has written: the watch may show it later.
    pub fn put(&self, access: &BreakglassAccess) {
        let name = access.metadata.name.clone().unwrap_or_default();
        let claims = access.spec.claims.iter().map(|claim| claim.uid.clone());
        let ended = access.spec.ended.iter().map(|ended| ended.uid.clone());
        self.set(name, claims.chain(ended).collect());
    }

    fn set(&self, name: String, uids: Vec<String>) {
        let mut maps = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for uid in maps.uids_of.remove(&name).unwrap_or_default() {
            maps.access_of.remove(&uid);
        }
        for uid in &uids {
            maps.access_of.insert(uid.clone(), name.clone());
        }
        maps.uids_of.insert(name, uids);
    }

    fn remove(&self, name: &str) {
        let mut maps = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for uid in maps.uids_of.remove(name).unwrap_or_default() {
            maps.access_of.remove(&uid);
        }
    }
}

/// A grant that an access names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedGrant {
    /// Its uid.
    pub uid: String,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

/// The grants that an access names, read from raw JSON.
pub fn grants_of(access: &DynamicObject) -> impl Iterator<Item = NamedGrant> + '_ {
    ["claims", "ended"].into_iter().flat_map(move |list| {
        let entries = access
            .data
            .pointer(&format!("/spec/{list}"))
            .and_then(Value::as_array);
        entries.into_iter().flatten().filter_map(|entry| {
            let text = |pointer: &str| {
                entry
                    .pointer(pointer)
                    .and_then(Value::as_str)
                    .map(str::to_owned)
            };
            Some(NamedGrant {
                uid: text("/uid")?,
                namespace: text("/grant/namespace")?,
                name: text("/grant/name")?,
            })
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    #[test]
    fn what_others_wrote_into_a_grant_takes_no_room() {
        let mut grant = DynamicObject::new("grant", &grant_resource());
        grant.labels_mut().insert("team".into(), "a".into());
        let annotations = grant.annotations_mut();
        annotations.insert("example.com/large".into(), "a".repeat(200_000));
        annotations.insert("breakglass.dev/nothing".into(), "a".repeat(200_000));
        annotations.insert(REVOKE_ANNOTATION.into(), "é".repeat(200_000));
        let others = |number| format!("example.com/{number}");
        grant.finalizers_mut().extend((0..1000).map(others));
        grant.finalizers_mut().push(FINALIZER.to_owned());
        let mut access = grant.clone();
        trim(&mut grant, true);
        assert_eq!(grant.labels().len(), 0);
        assert_eq!(grant.finalizers(), [FINALIZER]);
        assert_eq!(grant.annotations().len(), 1);
        let why = grant.annotations()[REVOKE_ANNOTATION].chars().count();
        assert_eq!(why, LONGEST_ANNOTATION);
        trim(&mut access, false);
        assert_eq!(access.annotations().len(), 3, "it is written as a whole");
        assert_eq!(access.finalizers().len(), 1001);
    }
}
