//! What a test can make of a single request on its way out of a client.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_config::timeout::TimeoutConfig;
use aws_sdk_ssoadmin::error::SdkError;
use aws_sdk_ssoadmin::operation::create_account_assignment::CreateAccountAssignmentError;
use aws_simulator::{Ending, Fate, GateCall, Reply, Service};

use crate::tuple::Tuple;
use crate::virtual_cloud::{Cloud, MANAGEMENT, code, pass};

/// Alice's tuple, for a client that waits ten seconds for an answer and whose Create meets this fate.
fn tuple(cloud: &Cloud, fate: Fate) -> Tuple {
    through(cloud, move |call| {
        if call.operation == "CreateAccountAssignment" {
            fate.clone()
        } else {
            Fate::default()
        }
    })
}

fn through(cloud: &Cloud, gate: impl Fn(&GateCall) -> Fate + Send + Sync + 'static) -> Tuple {
    let patience = TimeoutConfig::builder()
        .operation_attempt_timeout(Duration::from_secs(10))
        .build();
    let config = cloud
        .config(MANAGEMENT, "us-east-1")
        .into_builder()
        .timeout_config(patience)
        .http_client(cloud.simulator.http_client().through(gate))
        .build();
    Tuple {
        client: aws_sdk_ssoadmin::Client::new(&config),
        ..cloud.tuple()
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_that_arrives_after_its_sender_gave_up_takes_effect() {
    let cloud = Cloud::example();
    let late = Fate {
        before: Duration::from_mins(1),
        ..Fate::default()
    };
    let tuple = tuple(&cloud, late);
    assert!(matches!(
        tuple.create().await,
        Err(SdkError::TimeoutError(_))
    ));
    let outstanding = cloud.simulator.outstanding();
    assert_eq!(outstanding[0].operation, "CreateAccountAssignment");
    assert_eq!(outstanding[0].account, MANAGEMENT);
    pass(49).await;
    assert_eq!(cloud.instance().operations, [], "it is still on its way");
    pass(2).await;
    assert_eq!(cloud.instance().operations.len(), 1);
    pass(2).await;
    assert_eq!(tuple.listed().await, [tuple.user_id.as_str()]);
    assert_eq!(cloud.simulator.outstanding(), []);
    let call = &cloud.calls()[0];
    assert!(call.succeeded());
    assert_eq!(call.reply, Reply::Waiting, "nobody was there to hear it");
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_comes_too_late_changes_nothing_about_the_effect() {
    let cloud = Cloud::example();
    let slow = Fate {
        after: Duration::from_mins(1),
        ..Fate::default()
    };
    let tuple = tuple(&cloud, slow);
    assert!(matches!(
        tuple.create().await,
        Err(SdkError::TimeoutError(_))
    ));
    assert_eq!(tuple.listed().await, [tuple.user_id.as_str()]);
}

#[tokio::test(start_paused = true)]
async fn an_answer_can_be_lost_or_ruined_on_its_way_and_the_effect_stays() {
    type Expected = fn(&SdkError<CreateAccountAssignmentError>) -> bool;
    let endings: [(Ending, Expected); 5] = [
        (
            Ending::Reset,
            |error| matches!(error, SdkError::DispatchFailure(failure) if failure.is_io()),
        ),
        (Ending::Hang, |error| {
            matches!(error, SdkError::TimeoutError(_))
        }),
        // A whole answer of 200 that can't be read.
        (Ending::Truncated, |error| {
            error
                .raw_response()
                .is_some_and(|answer| answer.status().is_success())
        }),
        (Ending::HtmlPage(502), |error| {
            error
                .raw_response()
                .is_some_and(|answer| answer.status().as_u16() == 502)
        }),
        (Ending::error("InternalServerException", "oops"), |error| {
            error
                .as_service_error()
                .is_some_and(CreateAccountAssignmentError::is_internal_server_exception)
        }),
    ];
    for (ending, expected) in endings {
        let cloud = Cloud::example();
        let fate = Fate {
            reply: Some(ending.clone()),
            ..Fate::default()
        };
        let tuple = tuple(&cloud, fate);
        let error = tuple.create().await.unwrap_err();
        assert!(expected(&error), "{ending:?}: {error:?}");
        assert!(cloud.calls()[0].succeeded());
        pass(3).await;
        assert_eq!(tuple.listed().await.len(), 1, "{ending:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_comes_back_instead_leaves_no_effect() {
    let endings = [
        Ending::Reset,
        Ending::Hang,
        Ending::Truncated,
        Ending::HtmlPage(503),
        Ending::error("ConflictException", "busy"),
    ];
    for ending in endings {
        let cloud = Cloud::example();
        let fate = Fate {
            instead: Some(ending.clone()),
            ..Fate::default()
        };
        let tuple = tuple(&cloud, fate);
        let error = tuple.create().await.unwrap_err();
        let conflict = error
            .as_service_error()
            .is_some_and(CreateAccountAssignmentError::is_conflict_exception);
        assert_eq!(conflict, matches!(ending, Ending::Error(..)), "{error:?}");
        pass(60).await;
        assert_eq!(tuple.listed().await.len(), 0, "{ending:?}");
        assert_eq!(cloud.calls()[0].handled, None);
        assert_eq!(cloud.simulator.outstanding(), []);
    }
}

#[tokio::test(start_paused = true)]
async fn a_gate_is_told_what_is_sent_by_whom_and_when_and_stands_before_one_client_only() {
    let cloud = Cloud::example();
    let seen: Arc<Mutex<Vec<GateCall>>> = Arc::default();
    let watched = through(&cloud, {
        let seen = Arc::clone(&seen);
        move |call| {
            seen.lock().unwrap().push(call.clone());
            Fate::default()
        }
    });
    pass(5).await;
    watched.create().await.unwrap();
    watched.listed().await;
    assert_eq!(code(cloud.tuple().create().await), "ConflictException");
    let seen = seen.lock().unwrap();
    let [create, list] = &seen[..] else {
        panic!("{seen:?}");
    };
    assert!(create.is_write() && !list.is_write());
    assert_eq!(
        (create.service, create.account.as_str()),
        (Service::SsoAdmin, MANAGEMENT)
    );
    assert_eq!(create.parameters["PrincipalId"], watched.user_id);
    assert_eq!(
        create
            .time
            .duration_since(crate::virtual_cloud::at("2026-01-01T00:00:00Z"))
            .as_secs(),
        5
    );
}
