//! Account assignments take their time.

use aws_sdk_ssoadmin::types::StatusValues;
use aws_simulator::{
    AbsentDelete, Action, Change, Delay, Fault, OrphanDelete, Refusal, Service, Settings,
};
use jiff::SignedDuration;

use crate::tuple::Tuple;
use crate::virtual_cloud::{Cloud, PAYMENTS, code, pass};

fn takes(cloud: &Cloud, seconds: i64) {
    cloud.simulator.set(|settings| {
        settings.assignment_delay = Delay::exactly(SignedDuration::from_secs(seconds));
    });
}

#[tokio::test(start_paused = true)]
async fn an_assignment_is_there_when_its_operation_ends_and_not_before() {
    let cloud = Cloud::example();
    takes(&cloud, 30);
    let tuple = cloud.tuple();
    let started = tuple.create().await.unwrap();
    assert_eq!(started.status, Some(StatusValues::InProgress));
    assert_eq!(
        started.principal_id.as_deref(),
        Some(tuple.user_id.as_str())
    );
    let id = started.request_id.unwrap();
    assert_eq!((id.len(), id.to_lowercase()), (36, id.clone()));

    pass(29).await;
    assert_eq!(
        tuple.creation(&id).await.status,
        Some(StatusValues::InProgress)
    );
    assert_eq!(tuple.listed().await, Vec::<String>::new());
    pass(2).await;
    assert_eq!(
        tuple.creation(&id).await.status,
        Some(StatusValues::Succeeded)
    );
    assert_eq!(tuple.listed().await, [tuple.user_id.as_str()]);

    let id = tuple.delete().await.unwrap().request_id.unwrap();
    assert_eq!(tuple.listed().await.len(), 1);
    pass(31).await;
    assert_eq!(
        tuple.deletion(&id).await.status,
        Some(StatusValues::Succeeded)
    );
    assert_eq!(tuple.listed().await, Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn the_effect_can_come_before_or_after_the_status() {
    let cloud = Cloud::example();
    takes(&cloud, 10);
    for (shift, seen_before_status, seen_with_status) in [(-5, true, true), (5, false, false)] {
        cloud.simulator.set(|settings| {
            settings.effect_shift = Delay::exactly(SignedDuration::from_secs(shift));
        });
        let tuple = cloud.tuple_of(if shift < 0 {
            "alice@example.com"
        } else {
            "bob@example.com"
        });
        let id = tuple.create().await.unwrap().request_id.unwrap();
        pass(7).await;
        assert_eq!(
            tuple.creation(&id).await.status,
            Some(StatusValues::InProgress)
        );
        assert_eq!(
            tuple.listed().await.contains(&tuple.user_id),
            seen_before_status
        );
        pass(4).await;
        assert_eq!(
            tuple.creation(&id).await.status,
            Some(StatusValues::Succeeded)
        );
        assert_eq!(
            tuple.listed().await.contains(&tuple.user_id),
            seen_with_status
        );
        pass(5).await;
        assert!(tuple.listed().await.contains(&tuple.user_id));
    }
}

#[tokio::test(start_paused = true)]
async fn creating_what_stands_succeeds_and_leaves_one_row() {
    let cloud = Cloud::example();
    let tuple = cloud.tuple();
    for _ in 0..2 {
        let id = tuple.create().await.unwrap().request_id.unwrap();
        pass(3).await;
        assert_eq!(
            tuple.creation(&id).await.status,
            Some(StatusValues::Succeeded)
        );
    }
    assert_eq!(tuple.listed().await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn creations_and_deletions_have_ids_of_their_own() {
    let cloud = Cloud::example();
    let tuple = cloud.tuple();
    let creation = tuple.create().await.unwrap().request_id.unwrap();
    pass(3).await;
    let deletion = tuple.delete().await.unwrap().request_id.unwrap();
    assert_ne!(creation, deletion);
    let asked = tuple
        .client
        .describe_account_assignment_deletion_status()
        .instance_arn(&tuple.instance_arn);
    let wrong = asked
        .account_assignment_deletion_request_id(&creation)
        .send()
        .await;
    assert_eq!(code(wrong), "ResourceNotFoundException");

    let running = StatusValues::InProgress;
    let filter = aws_sdk_ssoadmin::types::OperationStatusFilter::builder()
        .status(running)
        .build();
    let listing = tuple
        .client
        .list_account_assignment_deletion_status()
        .instance_arn(&tuple.instance_arn);
    let listed = listing.filter(filter.clone()).send().await.unwrap();
    let ids: Vec<_> = listed
        .account_assignments_deletion_status()
        .iter()
        .map(|row| row.request_id.clone().unwrap())
        .collect();
    assert_eq!(ids, [deletion]);
    let listing = tuple
        .client
        .list_account_assignment_creation_status()
        .instance_arn(&tuple.instance_arn);
    assert!(
        listing
            .filter(filter)
            .send()
            .await
            .unwrap()
            .account_assignments_creation_status()
            .is_empty()
    );
    let listing = tuple
        .client
        .list_account_assignment_creation_status()
        .instance_arn(&tuple.instance_arn);
    let ended = listing.send().await.unwrap();
    assert_eq!(
        ended.account_assignments_creation_status()[0].request_id,
        Some(creation)
    );
}

#[tokio::test(start_paused = true)]
async fn request_ids_can_be_forgotten() {
    let cloud = Cloud::example();
    cloud
        .simulator
        .set(|settings| settings.request_retention = Some(SignedDuration::from_mins(5)));
    let tuple = cloud.tuple();
    let id = tuple.create().await.unwrap().request_id.unwrap();
    pass(299).await;
    assert_eq!(
        tuple.creation(&id).await.status,
        Some(StatusValues::Succeeded)
    );
    pass(2).await;
    let asked = tuple
        .client
        .describe_account_assignment_creation_status()
        .instance_arn(&tuple.instance_arn);
    assert_eq!(
        code(
            asked
                .account_assignment_creation_request_id(&id)
                .send()
                .await
        ),
        "ResourceNotFoundException"
    );
}

#[tokio::test(start_paused = true)]
async fn deleting_what_is_absent_ends_as_set() {
    let cloud = Cloud::example();
    let tuple = cloud.tuple();
    assert_eq!(code(tuple.delete().await), "ResourceNotFoundException");
    for (setting, end) in [
        (AbsentDelete::Succeeds, StatusValues::Succeeded),
        (AbsentDelete::Fails, StatusValues::Failed),
    ] {
        cloud
            .simulator
            .set(|settings| settings.absent_delete = setting);
        let started = tuple.delete().await.unwrap();
        assert_eq!(started.status, Some(StatusValues::InProgress));
        pass(3).await;
        assert_eq!(
            tuple.deletion(&started.request_id.unwrap()).await.status,
            Some(end)
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_write_on_a_tuple_in_flight_is_a_conflict() {
    let cloud = Cloud::example();
    let (alice, bob) = (cloud.tuple(), cloud.tuple_of("bob@example.com"));
    alice.create().await.unwrap();
    assert_eq!(code(alice.create().await), "ConflictException");
    assert_eq!(code(alice.delete().await), "ConflictException");
    bob.create().await.unwrap();
    pass(3).await;
    alice.delete().await.unwrap();
    assert_eq!(code(alice.create().await), "ConflictException");
}

#[tokio::test(start_paused = true)]
async fn deleting_the_assignment_of_somebody_who_left_fails_and_leaves_the_row() {
    for (setting, end, left) in [
        (OrphanDelete::Fails, StatusValues::Failed, 1),
        (OrphanDelete::FailsAndRemoves, StatusValues::Failed, 0),
        (OrphanDelete::Succeeds, StatusValues::Succeeded, 0),
    ] {
        let cloud = Cloud::example();
        cloud
            .simulator
            .set(|settings| settings.orphan_delete = setting);
        let (tuple, store) = (cloud.tuple(), cloud.instance().identity_store_id);
        tuple.create().await.unwrap();
        pass(3).await;
        cloud.change(&Change::DeleteUser {
            user: tuple.user_id.clone(),
        });
        assert_eq!(
            tuple.listed().await.len(),
            1,
            "the row outlives its principal"
        );
        let id = tuple.delete().await.unwrap().request_id.unwrap();
        pass(3).await;
        let ended = tuple.deletion(&id).await;
        assert_eq!(ended.status, Some(end.clone()));
        if end == StatusValues::Failed {
            let reason = format!(
                "Received a 404 status error: the USER assignee {} was not found in directory {store}",
                tuple.user_id
            );
            assert_eq!(ended.failure_reason, Some(reason));
        }
        assert_eq!(tuple.listed().await.len(), left);
    }
}

#[tokio::test(start_paused = true)]
async fn rows_of_somebody_who_left_can_vanish_later() {
    let cloud = Cloud::example();
    cloud
        .simulator
        .set(|settings| settings.orphans_vanish_after = Some(SignedDuration::from_mins(10)));
    let tuple = cloud.tuple();
    tuple.create().await.unwrap();
    pass(3).await;
    cloud.change(&Change::DeleteUser {
        user: tuple.user_id.clone(),
    });
    pass(599).await;
    assert_eq!(tuple.listed().await.len(), 1);
    pass(2).await;
    assert_eq!(tuple.listed().await.len(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_is_unknown_is_not_found() {
    let cloud = Cloud::example();
    let unknown = |change: &dyn Fn(&mut Tuple)| {
        let mut tuple = cloud.tuple();
        change(&mut tuple);
        tuple
    };
    let nobody = "0000000000-00000000-0000-4000-8000-000000000000";
    let user = unknown(&|tuple| nobody.clone_into(&mut tuple.user_id));
    let account = unknown(&|tuple| "000000000000".clone_into(&mut tuple.account));
    let set = unknown(&|tuple| {
        let cut = tuple.permission_set_arn.len() - 16;
        tuple.permission_set_arn.truncate(cut);
        tuple.permission_set_arn.push_str("0000000000000000");
    });
    for tuple in [&user, &account, &set] {
        assert_eq!(code(tuple.create().await), "ResourceNotFoundException");
    }
    cloud
        .simulator
        .set(|settings| settings.unknown_principal = Refusal::Later);
    let id = user.create().await.unwrap().request_id.unwrap();
    pass(3).await;
    assert_eq!(user.creation(&id).await.status, Some(StatusValues::Failed));
    assert!(
        user.creation(&id)
            .await
            .failure_reason
            .unwrap()
            .contains("was not found in directory")
    );
    assert_eq!(cloud.instance().assignments, []);
}

#[tokio::test(start_paused = true)]
async fn an_operation_can_be_made_to_fail() {
    let cloud = Cloud::example();
    let reason = "An unexpected internal service exception was encountered";
    let fault = Fault::new(Action::FailOperation(reason.to_owned()));
    cloud.simulator.add_fault(
        fault
            .on(Service::SsoAdmin, "CreateAccountAssignment")
            .times(1),
    );
    let tuple = cloud.tuple();
    let id = tuple.create().await.unwrap().request_id.unwrap();
    pass(3).await;
    let ended = tuple.creation(&id).await;
    assert_eq!(
        (ended.status, ended.failure_reason.as_deref()),
        (Some(StatusValues::Failed), Some(reason))
    );
    assert_eq!(tuple.listed().await.len(), 0);
    tuple.create().await.unwrap();
    pass(3).await;
    assert_eq!(tuple.listed().await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn delays_are_drawn_between_their_bounds() {
    let cloud = Cloud::example();
    let (min, max) = (SignedDuration::from_secs(1), SignedDuration::from_secs(90));
    cloud.simulator.set(|settings| {
        *settings = Settings {
            assignment_delay: Delay { min, max },
            ..Settings::default()
        }
    });
    let (mut early, mut late) = (false, false);
    for _ in 0..20 {
        let tuple = cloud.tuple();
        let id = tuple.create().await.unwrap().request_id.unwrap();
        pass(45).await;
        let half = tuple.creation(&id).await.status == Some(StatusValues::Succeeded);
        early |= half;
        late |= !half;
        pass(46).await;
        assert_eq!(
            tuple.creation(&id).await.status,
            Some(StatusValues::Succeeded)
        );
    }
    assert!(early && late);
}

#[tokio::test(start_paused = true)]
async fn a_suspended_account_takes_no_assignment() {
    let cloud = Cloud::example();
    let status = aws_simulator::AccountStatus::Suspended;
    cloud.change(&Change::SetAccountStatus {
        account: PAYMENTS.to_owned(),
        status,
    });
    let tuple = cloud.tuple();
    let id = tuple.create().await.unwrap().request_id.unwrap();
    pass(3).await;
    assert_eq!(tuple.creation(&id).await.status, Some(StatusValues::Failed));
}

#[tokio::test(start_paused = true)]
async fn listings_can_be_old() {
    let cloud = Cloud::example();
    cloud
        .simulator
        .set(|settings| settings.staleness.sso_admin = SignedDuration::from_secs(60));
    let tuple = cloud.tuple();
    tuple.create().await.unwrap();
    pass(30).await;
    assert_eq!(tuple.listed().await.len(), 0);
    assert!(cloud.simulator.truth().is_assigned(
        PAYMENTS,
        "AdministratorAccess",
        "alice@example.com"
    ));
    pass(33).await;
    assert_eq!(tuple.listed().await.len(), 1);
}
