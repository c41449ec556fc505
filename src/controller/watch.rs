//! The watches: raw JSON, without what nobody reads, listed again from time to time.

use std::collections::HashMap;
use std::pin::Pin;
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
use tokio::sync::futures::OwnedNotified;
use tokio::time::Instant;

use super::cluster::{access_resource, grant_resource};
use crate::api::access::BreakglassAccess;
use crate::api::{FINALIZER, PROVENANCE_ANNOTATIONS, REQUESTED_AT_ANNOTATION, REVOKE_ANNOTATION};
use crate::clock::{Clock, Moment};
use crate::digest::shortened;

/// How many grants are listed at once: anybody may make one of more than a megabyte.
const PAGE_OF_GRANTS: u32 = 25;
/// The same of other kinds.
const PAGE: u32 = 100;
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
        let page = if is_grant { PAGE_OF_GRANTS } else { PAGE };
        let writer = Writer::new(resource);
        let listed = Arc::new(Mutex::new(None));
        let mirror = Self {
            store: writer.as_reader(),
            listed: Arc::clone(&listed),
        };
        let clock = clock.clone();
        let mut begun = clock.moment();
        let config = watcher::Config::default().page_size(page);
        let watches = move || watcher(api.clone(), config.clone()).default_backoff();
        let relist = relist.clone();
        let events = relisting(watches, relist)
            .modify(move |object| trim(object, is_grant))
            .reflect(writer)
            .inspect_ok(move |event| match event {
                // Also where a watch lists anew by itself. Nothing is asked for before this has passed.
                watcher::Event::Init => begun = clock.moment(),
                watcher::Event::InitDone => {
                    *listed.lock().unwrap_or_else(PoisonError::into_inner) = Some(begun);
                }
                _ => {}
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

    /// All of them, now, for what they show can't be so: one that is being listed once that is done.
    pub fn now(&self) {
        self.now.notify_waiters();
    }

    /// Ends a watch when it is to start again. A listing takes as long as it takes: it is given up only when nothing is
    /// heard of it for that long.
    fn end<S>(self, events: S) -> impl Stream<Item = S::Item>
    where
        S: Stream<Item = Result<watcher::Event<DynamicObject>, watcher::Error>> + Send + 'static,
    {
        let watch = Watch {
            events: events.boxed(),
            is_listing: true,
            due: Instant::now() + self.interval,
            asked: Box::pin(Arc::clone(&self.now).notified_owned()),
            relist: self,
        };
        futures::stream::unfold(watch, |mut watch| async move {
            let event = tokio::select! {
                biased;
                () = tokio::time::sleep_until(watch.due) => return None,
                () = watch.asked.as_mut(), if !watch.is_listing => return None,
                event = watch.events.next() => event?,
            };
            if let Ok(event) = &event {
                watch.heard(event);
            }
            Some((event, watch))
        })
    }
}

/// A watch until it is to start again.
struct Watch<E> {
    events: futures::stream::BoxStream<'static, E>,
    relist: Relist,
    is_listing: bool,
    /// When it starts again at the latest.
    due: Instant,
    /// Comes if somebody has asked for that since the listing was begun.
    asked: Pin<Box<OwnedNotified>>,
}

impl<E> Watch<E> {
    /// Takes in what came.
    fn heard(&mut self, event: &watcher::Event<DynamicObject>) {
        match event {
            watcher::Event::Init => {
                self.is_listing = true;
                self.asked = Box::pin(Arc::clone(&self.relist.now).notified_owned());
            }
            watcher::Event::InitApply(_) => {}
            watcher::Event::InitDone => self.is_listing = false,
            watcher::Event::Apply(_) | watcher::Event::Delete(_) => return,
        }
        self.due = Instant::now() + self.relist.interval;
    }
}

/// A watch that starts again with a listing: a delete that a watch lost, or a watch that has fallen
/// silent, is noticed by then.
fn relisting<S>(watches: impl Fn() -> S, relist: Relist) -> impl Stream<Item = S::Item>
where
    S: Stream<Item = Result<watcher::Event<DynamicObject>, watcher::Error>> + Send + 'static,
{
    futures::stream::repeat(()).flat_map(move |()| relist.clone().end(watches()))
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
    /// Name of the access that has a claim, or an ended claim, of the grant with that uid. One that vanished during an
    /// outage is still named, which does no harm: who looks for it finds none.
    pub fn access_of(&self, uid: &str) -> Option<String> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .access_of
            .get(uid)
            .cloned()
    }

    /// Takes in an access of which nothing else can be read.
    pub fn put_unreadable(&self, access: &DynamicObject) {
        let name = access.metadata.name.clone().unwrap_or_default();
        self.set(name, &uids(access, "claims"), &uids(access, "ended"));
    }

    /// Takes in an access.
    pub fn put(&self, access: &BreakglassAccess) {
        let name = access.metadata.name.clone().unwrap_or_default();
        let claims = access.spec.claims.iter().map(|claim| claim.uid.clone());
        let ended = access.spec.ended.iter().map(|ended| ended.uid.clone());
        self.set(
            name,
            &claims.collect::<Vec<_>>(),
            &ended.collect::<Vec<_>>(),
        );
    }

    /// A grant that was pointed elsewhere while it was being claimed is known to two: to one as ended.
    fn set(&self, name: String, claims: &[String], ended: &[String]) {
        // At once: nobody may find, in between, that a grant is known to none.
        let mut maps = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        maps.remove(&name);
        for uid in claims {
            maps.access_of.insert(uid.clone(), name.clone());
        }
        for uid in ended {
            maps.access_of.entry(uid.clone()).or_insert(name.clone());
        }
        maps.uids_of.insert(name, [claims, ended].concat());
    }

    /// Forgets an access.
    pub fn remove(&self, name: &str) {
        let mut maps = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        maps.remove(name);
    }
}

impl IndexMaps {
    fn remove(&mut self, name: &str) {
        for uid in self.uids_of.remove(name).unwrap_or_default() {
            if self.access_of.get(&uid).is_some_and(|known| known == name) {
                self.access_of.remove(&uid);
            }
        }
    }
}

fn uids(access: &DynamicObject, list: &str) -> Vec<String> {
    named_in(access, list).map(|grant| grant.uid).collect()
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
    let lists = ["claims", "ended"].into_iter();
    lists.flat_map(move |list| named_in(access, list))
}

fn named_in<'a>(
    access: &'a DynamicObject,
    list: &str,
) -> impl Iterator<Item = NamedGrant> + use<'a> {
    let entries = access.data.pointer(&format!("/spec/{list}"));
    let entries = entries.and_then(Value::as_array);
    entries.into_iter().flatten().filter_map(|entry| {
        let text = |pointer: &str| {
            let text = entry.pointer(pointer).and_then(Value::as_str);
            text.map(str::to_owned)
        };
        Some(NamedGrant {
            uid: text("/uid")?,
            namespace: text("/grant/namespace")?,
            name: text("/grant/name")?,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    type Event = watcher::Event<DynamicObject>;

    fn object(name: &str) -> DynamicObject {
        DynamicObject::new(name, &grant_resource())
    }

    /// Each after its pause in seconds; then nothing, for ever.
    fn script(events: Vec<(u64, Event)>) -> impl Stream<Item = Result<Event, watcher::Error>> {
        let events = futures::stream::iter(events).then(|(pause, event)| async move {
            tokio::time::sleep(Duration::from_secs(pause)).await;
            Ok(event)
        });
        events.chain(futures::stream::pending())
    }

    async fn lasts(relist: &Relist, events: Vec<(u64, Event)>) -> (u64, usize) {
        let begun = Instant::now();
        let count = relist.clone().end(script(events)).count().await;
        (begun.elapsed().as_secs(), count)
    }

    #[tokio::test(start_paused = true)]
    async fn a_listing_may_take_long_and_a_watch_lasts_for_so_long_after_it() {
        let relist = Relist::every(Duration::from_mins(4));
        let page = |seconds| (seconds, Event::InitApply(object("a")));
        let done = |seconds| (seconds, Event::InitDone);
        let news = |seconds| (seconds, Event::Apply(object("a")));
        let init = (0, Event::Init);
        // Ten minutes of listing, and four of watching, whatever comes.
        let slow = vec![init.clone(), page(200), page(200), done(200), news(100)];
        assert_eq!(lasts(&relist, slow).await, (600 + 240, 5));
        // Of a listing nothing is heard any more.
        let stuck = vec![init.clone(), page(200)];
        assert_eq!(lasts(&relist, stuck).await, (200 + 240, 2));
        assert_eq!(lasts(&relist, vec![init]).await, (240, 1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_watch_that_shows_what_can_not_be_ends_and_a_listing_is_ended_first() {
        let relist = Relist::every(Duration::from_mins(4));
        let events = || vec![(0, Event::Init), (100, Event::InitDone)];
        for (asked, ends) in [(50, 100), (150, 150)] {
            let asking = async {
                tokio::time::sleep(Duration::from_secs(asked)).await;
                relist.now();
            };
            let (lasted, ()) = tokio::join!(lasts(&relist, events()), asking);
            assert_eq!(lasted, (ends, 2), "asked after {asked} s");
        }
    }

    #[test]
    fn of_two_accesses_that_know_a_grant_the_one_with_the_claim_counts() {
        let index = Index::default();
        let uid = ["uid".to_owned()];
        for ended_first in [true, false] {
            if ended_first {
                index.set("old".to_owned(), &[], &uid);
            }
            index.set("new".to_owned(), &uid, &[]);
            index.set("old".to_owned(), &[], &uid);
            assert_eq!(index.access_of("uid").as_deref(), Some("new"));
            index.remove("old");
            assert_eq!(index.access_of("uid").as_deref(), Some("new"));
            index.remove("new");
            assert_eq!(index.access_of("uid"), None);
        }
    }

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
