//! Account assignments.

use serde_json::{Value, json};

use super::permission_sets::missing;
use super::status::{self, CREATION, DELETION};
use super::{
    Answer, Context, SSO, found, found_mut, instance_arn, is_delegate, json_page, not_found,
};
use crate::error::ServiceError;
use crate::input::{
    ACCOUNT_ID, Input, PERMISSION_SET_ARN, PRINCIPAL_TYPE, RESOURCE_ID, TARGET_TYPE,
};
use crate::settings::{AbsentDelete, OrphanDelete, Refusal};
use crate::world::assignments::{
    Operation, OperationKind, Principal, PrincipalType, Tuple, passing_failure,
};
use crate::world::instance::Instance;

/// The message for too many assignment operations at once, as seen in the wild.
const TOO_MANY: &str = "There are too many requests processing. Please try again later.";

fn principal(input: &Input<'_>) -> Result<Principal, ServiceError> {
    let kind = match input.required("PrincipalType", &PRINCIPAL_TYPE)? {
        "GROUP" => PrincipalType::Group,
        _ => PrincipalType::User,
    };
    Ok(Principal {
        kind,
        id: input.required("PrincipalId", &RESOURCE_ID)?.to_owned(),
    })
}

fn tuple(input: &Input<'_>) -> Result<Tuple, ServiceError> {
    input.required("TargetType", &TARGET_TYPE)?;
    let principal = principal(input)?;
    let account = input.required("TargetId", &ACCOUNT_ID)?.to_owned();
    let permission_set = input
        .required("PermissionSetArn", &PERMISSION_SET_ARN)?
        .to_owned();
    Ok(Tuple {
        account,
        permission_set,
        principal,
    })
}

/// Refuses what a delegated administrator may not touch: the management account, and permission sets that are assigned there
/// (IAM Identity Center guide, delegated administration).
fn authorise(
    context: &Context<'_>,
    operation: &str,
    instance: &Instance,
    tuple: &Tuple,
) -> Result<(), ServiceError> {
    if !context.settings.delegate.refused_management_account || !is_delegate(context, instance) {
        return Ok(());
    }
    let management = &context.world.management_account;
    let mut rows = instance.assignments.rows(context.now);
    if tuple.account == *management
        || rows.any(|row| row.account == *management && row.permission_set == tuple.permission_set)
    {
        return Err(context.access_denied(SSO, operation));
    }
    Ok(())
}

/// Refuses a second write where one is under way, and more at once than the quota.
fn admit(context: &mut Context<'_>, arn: &str, tuple: &Tuple) -> Result<(), ServiceError> {
    let most = context.settings.assignments_in_flight;
    let assignments = &found(context, arn)?.assignments;
    let taken = assignments.in_flight().any(|one| one.tuple == *tuple);
    let load = assignments.in_flight().count() + context.places_taken;
    let unlucky = share(load, most) * context.settings.chances.conflict_under_load;
    if taken || context.random.chance(unlucky) {
        let message = "There is a conflict with a previous successful write; wait for it to propagate and try again.";
        return Err(ServiceError::new(SSO, "ConflictException", message));
    }
    if load >= most {
        return Err(ServiceError::throttled(SSO, TOO_MANY));
    }
    Ok(())
}

fn share(part: usize, whole: usize) -> f64 {
    let small = |number| f64::from(u32::try_from(number).unwrap_or(u32::MAX));
    (small(part) / small(whole.max(1))).min(1.0)
}

fn start(
    context: &mut Context<'_>,
    arn: &str,
    kind: OperationKind,
    tuple: Tuple,
    failure: Option<String>,
) -> Result<Value, ServiceError> {
    let (settings, random) = (context.settings, &mut *context.random);
    let mut delay = random.delay(settings.assignment_delay);
    if random.chance(settings.assignment_tail.chance) {
        delay = delay.saturating_add(random.delay(settings.assignment_tail.by));
    }
    let (id, shift) = (random.uuid(), random.delay(settings.effect_shift));
    let failure = context.fail_operation.take().or(failure).or_else(|| {
        let fails = random.chance(settings.chances.assignment_fails);
        fails.then(|| passing_failure(kind, &tuple.account, random))
    });
    let mut operation = Operation::new(id, kind, tuple, context.now, delay, shift);
    operation.planned_failure = failure;
    if settings.orphan_delete == OrphanDelete::Any {
        let others = [OrphanDelete::FailsAndRemoves, OrphanDelete::Succeeds];
        operation.as_orphan = random.one_of(OrphanDelete::Fails, &others);
    }
    Ok(status::json(
        found_mut(context, arn)?
            .assignments
            .start(operation, settings.request_retention),
    ))
}

/// Makes an assignment. One that stands already is made once more, and there is still one of it.
pub(super) fn create(context: &mut Context<'_>, input: &Input<'_>) -> Answer {
    let tuple = tuple(input)?;
    let arn = instance_arn(context, "CreateAccountAssignment", input)?;
    let instance = found(context, &arn)?;
    authorise(context, "CreateAccountAssignment", instance, &tuple)?;
    if !instance.permission_sets_enabled {
        return Err(ServiceError::invalid(
            SSO,
            "Permission sets are not enabled for this instance",
        ));
    }
    if !instance.permission_sets.contains_key(&tuple.permission_set) {
        return Err(missing(&tuple.permission_set));
    }
    if !context.world.accounts.contains_key(&tuple.account) {
        return Err(not_found(format!("Account {} not found", tuple.account)));
    }
    let known = instance.principal_name(&tuple.principal).is_some();
    let refusal = match context.settings.unknown_principal {
        Refusal::Either => context.random.one_of(Refusal::AtOnce, &[Refusal::Later]),
        settled => settled,
    };
    if !known && refusal == Refusal::AtOnce {
        return Err(not_found(format!(
            "{} {} not found",
            tuple.principal.kind.name(),
            tuple.principal.id
        )));
    }
    admit(context, &arn, &tuple)?;
    let started = start(context, &arn, OperationKind::Creation, tuple, None)?;
    Ok(json!({ (CREATION.status): started }))
}

pub(super) fn delete(context: &mut Context<'_>, input: &Input<'_>) -> Answer {
    let tuple = tuple(input)?;
    let arn = instance_arn(context, "DeleteAccountAssignment", input)?;
    let instance = found(context, &arn)?;
    authorise(context, "DeleteAccountAssignment", instance, &tuple)?;
    admit(context, &arn, &tuple)?;
    let absent = || {
        format!(
            "Assignment of {} to {} not found",
            tuple.permission_set, tuple.principal.id
        )
    };
    let answer = match context.settings.absent_delete {
        AbsentDelete::Any => {
            let others = [AbsentDelete::Succeeds, AbsentDelete::Fails];
            context.random.one_of(AbsentDelete::NotFound, &others)
        }
        settled => settled,
    };
    let failure = match answer {
        _ if found(context, &arn)?.assignments.holds(&tuple) => None,
        AbsentDelete::NotFound | AbsentDelete::Any => return Err(not_found(absent())),
        AbsentDelete::Succeeds => None,
        AbsentDelete::Fails => Some(format!("Received a 404 status error: {}", absent())),
    };
    let started = start(context, &arn, OperationKind::Deletion, tuple, failure)?;
    Ok(json!({ (DELETION.status): started }))
}

fn row(tuple: &Tuple) -> (String, Value) {
    let (account, set, principal) = (&tuple.account, &tuple.permission_set, &tuple.principal);
    let json = json!({
        "AccountId": account,
        "PermissionSetArn": set,
        "PrincipalType": principal.kind.name(),
        "PrincipalId": principal.id,
    });
    (
        format!("{account} {set} {} {}", principal.kind.name(), principal.id),
        json,
    )
}

pub(super) fn list(context: &mut Context<'_>, input: &Input<'_>) -> Answer {
    let account = input.required("AccountId", &ACCOUNT_ID)?;
    let set = input.required("PermissionSetArn", &PERMISSION_SET_ARN)?;
    let arn = instance_arn(context, "ListAccountAssignments", input)?;
    let seen = context.seen;
    let Some(instance) = context.world.instance(&arn) else {
        return Err(not_found(arn));
    };
    if !instance.permission_sets.contains_key(set) {
        return Err(missing(set));
    }
    let rows = instance.assignments.rows_of(account, set, seen).map(row);
    let listing = format!("assignments {account} {set}");
    let page = json_page(
        input,
        SSO,
        listing,
        100,
        rows,
        (context.settings, context.revision, context.random),
    )?;
    Ok(json!({ "AccountAssignments": page.rows, "NextToken": page.next }))
}

/// The rows of a principal and, for a user, those of its groups, each under the principal that has it
/// (IAM Identity Center API reference, `ListAccountAssignmentsForPrincipal`, and its example).
pub(super) fn list_for_principal(context: &mut Context<'_>, input: &Input<'_>) -> Answer {
    const OPERATION: &str = "ListAccountAssignmentsForPrincipal";
    let asked = principal(input)?;
    let account = match input.structure("Filter")? {
        Some(filter) => filter.text("AccountId", &ACCOUNT_ID)?,
        None => None,
    };
    let arn = instance_arn(context, OPERATION, input)?;
    let seen = context.seen;
    let Some(instance) = context.world.instance(&arn) else {
        return Err(not_found(arn));
    };
    if context.settings.delegate.refused_listing_by_principal && is_delegate(context, instance) {
        return Err(context.access_denied(SSO, OPERATION));
    }
    if instance.principal_name(&asked).is_none() {
        return Err(not_found(format!(
            "{} {} not found",
            asked.kind.name(),
            asked.id
        )));
    }
    let through_groups = context.settings.rows_through_groups && asked.kind == PrincipalType::User;
    let has = |principal: &Principal| {
        let in_group = || {
            instance
                .directory
                .membership(&principal.id, &asked.id, seen)
                .is_some()
        };
        *principal == asked
            || (through_groups && principal.kind == PrincipalType::Group && in_group())
    };
    let rows = instance
        .assignments
        .rows(seen)
        .filter(|tuple| has(&tuple.principal) && account.is_none_or(|id| tuple.account == id))
        .map(row);
    let listing = format!("assignments of {} {account:?}", asked.id);
    let page = json_page(
        input,
        SSO,
        listing,
        100,
        rows,
        (context.settings, context.revision, context.random),
    )?;
    Ok(json!({ "AccountAssignments": page.rows, "NextToken": page.next }))
}
