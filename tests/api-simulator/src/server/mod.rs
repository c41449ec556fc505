//! What the server does with a request that has arrived.

pub(crate) mod answer;
mod create;
mod delete;
pub(crate) mod metadata;
mod patch;
mod read;
mod replace;
pub(crate) mod request;
mod watch;
mod write;

use std::collections::VecDeque;
use std::sync::Arc;

use jiff::Timestamp;

use crate::call::{Call, RequestRecord, Shown, Verb};
use crate::commit::Commit;
use crate::random::Random;
use crate::schema::{Kind, Kinds, Nature};
use crate::storage::{Change, Store, Watches};

use answer::{About, Answer};
use request::Request;
pub(crate) use watch::{Opened, bookmark};

/// Everything that the simulator is at one time.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) kinds: Kinds,
    pub(crate) store: Store,
    pub(crate) watches: Watches,
    pub(crate) random: Random,
    pub(crate) records: Vec<RequestRecord>,
    pub(crate) calls: u64,
    pub(crate) commits: u64,
    /// Events are counted rather than watched over.
    pub(crate) events: u64,
    kept_events: VecDeque<String>,
}

/// Who asks, and when it is.
#[derive(Clone, Debug)]
pub(crate) struct Asker {
    pub(crate) actor: String,
    pub(crate) call: Option<u64>,
    pub(crate) now: Timestamp,
    /// How old an answer may be that need not be the latest.
    pub(crate) lag: jiff::SignedDuration,
}

/// A change and whose it was, on its way into a [`Commit`].
pub(crate) struct Done {
    pub(crate) answer: Answer,
    pub(crate) commit: Option<Commit>,
}

impl From<Answer> for Done {
    fn from(answer: Answer) -> Self {
        Self {
            answer,
            commit: None,
        }
    }
}

/// A request for a kind that is served, and for an object of it where it names one.
struct Target<'a> {
    asker: &'a Asker,
    request: &'a Request,
    kind: Arc<Kind>,
    name: String,
}

impl Target<'_> {
    fn about(&self) -> About<'_> {
        About {
            group: &self.kind.group,
            resource: &self.kind.plural,
            name: &self.name,
        }
    }

    /// Refusals of a content name the kind.
    fn about_kind(&self) -> About<'_> {
        About {
            resource: &self.kind.singular,
            ..self.about()
        }
    }

    /// Whether the kind and its subresource have the verb.
    fn is_allowed(&self) -> Result<(), Answer> {
        let verb = self.request.verb;
        let reads = matches!(verb, Verb::Get | Verb::List | Verb::Watch);
        match self.request.subresource.as_deref() {
            None if self.kind.nature == Nature::Definition && !reads => {
                let message = "not simulated: definitions are changed with `ApiSimulator::define`";
                Err(Answer::failure(405, "MethodNotAllowed", message, None))
            }
            None => Ok(()),
            Some("status") if self.kind.has_status_subresource() => match verb {
                Verb::Create => Err(Answer::unsupported("create", self.about())),
                Verb::Delete => Err(Answer::unsupported("delete", self.about())),
                _ => Ok(()),
            },
            Some(_) if self.kind.is_built_in() => {
                let message = "the server could not find the requested resource";
                let details = Some(serde_json::json!({}));
                Err(Answer::failure(404, "NotFound", message, details))
            }
            Some(_) => Err(Answer::not_found(self.about())),
        }
    }

    /// Where the real server would keep the object, as some messages tell.
    fn place_in_etcd(&self) -> String {
        let (group, plural) = (&self.kind.group, &self.kind.plural);
        let key = self.key();
        if self.kind.is_built_in() {
            format!("/registry/{plural}/{key}")
        } else {
            format!("/registry/{group}/{plural}/{key}")
        }
    }

    fn key(&self) -> String {
        crate::storage::key(self.request.namespace.as_deref(), &self.name)
    }
}

impl State {
    pub(crate) fn new(seed: u64) -> Self {
        let mut state = Self {
            kinds: Kinds::default(),
            store: Store::new(),
            watches: Watches::default(),
            random: Random::new(seed),
            records: Vec::new(),
            calls: 0,
            commits: 0,
            events: 0,
            kept_events: VecDeque::new(),
        };
        for kind in Kind::built_in() {
            state.store.table_mut(&kind.plural);
            state.kinds.serve(kind);
        }
        state
    }

    /// Carries out a request; a watch is opened with [`State::open`].
    pub(crate) fn handle(&mut self, asker: &Asker, request: &Request) -> Done {
        let target = match self.target(asker, request) {
            Ok(target) => target,
            Err(answer) => return answer.into(),
        };
        let done = match request.verb {
            Verb::Get => Ok(self.get(&target).into()),
            Verb::List => Ok(self.list(&target).into()),
            Verb::Watch => Err(Answer::bad_request("a watch is a stream")),
            Verb::Create => self.create(&target),
            Verb::Replace => self.replace(&target),
            Verb::Patch => self.patch(&target),
            Verb::Delete => self.delete(&target),
        };
        done.unwrap_or_else(Done::from)
    }

    fn target<'a>(&self, asker: &'a Asker, request: &'a Request) -> Result<Target<'a>, Answer> {
        let kind = self
            .kinds
            .find(&request.group, &request.version, &request.resource)
            .ok_or_else(Answer::no_such_path)?;
        let named = request.name.is_some() || request.verb == Verb::Create;
        let in_namespace = request.namespace.is_some();
        let fits = if kind.namespaced {
            in_namespace || !named
        } else {
            !in_namespace
        };
        if !fits {
            return Err(Answer::no_such_path());
        }
        let target = Target {
            asker,
            request,
            kind,
            name: request.name.clone().unwrap_or_default(),
        };
        target.is_allowed()?;
        Ok(target)
    }

    /// Tells the watches and the books of a change.
    fn commit(&mut self, target: &Target<'_>, change: &Change) -> Commit {
        self.committed(
            target.asker,
            target.request.verb,
            &target.kind.plural,
            target.request.subresource.clone(),
            change,
        )
    }

    pub(crate) fn committed(
        &mut self,
        asker: &Asker,
        verb: Verb,
        resource: &str,
        subresource: Option<String>,
        change: &Change,
    ) -> Commit {
        self.watches.tell(resource, change);
        self.commits += 1;
        let (namespace, name) = match change.key.split_once('/') {
            Some((namespace, name)) => (Some(namespace.to_owned()), name.to_owned()),
            None => (None, change.key.clone()),
        };
        Commit {
            number: self.commits,
            time: change.time,
            actor: asker.actor.clone(),
            verb,
            resource: resource.to_owned(),
            namespace,
            name,
            subresource,
            call: asker.call,
            before: change.before.clone(),
            after: change.after.clone(),
        }
    }

    /// Writes a request that was sent into the books.
    pub(crate) fn record(&mut self, call: &Arc<Call>, now: Timestamp) {
        self.records.push(RequestRecord {
            call: Arc::clone(call),
            arrived: now,
            handled: None,
            status: None,
            shown: None,
        });
    }

    /// Changes what the books say about a request, unless it was forgotten.
    pub(crate) fn note(&mut self, call: u64, change: impl FnOnce(&mut RequestRecord)) {
        let found = self
            .records
            .binary_search_by_key(&call, |record| record.call.number);
        if let Some(record) = found.ok().and_then(|place| self.records.get_mut(place)) {
            change(record);
        }
    }
}

/// What a read showed, for the books.
pub(crate) fn shown(verb: Verb, answer: &Answer) -> Option<Shown> {
    let value = answer.value().filter(|_| answer.is_success())?;
    match verb {
        Verb::Get => Some(Shown::Object(Arc::clone(value))),
        Verb::List => Some(Shown::List(read::versions(value))),
        _ => None,
    }
}
