//! An open watch.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use futures::Stream;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{Connection, WatchGate};
use crate::ApiSimulator;
use crate::call::Call;
use crate::fate::WatchFate;
use crate::server::answer::failure;
use crate::server::{Opened, bookmark};
use crate::storage::Event;

/// How often the server sends a bookmark.
const BOOKMARKS: Duration = Duration::from_mins(1);
/// This long before it ends a watch it sends another.
const LAST_BOOKMARK: Duration = Duration::from_secs(2);

/// An open watch, seen from the client.
pub(super) struct WatchStream {
    simulator: ApiSimulator,
    call: Arc<Call>,
    gate: Option<WatchGate>,
    lag: SignedDuration,
    opened: Opened,
    begun: Timestamp,
    deadline: Instant,
    next_bookmark: Option<Instant>,
    /// The next event, until it is due.
    held: Option<Event>,
    /// A line that the gate delays, and what follows it.
    delayed: Option<(Instant, Bytes)>,
    ready: VecDeque<Bytes>,
    over: bool,
}

/// What happens next on a watch.
enum Next {
    Event(Event),
    Delayed,
    Bookmark,
    End,
}

impl WatchStream {
    pub(super) fn new(
        connection: &Connection,
        call: Arc<Call>,
        opened: Opened,
        begun: Instant,
    ) -> Self {
        let lasts = Duration::try_from(opened.lasts).unwrap_or(Duration::MAX);
        let mut stream = Self {
            simulator: connection.simulator.clone(),
            call,
            gate: connection.watch_gate.clone(),
            lag: connection.lag,
            begun: connection.simulator.now(),
            deadline: begun + lasts,
            next_bookmark: None,
            held: None,
            delayed: None,
            ready: VecDeque::new(),
            over: false,
            opened,
        };
        stream.plan_bookmark(begun);
        stream
    }

    /// The lines of the body.
    pub(super) fn lines(self: Box<Self>) -> impl Stream<Item = Bytes> + Send + 'static {
        futures::stream::unfold(self, |mut watch| async move {
            let line = watch.line().await?;
            Some((line, watch))
        })
    }

    async fn line(&mut self) -> Option<Bytes> {
        loop {
            if let Some(line) = self.ready.pop_front() {
                return Some(line);
            }
            if self.over {
                return None;
            }
            if let Some(refused) = self.opened.refused.take() {
                self.over = true;
                return Some(line(&refused));
            }
            if self.opened.first.is_empty()
                && let Some(revision) = self.opened.initial_end.take()
            {
                self.tell(&bookmark(&self.opened.kind, revision, true), None)
                    .await;
                continue;
            }
            match self.next().await {
                Next::Delayed => {
                    let line = self.delayed.take();
                    self.ready.extend(line.map(|(_, line)| line));
                }
                Next::Event(event) => {
                    let due = self.due(&event);
                    self.tell(&event.to_json(), Some(due)).await;
                }
                Next::Bookmark => {
                    self.plan_bookmark(Instant::now());
                    let before = self.simulator.now().saturating_sub(self.lag);
                    let before = before.unwrap_or(Timestamp::MIN);
                    let kind = Arc::clone(&self.opened.kind);
                    let seen = self.simulator.state().seen(&kind.plural, before);
                    self.tell(&bookmark(&kind, seen, false), None).await;
                }
                Next::End => self.over = true,
            }
        }
    }

    async fn next(&mut self) -> Next {
        let deadline = self.deadline;
        let mut ended = self.opened.reader.ended.clone();
        let end = async move {
            tokio::select! {
                () = tokio::time::sleep_until(deadline) => {}
                _ = ended.changed() => {}
            }
        };
        let bookmark = at(self.next_bookmark);
        if let Some((until, _)) = &self.delayed {
            let until = *until;
            return tokio::select! {
                biased;
                () = end => Next::End,
                () = tokio::time::sleep_until(until) => Next::Delayed,
            };
        }
        tokio::select! {
            biased;
            () = end => Next::End,
            event = self.event() => event.map_or(Next::End, Next::Event),
            () = bookmark => Next::Bookmark,
        }
    }

    /// The next event once it is due; none when the server ends the watch.
    async fn event(&mut self) -> Option<Event> {
        if self.held.is_none() {
            self.held = match self.opened.first.pop_front() {
                Some(event) => Some(event),
                None => Some(self.opened.reader.events.recv().await?),
            };
        }
        // It stays held while this waits, since the wait may be given up for a bookmark.
        let wait = self.held.as_ref().map(|event| self.until(self.due(event)));
        if let Some(wait) = wait.filter(|wait| !wait.is_zero()) {
            tokio::time::sleep(wait).await;
        }
        self.held.take()
    }

    fn due(&self, event: &Event) -> Timestamp {
        let due = event
            .time
            .saturating_add(self.lag)
            .unwrap_or(Timestamp::MAX);
        due.max(self.begun)
    }

    fn until(&self, time: Timestamp) -> Duration {
        let left = time.duration_since(self.simulator.now());
        Duration::try_from(left).unwrap_or_default()
    }

    /// Lets an event go its way to the client, as the gate says.
    async fn tell(&mut self, event: &Value, due: Option<Timestamp>) {
        let gate = self.gate.as_ref();
        match gate.map_or(WatchFate::Deliver, |gate| gate(&self.call, event)) {
            WatchFate::Deliver => self.ready.push_back(line(event)),
            WatchFate::Delay(by) => {
                let due = due.unwrap_or_else(|| self.simulator.now());
                let by = SignedDuration::try_from(by).unwrap_or(SignedDuration::MAX);
                let wait = self.until(due.saturating_add(by).unwrap_or(Timestamp::MAX));
                self.delayed = Some((Instant::now() + wait, line(event)));
            }
            WatchFate::Drop => {}
            WatchFate::Duplicate => self.ready.extend([line(event), line(event)]),
            WatchFate::Silence => {
                self.opened.reader.events.close();
                std::future::pending::<()>().await;
            }
            WatchFate::Expire => {
                let message = "too old resource version";
                let status = failure(410, "Expired", message, None);
                self.ready
                    .push_back(line(&json!({"type": "ERROR", "object": status})));
                self.over = true;
            }
            WatchFate::Close => self.over = true,
        }
    }

    /// Plans the next bookmark as the server's cache does.
    fn plan_bookmark(&mut self, now: Instant) {
        if !self.opened.bookmarks {
            return;
        }
        let regular = now + BOOKMARKS;
        let last = self.deadline.checked_sub(LAST_BOOKMARK);
        self.next_bookmark = Some(match last {
            Some(last) if last < regular && last > now => last,
            _ => regular,
        });
    }
}

async fn at(time: Option<Instant>) {
    match time {
        Some(time) => tokio::time::sleep_until(time).await,
        None => std::future::pending().await,
    }
}

fn line(event: &Value) -> Bytes {
    Bytes::from(format!("{event}\n"))
}
