//! What must hold whatever happens: the rules of the ledger protocol, held against random histories.
//!
//! A model of AWS and of the executor carries out what [`next`] says, one step at a time. Between
//! steps, claims come and go, grants end, people change AWS, replies get lost, the holder changes,
//! and time passes.

use jiff::Timestamp;
use proptest::prelude::*;

use super::access::{Known, Reading, Step, Waiting, activate, next, next_wake};
use super::authorities::Authorities;
use super::fixtures::{at, claim, holder, ledger};
use super::ledger::{Evidence, deleted, due, due_claims, end, outstanding_until};
use crate::api::access::{AccessState, BreakglassAccessSpec, Claim, EndReason, Operation, Origin};
use crate::api::policy::OnExternalRemoval;
use crate::aws::Seen;
use crate::config::Settings;

/// What happens to a tuple from outside.
#[derive(Clone, Debug)]
enum Event {
    /// Seconds pass.
    Wait(i64),
    /// A grant is claimed, to start so many seconds from now and to last so many.
    Claim {
        starts_in: i64,
        lasts: i64,
        end_on_removal: bool,
    },
    /// A grant ends early: revoked, deleted, denied.
    Revoke(usize),
    /// The grant of a claim becomes unreadable, or readable again.
    Hide(usize),
    /// Policies become unreadable, or readable again.
    HidePolicies,
    /// No Allow policy admits the grant of a claim any more, or one does again.
    Unadmit(usize),
    /// From now on so many seconds pass between a reading and the decision that rests on it.
    Slow(i64),
    /// A person adds or removes the access in AWS.
    Meddle(bool),
    /// Another process takes over. The old one may be cut off rather than dead, and take expired
    /// access away without the ledger, which has its effect so many seconds later.
    Restart {
        same_pod: bool,
        cut_off: Option<i64>,
    },
    /// From now on readings show what was so many seconds ago.
    Lag(i64),
    /// The controller takes so many steps; each write to AWS may fail in one of these ways.
    Run(Vec<Reply>),
}

#[derive(Clone, Copy, Debug)]
enum Reply {
    /// It takes effect, and we hear of it.
    Heard,
    /// It takes effect, and the reply is lost.
    Lost,
    /// It takes effect so many seconds after the reply was given up.
    Late(i64),
    /// It never takes effect, and nobody tells.
    Vanished,
    /// It is refused.
    Refused,
}

/// Whose hand changed AWS.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Hand {
    Ours,
    Persons,
}

struct World {
    ledger: BreakglassAccessSpec,
    settings: Settings,
    now: i64,
    present: bool,
    /// What was there in each of the last seconds, the latest last.
    past: Vec<bool>,
    /// How old readings are, in seconds; less than the settle window.
    lag: usize,
    /// Who gave or took it last.
    by: Hand,
    /// Writes that take effect later.
    late: Vec<(i64, Operation)>,
    pod: u32,
    run: u32,
    grants: Vec<(Claim, Evidence)>,
    hidden: Vec<bool>,
    policies_hidden: bool,
    admitted: Vec<bool>,
    slow: i64,
    attempts: u64,
}

impl World {
    fn new(present: bool) -> Self {
        let seconds = std::time::Duration::from_secs;
        let settings = Settings {
            iam_settle_window: seconds(5),
            send_window: seconds(3),
            unknown_outcome: seconds(20),
            offline_authority: seconds(10),
            ..Settings::default()
        };
        Self {
            ledger: ledger(Vec::new()),
            settings,
            now: 0,
            present,
            past: vec![present; 8],
            lag: 0,
            by: Hand::Persons,
            late: Vec::new(),
            pod: 0,
            run: 0,
            grants: Vec::new(),
            hidden: Vec::new(),
            policies_hidden: false,
            admitted: Vec::new(),
            slow: 0,
            attempts: 0,
        }
    }

    fn me(&self) -> crate::api::access::Holder {
        crate::api::access::Holder {
            pod: format!("pod-{}", self.pod),
            run: self.run.to_string(),
        }
    }

    fn is_foreign(&self) -> bool {
        self.present && self.by == Hand::Persons
    }

    fn time(&self) -> Timestamp {
        at(self.now)
    }

    fn covered(&self) -> bool {
        self.grants.iter().any(|(claim, evidence)| {
            due(claim, self.time())
                && matches!(evidence, Evidence::Stands(until) if self.time() < *until)
        })
    }

    fn pass(&mut self, seconds: i64) {
        for _ in 0..seconds {
            self.now += 1;
            let due: Vec<_> = self
                .late
                .iter()
                .filter(|(when, _)| *when <= self.now)
                .map(|(_, op)| *op)
                .collect();
            self.late.retain(|(when, _)| *when > self.now);
            for operation in due {
                let active =
                    due_claims(&self.ledger, self.time()).any(|claim| claim.active_time.is_some());
                assert!(
                    operation == Operation::Create || !active,
                    "a late Delete hit an access called active (M4)"
                );
                self.take_effect(operation);
            }
            self.past.remove(0);
            self.past.push(self.present);
        }
    }

    /// What a reading shows now.
    fn seen(&self) -> Seen {
        let shown = if self.lag == 0 {
            self.present
        } else {
            self.past[self.past.len() - self.lag]
        };
        if shown {
            Seen::Present {
                session_seconds: None,
            }
        } else {
            Seen::Absent
        }
    }

    fn take_effect(&mut self, operation: Operation) {
        self.present = operation == Operation::Create;
        self.by = Hand::Ours;
    }

    fn authorities(&self) -> Authorities {
        let mut found = Authorities {
            policies_unreadable: self.policies_hidden.then(|| "hidden".to_owned()),
            ..Authorities::default()
        };
        for (index, (claim, evidence)) in self.grants.iter().enumerate() {
            let evidence = if self.hidden[index] {
                Evidence::Unknown
            } else {
                evidence.clone()
            };
            found.evidence.insert(claim.uid.clone(), evidence);
            if self.admitted[index] {
                found.admitted.insert(claim.uid.clone(), claim.exclusive);
            }
        }
        found
    }

    /// One turn of the executor. Tells why it rests.
    fn turn(&mut self, replies: &mut impl Iterator<Item = Reply>) -> Waiting {
        let mut sent = false;
        for _ in 0..12 {
            let mut reading = None;
            let mut authorities = None;
            let step = loop {
                self.attempts += 1;
                let step = next(&Known {
                    ledger: &self.ledger,
                    authorities: authorities.as_ref(),
                    reading: reading.as_ref(),
                    drift_due: true,
                    me: &self.me(),
                    attempt_id: &self.attempts.to_string(),
                    now: self.time(),
                    settings: &self.settings,
                });
                match step {
                    Step::Read => {
                        assert!(reading.is_none(), "asks for a reading twice");
                        reading = Some(Reading {
                            begun: self.time(),
                            seen: self.seen(),
                        });
                        self.pass(self.slow);
                    }
                    Step::Confirm => {
                        assert!(authorities.is_none(), "asks for quorum reads twice");
                        authorities = Some(self.authorities());
                    }
                    other => break other,
                }
            };
            match step {
                Step::Rest(waiting) => return waiting,
                Step::Read | Step::Confirm => unreachable!(),
                Step::End(ended) => {
                    let now = self.time();
                    end(&mut self.ledger, &ended, now);
                }
                Step::Withdraw(uids) => self
                    .ledger
                    .claims
                    .retain(|claim| !uids.contains(&claim.uid)),
                Step::Write(written) => {
                    if written.state == AccessState::Closed
                        && self.ledger.state != AccessState::Closed
                    {
                        self.check_closing();
                    }
                    self.check_calling_active(&written);
                    self.ledger = *written;
                }
                // One write a turn: a stale listing must not make it two.
                Step::Send(..) if sent => return Waiting::Until(self.time()),
                Step::Send(written, operation) => {
                    sent = true;
                    if operation == Operation::Create && self.ledger.state != AccessState::Open {
                        self.check_opening();
                    }
                    self.ledger = *written;
                    self.check_sending(operation, authorities.as_ref());
                    self.send(operation, replies.next().unwrap_or(Reply::Heard));
                }
            }
        }
        panic!("no rest after a dozen steps: {:#?}", self.ledger);
    }

    /// R1, R2, R4, R5, R6: asked before every write to AWS.
    fn check_sending(&self, operation: Operation, authorities: Option<&Authorities>) {
        let attempt = self
            .ledger
            .attempt
            .as_ref()
            .expect("a write without a record (R5)");
        assert_eq!(attempt.operation, operation);
        assert_eq!(
            self.ledger.origin,
            Some(Origin::Created),
            "a write to what is not ours (R4)"
        );
        match operation {
            Operation::Create => {
                assert!(authorities.is_some(), "a Create without quorum reads (R1)");
                assert!(self.covered(), "a Create that no grant covers (R1)");
                let last = self
                    .grants
                    .iter()
                    .filter(|(claim, _)| due(claim, self.time()))
                    .map(|(c, _)| c.expiry_time)
                    .max();
                assert!(
                    attempt.send_before <= last.unwrap(),
                    "a Create may be sent after expiry (R2)"
                );
                assert!(
                    !self.policies_hidden,
                    "a Create while a policy can't be read"
                );
            }
            Operation::Delete => {
                let kept = self
                    .ledger
                    .claims
                    .iter()
                    .any(|claim| due(claim, self.time()));
                assert!(!kept, "a Delete while a claim stands (R6)");
            }
        }
    }

    /// R1: the first Create for a claim needs a policy that admits it at that moment.
    fn check_opening(&self) {
        let admitted = self.grants.iter().zip(&self.admitted);
        let due = due_claims(&self.ledger, self.time());
        let mut due = due.map(|claim| claim.uid.as_str());
        let admits = |uid: &str| {
            admitted
                .clone()
                .any(|((claim, _), admitted)| claim.uid == uid && *admitted)
        };
        assert!(due.any(admits), "opened for what no policy admits (R1)");
    }

    /// R3: asked when a ledger that was ours closes.
    fn check_closing(&self) {
        if self.ledger.origin == Some(Origin::Created) {
            assert!(!self.present, "closed while the access is there (R3)");
            for operation in [Operation::Create, Operation::Delete] {
                let until = outstanding_until(&self.ledger, operation, self.time(), &self.settings);
                assert_eq!(
                    until, None,
                    "closed while a {operation:?} may still take effect (R3)"
                );
            }
            assert!(
                self.late.is_empty(),
                "closed, and a write is still to take effect (R3)"
            );
        }
    }

    /// R12: a listing that is older than our Delete gives nobody access.
    fn check_calling_active(&self, written: &BreakglassAccessSpec) {
        let taken = !self.present && self.by == Hand::Ours;
        let claims = self.ledger.claims.iter().zip(&written.claims);
        let mut newly = claims.filter(|(before, after)| {
            assert_eq!(before.uid, after.uid);
            before.active_time.is_none() && after.active_time.is_some()
        });
        assert!(
            !taken || newly.next().is_none(),
            "called active, and we had taken it away (R12)"
        );
    }

    fn send(&mut self, operation: Operation, reply: Reply) {
        match reply {
            Reply::Heard => {
                self.take_effect(operation);
                self.ledger.attempt = None;
                let deleting =
                    outstanding_until(&self.ledger, Operation::Delete, self.time(), &self.settings);
                let now = self.time();
                match operation {
                    Operation::Create if deleting.is_none() => {
                        activate(&mut self.ledger, now, None, |_| true);
                    }
                    Operation::Create => {}
                    Operation::Delete => deleted(&mut self.ledger, now, &self.settings),
                }
            }
            Reply::Lost => self.take_effect(operation),
            Reply::Late(seconds) => self.late.push((self.now + seconds, operation)),
            Reply::Vanished => {}
            Reply::Refused => self.ledger.attempt = None,
        }
    }

    fn happen(&mut self, event: &Event) {
        match event {
            Event::Wait(seconds) => self.pass(*seconds),
            Event::Claim {
                starts_in,
                lasts,
                end_on_removal,
            } => {
                let uid = format!("uid-{}", self.grants.len());
                let start = self.now + starts_in;
                let mut claim = claim(&uid, start, start + lasts);
                if *end_on_removal {
                    claim.on_external_removal = OnExternalRemoval::End;
                }
                self.grants
                    .push((claim.clone(), Evidence::Stands(claim.expiry_time)));
                self.hidden.push(false);
                self.admitted.push(true);
                self.ledger.claims.push(claim);
            }
            Event::Revoke(which) => {
                let count = self.grants.len().max(1);
                if let Some((claim, evidence)) = self.grants.get_mut(which % count) {
                    *evidence = Evidence::Ends(EndReason::RevokedByRequest);
                    // The accesses controller books it, by its own quorum read.
                    let uid = claim.uid.clone();
                    end(
                        &mut self.ledger,
                        &[(uid, EndReason::RevokedByRequest)],
                        at(self.now),
                    );
                }
            }
            Event::Hide(which) => {
                let count = self.hidden.len().max(1);
                if let Some(hidden) = self.hidden.get_mut(which % count) {
                    *hidden = !*hidden;
                }
            }
            Event::Unadmit(which) => {
                let count = self.admitted.len().max(1);
                if let Some(admitted) = self.admitted.get_mut(which % count) {
                    *admitted = !*admitted;
                }
            }
            Event::Slow(seconds) => self.slow = *seconds,
            Event::HidePolicies => self.policies_hidden = !self.policies_hidden,
            Event::Meddle(present) => {
                // That a person adds what our own unresolved write is about is a stated residue.
                let unresolved = self.ledger.state != AccessState::Closed || !self.late.is_empty();
                if *present && (unresolved || self.present) {
                    return;
                }
                self.present = *present;
                self.by = Hand::Persons;
                // A person's change that a stale listing does not show is a stated residue.
                self.past.fill(*present);
            }
            Event::Lag(seconds) => self.lag = usize::try_from(*seconds).unwrap(),
            Event::Restart { same_pod, cut_off } => {
                if let (false, Some(seconds)) = (same_pod, cut_off) {
                    self.delete_unrecorded(*seconds);
                }
                if !same_pod {
                    self.pod += 1;
                }
                self.run += 1;
            }
            Event::Run(replies) => {
                let foreign_before = self.is_foreign();
                let mut replies = replies.iter().copied();
                self.turn(&mut replies);
                if foreign_before {
                    assert!(
                        self.is_foreign(),
                        "what was there before us was touched (R4)"
                    );
                }
            }
        }
    }

    /// What a process does that is cut off from the ledger: it deletes what has expired by the
    /// ledger as it last saw it, as long as its authority lasts.
    fn delete_unrecorded(&mut self, seconds: i64) {
        let ours = self.ledger.offline_deleter == Some(self.me())
            && self.ledger.origin == Some(Origin::Created);
        let expiry = self
            .ledger
            .claims
            .iter()
            .map(|claim| claim.expiry_time)
            .max()
            .unwrap_or(self.time());
        let sent = self.time().max(expiry);
        let wait = sent.as_second() - self.time().as_second();
        if ours && self.ledger.state != AccessState::Closed && wait < 10 {
            self.late
                .push((self.now + wait + seconds, Operation::Delete));
        }
    }

    /// Faults stop. All must come to rest, as it should be.
    fn settle(&mut self) {
        self.policies_hidden = false;
        self.lag = 0;
        self.slow = 0;
        self.hidden.fill(false);
        let last = self
            .grants
            .iter()
            .map(|(claim, _)| claim.expiry_time)
            .max()
            .unwrap_or(self.time());
        for _ in 0..400 {
            self.turn(&mut std::iter::empty());
            let over = self.time() > last;
            if over && self.ledger.state == AccessState::Closed && self.ledger.claims.is_empty() {
                break;
            }
            self.pass(3);
        }
        assert_eq!(
            self.ledger.state,
            AccessState::Closed,
            "never came to rest: {:#?}",
            self.ledger
        );
        assert!(
            !self.present || self.is_foreign(),
            "access of ours is left (R3)"
        );
        // L1: nothing is done any more.
        let before = self.ledger.clone();
        assert_eq!(self.turn(&mut std::iter::empty()), Waiting::Nothing);
        assert_eq!(self.ledger, before);
    }
}

fn event() -> impl Strategy<Value = Event> {
    let reply = prop_oneof![
        4 => Just(Reply::Heard),
        1 => Just(Reply::Lost),
        2 => (0i64..22).prop_map(Reply::Late),
        1 => Just(Reply::Vanished),
        2 => Just(Reply::Refused),
    ];
    prop_oneof![
        4 => prop_oneof![1i64..3, 3i64..12, 12i64..30].prop_map(Event::Wait),
        3 => (0i64..4, prop_oneof![1i64..4, 4i64..40], any::<bool>())
            .prop_map(|(starts_in, lasts, end_on_removal)| Event::Claim { starts_in, lasts, end_on_removal }),
        1 => any::<usize>().prop_map(Event::Revoke),
        1 => any::<usize>().prop_map(Event::Hide),
        1 => Just(Event::HidePolicies),
        1 => any::<usize>().prop_map(Event::Unadmit),
        1 => (0i64..5).prop_map(Event::Slow),
        1 => any::<bool>().prop_map(Event::Meddle),
        1 => (any::<bool>(), prop::option::of(0i64..18))
            .prop_map(|(same_pod, cut_off)| Event::Restart { same_pod, cut_off }),
        2 => (0i64..5).prop_map(Event::Lag),
        6 => prop::collection::vec(reply, 0..4).prop_map(Event::Run),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_history_keeps_the_rules_and_comes_to_rest(
        present in any::<bool>(),
        events in prop::collection::vec(event(), 1..40),
    ) {
        let mut world = World::new(present);
        for event in &events {
            world.happen(event);
        }
        world.settle();
    }

    #[test]
    fn nobody_sleeps_over_a_boundary(
        claims in prop::collection::vec((0i64..100, 1i64..100), 0..5),
        now in 0i64..200,
    ) {
        let claims: Vec<_> = claims
            .iter()
            .enumerate()
            .map(|(i, (start, lasts))| claim(&i.to_string(), *start, start + lasts))
            .collect();
        let boundaries: Vec<_> = claims.iter().flat_map(|c| [c.start_time, c.expiry_time]).collect();
        let wake = next_wake(&ledger(claims), at(now), &Settings::default());
        let first = boundaries.into_iter().filter(|b| *b > at(now)).min();
        prop_assert_eq!(wake, first);
    }
}

/// R12. It is asked for again right after it was taken away, while readings still show it; and what is to give it back
/// has no effect.
#[test]
fn nobody_has_what_was_taken_away_because_a_reading_is_old() {
    for (reply, heard_after) in [(Reply::Refused, 1), (Reply::Vanished, 3)] {
        let mut world = World::new(false);
        let claim = |lasts| Event::Claim {
            starts_in: 0,
            lasts,
            end_on_removal: false,
        };
        for event in [
            claim(3),
            Event::Run(Vec::new()),
            Event::Wait(3),
            Event::Lag(4),
            Event::Run(Vec::new()),
            claim(30),
            Event::Run(vec![reply]),
            Event::Wait(heard_after),
            Event::Run(Vec::new()),
        ] {
            world.happen(&event);
        }
        assert!(world.present, "{reply:?}: {:#?}", world.ledger);
        world.settle();
    }
}

#[test]
fn a_revoke_needs_no_grant_no_policy_and_no_reading() {
    let mut ledger = ledger(vec![claim("uid", 0, 10)]);
    ledger.state = AccessState::Open;
    ledger.origin = Some(Origin::Created);
    let known = |ledger: &BreakglassAccessSpec| {
        next(&Known {
            ledger,
            authorities: None,
            reading: None,
            drift_due: false,
            me: &holder("pod"),
            attempt_id: "1",
            now: at(10),
            settings: &Settings::default(),
        })
    };
    let Step::End(ended) = known(&ledger) else {
        panic!("an expired claim ends first")
    };
    assert_eq!(ended, [("uid".to_owned(), EndReason::Expired)]);
    end(&mut ledger, &[("uid".into(), EndReason::Expired)], at(10));
    assert!(matches!(known(&ledger), Step::Send(_, Operation::Delete)));
    assert_eq!(due_claims(&ledger, at(10)).count(), 0);
}
