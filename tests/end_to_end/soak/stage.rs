//! Where it all happens: the world, who could have what in it, and the record of what was done and seen.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};
use kube::core::Status;

use super::history::{AccessHistory, Asked, Foreign, History, LateCalls, Trouble};
use crate::support::time::{BETWEEN_LOOKS, full_second_in};
use crate::support::{Access, Scenario, World, now, seconds};

/// Longer than any listing is old, so that what was done by hand is known to all.
pub const SEEN_BY_ALL: SignedDuration = SignedDuration::from_secs(3);

/// What is not answered or not done after so much calm never will be.
pub const PATIENCE: SignedDuration = SignedDuration::from_mins(3);

/// Shared by all who take part.
pub struct Stage<'s> {
    pub scenario: &'s Scenario<'s>,
    /// Only ever given by grants.
    pub ours: Vec<usize>,
    /// Given by others, and asked for by grants all the same.
    pub standing: Vec<usize>,
    /// Given by others for a while, and by grants at other times.
    pub shifting: Vec<usize>,
    history: Mutex<History>,
    closing: AtomicBool,
    closed: AtomicBool,
}

impl<'s> Stage<'s> {
    /// People and entitlements. Each entitlement is shared with somebody whose access is nobody's business here.
    pub fn set(scenario: &'s Scenario<'s>) -> Self {
        let mut stage = Self {
            scenario,
            ours: Vec::new(),
            standing: Vec::new(),
            shifting: Vec::new(),
            history: Mutex::default(),
            closing: AtomicBool::new(false),
            closed: AtomicBool::new(false),
        };
        for make in [Scenario::assignment, Scenario::group, Scenario::iam_group] {
            let first = make(scenario);
            let bystander = scenario.for_another_user(&first);
            let standing = scenario.for_another_user(&first);
            let second = make(scenario);
            let shifting = scenario.for_another_user(&second);
            for access in [&first, &scenario.for_another_user(&first), &second] {
                let place = stage.enter(access);
                stage.ours.push(place);
            }
            for access in [&bystander, &standing] {
                let place = stage.enter(access);
                stage.given_by_others(place);
                if access == &standing {
                    stage.standing.push(place);
                }
            }
            let place = stage.enter(&shifting);
            stage.shifting.push(place);
        }
        stage
    }

    fn enter(&self, access: &Access) -> usize {
        let accesses = &mut self.history().accesses;
        accesses.push(AccessHistory::new(access.clone()));
        accesses.len() - 1
    }

    pub fn world(&self) -> &'s World {
        self.scenario.world
    }

    pub fn access(&self, place: usize) -> Access {
        self.history().accesses[place].access.clone()
    }

    pub fn history(&self) -> MutexGuard<'_, History> {
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn complain(&self, what: String) {
        eprintln!("{} VIOLATION {what}", clock());
        self.history().complaints.push(what);
    }

    /// Others give an access that no grant has to do with at the time.
    pub fn given_by_others(&self, place: usize) {
        let access = self.access(place);
        self.scenario.given_by_others(&access);
        let given = now();
        self.history().accesses[place].foreign.push(Foreign {
            given,
            seen_by_all: given + SEEN_BY_ALL,
            taken: None,
        });
    }

    /// The same others take it again.
    pub fn taken_by_others(&self, place: usize) {
        let access = self.access(place);
        if let Some(foreign) = self.history().accesses[place].foreign.last_mut() {
            foreign.taken = Some(now());
        }
        self.scenario.taken_by_others(&access);
    }

    /// Something does not work from now on. The answer is its number.
    pub fn trouble(&self, what: &str, aftermath: i64, late_calls: LateCalls) -> usize {
        let troubles = &mut self.history().troubles;
        troubles.push(Trouble {
            what: what.to_owned(),
            from: now(),
            until: None,
            aftermath: seconds(aftermath),
            late_calls,
        });
        troubles.len() - 1
    }

    /// It works again.
    pub fn trouble_ends(&self, number: usize) {
        self.history().troubles[number].until = Some(now());
    }

    /// For how much of the time since then everything worked.
    pub fn calm_since(&self, time: Timestamp) -> SignedDuration {
        self.history().calm((time, now()))
    }

    /// Asks until there is an answer: what fails may have been done all the same.
    pub fn insist<T>(
        &self,
        what: &str,
        mut ask: impl FnMut() -> Result<T, kube::Error>,
        answer: impl Fn(&Status) -> Option<T>,
    ) -> Option<(T, Asked)> {
        let from = now();
        let given = loop {
            let error = match ask() {
                Ok(given) => break given,
                Err(kube::Error::Api(status)) => match answer(&status) {
                    Some(given) => break given,
                    None => status.to_string(),
                },
                Err(error) => error.to_string(),
            };
            if self.calm_since(from) > PATIENCE {
                self.complain(format!(
                    "{what}: no answer in {PATIENCE:#} of calm, at last: {error}"
                ));
                return None;
            }
            std::thread::sleep(BETWEEN_LOOKS * 3);
        };
        let until = now();
        Some((given, Asked { from, until }))
    }

    /// Nobody begins anything new from now on.
    pub fn close(&self) {
        self.closing.store(true, Ordering::Release);
    }

    pub fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Acquire)
    }

    /// It is over, for those as well who only look on.
    pub fn end(&self) {
        self.closed.store(true, Ordering::Release);
    }

    pub fn has_ended(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// Waits for a time of one's own choice. False if the stage closes before.
    pub fn wait_until(&self, time: Timestamp) -> bool {
        while now() < time {
            if self.is_closing() {
                return false;
            }
            std::thread::sleep(BETWEEN_LOOKS);
        }
        true
    }
}

/// The time of day in full seconds, for people.
pub fn clock() -> Timestamp {
    full_second_in(seconds(0))
}
