//! What a write's answer, or the lack of one, says about its effect.

use std::collections::BTreeMap;

use aws_simulator::{Action, Fault, Service};

use super::*;

/// Sends one write of each kind under a fault, and hands over what came of it.
async fn under(fault: &Fault, operation: Operation, mut check: impl FnMut(&Kind, Outcome)) {
    for kind in kinds().await {
        if operation == Operation::Delete {
            kind.give().await;
        }
        kind.cloud.simulator.clear_calls();
        let (service, call) = match operation {
            Operation::Create => kind.create,
            Operation::Delete => kind.delete,
        };
        kind.cloud
            .simulator
            .add_fault(fault.clone().on(service, call));
        let outcome = match operation {
            Operation::Create => kind.cloud.create(&kind.aws, &kind.tuple).await,
            Operation::Delete => kind.cloud.delete(&kind.aws, &kind.tuple).await,
        };
        assert_eq!(
            kind.cloud.writes().len(),
            1,
            "{}: a write is sent once",
            kind.name
        );
        check(&kind, outcome);
    }
}

fn is_unknown(kind: &Kind, outcome: &Outcome) {
    assert!(
        matches!(outcome, Outcome::Unknown(_)),
        "{}: {outcome:?}",
        kind.name
    );
}

/// Fault 21. R4.
/// A ledger that takes such a write for one without effect closes while the effect is yet to come.
#[tokio::test(start_paused = true)]
async fn a_write_whose_answer_is_lost_may_have_taken_effect() {
    for operation in [Operation::Create, Operation::Delete] {
        for action in [Action::Reset, Action::Hang, Action::HtmlPage(502)] {
            let fault = Fault::new(action).after_effect();
            under(&fault, operation, |kind, outcome| {
                is_unknown(kind, &outcome);
            })
            .await;
        }
    }
}

/// SSO Admin sends `InternalServerException` with status 400; what sits between may answer for AWS.
#[tokio::test(start_paused = true)]
async fn a_failure_of_aws_leaves_a_write_in_doubt_whatever_its_status() {
    let internal = |code: &str, status| Action::Error {
        code: code.to_owned(),
        message: String::new(),
        status: Some(status),
        details: BTreeMap::new(),
    };
    for action in [
        internal("InternalServerException", 400),
        internal("InternalServerException", 500),
        internal("InternalFailure", 400),
        internal("ServiceFailure", 500),
        internal("ServiceUnavailable", 503),
        Action::HtmlPage(500),
        Action::HtmlPage(403),
    ] {
        for operation in [Operation::Create, Operation::Delete] {
            under(&Fault::new(action.clone()), operation, |kind, outcome| {
                is_unknown(kind, &outcome);
            })
            .await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_final() {
    for (code, class) in [
        ("ThrottlingException", Class::Throttled),
        ("AccessDeniedException", Class::Denied),
        ("ServiceQuotaExceededException", Class::Quota),
        ("ValidationException", Class::Invalid),
    ] {
        let fault = Fault::new(Action::error(code, "no"));
        under(&fault, Operation::Create, |kind, outcome| {
            assert_eq!(failed(&outcome), class, "{} {code}", kind.name);
            assert!(!kind.is_there());
        })
        .await;
    }
}

/// The same over real sockets, whose errors have other words. `connection reset` is no failure to
/// connect.
#[tokio::test]
async fn over_a_socket_only_a_connection_that_was_never_made_has_no_effect() {
    let cloud = Cloud::example();
    let url = cloud.simulator.clone().spawn().await.unwrap();
    let aws = cloud.aws_at(&url).await;
    for (target, operation, service) in [
        (assignment(), "CreateAccountAssignment", Service::SsoAdmin),
        (
            group("Operators"),
            "CreateGroupMembership",
            Service::IdentityStore,
        ),
    ] {
        let tuple = resolved(&aws, ALICE, &target).await.tuple;
        let fault = Fault::new(Action::Reset).on(service, operation);
        let reset = cloud.simulator.add_fault(fault.after_effect());
        let outcome = cloud.create(&aws, &tuple).await;
        assert!(matches!(outcome, Outcome::Unknown(_)), "{outcome:?}");
        assert_eq!(cloud.calls_of(operation).len(), 1, "sent once");
        cloud.simulator.remove_fault(reset);

        // A port that nobody listens on any more.
        let listener = Simulator::bind(0).await.unwrap();
        let closed = format!("http://{}", listener.local_addr().unwrap());
        drop(listener);
        let outcome = cloud.create(&cloud.aws_at(&closed).await, &tuple).await;
        assert_eq!(failed(&outcome), Class::Transient, "{outcome:?}");
    }
}

/// AWS has one code for both; the reason tells them apart.
#[tokio::test(start_paused = true)]
async fn a_membership_that_is_there_is_made_and_one_in_conflict_is_not() {
    let cloud = Cloud::example();
    let aws = cloud.aws().await;
    let there = resolved(&aws, "bob@example.com", &group("Everyone"))
        .await
        .tuple;
    let outcome = cloud.create(&aws, &there).await;
    assert!(matches!(outcome, Outcome::Succeeded { .. }), "{outcome:?}");

    let tuple = resolved(&aws, ALICE, &group("Everyone")).await.tuple;
    let details = [("Reason".to_owned(), "CONCURRENT_MODIFICATION".into())];
    let conflict = Action::Error {
        code: "ConflictException".to_owned(),
        message: String::new(),
        status: None,
        details: details.into(),
    };
    cloud.simulator.add_fault(
        Fault::new(conflict)
            .on(Service::IdentityStore, "CreateGroupMembership")
            .times(1),
    );
    assert_eq!(failed(&cloud.create(&aws, &tuple).await), Class::Conflict);
    let outcome = cloud.create(&aws, &tuple).await;
    assert!(matches!(outcome, Outcome::Succeeded { .. }), "{outcome:?}");
}

#[tokio::test(start_paused = true)]
async fn taking_away_what_is_not_there_succeeds() {
    for kind in kinds().await {
        let outcome = kind.cloud.delete(&kind.aws, &kind.tuple).await;
        assert!(
            matches!(outcome, Outcome::Succeeded { .. }),
            "{}: {outcome:?}",
            kind.name
        );
    }
}

/// The id of an operation is a hint. What can't be read of it says nothing about its end.
#[tokio::test(start_paused = true)]
async fn an_operation_is_followed_and_a_page_in_place_of_its_status_is_an_error() {
    let cloud = Cloud::example();
    let aws = cloud.aws().await;
    let tuple = resolved(&aws, ALICE, &assignment()).await.tuple;
    let outcome = cloud.create(&aws, &tuple).await;
    let Outcome::InProgress { request_id } = outcome else {
        panic!("{outcome:?}");
    };
    let progress = || aws.progress(&tuple, Operation::Create, &request_id);
    assert!(matches!(progress().await, Ok(Outcome::InProgress { .. })));
    let broken = cloud.simulator.add_fault(
        Fault::new(Action::HtmlPage(500))
            .on(Service::SsoAdmin, "DescribeAccountAssignmentCreationStatus"),
    );
    assert_eq!(progress().await.unwrap_err().class, Class::Transient);
    cloud.simulator.remove_fault(broken);
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert!(matches!(progress().await, Ok(Outcome::Succeeded { .. })));
    // Ids of creations and deletions are two kinds.
    let other = aws.progress(&tuple, Operation::Delete, &request_id).await;
    assert_eq!(other.unwrap_err().class, Class::Gone);
}

/// Fault 22. R1, L1.
#[tokio::test(start_paused = true)]
async fn an_operation_that_failed_says_why() {
    let reason = "Received a 404 status error: the USER assignee was not found in directory";
    let cloud = Cloud::example();
    let aws = cloud.aws().await;
    let tuple = resolved(&aws, ALICE, &assignment()).await.tuple;
    cloud.simulator.add_fault(
        Fault::new(Action::FailOperation(reason.to_owned()))
            .on(Service::SsoAdmin, "CreateAccountAssignment"),
    );
    let Outcome::InProgress { request_id } = cloud.create(&aws, &tuple).await else {
        panic!("not in progress");
    };
    tokio::time::sleep(Duration::from_secs(5)).await;
    let outcome = aws.progress(&tuple, Operation::Create, &request_id).await;
    let outcome = outcome.unwrap();
    assert_eq!(failed(&outcome), Class::Gone);
    let Outcome::Failed(error) = outcome else {
        panic!("{outcome:?}");
    };
    assert_eq!(error.message, reason);
}
