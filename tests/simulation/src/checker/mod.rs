//! Knows the truth and asks each rule, after every step: what the API server holds, what AWS holds,
//! and what a controller sends. It never looks at what a controller believes.

mod authority;
mod end;
mod grants;
mod ledgers;
mod order;
mod policy;
mod readings;
mod reads;
mod rows;
mod sends;
mod sessions;
mod told;
mod wanted;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use api_simulator::{ApiSimulator, Commit};
use aws_simulator::{Service, Simulator};
use breakglass::api::FINALIZER;
use breakglass::api::access::{Attempt, BreakglassAccess};
use breakglass::api::tuple::Tuple;
use breakglass::config::Settings;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::replica::Run;
use crate::story::{Second, Story, clock};
use authority::OwnNames;
use grants::Written;
use ledgers::Ledger;
use order::Line;
use readings::Readings;
use reads::Reads;
use rows::Row;
use sessions::Promises;
use told::Recorded;
use wanted::Meanings;

pub use rows::Key;

/// What may be down while the other is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    /// Account assignments and Identity Center groups.
    IdentityCenter,
    /// IAM groups.
    Iam,
}

impl Side {
    /// Both.
    pub const ALL: [Self; 2] = [Self::IdentityCenter, Self::Iam];

    fn of(key: &Key) -> Self {
        match key {
            Key::Iam(..) => Self::Iam,
            Key::Assignment(..) | Key::Group(..) => Self::IdentityCenter,
        }
    }
}

/// A rule of the design that did not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which: R1 to R12, L1 to L5, `status` for what is told of a grant, `sessions` for what it
    /// promises of them, or `spacing` for how often AWS is asked.
    pub rule: &'static str,
    /// When.
    pub at: Second,
    /// What happened.
    pub what: String,
}

impl std::fmt::Display for Violation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}: {}", clock(self.at), self.rule, self.what)
    }
}

/// How far back a fact may lie that a controller acts on: the quorum reads of a turn, each with its
/// timeout, a tag, and the write that announces what is then sent.
const TURN: SignedDuration = SignedDuration::from_secs(60);

/// Whether it is one: nobody else goes by a pod and a run.
fn is_controller(actor: &str) -> bool {
    actor.contains('/')
}

fn uid_of(object: &Value) -> &str {
    let uid = object.pointer("/metadata/uid").and_then(Value::as_str);
    uid.unwrap_or_default()
}

/// Whether the status of that grant says that it has ended.
fn says_ended(grant: &Value) -> bool {
    grant.pointer("/status/endedTime").is_some()
}

/// The finalizers of others.
fn held_by_others(grant: &Value) -> Vec<&Value> {
    let finalizers = grant.pointer("/metadata/finalizers");
    let finalizers = finalizers.and_then(Value::as_array).into_iter().flatten();
    finalizers.filter(|one| *one != FINALIZER).collect()
}

/// Whether a controller holds that grant.
fn is_held(grant: &Value) -> bool {
    let finalizers = grant
        .pointer("/metadata/finalizers")
        .and_then(Value::as_array);
    finalizers.is_some_and(|finalizers| finalizers.iter().any(|one| one == FINALIZER))
}

/// What is known, and what has been found.
#[derive(Debug)]
pub struct Checker {
    api: ApiSimulator,
    aws: Simulator,
    begin: Timestamp,
    /// Longest time that a reading of Identity Center may lag behind, by design of the story.
    staleness: SignedDuration,
    /// The same for IAM.
    iam_staleness: SignedDuration,
    settings: Settings,
    lease: SignedDuration,
    /// How long giving and taking may last, where nothing holds it up but a controller's death.
    promptness: Option<SignedDuration>,
    /// Whether controllers come from an account to which Identity Center is delegated.
    delegated: bool,
    /// When controllers read what, of late.
    readings: Readings,
    written: Written,
    reads: Reads,
    promises: Promises,
    recorded: Recorded,
    /// What it said before a backup was put back.
    forgotten: Recorded,
    /// What was announced in a ledger that is lost, and not sent by then.
    lost_attempts: Vec<(Key, Attempt)>,
    ledgers: BTreeMap<String, Ledger>,
    /// All names under which the ledger has ever known a tuple.
    known_as: BTreeMap<Key, Vec<Tuple>>,
    rows: BTreeMap<Key, Row>,
    /// When what we gave came though nobody was to have it any more.
    uncovered: BTreeMap<Key, Timestamp>,
    /// By process, service, and account of the credentials.
    lines: BTreeMap<(String, Service, String), Line>,
    /// Since when no trouble, and no crash, has kept a controller from its work.
    undisturbed_since: Timestamp,
    /// When a controller last died, stood still, or lost the lease.
    died: Timestamp,
    effects_seen: u64,
    /// Until when AWS did not do what it otherwise does.
    aws_undisturbed_since: Timestamp,
    /// The same of one side of it.
    undisturbed_sides: BTreeMap<Side, Timestamp>,
    /// When somebody last changed something in AWS by hand.
    changed_in_aws: Timestamp,
    /// When names last came to mean something else, or nothing any more.
    meant_otherwise: BTreeMap<OwnNames, Timestamp>,
    /// When somebody who is no controller last wrote something to the cluster, or changed who has what.
    changed_by_people: Timestamp,
    /// When a call of that process to the API server last went wrong.
    cut_off: BTreeMap<String, Timestamp>,
    /// From when and until when each process stood still last, by its actor.
    frozen: BTreeMap<String, (Timestamp, Timestamp)>,
    /// By how much the clock of a replica is off, and since when.
    offsets: BTreeMap<usize, (SignedDuration, Timestamp)>,
    /// When a Create was last sent for it.
    created: BTreeMap<Key, Timestamp>,
    /// When each process has sent that write of late.
    sent: BTreeMap<(String, String), Vec<Timestamp>>,
    /// When a Delete was last sent for it.
    deleted: BTreeMap<Key, Timestamp>,
    /// When that was sent by who was cut off and had not heard of a claim.
    deleted_unheard: BTreeMap<Key, Timestamp>,
    /// When each grant, by uid, was claimed last.
    claimed: BTreeMap<String, Timestamp>,
    /// Uids whose claims have ended, as far as the cluster still remembers.
    ended: BTreeSet<String>,
    /// Uids whose claims came with the backup that was put back last.
    brought_back: BTreeSet<String>,
    /// When a backup was put back last.
    restored: Option<Timestamp>,
    /// What was found.
    pub violations: Vec<Violation>,
    /// How often a stated residue was met, by its name.
    pub residues: BTreeMap<&'static str, u64>,
    /// Seconds from an end to the first delete that was sent for it.
    pub lateness: Vec<i64>,
    /// How often each rule was asked where it could have been broken.
    pub asked: BTreeMap<&'static str, u64>,
    /// The same by question: file and line.
    pub questions: BTreeMap<Question, u64>,
}

/// Where a question stands in the code: file and line.
pub type Question = (&'static str, u32);

impl Checker {
    /// Before anything has happened. `dies` says whether a controller will die or stand still.
    pub fn new(
        api: ApiSimulator,
        aws: Simulator,
        begin: Timestamp,
        story: &Story,
        dies: bool,
    ) -> Self {
        let setting = &story.setting;
        let cloud = &setting.cloud;
        let seconds =
            |seconds: u64| SignedDuration::from_secs(seconds.try_into().unwrap_or(i64::MAX));
        let millis =
            |millis: u64| SignedDuration::from_millis(i64::try_from(millis).unwrap_or(i64::MAX));
        Self {
            api,
            aws,
            begin,
            staleness: millis(cloud.staleness),
            iam_staleness: millis(cloud.iam_staleness),
            settings: setting.settings.clone(),
            lease: seconds(setting.lease),
            promptness: story.promptness(dies).map(seconds),
            delegated: setting.delegated,
            readings: Readings::default(),
            written: Written::default(),
            reads: Reads::default(),
            promises: Promises::default(),
            recorded: Recorded::default(),
            forgotten: Recorded::default(),
            lost_attempts: Vec::new(),
            ledgers: BTreeMap::new(),
            known_as: BTreeMap::new(),
            rows: BTreeMap::new(),
            lines: BTreeMap::new(),
            undisturbed_since: begin,
            died: begin,
            aws_undisturbed_since: begin,
            undisturbed_sides: BTreeMap::new(),
            changed_in_aws: begin,
            meant_otherwise: BTreeMap::new(),
            changed_by_people: begin,
            cut_off: BTreeMap::new(),
            frozen: BTreeMap::new(),
            effects_seen: 0,
            offsets: BTreeMap::new(),
            created: BTreeMap::new(),
            sent: BTreeMap::new(),
            deleted: BTreeMap::new(),
            deleted_unheard: BTreeMap::new(),
            claimed: BTreeMap::new(),
            ended: BTreeSet::new(),
            brought_back: BTreeSet::new(),
            restored: None,
            violations: Vec::new(),
            residues: BTreeMap::new(),
            lateness: Vec::new(),
            asked: BTreeMap::new(),
            questions: BTreeMap::new(),
            uncovered: BTreeMap::new(),
        }
    }

    /// Something was written to the API server.
    pub fn on_commit(&mut self, commit: &Commit) {
        self.look_at_aws();
        let now = commit.time;
        let (before, after) = (commit.before.as_deref(), commit.after.as_deref());
        match commit.resource.as_str() {
            "breakglassgrants" => {
                let by_controller = is_controller(&commit.actor);
                self.on_written(now, by_controller, before, after);
                if let Some(before) = before.filter(|_| by_controller) {
                    let others = after.map(held_by_others).unwrap_or_default();
                    self.ask("R9", held_by_others(before) == others, || {
                        format!("the finalizers of others change: {before} {after:?}")
                    });
                }
                match after {
                    Some(grant) if by_controller => self.promises.read(grant),
                    Some(_) => {}
                    None => self.promises.gone(before, now),
                }
                if let Some(before) = before
                    .filter(|before| is_held(before) && !after.is_some_and(is_held))
                    .filter(|_| by_controller)
                {
                    self.on_let_go(uid_of(before), now);
                }
                if let Some(after) = after
                    .filter(|after| says_ended(after) && !before.is_some_and(says_ended))
                    .filter(|_| by_controller)
                {
                    self.on_said_ended(uid_of(after), now);
                }
                let told = commit.subresource.as_deref() == Some("status");
                if let Some(after) = after.filter(|_| by_controller && told) {
                    self.ask_what_is_told(before, after, now);
                }
            }
            "breakglasspolicies" => {
                self.written.policy(now, &commit.name, after);
                self.changed_by_people = now;
            }
            "breakglassaccesses" => {
                let parse = |object: Option<&Value>| {
                    object.and_then(|object| {
                        serde_json::from_value::<BreakglassAccess>(object.clone()).ok()
                    })
                };
                let (before, after) = (parse(before), parse(after));
                if let Some(after) = &after {
                    self.on_announced(commit, after);
                }
                self.on_ledger(
                    (now, &commit.actor),
                    &commit.name,
                    before.as_ref(),
                    after.map(Arc::new),
                );
            }
            _ => {}
        }
    }

    /// The true time.
    pub fn time(&self) -> Timestamp {
        self.aws.now()
    }

    /// The clock of a replica is off by so much from now on.
    pub fn on_clock(&mut self, replica: usize, offset: SignedDuration) {
        self.offsets.insert(replica, (offset, self.aws.now()));
    }

    /// Something keeps controllers from their work until then.
    pub fn on_disturbed(&mut self, until: Second) {
        self.undisturbed_since = self.undisturbed_since.max(self.time_of(until));
    }

    /// A controller stands still for that long, is gone, or has lost the lease.
    pub fn on_gone(&mut self, seconds: Second) {
        self.died = self.aws.now();
        self.on_disturbed(self.second(self.died) + seconds);
    }

    /// A process stands still for so long.
    pub fn on_frozen(&mut self, run: &Run, seconds: Second) {
        self.on_gone(seconds);
        let now = self.aws.now();
        let until = self.time_of(self.second(now) + seconds);
        let before = self.frozen.get(&run.actor());
        let still = before.filter(|(_, thawed)| now <= *thawed);
        let from = still.map_or(now, |(from, _)| *from);
        self.frozen.insert(run.actor(), (from, until));
    }

    /// What that process does now may rest on what was so then: as long ago as a turn takes, and longer if it stood
    /// still meanwhile.
    fn grounds(&self, actor: &str, now: Timestamp) -> Timestamp {
        let begun = now - TURN;
        match self.frozen.get(actor) {
            Some((from, until)) if begun < *until => begun.min(*from - TURN),
            _ => begun,
        }
    }

    /// These sides of AWS do not do until then what they otherwise do.
    pub fn on_aws_disturbed(&mut self, until: Second, sides: &[Side]) {
        let until = self.time_of(until);
        self.aws_undisturbed_since = self.aws_undisturbed_since.max(until);
        for side in sides {
            let since = self.undisturbed_sides.entry(*side).or_insert(until);
            *since = until.max(*since);
        }
    }

    /// Since when nothing has kept a controller from giving and taking that, whatever is down elsewhere.
    fn undisturbed_since(&self, key: &Key) -> Timestamp {
        let side = self.undisturbed_sides.get(&Side::of(key));
        side.map_or(self.undisturbed_since, |since| {
            self.undisturbed_since.max(*since)
        })
    }

    /// Somebody has changed something in AWS by hand: so were the meanings of all names before.
    pub fn on_changed_in_aws(&mut self, before: &Meanings) {
        let now = self.aws.now();
        self.changed_in_aws = now;
        for (names, meaning) in self.meanings() {
            if before.get(&names) != Some(&meaning) {
                self.meant_otherwise.insert(names, now);
            }
        }
    }

    /// A call of that process to the API server goes wrong.
    pub fn on_cut_off(&mut self, run: &Run) {
        self.cut_off.insert(run.actor(), self.aws.now());
    }

    /// An old backup was put back: what was written since is forgotten.
    pub fn on_restore(&mut self) {
        let now = self.aws.now();
        self.restored = Some(now);
        self.read_all_again(now);
        // What no entry knows any more counts as standing before us.
        let known: BTreeSet<_> = self
            .ledgers
            .values()
            .map(|ledger| Key::from(&ledger.spec().tuple))
            .collect();
        self.uncovered.retain(|key, _| known.contains(key));
    }

    /// The longest time between two tries.
    fn longest_pause(&self) -> SignedDuration {
        SignedDuration::try_from(self.settings.retry_cap).unwrap_or_default()
    }

    /// Since when neither the cluster nor AWS, nor a crash, has kept a controller from its work.
    fn all_undisturbed_since(&self) -> Timestamp {
        self.undisturbed_since.max(self.aws_undisturbed_since)
    }

    /// From when on it shows: a leader that died is followed when its lease has ended, and then looks at
    /// everything.
    fn settled_since(&self) -> Timestamp {
        self.undisturbed_since + self.lease + SignedDuration::from_mins(10)
    }

    /// Somebody wrote a grant.
    fn on_written(
        &mut self,
        now: Timestamp,
        by_controller: bool,
        before: Option<&Value>,
        after: Option<&Value>,
    ) {
        if !by_controller {
            self.changed_by_people = now;
        }
        let uid = after.or(before).map(uid_of).unwrap_or_default();
        let settled = self.settled_since();
        if let Some(history) = self.written.grants.get_mut(uid) {
            let seen = history.to_end_since().is_some_and(|since| {
                since >= settled && now.duration_since(since) > SignedDuration::from_mins(1)
            });
            history.seen_to_end |= seen;
        }
        self.written.grant(now, by_controller, before, after);
    }

    /// How far apart two readings lie that close it.
    fn settle_window(&self, key: &Key) -> SignedDuration {
        let window = match key {
            Key::Iam(..) => self.settings.iam_settle_window,
            Key::Assignment(..) | Key::Group(..) => self.settings.settle_window,
        };
        SignedDuration::try_from(window).unwrap_or_default()
    }

    /// How old a reading of that may be.
    fn staleness(&self, key: &Key) -> SignedDuration {
        match key {
            Key::Iam(..) => self.iam_staleness,
            Key::Assignment(..) | Key::Group(..) => self.staleness,
        }
    }

    /// By how much decisions may be off in time, since some clock is.
    fn skew(&self) -> SignedDuration {
        // A replica whose clock is further off must notice, and take the time of others.
        let most = SignedDuration::from_secs(31);
        let off = self.offsets.values().map(|(offset, _)| offset.abs()).max();
        off.unwrap_or_default().min(most)
    }

    fn violated(&mut self, rule: &'static str, what: String) {
        let at = self.second(self.aws.now());
        self.violations.push(Violation { rule, at, what });
    }

    /// Counts that a rule was asked; and if it does not hold, why.
    #[track_caller]
    fn ask(&mut self, rule: &'static str, holds: bool, what: impl FnOnce() -> String) {
        *self.asked.entry(rule).or_default() += 1;
        let question = std::panic::Location::caller();
        let question = (question.file(), question.line());
        *self.questions.entry(question).or_default() += 1;
        if !holds {
            self.violated(rule, what());
        }
    }

    fn residue(&mut self, which: &'static str) {
        *self.residues.entry(which).or_default() += 1;
    }

    /// Whether the clock of every replica shows the true time.
    fn all_clocks_are_right(&self) -> bool {
        self.offsets.values().all(|(offset, _)| offset.is_zero())
    }

    fn time_of(&self, second: Second) -> Timestamp {
        self.begin + SignedDuration::from_secs(i64::try_from(second).unwrap_or(i64::MAX))
    }

    fn second(&self, time: Timestamp) -> Second {
        u64::try_from(time.duration_since(self.begin).as_secs()).unwrap_or_default()
    }
}
