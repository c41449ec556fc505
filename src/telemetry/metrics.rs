//! Numbers for dashboards, in `OpenMetrics`. No name of a person or ticket is ever a label.

use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use crate::api::access::Operation;
use crate::aws::Outcome;

/// All numbers of the process.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    aws_writes: Family<AwsWrite, Counter>,
    /// Bugs that were caught: each is a report waiting to be written.
    pub panics: Counter,
    /// 1 while this replica leads.
    pub leader: Gauge,
    /// Tuples that wait for their turn at AWS.
    pub queue: Gauge,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AwsWrite {
    operation: &'static str,
    outcome: WriteOutcome,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
enum WriteOutcome {
    Succeeded,
    InProgress,
    Failed,
    Unknown,
    NotSent,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::default();
        let aws_writes = Family::default();
        registry.register(
            "breakglass_aws_writes",
            "Writes to AWS, by how they ended",
            aws_writes.clone(),
        );
        let panics = Counter::default();
        registry.register("breakglass_panics", "Bugs that were caught", panics.clone());
        let leader = Gauge::default();
        registry.register(
            "leader_election_master_status",
            "1 while this replica leads",
            leader.clone(),
        );
        let queue = Gauge::default();
        registry.register(
            "breakglass_desk_queue_length",
            "Tuples that wait for their turn at AWS",
            queue.clone(),
        );
        let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("breakglass_build", "The running version", build);
        Self {
            registry,
            aws_writes,
            panics,
            leader,
            queue,
        }
    }
}

impl Metrics {
    /// Counts a write to AWS.
    pub fn aws_write(&self, operation: Operation, outcome: &Outcome) {
        let operation = match operation {
            Operation::Create => "Create",
            Operation::Delete => "Delete",
        };
        let outcome = match outcome {
            Outcome::Succeeded { .. } => WriteOutcome::Succeeded,
            Outcome::InProgress { .. } => WriteOutcome::InProgress,
            Outcome::Failed(_) => WriteOutcome::Failed,
            Outcome::Unknown(_) => WriteOutcome::Unknown,
            Outcome::NotSent => WriteOutcome::NotSent,
        };
        self.aws_writes
            .get_or_create(&AwsWrite { operation, outcome })
            .inc();
    }

    /// All numbers as text.
    pub fn text(&self) -> String {
        let mut text = String::new();
        match encode(&mut text, &self.registry) {
            Ok(()) => text,
            Err(error) => format!("# the metrics can't be written: {error}\n# EOF\n"),
        }
    }
}
