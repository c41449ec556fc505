//! The simulator as its user holds it.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::call::{Call, RequestRecord, Verb};
use crate::commit::Commit;
use crate::connection::Connection;
use crate::schema::{self, DEFINITIONS, DefinitionError, Kind};
use crate::server::answer::Answer;
use crate::server::request::Request;
use crate::server::{Asker, Done, State, shown};
use crate::storage::{Entry, Table, key};

type Clock = dyn Fn() -> Timestamp + Send + Sync;
type Observer = Arc<dyn Fn(&Commit) + Send + Sync>;

/// A Kubernetes API server to call. Clones share it.
#[derive(Clone)]
pub struct ApiSimulator {
    shared: Arc<Shared>,
}

struct Shared {
    clock: Box<Clock>,
    state: Mutex<State>,
    observers: Mutex<Vec<Observer>>,
}

impl fmt::Debug for ApiSimulator {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ApiSimulator")
            .finish_non_exhaustive()
    }
}

impl ApiSimulator {
    /// An empty server. `seed` and `now` are its only sources of chance and time; delays are slept on tokio's clock, so `now` had
    /// better follow that.
    pub fn new(seed: u64, now: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self {
            shared: Arc::new(Shared {
                clock: Box::new(now),
                state: Mutex::new(State::new(seed)),
                observers: Mutex::default(),
            }),
        }
    }

    /// Serves the kind of a `CustomResourceDefinition`, from now on as this one says.
    pub fn define(&self, crd: &Value) -> Result<(), DefinitionError> {
        let kind = Kind::defined_by(crd)?;
        let asker = self.asker("cluster administrator", None);
        let mut state = self.state();
        let kind = state.kinds.serve(kind);
        state.store.reread(&kind);
        let name = format!("{}.{}", kind.plural, kind.group);
        let change = state.define(&asker, &name, schema::established(crd, &kind, asker.now));
        drop(state);
        self.tell(change.as_ref());
        Ok(())
    }

    /// A connection for a client.
    pub fn connect(&self, actor: &str) -> Connection {
        Connection::new(self.clone(), actor)
    }

    /// Calls `seen` at each commit from now on, right after it, before anybody else can do anything where there is one thread only.
    pub fn observe(&self, seen: impl Fn(&Commit) + Send + Sync + 'static) {
        self.observers().push(Arc::new(seen));
    }

    /// An object as it is, by the plural of its kind.
    pub fn get(&self, resource: &str, namespace: Option<&str>, name: &str) -> Option<Arc<Value>> {
        let state = self.state();
        let entry = state.store.entry(resource, &key(namespace, name))?;
        Some(Arc::clone(&entry.shown))
    }

    /// All objects of a kind as they are, by its plural.
    pub fn list(&self, resource: &str) -> Vec<Arc<Value>> {
        self.state().store.each(resource).cloned().collect()
    }

    /// What was asked through connections after the request of this number; everything for 0.
    pub fn requests_since(&self, number: u64) -> Vec<RequestRecord> {
        let state = self.state();
        let begin = state
            .records
            .partition_point(|record| record.call.number <= number);
        state.records.iter().skip(begin).cloned().collect()
    }

    /// Forgets the requests so far, save those that are under way. Numbers go on.
    pub fn forget_requests(&self) {
        let under_way = |record: &RequestRecord| record.status.is_none();
        self.state().records.retain(under_way);
    }

    /// How many Events have been made: they are counted, and only the last thousand are kept.
    pub fn events(&self) -> u64 {
        self.state().events
    }

    /// How many changes of a kind are kept for watches to start from: a test that runs long sees here that they don't pile up.
    pub fn remembered(&self, resource: &str) -> usize {
        let state = self.state();
        state.store.table(resource).map_or(0, Table::remembered)
    }

    pub(crate) fn now(&self) -> Timestamp {
        (self.shared.clock)()
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        locked(&self.shared.state)
    }

    fn observers(&self) -> MutexGuard<'_, Vec<Observer>> {
        locked(&self.shared.observers)
    }

    pub(crate) fn asker(&self, actor: &str, call: Option<u64>) -> Asker {
        Asker {
            actor: actor.to_owned(),
            call,
            now: self.now(),
            lag: SignedDuration::ZERO,
        }
    }

    /// Tells the observers of a commit. They may call the simulator.
    pub(crate) fn tell(&self, commit: Option<&Commit>) {
        if let Some(commit) = commit {
            let observers = self.observers().clone();
            for seen in observers {
                seen(commit);
            }
        }
    }

    /// Carries out what has arrived.
    pub(crate) fn carry_out(&self, asker: &Asker, request: &Request) -> Answer {
        let mut state = self.state();
        let Done { answer, commit } = state.handle(asker, request);
        drop(state);
        self.tell(commit.as_ref());
        answer
    }

    /// Carries out a request of a connection, and writes into the books what came of it.
    pub(crate) fn arrive(
        &self,
        call: &Call,
        lag: SignedDuration,
        request: &Result<Request, Answer>,
    ) -> Answer {
        let asker = Asker {
            lag,
            ..self.asker(&call.actor, Some(call.number))
        };
        let answer = match request {
            Ok(request) => self.carry_out(&asker, request),
            Err(answer) => answer.clone(),
        };
        self.state().note(call.number, |record| {
            record.handled = Some(asker.now);
            record.status = Some(answer.code);
            record.shown = shown(call.verb, &answer);
        });
        answer
    }
}

impl State {
    fn define(&mut self, asker: &Asker, name: &str, mut crd: Value) -> Option<Commit> {
        let kind = self.kinds.named(DEFINITIONS)?;
        let before = self.store.entry(DEFINITIONS, name);
        let before = before.map(|entry| Arc::clone(&entry.shown));
        schema::identify(
            &mut crd,
            before.as_deref(),
            || self.random.uuid(),
            asker.now,
        );
        let entry = Entry::of(&kind, Arc::new(crd));
        let change = self.store.put(DEFINITIONS, name, Some(entry), asker.now);
        let verb = if before.is_some() {
            Verb::Replace
        } else {
            Verb::Create
        };
        Some(self.committed(asker, verb, DEFINITIONS, None, &change))
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
