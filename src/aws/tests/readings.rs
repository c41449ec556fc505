//! What a reading shows. The ledger closes on "absent", so nothing else may look like it.

use aws_simulator::{Action, Fault, SeedAssignment, Service};

use super::*;

#[tokio::test(start_paused = true)]
async fn what_is_given_is_present_and_what_is_taken_is_absent() {
    for kind in kinds().await {
        let read = || kind.aws.read(&kind.tuple);
        assert_eq!(read().await, Ok(Seen::Absent), "{}", kind.name);
        kind.give().await;
        let session_seconds = Some(match kind.tuple {
            Tuple::AccountAssignment(_) => 3_600,
            Tuple::IdentityCenterGroup(_) | Tuple::IamGroup(_) => 43_200,
        });
        let present = Seen::Present { session_seconds };
        assert_eq!(read().await, Ok(present), "{}", kind.name);
        kind.cloud.delete(&kind.aws, &kind.tuple).await;
        tokio::time::sleep(Duration::from_secs(5)).await;
        assert_eq!(read().await, Ok(Seen::Absent), "{}", kind.name);
    }
}

/// R3: a reading that failed anywhere on its way shows nothing at all.
#[tokio::test(start_paused = true)]
async fn a_reading_that_fails_is_never_absent() {
    let calls = [
        "ListAccountAssignments",
        "DescribeUser",
        "DescribeGroup",
        "GetGroupMembershipId",
        "GetUser",
        "GetGroup",
        "ListGroupsForUser",
    ];
    for operation in calls {
        for action in [
            Action::AccessDenied,
            Action::Reset,
            Action::Hang,
            Action::HtmlPage(404),
            Action::HtmlPage(500),
            Action::error("ThrottlingException", "Rate exceeded"),
            Action::error("ExpiredTokenException", "expired"),
        ] {
            for kind in kinds().await {
                kind.cloud.simulator.clear_calls();
                let mut fault = Fault::new(action.clone());
                fault.operation = Some(operation.to_owned());
                kind.cloud.simulator.add_fault(fault);
                let seen = kind.aws.read(&kind.tuple).await;
                if kind.cloud.calls_of(operation).is_empty() {
                    continue;
                }
                assert!(
                    seen.is_err(),
                    "{} {operation} {action:?}: {seen:?}",
                    kind.name
                );
            }
        }
    }
}

/// Rows are cut into pages as AWS likes, some of them empty.
#[tokio::test(start_paused = true)]
async fn a_row_on_a_late_page_is_found_and_a_page_that_fails_is_not_the_end() {
    let mut seed = Seed::example();
    seed.settings.page_size = 1;
    let names = ["bob@example.com", "carol@example.com", ALICE];
    seed.instances[0].assignments = names
        .iter()
        .map(|name| SeedAssignment {
            account: PAYMENTS.to_owned(),
            permission_set: "AdministratorAccess".to_owned(),
            user: Some((*name).to_owned()),
            group: None,
        })
        .collect();
    let cloud = Cloud::new(&seed);
    let aws = cloud.aws().await;
    for name in names {
        let tuple = resolved(&aws, name, &assignment()).await.tuple;
        assert!(is_present(&aws.read(&tuple).await.unwrap()), "{name}");
        let last = Fault::new(Action::HtmlPage(500))
            .on(Service::SsoAdmin, "ListAccountAssignments")
            .skip(1);
        let fault = cloud.simulator.add_fault(last);
        let reading = aws.read(&tuple).await;
        assert_ne!(reading, Ok(Seen::Absent), "{name}");
        cloud.simulator.remove_fault(fault);
    }
}

/// Others' access to the same permission set, or access through a group, is not this user's own.
#[tokio::test(start_paused = true)]
async fn only_the_users_own_row_counts() {
    let row = |user: Option<&str>, group: Option<&str>| SeedAssignment {
        account: PAYMENTS.to_owned(),
        permission_set: "AdministratorAccess".to_owned(),
        user: user.map(str::to_owned),
        group: group.map(str::to_owned),
    };
    let mut seed = Seed::example();
    seed.instances[0].groups[0].members = vec![ALICE.to_owned()];
    seed.instances[0].assignments = vec![
        row(Some("bob@example.com"), None),
        row(None, Some("Operators")),
    ];
    let cloud = Cloud::new(&seed);
    let aws = cloud.aws().await;
    let tuple = resolved(&aws, ALICE, &assignment()).await.tuple;
    assert_eq!(aws.read(&tuple).await, Ok(Seen::Absent));
}
