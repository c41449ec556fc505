//! What statuses promise of the last session, and when it really ends.

use std::collections::BTreeMap;

use aws_simulator::{CHAINED_SESSION, LastSession};
use breakglass::api::access::EndedClaim;
use breakglass::api::tuple::Tuple;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::Checker;
use super::rows::Key;

/// What grants promise, and the accesses that they were about.
#[derive(Debug, Default)]
pub struct Promises {
    /// The latest word of each status, by uid.
    by_uid: BTreeMap<String, Promise>,
    /// Claims that have ended: whose, and when.
    ended: BTreeMap<Key, Vec<(String, Timestamp)>>,
    /// When the length of some sessions was changed.
    lengths_changed: Vec<Timestamp>,
}

/// What a status says.
#[derive(Clone, Copy, Debug)]
struct Promise {
    /// None where it says that it does not know.
    until: Option<Timestamp>,
    /// Whether it says so after the access was gone.
    is_last: bool,
}

impl Promises {
    /// Whether the length was another for so short a time, or so shortly before one of these ends, that
    /// nobody need have seen it.
    fn was_briefly_another(&self, ends: &[(String, Timestamp)]) -> bool {
        let briefly =
            |from: Timestamp, to: Timestamp| from <= to && to.duration_since(from) < SEEN_WITHIN;
        let changes = &self.lengths_changed;
        changes.windows(2).any(|pair| briefly(pair[0], pair[1]))
            || changes
                .iter()
                .any(|at| ends.iter().any(|(_, end)| briefly(*at, *end)))
    }

    /// Reads a version of a grant.
    pub fn read(&mut self, grant: Option<&Value>) {
        let text = |pointer| grant?.pointer(pointer)?.as_str();
        // Who has ended and says nothing says that there are no sessions.
        let promise = text("/status/sessionsEndByTime").or(text("/status/endedTime"));
        if let (Some(uid), Some(promise)) = (text("/metadata/uid"), promise) {
            let promise = Promise {
                until: promise.parse().ok(),
                is_last: text("/status/revokedTime").is_some(),
            };
            self.by_uid.insert(uid.to_owned(), promise);
        }
    }

    /// A claim has ended.
    pub fn ended(&mut self, tuple: &Tuple, ended: &EndedClaim) {
        let claims = self.ended.entry(Key::from(tuple)).or_default();
        claims.push((ended.uid.clone(), ended.time));
    }
}

/// As long as a delete may take that nothing holds up.
const AT_ONCE: SignedDuration = SignedDuration::from_mins(1);

/// An access is compared with AWS every ten minutes, and it may take a second look.
const SEEN_WITHIN: SignedDuration = SignedDuration::from_mins(25);

impl Checker {
    /// Sessions of some permission set last longer, or less long, from now on.
    pub fn on_session_length(&mut self) {
        let now = self.aws.now();
        self.promises.lengths_changed.push(now);
    }

    /// Nobody has a session for longer than some grant of that access has promised.
    pub(super) fn ask_promises(&mut self) {
        let all: Vec<_> = self.promises.ended.clone().into_iter().collect();
        for (key, claims) in all {
            let row = self.rows.get(&key).filter(|row| row.only_by_us);
            let Some(row) = row.cloned() else {
                continue;
            };
            let removed = row.since;
            let said = &self.promises.by_uid;
            let told: Vec<_> = claims
                .iter()
                .filter_map(|(uid, end)| Some((said.get(uid)?, *end)))
                .collect();
            // Who does not know how long sessions last promises nothing.
            let Some(untils) = told
                .iter()
                .map(|(promise, _)| promise.until)
                .collect::<Option<Vec<_>>>()
            else {
                continue;
            };
            let (Some(promised), Some(end)) = (
                untils.into_iter().max(),
                told.iter().map(|(_, end)| *end).max(),
            ) else {
                continue;
            };
            let before_loss = |given| self.restored.is_some_and(|at| given <= at);
            if !row.by_us() && row.given.is_some_and(before_loss) {
                // It counted as standing before us from then on, until others took it.
                self.residue("stood when its ledger was lost");
                continue;
            }
            let depends = matches!(key, Key::Assignment(..));
            if depends && self.promises.was_briefly_another(&claims) {
                self.residue("a length of sessions that nobody need have seen");
                continue;
            }
            let accesses = row.accesses.iter();
            let last = accesses.filter_map(|access| match self.aws.last_session_end(access) {
                LastSession::Ends(last) => Some(last),
                LastSession::Never | LastSession::Open => None,
            });
            let Some(last) = last.max() else {
                continue;
            };
            let chained = match key {
                Key::Assignment(..) | Key::Group(..) => CHAINED_SESSION,
                Key::Iam(..) => SignedDuration::ZERO,
            };
            let last = last + chained;
            // A grant that is deleted when its access is taken away late is not there to be told of it.
            let mut late = removed.duration_since(end).max(SignedDuration::ZERO);
            if late > AT_ONCE && told.iter().any(|(promise, _)| !promise.is_last) {
                self.residue("sessions begun after the end of a grant that is not there any more");
            } else {
                late = SignedDuration::ZERO;
            }
            self.ask("sessions", last <= promised + late + AT_ONCE, || {
                format!("{key:?} gives sessions until {last}, and {promised} was promised")
            });
        }
    }
}
