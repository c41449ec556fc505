//! A crowd of grants in all stages of their lives, so that whatever fails then fails in the middle of something.

use jiff::Timestamp;
use serde_json::Value;

use super::live_grant::condition;
use super::time::{PATIENCE, poll, wait_for};
use super::{Access, Grant, LiveGrant, Scenario, eventually, seconds};

/// Grants of all three kinds, some of them of the same access, some starting later; and access that others gave, with a grant
/// on top and without.
pub struct Load<'s> {
    scenario: &'s Scenario<'s>,
    /// All of them, in the order in which they were applied.
    pub grants: Vec<LiveGrant<'s>>,
    foreign: Vec<Foreign>,
}

/// Access that others gave.
struct Foreign {
    access: Access,
    /// Number of the last call to AWS before that.
    since: u64,
}

impl<'s> Load<'s> {
    /// Applies grants that end between 18 and 40 seconds from now: on a busy machine it takes a while until all are claimed.
    pub fn start(scenario: &'s Scenario<'s>) -> Self {
        let mut load = Self {
            scenario,
            grants: Vec::new(),
            foreign: Vec::new(),
        };
        for make in [Scenario::assignment, Scenario::group, Scenario::iam_group] {
            let access = make(scenario);
            load.give_foreign(&scenario.for_another_user(&access));
            load.apply(Grant::of(&access).expires_in(seconds(18)));
            load.apply(Grant::of(&access).expires_in(seconds(30)));
            let pre_existing = make(scenario);
            load.give_foreign(&pre_existing);
            load.apply(Grant::of(&pre_existing).expires_in(seconds(18)));
            let later = Grant::of(&make(scenario)).starts_in(seconds(17));
            load.apply(later.expires_in(seconds(40)));
        }
        load
    }

    fn give_foreign(&mut self, access: &Access) {
        let since = self.scenario.world.aws().last_call();
        self.scenario.given_by_others(access);
        self.foreign.push(Foreign {
            access: access.clone(),
            since,
        });
    }

    fn apply(&mut self, grant: Grant) {
        let name = format!("grant-{}", self.grants.len());
        self.grants.push(self.scenario.apply(&grant.named(&name)));
    }

    /// Applies grants of all three kinds that begin now.
    pub fn add_more(&mut self) {
        for make in [Scenario::assignment, Scenario::group, Scenario::iam_group] {
            let access = make(self.scenario);
            self.apply(Grant::of(&access).expires_in(seconds(20)));
        }
    }

    /// When everything of the grants is over, somebody else gives the same access.
    #[track_caller]
    pub fn becomes_foreign(&mut self) {
        let closed = |grant: &LiveGrant<'_>| {
            let ledger = grant.ledger();
            ledger.is_none_or(|ledger| ledger["spec"]["state"] == "Closed")
        };
        let mut accesses: Vec<Access> = Vec::new();
        for grant in self.own() {
            eventually("the ledger closes", || closed(grant));
            if !accesses.contains(&grant.access) {
                accesses.push(grant.access.clone());
            }
        }
        for access in accesses {
            self.give_foreign(&access);
        }
    }

    /// Waits until what begins at once is claimed, and some of it is being given.
    #[track_caller]
    pub fn wait_until_in_the_middle(&self) {
        for grant in &self.grants {
            let later = grant.field("/spec/startTime") != Value::Null;
            eventually("it is claimed", || later || is_in_ledger(grant));
        }
        eventually("some access is being given", || {
            let creates = |grant: &&LiveGrant<'_>| self.scenario.creates_of(&grant.access) > 0;
            self.own().filter(creates).count() >= 3
        });
    }

    /// What is struck in the middle of it, and mended when some has expired, leaves nothing behind.
    #[track_caller]
    pub fn outlives(scenario: &'s Scenario<'s>, strike: impl FnOnce(), mend: impl FnOnce()) {
        let mut load = Self::start(scenario);
        load.wait_until_in_the_middle();
        strike();
        load.wait_until_some_expired();
        mend();
        load.add_more();
        load.ends_well();
    }

    /// When the first ones expire. Others have just started then.
    pub fn first_expiry(&self) -> Timestamp {
        self.grants.iter().map(|grant| grant.expiry).min().unwrap()
    }

    /// Waits until the first ones are past their expiry.
    pub fn wait_until_some_expired(&self) {
        wait_for(self.first_expiry());
    }

    /// Waits until all are over, and checks that they ended well: none early, and what others gave was never touched.
    #[track_caller]
    pub fn ends_well(&self) {
        for grant in &self.grants {
            grant.wait_for_state("Expired");
            let told = poll(PATIENCE, || self.tells_the_truth(grant));
            if let Err(why) = told {
                panic!("{}: {why}\n{}", grant.name, grant.report());
            }
        }
        for grant in self.own() {
            let last = self.last_of(grant);
            let writes = self.scenario.writes_of(&grant.access);
            let early = writes
                .iter()
                .find(|write| !write.creates && write.time() < last.expiry);
            assert!(
                early.is_none(),
                "{} was taken before its expiry: {early:?}",
                grant.access
            );
        }
        for Foreign { access, since } in &self.foreign {
            assert!(self.scenario.world.cloud.has(access), "{access} is gone");
            let writes = self.scenario.world.aws().writes_of(access, *since);
            assert!(writes.is_empty(), "{access} is not ours: {writes:?}");
        }
    }

    /// Whether an ended grant's status says what is, and nothing is left that would hold it.
    fn tells_the_truth(&self, grant: &LiveGrant<'_>) -> Result<(), String> {
        let object = grant.object().map_err(|error| error.to_string())?;
        let object = object.ok_or("it is gone")?;
        let is = |kind: &str| condition(&object, kind).map(|found| found["status"].clone());
        let expected = [
            ("Ready", Some(Value::from("True"))),
            ("Granted", Some(Value::from("False"))),
            ("Reconciling", None),
            ("Stalled", None),
            ("RevokeOverdue", None),
        ];
        for (kind, status) in expected {
            if is(kind) != status {
                return Err(format!("{kind} is {:?}", is(kind)));
            }
        }
        let foreign = self.is_foreign(&grant.access);
        if grant.is_in_aws() != foreign {
            return Err(format!("AWS has {}: {}", grant.access, !foreign));
        }
        // Where several grants ask for the same access, one may be over before it could be claimed.
        let mut others = self.own().filter(|other| other.access == grant.access);
        let alone = others.all(|other| other.uid == grant.uid);
        let given = !foreign && self.scenario.creates_of(&grant.access) > 0;
        if (is_in_ledger(grant) || given && alone) && object["status"]["endedTime"].is_null() {
            return Err("it has no end".to_owned());
        }
        if object["metadata"]["finalizers"].is_array() {
            return Err("its finalizer stays".to_owned());
        }
        Ok(())
    }

    /// The grants of access that is not there without them.
    fn own(&self) -> impl Iterator<Item = &LiveGrant<'s>> {
        let own = |grant: &&LiveGrant<'_>| !self.is_foreign(&grant.access);
        self.grants.iter().filter(own)
    }

    fn is_foreign(&self, access: &Access) -> bool {
        self.foreign.iter().any(|foreign| foreign.access == *access)
    }

    /// Of the grants of the same access the one that ends last.
    fn last_of(&self, grant: &LiveGrant<'_>) -> &LiveGrant<'s> {
        let same = self
            .grants
            .iter()
            .filter(|other| other.access == grant.access);
        same.max_by_key(|other| other.expiry).unwrap()
    }
}

fn is_in_ledger(grant: &LiveGrant<'_>) -> bool {
    let Some(ledger) = grant.ledger() else {
        return false;
    };
    let lists = ["claims", "ended"].map(|list| ledger["spec"][list].as_array().cloned());
    let mut entries = lists.into_iter().flatten().flatten();
    entries.any(|entry| entry["uid"] == grant.uid.as_str())
}
