//! Who goes first where many wait, asked of what is sent at last: what must go has not stood behind
//! what is to come, an emergency not behind everything that goes, and nothing behind what is stuck.

use std::collections::VecDeque;

use aws_simulator::{GateCall, IamOutage, Service};
use breakglass::api::access::{Claim, Operation};
use jiff::{SignedDuration, Timestamp};

use super::Checker;
use super::rows::Key;
use crate::replica::Run;

/// What a process has sent of late to one service of one account or instance.
#[derive(Debug, Default)]
pub(super) struct Line(VecDeque<(Timestamp, Option<Operation>)>);

/// How much of it was sent since some time.
struct Sent {
    calls: i64,
    creates: i64,
    deletes: i64,
}

/// Turns that may be under way when something begins to wait.
const UNDER_WAY: i64 = 8;
/// One of so many turns is a grant's while grants wait.
const SHARE: i64 = 8;
/// Calls in a second.
const PACE: i64 = 8;
/// What a turn may take by itself: its reads, its record, and all they wait for.
const TURN: i64 = 60;
/// Nothing waits longer.
const KEPT: SignedDuration = SignedDuration::from_hours(2);

impl Line {
    fn push(&mut self, now: Timestamp, operation: Option<Operation>) {
        while self.0.front().is_some_and(|(at, _)| *at < now - KEPT) {
            self.0.pop_front();
        }
        self.0.push_back((now, operation));
    }

    fn since(&self, time: Timestamp) -> Sent {
        let mut sent = Sent {
            calls: 0,
            creates: 0,
            deletes: 0,
        };
        for (_, operation) in self.0.iter().rev().take_while(|(at, _)| *at >= time) {
            sent.calls += 1;
            sent.creates += i64::from(*operation == Some(Operation::Create));
            sent.deletes += i64::from(*operation == Some(Operation::Delete));
        }
        sent
    }
}

impl Checker {
    /// A process makes that call.
    pub(super) fn stands_in_line(
        &mut self,
        run: &Run,
        call: &GateCall,
        operation: Option<Operation>,
    ) {
        let now = self.aws.now();
        let line = self.lines.entry(line_of(run, call)).or_default();
        line.push(now, operation);
    }

    /// Since when somebody has surely been in charge of that with nothing in his way: where one died nobody is until his
    /// lease has ended.
    fn led_since(&self, key: &Key) -> Timestamp {
        let led_since = self.died + self.lease + SignedDuration::from_secs(TURN);
        self.undisturbed_since(key).max(led_since)
    }

    /// The first Delete for what was due then.
    pub(super) fn on_first_delete(
        &mut self,
        run: &Run,
        call: &GateCall,
        key: &Key,
        due: Timestamp,
    ) {
        let now = self.aws.now();
        if due <= self.led_since(key) || due > now {
            return;
        }
        let Some(line) = self.lines.get(&line_of(run, call)) else {
            return;
        };
        let sent = line.since(due);
        let waited = now.duration_since(due).as_secs();
        let most = UNDER_WAY + (sent.creates + sent.deletes) / SHARE;
        if sent.creates + sent.deletes > UNDER_WAY {
            self.ask("L3", sent.creates <= most, || {
                format!(
                    "{key:?} was due at {due}, and {} creates went before",
                    sent.creates
                )
            });
        }
        if self.is_stuck_elsewhere(key) {
            let most = TURN + self.unseen_for(key, due) + sent.calls / PACE;
            self.ask("L4", waited <= most, || {
                format!(
                    "{key:?} was due at {due}, and only others are stuck: {waited} s, {} calls",
                    sent.calls
                )
            });
        }
    }

    /// For how many seconds it may be that nobody knows that there is something to take away: a listing does not show yet
    /// what has just been given, and then it is looked for again only after the settle window.
    fn unseen_for(&self, key: &Key, due: Timestamp) -> i64 {
        let given = self.rows.get(key).and_then(|row| row.given);
        let shown = given.map_or(due, |given| given + self.staleness(key));
        match shown.duration_since(due).as_secs() {
            ..=0 => 0,
            unseen => unseen + self.settle_window(key).as_secs(),
        }
    }

    /// A Create for these claims: for those that nothing was tried for before, the first.
    pub(super) fn on_first_create(
        &mut self,
        run: &Run,
        call: &GateCall,
        name: &str,
        claims: &[Claim],
    ) {
        let Some(ledger) = self.ledgers.get(name) else {
            return;
        };
        let key = Key::from(&ledger.spec().tuple);
        let led_since = self.led_since(&key);
        let Some(ledger) = self.ledgers.get_mut(name) else {
            return;
        };
        let waited = claims.iter().filter_map(|claim| {
            let since = ledger.waiting.remove(&claim.uid)?;
            Some((since.max(claim.start_time), &claim.grant.name))
        });
        let waited = waited.map(|(since, who)| (since, who.clone())).min();
        let Some((since, who)) = waited.filter(|(since, _)| *since > led_since) else {
            return;
        };
        let Some(line) = self.lines.get(&line_of(run, call)) else {
            return;
        };
        let sent = line.since(since);
        if sent.deletes > UNDER_WAY {
            let most = UNDER_WAY + SHARE * (sent.creates + 1);
            self.ask("L3", sent.deletes <= most, || {
                let deletes = sent.deletes;
                format!("{who} waited since {since}, and {deletes} deletes went before")
            });
        }
        if self.is_stuck_elsewhere(&key) {
            let waited = self.aws.now().duration_since(since).as_secs();
            let most = TURN + sent.calls / PACE;
            self.ask("L4", waited <= most, || {
                let calls = sent.calls;
                format!("{who} waited since {since}, and only others are stuck: {waited} s, {calls} calls")
            });
        }
    }

    /// Whether AWS keeps something from being done for the time being, and not this.
    fn is_stuck_elsewhere(&self, key: &Key) -> bool {
        let outages = self.aws.settings().outages;
        let iam = outages.iam != IamOutage::None;
        let suspended = self.aws.suspended_accounts();
        let any = iam || outages.identity_center || !suspended.is_empty();
        let this = match key {
            Key::Iam(id, ..) => iam || suspended.contains(id),
            Key::Assignment(id, ..) => outages.identity_center || suspended.contains(id),
            Key::Group(..) => outages.identity_center,
        };
        any && !this && outages.throttling == 0.0
    }
}

fn line_of(run: &Run, call: &GateCall) -> (String, Service, String) {
    (run.holder.run.clone(), call.service, call.account.clone())
}
