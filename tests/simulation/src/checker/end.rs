//! What must hold when some time has passed: nothing overdue in silence, and all true at the end.

use std::sync::Arc;

use breakglass::api::access::{AccessState, BreakglassAccess};
use breakglass::api::conditions::{self, REVOKE_OVERDUE};
use breakglass::api::tuple::Tuple;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::ledgers::Ledger;
use super::rows::{Key, Whose};
use super::{Checker, told};

impl Checker {
    /// From time to time, while a controller is up: asks what must be so when none has been disturbed for a while.
    pub fn on_tick(&mut self) {
        self.look_at_aws();
        let now = self.aws.now();
        self.ask_what_is_wanted(now);
        self.ask_for_late_ones(now);
        if now <= self.settled_since() {
            return;
        }
        let overdue = self.ledgers.iter();
        let overdue: Vec<_> = overdue
            .filter(|(_, ledger)| self.is_overdue(ledger, now))
            .collect();
        let any_overdue = !overdue.is_empty();
        let untold: Vec<_> = overdue
            .iter()
            .filter_map(|(_, ledger)| self.untold(ledger, now))
            .collect();
        let unsaid: Vec<_> = overdue
            .into_iter()
            .filter(|(_, ledger)| !says_overdue(&ledger.access))
            .collect();
        let (unseen, silent): (Vec<_>, Vec<_>) = unsaid
            .into_iter()
            .partition(|(_, ledger)| self.can_not_be_seen(ledger, now));
        let silent: Vec<_> = silent.into_iter().map(|(name, _)| name.clone()).collect();
        if !unseen.is_empty() {
            self.residue("given again by a person, and AWS answers no look");
        }
        if any_overdue {
            self.ask("L5", silent.is_empty(), || {
                format!("{silent:?} should be gone, and nothing says so")
            });
            self.ask("L5", untold.is_empty(), || {
                format!("the access of {untold:?} should be gone, and their statuses don't say so")
            });
        }
        let from = now - NOTICED_BY;
        let claimed = self.ledgers.values().map(|ledger| &ledger.access.spec);
        let claimed = claimed.flat_map(|spec| spec.claims.iter().map(|claim| (&spec.tuple, claim)));
        let claimed: Vec<_> = claimed.collect();
        let any_claimed = !claimed.is_empty();
        let kept: Vec<_> = claimed
            .into_iter()
            .filter(|(tuple, claim)| {
                let start = Some(claim.start_time);
                claim.expiry_time <= from
                    || self.must_be_over(tuple, (&claim.uid, start), from, now)
            })
            .map(|(tuple, claim)| (tuple.summary(), claim.grant.name.clone()))
            .collect();
        if any_claimed {
            self.ask("R3", kept.is_empty(), || {
                format!("claims are kept though their grants ended long ago: {kept:?}")
            });
        }
    }

    /// Whether access of ours is there that should have been gone for longer than is called overdue.
    fn is_overdue(&self, ledger: &Ledger, now: Timestamp) -> bool {
        let spec = &ledger.access.spec;
        let row = self.rows.get(&Key::from(&spec.tuple));
        let there =
            row.is_some_and(|row| row.present && row.ours()) && self.is_anybodys(&spec.tuple);
        let ended = spec.ended.iter();
        let expired = spec.claims.iter().filter(|claim| claim.expiry_time <= now);
        let last = ended
            .map(|ended| ended.time)
            .chain(expired.map(|claim| claim.expiry_time))
            .max();
        let covered = ledger.covering(now, SignedDuration::ZERO).next().is_some();
        // A person may have given it again since.
        let last = last.max(row.map(|row| row.since).filter(|_| last.is_some()));
        there && !covered && last.is_some_and(|end| now.duration_since(end) > LOUD_BY)
    }

    /// The grant that was the last to end for that access, which is overdue, if its status does not say so.
    fn untold(&self, ledger: &Ledger, now: Timestamp) -> Option<String> {
        let spec = ledger.spec();
        let key = Key::from(&spec.tuple);
        let since = self.rows.get(&key).map(|row| row.since);
        let stale = self.staleness(&key);
        let was_absent = |at: Timestamp| since.is_none_or(|since| at <= since + stale);
        if spec.state == AccessState::Closed || spec.first_absent_time.is_some_and(was_absent) {
            return None; // It was seen to be gone before it came again.
        }
        let ended = spec.ended.iter().filter(|ended| ended.attempted);
        let ended = ended.map(|ended| (ended.time, &ended.uid));
        let expired = spec.claims.iter().filter(|claim| claim.expiry_time <= now);
        let expired = expired.map(|claim| (claim.expiry_time, &claim.uid));
        let (end, uid) = ended.chain(expired).max()?;
        let history = self.written.grants.get(uid)?;
        let grant = history.object.as_ref().filter(|_| !history.forged)?;
        let silent = now.duration_since(end) > LOUD_BY && !told::says_overdue(grant);
        silent.then(|| format!("{uid} of {end}"))
    }

    /// Whether a person gave it once more after it was seen to be gone, and AWS does not answer: the
    /// ledger says so, and it has not answered as it should for long enough that somebody must have looked.
    fn can_not_be_seen(&self, ledger: &Ledger, now: Timestamp) -> bool {
        let row = self.rows.get(&Key::from(&ledger.spec().tuple));
        let status = ledger.access.status.as_ref();
        row.is_some_and(|row| row.by == Whose::OthersWhileOurs)
            && ledger.spec().first_absent_time.is_some()
            && status.is_some_and(|status| status.last_error.is_some())
            && now < self.aws_undisturbed_since + LOUD_BY
    }

    /// All grants have ended, and all that went wrong is long over.
    pub fn at_rest(&mut self) {
        self.look_at_aws();
        let left: Vec<_> = self
            .rows
            .iter()
            .filter(|(_, row)| row.present && row.ours())
            .map(|(key, row)| (key.clone(), row.since))
            .collect();
        for (key, since) in left {
            if !self.key_is_anybodys(&key) {
                continue;
            }
            let known = self.ledger_of(&key).map(|(name, _)| name.clone());
            self.violated("R3", format!("{key:?} ({known:?}) is left since {since}"));
        }
        if !self.rows.is_empty() {
            self.ask("R3", true, String::new);
        }
        self.ask_who_can_act();
        let open: Vec<_> = self
            .ledgers
            .iter()
            .filter(|(_, ledger)| {
                ledger.access.spec.state != AccessState::Closed
                    || !ledger.access.spec.claims.is_empty()
            })
            .map(|(name, ledger)| (name.clone(), ledger.access.spec.state))
            .collect();
        self.ask("L1", open.is_empty(), || format!("still open: {open:?}"));
        for object in self.api.list("breakglassgrants") {
            self.ask_what_is_told_at_rest(&object);
        }
        self.ask_promises();
    }

    /// Nobody can act for ever whom nobody else has given anything: also where AWS lists no access.
    fn ask_who_can_act(&mut self) {
        let world = self.aws.truth();
        let much_later = self.aws.now() + LONGEST_SESSIONS;
        let given_by_others = |user: &str| {
            self.rows.iter().any(|(key, row)| {
                let (Key::Assignment(_, _, id) | Key::Group(_, id) | Key::Iam(_, _, id)) = key;
                id == user && row.present && !row.ours()
            })
        };
        let of_center = world.instances.iter().flat_map(|center| &center.users);
        let of_center = of_center.map(|user| (&user.id, &user.user_name));
        let of_iam = world.accounts.iter().flat_map(|account| &account.users);
        let of_iam = of_iam.map(|user| (&user.id, &user.name));
        let users = of_center.chain(of_iam);
        let (mut asked, mut left) = (0, Vec::new());
        for (id, name) in users.filter(|(id, _)| !given_by_others(id)) {
            for account in &world.accounts {
                asked += 1;
                if self.aws.can_act(id, &account.id, much_later) {
                    left.push((name.clone(), account.id.clone()));
                }
            }
        }
        if asked > 0 {
            self.ask("R3", left.is_empty(), || {
                format!("they can act for ever, and nobody else gave them anything: {left:?}")
            });
        }
    }

    /// A controller took its finalizer off a grant: before its access is gone only where that took too long.
    pub(super) fn on_let_go(&mut self, uid: &str, now: Timestamp) {
        let claimed = self.is_claimed(uid);
        self.ask("R9", !claimed, || {
            format!("{uid} was let go while it is claimed")
        });
        let early = self.stands_for(uid, now);
        let early = early.filter(|(_, ended)| now.duration_since(*ended) < HELD_FOR);
        self.ask("R3", early.is_none(), || {
            format!("{uid} was let go while {early:?} stands")
        });
    }

    /// A controller writes into the status of a grant that it has ended.
    pub(super) fn on_said_ended(&mut self, uid: &str, now: Timestamp) {
        let claimed = self.is_claimed(uid);
        self.ask("R6", !claimed, || {
            format!("{uid} is said to have ended while it is claimed")
        });
        let early = self.stands_for(uid, now);
        self.ask("R3", early.is_none(), || {
            format!("{uid} is said to have ended while {early:?} stands")
        });
    }

    fn is_claimed(&self, uid: &str) -> bool {
        if self.brought_back.contains(uid) {
            // A controller may still know how that claim ended.
            return false;
        }
        let mut ledgers = self.ledgers.values();
        ledgers.any(|ledger| ledger.spec().claims.iter().any(|claim| claim.uid == uid))
    }

    /// The access that was given for a grant, and stands with nobody else to need it, and when that grant ended.
    fn stands_for(&self, uid: &str, now: Timestamp) -> Option<(String, Timestamp)> {
        self.ledgers.iter().find_map(|(name, ledger)| {
            let spec = ledger.spec();
            let mut ended = spec.ended.iter();
            let ended = ended.find(|ended| ended.uid == uid)?.time;
            // Somebody else went on with it: since then it stands for him. If he had it until just now, whoever says so
            // may have looked before.
            let mut others = spec.ended.iter().filter(|other| ended < other.time);
            let went_on = others.any(|other| {
                let had_it = other.attempted && other.time >= now - super::TURN;
                other.active_time.is_some() || had_it
            });
            if went_on {
                return None;
            }
            let key = Key::from(&spec.tuple);
            let row = self.rows.get(&key).filter(|_| self.key_is_anybodys(&key))?;
            // A reading may be as old as the listing that it is from.
            let old = row.since < (now - super::TURN - self.staleness(&key)).min(ended);
            let skew = self.skew();
            let mut claims = spec.claims.iter();
            let covered = claims.any(|claim| claim.start_time <= now + skew);
            (row.present && row.ours() && old && !covered).then(|| (name.clone(), ended))
        })
    }

    /// The cluster has forgotten what was written since the backup: everything is read anew.
    pub(super) fn read_all_again(&mut self, now: Timestamp) {
        let before: Vec<_> = self.written.grants.keys().cloned().collect();
        let mut there = Vec::new();
        for object in self.api.list("breakglassgrants") {
            let uid = object.pointer("/metadata/uid").and_then(Value::as_str);
            there.push(uid.unwrap_or_default().to_owned());
            self.written.grant(now, true, None, Some(&object));
        }
        for uid in before.into_iter().filter(|uid| !there.contains(uid)) {
            let object = self.written.grants[&uid].object.clone();
            self.written.grant(now, true, object.as_ref(), None);
        }
        self.written.forget_policies();
        for object in self.api.list("breakglasspolicies") {
            let name = object.pointer("/metadata/name").and_then(Value::as_str);
            self.written
                .policy(now, name.unwrap_or_default(), Some(&object));
        }
        let unsent = |ledger: &Ledger| {
            let key = Key::from(&ledger.spec().tuple);
            let attempts = ledger.attempts.values().filter(|announced| !announced.sent);
            let attempts = attempts.map(|announced| (key.clone(), announced.attempt.clone()));
            attempts.collect::<Vec<_>>()
        };
        self.lost_attempts = self.ledgers.values().flat_map(unsent).collect();
        self.ledgers.clear();
        self.forgotten = std::mem::take(&mut self.recorded);
        self.ended.clear();
        self.brought_back.clear();
        for object in self.api.list("breakglassaccesses") {
            let access: Result<BreakglassAccess, _> = serde_json::from_value((*object).clone());
            let Ok(access) = access else { continue };
            let ended = access.spec.ended.iter().map(|ended| ended.uid.clone());
            self.ended.extend(ended);
            let claims = access.spec.claims.iter().map(|claim| claim.uid.clone());
            self.brought_back.extend(claims);
            self.put_ledger(now, Arc::new(access));
        }
        // What is announced there was announced long ago, and read since.
        for ledger in self.ledgers.values_mut() {
            for announced in ledger.attempts.values_mut() {
                announced.at = announced.attempt.written_at;
            }
        }
        self.give_up_forgotten();
    }

    /// What was given after the backup was made is nobody's by its ledger.
    fn give_up_forgotten(&mut self) {
        let ours: Vec<_> = self
            .ledgers
            .values()
            .filter(|ledger| ledger.ours_since.is_some())
            .map(|ledger| Key::from(&ledger.access.spec.tuple))
            .collect();
        let mut forgotten = 0;
        for (key, row) in &mut self.rows {
            if row.present && row.ours() && !ours.contains(key) {
                row.by = Whose::Others;
                forgotten += 1;
            }
        }
        for _ in 0..forgotten {
            self.residue("given after the backup that was put back was made");
        }
    }

    /// Whether the person is still there: nobody can use what is left of one who is gone.
    pub(super) fn key_is_anybodys(&self, key: &Key) -> bool {
        match key {
            Key::Assignment(_, _, user) | Key::Group(_, user) => self.aws.has_user(user),
            Key::Iam(..) => true,
        }
    }

    fn is_anybodys(&self, tuple: &Tuple) -> bool {
        self.key_is_anybodys(&Key::from(tuple))
    }
}

/// No session lasts longer, what is chained to it and what AWS is late with included.
const LONGEST_SESSIONS: SignedDuration = SignedDuration::from_hours(15);

/// Five minutes by design, and a look at it within one more.
const LOUD_BY: SignedDuration = SignedDuration::from_secs(6 * 60 + 30);

/// By design, less what a clock may be off.
const HELD_FOR: SignedDuration = SignedDuration::from_secs(5 * 60 - 31);
/// What a watch does not tell is listed anew within ten minutes.
const NOTICED_BY: SignedDuration = SignedDuration::from_mins(12);

fn says_overdue(access: &BreakglassAccess) -> bool {
    let status = access.status.as_ref();
    status.is_some_and(|status| conditions::find(&status.conditions, REVOKE_OVERDUE).is_some())
}
