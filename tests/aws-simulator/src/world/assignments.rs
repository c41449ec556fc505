//! Account assignments, and the operations that make and remove them in their own time.

use std::collections::{BTreeMap, VecDeque};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::clock::later;
use crate::random::Random;
use crate::settings::{OrphanDelete, Settings};
use crate::world::directory::Directory;
use crate::world::timeline::Timeline;

/// What an assignment is to: a user or a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum PrincipalType {
    /// A group of the identity store.
    Group,
    /// A user of the identity store.
    User,
}

impl PrincipalType {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Group => "GROUP",
            Self::User => "USER",
        }
    }
}

/// A user or group by id.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Principal {
    pub(crate) kind: PrincipalType,
    pub(crate) id: String,
}

impl Principal {
    fn is_in(&self, directory: &Directory) -> bool {
        match self.kind {
            PrincipalType::User => directory.users.contains_key(&self.id),
            PrincipalType::Group => directory.groups.contains_key(&self.id),
        }
    }
}

/// What an assignment is; there is never more than one of each.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Tuple {
    pub(crate) account: String,
    pub(crate) permission_set: String,
    pub(crate) principal: Principal,
}

/// Whether an operation makes or removes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum OperationKind {
    /// `CreateAccountAssignment`.
    Creation,
    /// `DeleteAccountAssignment`.
    Deletion,
}

/// One Create- or `DeleteAccountAssignment` under way or ended.
#[derive(Clone, Debug)]
pub(crate) struct Operation {
    pub(crate) request_id: String,
    pub(crate) kind: OperationKind,
    pub(crate) tuple: Tuple,
    pub(crate) created: Timestamp,
    /// When the status becomes SUCCEEDED or FAILED.
    pub(crate) status_at: Timestamp,
    /// When the assignment appears or vanishes.
    pub(crate) effect_at: Timestamp,
    /// Why it fails whatever the world looks like then.
    pub(crate) planned_failure: Option<String>,
    /// How it ends without its principal, where the settings leave that open.
    pub(crate) as_orphan: OrphanDelete,
    /// What came of it, known from the first of the two moments on.
    outcome: Option<Result<(), String>>,
    progress: Progress,
}

#[derive(Clone, Copy, Debug, Default)]
struct Progress {
    effect_done: bool,
    status_done: bool,
}

impl Operation {
    pub(crate) fn new(
        request_id: String,
        kind: OperationKind,
        tuple: Tuple,
        now: Timestamp,
        delay: SignedDuration,
        shift: SignedDuration,
    ) -> Self {
        Self {
            request_id,
            kind,
            tuple,
            created: now,
            status_at: later(now, delay),
            effect_at: later(now, delay.saturating_add(shift)).max(now),
            planned_failure: None,
            as_orphan: OrphanDelete::Fails,
            outcome: None,
            progress: Progress::default(),
        }
    }

    /// `IN_PROGRESS`, SUCCEEDED or FAILED, and why it failed.
    pub(crate) fn status(&self) -> (&'static str, Option<&str>) {
        match &self.outcome {
            Some(Ok(())) if self.progress.status_done => ("SUCCEEDED", None),
            Some(Err(reason)) if self.progress.status_done => ("FAILED", Some(reason)),
            _ => ("IN_PROGRESS", None),
        }
    }

    fn is_over(&self) -> bool {
        self.progress.effect_done && self.progress.status_done
    }

    fn next_event(&self) -> Option<Timestamp> {
        let effect = (!self.progress.effect_done).then_some(self.effect_at);
        let status = (!self.progress.status_done).then_some(self.status_at);
        effect.into_iter().chain(status).min()
    }
}

/// Seen in the wild, in the public tracker of aws-samples/aws-identitycenter-codepipeline-auto-assignment, number 31.
fn takes_longer(account: &str) -> String {
    format!(
        "AWS SSO is unable to complete your request at this time. Obtaining permissions to manage your AWS account '{account}' takes \
         longer than usual. Please try again in a few minutes."
    )
}

/// A reason for which an operation fails though everything that it connects is there.
pub(crate) fn passing_failure(kind: OperationKind, account: &str, random: &mut Random) -> String {
    // Seen in the wild, in the public tracker of awslabs/landing-zone-accelerator-on-aws, numbers 215 and 496.
    let denied = "Received a 403 status error: Access denied by IAM. Please check your policy, or wait for role propagation to complete.";
    // A permission set's first assignment in an account makes a role there, and roles have a quota: the public tracker of
    // aws-samples/iam-identity-center-team, number 522. The words are IAM's.
    let full = "Received a 409 status error: Cannot exceed quota for RolesPerAccount: 1000";
    let longer = takes_longer(account);
    let drawn = match kind {
        OperationKind::Creation => random.one_of(longer.as_str(), &[denied, full]),
        OperationKind::Deletion => random.one_of(longer.as_str(), &[denied]),
    };
    drawn.to_owned()
}

/// What the end of an operation depends on.
pub(crate) struct Facts<'a> {
    pub(crate) directory: &'a Directory,
    pub(crate) account_is_active: &'a dyn Fn(&str) -> bool,
    pub(crate) permission_set_exists: &'a dyn Fn(&str) -> bool,
    pub(crate) settings: &'a Settings,
}

impl Facts<'_> {
    fn as_orphan(&self, operation: &Operation) -> OrphanDelete {
        match self.settings.orphan_delete {
            OrphanDelete::Any => operation.as_orphan,
            settled => settled,
        }
    }

    fn outcome(&self, operation: &Operation) -> Result<(), String> {
        let Tuple {
            account,
            permission_set,
            principal,
        } = &operation.tuple;
        if let Some(reason) = &operation.planned_failure {
            return Err(reason.clone());
        }
        if !(self.account_is_active)(account) {
            return Err(takes_longer(account));
        }
        let tolerates_orphan = operation.kind == OperationKind::Deletion
            && self.as_orphan(operation) == OrphanDelete::Succeeds;
        if !principal.is_in(self.directory) && !tolerates_orphan {
            // Seen in the wild, in the public tracker of the Terraform AWS provider, number 19341.
            let (kind, id, store) = (principal.kind.name(), &principal.id, &self.directory.id);
            return Err(format!(
                "Received a 404 status error: the {kind} assignee {id} was not found in directory {store}"
            ));
        }
        if operation.kind == OperationKind::Creation
            && !(self.permission_set_exists)(permission_set)
        {
            return Err(format!(
                "Received a 404 status error: permission set {permission_set} was not found"
            ));
        }
        Ok(())
    }

    fn effect(&self, operation: &Operation, outcome: &Result<(), String>) -> Option<bool> {
        match (operation.kind, outcome) {
            // An account may go between the status and the effect.
            (OperationKind::Creation, Ok(())) => {
                (self.account_is_active)(&operation.tuple.account).then_some(true)
            }
            (OperationKind::Deletion, Ok(())) => Some(false),
            (OperationKind::Deletion, Err(_)) => {
                let removes = self.as_orphan(operation) == OrphanDelete::FailsAndRemoves;
                (removes
                    && operation.planned_failure.is_none()
                    && !operation.tuple.principal.is_in(self.directory))
                .then_some(false)
            }
            (OperationKind::Creation, Err(_)) => None,
        }
    }
}

/// So many operations are remembered even if they are to be remembered for ever.
const KEPT: usize = 1000;

/// All assignments of an instance.
#[derive(Clone, Debug, Default)]
pub(crate) struct Assignments {
    rows: BTreeMap<Tuple, Timeline<bool>>,
    /// All operations that are remembered, by request id.
    operations: BTreeMap<String, Operation>,
    /// Their request ids, the oldest first.
    started: VecDeque<String>,
    /// Request ids of those that are not over.
    pending: Vec<String>,
    vanishing: Vec<(Timestamp, Principal)>,
}

impl Assignments {
    /// Makes or removes an assignment at once, as a person does in the console.
    pub(crate) fn set(&mut self, tuple: Tuple, at: Timestamp, present: bool) {
        let row = self.rows.entry(tuple).or_default();
        if row.holds() != present {
            row.set(at, present);
        }
    }

    pub(crate) fn holds(&self, tuple: &Tuple) -> bool {
        self.rows.get(tuple).is_some_and(Timeline::holds)
    }

    /// All assignments that a reader sees whose copy ends at `when`.
    pub(crate) fn rows(&self, when: Timestamp) -> impl Iterator<Item = &Tuple> {
        self.rows
            .iter()
            .filter(move |(_, row)| row.held_at(when))
            .map(|(tuple, _)| tuple)
    }

    /// Those of one account and permission set.
    pub(crate) fn rows_of<'a>(
        &'a self,
        account: &'a str,
        permission_set: &'a str,
        when: Timestamp,
    ) -> impl Iterator<Item = &'a Tuple> {
        let first = Principal {
            kind: PrincipalType::Group,
            id: String::new(),
        };
        let first = Tuple {
            account: account.to_owned(),
            permission_set: permission_set.to_owned(),
            principal: first,
        };
        self.rows
            .range(first..)
            .take_while(move |(tuple, _)| {
                tuple.account == account && tuple.permission_set == permission_set
            })
            .filter(move |(_, row)| row.held_at(when))
            .map(|(tuple, _)| tuple)
    }

    /// Starts an operation, and forgets those that are older than `retention` or too many.
    pub(crate) fn start(
        &mut self,
        operation: Operation,
        retention: Option<SignedDuration>,
    ) -> &Operation {
        self.forget(operation.created, retention);
        let id = operation.request_id.clone();
        self.started.push_back(id.clone());
        self.pending.push(id.clone());
        self.operations.entry(id).or_insert(operation)
    }

    fn forget(&mut self, now: Timestamp, retention: Option<SignedDuration>) {
        while let Some(oldest) = self.started.front().and_then(|id| self.operations.get(id)) {
            let old = retention.is_some_and(|kept| now.duration_since(oldest.created) > kept);
            if !oldest.is_over() || !(old || self.started.len() > KEPT) {
                return;
            }
            if let Some(id) = self.started.pop_front() {
                self.operations.remove(&id);
            }
        }
    }

    pub(crate) fn operation(&self, request_id: &str) -> Option<&Operation> {
        self.operations.get(request_id)
    }

    pub(crate) fn operations(&self) -> impl Iterator<Item = &Operation> {
        self.operations.values()
    }

    pub(crate) fn in_flight(&self) -> impl Iterator<Item = &Operation> {
        self.pending.iter().filter_map(|id| self.operations.get(id))
    }

    /// From `at` on the assignments of a principal that no longer exists are gone.
    pub(crate) fn vanish(&mut self, principal: Principal, at: Timestamp) {
        self.vanishing.push((at, principal));
    }

    pub(crate) fn next_event(&self) -> Option<Timestamp> {
        let operations = self.in_flight().filter_map(Operation::next_event);
        operations
            .chain(self.vanishing.iter().map(|(at, _)| *at))
            .min()
    }

    /// Carries out what is due at `now`. Answers whether a row came or went.
    pub(crate) fn settle(&mut self, now: Timestamp, facts: &Facts<'_>) -> bool {
        let mut changed = false;
        for id in &self.pending {
            let Some(operation) = self.operations.get_mut(id) else {
                continue;
            };
            let effect_due = !operation.progress.effect_done && operation.effect_at <= now;
            let status_due = !operation.progress.status_done && operation.status_at <= now;
            if !effect_due && !status_due {
                continue;
            }
            let outcome = operation
                .outcome
                .clone()
                .unwrap_or_else(|| facts.outcome(operation));
            if effect_due {
                operation.progress.effect_done = true;
                if let Some(present) = facts.effect(operation, &outcome) {
                    let row = self.rows.entry(operation.tuple.clone()).or_default();
                    if row.holds() != present {
                        row.set(now, present);
                        changed = true;
                    }
                }
            }
            operation.progress.status_done |= status_due;
            operation.outcome = Some(outcome);
        }
        let operations = &self.operations;
        self.pending.retain(|id| {
            operations
                .get(id)
                .is_some_and(|operation| !operation.is_over())
        });
        let (due, later) = std::mem::take(&mut self.vanishing)
            .into_iter()
            .partition(|(at, _)| *at <= now);
        self.vanishing = later;
        for (_, gone) in due {
            for (_, row) in self
                .rows
                .iter_mut()
                .filter(|(tuple, row)| tuple.principal == gone && row.holds())
            {
                row.set(now, false);
                changed = true;
            }
        }
        changed
    }
}
