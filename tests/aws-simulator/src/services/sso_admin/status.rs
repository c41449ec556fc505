//! What became of Create- and `DeleteAccountAssignment`. Their request ids are separate spaces.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Answer, Context, SSO, found, instance_arn, json_page, not_found};
use crate::input::{Input, STATUS, UUID};
use crate::wire::epoch;
use crate::world::assignments::{Operation, OperationKind};

/// What the status operations of one kind are called.
pub(super) struct Names {
    kind: OperationKind,
    describe: &'static str,
    list: &'static str,
    request_id: &'static str,
    pub(super) status: &'static str,
    statuses: &'static str,
}

pub(super) const CREATION: Names = Names {
    kind: OperationKind::Creation,
    describe: "DescribeAccountAssignmentCreationStatus",
    list: "ListAccountAssignmentCreationStatus",
    request_id: "AccountAssignmentCreationRequestId",
    status: "AccountAssignmentCreationStatus",
    statuses: "AccountAssignmentsCreationStatus",
};

pub(super) const DELETION: Names = Names {
    kind: OperationKind::Deletion,
    describe: "DescribeAccountAssignmentDeletionStatus",
    list: "ListAccountAssignmentDeletionStatus",
    request_id: "AccountAssignmentDeletionRequestId",
    status: "AccountAssignmentDeletionStatus",
    statuses: "AccountAssignmentsDeletionStatus",
};

pub(super) fn json(operation: &Operation) -> Value {
    let (status, reason) = operation.status();
    let tuple = &operation.tuple;
    json!({
        "Status": status,
        "RequestId": operation.request_id,
        "TargetId": tuple.account,
        "TargetType": "AWS_ACCOUNT",
        "PermissionSetArn": tuple.permission_set,
        "PrincipalType": tuple.principal.kind.name(),
        "PrincipalId": tuple.principal.id,
        "CreatedDate": epoch(operation.created),
        "FailureReason": reason,
    })
}

/// Whether a request id is still known.
fn is_remembered(context: &Context<'_>, created: Timestamp) -> bool {
    let age = context.now.duration_since(created);
    context
        .settings
        .request_retention
        .is_none_or(|retention| age <= retention)
}

pub(super) fn describe(context: &mut Context<'_>, input: &Input<'_>, names: &Names) -> Answer {
    let id = input.required(names.request_id, &UUID)?;
    let arn = instance_arn(context, names.describe, input)?;
    let operation = found(context, &arn)?.assignments.operation(id);
    let operation = operation.filter(|operation| {
        operation.kind == names.kind && is_remembered(context, operation.created)
    });
    let operation = operation.ok_or_else(|| not_found(format!("Request {id} not found")))?;
    Ok(json!({ (names.status): json(operation) }))
}

pub(super) fn list(context: &mut Context<'_>, input: &Input<'_>, names: &Names) -> Answer {
    let arn = instance_arn(context, names.list, input)?;
    let wanted = match input.structure("Filter")? {
        Some(filter) => filter.text("Status", &STATUS)?,
        None => None,
    };
    let operations = found(context, &arn)?.assignments.operations();
    let operations = operations.filter(|operation| {
        let status = operation.status().0;
        operation.kind == names.kind
            && is_remembered(context, operation.created)
            && wanted.is_none_or(|wanted| wanted == status)
    });
    let row = |operation: &Operation| json!({ "Status": operation.status().0, "RequestId": operation.request_id, "CreatedDate": epoch(operation.created) });
    let rows: Vec<(String, Value)> = operations
        .map(|operation| (operation.request_id.clone(), row(operation)))
        .collect();
    let listing = format!("{} {arn} {wanted:?}", names.list);
    let page = json_page(
        input,
        SSO,
        listing,
        100,
        rows.into_iter(),
        (context.settings, context.revision, context.random),
    )?;
    Ok(json!({ (names.statuses): page.rows, "NextToken": page.next }))
}
