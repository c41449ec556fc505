//! What AWS really holds, and who made it so.

use std::collections::BTreeSet;

use aws_simulator::{AccessTuple, Author, Effect};
use breakglass::api::access::{Claim, Operation};
use breakglass::api::tuple::Tuple;
use jiff::{SignedDuration, Timestamp};

use super::Checker;
use super::grants::PolicySet;

/// One person and one entitlement, by the ids of AWS.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// A permission set in an account.
    Assignment(String, String, String),
    /// A group of Identity Center.
    Group(String, String),
    /// An IAM group in an account.
    Iam(String, String, String),
}

impl From<&Tuple> for Key {
    fn from(tuple: &Tuple) -> Self {
        match tuple {
            Tuple::AccountAssignment(t) => Self::Assignment(
                t.account.clone(),
                t.permission_set_arn.clone(),
                t.user_id.clone(),
            ),
            Tuple::IdentityCenterGroup(t) => Self::Group(t.group_id.clone(), t.user_id.clone()),
            Tuple::IamGroup(t) => {
                Self::Iam(t.account.clone(), t.group_id.clone(), t.user_id.clone())
            }
        }
    }
}

impl From<&AccessTuple> for Key {
    fn from(tuple: &AccessTuple) -> Self {
        match tuple.clone() {
            AccessTuple::Assignment {
                account,
                permission_set,
                principal,
            } => Self::Assignment(account, permission_set, principal),
            AccessTuple::GroupMembership { group, user, .. } => Self::Group(group, user),
            AccessTuple::IamMembership {
                account,
                group,
                user,
            } => Self::Iam(account, group, user),
        }
    }
}

/// A call arrives within that time, and what it asks for has happened.
const ARRIVES_WITHIN: SignedDuration = SignedDuration::from_mins(15);

/// Who waits for what may still come looks every minute. Then come the calls and their turn.
const SEEN_WITHIN: SignedDuration = SignedDuration::from_secs(150);

/// What became of a tuple.
#[derive(Clone, Debug)]
pub struct Row {
    /// Whether it is there.
    pub present: bool,
    /// Since when.
    pub since: Timestamp,
    /// When it last came.
    pub given: Option<Timestamp>,
    /// Who made it so.
    pub by: Whose,
    /// Whether nobody else ever made it so.
    pub only_by_us: bool,
    /// When somebody else last took it away.
    pub taken_by_others: Option<Timestamp>,
    /// What it was each time it was there: a membership has another id then.
    pub accesses: BTreeSet<AccessTuple>,
}

/// Who made it so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// A controller.
    Us,
    /// Somebody else, while the tuple was ours.
    OthersWhileOurs,
    /// Somebody else.
    Others,
}

impl Row {
    /// Whether a controller made it so.
    pub fn by_us(&self) -> bool {
        self.by == Whose::Us
    }

    /// Whether it counts as ours: from our first Create until the ledger is closed everything does.
    pub fn ours(&self) -> bool {
        self.by != Whose::Others
    }
}

impl Checker {
    /// Takes in what has happened in AWS since the last look.
    pub fn look_at_aws(&mut self) {
        for effect in self.aws.effects_since(self.effects_seen) {
            self.effects_seen = effect.number;
            self.on_effect(&effect);
        }
        self.aws.forget_effects(self.effects_seen);
    }

    fn on_effect(&mut self, effect: &Effect) {
        let key = Key::from(&effect.access);
        let by_us = matches!(effect.by, Author::Call { .. });
        let before = self.rows.get(&key).cloned();
        if by_us && !effect.present {
            self.on_taken_by_us(&key, before.as_ref(), effect.time);
        }
        let is_late = self.ledger_of(&key).is_some_and(|(_, ledger)| {
            let until = effect.time + super::ledgers::CLAIMED_BEFORE;
            ledger
                .spec()
                .claims
                .iter()
                .all(|claim| until < claim.start_time)
        });
        if by_us && effect.present && is_late {
            self.uncovered.insert(key.clone(), effect.time);
        } else {
            self.uncovered.remove(&key);
        }
        let ours = self
            .ledger_of(&key)
            .is_some_and(|(_, ledger)| ledger.ours_since.is_some());
        let sent = self.created.get(&key);
        let before_restore = self
            .restored
            .is_some_and(|at| sent.is_none_or(|sent| *sent <= at));
        let by_us = if by_us && effect.present && !ours && before_restore {
            // It was on its way when the ledger that announced it was lost.
            self.residue("given after the backup that was put back was made");
            false
        } else {
            by_us
        };
        if !by_us {
            self.changed_by_people = effect.time;
        }
        let taken_by_others = if !by_us && !effect.present {
            Some(effect.time)
        } else {
            before.as_ref().and_then(|row| row.taken_by_others)
        };
        let foreign = effect.present && !by_us;
        let mut accesses = before
            .as_ref()
            .map_or_else(BTreeSet::new, |row| row.accesses.clone());
        accesses.insert(effect.access.clone());
        let row = Row {
            only_by_us: !foreign && before.as_ref().is_none_or(|row| row.only_by_us),
            present: effect.present,
            since: effect.time,
            given: if effect.present {
                Some(effect.time)
            } else {
                before.as_ref().and_then(|row| row.given)
            },
            by: match (by_us, ours && effect.present) {
                (true, _) => Whose::Us,
                (false, true) => Whose::OthersWhileOurs,
                (false, false) => Whose::Others,
            },
            taken_by_others,
            accesses,
        };
        self.rows.insert(key, row);
    }

    /// Whether a policy that admitted what it was given for called the entitlement exclusively ours.
    fn was_exclusive(&self, name: &str, since: Timestamp) -> bool {
        let spec = self.ledgers.get(name).map(super::ledgers::Ledger::spec);
        let claims = spec.into_iter().flat_map(|spec| &spec.claims);
        let ended = spec.into_iter().flat_map(|spec| &spec.ended);
        let uids = claims.map(|claim| &claim.uid);
        let mut uids = uids.chain(ended.map(|ended| &ended.uid));
        let from = since - super::TURN;
        uids.any(|uid| self.policies_said(uid, from, since, PolicySet::is_exclusive))
    }

    /// What came late, for nobody any more, is taken away as soon as it can be seen.
    pub(super) fn ask_for_late_ones(&mut self, now: Timestamp) {
        let settled = self.settled_since();
        let asked: Vec<_> = self
            .uncovered
            .iter()
            .filter(|(key, _)| self.all_clocks_are_right() && self.key_is_anybodys(key))
            .filter_map(|(key, came)| {
                let (_, ledger) = self.ledger_of(key)?;
                let covers =
                    |claim: &Claim| claim.start_time <= now + super::ledgers::CLAIMED_BEFORE;
                let ended = ledger.spec().ended.iter().map(|ended| ended.time).max()?;
                // Who failed until then waits for its next try.
                let tried_again = self.undisturbed_since(key) + self.longest_pause();
                let seen = (*came).max(ended).max(settled).max(tried_again);
                let late = seen + SEEN_WITHIN + self.staleness(key) < now;
                let sent = self.deleted.get(key).is_some_and(|sent| sent >= came);
                (late && !ledger.spec().claims.iter().any(covers)).then(|| (key.clone(), sent))
            })
            .collect();
        for (key, sent) in asked {
            self.uncovered.remove(&key);
            self.ask("R2", sent, || {
                format!(
                    "{key:?} came when nobody was to have it any more, and nobody takes it away"
                )
            });
        }
    }

    /// A delete of ours took effect.
    fn on_taken_by_us(&mut self, key: &Key, row: Option<&Row>, now: Timestamp) {
        let sent = self.deleted.get(key);
        let sent_before_restore = sent.is_some_and(|sent| {
            self.restored.is_some_and(|at| *sent <= at)
                || self.was_announced_before_a_loss(key, Operation::Delete, *sent, None)
        });
        let Some((name, ledger)) = self.ledger_of(key) else {
            if sent_before_restore {
                return self.residue("on its way away when the ledger that announced it was lost");
            }
            return self.violated(
                "R4",
                format!("{key:?} was taken away, and no ledger knows it"),
            );
        };
        let name = name.clone();
        // Where a claim is marked active, its grant says so: access must not flicker.
        let covering = ledger
            .covering(now, self.skew())
            .find(|claim| claim.active_time.is_some());
        let covering = covering.map(|claim| claim.grant.name.clone());
        let unheard = self.deleted_unheard.get(key);
        let unheard = unheard.is_some_and(|at| now.duration_since(*at) < ARRIVES_WITHIN);
        let ours_since = ledger.ours_since;
        if let Some(grant) = covering {
            // That was counted when it was sent.
            if !unheard {
                self.violated(
                    "R6",
                    format!("{name} was taken away while {grant} is active and covers it"),
                );
            }
        }
        let foreign = row.filter(|row| row.present && !row.by_us());
        let Some(row) = foreign else { return };
        match ours_since {
            None if sent_before_restore => {
                self.residue("on its way away when the ledger that announced it was lost");
            }
            // By a person, while the tuple counts as ours.
            Some(since) if row.since >= since => {
                self.residue("made by a person while the tuple was ours");
            }
            Some(since) if row.since >= since - super::TURN - self.staleness(key) => {
                self.residue("made by a person between our reading and our Create");
            }
            // By the ledger that was put back it is ours.
            Some(_) if self.restored.is_some_and(|at| row.since <= at) => {
                self.residue("given by a person before a ledger was put back by which it is ours");
            }
            Some(since) if self.was_exclusive(&name, since) => {
                self.residue("stood before us under an exclusive policy");
            }
            _ => self.violated(
                "R4",
                format!(
                    "{name} was taken away, which a person had given at {}",
                    row.since
                ),
            ),
        }
    }
}
