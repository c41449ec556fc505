//! AWS Organizations (API version 2016-11-28): what a client needs to know about accounts.

use serde_json::{Value, json};

use super::{Answer, Context, json_page};
use crate::error::ServiceError;
use crate::input::{ACCOUNT_ID, Input};
use crate::wire::{Service, epoch};
use crate::world::{Account, World};

const ORGANIZATIONS: Service = Service::Organizations;

pub(super) fn handle(context: &mut Context<'_>, operation: &str, input: &Input<'_>) -> Answer {
    match operation {
        "DescribeOrganization" => Ok(organization(context.world)),
        "ListAccounts" => list_accounts(context, input),
        "DescribeAccount" => describe_account(context, input),
        other => Err(ServiceError::unknown_operation(ORGANIZATIONS, other)),
    }
}

fn organization(world: &World) -> Value {
    let World {
        partition,
        organization_id: id,
        management_account: master,
        ..
    } = world;
    let email = world
        .accounts
        .get(master)
        .map(|account| account.email.as_str());
    json!({ "Organization": {
        "Id": id,
        "Arn": format!("arn:{partition}:organizations::{master}:organization/{id}"),
        "FeatureSet": "ALL",
        "MasterAccountId": master,
        "MasterAccountArn": account_arn(world, master),
        "MasterAccountEmail": email,
    }})
}

fn account_arn(world: &World, id: &str) -> String {
    format!(
        "arn:{}:organizations::{}:account/{}/{id}",
        world.partition, world.management_account, world.organization_id
    )
}

fn account(world: &World, id: &str, account: &Account) -> Value {
    let status = account.status.name();
    json!({
        "Id": id,
        "Arn": account_arn(world, id),
        "Email": account.email,
        "Name": account.name,
        "Status": status,
        "State": status,
        "JoinedMethod": "CREATED",
        "JoinedTimestamp": epoch(account.joined),
    })
}

/// Only the management account and delegated administrators may ask (Organizations API reference, `ListAccounts`).
fn authorise(context: &Context<'_>) -> Result<(), ServiceError> {
    let World {
        management_account,
        delegated_administrator,
        ..
    } = &*context.world;
    let caller = &context.caller.account;
    if caller == management_account || Some(caller) == delegated_administrator.as_ref() {
        return Ok(());
    }
    Err(ServiceError::new(
        ORGANIZATIONS,
        "AccessDeniedException",
        "You don't have permissions to access this resource.",
    ))
}

fn list_accounts(context: &mut Context<'_>, input: &Input<'_>) -> Answer {
    authorise(context)?;
    let world = &*context.world;
    let rows = world
        .accounts
        .iter()
        .map(|(id, found)| (id.clone(), account(world, id, found)));
    let page = json_page(
        input,
        ORGANIZATIONS,
        "accounts".to_owned(),
        20,
        rows,
        (context.settings, context.revision, context.random),
    )?;
    Ok(json!({ "Accounts": page.rows, "NextToken": page.next }))
}

fn describe_account(context: &Context<'_>, input: &Input<'_>) -> Answer {
    authorise(context)?;
    let id = input.required("AccountId", &ACCOUNT_ID)?;
    let found = context.world.accounts.get(id).ok_or_else(|| {
        let message = "You specified an account that doesn't exist.";
        ServiceError::new(ORGANIZATIONS, "AccountNotFoundException", message)
    })?;
    Ok(json!({ "Account": account(context.world, id, found) }))
}
