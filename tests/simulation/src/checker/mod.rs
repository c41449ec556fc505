//! Knows the truth and asks each rule, after every step: what the API server holds, what AWS holds,
//! and what a controller sends. It never looks at what a controller believes.

mod authority;
mod end;
mod grants;
mod ledgers;
mod order;
mod policy;
mod reads;
mod rows;
mod sends;
mod sessions;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use api_simulator::{ApiSimulator, Commit};
use aws_simulator::{Service, Simulator};
use breakglass::api::FINALIZER;
use breakglass::api::access::BreakglassAccess;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::story::{Second, Setting, clock};
use grants::Written;
use ledgers::Ledger;
use order::Line;
use reads::Reads;
use rows::Row;
use sessions::Promises;

pub use rows::Key;

/// A rule of the design that did not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which: R1 to R12, L1 to L5, or `sessions` for what a status promises of them.
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
    /// So long after its last contact with the ledger a controller may take away what has expired.
    offline_authority: SignedDuration,
    written: Written,
    reads: Reads,
    promises: Promises,
    ledgers: BTreeMap<String, Ledger>,
    rows: BTreeMap<Key, Row>,
    /// By process, service, and account of the credentials.
    lines: BTreeMap<(String, Service, String), Line>,
    /// Since when no trouble, and no crash, has kept a controller from its work.
    undisturbed_since: Timestamp,
    effects_seen: u64,
    /// By how much the clock of a replica is off.
    offsets: BTreeMap<usize, SignedDuration>,
    /// When a Create was last sent for it.
    created: BTreeMap<Key, Timestamp>,
    /// When each grant, by uid, was claimed last.
    claimed: BTreeMap<String, Timestamp>,
    /// Uids whose claims have ended, as far as the cluster still remembers.
    ended: BTreeSet<String>,
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
}

impl Checker {
    /// Before anything has happened.
    pub fn new(api: ApiSimulator, aws: Simulator, begin: Timestamp, setting: &Setting) -> Self {
        let cloud = &setting.cloud;
        let millis =
            |millis: u64| SignedDuration::from_millis(i64::try_from(millis).unwrap_or(i64::MAX));
        let offline_authority = setting.settings.offline_authority;
        Self {
            api,
            aws,
            begin,
            staleness: millis(cloud.staleness),
            iam_staleness: millis(cloud.iam_staleness),
            offline_authority: SignedDuration::try_from(offline_authority)
                .unwrap_or(SignedDuration::MAX),
            written: Written::default(),
            reads: Reads::default(),
            promises: Promises::default(),
            ledgers: BTreeMap::new(),
            rows: BTreeMap::new(),
            lines: BTreeMap::new(),
            undisturbed_since: begin,
            effects_seen: 0,
            offsets: BTreeMap::new(),
            created: BTreeMap::new(),
            claimed: BTreeMap::new(),
            ended: BTreeSet::new(),
            restored: None,
            violations: Vec::new(),
            residues: BTreeMap::new(),
            lateness: Vec::new(),
            asked: BTreeMap::new(),
        }
    }

    /// Something was written to the API server.
    pub fn on_commit(&mut self, commit: &Commit) {
        self.look_at_aws();
        let now = commit.time;
        let (before, after) = (commit.before.as_deref(), commit.after.as_deref());
        match commit.resource.as_str() {
            "breakglassgrants" => {
                self.written.grant(now, before, after);
                self.promises.read(after);
                if let Some(before) = before.filter(|before| {
                    is_held(before) && !after.is_some_and(is_held) && is_controller(&commit.actor)
                }) {
                    let uid = before.pointer("/metadata/uid").and_then(Value::as_str);
                    self.on_let_go(uid.unwrap_or_default(), now);
                }
            }
            "breakglasspolicies" => self.written.policy(now, &commit.name, after),
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
        self.offsets.insert(replica, offset);
    }

    /// Something keeps controllers from their work until then.
    pub fn on_disturbed(&mut self, until: Second) {
        let until = i64::try_from(until).unwrap_or(i64::MAX);
        self.undisturbed_since = self.begin + SignedDuration::from_secs(until);
    }

    /// An old backup was put back: what was written since is forgotten.
    pub fn on_restore(&mut self) {
        let now = self.aws.now();
        self.restored = Some(now);
        self.read_all_again(now);
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
        let off = self.offsets.values().map(|offset| offset.abs()).max();
        off.unwrap_or_default().min(most)
    }

    fn violated(&mut self, rule: &'static str, what: String) {
        let at = self.second(self.aws.now());
        self.violations.push(Violation { rule, at, what });
    }

    /// Counts that a rule was asked; and if it does not hold, why.
    fn ask(&mut self, rule: &'static str, holds: bool, what: impl FnOnce() -> String) {
        *self.asked.entry(rule).or_default() += 1;
        if !holds {
            self.violated(rule, what());
        }
    }

    fn residue(&mut self, which: &'static str) {
        *self.residues.entry(which).or_default() += 1;
    }

    fn second(&self, time: Timestamp) -> Second {
        u64::try_from(time.duration_since(self.begin).as_secs()).unwrap_or_default()
    }
}
