//! Sits on the lines between controllers and what they talk to: what passes is counted, checked, held
//! up, and may be the last that its sender does.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use api_simulator::{Call, Fate as ApiFate, Verb, WatchFate};
use aws_simulator::{Fate as AwsFate, GateCall};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::{Direction, Hold};
use crate::checker::{Checker, Violation};
use crate::network::Network;
use crate::replica::{Lines, Machines, Run};
use crate::report::Report;
use crate::story::Second;

/// Sits on all lines, and tells the checker what passes.
pub(super) struct Observer {
    network: Network,
    seen: Mutex<Seen>,
    crash: mpsc::UnboundedSender<usize>,
    pub(super) begin: Instant,
}

pub(super) struct Seen {
    pub(super) checker: Checker,
    pub(super) report: Report,
    crash_at: Vec<u64>,
    hold: Option<Hold>,
    /// What is on its way for longer is lost.
    longest_way: Duration,
    /// Who stands still, and until when.
    frozen: Vec<(Run, Instant)>,
    /// Runs that are about to be killed: nothing leaves them any more.
    dead: BTreeSet<String>,
    /// Whether the rules are not asked, since somebody breaks them on purpose.
    pub(super) looks_away: bool,
    /// A minute, and how many calls were made in it.
    minute: (Second, u64),
    trace: bool,
}

/// No two controllers have so much to do within a minute: who makes more calls runs in circles.
const BUSY: u64 = 6_000;

impl Seen {
    pub(super) fn on_commit(&mut self, commit: &api_simulator::Commit) {
        if !self.looks_away {
            self.checker.on_commit(commit);
        }
        // kube names Events by the machine's clock.
        if self.trace && commit.resource != "events" {
            let time = commit.time;
            self.report.trace.push(format!(
                "{time} {} {:?} {} {} {:?} -> {}",
                commit.actor,
                commit.verb,
                commit.resource,
                commit.name,
                commit.subresource,
                commit
                    .after
                    .as_ref()
                    .map(|after| {
                        let part = if commit.subresource.as_deref() == Some("status") {
                            "status"
                        } else {
                            "spec"
                        };
                        after.get(part).map(ToString::to_string).unwrap_or_default()
                    })
                    .unwrap_or_default()
            ));
        }
    }

    pub(super) fn violated(&mut self, rule: &'static str, what: String, at: Second) {
        self.checker.violations.push(Violation { rule, at, what });
    }

    pub(super) fn note(&mut self, what: impl FnOnce() -> String) {
        if self.trace {
            let time = self.checker.time();
            self.report.trace.push(format!("{time} -- {}", what()));
        }
    }

    /// Counts a write. True if its sender is to die of it.
    fn is_fatal(&mut self, what: String) -> bool {
        self.report.writes_sent += 1;
        self.checker.on_write(&what);
        if self.report.writes.len() < 20 {
            self.report.writes.push(what);
        }
        self.crash_at.contains(&self.report.writes_sent)
    }

    /// Counts a call. True if whoever makes it runs in circles.
    fn is_circling(&mut self, now: Second, last: impl FnOnce() -> String) -> bool {
        let minute = now / 60;
        if self.minute.0 != minute {
            self.minute = (minute, 0);
        }
        self.minute.1 += 1;
        let circles = self.minute.1 > BUSY;
        if circles {
            let what = format!("{BUSY} calls within a minute, the last: {}", last());
            self.violated("L1", what, now);
        }
        circles
    }

    /// Counts a call. For how long it, and for how long its answer is held up: its sender may stand still already,
    /// or from here on.
    fn count(&mut self, run: &Run) -> (Duration, Duration) {
        self.report.calls_sent += 1;
        let sent = self.report.calls_sent;
        let hold = self.hold.filter(|hold| hold.call == sent);
        if let Some(hold) = hold {
            self.freeze(run, hold.seconds);
        }
        let held_up = self.held_up(run);
        if hold.is_some_and(|hold| hold.answer) {
            (Duration::ZERO, held_up)
        } else {
            (held_up, Duration::ZERO)
        }
    }

    /// It stands still from here on, for so long.
    pub(super) fn freeze(&mut self, run: &Run, seconds: Second) {
        let until = Instant::now() + Duration::from_secs(seconds);
        self.frozen.push((run.clone(), until));
        self.checker.on_frozen(run, seconds);
    }

    /// How long whatever comes from it, or to it, is held up.
    fn held_up(&self, run: &Run) -> Duration {
        let frozen = self.frozen.iter().filter(|(who, _)| who == run);
        let until = frozen.map(|(_, until)| *until).max();
        until.map_or(Duration::ZERO, |until| {
            until.saturating_duration_since(Instant::now())
        })
    }
}

impl Observer {
    /// Hears of every call. Who is to die of one is told to the other end.
    pub(super) fn new(
        network: Network,
        checker: Checker,
        direction: &Direction,
        longest_way: Duration,
    ) -> (Self, mpsc::UnboundedReceiver<usize>) {
        let (crash, crashes) = mpsc::unbounded_channel();
        let seen = Seen {
            checker,
            report: Report::default(),
            crash_at: direction.crash_at.clone(),
            hold: direction.hold,
            longest_way,
            frozen: Vec::new(),
            dead: BTreeSet::new(),
            looks_away: false,
            minute: (0, 0),
            trace: direction.trace,
        };
        let observer = Self {
            network,
            seen: Mutex::new(seen),
            crash,
            begin: Instant::now(),
        };
        (observer, crashes)
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Second {
        self.begin.elapsed().as_secs()
    }

    /// Lets go of records that nobody asks for any more.
    pub(super) fn forget(&self, machines: &Machines) {
        machines.aws.clear_calls();
        self.lock().checker.before_requests_are_forgotten();
        machines.api.forget_requests();
    }

    fn kill(&self, seen: &mut Seen, run: &Run) {
        seen.dead.insert(run.holder.run.clone());
        // The stage is there as long as anything is played.
        let _ = self.crash.send(run.replica);
    }
}

impl Observer {
    /// What becomes of a call to the API server, beside the time that any takes.
    fn api_fate(&self, run: &Run, call: &Call) -> ApiFate {
        let now = self.now();
        let mut fate = self.network.api_fate(run.replica, now, call);
        let mut seen = self.lock();
        seen.report.api_calls += 1;
        if seen.dead.contains(&run.holder.run) {
            return ApiFate::instead(api_simulator::Ending::Hang);
        }
        if !call.is_write() && call.resource != "leases" {
            seen.note(|| {
                let (run, verb, resource) = (&run.holder.run, call.verb, &call.resource);
                format!("{run} {verb:?} {resource} {:?} {fate:?}", call.name)
            });
        }
        if seen.is_circling(now, || format!("{call:?}")) {
            self.kill(&mut seen, run);
            return ApiFate::instead(api_simulator::Ending::Hang);
        }
        if call.resource == "leases" || call.resource == "events" || call.verb == Verb::Watch {
            fate.before += seen.held_up(run);
            return fate;
        }
        let (held_up, answer_held_up) = seen.count(run);
        fate.before += held_up;
        fate.after += answer_held_up;
        if fate.before > seen.longest_way {
            seen.checker.on_cut_off(run);
            return ApiFate::instead(api_simulator::Ending::Hang);
        }
        if fate.is_trouble() {
            seen.checker.on_cut_off(run);
        }
        if call.is_write() {
            let what = format!(
                "{:?} {} {} {:?}",
                call.verb,
                call.resource,
                call.name.as_deref().unwrap_or_default(),
                call.subresource
            );
            if seen.is_fatal(what) {
                self.kill(&mut seen, run);
                return ApiFate::reply(api_simulator::Ending::Hang);
            }
        }
        fate
    }
}

impl Lines for Observer {
    fn api(&self, run: &Run, call: &Call) -> ApiFate {
        let mut fate = self.api_fate(run, call);
        let (there, back) = self.network.api_latency(call);
        fate.before += there;
        fate.after += back;
        fate
    }

    fn event(&self, run: &Run) -> WatchFate {
        let held_up = self.lock().held_up(run);
        if !held_up.is_zero() {
            return WatchFate::Delay(held_up);
        }
        self.network.watch_fate(run.replica, self.now())
    }

    fn aws(&self, run: &Run, call: &GateCall) -> AwsFate {
        let mut fate = self.network.aws_fate(run.replica, self.now(), call);
        let mut seen = self.lock();
        let ending = |ending| AwsFate {
            reply: Some(ending),
            ..AwsFate::default()
        };
        if seen.dead.contains(&run.holder.run) {
            return AwsFate {
                instead: Some(aws_simulator::Ending::Hang),
                ..AwsFate::default()
            };
        }
        if seen.is_circling(self.now(), || format!("{call:?}")) {
            self.kill(&mut seen, run);
            return ending(aws_simulator::Ending::Hang);
        }
        let (held_up, answer_held_up) = seen.count(run);
        fate.before += held_up;
        fate.after += answer_held_up;
        if fate.before > seen.longest_way {
            return AwsFate {
                instead: Some(aws_simulator::Ending::Hang),
                ..AwsFate::default()
            };
        }
        seen.checker.on_send(run, call);
        let line = format!("{} {} {:?}", call.time, call.operation, call.parameters);
        seen.report.aws_call(&line);
        if seen.trace {
            let line = format!("{line} by {} {fate:?}", run.holder.run);
            seen.report.trace.push(line);
        }
        if call.is_write() {
            seen.report.writers.insert(run.replica);
        }
        if call.is_write() && seen.is_fatal(call.operation.clone()) {
            self.kill(&mut seen, run);
            return ending(aws_simulator::Ending::Hang);
        }
        fate
    }
}
