//! The identity store (identitystore, API version 2020-06-15): users, groups, memberships.

mod memberships;
mod users_and_groups;

use serde_json::Value;

use super::{Answer, Context, json_page};
use crate::error::ServiceError;
use crate::input::{Input, STORE_ID};
use crate::wire::Service;
use crate::world::directory::Directory;

const STORE: Service = Service::IdentityStore;

pub(super) fn handle(context: &mut Context<'_>, operation: &str, input: &Input<'_>) -> Answer {
    let answer = match operation {
        "CreateUser" => users_and_groups::create_user,
        "DescribeUser" => users_and_groups::describe_user,
        "UpdateUser" => users_and_groups::update_user,
        "DeleteUser" => users_and_groups::delete_user,
        "ListUsers" => users_and_groups::list_users,
        "GetUserId" => users_and_groups::get_user_id,
        "CreateGroup" => users_and_groups::create_group,
        "DescribeGroup" => users_and_groups::describe_group,
        "GetGroupId" => users_and_groups::get_group_id,
        "ListGroups" => users_and_groups::list_groups,
        "DeleteGroup" => users_and_groups::delete_group,
        "CreateGroupMembership" => memberships::create,
        "DeleteGroupMembership" => memberships::delete,
        "GetGroupMembershipId" => memberships::get_id,
        "DescribeGroupMembership" => memberships::describe,
        "IsMemberInGroups" => memberships::is_member_in_groups,
        "ListGroupMemberships" => memberships::list_of_group,
        "ListGroupMembershipsForMember" => memberships::list_of_member,
        other => return Err(ServiceError::unknown_operation(STORE, other)),
    };
    let index = store_index(context, operation, input)?;
    answer(context, index, input)
}

/// Which instance's store a request names, if the caller may use it from here.
fn store_index(
    context: &Context<'_>,
    operation: &str,
    input: &Input<'_>,
) -> Result<usize, ServiceError> {
    let id = input.required("IdentityStoreId", &STORE_ID)?;
    let stores = context.world.instances.iter();
    let found = stores
        .enumerate()
        .find(|(_, instance)| instance.directory.id == id && instance.region == context.region);
    let (index, instance) = found.ok_or_else(|| not_found("IDENTITY_STORE", id))?;
    let delegate =
        context.world.delegated_administrator.as_deref() == Some(&context.caller.account);
    if instance.owner != context.caller.account
        && !(delegate && instance.owner == context.world.management_account)
    {
        return Err(context.access_denied(STORE, operation));
    }
    Ok(index)
}

fn directory<'c>(context: &'c Context<'_>, index: usize) -> Result<&'c Directory, ServiceError> {
    context
        .world
        .instances
        .get(index)
        .map(|instance| &instance.directory)
        .ok_or_else(|| not_found("IDENTITY_STORE", ""))
}

fn directory_mut<'c>(
    context: &'c mut Context<'_>,
    index: usize,
) -> Result<&'c mut Directory, ServiceError> {
    context
        .world
        .instances
        .get_mut(index)
        .map(|instance| &mut instance.directory)
        .ok_or_else(|| not_found("IDENTITY_STORE", ""))
}

fn not_found(kind: &str, id: &str) -> ServiceError {
    let error = ServiceError::new(
        STORE,
        "ResourceNotFoundException",
        format!("{kind} not found."),
    );
    error
        .with("ResourceType", kind)
        .with("ResourceId", Value::from(id))
}

fn not_unique(message: &str) -> ServiceError {
    ServiceError::new(STORE, "ConflictException", message)
        .with("Reason", "UNIQUENESS_CONSTRAINT_VIOLATION")
}

fn arn(context: &Context<'_>, kind: &str, id: &str) -> String {
    format!(
        "arn:{}:identitystore:::{kind}/{id}",
        context.world.partition
    )
}
