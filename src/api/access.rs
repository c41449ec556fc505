//! `BreakglassAccess`: the ledger. One object per person and entitlement, written only by the controller.

use jiff::Timestamp;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::conditions::Condition;
use super::policy::OnExternalRemoval;
use super::tuple::Tuple;

/// Who has what now, and on which grounds. Written only by the controller.
///
/// Deleting it takes no access away: revoke or delete the grants that it names.
#[derive(CustomResource, JsonSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    doc = "Who has what now, and on which grounds: the ledger of the controller, written only by it. Deleting it takes no access away: revoke or delete the grants that it names.",
    group = "breakglass.dev",
    version = "v1alpha1",
    kind = "BreakglassAccess",
    plural = "breakglassaccesses",
    shortname = "bga",
    category = "breakglass",
    status = "BreakglassAccessStatus",
    selectable = ".spec.user",
    selectable = ".spec.state",
    printcolumn(name = "User", type_ = "string", json_path = ".spec.user"),
    printcolumn(name = "Target", type_ = "string", json_path = ".spec.targetSummary"),
    printcolumn(name = "State", type_ = "string", json_path = ".spec.state"),
    printcolumn(name = "Origin", type_ = "string", json_path = ".spec.origin"),
    printcolumn(
        name = "Observed",
        type_ = "string",
        json_path = ".status.observed.presence"
    ),
    printcolumn(name = "Grants", type_ = "string", json_path = ".status.grants"),
    printcolumn(
        name = "Age",
        type_ = "date",
        json_path = ".metadata.creationTimestamp"
    ),
    printcolumn(
        name = "Since",
        type_ = "string",
        json_path = ".status.observed.sinceTime",
        priority = 1
    ),
    printcolumn(
        name = "Error",
        type_ = "string",
        json_path = ".status.lastError",
        priority = 1
    )
)]
#[serde(rename_all = "camelCase")]
pub struct BreakglassAccessSpec {
    /// Name of the person when the tuple was pinned.
    pub user: String,
    /// The entitlement in short, such as BreakglassAccess@111122223333.
    pub target_summary: String,
    /// The person and the entitlement, by ids.
    pub tuple: Tuple,
    /// Whether the access is ours. Absent until AWS was read; only Created may ever be deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
    /// Where the tuple stands.
    #[serde(default)]
    pub state: AccessState,
    /// The grants that were admitted for this tuple and have not ended.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["uid"]))]
    pub claims: Vec<Claim>,
    /// The grants that ended after a claim, kept while the grant object exists.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 1024), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["uid"]))]
    pub ended: Vec<EndedClaim>,
    /// The write to AWS that is about to be sent, or was sent and has no known outcome yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<Attempt>,
    /// Until then an earlier create whose outcome is unknown may still take effect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "super::time::optional_timestamp")]
    pub create_unknown_until: Option<Timestamp>,
    /// Until then an earlier delete whose outcome is unknown may still take effect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "super::time::optional_timestamp")]
    pub delete_unknown_until: Option<Timestamp>,
    /// Until then listings may still show a membership that AWS has called deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "super::time::optional_timestamp")]
    pub still_listed_until: Option<Timestamp>,
    /// The process that may delete expired access while the API server can't be reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offline_deleter: Option<Holder>,
    /// End of the reading that first showed the access absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "super::time::optional_timestamp")]
    pub first_absent_time: Option<Timestamp>,
    /// Longest session, in seconds, that could be started since the ledger was last closed. None where AWS
    /// never told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub longest_session_seconds: Option<i64>,
}

/// Whether an access is ours.
#[derive(JsonSchema, Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Origin {
    /// AWS showed it absent before we first created it, or a policy calls it exclusively ours.
    Created,
    /// It was there before us. It is never deleted.
    PreExisting,
}

/// Where a tuple stands.
#[derive(JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum AccessState {
    /// Nothing of ours is in AWS.
    #[default]
    Closed,
    /// It is given, or being given.
    Open,
    /// It is being taken away, or watched until it surely stays away.
    Settling,
}

/// The record that a grant was admitted from a start to an end.
#[derive(JsonSchema, Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Claim {
    /// The grant.
    pub grant: GrantRef,
    /// Uid of the grant: a grant made again under the same name is another one.
    pub uid: String,
    /// Hash over user, target and start of the grant as it was admitted.
    pub spec_hash: String,
    /// From when access is due.
    #[schemars(schema_with = "super::time::timestamp")]
    pub start_time: Timestamp,
    /// Until when access is due.
    #[schemars(schema_with = "super::time::timestamp")]
    pub expiry_time: Timestamp,
    /// Since when AWS has shown the access for this claim. None while it is being given, for the first time or
    /// again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "super::time::optional_timestamp")]
    pub active_time: Option<Timestamp>,
    /// When the access was first seen in AWS for this claim, whatever became of it since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "super::time::optional_timestamp")]
    pub granted_time: Option<Timestamp>,
    /// The policy that admitted it.
    pub policy: PolicyRef,
    /// What that policy says about a removal by others.
    #[serde(default)]
    pub on_external_removal: OnExternalRemoval,
    /// Whether that policy calls the entitlement exclusively ours.
    #[serde(default)]
    pub exclusive: bool,
    /// Where the grant came from, as its annotations say. Unverified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provenance: Option<Provenance>,
}

/// Names a grant.
#[derive(JsonSchema, Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct GrantRef {
    /// Namespace of the grant.
    pub namespace: String,
    /// Name of the grant.
    pub name: String,
}

/// Names a policy as it was when it was asked.
#[derive(JsonSchema, Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PolicyRef {
    /// Name of the policy.
    pub name: String,
    /// Its metadata.generation.
    pub generation: i64,
}

/// Where a grant came from. Copied from its annotations, unverified.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Provenance {
    /// Value of the annotation breakglass.dev/pull-request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pull_request: Option<String>,
    /// Value of the annotation breakglass.dev/commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// Value of the annotation breakglass.dev/approved-by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approved_by: Option<String>,
}

/// Why a claim ended.
#[derive(JsonSchema, Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum EndReason {
    /// Its time was over.
    Expired,
    /// spec.revoked was set, or the revoke annotation.
    RevokedByRequest,
    /// The grant was deleted.
    Deleted,
    /// User, target or start of the grant were changed.
    TargetChanged,
    /// A Deny policy matches it.
    DeniedByPolicy,
    /// Somebody removed the access in AWS, and the policy says that this ends the grant.
    RemovedExternally,
    /// The grant had ended already when the claim was made.
    EndedBefore,
}

/// A grant that ended after a claim.
#[derive(JsonSchema, Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EndedClaim {
    /// Uid of the grant.
    pub uid: String,
    /// The grant.
    pub grant: GrantRef,
    /// Why it ended.
    pub reason: EndReason,
    /// When it ended.
    #[schemars(schema_with = "super::time::timestamp")]
    pub time: Timestamp,
    /// Until when access was due.
    #[schemars(schema_with = "super::time::timestamp")]
    pub expiry_time: Timestamp,
    /// Since when AWS had shown the access for it. None if it was not there, or nobody knew, when this ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "super::time::optional_timestamp")]
    pub active_time: Option<Timestamp>,
    /// When the access was first seen in AWS for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "super::time::optional_timestamp")]
    pub granted_time: Option<Timestamp>,
    /// Whether the access was ours while this was due: AWS had been asked for it, and it may have been
    /// there though nobody saw it. False for access that stood before.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub attempted: bool,
    /// When AWS was first seen to show the access no more, or when somebody else's right to it went on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "super::time::optional_timestamp")]
    pub gone_time: Option<Timestamp>,
    /// Longest session, in seconds, that could be started by then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub longest_session_seconds: Option<i64>,
    /// Whether the ledger has been closed since: nothing of what was given for it is left.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub settled: bool,
    /// Hash over user, target and start of the grant as it was admitted.
    pub spec_hash: String,
    /// The policy that had admitted it.
    pub policy: PolicyRef,
    /// Where the grant came from, as its annotations say. Unverified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provenance: Option<Provenance>,
}

impl EndedClaim {
    /// Nothing is there that this claim alone had. Later news of the access is of others.
    pub fn gone(&mut self, at: Timestamp, longest_session_seconds: Option<i64>) {
        if self.gone_time.is_none() {
            self.gone_time = Some(at);
            self.longest_session_seconds = longest_session_seconds;
        }
    }
}

/// What is done in AWS.
#[derive(JsonSchema, Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Operation {
    /// Give the access.
    Create,
    /// Take it away.
    Delete,
}

/// The record, written before a write to AWS, that it is about to be sent.
#[derive(JsonSchema, Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Attempt {
    /// What is about to be sent.
    pub operation: Operation,
    /// Random id of the attempt.
    pub id: String,
    /// The process that sends it.
    pub holder: Holder,
    /// When the record was written.
    #[schemars(schema_with = "super::time::timestamp")]
    pub written_at: Timestamp,
    /// It is not sent after this.
    #[schemars(schema_with = "super::time::timestamp")]
    pub send_before: Timestamp,
}

/// One run of one controller process.
#[derive(JsonSchema, Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Holder {
    /// Uid of the pod, or something as unique where there is no pod.
    pub pod: String,
    /// Id of the run within the pod: a restarted container is another run.
    pub run: String,
}

/// Whether AWS has the access.
#[derive(JsonSchema, Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Presence {
    /// AWS lists it.
    Present,
    /// AWS does not list it.
    Absent,
    /// The person, the entitlement or the account is gone, or came back with another id.
    Gone,
}

/// What was last seen in AWS.
#[derive(JsonSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Observed {
    /// Whether AWS has the access.
    pub presence: Presence,
    /// Since when that has been seen.
    #[schemars(schema_with = "super::time::timestamp")]
    pub since_time: Timestamp,
}

/// What was last observed. Only a hint: decisions rest on the spec and on AWS.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BreakglassAccessStatus {
    /// What was last seen in AWS, and since when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed: Option<Observed>,
    /// Id that AWS gave to an operation that it has not finished.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending_request_id: Option<String>,
    /// The grants that hold a claim, as namespace/name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub grants: Vec<String>,
    /// Failed tries in a row.
    #[serde(default)]
    #[schemars(with = "i32")]
    pub tries: u32,
    /// What AWS last answered, if it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
    /// When AWS is asked again, after a failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "super::time::optional_timestamp")]
    pub next_attempt_time: Option<Timestamp>,
    /// `RevokeOverdue`, Blocked and others.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
}

impl BreakglassAccessSpec {
    /// Whether it has a claim of the grant with that uid, or an ended one.
    pub fn knows(&self, uid: &str) -> bool {
        self.claims.iter().any(|claim| claim.uid == uid)
            || self.ended.iter().any(|ended| ended.uid == uid)
    }

    /// Takes over what person and entitlement are called now. The ids stay.
    pub fn rename(&mut self, tuple: Tuple) {
        tuple.user().clone_into(&mut self.user);
        self.target_summary = tuple.summary();
        self.tuple = tuple;
    }

    /// A ledger entry for a tuple that nobody has claimed yet.
    pub fn new(tuple: Tuple) -> Self {
        Self {
            user: tuple.user().to_owned(),
            target_summary: tuple.summary(),
            tuple,
            origin: None,
            state: AccessState::Closed,
            claims: Vec::new(),
            ended: Vec::new(),
            attempt: None,
            create_unknown_until: None,
            delete_unknown_until: None,
            still_listed_until: None,
            offline_deleter: None,
            first_absent_time: None,
            longest_session_seconds: None,
        }
    }
}
