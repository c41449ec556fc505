//! AWS STS (API version 2011-06-15).

use jiff::SignedDuration;
use serde_json::json;

use super::{Answer, Context};
use crate::clock::later;
use crate::error::ServiceError;
use crate::input::{Input, ROLE_ARN, SESSION_NAME};
use crate::wire::{Service, iso};
use crate::world::callers::{Caller, Session};

const STS: Service = Service::Sts;
/// A role that takes on a role gets an hour at most (IAM guide, role chaining).
const CHAINED_SECONDS: usize = 3600;

/// For so long temporary credentials are refused as expired, and from then on as unknown.
const FORGOTTEN_AFTER: SignedDuration = SignedDuration::from_hours(24);

pub(super) fn handle(context: &mut Context<'_>, operation: &str, input: &Input<'_>) -> Answer {
    match operation {
        "GetCallerIdentity" => Ok(caller_identity(context.caller)),
        "AssumeRole" => assume_role(context, input),
        other => Err(ServiceError::unknown_operation(STS, other)),
    }
}

fn caller_identity(caller: &Caller) -> serde_json::Value {
    json!({ "Arn": caller.arn, "UserId": caller.user_id, "Account": caller.account })
}

/// STS API reference, `AssumeRole`. Trust policies are not evaluated: a role that exists can be assumed unless a fault forbids it.
fn assume_role(context: &mut Context<'_>, input: &Input<'_>) -> Answer {
    let role_arn = input.required("RoleArn", &ROLE_ARN)?;
    let session_name = input.required("RoleSessionName", &SESSION_NAME)?;
    let seconds = input
        .number("DurationSeconds", 900, 43_200)?
        .unwrap_or(3600);
    let refused = || {
        let message = format!(
            "User: {} is not authorized to perform: sts:AssumeRole on resource: {role_arn}",
            context.caller.arn
        );
        ServiceError::new(STS, "AccessDenied", message)
    };
    let account = role_arn
        .split(':')
        .nth(4)
        .filter(|account| context.world.is_active(account))
        .ok_or_else(refused)?;
    let iam = context
        .world
        .accounts
        .get(account)
        .map(|account| &account.iam)
        .ok_or_else(refused)?;
    let name = role_arn.rsplit('/').next().unwrap_or_default();
    let role = iam
        .role(name)
        .filter(|role| iam.arn("role", &role.path, &role.name) == role_arn)
        .ok_or_else(refused)?;
    if context.caller.role_arn.is_some() && seconds > CHAINED_SECONDS {
        let message = "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining";
        return Err(ServiceError::invalid(STS, message));
    }
    if seconds > role.max_session_seconds {
        return Err(ServiceError::invalid(
            STS,
            "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
        ));
    }
    let partition = &context.world.partition;
    let caller = Caller {
        account: account.to_owned(),
        arn: format!(
            "arn:{partition}:sts::{account}:assumed-role/{}/{session_name}",
            role.name
        ),
        user_id: format!("{}:{session_name}", role.id),
        role_arn: Some(role_arn.to_owned()),
    };
    let access_key_id = format!("ASIA{account}{}", context.random.base32(8));
    let (secret, token) = (context.random.base32(40), context.random.base32(120));
    let expires = later(
        context.now,
        SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(3600)),
    );
    let answer = json!({
        "AssumedRoleUser": { "AssumedRoleId": caller.user_id, "Arn": caller.arn },
        "Credentials": {
            "AccessKeyId": access_key_id,
            "SecretAccessKey": secret,
            "SessionToken": token,
            "Expiration": iso(expires),
        },
    });
    // Long after their end nobody uses them any more.
    let now = context.now;
    context
        .world
        .sessions
        .retain(|_, session| later(session.expires, FORGOTTEN_AFTER) > now);
    context.world.sessions.insert(
        access_key_id,
        Session {
            caller,
            token,
            expires,
            revoked: false,
        },
    );
    Ok(answer)
}
