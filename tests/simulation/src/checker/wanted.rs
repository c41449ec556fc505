//! What must be, by what people wrote and what AWS holds: who is to have access has it, who is not has
//! it no more, and where nothing changes nothing is written.

use std::collections::BTreeMap;

use aws_simulator::{AccountStatus, Truth};
use breakglass::api::tuple::Tuple;
use jiff::{SignedDuration, Timestamp};

use super::Checker;
use super::authority::{Names, OwnNames, names, own};
use super::grants::{Asked, GrantHistory, Said};
use super::ledgers::CLAIMED_BEFORE;
use super::rows::Key;
use crate::cast::{MANAGEMENT, ROLE};

/// What somebody took away is seen within a drift interval. Then come the slowest operation, and one
/// that fails.
const GIVEN_WITHIN: SignedDuration = SignedDuration::from_mins(25);
/// Tries lie at most five minutes apart. Then come the slowest operation, and one that fails.
const GONE_WITHIN: SignedDuration = SignedDuration::from_mins(20);
/// The longest of all that is waited for after the last change: two take-overs, one after the other, and
/// their windows.
const STILL_WITHIN: SignedDuration = SignedDuration::from_mins(75);

/// What names mean, where they mean something that can be given.
pub type Meanings = BTreeMap<OwnNames, Option<Key>>;

impl Checker {
    /// A controller writes something, to the cluster or to AWS: there is a reason.
    pub fn on_write(&mut self, what: &str) {
        self.look_at_aws();
        let now = self.aws.now();
        let changed = [
            self.settled_since(),
            self.aws_undisturbed_since,
            self.changed_in_aws,
            self.changed_by_people,
        ];
        let changed = changed.into_iter().max().unwrap_or(now);
        let reason = !self.all_clocks_are_right()
            || now < changed + STILL_WITHIN
            || self.is_at_a_boundary(now)
            || !self.all_are_there();
        self.ask("L1", reason, || {
            format!("nothing has changed since {changed}, and it is written: {what}")
        });
    }

    /// Whether something begins or ends by itself, or did of late.
    fn is_at_a_boundary(&self, now: Timestamp) -> bool {
        let asked = self
            .written
            .grants
            .values()
            .flat_map(GrantHistory::ever_asked);
        let mut boundaries = asked.flat_map(|asked| [asked.begins(), asked.spec.expiry_time]);
        boundaries.any(|at| {
            let before = now + CLAIMED_BEFORE + self.skew();
            at <= before && now < at + STILL_WITHIN
        })
    }

    /// What all names mean that a grant or a ledger entry has ever used.
    pub fn meanings(&self) -> Meanings {
        let world = self.aws.truth();
        let grants = self.written.grants.values();
        let asked = grants.flat_map(GrantHistory::ever_asked);
        let asked = asked.filter_map(Asked::names);
        let ledgers = self.ledgers.values();
        let known = ledgers.map(|ledger| names(&ledger.spec().tuple));
        let all = asked.chain(known);
        all.map(|names| (own(names), self.key_in(&world, names)))
            .collect()
    }

    /// Since when those names mean what they mean.
    pub(super) fn same_since(&self, names: Names<'_>) -> Timestamp {
        let changed = self.meant_otherwise.get(&own(names));
        changed.copied().unwrap_or(self.begin)
    }

    /// Whether everything that controllers deal with is there and in use: what is not is tried on.
    fn all_are_there(&self) -> bool {
        let world = self.aws.truth();
        let mut ledgers = self.ledgers.values();
        let mut grants = self.written.grants.values();
        ledgers.all(|ledger| self.is_there(&world, &ledger.spec().tuple))
            && grants.all(|history| match history.now() {
                Said::Nothing | Said::End => true,
                Said::Nonsense => false,
                Said::Asks(asked) => {
                    let names = asked.names();
                    let key = names.and_then(|names| self.key_in(&world, names));
                    key.is_some() && !history.forged
                }
            })
    }

    /// Whether that is still who and what it was, and can be given.
    pub(super) fn is_there(&self, world: &Truth, tuple: &Tuple) -> bool {
        self.key_in(world, names(tuple)) == Some(Key::from(tuple))
    }

    /// Asked from time to time, while nothing keeps a controller from its work.
    pub(super) fn ask_what_is_wanted(&mut self, now: Timestamp) {
        let (since, gone, given) = match self.promptness {
            Some(promptness) => (self.all_undisturbed_since(), promptness, promptness),
            None => (
                self.settled_since().max(self.aws_undisturbed_since),
                GONE_WITHIN,
                GIVEN_WITHIN,
            ),
        };
        let since = self.restored.map_or(since, |at| since.max(at));
        if !self.all_clocks_are_right() || now < since + gone {
            return;
        }
        let world = self.aws.truth();
        self.ask_whether_gone(&world, now - gone, now);
        if now >= since + given {
            self.ask_whether_given(&world, now - given, now);
        }
    }

    /// Who has been to have access for long has it.
    fn ask_whether_given(&mut self, world: &Truth, from: Timestamp, now: Timestamp) {
        let (mut asked, mut missing) = (0, Vec::new());
        for history in self.written.grants.values() {
            let Some(wanted) = self.wanted(history, from, now) else {
                continue;
            };
            let Some(key) = wanted.names().and_then(|names| self.key_in(world, names)) else {
                continue;
            };
            let row = self.rows.get(&key);
            let removed = row.and_then(|row| row.taken_by_others);
            let may_end = self
                .written
                .policies(wanted.created, now)
                .any(|set| set.ends_on_removal(&history.namespace, wanted));
            if may_end && removed.is_some_and(|at| at >= wanted.created) {
                continue;
            }
            asked += 1;
            if row.is_none_or(|row| !row.present && row.since <= from) {
                missing.push((key, row.map(|row| row.since)));
            }
        }
        if asked > 0 {
            self.ask("L1", missing.is_empty(), || {
                format!("due for long, admitted, and not there: {missing:?}")
            });
        }
    }

    /// What that grant asks for, if it has asked for it all the time, and all the time a policy admitted it.
    fn wanted<'a>(
        &self,
        history: &'a GrantHistory,
        from: Timestamp,
        now: Timestamp,
    ) -> Option<&'a Asked> {
        let Said::Asks(asked) = history.now() else {
            return None;
        };
        let namespace = &history.namespace;
        let same_since = asked.names().map(|names| self.same_since(names));
        let stands = history.object.is_some()
            && history.ended.is_none()
            && !history.forged
            && !history.was_ever_over(now)
            && history
                .during(from, now)
                .all(|said| matches!(said, Said::Asks(_)))
            && asked.begins().max(asked.created) <= from
            && asked.spec.expiry_time > now;
        let admitted = || {
            let expiry = asked.spec.expiry_time;
            let mut lately = self.written.policies(from, now);
            let mut ever = self.written.policies(asked.created, now);
            lately.all(|set| set.admits(namespace, asked, expiry))
                && !ever.any(|set| set.denies(namespace, asked))
        };
        // Who is who has not changed since it was asked for.
        let same = same_since.is_some_and(|since| since <= asked.created);
        (stands && same && admitted()).then_some(asked)
    }

    /// What nobody has been allowed for long is gone.
    fn ask_whether_gone(&mut self, world: &Truth, from: Timestamp, now: Timestamp) {
        let there = self.rows.iter();
        let there = there.filter(|(_, row)| row.present && row.ours() && row.since <= from);
        let (mut asked, mut left) = (0, Vec::new());
        for (key, row) in there {
            let Some((_, ledger)) = self.ledger_of(key) else {
                continue;
            };
            let tuple = &ledger.access.spec.tuple;
            if !self.is_there(world, tuple) || from < self.same_since(names(tuple)) {
                continue;
            }
            asked += 1;
            if !self.may_be_wanted(tuple, from, now) {
                left.push((key.clone(), row.since));
            }
        }
        if asked > 0 {
            self.ask("R3", left.is_empty(), || {
                format!("nobody has been allowed it for long, and it is there: {left:?}")
            });
        }
    }

    /// Whether at some time in the span some grant may have been a reason for that access.
    fn may_be_wanted(&self, tuple: &Tuple, from: Timestamp, now: Timestamp) -> bool {
        self.written.grants.iter().any(|(uid, history)| {
            let of_this =
                |asked: &Asked| self.is_for(asked, tuple) && asked.begins() <= now + self.skew();
            history.ever_asked().any(of_this) && !self.must_be_over(tuple, (uid, None), from, now)
        })
    }

    /// That person and entitlement by their ids, if both are there and a controller can give the one to the other.
    fn key_in(&self, world: &Truth, (user, account, entitlement): Names<'_>) -> Option<Key> {
        let active = |id: &str| {
            let account = world.account(id);
            account.filter(|account| account.status == AccountStatus::Active)
        };
        let instance = world.instances.first()?;
        let person = || {
            let mut users = instance.users.iter();
            let found = users.find(|one| one.user_name == user && one.enabled);
            found.map(|found| found.id.clone())
        };
        match account {
            None => {
                let mut groups = instance.groups.iter();
                let group =
                    groups.find(|group| group.display_name == entitlement && !group.managed)?;
                Some(Key::Group(group.id.clone(), person()?))
            }
            Some(id) if id != MANAGEMENT && instance.permission_set_arn(entitlement).is_some() => {
                let set = instance.permission_set_arn(entitlement)?.to_owned();
                let mut assignments = instance.assignments.iter();
                // A delegated administrator is refused everything about such a set.
                let refused = self.delegated
                    && assignments
                        .any(|one| one.account == MANAGEMENT && one.permission_set_arn == set);
                active(id).filter(|_| !refused)?;
                Some(Key::Assignment(id.to_owned(), set, person()?))
            }
            Some(id) => {
                let account = active(id)?;
                let mut roles = account.roles.iter();
                roles.find(|role| role.ends_with(&format!("/{ROLE}")))?;
                let user = account.users.iter().find(|one| one.name == user)?;
                let group = account.groups.iter().find(|one| one.name == entitlement)?;
                Some(Key::Iam(id.to_owned(), group.id.clone(), user.id.clone()))
            }
        }
    }
}
