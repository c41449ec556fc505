//! How fast AWS is called: for each limit a bucket of calls, and a line in front of it.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::{DeskKey, GRANT_SHARE};

/// How urgent the calls of a task are. It may be raised while they wait.
#[derive(Clone, Debug, Default)]
pub(super) struct Urgency(Arc<AtomicU8>);

/// An attempt stands in the ledger, and must be sent soon or not at all: it goes before its like.
const COMMITTED: u8 = 1;
/// Takes access away, or holds up what does.
const URGENT: u8 = 2;

tokio::task_local! {
    static URGENCY: Urgency;
}

impl Urgency {
    pub(super) fn raise(&self) {
        self.0.fetch_or(URGENT, Ordering::AcqRel);
    }

    pub(super) fn is_raised(&self) -> bool {
        self.level() & URGENT != 0
    }

    /// Runs a future whose calls go before all that are as urgent.
    pub(super) async fn committed<T>(self, future: impl Future<Output = T>) -> T {
        self.0.fetch_or(COMMITTED, Ordering::AcqRel);
        let output = future.await;
        self.0.fetch_and(!COMMITTED, Ordering::AcqRel);
        output
    }

    fn level(&self) -> u8 {
        self.0.load(Ordering::Acquire)
    }

    /// Runs a future whose calls have this urgency.
    pub(super) async fn of<T>(self, future: impl Future<Output = T>) -> T {
        URGENCY.scope(self, future).await
    }

    pub(super) fn of_this_task() -> Self {
        URGENCY.try_with(Self::clone).unwrap_or_default()
    }
}

/// The lines in front of all limits.
#[derive(Debug)]
pub(super) struct Pace {
    lines: Mutex<HashMap<DeskKey, Arc<Line>>>,
    tickets: AtomicU64,
    interval: Duration,
    burst: u32,
}

impl Pace {
    pub(super) fn new(calls_per_second: u32) -> Self {
        let burst = calls_per_second.max(1);
        Self {
            lines: Mutex::default(),
            tickets: AtomicU64::default(),
            interval: Duration::from_secs(1) / burst,
            burst,
        }
    }

    /// Waits until one more call may be made.
    pub(super) async fn wait(&self, key: &DeskKey, urgency: &Urgency) {
        let line = Arc::clone(unpoisoned(&self.lines).entry(key.clone()).or_default());
        let ticket = self.tickets.fetch_add(1, Ordering::Relaxed);
        let _place = Place {
            line: &line,
            ticket,
        };
        loop {
            // From here on no change is missed.
            let changed = line.changed.notified();
            let answer = unpoisoned(&line.queue).ask(ticket, urgency.level(), self);
            match answer {
                Answer::Go => return,
                Answer::Behind => changed.await,
                Answer::At(free) => {
                    tokio::select! {
                        biased;
                        () = tokio::time::sleep_until(free) => {}
                        () = changed => {}
                    }
                }
            }
        }
    }

    /// Has all that wait look whether they are urgent now.
    pub(super) fn look_again(&self) {
        for line in unpoisoned(&self.lines).values() {
            line.changed.notify_waiters();
        }
    }
}

#[derive(Debug, Default)]
struct Line {
    queue: Mutex<Queue>,
    changed: Notify,
}

/// A place in a line. It is left when the call is made, or given up.
struct Place<'a> {
    line: &'a Line,
    ticket: u64,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        unpoisoned(&self.line.queue).leave(self.ticket);
        self.line.changed.notify_waiters();
    }
}

/// What a call that waits is told.
enum Answer {
    /// It may be made.
    Go,
    /// It is the next, and may be made then.
    At(Instant),
    /// Others go first.
    Behind,
}

/// The calls that wait.
#[derive(Debug, Default)]
struct Queue {
    /// By their levels, and of one level by their tickets: in the order in which they came.
    waiting: BTreeSet<(Reverse<u8>, u64)>,
    /// Urgent calls in a row while others waited.
    since_other: u32,
    /// When the bucket is next full.
    full_at: Option<Instant>,
}

impl Queue {
    fn ask(&mut self, ticket: u64, level: u8, limits: &Pace) -> Answer {
        let place = (Reverse(level), ticket);
        if !self.waiting.contains(&place) {
            self.leave(ticket);
            self.waiting.insert(place);
        }
        if self.next() != Some(ticket) {
            return Answer::Behind;
        }
        let now = Instant::now();
        let full_at = self.full_at.map_or(now, |at| at.max(now)) + limits.interval;
        let free = full_at
            .checked_sub(limits.interval * limits.burst)
            .unwrap_or(now);
        if free > now {
            return Answer::At(free);
        }
        self.full_at = Some(full_at);
        let overtakes = self.urgent() == Some(ticket) && self.other().is_some();
        self.since_other = if overtakes {
            self.since_other.saturating_add(1)
        } else {
            0
        };
        Answer::Go
    }

    /// Who goes next: urgent calls first, but of so many calls one is for the others, or nobody could
    /// even look up the names of an emergency grant.
    fn next(&self) -> Option<u64> {
        let (urgent, other) = (self.urgent(), self.other());
        let others_turn = self.since_other + 1 >= GRANT_SHARE;
        if others_turn {
            other.or(urgent)
        } else {
            urgent.or(other)
        }
    }

    fn urgent(&self) -> Option<u64> {
        let (level, ticket) = self.waiting.first()?;
        (level.0 & URGENT != 0).then_some(*ticket)
    }

    fn other(&self) -> Option<u64> {
        let others = (Reverse(COMMITTED), 0)..;
        self.waiting.range(others).next().map(|(_, ticket)| *ticket)
    }

    fn leave(&mut self, ticket: u64) {
        self.waiting.retain(|(_, waiting)| *waiting != ticket);
    }
}

/// Nothing that holds one of these locks can panic half-way.
fn unpoisoned<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
