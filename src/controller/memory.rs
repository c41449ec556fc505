//! What the process remembers of each tuple between turns. Losing it costs a reading, nothing more.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use tokio::time::Instant;

use crate::api::access::{Attempt, BreakglassAccess};
use crate::aws::Seen;
use crate::aws::desk::Priority;
use crate::aws::error::Class;
use crate::clock::Moment;
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

/// Deletes that were sent while the ledger could not be written.
#[derive(Clone, Debug)]
pub struct Unrecorded {
    /// Uid of the ledger entry that they were for.
    pub entry: Option<String>,
    /// The last of them, as its record would have been.
    pub attempt: Attempt,
    /// Whether AWS has called one done, and nothing of ours can come after it.
    pub done: bool,
    /// Until when one may take effect of which nobody knows what became.
    pub unknown_until: Option<Timestamp>,
    /// When AWS first took one: what it works on takes effect within bounds.
    pub accepted: Option<Instant>,
    /// Whether AWS was seen without the access after that: what comes then is not ours to take.
    pub absent: bool,
}

/// What is remembered of one tuple.
#[derive(Clone, Debug, Default)]
pub struct Remembered {
    /// The last reading.
    pub reading: Option<(Timestamp, Seen)>,
    /// Failed turns in a row.
    pub tries: u32,
    /// How many of the last of these failed because AWS refused the account as a whole.
    pub blocked: u32,
    /// How often AWS went on showing what it had called deleted, since all was well.
    pub still_there: u32,
    /// Before then, nothing is tried for that purpose while the ledger asks for the same.
    pub hold: Option<Hold>,
    /// Why the last turn came to nothing.
    pub trouble: Option<Trouble>,
    /// Id of the operation that AWS works on.
    pub pending_request_id: Option<String>,
    /// Deletes without a record.
    pub unrecorded: Option<Unrecorded>,
    /// The ledger as this process last read or wrote it, and when that was begun. The watch may show it
    /// later, or never.
    pub ledger: Option<(Instant, Arc<BreakglassAccess>)>,
    /// The expiry on the tag that marks the access as ours, if this process has put one.
    pub tagged: Option<Timestamp>,
    /// What has ended our authority to act without the ledger, or may have, by number: writes that give it up, whose
    /// answers may be lost, and that there was no ledger.
    pub gave_up: BTreeSet<u64>,
    /// When the last quorum read of the ledger was begun.
    pub contact: Option<Moment>,
}

impl Remembered {
    /// Nothing stands in the way.
    pub fn all_is_well(&mut self) {
        (self.tries, self.blocked, self.still_there) = (0, 0, 0);
        self.trouble = None;
    }

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

/// Of two versions of an access the one with the higher age is the newer.
pub fn age(access: &BreakglassAccess) -> (Option<Timestamp>, Option<i64>) {
    let made = access.metadata.creation_timestamp.as_ref();
    (made.map(|time| time.0), access.metadata.generation)
}

/// What is remembered of all tuples, by name of the access.
#[derive(Debug, Default)]
pub struct Memory {
    tuples: Mutex<HashMap<String, Remembered>>,
    /// Of the next write.
    number: AtomicU64,
}

impl Memory {
    /// A copy of what is remembered of one tuple.
    pub fn get(&self, access: &str) -> Remembered {
        self.look(access, |tuple| tuple.cloned().unwrap_or_default())
    }

    /// Looks at what is remembered of one tuple, if anything is. It does not change meanwhile.
    pub fn look<T>(&self, access: &str, look: impl FnOnce(Option<&Remembered>) -> T) -> T {
        look(self.lock().get(access))
    }

    /// Changes what is remembered of one tuple.
    pub fn update(&self, access: &str, change: impl FnOnce(&mut Remembered)) {
        change(self.lock().entry(access.to_owned()).or_default());
    }

    /// Remembers a ledger entry as a call that was begun then has shown it, and has others learn it too. A read may be
    /// answered after a write that was begun later: then it is no news.
    pub fn learn(
        &self,
        name: &str,
        begun: Instant,
        access: &BreakglassAccess,
        others_learn: impl FnOnce(),
    ) {
        self.update(name, |tuple| {
            let known = tuple.ledger.as_ref();
            if known.is_none_or(|(_, known)| age(known) <= age(access)) {
                tuple.ledger = Some((begun, Arc::new(access.clone())));
                others_learn();
            }
        });
    }

    /// There is no ledger any more. The watch may go on showing one: that is no right to act.
    pub fn nothing_is_left(&self, access: &str) {
        // What was on its way meets nothing.
        let number = self.number.fetch_add(1, Ordering::Relaxed);
        self.update(access, |tuple| {
            tuple.gave_up = BTreeSet::from([number]);
            tuple.unrecorded = None;
        });
    }

    /// A ledger entry is about to be written. Answers the number of the write.
    pub fn begin_write(&self, access: &str, gives_up: bool) -> u64 {
        let number = self.number.fetch_add(1, Ordering::Relaxed);
        if gives_up {
            self.update(access, |tuple| {
                tuple.gave_up.insert(number);
            });
        }
        number
    }

    /// The write of that number has taken effect. What was begun before it has or never will: it rests on an older
    /// ledger. What was begun since may still.
    pub fn written(&self, access: &str, number: u64, gives_up: bool) {
        self.update(access, |tuple| {
            tuple
                .gave_up
                .retain(|one| *one > number || gives_up && *one == number);
        });
    }

    /// The write of that number has no effect, for certain.
    pub fn not_written(&self, access: &str, number: u64) {
        self.update(access, |tuple| {
            tuple.gave_up.remove(&number);
        });
    }

    /// Forgets a tuple whose access is gone, unless another was made since; with it, whatever else is to be.
    pub fn forget(&self, access: &str, uid: Option<&str>, others_forget: impl FnOnce()) {
        let mut all = self.lock();
        let known = all.get(access).and_then(|tuple| tuple.ledger.as_ref());
        let known = known.and_then(|(_, ledger)| ledger.metadata.uid.as_deref());
        if known.is_none_or(|known| Some(known) == uid) {
            all.remove(access);
            others_forget();
        }
    }

    /// A complete listing was begun then. What was known before gives way to it, also where it shows
    /// something older: the cluster may have been put back from a backup. Tuples whose accesses vanished
    /// unseen are forgotten: there is nothing that anything could be recorded in.
    pub fn listed(&self, begun: Instant, exists: impl Fn(&str) -> bool) {
        let mut all = self.lock();
        all.retain(|name, _| exists(name));
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
    pub fn hurry(&self, access: &str) {
        self.update(access, |tuple| {
            tuple.hold = None;
            tuple.reading = None;
            tuple.trouble = None;
        });
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Remembered>> {
        // Every change is a single assignment or insertion, so a panic leaves nothing half done.
        self.tuples.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::fixtures::{at, ledger};
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
    use std::time::Duration;

    #[test]
    fn a_read_that_is_answered_late_hides_nothing_that_was_written_meanwhile() {
        let memory = Memory::default();
        let version = |generation| {
            let mut access = BreakglassAccess::new("a", ledger(Vec::new()));
            access.metadata.generation = Some(generation);
            access
        };
        let known = || {
            let known = memory.get("a").ledger.unwrap();
            known.1.metadata.generation
        };
        let mut learnt = Vec::new();
        for (generation, wanted) in [(2, 2), (1, 2), (2, 2), (3, 3)] {
            let learn = || learnt.push(generation);
            memory.learn("a", Instant::now(), &version(generation), learn);
            assert_eq!(known(), Some(wanted));
        }
        assert_eq!(learnt, [2, 2, 3]);
    }

    #[test]
    fn an_entry_that_goes_takes_nothing_from_one_that_was_made_since() {
        let memory = Memory::default();
        let entry = |uid: &str, made| {
            let mut access = BreakglassAccess::new("a", ledger(Vec::new()));
            access.metadata.uid = Some(uid.to_owned());
            access.metadata.creation_timestamp = Some(Time(at(made)));
            access
        };
        let forgets = |uid: &str| {
            let mut forgotten = false;
            memory.forget("a", Some(uid), || forgotten = true);
            (forgotten, memory.get("a").ledger.is_none())
        };
        for (uid, made) in [("old", 0), ("new", 60)] {
            memory.learn("a", Instant::now(), &entry(uid, made), || ());
        }
        assert_eq!(forgets("old"), (false, false));
        assert_eq!(forgets("new"), (true, true));
    }

    #[tokio::test(start_paused = true)]
    async fn a_listing_makes_forget_what_is_not_in_it_and_what_was_known_before() {
        let memory = Memory::default();
        let learn = |name: &str| {
            let access = BreakglassAccess::new(name, ledger(Vec::new()));
            memory.learn(name, Instant::now(), &access, || ());
            memory.update(name, |tuple| tuple.tries = 1);
        };
        learn("gone");
        learn("old");
        tokio::time::advance(Duration::from_secs(1)).await;
        let begun = Instant::now();
        learn("new");
        memory.listed(begun, |name| name != "gone");
        let known = ["gone", "old", "new"].map(|name| {
            let tuple = memory.get(name);
            (tuple.ledger.is_some(), tuple.tries)
        });
        assert_eq!(known, [(false, 0), (false, 1), (true, 1)]);
    }

    /// What a write still on its way may have given up stays given up until a later one is known to have taken effect.
    #[test]
    fn the_right_to_act_without_the_ledger_comes_back_only_with_a_write_that_was_begun_later() {
        let memory = Memory::default();
        let gave_up = || !memory.get("a").gave_up.is_empty();
        let keeps = memory.begin_write("a", false);
        let lost = memory.begin_write("a", true);
        assert!(gave_up());
        memory.not_written("a", keeps);
        assert!(gave_up(), "the answer of another write may be lost");
        memory.written("a", keeps, false);
        assert!(gave_up(), "it may have been written after that one");
        memory.not_written("a", lost);
        assert!(!gave_up());

        let lost = memory.begin_write("a", true);
        let taken_back = memory.begin_write("a", false);
        memory.written("a", taken_back, false);
        assert!(!gave_up(), "what {lost} was to change has changed since");

        let given_up = memory.begin_write("a", true);
        memory.written("a", given_up, true);
        assert!(gave_up());

        memory.nothing_is_left("a");
        memory.not_written("a", given_up);
        assert!(gave_up(), "there is no ledger");
        let again = memory.begin_write("a", false);
        memory.written("a", again, false);
        assert!(!gave_up());
    }
}
