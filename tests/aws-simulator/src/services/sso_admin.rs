//! IAM Identity Center administration (sso-admin, API version 2020-07-20): instances, permission sets, assignments.

mod assignments;
mod permission_sets;
mod status;

use serde_json::{Value, json};

use super::{Answer, Context, json_page};
use crate::error::ServiceError;
use crate::input::{INSTANCE_ARN, Input, REGION_SCOPE};
use crate::wire::{Service, epoch};
use crate::world::instance::Instance;

const SSO: Service = Service::SsoAdmin;

pub(super) fn handle(context: &mut Context<'_>, operation: &str, input: &Input<'_>) -> Answer {
    match operation {
        "ListInstances" => list_instances(context, input),
        "DescribeInstance" => describe_instance(context, input),
        "ListPermissionSets" => permission_sets::list(context, input),
        "DescribePermissionSet" => permission_sets::describe(context, input),
        "CreatePermissionSet" => permission_sets::create(context, input),
        "DeletePermissionSet" => permission_sets::delete(context, input),
        "ListTagsForResource" => permission_sets::list_tags(context, input),
        "CreateAccountAssignment" => assignments::create(context, input),
        "DeleteAccountAssignment" => assignments::delete(context, input),
        "ListAccountAssignments" => assignments::list(context, input),
        "ListAccountAssignmentsForPrincipal" => assignments::list_for_principal(context, input),
        "DescribeAccountAssignmentCreationStatus" => {
            status::describe(context, input, &status::CREATION)
        }
        "DescribeAccountAssignmentDeletionStatus" => {
            status::describe(context, input, &status::DELETION)
        }
        "ListAccountAssignmentCreationStatus" => status::list(context, input, &status::CREATION),
        "ListAccountAssignmentDeletionStatus" => status::list(context, input, &status::DELETION),
        other => Err(ServiceError::unknown_operation(SSO, other)),
    }
}

fn not_found(message: impl Into<String>) -> ServiceError {
    ServiceError::new(SSO, "ResourceNotFoundException", message)
}

/// The ARN of the instance that a request names, if the caller may work on it from here.
///
/// An instance is administered from the account that owns it and, if that is the management account, from the delegated
/// administrator (IAM Identity Center guide, delegated administration), and only in its own Region.
fn instance_arn(
    context: &Context<'_>,
    operation: &str,
    input: &Input<'_>,
) -> Result<String, ServiceError> {
    let arn = input.required("InstanceArn", &INSTANCE_ARN)?;
    let Some(instance) = context
        .world
        .instance(arn)
        .filter(|instance| instance.region == context.region)
    else {
        return Err(not_found(format!(
            "Instance {arn} not found in {}",
            context.region
        )));
    };
    if instance.owner != context.caller.account && !is_delegate(context, instance) {
        return Err(context.access_denied(SSO, operation));
    }
    Ok(instance.arn.clone())
}

/// Whether the caller is in the account to which the administration of this instance is delegated.
fn is_delegate(context: &Context<'_>, instance: &Instance) -> bool {
    let delegate =
        context.world.delegated_administrator.as_deref() == Some(&context.caller.account);
    delegate && instance.owner == context.world.management_account
}

fn found<'c>(context: &'c Context<'_>, arn: &str) -> Result<&'c Instance, ServiceError> {
    context
        .world
        .instance(arn)
        .ok_or_else(|| not_found(format!("Instance {arn} not found")))
}

fn found_mut<'c>(
    context: &'c mut Context<'_>,
    arn: &str,
) -> Result<&'c mut Instance, ServiceError> {
    context
        .world
        .instance_mut(arn)
        .ok_or_else(|| not_found(format!("Instance {arn} not found")))
}

fn instance_json(instance: &Instance, partition: &str) -> Value {
    json!({
        "InstanceArn": instance.arn,
        "IdentityStoreId": instance.directory.id,
        "IdentityStoreArn": format!("arn:{partition}:identitystore::{}:identitystore/{}", instance.owner, instance.directory.id),
        "OwnerAccountId": instance.owner,
        "Name": instance.name,
        "CreatedDate": epoch(instance.created),
        "Status": "ACTIVE",
        "PrimaryRegion": instance.region,
        "Regions": [{
            "RegionName": instance.region,
            "Status": "ACTIVE",
            "AddedDate": epoch(instance.created),
            "IsPrimaryRegion": true,
        }],
    })
}

/// The instances that the caller's account owns or that the organization has, in this Region unless all are asked for
/// (IAM Identity Center API reference, `ListInstances`).
fn list_instances(context: &mut Context<'_>, input: &Input<'_>) -> Answer {
    let everywhere = input.text("RegionScope", &REGION_SCOPE)? == Some("ALL_REGIONS");
    let world = &*context.world;
    let visible = world.instances.iter().filter(|instance| {
        let ours =
            instance.owner == context.caller.account || instance.owner == world.management_account;
        ours && (everywhere || instance.region == context.region)
    });
    let rows = visible.map(|instance| {
        (
            instance.arn.clone(),
            instance_json(instance, &world.partition),
        )
    });
    let mut rows: Vec<(String, Value)> = rows.collect();
    rows.sort_by(|(one, _), (other, _)| one.cmp(other));
    let page = json_page(
        input,
        SSO,
        format!("instances {everywhere}"),
        100,
        rows.into_iter(),
        (context.settings, context.revision, context.random),
    )?;
    Ok(json!({ "Instances": page.rows, "NextToken": page.next }))
}

fn describe_instance(context: &mut Context<'_>, input: &Input<'_>) -> Answer {
    // The model lists no ResourceNotFoundException for this operation.
    let denied = |error: ServiceError| {
        if error.code == "ResourceNotFoundException" {
            context.access_denied(SSO, "DescribeInstance")
        } else {
            error
        }
    };
    let arn = instance_arn(context, "DescribeInstance", input).map_err(denied)?;
    let instance = found(context, &arn)?;
    let mut answer = instance_json(instance, &context.world.partition);
    if let Value::Object(members) = &mut answer {
        members.insert(
            "PermissionSetsEnabled".to_owned(),
            instance.permission_sets_enabled.into(),
        );
    }
    Ok(answer)
}
