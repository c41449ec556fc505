//! The desk decides *when* AWS is called: whose turn it is, and how fast. *Whether* is decided
//! again by whoever gets the turn.
//!
//! AWS gives a whole organization about 20 calls a second and about 10 assignment operations under
//! way (IAM Identity Center user guide, "Quotas"), shared with everything else that uses them. So
//! each account or instance, and each service in it, has a counter of its own: what is stuck at one
//! holds up no other.

mod pace;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use tokio::sync::Notify;

use crate::config::Settings;
use pace::{Pace, Urgency};

/// A limit of AWS that we share with others: one service of one account or instance.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DeskKey {
    /// Id of the account, or ARN of the instance.
    pub scope: String,
    /// The service.
    pub service: Service,
}

/// A service with a limit of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Service {
    /// Permission sets and account assignments.
    SsoAdmin,
    /// Users and groups of Identity Center.
    IdentityStore,
    /// IAM.
    Iam,
}

/// How urgent a turn is. The order of the variants is the order of precedence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Priority {
    /// Take access away that was due to end then: the most overdue goes first, but what failed
    /// before lets the others pass.
    Revoke {
        /// Whether it was tried in vain before.
        failed: bool,
        /// When it was due.
        due: Timestamp,
    },
    /// Give access that ends then: the one with the least time left goes first.
    Grant {
        /// When it ends.
        expiry: Timestamp,
    },
    /// Compare with AWS.
    Read,
}

/// A wish for a turn. A tuple has at most one: a newer one takes the place of the older.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Name of the access.
    pub access: String,
    /// Which limit it counts against.
    pub desk: DeskKey,
    /// How urgent it is.
    pub priority: Priority,
    /// What one listing would serve as a whole, such as an account and a permission set: among
    /// equals, neighbours go together.
    pub page: String,
}

/// A turn. Dropping it gives the place to the next.
#[derive(Debug)]
pub struct Turn {
    /// What it was asked for.
    pub request: Request,
    urgency: Urgency,
    desk: Desk,
}

impl Turn {
    /// Runs the work of this turn: its calls to AWS are as urgent as the turn is.
    pub async fn run<T>(&self, work: impl Future<Output = T>) -> T {
        self.urgency.clone().of(work).await
    }
}

/// While grants wait, one of so many freed places, and of so many calls, is theirs, so that an
/// emergency is not stuck behind a mass expiry.
const GRANT_SHARE: u32 = 8;

/// Runs a future whose calls to AWS belong to an attempt that stands in the ledger: they go before
/// all that are as urgent, because the time to send it is short. Else turns that begin together would
/// all read, and then all be too late to write.
pub async fn committed<T>(future: impl Future<Output = T>) -> T {
    Urgency::of_this_task().committed(future).await
}

/// Whether the turn that this task works on takes access away, or holds up a revoke of its own
/// tuple by now.
pub fn is_urgent() -> bool {
    Urgency::of_this_task().is_raised()
}

/// Hands out turns and the pace of calls. Clones share both.
#[derive(Clone, Debug)]
pub struct Desk(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    state: Mutex<State>,
    changed: Notify,
    in_flight: usize,
    pace: Pace,
}

#[derive(Debug, Default)]
struct State {
    waiting: HashMap<String, Request>,
    /// How urgent the turns are that are under way, by access.
    running: HashMap<String, Urgency>,
    counters: HashMap<DeskKey, Counter>,
}

#[derive(Debug, Default)]
struct Counter {
    /// Turns under way: to take access away, to give it, to compare it.
    revokes: usize,
    grants: usize,
    reads: usize,
    /// Turns given to others since a waiting grant last had one.
    since_grant: u32,
}

impl Counter {
    /// Whether there is a place. One is kept free for what must be taken away while everything else
    /// is slow, and comparisons never fill the desk.
    fn has_place(&self, priority: Priority, limit: usize) -> bool {
        let others = self.grants + self.reads;
        let total = self.revokes + others;
        total < limit
            && match priority {
                Priority::Revoke { .. } => true,
                Priority::Grant { .. } => others < (limit - 1).max(1),
                Priority::Read => others < (limit - 1).max(1) && self.reads < (limit / 4).max(1),
            }
    }

    fn places(&mut self, priority: Priority) -> &mut usize {
        match priority {
            Priority::Revoke { .. } => &mut self.revokes,
            Priority::Grant { .. } => &mut self.grants,
            Priority::Read => &mut self.reads,
        }
    }
}

impl Desk {
    /// A desk with these limits.
    pub fn new(settings: &Settings) -> Self {
        Self(Arc::new(Inner {
            state: Mutex::default(),
            changed: Notify::new(),
            in_flight: settings.in_flight.max(1),
            pace: Pace::new(settings.calls_per_second),
        }))
    }

    /// Asks for a turn, instead of whatever the same tuple asked for before. A turn of that tuple
    /// that is under way hurries up if it holds up a revoke.
    pub fn file(&self, request: Request) {
        let mut state = self.lock();
        if matches!(request.priority, Priority::Revoke { .. })
            && let Some(urgency) = state.running.get(&request.access)
        {
            urgency.raise();
            self.0.pace.look_again();
        }
        state.waiting.insert(request.access.clone(), request);
        drop(state);
        self.0.changed.notify_one();
    }

    /// Takes a wish back.
    pub fn withdraw(&self, access: &str) {
        self.lock().waiting.remove(access);
    }

    /// How many wait.
    pub fn queue_len(&self) -> usize {
        self.lock().waiting.len()
    }

    /// The next turn, as soon as somebody may have one. For one caller at a time.
    pub async fn next(&self) -> Turn {
        loop {
            let changed = self.0.changed.notified();
            if let Some((request, urgency)) = self.lock().take_next(self.0.in_flight) {
                return Turn {
                    request,
                    urgency,
                    desk: self.clone(),
                };
            }
            changed.await;
        }
    }

    /// Waits until one more call may be made against that limit. Calls of a turn that takes access
    /// away go before all others.
    pub async fn pace(&self, key: &DeskKey) {
        self.0.pace.wait(key, &Urgency::of_this_task()).await;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing in here can panic half-way.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn take_next(&mut self, limit: usize) -> Option<(Request, Urgency)> {
        let free = |request: &Request| {
            self.counters
                .get(&request.desk)
                .is_none_or(|counter| counter.has_place(request.priority, limit))
        };
        let ready = || {
            self.waiting
                .values()
                .filter(|r| !self.running.contains_key(&r.access) && free(r))
        };
        let is_grant = |request: &&Request| matches!(request.priority, Priority::Grant { .. });
        // A desk at which grants have been passed over often enough serves a grant next.
        let owed = |request: &&Request| {
            self.counters
                .get(&request.desk)
                .is_some_and(|counter| counter.since_grant + 1 >= GRANT_SHARE)
        };
        let chosen = ready()
            .filter(is_grant)
            .filter(owed)
            .min_by(|a, b| order(a).cmp(&order(b)))
            .or_else(|| ready().min_by(|a, b| order(a).cmp(&order(b))))?
            .clone();
        let grants_wait = ready()
            .filter(is_grant)
            .any(|r| r.desk == chosen.desk && r.access != chosen.access);
        let counter = self.counters.entry(chosen.desk.clone()).or_default();
        *counter.places(chosen.priority) += 1;
        counter.since_grant = match chosen.priority {
            Priority::Grant { .. } => 0,
            _ if grants_wait => counter.since_grant.saturating_add(1),
            _ => 0,
        };
        self.waiting.remove(&chosen.access);
        let urgency = Urgency::default();
        if matches!(chosen.priority, Priority::Revoke { .. }) {
            urgency.raise();
        }
        self.running.insert(chosen.access.clone(), urgency.clone());
        Some((chosen, urgency))
    }
}

/// What goes first: by urgency, then neighbours of one listing together, then by name.
fn order(request: &Request) -> (Priority, &str, &str) {
    (request.priority, &request.page, &request.access)
}

impl Drop for Turn {
    fn drop(&mut self) {
        {
            let mut state = self.desk.lock();
            state.running.remove(&self.request.access);
            if let Some(counter) = state.counters.get_mut(&self.request.desk) {
                let places = counter.places(self.request.priority);
                *places = places.saturating_sub(1);
            }
        }
        self.desk.0.changed.notify_one();
    }
}
