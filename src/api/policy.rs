//! `BreakglassPolicy`: who may get what, owned by the platform or security team. Default is deny.

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::time::Duration;

/// Says which grants are admitted, or which are denied.
///
/// A grant is admitted if some Allow policy admits all of it and no Deny policy matches it. A Deny
/// policy also ends grants that are running: the emergency stop.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    doc = "Says which grants are admitted, or which are denied. A grant is admitted if some Allow policy admits all of it and no Deny policy matches it. A Deny policy also ends grants that are running: the emergency stop.",
    group = "breakglass.dev",
    version = "v1alpha1",
    kind = "BreakglassPolicy",
    plural = "breakglasspolicies",
    shortname = "bgp",
    category = "breakglass",
    status = "BreakglassPolicyStatus",
    printcolumn(name = "Effect", type_ = "string", json_path = ".spec.effect"),
    printcolumn(name = "Namespaces", type_ = "string", json_path = ".spec.namespaces"),
    printcolumn(
        name = "Max-Duration",
        type_ = "string",
        json_path = ".spec.maxDuration"
    ),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Ready")].status"#
    ),
    printcolumn(
        name = "Age",
        type_ = "date",
        json_path = ".metadata.creationTimestamp"
    )
)]
#[serde(rename_all = "camelCase")]
pub struct BreakglassPolicySpec {
    /// Allow admits what matches; Deny refuses it and ends what is running.
    #[serde(default)]
    pub effect: Effect,
    /// Namespaces of the grants, as globs: `*` is any run of characters, `?` is one.
    #[schemars(length(min = 1, max = 64), inner(length(min = 1, max = 253)))]
    pub namespaces: Vec<String>,
    /// The grants that this policy is about; any one rule suffices.
    #[schemars(length(min = 1, max = 64))]
    pub rules: Vec<PolicyRule>,
    /// Longest time from the later of startTime and creation to expiryTime, such as 8h. Needed to allow anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "super::time::optional_duration")]
    pub max_duration: Option<Duration>,
    /// Longest time from creation to startTime, such as 168h. Without it: no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "super::time::optional_duration")]
    pub max_lead: Option<Duration>,
    /// Regular expression that the whole of the grant's ticket must match. Without it no ticket is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub ticket_pattern: Option<String>,
    /// What happens when somebody removes the access in AWS while it is active.
    #[serde(default)]
    pub on_external_removal: OnExternalRemoval,
    /// What happens to access that no grant explains. Only for Exclusive ownership.
    #[serde(default)]
    pub unexplained: Unexplained,
    /// Whether others than this controller give these entitlements too.
    #[serde(default)]
    pub ownership: Ownership,
}

/// What a policy does with the grants that it matches.
#[derive(JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Effect {
    /// Admit them.
    #[default]
    Allow,
    /// Refuse them, and end them if they are running.
    Deny,
}

/// What happens when somebody removes an active access in AWS.
#[derive(JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum OnExternalRemoval {
    /// Give it again.
    #[default]
    Restore,
    /// End the grant.
    End,
}

/// What happens to access that no grant explains.
#[derive(JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Unexplained {
    /// Say so.
    #[default]
    Report,
    /// Take it away after a delay.
    Revoke,
}

/// Whether others give the same entitlements.
#[derive(JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ownership {
    /// Others may give them too: what stood before a grant stays after it.
    #[default]
    Shared,
    /// Only this controller ever gives them: what is found counts as ours.
    Exclusive,
}

/// Some users and some entitlements. A rule of a Deny policy without a target means every target,
/// without users everybody.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new(
    "[has(self.accountAssignment), has(self.identityCenterGroup), has(self.iamGroup)].filter(x, x).size() <= 1")
    .message("a rule has at most one of accountAssignment, identityCenterGroup and iamGroup: write one rule for each"))]
pub struct PolicyRule {
    /// Globs over the user of the grant; any one suffices.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256), inner(length(min = 1, max = 256)))]
    pub users: Option<Vec<String>>,
    /// Permission sets in accounts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account_assignment: Option<AccountAssignmentRule>,
    /// Identity Center groups.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity_center_group: Option<IdentityCenterGroupRule>,
    /// IAM groups in accounts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iam_group: Option<IamGroupRule>,
}

/// Permission sets in accounts.
#[derive(JsonSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AccountAssignmentRule {
    /// Account ids, or `*`. The star covers neither the management account nor protected accounts: list those.
    #[schemars(
        length(min = 1, max = 1024),
        inner(regex(pattern = r"^([0-9]{12}|\*)$"))
    )]
    pub accounts: Vec<String>,
    /// Globs over the names of permission sets.
    #[schemars(length(min = 1, max = 256), inner(length(min = 1, max = 64)))]
    pub permission_sets: Vec<String>,
}

/// Identity Center groups.
#[derive(JsonSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IdentityCenterGroupRule {
    /// Globs over the display names of groups.
    #[schemars(length(min = 1, max = 256), inner(length(min = 1, max = 1024)))]
    pub names: Vec<String>,
    /// True admits groups that a directory synchronises, which may undo what the controller does.
    #[serde(default)]
    pub allow_managed_groups: bool,
}

/// IAM groups in accounts.
#[derive(JsonSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IamGroupRule {
    /// Account ids, or `*`. The star covers neither the management account nor protected accounts: list those.
    #[schemars(
        length(min = 1, max = 1024),
        inner(regex(pattern = r"^([0-9]{12}|\*)$"))
    )]
    pub accounts: Vec<String>,
    /// Globs over the names of groups.
    #[schemars(length(min = 1, max = 256), inner(length(min = 1, max = 128)))]
    pub names: Vec<String>,
}

/// What the controller makes of the policy.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BreakglassPolicyStatus {
    /// The metadata.generation that this status was computed for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Ready: whether the policy can be read and is in force.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<super::conditions::Condition>,
}
