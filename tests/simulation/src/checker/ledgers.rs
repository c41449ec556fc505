//! The ledger entries, and what each change of one says.

use std::collections::BTreeMap;
use std::sync::Arc;

use breakglass::api::access::{
    AccessState, Attempt, BreakglassAccess, BreakglassAccessSpec, Claim, EndReason, Operation,
    Origin,
};
use breakglass::api::tuple::Tuple;
use jiff::{SignedDuration, Timestamp};

use super::authority::names;
use super::grants::{Asked, PolicySet};
use super::rows::{Key, Row, Whose};
use super::{Checker, TURN};

/// A ledger entry as the API server has it, and what it was.
#[derive(Debug)]
pub struct Ledger {
    /// As it is.
    pub access: Arc<BreakglassAccess>,
    /// When the tuple last became ours; none while it is not.
    pub ours_since: Option<Timestamp>,
    /// Attempts by id: the ledger that announced each, when, and whether it was sent.
    pub attempts: BTreeMap<String, Announced>,
    /// When the last claim ended while the access was open.
    pub due_since: Option<Timestamp>,
    /// Processes, by run, that might once delete without the ledger, and until when they were named.
    pub deleters: BTreeMap<String, Timestamp>,
    /// Claims, by uid, for which nothing was created yet, and since when they are there.
    pub waiting: BTreeMap<String, Timestamp>,
    /// Claims, by uid, that were made or lengthened: when last, and their end before, if there was one.
    extended: BTreeMap<String, (Timestamp, Option<Timestamp>)>,
}

/// An attempt as it was announced.
#[derive(Debug)]
pub struct Announced {
    /// The record.
    pub attempt: Attempt,
    /// The whole ledger in that write.
    pub ledger: Arc<BreakglassAccess>,
    /// When it was acknowledged.
    pub at: Timestamp,
    /// Whether a request was sent for it.
    pub sent: bool,
}

impl Ledger {
    pub fn spec(&self) -> &BreakglassAccessSpec {
        &self.access.spec
    }

    /// Claims for which access is due now, also by a clock that is a little off.
    pub fn covering(&self, now: Timestamp, skew: SignedDuration) -> impl Iterator<Item = &Claim> {
        due(self.spec(), now, skew)
    }

    /// Whether all that cover it were made or lengthened since then, and are over by their ends before, so
    /// that whoever was cut off since may end them.
    pub fn ends_at_old_expiry(
        &self,
        since: Timestamp,
        now: Timestamp,
        skew: SignedDuration,
    ) -> bool {
        self.covering(now, skew).all(|claim| {
            self.extended
                .get(&claim.uid)
                .is_some_and(|(at, end)| *at >= since && end.is_none_or(|end| end <= now + skew))
        })
    }
}

/// A claim is made so long before its start at most, so that no gap is left.
pub const CLAIMED_BEFORE: SignedDuration = SignedDuration::from_secs(60);

/// Claims for which access is due at that time, whatever the clock.
pub fn due(
    ledger: &BreakglassAccessSpec,
    now: Timestamp,
    skew: SignedDuration,
) -> impl Iterator<Item = &Claim> {
    ledger
        .claims
        .iter()
        .filter(move |claim| claim.start_time + skew <= now && now + skew < claim.expiry_time)
}

impl Checker {
    pub(super) fn ledger_of(&self, key: &Key) -> Option<(&String, &Ledger)> {
        self.ledgers
            .iter()
            .find(|(_, ledger)| Key::from(&ledger.spec().tuple) == *key)
    }

    pub(super) fn on_ledger(
        &mut self,
        (now, actor): (Timestamp, &str),
        name: &str,
        before: Option<&BreakglassAccess>,
        after: Option<Arc<BreakglassAccess>>,
    ) {
        let Some(after) = after else {
            return self.on_removed(name);
        };
        let none = Vec::new();
        let old = before.map(|access| &access.spec);
        let new = &after.spec;
        let claims_before = old.map_or(&none, |old| &old.claims);
        for claim in &new.claims {
            let same = claims_before.iter().find(|old| old.uid == claim.uid);
            self.on_claim((now, actor), new, claim, same);
        }
        for claim in claims_before {
            if new.claims.iter().any(|left| left.uid == claim.uid) {
                continue;
            }
            let ended = new.ended.iter().find(|ended| ended.uid == claim.uid);
            if let Some(ended) = ended {
                if ended.reason != EndReason::Expired {
                    self.ask_whether_synced(actor, "an early end");
                    // That was seen in AWS.
                    if ended.reason != EndReason::RemovedExternally {
                        self.ask_whether_read(actor, claim, ended.reason, now);
                    }
                }
                self.promises.ended(&new.tuple, claim, ended.time);
                self.on_end(now, claim, ended.reason, old.unwrap_or(new));
            } else {
                let attempted = old.is_some_and(|old| old.state != AccessState::Closed);
                self.ask("R5", !attempted, || {
                    format!("the claim of {} vanished from {name}", claim.grant.name)
                });
            }
        }
        if let Some(old) = old {
            self.on_state(name, old, new);
        }
        self.put_ledger(now, after);
    }

    /// Takes a version of a ledger entry in.
    pub(super) fn put_ledger(&mut self, now: Timestamp, after: Arc<BreakglassAccess>) {
        let new = &after.spec;
        let name = after.metadata.name.clone().unwrap_or_default();
        if let Some(before) = self.ledgers.get(&name) {
            self.recorded.take_in(before.spec(), now);
        }
        self.recorded.take_in(new, Timestamp::MAX);
        let names = self.known_as.entry(Key::from(&new.tuple)).or_default();
        if !names.contains(&new.tuple) {
            names.push(new.tuple.clone());
        }
        let new_entry = !self.ledgers.contains_key(&name);
        let ledger = self.ledgers.entry(name).or_insert_with(|| Ledger {
            access: Arc::clone(&after),
            ours_since: None,
            attempts: BTreeMap::new(),
            due_since: None,
            deleters: BTreeMap::new(),
            waiting: BTreeMap::new(),
            extended: BTreeMap::new(),
        });
        ledger
            .waiting
            .retain(|uid, _| new.claims.iter().any(|claim| claim.uid == *uid));
        let ours = new.state != AccessState::Closed && new.origin == Some(Origin::Created);
        ledger.ours_since = ours.then(|| ledger.ours_since.unwrap_or(now));
        for claim in &new.claims {
            let before = &ledger.access.spec.claims;
            let same = before.iter().find(|old| old.uid == claim.uid);
            if new_entry || same.is_none() {
                ledger.waiting.insert(claim.uid.clone(), now);
                ledger.extended.insert(claim.uid.clone(), (now, None));
            }
            if let Some(old) = same.filter(|old| old.expiry_time < claim.expiry_time) {
                let lengthened = (now, Some(old.expiry_time));
                ledger.extended.insert(claim.uid.clone(), lengthened);
            }
        }
        if let Some(attempt) = &new.attempt {
            ledger
                .attempts
                .entry(attempt.id.clone())
                .or_insert_with(|| Announced {
                    attempt: attempt.clone(),
                    ledger: Arc::clone(&after),
                    at: now,
                    sent: false,
                });
        }
        if let Some(deleter) = &ledger.access.spec.offline_deleter {
            ledger.deleters.insert(deleter.run.clone(), now);
        }
        ledger.access = after;
    }

    /// A ledger entry is gone.
    fn on_removed(&mut self, name: &str) {
        let Some(ledger) = self.ledgers.remove(name) else {
            return;
        };
        let spec = ledger.spec();
        let bare =
            spec.state == AccessState::Closed && spec.claims.is_empty() && spec.ended.is_empty();
        self.ask("R9", bare, || {
            format!("{name} was removed while it was {:?}", spec.state)
        });
    }

    /// A claim is there: made, changed, or as before.
    fn on_claim(
        &mut self,
        (now, actor): (Timestamp, &str),
        ledger: &BreakglassAccessSpec,
        claim: &Claim,
        before: Option<&Claim>,
    ) {
        let who = &claim.grant.name;
        let grounds = self.grounds(actor, now);
        if before.is_none() {
            self.claimed.insert(claim.uid.clone(), now);
            let early = claim.start_time - CLAIMED_BEFORE - self.skew();
            self.ask("R7", early <= now, || {
                format!(
                    "{who} was claimed long before its start, {}",
                    claim.start_time
                )
            });
            let elsewhere = self.claimed_elsewhere(&claim.uid, &Key::from(&ledger.tuple));
            self.ask("R7", !elsewhere, || {
                format!("{who} has a claim on something else too")
            });
            let says_so = self.written.grants.get(&claim.uid);
            let says_so = says_so.is_some_and(|grant| grant.says_ended_since(grounds));
            let ended = says_so || self.ended.contains(&claim.uid) || self.ended_unclaimed(claim);
            self.ask("R8", !ended, || {
                format!("{who} was claimed again after its end")
            });
        }
        if before.is_none_or(|before| before.expiry_time < claim.expiry_time) {
            let tuple = &ledger.tuple;
            let allowed = self.admits(tuple, claim, grounds, now);
            self.ask("R7", allowed, || {
                let (what, until) = (tuple.summary(), claim.expiry_time);
                format!("{who} did not ask for {what} until {until}, or no policy admitted it")
            });
        }
        let was_active = before.is_some_and(|before| before.active_time.is_some());
        if claim.active_time.is_some() && !was_active {
            let row = self.rows.get(&Key::from(&ledger.tuple)).cloned();
            // AWS may call a Create done before it has taken effect everywhere.
            let key = Key::from(&ledger.tuple);
            let seen = row
                .as_ref()
                .is_some_and(|row| self.was_present(&key, row, now))
                || self.creates_on_their_way(&key);
            self.ask("R12", seen, || {
                format!("{who} was called active without being in AWS: {row:?}")
            });
            let since = self.claimed.get(&claim.uid).copied().unwrap_or(self.begin);
            let asked = self.was_asked_since(&key, since);
            self.ask("R12", asked, || {
                format!("{who} was called active by what was asked before its claim of {since}")
            });
        }
    }

    /// Whether it was to end before it was ever claimed, and a controller knows: only a status remembers that.
    fn ended_unclaimed(&self, claim: &Claim) -> bool {
        let history = self.written.grants.get(&claim.uid);
        history.is_some_and(|history| {
            history.seen_to_end && !history.forged && history.made() > self.restored
        })
    }

    /// Whether that grant claims another tuple.
    fn claimed_elsewhere(&self, uid: &str, key: &Key) -> bool {
        self.ledgers.values().map(Ledger::spec).any(|other| {
            other.claims.iter().any(|claim| claim.uid == uid) && Key::from(&other.tuple) != *key
        })
    }

    /// Whether a reading begun within the last turn may have shown it present, and we have not taken it away.
    fn was_present(&self, key: &Key, row: &Row, now: Timestamp) -> bool {
        row.present || (!row.by_us() && row.since >= now - TURN - self.staleness(key))
    }

    /// A claim became an ended one.
    fn on_end(
        &mut self,
        now: Timestamp,
        claim: &Claim,
        reason: EndReason,
        before: &BreakglassAccessSpec,
    ) {
        self.ended.insert(claim.uid.clone());
        let due = match reason {
            EndReason::Expired => self.has_expired(claim, now),
            EndReason::RemovedExternally => self.was_removed(claim, before, now),
            EndReason::EndedBefore if self.had_ended_before_a_restore(claim) => true,
            _ => self.has_ended(claim, now),
        };
        let who = &claim.grant.name;
        self.ask("R6", due, || {
            format!("{who} was ended as {reason:?} without a reason")
        });
    }

    /// Who remembers what the cluster has forgotten may say so.
    fn had_ended_before_a_restore(&self, claim: &Claim) -> bool {
        let history = self.written.grants.get(&claim.uid);
        let ended = history.and_then(|history| history.ended);
        ended.is_some_and(|at| self.restored.is_some_and(|restored| at <= restored))
    }

    /// Whether somebody took it away after it was claimed, and a policy lets that end the claim; or it stood before us,
    /// and no policy has it given by us.
    fn was_removed(&self, claim: &Claim, before: &BreakglassAccessSpec, now: Timestamp) -> bool {
        let key = &Key::from(&before.tuple);
        let row = self.rows.get(key);
        let claimed = self.claimed.get(&claim.uid).copied().unwrap_or(self.begin);
        let ends = self.policies_said(&claim.uid, claimed - TURN, now, PolicySet::ends_on_removal);
        let is_refused = |policies: &PolicySet, namespace: &str, asked: &Asked| {
            let expiry = claim.expiry_time.min(asked.spec.expiry_time);
            policies.refuses(namespace, asked, expiry)
        };
        let refused = before.state == AccessState::Closed
            && row.is_some_and(|row| !row.present || row.since >= now - TURN - self.staleness(key))
            && self.policies_said(&claim.uid, now - TURN, now, is_refused);
        // What we took away before a backup was put back that does not know it is missing too.
        let forgotten = |row: &Row| !row.present && self.restored.is_some_and(|at| row.since <= at);
        let taken = |row: &Row| row.taken_by_others.is_some_and(|at| at >= claimed - TURN);
        // What AWS called done may be gone with its account before it came.
        let gone = self.known_as.get(key).is_some_and(|known| {
            let mut known = known.iter();
            known.any(|tuple| self.same_since(names(tuple)) >= claimed - TURN)
        });
        (ends || refused) && (gone || row.is_some_and(|row| taken(row) || forgotten(row)))
    }

    /// The state of a ledger entry changed, or not.
    fn on_state(&mut self, name: &str, old: &BreakglassAccessSpec, new: &BreakglassAccessSpec) {
        let closes = old.state != AccessState::Closed && new.state == AccessState::Closed;
        if closes && old.origin == Some(Origin::Created) {
            self.on_closed(name, &new.tuple);
        }
        let settled = |spec: &BreakglassAccessSpec, uid: &str| {
            let mut ended = spec.ended.iter();
            ended.any(|ended| ended.uid == uid && ended.settled)
        };
        let early = new.ended.iter().find(|ended| {
            ended.settled && !settled(old, &ended.uid) && new.state != AccessState::Closed
        });
        let early = early.map(|ended| ended.grant.name.clone());
        self.ask("R3", early.is_none(), || {
            format!("{name}: the end of {early:?} is called settled before it is closed")
        });
        if old.origin == Some(Origin::PreExisting) && new.origin == Some(Origin::Created) {
            self.violated("R4", format!("{name} stood before us and became ours"));
        }
        if new
            .attempt
            .as_ref()
            .is_some_and(|attempt| attempt.operation == Operation::Delete)
            && new.origin != Some(Origin::Created)
        {
            self.violated(
                "R4",
                format!("a delete of {name} was announced, which is not ours"),
            );
        }
    }

    /// What was ours is called gone.
    fn on_closed(&mut self, name: &str, tuple: &Tuple) {
        let key = &Key::from(tuple);
        let now = self.aws.now();
        let row = self.rows.get(key).cloned();
        let left = row
            .as_ref()
            .filter(|row| row.present && self.key_is_anybodys(key));
        let by_a_person_of_late =
            |row: &Row| !row.by_us() && row.since >= now - TURN - self.staleness(key);
        if left.is_some_and(by_a_person_of_late) {
            self.residue("given by a person while the ledger closed");
            if let Some(row) = self.rows.get_mut(key) {
                row.by = Whose::Others;
            }
        } else {
            let left = left.filter(|row| row.ours()).map(|row| row.since);
            self.ask("R3", left.is_none(), || {
                format!("{name} was closed while access of ours stands since {left:?}")
            });
        }
        let landing = self.creates_on_their_way(key) || self.deletes_on_their_way(key);
        self.ask("R3", !landing, || {
            format!("{name} was closed while a Create or a Delete may still land")
        });
        // What has lost its person or its entitlement is gone by another word of AWS.
        let is_there = self.is_there(&self.aws.truth(), tuple);
        // What a person gave and took in between nobody can have seen.
        let by_us = |row: &Row| row.taken_by_others != Some(row.since);
        if let Some(row) = row.filter(|row| !row.present && is_there && by_us(row)) {
            self.ask_for_two_readings(name, key, &row);
        }
    }
}
