//! `BreakglassGrant`: written by people through Git; the controller writes status and finalizer.

use jiff::Timestamp;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::conditions::Condition;

/// Gives one person one access in AWS until a point in time.
///
/// Access is given when a policy admits the grant, and taken away at expiryTime, or earlier when
/// the grant is revoked or deleted.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    doc = "Gives one person one access in AWS until a point in time. Access is given when a policy admits the grant, and taken away at expiryTime, or earlier when the grant is revoked or deleted.",
    group = "breakglass.dev",
    version = "v1alpha1",
    kind = "BreakglassGrant",
    plural = "breakglassgrants",
    shortname = "bgg",
    category = "breakglass",
    namespaced,
    status = "BreakglassGrantStatus",
    selectable = ".spec.user",
    selectable = ".spec.target.accountAssignment.account",
    selectable = ".spec.target.accountAssignment.permissionSet",
    selectable = ".spec.target.identityCenterGroup.name",
    selectable = ".spec.target.iamGroup.account",
    selectable = ".spec.target.iamGroup.name",
    selectable = ".status.state",
    printcolumn(name = "User", type_ = "string", json_path = ".spec.user"),
    printcolumn(name = "Target", type_ = "string", json_path = ".status.targetSummary"),
    printcolumn(name = "State", type_ = "string", json_path = ".status.state"),
    printcolumn(name = "Expires", type_ = "string", json_path = ".spec.expiryTime"),
    printcolumn(
        name = "Age",
        type_ = "date",
        json_path = ".metadata.creationTimestamp"
    ),
    printcolumn(
        name = "Start",
        type_ = "string",
        json_path = ".spec.startTime",
        priority = 1
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = ".spec.reason",
        priority = 1
    ),
    printcolumn(
        name = "Ticket",
        type_ = "string",
        json_path = ".spec.ticket",
        priority = 1
    ),
    printcolumn(
        name = "Policy",
        type_ = "string",
        json_path = ".status.policy",
        priority = 1
    ),
    printcolumn(
        name = "Sessions-End-By",
        type_ = "string",
        json_path = ".status.sessionsEndByTime",
        priority = 1
    )
)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("!has(self.startTime) || self.expiryTime > self.startTime")
    .message("expiryTime must be after startTime")
    .field_path(".expiryTime"))]
pub struct BreakglassGrantSpec {
    /// Who gets the access: the user name in Identity Center, or the IAM user name for an iamGroup
    /// target. It must be spelled exactly as AWS spells it.
    #[schemars(
        length(min = 1, max = 128),
        regex(pattern = r"^[^\p{C}\p{Z}]+( +[^\p{C}\p{Z}]+)*$")
    )]
    pub user: String,
    /// What the person gets. Exactly one kind of target.
    pub target: GrantTarget,
    /// When access starts, RFC 3339 with an offset. Without it: as soon as a policy admits the grant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "super::time::optional_timestamp")]
    pub start_time: Option<Timestamp>,
    /// When access ends, RFC 3339 with an offset. It may be changed while the grant has not ended:
    /// earlier takes effect at once, later needs a policy that admits it.
    #[schemars(schema_with = "super::time::timestamp")]
    pub expiry_time: Timestamp,
    /// Why the access is needed, for reviewers and auditors.
    #[schemars(length(min = 1, max = 1024), regex(pattern = r"[^\p{C}\p{Z}]"))]
    pub reason: String,
    /// Ticket or incident that this belongs to. A policy may demand it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub ticket: Option<String>,
    /// True ends the grant for good. Setting it back to false has no effect.
    #[serde(default)]
    pub revoked: bool,
}

/// What a grant gives: exactly one of the fields.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new(
    "[has(self.accountAssignment), has(self.identityCenterGroup), has(self.iamGroup)].filter(x, x).size() == 1")
    .message("exactly one of accountAssignment, identityCenterGroup and iamGroup must be set"))]
pub struct GrantTarget {
    /// A permission set in an account, for an Identity Center user. Effective at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account_assignment: Option<AccountAssignmentTarget>,
    /// Membership of an Identity Center group. AWS applies it within the hour, at both ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity_center_group: Option<IdentityCenterGroupTarget>,
    /// Membership of an IAM group, for an IAM user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iam_group: Option<IamGroupTarget>,
}

/// A permission set in an account.
#[derive(JsonSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AccountAssignmentTarget {
    /// Id of the AWS account: 12 digits, in quotes.
    #[schemars(regex(pattern = r"^[0-9]{12}$"))]
    pub account: String,
    /// Name of the permission set.
    #[schemars(length(min = 1, max = 32), regex(pattern = r"^[\w+=,.@-]+$"))]
    pub permission_set: String,
}

/// A group in Identity Center.
#[derive(JsonSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IdentityCenterGroupTarget {
    /// Display name of the group, spelled exactly as AWS spells it.
    #[schemars(
        length(min = 1, max = 1024),
        regex(pattern = r"^[^\p{C}\p{Z}]([^\p{C}]*[^\p{C}\p{Z}])?$")
    )]
    pub name: String,
}

/// A group in IAM.
#[derive(JsonSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IamGroupTarget {
    /// Id of the AWS account that holds user and group: 12 digits, in quotes.
    #[schemars(regex(pattern = r"^[0-9]{12}$"))]
    pub account: String,
    /// Name of the group, spelled exactly as AWS spells it.
    #[schemars(length(min = 1, max = 128), regex(pattern = r"^[\w+=,.@-]+$"))]
    pub name: String,
}

/// Where a grant stands. The conditions say why and what to do.
#[derive(JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum GrantState {
    /// Not looked at yet, or waiting for a person to mend something.
    #[default]
    Pending,
    /// Admitted as far as can be said now; its start lies in the future.
    Scheduled,
    /// No policy admits it, or one denies it.
    Denied,
    /// Admitted; AWS is being asked to give the access.
    Granting,
    /// The person has the access.
    Active,
    /// The access is being taken away.
    Revoking,
    /// Its time is over and nothing of it is left.
    Expired,
    /// It was ended early and nothing of it is left.
    Revoked,
}

/// What the controller observed. Never an authority: access is decided from spec and ledger.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BreakglassGrantStatus {
    /// Where the grant stands: Pending, Scheduled, Denied, Granting, Active, Revoking, Expired or Revoked.
    #[serde(default)]
    pub state: GrantState,
    /// The target in short, such as BreakglassAccess@111122223333.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_summary: Option<String>,
    /// The policy that admitted the grant, or would.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// The metadata.generation that this status was computed for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Ready, Granted, Reconciling, Stalled and others.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
    /// The `BreakglassAccess` that carries this grant. From here on user, target and start are fixed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_name: Option<String>,
    /// When the access was first seen in AWS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "super::time::optional_timestamp")]
    pub granted_time: Option<Timestamp>,
    /// When the access was first seen to be gone, or when somebody else's right to it went on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "super::time::optional_timestamp")]
    pub revoked_time: Option<Timestamp>,
    /// When the grant ended. A grant with an end is never granted again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "super::time::optional_timestamp")]
    pub ended_time: Option<Timestamp>,
    /// When the last session that started under this grant ends at the latest (RFC 3339): taking access
    /// away does not end sessions that are already running. "unknown" while the access is overdue, for
    /// sessions may begin until it is gone. None where this grant made none possible.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sessions_end_by_time: Option<String>,
    /// The last value of the annotation breakglass.dev/requestedAt that was acted on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_handled_request: Option<String>,
    /// When AWS is asked again, after a failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "super::time::optional_timestamp")]
    pub next_attempt_time: Option<Timestamp>,
}
