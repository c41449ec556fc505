//! What statuses promise of the last session, and when it really ends.

use std::collections::BTreeMap;

use aws_simulator::{CHAINED_SESSION, LastSession};
use breakglass::api::access::Claim;
use breakglass::api::tuple::Tuple;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::authority::names;
use super::rows::Key;
use super::{Checker, uid_of};

/// What grants promise, and the accesses that they were about.
#[derive(Debug, Default)]
pub struct Promises {
    /// The latest word of each status, by uid. None for one that says that it does not know.
    by_uid: BTreeMap<String, Option<Timestamp>>,
    /// When a grant was gone, by its uid: nobody can be told any more.
    gone: BTreeMap<String, Timestamp>,
    /// Claims that have ended.
    ended: BTreeMap<Key, Vec<Turn>>,
    /// When the length of some sessions was changed.
    lengths_changed: Vec<Timestamp>,
}

/// From when and until when access was due for a grant.
#[derive(Clone, Debug)]
struct Turn {
    uid: String,
    begin: Timestamp,
    end: Timestamp,
}

impl Promises {
    /// Whether the length was another for so short a time, or so shortly before one of these ends, that
    /// nobody need have seen it.
    fn was_briefly_another(&self, turns: &[Turn]) -> bool {
        let briefly =
            |from: Timestamp, to: Timestamp| from <= to && to.duration_since(from) < SEEN_WITHIN;
        let changes = &self.lengths_changed;
        changes.windows(2).any(|pair| briefly(pair[0], pair[1]))
            || changes
                .iter()
                .any(|at| turns.iter().any(|turn| briefly(*at, turn.end)))
    }

    /// Reads a version of a grant.
    pub fn read(&mut self, grant: &Value) {
        let text = |pointer| grant.pointer(pointer)?.as_str();
        // Who has ended and says nothing says that there are no sessions.
        let promise = text("/status/sessionsEndByTime").or(text("/status/endedTime"));
        if let (Some(uid), Some(promise)) = (text("/metadata/uid"), promise) {
            self.by_uid.insert(uid.to_owned(), promise.parse().ok());
        }
    }

    /// A grant is no more.
    pub fn gone(&mut self, grant: Option<&Value>, now: Timestamp) {
        let uid = grant.map(uid_of).unwrap_or_default();
        self.gone.insert(uid.to_owned(), now);
    }

    /// A claim has ended.
    pub fn ended(&mut self, tuple: &Tuple, claim: &Claim, end: Timestamp) {
        let turns = self.ended.entry(Key::from(tuple)).or_default();
        turns.push(Turn {
            uid: claim.uid.clone(),
            begin: claim.start_time,
            end,
        });
    }
}

/// Statuses tell whole seconds.
const SECOND: SignedDuration = SignedDuration::from_secs(1);

/// As long as a delete may take that nothing holds up.
const AT_ONCE: SignedDuration = SignedDuration::from_mins(1);

/// An access is compared with AWS every ten minutes, and it may take a second look: so much later a grant
/// is told of it.
const SEEN_WITHIN: SignedDuration = SignedDuration::from_mins(25);

/// AWS applies a change of group within the hour, a session of twelve may begin then, and be chained
/// into one more role.
const LONGEST: SignedDuration = SignedDuration::from_hours(14);

impl Checker {
    /// Sessions of some permission set last longer, or less long, from now on.
    pub fn on_session_length(&mut self) {
        let now = self.aws.now();
        self.promises.lengths_changed.push(now);
    }

    /// Nobody has a session for longer than some grant of that access has promised.
    pub(super) fn ask_promises(&mut self) {
        // What stands there at last counts, whoever wrote it.
        for grant in self.api.list("breakglassgrants") {
            self.promises.read(&grant);
        }
        let all: Vec<_> = self.promises.ended.clone().into_iter().collect();
        for (key, turns) in all {
            let row = self.rows.get(&key).filter(|row| row.only_by_us);
            let Some(row) = row.cloned() else {
                continue;
            };
            // What is left of a person who is gone stays where it is.
            let removed = if row.present {
                let known = self.known_as.get(&key).into_iter().flatten();
                let changed = known.map(|tuple| self.same_since(names(tuple)));
                changed.max().unwrap_or(row.since).max(row.since)
            } else {
                row.since
            };
            // Whose turn came later, or never, had nothing of it.
            let had_it = |turn: &Turn| turn.begin <= removed && turn.begin <= turn.end;
            let turns: Vec<_> = turns.into_iter().filter(had_it).collect();
            let Some(end) = turns.iter().map(|turn| turn.end).max() else {
                continue;
            };
            let before_loss = |given| self.restored.is_some_and(|at| given <= at);
            if !row.by_us() && row.given.is_some_and(before_loss) {
                // It counted as standing before us from then on, until others took it.
                self.residue("stood when its ledger was lost");
                continue;
            }
            let depends = matches!(key, Key::Assignment(..));
            if depends && self.promises.was_briefly_another(&turns) {
                self.residue("a length of sessions that nobody need have seen");
                continue;
            }
            // While AWS or the cluster is in trouble it may take as long as that to see it gone.
            let quiet_since = self.settled_since().max(self.aws_undisturbed_since);
            let possible = removed.max(end).max(quiet_since) + SEEN_WITHIN + LONGEST;
            let accesses = row.accesses.iter();
            let last = accesses.filter_map(|access| match self.aws.last_session_end(access) {
                LastSession::Ends(last) => Some(last),
                LastSession::Never | LastSession::Open => None,
            });
            let chained = match key {
                Key::Assignment(..) | Key::Group(..) => CHAINED_SESSION,
                Key::Iam(..) => SignedDuration::ZERO,
            };
            let last = last.max().map(|last| last + chained);
            // Sessions may be from an earlier turn, that has said so.
            let (last_ones, earlier): (Vec<_>, Vec<_>) =
                turns.iter().partition(|turn| turn.end == end);
            let told = |turn: &&Turn| self.promises.by_uid.get(&turn.uid).copied().flatten();
            let told = earlier.iter().filter_map(told).max();
            let last = last.filter(|last| told.is_none_or(|told| told + AT_ONCE < *last));
            // The access went with these: each must know the worst.
            for turn in last_ones {
                self.ask_promise(&key, turn, removed, last, possible);
            }
        }
    }

    /// What that grant promised of the access, which was there until then, was possible and not too little.
    fn ask_promise(
        &mut self,
        key: &Key,
        Turn { uid, end, .. }: &Turn,
        removed: Timestamp,
        last: Option<Timestamp>,
        possible: Timestamp,
    ) {
        let said = self.promises.by_uid.get(uid).copied();
        let gone = self.promises.gone.get(uid);
        // Who was gone by then could not be told any more when the last session could begin. In trouble it
        // may take longer to see that, and until then nobody knew. What others wrote was not put right.
        let unheard = gone.is_some_and(|at| *at < removed + SEEN_WITHIN);
        let history = self.written.grants.get(uid);
        let is_forged = history.is_some_and(|history| history.forged);
        let unheard = unheard && (removed > *end + AT_ONCE || said.is_none() || is_forged);
        if unheard || (gone.is_some() && said == Some(None)) {
            return self.residue("a grant that was gone before it could be told of sessions");
        }
        // Who is there and says nothing says that there are none.
        let promised = said.unwrap_or(Some(*end));
        let right = promised.is_some_and(|promised| {
            last.is_none_or(|last| last <= promised + SECOND + AT_ONCE) && promised <= possible
        });
        if !right && self.restored.is_some_and(|at| *end <= at) {
            // Nobody remembers it where the status is lost as well.
            return self.residue("sessions of what ended before its ledger was lost");
        }
        self.ask("sessions", right, || {
            format!("{key:?}, gone since {removed}, gives sessions until {last:?}, and {promised:?} was promised by {uid}")
        });
    }
}
