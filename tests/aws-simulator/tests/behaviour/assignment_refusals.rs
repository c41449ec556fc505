//! What is refused because the request breaks the service's model.

use aws_sdk_ssoadmin::operation::create_account_assignment::CreateAccountAssignmentError;

use crate::virtual_cloud::{Cloud, code};

#[tokio::test(start_paused = true)]
async fn parameters_must_have_the_form_of_the_model() {
    let cloud = Cloud::example();
    let mut tuple = cloud.tuple();
    tuple.account = "1234".to_owned();
    let error = tuple.create().await.unwrap_err().into_service_error();
    let CreateAccountAssignmentError::ValidationException(error) = error else {
        panic!("{error:?}")
    };
    let message = r"1 validation error detected: Value '1234' at 'targetId' failed to satisfy constraint: Member must satisfy regular expression pattern: \d{12}";
    assert_eq!(error.message.as_deref(), Some(message));

    let mut tuple = cloud.tuple();
    tuple.user_id = "alice@example.com".to_owned();
    assert_eq!(code(tuple.create().await), "ValidationException");
    let mut tuple = cloud.tuple();
    tuple.permission_set_arn = tuple.instance_arn.clone();
    assert_eq!(code(tuple.delete().await), "ValidationException");
}

#[tokio::test(start_paused = true)]
async fn required_parameters_must_be_there() {
    let cloud = Cloud::example();
    let refused = cloud
        .sso()
        .create_account_assignment()
        .send()
        .await
        .unwrap_err()
        .into_service_error();
    assert!(refused.is_validation_exception());
    assert!(
        refused.to_string().contains("ValidationException"),
        "{refused}"
    );
    assert_eq!(
        code(cloud.sso().list_permission_sets().send().await),
        "ValidationException"
    );
    assert_eq!(
        code(
            cloud
                .sso()
                .list_permission_sets()
                .instance_arn("here")
                .send()
                .await
        ),
        "ValidationException"
    );
    let instance = cloud.instance().arn;
    let too_many = cloud
        .sso()
        .list_permission_sets()
        .instance_arn(instance)
        .max_results(101)
        .send()
        .await;
    assert_eq!(code(too_many), "ValidationException");
}

#[tokio::test(start_paused = true)]
async fn an_unknown_operation_is_answered_in_the_protocol_of_its_service() {
    let cloud = Cloud::example();
    let instance = cloud.instance().arn;
    assert_eq!(
        code(
            cloud
                .sso()
                .list_applications()
                .instance_arn(instance)
                .send()
                .await
        ),
        "UnknownOperationException"
    );
    assert_eq!(
        code(cloud.iam().list_policies().send().await),
        "InvalidAction"
    );
}
