//! One assignment, made, removed and looked at.

use aws_sdk_ssoadmin::error::SdkError;
use aws_sdk_ssoadmin::operation::create_account_assignment::CreateAccountAssignmentError;
use aws_sdk_ssoadmin::operation::delete_account_assignment::DeleteAccountAssignmentError;
use aws_sdk_ssoadmin::types::{
    AccountAssignmentOperationStatus as Status, PrincipalType, TargetType,
};

use crate::virtual_cloud::{Cloud, PAYMENTS};

pub struct Tuple {
    pub client: aws_sdk_ssoadmin::Client,
    pub instance_arn: String,
    pub permission_set_arn: String,
    pub account: String,
    pub user_id: String,
}

impl Cloud {
    /// Alice as administrator of the payments account.
    pub fn tuple(&self) -> Tuple {
        self.tuple_of("alice@example.com")
    }

    pub fn tuple_of(&self, user_name: &str) -> Tuple {
        let instance = self.instance();
        Tuple {
            client: self.sso(),
            permission_set_arn: instance
                .permission_set_arn("AdministratorAccess")
                .unwrap()
                .to_owned(),
            account: PAYMENTS.to_owned(),
            user_id: instance.user_id(user_name).unwrap().to_owned(),
            instance_arn: instance.arn,
        }
    }
}

impl Tuple {
    pub async fn create(&self) -> Result<Status, SdkError<CreateAccountAssignmentError>> {
        let answer = self
            .client
            .create_account_assignment()
            .instance_arn(&self.instance_arn)
            .target_id(&self.account)
            .target_type(TargetType::AwsAccount)
            .permission_set_arn(&self.permission_set_arn)
            .principal_type(PrincipalType::User)
            .principal_id(&self.user_id)
            .send()
            .await?;
        Ok(answer.account_assignment_creation_status.unwrap())
    }

    pub async fn delete(&self) -> Result<Status, SdkError<DeleteAccountAssignmentError>> {
        let answer = self
            .client
            .delete_account_assignment()
            .instance_arn(&self.instance_arn)
            .target_id(&self.account)
            .target_type(TargetType::AwsAccount)
            .permission_set_arn(&self.permission_set_arn)
            .principal_type(PrincipalType::User)
            .principal_id(&self.user_id)
            .send()
            .await?;
        Ok(answer.account_assignment_deletion_status.unwrap())
    }

    pub async fn creation(&self, request_id: &str) -> Status {
        let call = self
            .client
            .describe_account_assignment_creation_status()
            .instance_arn(&self.instance_arn);
        let answer = call
            .account_assignment_creation_request_id(request_id)
            .send()
            .await
            .unwrap();
        answer.account_assignment_creation_status.unwrap()
    }

    pub async fn deletion(&self, request_id: &str) -> Status {
        let call = self
            .client
            .describe_account_assignment_deletion_status()
            .instance_arn(&self.instance_arn);
        let answer = call
            .account_assignment_deletion_request_id(request_id)
            .send()
            .await
            .unwrap();
        answer.account_assignment_deletion_status.unwrap()
    }

    /// The principals that `ListAccountAssignments` shows for this account and permission set, all pages.
    pub async fn listed(&self) -> Vec<String> {
        let call = self
            .client
            .list_account_assignments()
            .instance_arn(&self.instance_arn);
        let call = call
            .account_id(&self.account)
            .permission_set_arn(&self.permission_set_arn);
        let rows = call
            .into_paginator()
            .items()
            .send()
            .collect::<Result<Vec<_>, _>>()
            .await
            .unwrap();
        rows.into_iter()
            .map(|row| row.principal_id.unwrap())
            .collect()
    }
}
