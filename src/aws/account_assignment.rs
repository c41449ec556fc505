//! A permission set in an account, assigned directly to an Identity Center user.
//!
//! AWS makes and removes assignments asynchronously (SSO Admin API reference,
//! `CreateAccountAssignment`, `DeleteAccountAssignment`): both answer with an operation to follow.
//! Making one that is there succeeds, so success never proves that it was ours.

use aws_sdk_ssoadmin::types::{
    AccountAssignmentOperationStatus, PrincipalType, StatusValues, TargetType,
};

use super::calls::{Pages, id, is_id};
use super::desk::DeskKey;
use super::error::{Class, Error, LONGEST, classify_failure_reason};
use super::identity_center::{IdentityCenter, Shared};
use super::outcome::{Cleared, Outcome, ResolveError, Resolved, Seen};
use crate::api::access::Operation;
use crate::api::tuple::{AccountAssignment, Tuple};
use crate::digest::shortened;

/// Direct assignments of permission sets.
#[derive(Clone, Debug)]
pub(super) struct AccountAssignments {
    center: Shared,
}

impl AccountAssignments {
    pub(super) fn new(center: Shared) -> Self {
        Self { center }
    }

    pub(super) fn desk_key(tuple: &AccountAssignment) -> DeskKey {
        IdentityCenter::sso_key(&tuple.instance_arn)
    }

    pub(super) async fn resolve(
        &self,
        user: &str,
        account: &str,
        permission_set: &str,
    ) -> Result<Resolved, ResolveError> {
        let instance = self.center.instance().await?;
        let user_id = self.center.resolve_user(&instance, user).await?;
        // A set may have been made again under its name since its ARN was learnt.
        for _ in 0..2 {
            let permission_set_arn = self
                .center
                .resolve_permission_set(&instance, permission_set)
                .await?;
            let tuple = AccountAssignment {
                instance_arn: instance.arn.clone(),
                identity_store_id: instance.identity_store_id.clone(),
                account: account.to_owned(),
                permission_set_arn,
                permission_set: permission_set.to_owned(),
                user_id: user_id.clone(),
                user: user.to_owned(),
            };
            match self.is_assigned(&tuple).await {
                Ok(_) => {
                    return Ok(Resolved {
                        tuple: Tuple::AccountAssignment(tuple),
                        managed_elsewhere: false,
                    });
                }
                Err(error)
                    if error.is_gone() && error.message.to_lowercase().contains("account") =>
                {
                    return Err(account_not_found(account));
                }
                Err(error) if error.is_gone() => {
                    self.center.forget_permission_set(&tuple.permission_set_arn);
                }
                Err(error) => return Err(error.into()),
            }
        }
        Err(account_not_found(account))
    }

    pub(super) async fn read(&self, tuple: &AccountAssignment) -> Result<Seen, Error> {
        self.same_instance(tuple).await?;
        let assigned = match self.is_assigned(tuple).await {
            Ok(assigned) => assigned,
            Err(error) if error.is_gone() => {
                self.center.forget_permission_set(&tuple.permission_set_arn);
                let what = format!(
                    "permission set {} or account {} is no longer there",
                    tuple.permission_set, tuple.account
                );
                return Ok(Seen::Gone(what));
            }
            Err(error) => return Err(error),
        };
        // A row may outlive its user, and such a row can't be deleted any more.
        let user = self
            .center
            .user(
                &tuple.instance_arn,
                &tuple.identity_store_id,
                &tuple.user_id,
            )
            .await?;
        if user.is_none() {
            let what = format!("user {} is no longer in Identity Center", tuple.user);
            return Ok(Seen::Gone(what));
        }
        Ok(if assigned {
            Seen::Present {
                session_seconds: self.session_seconds(tuple).await,
            }
        } else {
            Seen::Absent
        })
    }

    /// A reading of another instance, or of none, shows nothing about ours.
    async fn same_instance(&self, tuple: &AccountAssignment) -> Result<(), Error> {
        same_instance(&self.center, &tuple.instance_arn).await
    }

    /// Whether AWS lists the assignment: all pages, and a row of just this user, not one that only
    /// shares account and permission set.
    async fn is_assigned(&self, tuple: &AccountAssignment) -> Result<bool, Error> {
        const OPERATION: &str = "sso:ListAccountAssignments";
        let mut pages = Pages::of(OPERATION);
        loop {
            let page = self
                .center
                .sso()
                .list_account_assignments()
                .instance_arn(&tuple.instance_arn)
                .account_id(&tuple.account)
                .permission_set_arn(&tuple.permission_set_arn)
                .max_results(100)
                .set_next_token(pages.mark())
                .send();
            let page = self
                .center
                .calls
                .read(&Self::desk_key(tuple), OPERATION, page)
                .await?;
            // An empty body is read as an answer too, and no list is not an empty list.
            let rows = page
                .account_assignments
                .ok_or_else(|| Error::senseless(OPERATION, "no list"))?;
            for row in rows {
                if id(OPERATION, row.principal_id())? != tuple.user_id {
                    continue;
                }
                match row.principal_type() {
                    Some(PrincipalType::User) => return Ok(true),
                    Some(PrincipalType::Group) => {}
                    _ => return Err(Error::senseless(OPERATION, "a row of no known kind")),
                }
            }
            if !pages.turn(page.next_token)? {
                return Ok(false);
            }
        }
    }

    pub(super) async fn session_seconds(&self, tuple: &AccountAssignment) -> Option<i64> {
        self.center
            .session_seconds(&tuple.instance_arn, &tuple.permission_set_arn)
            .await
    }

    pub(super) async fn create(&self, tuple: &AccountAssignment, cleared: Cleared) -> Outcome {
        const OPERATION: &str = "sso:CreateAccountAssignment";
        let writer = match self.center.writer(Operation::Create).await {
            Ok(writer) => writer,
            Err(error) => return Outcome::Failed(error), // Nothing was sent.
        };
        let send = writer
            .sso_admin()
            .create_account_assignment()
            .instance_arn(&tuple.instance_arn)
            .target_id(&tuple.account)
            .target_type(TargetType::AwsAccount)
            .permission_set_arn(&tuple.permission_set_arn)
            .principal_type(PrincipalType::User)
            .principal_id(&tuple.user_id);
        let leave = (cleared, Operation::Create);
        match self
            .center
            .calls
            .write(&Self::desk_key(tuple), OPERATION, leave, |check| {
                send.customize().interceptor(check).send()
            })
            .await
        {
            Ok(answer) => outcome(OPERATION, answer.account_assignment_creation_status()),
            Err(outcome) => outcome,
        }
    }

    pub(super) async fn delete(&self, tuple: &AccountAssignment, cleared: Cleared) -> Outcome {
        const OPERATION: &str = "sso:DeleteAccountAssignment";
        let writer = match self.center.writer(Operation::Delete).await {
            Ok(writer) => writer,
            Err(error) => return Outcome::Failed(error), // Nothing was sent.
        };
        let send = writer
            .sso_admin()
            .delete_account_assignment()
            .instance_arn(&tuple.instance_arn)
            .target_id(&tuple.account)
            .target_type(TargetType::AwsAccount)
            .permission_set_arn(&tuple.permission_set_arn)
            .principal_type(PrincipalType::User)
            .principal_id(&tuple.user_id);
        let leave = (cleared, Operation::Delete);
        match self
            .center
            .calls
            .write(&Self::desk_key(tuple), OPERATION, leave, |check| {
                send.customize().interceptor(check).send()
            })
            .await
        {
            Ok(answer) => outcome(OPERATION, answer.account_assignment_deletion_status()),
            Err(outcome) => outcome.or_gone(),
        }
    }

    /// How far an operation is. The ids of creations and deletions are two separate kinds.
    pub(super) async fn progress(
        &self,
        tuple: &AccountAssignment,
        operation: Operation,
        id: &str,
    ) -> Result<Outcome, Error> {
        let key = Self::desk_key(tuple);
        match operation {
            Operation::Create => {
                let send = self
                    .center
                    .sso()
                    .describe_account_assignment_creation_status()
                    .instance_arn(&tuple.instance_arn)
                    .account_assignment_creation_request_id(id)
                    .send();
                let answer = self
                    .center
                    .calls
                    .read(&key, "sso:DescribeAccountAssignmentCreationStatus", send)
                    .await?;
                Ok(outcome(
                    "sso:CreateAccountAssignment",
                    answer.account_assignment_creation_status(),
                ))
            }
            Operation::Delete => {
                let send = self
                    .center
                    .sso()
                    .describe_account_assignment_deletion_status()
                    .instance_arn(&tuple.instance_arn)
                    .account_assignment_deletion_request_id(id)
                    .send();
                let answer = self
                    .center
                    .calls
                    .read(&key, "sso:DescribeAccountAssignmentDeletionStatus", send)
                    .await?;
                Ok(outcome(
                    "sso:DeleteAccountAssignment",
                    answer.account_assignment_deletion_status(),
                ))
            }
        }
    }
}

fn account_not_found(account: &str) -> ResolveError {
    ResolveError::stalled(
        "AccountNotFound",
        format!("AWS knows no account {account} in this organization"),
    )
}

/// Fails where the instance that we see is not the one that a tuple was pinned in.
pub(super) async fn same_instance(center: &IdentityCenter, pinned: &str) -> Result<(), Error> {
    let seen = match center.instance().await {
        Ok(instance) => instance.arn,
        Err(ResolveError::Aws(error)) => return Err(error),
        Err(ResolveError::Stalled { message, .. }) => {
            return Err(Error::new("sso:ListInstances", Class::Denied, message));
        }
    };
    if seen == pinned {
        return Ok(());
    }
    let message = format!(
        "this access belongs to the Identity Center instance {pinned}, and the configured one is {seen}; run a controller for {pinned} until it has ended"
    );
    Err(Error::new("sso:ListInstances", Class::Denied, message))
}

/// What an operation's status says. A status that can't be read leaves it in doubt.
fn outcome(operation: &'static str, status: Option<&AccountAssignmentOperationStatus>) -> Outcome {
    let request_id = status
        .and_then(|status| status.request_id())
        .filter(|id| is_id(id))
        .map(str::to_owned);
    match (status.and_then(|status| status.status()), request_id) {
        (Some(StatusValues::Succeeded), request_id) => Outcome::Succeeded { request_id },
        (Some(StatusValues::Failed), request_id) => {
            let reason = status
                .and_then(|status| status.failure_reason())
                .unwrap_or("AWS gave no reason");
            let class = classify_failure_reason(reason);
            let reason = shortened(reason, LONGEST);
            Outcome::Failed(Error {
                request_id,
                ..Error::new(operation, class, reason)
            })
        }
        (Some(StatusValues::InProgress), Some(request_id)) => Outcome::InProgress { request_id },
        (_, request_id) => {
            let error = Error::new(
                operation,
                Class::OutcomeUnknown,
                "AWS answered without a status",
            );
            Outcome::Unknown(Error {
                request_id,
                ..error
            })
        }
    }
}
