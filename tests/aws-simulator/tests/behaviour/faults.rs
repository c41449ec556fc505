//! What can be made to go wrong.

use std::time::Duration;

use aws_config::timeout::TimeoutConfig;
use aws_sdk_identitystore::operation::list_users::ListUsersError;
use aws_sdk_ssoadmin::error::SdkError;
use aws_simulator::{Action, Fault, Moment, Reply, Service};
use jiff::SignedDuration;

use crate::virtual_cloud::{Cloud, MANAGEMENT, code, pass, refused};

fn on_create(action: Action) -> Fault {
    Fault::new(action).on(Service::SsoAdmin, "CreateAccountAssignment")
}

#[tokio::test(start_paused = true)]
async fn the_nth_call_gets_an_error_and_has_no_effect() {
    let cloud = Cloud::example();
    let id = cloud.simulator.add_fault(
        on_create(Action::error("ConflictException", "busy"))
            .skip(1)
            .times(1),
    );
    let (alice, bob) = (cloud.tuple(), cloud.tuple_of("bob@example.com"));
    alice.create().await.unwrap();
    assert_eq!(code(bob.create().await), "ConflictException");
    pass(3).await;
    assert_eq!(alice.listed().await, [alice.user_id.as_str()]);
    bob.create().await.unwrap();
    let [placed] = &cloud.simulator.faults()[..] else {
        panic!()
    };
    assert_eq!((placed.id, placed.matched, placed.struck), (id, 3, 1));
}

#[tokio::test(start_paused = true)]
async fn errors_have_the_status_of_their_code_or_the_one_given() {
    let cloud = Cloud::example();
    cloud
        .simulator
        .add_fault(Fault::new(Action::error("ServiceFailure", "no")).on(Service::Iam, "ListUsers"));
    cloud.simulator.add_fault(
        Fault::new(Action::error("ConcurrentModification", "no")).on(Service::Iam, "TagUser"),
    );
    let details = [("RetryAfterSeconds".to_owned(), 7.into())].into();
    let action = Action::Error {
        code: "ThrottlingException".to_owned(),
        message: "no".to_owned(),
        status: Some(429),
        details,
    };
    cloud
        .simulator
        .add_fault(Fault::new(action).on_service(Service::IdentityStore));
    let error = cloud.iam().list_users().send().await.unwrap_err();
    assert_eq!(error.raw_response().unwrap().status().as_u16(), 500);
    let tag = aws_sdk_iam::types::Tag::builder()
        .key("k")
        .value("v")
        .build()
        .unwrap();
    let error = cloud
        .iam()
        .tag_user()
        .user_name("alice")
        .tags(tag)
        .send()
        .await
        .unwrap_err();
    assert_eq!(error.raw_response().unwrap().status().as_u16(), 409);
    assert!(
        error
            .into_service_error()
            .is_concurrent_modification_exception()
    );
    let error = cloud
        .store()
        .list_users()
        .identity_store_id(cloud.instance().identity_store_id)
        .send()
        .await
        .unwrap_err();
    assert_eq!(error.raw_response().unwrap().status().as_u16(), 429);
    let error = refused!(Err::<(), _>(error), ListUsersError::ThrottlingException);
    assert_eq!(error.retry_after_seconds(), 7);
}

#[tokio::test(start_paused = true)]
async fn an_answer_can_be_lost_after_the_effect() {
    let cloud = Cloud::example();
    cloud
        .simulator
        .add_fault(on_create(Action::Reset).after_effect().times(1));
    let tuple = cloud.tuple();
    let error = tuple.create().await.unwrap_err();
    assert!(
        matches!(&error, SdkError::DispatchFailure(failure) if failure.is_io()),
        "{error:?}"
    );
    assert_eq!(
        code(tuple.create().await),
        "ConflictException",
        "the first is under way"
    );
    pass(3).await;
    assert_eq!(tuple.listed().await.len(), 1);
    let calls = cloud.calls();
    assert!(calls[0].succeeded());
    assert_eq!(calls[0].reply, Reply::Broken);
}

#[tokio::test(start_paused = true)]
async fn a_connection_can_break_before_the_effect() {
    let cloud = Cloud::example();
    cloud.simulator.add_fault(on_create(Action::Reset).times(1));
    let tuple = cloud.tuple();
    tuple.create().await.unwrap_err();
    pass(3).await;
    assert_eq!(tuple.listed().await.len(), 0);
    assert_eq!(cloud.calls()[0].outcome, None);
}

fn patient(cloud: &Cloud, seconds: u64) -> aws_sdk_ssoadmin::Client {
    let timeout = TimeoutConfig::builder()
        .operation_attempt_timeout(Duration::from_secs(seconds))
        .build();
    let config = cloud
        .config(MANAGEMENT, "us-east-1")
        .into_builder()
        .timeout_config(timeout)
        .build();
    aws_sdk_ssoadmin::Client::new(&config)
}

#[tokio::test(start_paused = true)]
async fn what_was_sent_happens_even_if_the_caller_gives_up() {
    let cloud = Cloud::example();
    let late = on_create(Action::Delay(SignedDuration::from_secs(15))).times(1);
    cloud.simulator.add_fault(late);
    let mut tuple = cloud.tuple();
    tuple.client = patient(&cloud, 10);
    assert!(matches!(
        tuple.create().await,
        Err(SdkError::TimeoutError(_))
    ));
    pass(4).await;
    assert_eq!(cloud.calls()[0].handled, None);
    pass(2).await;
    let call = &cloud.calls()[0];
    assert_eq!(
        call.handled.unwrap().duration_since(call.time),
        SignedDuration::from_secs(15)
    );
    assert_eq!(call.reply, Reply::Waiting);
    pass(2).await;
    assert_eq!(tuple.listed().await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_call_can_hang_before_or_after_the_effect() {
    for (moment, rows) in [(Moment::Before, 0), (Moment::After, 1)] {
        let cloud = Cloud::example();
        cloud.simulator.add_fault(Fault {
            moment,
            ..on_create(Action::Hang)
        });
        let mut tuple = cloud.tuple();
        tuple.client = patient(&cloud, 10);
        assert!(matches!(
            tuple.create().await,
            Err(SdkError::TimeoutError(_))
        ));
        assert_eq!(tuple.listed().await.len(), rows);
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_can_be_slow() {
    let cloud = Cloud::example();
    let delay = Action::Delay(SignedDuration::from_secs(7));
    cloud.simulator.add_fault(Fault {
        moment: Moment::After,
        ..on_create(delay)
    });
    let tuple = cloud.tuple();
    let started = cloud.simulator.now();
    tuple.create().await.unwrap();
    assert_eq!(cloud.simulator.now().duration_since(started).as_secs(), 7);
    assert_eq!(tuple.listed().await.len(), 1, "it was under way meanwhile");
}

#[tokio::test(start_paused = true)]
async fn a_page_of_html_is_no_service_error() {
    let cloud = Cloud::example();
    cloud
        .simulator
        .add_fault(Fault::new(Action::HtmlPage(500)).on_service(Service::SsoAdmin));
    cloud
        .simulator
        .add_fault(Fault::new(Action::HtmlPage(503)).on_service(Service::Iam));
    let error = cloud.sso().list_instances().send().await.unwrap_err();
    let response = error.raw_response().unwrap();
    assert_eq!(response.status().as_u16(), 500);
    assert_eq!(response.headers().get("content-type"), Some("text/html"));
    assert_eq!(
        cloud
            .iam()
            .list_users()
            .send()
            .await
            .unwrap_err()
            .raw_response()
            .unwrap()
            .status()
            .as_u16(),
        503
    );
}

#[tokio::test(start_paused = true)]
async fn a_fault_holds_for_its_time_and_its_parameters() {
    let cloud = Cloud::example();
    let (alice, bob) = (cloud.tuple(), cloud.tuple_of("bob@example.com"));
    let now = cloud.simulator.now();
    let mut fault = on_create(Action::error("InternalServerException", ""))
        .with_parameter("PrincipalId", &alice.user_id);
    fault.from = Some(now + SignedDuration::from_secs(60));
    fault.until = Some(now + SignedDuration::from_secs(120));
    let id = cloud.simulator.add_fault(fault);
    alice.create().await.unwrap();
    pass(60).await;
    let error = alice.create().await.unwrap_err();
    assert_eq!(error.raw_response().unwrap().status().as_u16(), 500);
    bob.create().await.unwrap();
    pass(60).await;
    alice.create().await.unwrap();
    assert!(cloud.simulator.remove_fault(id));
    assert!(!cloud.simulator.remove_fault(id));
}

#[tokio::test(start_paused = true)]
async fn every_answer_has_a_request_id_and_the_services_date() {
    let cloud = Cloud::example();
    cloud
        .simulator
        .set(|settings| settings.clock_skew = SignedDuration::from_secs(-60));
    let error = cloud.sso().list_permission_sets().send().await.unwrap_err();
    let headers = error.raw_response().unwrap().headers();
    let id = headers.get("x-amzn-requestid").unwrap();
    assert_eq!(cloud.calls()[0].request_id, id);
    assert_eq!(headers.get("date"), Some("Wed, 31 Dec 2025 23:59:00 GMT"));
}
