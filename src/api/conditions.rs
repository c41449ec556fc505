//! Condition types and reasons. Other tools match on these strings: they are part of the API.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::time::whole_seconds;

/// The object is as it should be, or done. `kubectl wait --for=condition=Ready`, Flux and Argo CD read it.
pub const READY: &str = "Ready";
/// The controller is working on it (kstatus, abnormal when true).
pub const RECONCILING: &str = "Reconciling";
/// A person must act (kstatus, abnormal when true).
pub const STALLED: &str = "Stalled";
/// What was last observed in AWS: the person has the access.
pub const GRANTED: &str = "Granted";
/// Access is still there well after it should be gone.
pub const REVOKE_OVERDUE: &str = "RevokeOverdue";
/// The access stood before the grant and will not be removed with it.
pub const ALREADY_PRESENT: &str = "AlreadyPresent";
/// AWS refuses the account as a whole, for example because it is suspended.
pub const BLOCKED: &str = "Blocked";

/// `True`, `False` or `Unknown`, as Kubernetes writes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ConditionStatus {
    /// The condition holds.
    True,
    /// The condition does not hold.
    False,
    /// It is not known whether the condition holds.
    Unknown,
}

impl From<bool> for ConditionStatus {
    fn from(holds: bool) -> Self {
        if holds { Self::True } else { Self::False }
    }
}

/// One aspect of the observed state, in the shape of `metav1.Condition`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// Type of the condition, such as Ready.
    #[serde(rename = "type")]
    #[schemars(length(min = 1, max = 316))]
    pub kind: String,
    /// Whether the condition holds: True, False or Unknown.
    pub status: ConditionStatus,
    /// Why, in one CamelCase word that programs may match on.
    #[schemars(length(min = 1, max = 1024))]
    pub reason: String,
    /// Why, in a sentence for people: what is, and what to do.
    #[schemars(length(max = 32768))]
    pub message: String,
    /// When the status last changed. A new reason or message does not count.
    #[schemars(schema_with = "super::time::timestamp")]
    pub last_transition_time: Timestamp,
    /// The metadata.generation that this condition was computed for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
}

/// What AWS or people wrote may be of any length; a message is for reading.
pub(crate) const LONGEST_MESSAGE: usize = 4096;

/// The conditions as they should be now, with the times of those whose status did not flip kept.
#[must_use]
pub fn merge(old: &[Condition], mut new: Vec<Condition>) -> Vec<Condition> {
    for condition in &mut new {
        if let Some((longest, _)) = condition.message.char_indices().nth(LONGEST_MESSAGE) {
            condition.message.truncate(longest);
        }
        if let Some(before) = find(old, &condition.kind)
            && before.status == condition.status
        {
            condition.last_transition_time = whole_seconds(before.last_transition_time);
        }
    }
    new
}

/// The condition of that type.
pub fn find<'a>(conditions: &'a [Condition], kind: &str) -> Option<&'a Condition> {
    conditions.iter().find(|c| c.kind == kind)
}
