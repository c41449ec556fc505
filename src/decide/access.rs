//! The life of one tuple: what to do next, given its ledger entry and what is known.
//!
//! [`next`] is asked again after every step. It never acts: it says which fact it lacks
//! ([`Step::Read`], [`Step::Confirm`]), what to write, or what to send after that write. The
//! executor supplies facts and carries out writes until the answer is [`Step::Rest`].

use jiff::Timestamp;

use super::authorities::Authorities;
use super::ledger::{
    Authority, Evidence, authority, begin, due_claims, end_of, outstanding_until, send_window,
    settle_window, take_over, tidy,
};
use crate::api::access::{
    AccessState, Attempt, BreakglassAccessSpec, Claim, EndReason, Holder, Operation, Origin,
};
use crate::api::policy::OnExternalRemoval;
use crate::aws::Seen;
use crate::clock::after;
use crate::config::Settings;

/// A reading of AWS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// When it was begun, after the ledger was read that it is held against.
    pub begun: Timestamp,
    /// What it showed.
    pub seen: Seen,
}

/// Everything that the next step depends on.
#[derive(Clone, Copy, Debug)]
pub struct Known<'a> {
    /// The ledger entry.
    pub ledger: &'a BreakglassAccessSpec,
    /// Quorum reads of the claims' grants and the policies, made after the ledger was read.
    pub authorities: Option<&'a Authorities>,
    /// A reading of AWS begun after the ledger was read.
    pub reading: Option<&'a Reading>,
    /// Whether it is time to compare an access at rest with AWS.
    pub drift_due: bool,
    /// This process.
    pub me: &'a Holder,
    /// Random id for an attempt, should one be made.
    pub attempt_id: &'a str,
    /// The time of day.
    pub now: Timestamp,
    /// Times of the protocol.
    pub settings: &'a Settings,
}

/// What to do next.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Nothing, for this reason.
    Rest(Waiting),
    /// Read the tuple in AWS, and ask again.
    Read,
    /// Read the claims' grants and the policies by quorum, and ask again.
    Confirm,
    /// Move these claims to the ended ones.
    End(Vec<(String, EndReason)>),
    /// Take these claims back: they were never attempted, and no policy admits them any more.
    Withdraw(Vec<String>),
    /// Write the ledger.
    Write(Box<BreakglassAccessSpec>),
    /// Write the ledger with its new attempt, then send that.
    Send(Box<BreakglassAccessSpec>, Operation),
}

/// Why there is nothing to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Waiting {
    /// All is as it should be.
    Nothing,
    /// Until then: a write may still take effect, or a second reading is due.
    Until(Timestamp),
    /// Principal, entitlement or account is gone; the text says which.
    Identity(String),
    /// The grants of all claims are unreadable.
    Grants,
    /// The policies can't be read.
    Policies(String),
    /// Nobody knows which account is the management account, which a policy's star does not cover.
    Management,
    /// The machine's clock is wrong.
    Clock,
    /// The ledger contradicts itself: nobody may know whether the access is ours.
    Origin,
}

/// The next step for a tuple.
pub fn next(known: &Known<'_>) -> Step {
    if let Some(step) = ends(known) {
        return step;
    }
    // Nobody else's word counts from here on: what we decide is decided as the one in charge.
    let mut ledger = known.ledger.clone();
    tidy(&mut ledger, known.now);
    let taken_over = authority(&ledger, known.me) != Authority::Ours;
    // Somebody else took the authority over a while ago and waits for what was before him. If he
    // lives he finishes; two that take it from one another would never end.
    let window = settle_window(&ledger.tuple, known.settings);
    let others_turn = known
        .ledger
        .delete_unknown_until
        .filter(|_| authority(&ledger, known.me) == Authority::Other)
        .map(|until| after(until, window))
        .filter(|until| known.now < *until);
    take_over(&mut ledger, known.me, known.now, known.settings);
    let tuple = Life {
        known,
        ledger,
        taken_over,
    };
    let is_due = due_claims(known.ledger, known.now).next().is_some();
    let step = match (known.ledger.state, known.ledger.origin, is_due) {
        (AccessState::Closed, _, false) => Step::Rest(Waiting::Nothing),
        (AccessState::Closed, _, true) => tuple.open(),
        (AccessState::Open, Some(Origin::PreExisting), due) => tuple.watch_pre_existing(due),
        (AccessState::Open, Some(Origin::Created), true) => tuple.keep_open(),
        (AccessState::Open, Some(Origin::Created), false) => tuple.delete(),
        (AccessState::Settling, Some(Origin::Created), true) => tuple.reopen(),
        (AccessState::Settling, Some(Origin::Created), false) => tuple.settle(),
        (AccessState::Open, None, _)
        | (AccessState::Settling, None | Some(Origin::PreExisting), _) => {
            Step::Rest(Waiting::Origin)
        }
    };
    match (step, others_turn) {
        (Step::Write(_), Some(until)) => Step::Rest(Waiting::Until(until)),
        (step, _) => step,
    }
}

/// Claims end first: by time alone, or early, which takes quorum reads.
fn ends(known: &Known<'_>) -> Option<Step> {
    let unknown = Evidence::Unknown;
    let ended: Vec<_> = known
        .ledger
        .claims
        .iter()
        .filter_map(|claim| {
            let evidence = known
                .authorities
                .and_then(|found| found.evidence.get(&claim.uid))
                .unwrap_or(&unknown);
            Some((claim.uid.clone(), end_of(claim, evidence, known.now)?))
        })
        .collect();
    (!ended.is_empty()).then_some(Step::End(ended))
}

struct Life<'a> {
    known: &'a Known<'a>,
    /// The ledger as we would write it: bounds that passed are gone, and the authority is ours.
    ledger: BreakglassAccessSpec,
    /// Whether that took the authority from somebody.
    taken_over: bool,
}

impl Life<'_> {
    /// Closed, and access is due.
    fn open(mut self) -> Step {
        let Some(reading) = self.known.reading else {
            return Step::Read;
        };
        match &reading.seen {
            Seen::Gone(what) => Step::Rest(Waiting::Identity(what.clone())),
            Seen::Absent => self.create(),
            Seen::Present { session_seconds } => {
                // Whether it is somebody else's, the policies of now must say too: the reading may have come late.
                let found = match self.authority() {
                    Ok((found, _)) => found,
                    Err(step) => return step,
                };
                let is_still = |claim: &Claim| found.admitted.get(&claim.uid) == Some(&true);
                let exclusive = self.due().any(|claim| claim.exclusive && is_still(claim));
                self.ledger.origin = Some(if exclusive {
                    Origin::Created
                } else {
                    Origin::PreExisting
                });
                if exclusive {
                    self.ledger.offline_deleter = Some(self.known.me.clone());
                }
                self.ledger.state = AccessState::Open;
                self.ledger.first_absent_time = None;
                self.activate(*session_seconds);
                self.write()
            }
        }
    }

    /// It stood before us: it is never deleted, whatever happens.
    fn watch_pre_existing(mut self, due: bool) -> Step {
        if !due {
            self.close();
            return self.write();
        }
        let reading = match self.look() {
            Ok(reading) => reading,
            Err(step) => return step,
        };
        if let Seen::Present { session_seconds } = reading.seen {
            self.ledger.first_absent_time = None;
            self.activate(session_seconds);
            return self.write_if_changed(Waiting::Nothing);
        }
        match self.second_absence(reading.begun) {
            Absence::Once(until) => self.write_if_changed(Waiting::Until(until)),
            Absence::Twice => {
                let ended = self.ended_by_removal();
                if !ended.is_empty() {
                    return Step::End(ended);
                }
                self.close();
                self.write()
            }
        }
    }

    /// Ours, and access is due.
    fn keep_open(mut self) -> Step {
        if let Some(until) = self.send_window(Operation::Create) {
            return Step::Rest(Waiting::Until(until));
        }
        let reading = match self.look() {
            Ok(reading) => reading,
            Err(step) => return step,
        };
        match &reading.seen {
            Seen::Present { .. } if self.may_be_gone(reading.begun) => self.create(),
            Seen::Present { session_seconds } => {
                self.ledger.first_absent_time = None;
                // A clean stop gave the authority up; somebody must have it when the API server goes.
                self.ledger.offline_deleter = Some(self.known.me.clone());
                self.activate_unless_deleting(reading.begun, *session_seconds)
            }
            Seen::Gone(what) => {
                self.deactivate();
                self.write_if_changed(Waiting::Identity(what.clone()))
            }
            Seen::Absent => {
                if let Some(until) = self.may_be_older(reading.begun) {
                    return self.write_if_changed(Waiting::Until(until));
                }
                let only_ends = self.due().all(|c| {
                    c.active_time.is_some() && c.on_external_removal == OnExternalRemoval::End
                });
                if !only_ends {
                    return self.create();
                }
                match self.second_absence(reading.begun) {
                    Absence::Once(until) => self.write_if_changed(Waiting::Until(until)),
                    Absence::Twice => Step::End(self.ended_by_removal()),
                }
            }
        }
    }

    /// Whether a listing that shows it may be older than our Delete, so that a claim that is not known to have been given
    /// it since may be without. To give a membership that stands is harmless, and its answer is certain.
    fn may_be_gone(&self, begun: Timestamp) -> bool {
        let shown = self.known.ledger.still_listed_until;
        shown.is_some_and(|until| begun < until)
            && self.due().all(|claim| claim.active_time.is_none())
            // That is waited for, whatever is there.
            && self.outstanding(Operation::Delete, begun).is_none()
    }

    /// Until when a listing that lacks it may be older than what made the claims active: taken for a
    /// removal, it would have the same access given again and again.
    fn may_be_older(&self, begun: Timestamp) -> Option<Timestamp> {
        let window = settle_window(&self.ledger.tuple, self.known.settings);
        let known_since = self.due().filter_map(|claim| claim.active_time).min()?;
        Some(after(known_since, window)).filter(|until| begun < *until)
    }

    /// It was being taken away when a new claim came.
    fn reopen(mut self) -> Step {
        let Some(reading) = self.known.reading else {
            return Step::Read;
        };
        match &reading.seen {
            Seen::Gone(what) => Step::Rest(Waiting::Identity(what.clone())),
            Seen::Absent => self.create(),
            Seen::Present { session_seconds } => {
                if self.may_be_gone(reading.begun) {
                    return self.create();
                }
                if self.outstanding(Operation::Delete, reading.begun).is_none() {
                    if let Err(step) = self.authority() {
                        return step;
                    }
                    self.ledger.state = AccessState::Open;
                    self.ledger.first_absent_time = None;
                }
                self.activate_unless_deleting(reading.begun, *session_seconds)
            }
        }
    }

    /// Ours, nothing is due, a Delete was sent: watch until it surely stays away.
    fn settle(mut self) -> Step {
        if let Some(until) = self.send_window(Operation::Delete) {
            return Step::Rest(Waiting::Until(until));
        }
        let window = settle_window(&self.ledger.tuple, self.known.settings);
        let second_reading = self
            .ledger
            .first_absent_time
            .map(|first| after(first, window));
        let Some(reading) = self.known.reading else {
            return match second_reading {
                Some(due) if self.known.now < due => self.write_if_taken_over(Waiting::Until(due)),
                _ => Step::Read,
            };
        };
        if let Seen::Present { session_seconds } = reading.seen {
            let longest = &mut self.ledger.longest_session_seconds;
            *longest = (*longest).max(session_seconds);
            return self.delete();
        }
        // A reading during which a Create might have landed proves nothing.
        let creating = self.outstanding(Operation::Create, reading.begun);
        if let Some(until) = creating {
            return self.write_if_changed(Waiting::Until(until));
        }
        match self.second_absence(reading.begun) {
            Absence::Once(until) => self.write_if_changed(Waiting::Until(until)),
            Absence::Twice => {
                if let Some(until) = self.outstanding(Operation::Delete, self.known.now) {
                    return self.write_if_changed(Waiting::Until(until));
                }
                if self.ledger.offline_deleter.take().is_some() {
                    // The authority goes before the ledger closes, in a write of its own.
                    return self.write();
                }
                self.close();
                self.write()
            }
        }
    }

    /// Writes a Create ahead and sends it, with authority.
    fn create(self) -> Step {
        if let Some(until) = self.send_window(Operation::Create) {
            return Step::Rest(Waiting::Until(until));
        }
        match self.authority() {
            Ok((_, until)) => self.send_until(Operation::Create, until),
            Err(step) => step,
        }
    }

    /// What the grants and the policies say right now, and until when a grant asks for the access; or what to do first
    /// where that is not known, or where they say no.
    fn authority(&self) -> Result<(&Authorities, Timestamp), Step> {
        let found = self.known.authorities.ok_or(Step::Confirm)?;
        if let Some(why) = &found.policies_unreadable {
            return Err(Step::Rest(Waiting::Policies(why.clone())));
        }
        if found.clock_is_wrong {
            return Err(Step::Rest(Waiting::Clock));
        }
        let state = self.known.ledger.state;
        let stands = |claim: &&Claim| match found.evidence.get(&claim.uid) {
            Some(Evidence::Stands(until)) => Some(*until),
            _ => None,
        };
        // What was given once is given back, whatever the policies say.
        let is_open = |claim: &&Claim| match state {
            AccessState::Open => true,
            AccessState::Settling => claim.granted_time.is_some(),
            AccessState::Closed => false,
        };
        let in_doubt = |claim: &&Claim| found.in_doubt.contains(&claim.uid) && !is_open(claim);
        // For a claim that was never given anything: later the claim counts, whatever becomes of the policy.
        if state != AccessState::Open {
            let refused = self.due().filter(|claim| {
                !found.admitted.contains_key(&claim.uid)
                    && stands(claim).is_some()
                    && !in_doubt(claim)
            });
            let (had, had_not): (Vec<_>, Vec<_>) =
                refused.partition(|claim| claim.granted_time.is_some());
            if !had_not.is_empty() {
                let uids = had_not.into_iter().map(|claim| claim.uid.clone());
                return Err(Step::Withdraw(uids.collect()));
            }
            // What stood before was removed by others, and nothing admits that it is given by us.
            let is_absent = |reading: &Reading| matches!(reading.seen, Seen::Absent);
            if state == AccessState::Closed
                && !had.is_empty()
                && self.known.reading.is_some_and(is_absent)
            {
                let reason = EndReason::RemovedExternally;
                let ends = had.into_iter().map(|claim| (claim.uid.clone(), reason));
                return Err(Step::End(ends.collect()));
            }
        }
        let (doubtful, sure): (Vec<_>, Vec<_>) = self.due().partition(in_doubt);
        let until = sure.iter().filter_map(stands).max();
        let had_not = doubtful.iter().filter(|claim| claim.granted_time.is_none());
        let had_not: Vec<_> = had_not.map(|claim| claim.uid.clone()).collect();
        match until {
            Some(until) if had_not.is_empty() => Ok((found, until)),
            // What is given is given to all who claim it: who is not known to be admitted claims it again later.
            Some(_) => Err(Step::Withdraw(had_not)),
            None if doubtful.is_empty() => Err(Step::Rest(Waiting::Grants)),
            None => Err(Step::Rest(Waiting::Management)),
        }
    }

    /// Writes a Delete ahead and sends it. It may not leave any more when the next claim begins.
    fn delete(self) -> Step {
        let starts = self.ledger.claims.iter().map(|claim| claim.start_time);
        let next = starts.filter(|start| self.known.now < *start).min();
        self.send_until(Operation::Delete, next.unwrap_or(Timestamp::MAX))
    }

    fn send_until(mut self, operation: Operation, latest: Timestamp) -> Step {
        let now = self.known.now;
        let attempt = Attempt {
            operation,
            id: self.known.attempt_id.to_owned(),
            holder: self.known.me.clone(),
            written_at: now,
            send_before: after(now, self.known.settings.send_window).min(latest),
        };
        begin(&mut self.ledger, attempt, self.known.settings);
        Step::Send(Box::new(self.ledger), operation)
    }

    /// The reading, or what to do without one.
    fn look(&self) -> Result<Reading, Step> {
        if let Some(reading) = self.known.reading {
            return Ok(reading.clone());
        }
        let waiting = self.due().any(|claim| claim.active_time.is_none())
            || self.ledger.first_absent_time.is_some();
        Err(if waiting || self.known.drift_due {
            Step::Read
        } else {
            Step::Rest(Waiting::Nothing)
        })
    }

    fn send_window(&self, operation: Operation) -> Option<Timestamp> {
        send_window(&self.ledger, operation, self.known.now, self.known.settings)
    }

    fn due(&self) -> impl Iterator<Item = &Claim> {
        due_claims(self.known.ledger, self.known.now)
    }

    /// Until when a write of that kind was outstanding, as of then. A reading begun while one was
    /// proves nothing, however late it is judged: so the ledger is asked as it was read.
    fn outstanding(&self, operation: Operation, at: Timestamp) -> Option<Timestamp> {
        let (read, ours) = (self.known.ledger, &self.ledger);
        let settings = self.known.settings;
        outstanding_until(read, operation, at, settings)
            .max(outstanding_until(ours, operation, at, settings))
    }

    fn activate(&mut self, session_seconds: Option<i64>) {
        let now = self.known.now;
        activate(&mut self.ledger, now, session_seconds, |_| true);
    }

    fn activate_unless_deleting(mut self, begun: Timestamp, session_seconds: Option<i64>) -> Step {
        if let Some(until) = self.outstanding(Operation::Delete, begun) {
            return self.write_if_changed(Waiting::Until(until));
        }
        self.activate(session_seconds);
        self.write_if_changed(Waiting::Nothing)
    }

    fn deactivate(&mut self) {
        for claim in &mut self.ledger.claims {
            claim.active_time = None;
        }
    }

    fn close(&mut self) {
        self.ledger.state = AccessState::Closed;
        self.ledger.origin = None;
        self.ledger.attempt = None;
        self.ledger.offline_deleter = None;
        let gone = self.ledger.first_absent_time.take();
        self.deactivate();
        for ended in &mut self.ledger.ended {
            // It may have been absent, for the first time, while this was still due.
            let at = gone.unwrap_or(self.known.now).max(ended.time);
            ended.gone(at, self.ledger.longest_session_seconds);
            ended.settled = true;
        }
        self.ledger.longest_session_seconds = None;
    }

    fn ended_by_removal(&self) -> Vec<(String, EndReason)> {
        self.due()
            .filter(|claim| {
                claim.active_time.is_some() && claim.on_external_removal == OnExternalRemoval::End
            })
            .map(|claim| (claim.uid.clone(), EndReason::RemovedExternally))
            .collect()
    }

    /// The first reading counts from its end, the second from its beginning: either may have waited in
    /// line for longer than the window.
    fn second_absence(&mut self, begun: Timestamp) -> Absence {
        let window = settle_window(&self.ledger.tuple, self.known.settings);
        let now = self.known.now;
        let first = *self.ledger.first_absent_time.get_or_insert(now);
        let second = after(first, window);
        if begun >= second {
            Absence::Twice
        } else {
            Absence::Once(second)
        }
    }

    fn write(self) -> Step {
        Step::Write(Box::new(self.ledger))
    }

    fn write_if_changed(self, otherwise: Waiting) -> Step {
        if self.ledger == *self.known.ledger {
            Step::Rest(otherwise)
        } else {
            self.write()
        }
    }

    fn write_if_taken_over(self, otherwise: Waiting) -> Step {
        if self.taken_over {
            self.write()
        } else {
            Step::Rest(otherwise)
        }
    }
}

enum Absence {
    Once(Timestamp),
    Twice,
}

/// Marks due claims as active, and keeps the longest session that they allowed.
pub fn activate(
    ledger: &mut BreakglassAccessSpec,
    now: Timestamp,
    session_seconds: Option<i64>,
    which: impl Fn(&Claim) -> bool,
) {
    ledger.longest_session_seconds = ledger.longest_session_seconds.max(session_seconds);
    for claim in &mut ledger.claims {
        if super::ledger::due(claim, now) && claim.active_time.is_none() && which(claim) {
            let since = crate::api::time::whole_seconds(now);
            claim.active_time = Some(since);
            claim.granted_time.get_or_insert(since);
            for ended in &mut ledger.ended {
                ended.gone(now, ledger.longest_session_seconds);
            }
        }
    }
}

/// When to look at a tuple again: never later than the next instant at which the answer may change.
pub fn next_wake(
    ledger: &BreakglassAccessSpec,
    now: Timestamp,
    settings: &Settings,
) -> Option<Timestamp> {
    let claims = ledger
        .claims
        .iter()
        .flat_map(|claim| [claim.start_time, claim.expiry_time]);
    let window = settle_window(&ledger.tuple, settings);
    let others = [
        ledger.first_absent_time.map(|first| after(first, window)),
        ledger.attempt.as_ref().map(|attempt| attempt.send_before),
        outstanding_until(ledger, Operation::Create, now, settings),
        outstanding_until(ledger, Operation::Delete, now, settings),
    ];
    claims
        .chain(others.into_iter().flatten())
        .filter(|at| *at > now)
        .min()
}
