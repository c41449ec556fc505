//! How fast AWS is called: for each limit a bucket of calls, and a line in front of it.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::{DeskKey, GRANT_SHARE};

/// Whether the calls of a task take access away. It may be raised while they wait.
#[derive(Clone, Debug, Default)]
pub(super) struct Urgency(Arc<AtomicBool>);

tokio::task_local! {
    static URGENCY: Urgency;
}

impl Urgency {
    pub(super) fn raise(&self) {
        self.0.store(true, Ordering::Release);
    }

    pub(super) fn is_raised(&self) -> bool {
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
            let answer = unpoisoned(&line.queue).ask(ticket, urgency.is_raised(), self);
            match answer {
                Answer::Go => return,
                Answer::Behind => changed.await,
                Answer::At(free) => {
                    tokio::select! {
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

#[derive(Debug, Default)]
struct Queue {
    /// Tickets of calls that take access away, in the order in which they came.
    urgent: VecDeque<u64>,
    /// Tickets of all others.
    others: VecDeque<u64>,
    /// Urgent calls in a row while others waited.
    since_other: u32,
    /// When the bucket is next full.
    full_at: Option<Instant>,
}

impl Queue {
    fn ask(&mut self, ticket: u64, urgent: bool, limits: &Pace) -> Answer {
        if !self.urgent.contains(&ticket) && (urgent || !self.others.contains(&ticket)) {
            self.others.retain(|other| *other != ticket);
            let line = if urgent {
                &mut self.urgent
            } else {
                &mut self.others
            };
            line.push_back(ticket);
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
        self.since_other = if self.urgent.front() == Some(&ticket) && !self.others.is_empty() {
            self.since_other.saturating_add(1)
        } else {
            0
        };
        Answer::Go
    }

    /// Who goes next: urgent calls first, but of so many calls one is for the others, or nobody could
    /// even look up the names of an emergency grant.
    fn next(&self) -> Option<u64> {
        let (urgent, other) = (self.urgent.front(), self.others.front());
        let others_turn = self.since_other + 1 >= GRANT_SHARE;
        match (urgent, other) {
            (Some(_), Some(other)) if others_turn => Some(*other),
            (Some(urgent), _) => Some(*urgent),
            (None, other) => other.copied(),
        }
    }

    fn leave(&mut self, ticket: u64) {
        self.urgent.retain(|waiting| *waiting != ticket);
        self.others.retain(|waiting| *waiting != ticket);
    }
}

/// Nothing that holds one of these locks can panic half-way.
fn unpoisoned<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
