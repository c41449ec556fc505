//! The desk decides *when* AWS is called: whose turn it is, and how fast. *Whether* is decided
//! again by whoever gets the turn.
//!
//! AWS gives a whole organization about 20 calls a second and about 10 assignment operations under
//! way (IAM Identity Center user guide, "Quotas"), shared with everything else that uses them. So
//! each account or instance, and each service in it, has a counter of its own: what is stuck at one
//! holds up no other.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::config::Settings;

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
    /// Take access away that was due to end then: the most overdue goes first.
    Revoke {
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
    desk: Desk,
}

/// While grants wait, one of so many freed places is a grant's, so that an emergency is not stuck
/// behind a mass expiry.
const GRANT_SHARE: u32 = 8;

tokio::task_local! {
    /// Set while access is being taken away.
    static URGENT: ();
}

/// Runs a future whose calls to AWS go before all others: one that takes access away.
pub async fn urgently<T>(future: impl Future<Output = T>) -> T {
    URGENT.scope((), future).await
}

/// A call that waits for the bucket.
struct WaitingCall<'a> {
    desk: &'a Desk,
    key: &'a DeskKey,
    urgent: bool,
}

impl<'a> WaitingCall<'a> {
    fn new(desk: &'a Desk, key: &'a DeskKey, urgent: bool) -> Self {
        let mut state = desk.lock();
        *state
            .counters
            .entry(key.clone())
            .or_default()
            .calls_waiting(urgent) += 1;
        Self { desk, key, urgent }
    }
}

impl Drop for WaitingCall<'_> {
    fn drop(&mut self) {
        if let Some(counter) = self.desk.lock().counters.get_mut(self.key) {
            let waiting = counter.calls_waiting(self.urgent);
            *waiting = waiting.saturating_sub(1);
        }
    }
}

/// Hands out turns and the pace of calls. Clones share both.
#[derive(Clone, Debug)]
pub struct Desk(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    state: Mutex<State>,
    changed: Notify,
    in_flight: usize,
    interval: Duration,
    burst: u32,
}

#[derive(Debug, Default)]
struct State {
    waiting: HashMap<String, Request>,
    running: HashSet<String>,
    counters: HashMap<DeskKey, Counter>,
}

#[derive(Debug, Default)]
struct Counter {
    /// Turns under way.
    in_flight: usize,
    /// Turns given to others since a waiting grant last had one.
    since_grant: u32,
    /// When the bucket of calls is next full.
    full_at: Option<Instant>,
    /// Calls that wait for the bucket, urgently and not.
    urgent_calls: usize,
    other_calls: usize,
    /// Urgent calls in a row while others waited.
    since_other: u32,
}

impl Counter {
    fn calls_waiting(&mut self, urgent: bool) -> &mut usize {
        if urgent {
            &mut self.urgent_calls
        } else {
            &mut self.other_calls
        }
    }

    /// Whether it is for the other kind of calls to go next: urgent ones go first, but of so many
    /// calls one is for the others, or nobody could even look up the names of an emergency grant.
    fn must_let_pass(&self, urgent: bool) -> bool {
        let others_turn = self.since_other + 1 >= GRANT_SHARE;
        if urgent {
            others_turn && self.other_calls > 0
        } else {
            !others_turn && self.urgent_calls > 0
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
            interval: Duration::from_secs(1) / settings.calls_per_second.max(1),
            burst: settings.calls_per_second.max(1),
        }))
    }

    /// Asks for a turn, instead of whatever the same tuple asked for before.
    pub fn file(&self, request: Request) {
        self.lock().waiting.insert(request.access.clone(), request);
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
            if let Some(request) = self.lock().take_next(self.0.in_flight) {
                return Turn {
                    request,
                    desk: self.clone(),
                };
            }
            changed.await;
        }
    }

    /// Waits until one more call may be made against that limit. A call made in
    /// [`urgently`] goes before all that wait without.
    pub async fn pace(&self, key: &DeskKey) {
        let urgent = URGENT.try_with(|()| ()).is_ok();
        let _waiting = WaitingCall::new(self, key, urgent);
        loop {
            let token = self.lock().take_token(key, urgent, &self.0);
            match token {
                Ok(()) => return,
                Err(free_at) => tokio::time::sleep_until(free_at).await,
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing in here can panic half-way.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Takes a call out of the bucket, or says when to try again.
    fn take_token(&mut self, key: &DeskKey, urgent: bool, limits: &Inner) -> Result<(), Instant> {
        let counter = self.counters.entry(key.clone()).or_default();
        let now = Instant::now();
        let full_at = counter.full_at.map_or(now, |at| at.max(now)) + limits.interval;
        let free_at = full_at
            .checked_sub(limits.interval * limits.burst)
            .unwrap_or(now);
        if free_at > now {
            return Err(free_at);
        }
        if counter.must_let_pass(urgent) {
            return Err(now + limits.interval / 4);
        }
        counter.since_other = if urgent && counter.other_calls > 0 {
            counter.since_other.saturating_add(1)
        } else {
            0
        };
        counter.full_at = Some(full_at);
        Ok(())
    }

    fn take_next(&mut self, limit: usize) -> Option<Request> {
        let free = |key: &DeskKey| {
            self.counters
                .get(key)
                .is_none_or(|counter| counter.in_flight < limit)
        };
        let ready = || {
            self.waiting
                .values()
                .filter(|r| !self.running.contains(&r.access) && free(&r.desk))
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
        counter.in_flight += 1;
        counter.since_grant = match chosen.priority {
            Priority::Grant { .. } => 0,
            _ if grants_wait => counter.since_grant.saturating_add(1),
            _ => 0,
        };
        self.waiting.remove(&chosen.access);
        self.running.insert(chosen.access.clone());
        Some(chosen)
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
                counter.in_flight = counter.in_flight.saturating_sub(1);
            }
        }
        self.desk.0.changed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::fixtures::at;

    fn desk(in_flight: usize) -> Desk {
        Desk::new(&Settings {
            in_flight,
            ..Settings::default()
        })
    }

    fn request(access: &str, scope: &str, priority: Priority) -> Request {
        let desk = DeskKey {
            scope: scope.into(),
            service: Service::Iam,
        };
        Request {
            access: access.into(),
            desk,
            priority,
            page: String::new(),
        }
    }

    fn revoke(access: &str, due: i64) -> Request {
        request(access, "a", Priority::Revoke { due: at(due) })
    }

    fn grant(access: &str, expiry: i64) -> Request {
        request(access, "a", Priority::Grant { expiry: at(expiry) })
    }

    async fn order(desk: &Desk, turns: usize) -> Vec<String> {
        let mut order = Vec::new();
        for _ in 0..turns {
            order.push(desk.next().await.request.access.clone());
        }
        order
    }

    #[tokio::test]
    async fn a_revoke_goes_before_hundreds_of_grants_filed_earlier() {
        let desk = desk(1);
        for i in 0..300 {
            desk.file(grant(&format!("grant-{i}"), i));
        }
        desk.file(revoke("revoke", 0));
        assert_eq!(order(&desk, 1).await, ["revoke"]);
    }

    #[tokio::test]
    async fn an_emergency_grant_gets_one_of_eight_places_among_hundreds_of_revokes() {
        let desk = desk(1);
        for i in 0..300 {
            desk.file(revoke(&format!("revoke-{i:03}"), i));
        }
        desk.file(grant("emergency", 0));
        let order = order(&desk, 16).await;
        assert_eq!(
            order.iter().position(|access| access == "emergency"),
            Some(7),
            "{order:?}"
        );
    }

    #[tokio::test]
    async fn the_most_overdue_revoke_and_the_soonest_expiry_go_first() {
        let desk = desk(1);
        for request in [
            grant("late", 9),
            revoke("b", 2),
            grant("soon", 3),
            revoke("a", 1),
        ] {
            desk.file(request);
        }
        desk.file(request("read", "a", Priority::Read));
        assert_eq!(order(&desk, 5).await, ["a", "b", "soon", "late", "read"]);
    }

    #[tokio::test]
    async fn a_full_desk_holds_up_no_other() {
        let desk = desk(1);
        desk.file(revoke("stuck", 0));
        let stuck = desk.next().await;
        desk.file(revoke("behind", 1));
        desk.file(request("elsewhere", "b", Priority::Read));
        assert_eq!(order(&desk, 1).await, ["elsewhere"]);
        drop(stuck);
        assert_eq!(order(&desk, 1).await, ["behind"]);
    }

    #[tokio::test]
    async fn a_tuple_has_one_turn_at_a_time_and_one_wish() {
        let desk = desk(8);
        desk.file(grant("a", 1));
        let turn = desk.next().await;
        desk.file(revoke("a", 1));
        desk.file(revoke("a", 2));
        assert!(futures::poll!(Box::pin(desk.next())).is_pending());
        drop(turn);
        assert_eq!(
            desk.next().await.request.priority,
            Priority::Revoke { due: at(2) }
        );
        assert_eq!(desk.queue_len(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn calls_keep_their_pace_after_a_burst() {
        let desk = Desk::new(&Settings {
            calls_per_second: 10,
            ..Settings::default()
        });
        let key = DeskKey {
            scope: "a".into(),
            service: Service::SsoAdmin,
        };
        let begun = Instant::now();
        for _ in 0..30 {
            desk.pace(&key).await;
        }
        // 10 at once, then 20 at a tenth of a second each.
        assert_eq!(begun.elapsed().as_millis(), 2_000);
    }

    /// Who is served, in order, when forty urgent calls and forty others wait: true is urgent.
    async fn served(urgent_first: bool) -> Vec<bool> {
        let desk = Desk::new(&Settings {
            calls_per_second: 4,
            ..Settings::default()
        });
        let key = DeskKey {
            scope: "a".into(),
            service: Service::SsoAdmin,
        };
        let served = Mutex::new(Vec::new());
        let call = async |urgent: bool| {
            if urgent {
                urgently(desk.pace(&key)).await;
            } else {
                desk.pace(&key).await;
            }
            served.lock().unwrap().push(urgent);
        };
        let calls = (0..80).map(|number| call((number < 40) == urgent_first));
        futures::future::join_all(calls).await;
        served.into_inner().unwrap()
    }

    /// Whoever came first: a later timer may fire before an earlier one.
    #[tokio::test(start_paused = true)]
    async fn urgent_calls_go_first_but_one_of_eight_is_for_the_others() {
        for urgent_first in [true, false] {
            let served = served(urgent_first).await;
            // The first ones had the bucket to themselves.
            let others = served[4..44].iter().filter(|urgent| !**urgent).count();
            assert!((4..=6).contains(&others), "{others} of 40: {served:?}");
        }
    }
}
