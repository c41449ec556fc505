//! What the process remembers of each tuple between turns. Losing it costs a reading, nothing more.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use tokio::time::Instant;

use crate::api::access::{Attempt, BreakglassAccess};
use crate::aws::Seen;
use crate::aws::desk::Priority;
use crate::aws::error::Class;
use crate::decide::ledger::{Purpose, Task};

impl From<Priority> for Purpose {
    fn from(priority: Priority) -> Self {
        match priority {
            Priority::Revoke { .. } => Self::Revoke,
            Priority::Grant { .. } => Self::Grant,
            Priority::Read => Self::Watch,
        }
    }
}

/// Why the last turn came to nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// CamelCase reason for a condition.
    pub reason: &'static str,
    /// For people.
    pub message: String,
    /// Whether only a person can mend it.
    pub stalled: bool,
    /// What kind of failure it was, where AWS answered.
    pub class: Option<Class>,
}

/// A delete that was sent while the ledger could not be written.
#[derive(Clone, Debug)]
pub struct Unrecorded {
    /// When AWS first took one: what it works on takes effect within bounds.
    pub accepted: Option<Instant>,
    /// Whether AWS was seen without the access after that: what comes then is not ours to take.
    pub absent: bool,
    /// What the record would have been.
    pub attempt: Attempt,
    /// Whether AWS has confirmed it.
    pub known: bool,
}

/// What is remembered of one tuple.
#[derive(Clone, Debug, Default)]
pub struct Remembered {
    /// The last reading.
    pub reading: Option<(Timestamp, Seen)>,
    /// Failed turns in a row.
    pub tries: u32,
    /// Before then, nothing is tried for that purpose while the ledger asks for the same.
    pub hold: Option<Hold>,
    /// Why the last turn came to nothing.
    pub trouble: Option<Trouble>,
    /// Id of the operation that AWS works on.
    pub pending_request_id: Option<String>,
    /// A delete without a record.
    pub unrecorded: Option<Unrecorded>,
    /// The ledger as this process last read or wrote it, and when that was begun. The watch may show it
    /// later, or never.
    pub ledger: Option<(Instant, Arc<BreakglassAccess>)>,
    /// The expiry on the tag that marks the access as ours, if this process has put one.
    pub tagged: Option<Timestamp>,
    /// Whether our authority to act without the ledger has ended: a write that gives it up was sent, whose
    /// answer may be lost, or there is no ledger any more.
    pub gave_up: bool,
    /// When the last quorum read of the ledger was begun.
    pub contact: Option<Instant>,
    /// What people asked to be looked at, by uid of the grant, and has not been looked at yet.
    pub requests: BTreeMap<String, String>,
}

impl Remembered {
    /// Whether AWS was asked since a person last wanted it, with or without an answer.
    pub fn has_looked(&self) -> bool {
        self.reading.is_some() || self.trouble.is_some()
    }
}

/// A pause between two tries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// What is paused.
    pub purpose: Purpose,
    /// For what it holds.
    pub task: Task,
    /// Until when: a clock that is set meanwhile makes no pause longer.
    pub until: Instant,
    /// The same by the clock, for people.
    pub until_time: Timestamp,
}

/// What is remembered of all tuples, by name of the access.
#[derive(Debug, Default)]
pub struct Memory(Mutex<HashMap<String, Remembered>>);

impl Memory {
    /// A copy of what is remembered of one tuple.
    pub fn get(&self, access: &str) -> Remembered {
        self.lock().get(access).cloned().unwrap_or_default()
    }

    /// Changes what is remembered of one tuple.
    pub fn update(&self, access: &str, change: impl FnOnce(&mut Remembered)) {
        change(self.lock().entry(access.to_owned()).or_default());
    }

    /// There is no ledger any more. The watch may go on showing one: that is no right to act.
    pub fn nothing_is_left(&self, access: &str) {
        self.update(access, |tuple| tuple.gave_up = true);
    }

    /// Forgets a tuple whose access is gone, unless another was made since.
    pub fn forget(&self, access: &str, uid: Option<&str>) {
        let mut all = self.lock();
        let known = all.get(access).and_then(|tuple| tuple.ledger.as_ref());
        let known = known.and_then(|(_, ledger)| ledger.metadata.uid.as_deref());
        if known.is_none_or(|known| Some(known) == uid) {
            all.remove(access);
        }
    }

    /// A complete listing was begun then. What was known before gives way to it, also where it shows
    /// something older: the cluster may have been put back from a backup. Tuples whose accesses vanished
    /// unseen are forgotten, save what is still to be recorded.
    pub fn listed(&self, begun: Instant, exists: impl Fn(&str) -> bool) {
        let mut all = self.lock();
        all.retain(|name, tuple| tuple.unrecorded.is_some() || exists(name));
        for tuple in all.values_mut() {
            tuple.ledger.take_if(|(known, _)| *known < begun);
        }
    }

    /// Ends every pause for giving access: the policies changed.
    pub fn policies_changed(&self) {
        for tuple in self.lock().values_mut() {
            tuple.hold.take_if(|hold| hold.purpose == Purpose::Grant);
        }
    }

    /// Ends the pause of one tuple and asks for a new reading: a person wants it looked at now.
    /// False if that request was taken up before.
    pub fn hurry(&self, access: &str, uid: &str, request: &str) -> bool {
        let mut all = self.lock();
        let tuple = all.entry(access.to_owned()).or_default();
        if tuple.requests.get(uid).map(String::as_str) == Some(request) {
            return false;
        }
        tuple.requests.insert(uid.to_owned(), request.to_owned());
        tuple.hold = None;
        tuple.reading = None;
        tuple.trouble = None;
        true
    }

    /// Forgets what was asked on behalf of a grant: it has been looked at.
    pub fn request_done(&self, access: &str, uid: &str) {
        if let Some(tuple) = self.lock().get_mut(access) {
            tuple.requests.remove(uid);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Remembered>> {
        // Every change is a single assignment or insertion, so a panic leaves nothing half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
