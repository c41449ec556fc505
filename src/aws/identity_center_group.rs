//! Membership of an Identity Center user in an Identity Center group.
//!
//! AWS applies a change of membership to the portal within the hour (IAM Identity Center user
//! guide, "Authentication sessions").

use aws_sdk_identitystore::types::MemberId;

use super::account_assignment::same_instance;
use super::calls::id;
use super::desk::DeskKey;
use super::error::{Class, Error};
use super::identity_center::{IdentityCenter, Shared, exact, unique};
use super::outcome::{Cleared, LONGEST_SESSION_SECONDS, Outcome, ResolveError, Resolved, Seen};
use crate::api::access::Operation;
use crate::api::tuple::{IdentityCenterGroup, Tuple};

/// Groups of Identity Center.
#[derive(Clone, Debug)]
pub(super) struct IdentityCenterGroups {
    center: Shared,
}

struct Group {
    name: String,
    managed_elsewhere: bool,
}

impl IdentityCenterGroups {
    pub(super) fn new(center: Shared) -> Self {
        Self { center }
    }

    pub(super) fn desk_key(tuple: &IdentityCenterGroup) -> DeskKey {
        IdentityCenter::store_key(&tuple.instance_arn)
    }

    pub(super) async fn resolve(&self, user: &str, name: &str) -> Result<Resolved, ResolveError> {
        const OPERATION: &str = "identitystore:GetGroupId";
        let not_found = || {
            ResolveError::stalled(
                "GroupNotFound",
                format!("there is no group {name} in Identity Center"),
            )
        };
        let instance = self.center.instance().await?;
        let user_id = self.center.resolve_user(&instance, user).await?;
        let send = self
            .center
            .store()
            .get_group_id()
            .identity_store_id(&instance.identity_store_id)
            .alternate_identifier(unique("displayName", name)?)
            .send();
        let key = IdentityCenter::store_key(&instance.arn);
        let group_id = match self.center.calls.read(&key, OPERATION, send).await {
            Ok(answer) => id(OPERATION, Some(&answer.group_id))?,
            Err(error) if error.is_gone() => return Err(not_found()),
            Err(error) => return Err(error.into()),
        };
        let tuple = IdentityCenterGroup {
            instance_arn: instance.arn,
            identity_store_id: instance.identity_store_id,
            group_id,
            group: name.to_owned(),
            user_id,
            user: user.to_owned(),
        };
        let group = self.group(&tuple).await?.ok_or_else(not_found)?;
        exact("group", name, &group.name)?;
        Ok(Resolved {
            tuple: Tuple::IdentityCenterGroup(tuple),
            managed_elsewhere: group.managed_elsewhere,
        })
    }

    async fn group(&self, tuple: &IdentityCenterGroup) -> Result<Option<Group>, Error> {
        const OPERATION: &str = "identitystore:DescribeGroup";
        let send = self
            .center
            .store()
            .describe_group()
            .identity_store_id(&tuple.identity_store_id)
            .group_id(&tuple.group_id)
            .send();
        match self
            .center
            .calls
            .read(&Self::desk_key(tuple), OPERATION, send)
            .await
        {
            Ok(answer) => {
                id(OPERATION, Some(answer.group_id()))?;
                Ok(Some(Group {
                    name: answer.display_name().unwrap_or_default().to_owned(),
                    managed_elsewhere: !answer.external_ids().is_empty(),
                }))
            }
            Err(error) if error.is_gone() => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(super) async fn read(&self, tuple: &IdentityCenterGroup) -> Result<Seen, Error> {
        same_instance(&self.center, &tuple.instance_arn).await?;
        if self.membership_id(tuple).await?.is_some() {
            return Ok(Seen::Present {
                // It depends on all assignments of the group, which nobody lists.
                session_seconds: Some(LONGEST_SESSION_SECONDS),
            });
        }
        if self
            .center
            .user(
                &tuple.instance_arn,
                &tuple.identity_store_id,
                &tuple.user_id,
            )
            .await?
            .is_none()
        {
            return Ok(Seen::Gone(format!(
                "user {} is no longer in Identity Center",
                tuple.user
            )));
        }
        match self.group(tuple).await? {
            None => Ok(Seen::Gone(format!(
                "group {} is no longer in Identity Center",
                tuple.group
            ))),
            Some(_) => Ok(Seen::Absent),
        }
    }

    /// Id of the membership as it is now. One that was stored would be stale as soon as somebody
    /// removed the user and added him again.
    async fn membership_id(&self, tuple: &IdentityCenterGroup) -> Result<Option<String>, Error> {
        const OPERATION: &str = "identitystore:GetGroupMembershipId";
        let send = self
            .center
            .store()
            .get_group_membership_id()
            .identity_store_id(&tuple.identity_store_id)
            .group_id(&tuple.group_id)
            .member_id(MemberId::UserId(tuple.user_id.clone()))
            .send();
        match self
            .center
            .calls
            .read(&Self::desk_key(tuple), OPERATION, send)
            .await
        {
            Ok(answer) => id(OPERATION, Some(&answer.membership_id)).map(Some),
            Err(error) if error.is_gone() => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(super) async fn create(&self, tuple: &IdentityCenterGroup, cleared: Cleared) -> Outcome {
        let writer = match self.center.writer(Operation::Create).await {
            Ok(writer) => writer,
            Err(error) => return Outcome::Failed(error), // Nothing was sent.
        };
        let send = writer
            .identity_store()
            .create_group_membership()
            .identity_store_id(&tuple.identity_store_id)
            .group_id(&tuple.group_id)
            .member_id(MemberId::UserId(tuple.user_id.clone()));
        let leave = (cleared, Operation::Create);
        let key = Self::desk_key(tuple);
        match self
            .center
            .calls
            .write(
                &key,
                "identitystore:CreateGroupMembership",
                leave,
                |check| send.customize().interceptor(check).send(),
            )
            .await
        {
            Ok(answer) => Outcome::Succeeded {
                request_id: request_id(&answer),
            },
            // Already a member (Identity Store API reference, `ConflictException`: Reason). The
            // other reason is a concurrent change, which is tried again.
            Err(Outcome::Failed(error))
                if error.class == Class::Conflict
                    && error.reason.as_deref() == Some("UNIQUENESS_CONSTRAINT_VIOLATION") =>
            {
                Outcome::Succeeded {
                    request_id: error.request_id,
                }
            }
            Err(outcome) => outcome,
        }
    }

    pub(super) async fn delete(&self, tuple: &IdentityCenterGroup, cleared: Cleared) -> Outcome {
        let membership = match self.membership_id(tuple).await {
            Ok(Some(membership)) => membership,
            Ok(None) => return Outcome::Succeeded { request_id: None },
            Err(error) => return Outcome::Failed(error), // Nothing was sent.
        };
        let writer = match self.center.writer(Operation::Delete).await {
            Ok(writer) => writer,
            Err(error) => return Outcome::Failed(error), // Nothing was sent.
        };
        let send = writer
            .identity_store()
            .delete_group_membership()
            .identity_store_id(&tuple.identity_store_id)
            .membership_id(membership);
        let leave = (cleared, Operation::Delete);
        let key = Self::desk_key(tuple);
        match self
            .center
            .calls
            .write(
                &key,
                "identitystore:DeleteGroupMembership",
                leave,
                |check| send.customize().interceptor(check).send(),
            )
            .await
        {
            Ok(answer) => Outcome::Succeeded {
                request_id: request_id(&answer),
            },
            Err(outcome) => outcome.or_gone(),
        }
    }
}

fn request_id(answer: &impl aws_sdk_identitystore::operation::RequestId) -> Option<String> {
    answer.request_id().map(str::to_owned)
}
