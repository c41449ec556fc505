//! How a story went.

use std::collections::{BTreeMap, BTreeSet};

use crate::checker::{Question, Violation};
use crate::story::Second;

/// How a story went.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Its seed.
    pub seed: u64,
    /// Rules that did not hold.
    pub violations: Vec<Violation>,
    /// How often a stated residue was met.
    pub residues: BTreeMap<&'static str, u64>,
    /// How often each rule was asked where it could have been broken.
    pub asked: BTreeMap<&'static str, u64>,
    /// The same by question.
    pub questions: BTreeMap<Question, u64>,
    /// Seconds from each end to the first delete for it.
    pub lateness: Vec<i64>,
    /// How long it lasted.
    pub seconds: Second,
    /// Calls to AWS.
    pub aws_calls: u64,
    /// Calls to the API server.
    pub api_calls: u64,
    /// Calls to both, those about leases and watches aside.
    pub calls_sent: u64,
    /// Writes to both, those of leases and events aside.
    pub writes_sent: u64,
    /// Which controllers wrote to AWS.
    pub writers: BTreeSet<usize>,
    /// The same for the same sequence of calls to AWS, at the same times.
    pub fingerprint: u64,
    /// The last writes.
    pub writes: Vec<String>,
    /// Every call, if that was asked for.
    pub trace: Vec<String>,
}

impl Report {
    /// Something panicked.
    pub fn panicked(&mut self, what: String) {
        let (rule, at) = ("panic", self.seconds);
        self.violations.push(Violation { rule, at, what });
    }

    /// Counts a call to AWS.
    pub fn aws_call(&mut self, line: &str) {
        self.aws_calls += 1;
        // FNV-1a: no more than a checksum is wanted.
        for byte in line.bytes() {
            self.fingerprint = (self.fingerprint ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    /// Adds what another story gave.
    pub fn add(&mut self, other: &Self) {
        for (what, count) in &other.residues {
            *self.residues.entry(what).or_default() += count;
        }
        for (what, count) in &other.asked {
            *self.asked.entry(what).or_default() += count;
        }
        for (question, count) in &other.questions {
            *self.questions.entry(*question).or_default() += count;
        }
        self.lateness.extend(&other.lateness);
        self.seconds += other.seconds;
        self.aws_calls += other.aws_calls;
        self.api_calls += other.api_calls;
        self.writes_sent += other.writes_sent;
    }
}
