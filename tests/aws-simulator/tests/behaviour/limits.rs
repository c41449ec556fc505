//! Rates, operations at once, and pages.

use aws_sdk_ssoadmin::types::PrincipalType;
use aws_simulator::{Change, Rate, Seed, SeedUser};

use crate::tuple::Tuple;
use crate::virtual_cloud::{Cloud, PAYMENTS, PRODUCTION, code, pass};

fn crowd(size: usize) -> Cloud {
    let mut seed = Seed::example();
    let user = |number| SeedUser {
        user_name: format!("user{number:03}"),
        ..SeedUser::default()
    };
    seed.instances[0].users.extend((0..size).map(user));
    seed.settings.sso_admin_rate = None;
    Cloud::new(&seed)
}

#[tokio::test(start_paused = true)]
async fn twenty_calls_a_second_and_service() {
    let cloud = Cloud::example();
    let (sso, store) = (cloud.sso(), cloud.store());
    for _ in 0..20 {
        sso.list_instances().send().await.unwrap();
    }
    let error = sso.list_instances().send().await.unwrap_err();
    assert_eq!(error.raw_response().unwrap().status().as_u16(), 400);
    let error = error.into_service_error();
    assert!(error.is_throttling_exception());
    assert_eq!(error.meta().message(), Some("Rate exceeded"));
    let id = cloud.instance().identity_store_id;
    store
        .list_users()
        .identity_store_id(&id)
        .send()
        .await
        .unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    sso.list_instances().send().await.unwrap();
    sso.list_instances().send().await.unwrap();
    assert_eq!(
        code(sso.list_instances().send().await),
        "ThrottlingException"
    );
}

#[tokio::test(start_paused = true)]
async fn ten_assignment_operations_at_once() {
    let cloud = crowd(11);
    let tuples: Vec<Tuple> = (0..11)
        .map(|number| cloud.tuple_of(&format!("user{number:03}")))
        .collect();
    for tuple in &tuples[..10] {
        tuple.create().await.unwrap();
    }
    let error = tuples[10].create().await.unwrap_err().into_service_error();
    assert!(error.is_throttling_exception());
    assert_eq!(
        error.meta().message(),
        Some("There are too many requests processing. Please try again later.")
    );
    pass(3).await;
    tuples[10].create().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn listings_come_in_pages_of_a_hundred_or_less() {
    let cloud = crowd(150);
    let tuple = cloud.tuple();
    for number in 0..150 {
        cloud.change(&Change::CreateAssignment {
            account: PAYMENTS.to_owned(),
            permission_set: "AdministratorAccess".to_owned(),
            principal: format!("user{number:03}"),
        });
    }
    let page = |token: Option<String>| {
        let call = tuple
            .client
            .list_account_assignments()
            .instance_arn(&tuple.instance_arn)
            .account_id(PAYMENTS);
        call.permission_set_arn(&tuple.permission_set_arn)
            .set_next_token(token)
    };
    let first = page(None).send().await.unwrap();
    assert_eq!(first.account_assignments().len(), 100);
    let second = page(first.next_token.clone()).send().await.unwrap();
    assert_eq!(
        (second.account_assignments().len(), second.next_token),
        (50, None)
    );
    assert_eq!(
        page(None)
            .max_results(7)
            .send()
            .await
            .unwrap()
            .account_assignments()
            .len(),
        7
    );
    let elsewhere = page(first.next_token).account_id(PRODUCTION).send().await;
    assert_eq!(
        code(elsewhere),
        "ValidationException",
        "a token is good for its own listing only"
    );

    cloud.simulator.set(|settings| {
        settings.page_size = 9;
        settings.short_pages = true;
        settings.sso_admin_rate = Some(Rate {
            per_second: 1.0,
            burst: 1000.0,
        });
    });
    let all = tuple.listed().await;
    let mut unique = all.clone();
    unique.dedup();
    assert_eq!((all.len(), unique.len()), (150, 150));
    assert!(cloud.calls().len() > 17, "some pages are short");
}

#[tokio::test(start_paused = true)]
async fn a_user_is_listed_with_what_its_groups_have_under_their_name() {
    let cloud = Cloud::example();
    for principal in ["Everyone", "bob@example.com", "Operators"] {
        cloud.change(&Change::CreateAssignment {
            account: PAYMENTS.to_owned(),
            permission_set: "ReadOnlyAccess".to_owned(),
            principal: principal.to_owned(),
        });
    }
    let tuple = cloud.tuple_of("bob@example.com");
    let list = async || {
        let call = tuple
            .client
            .list_account_assignments_for_principal()
            .instance_arn(&tuple.instance_arn);
        let answer = call
            .principal_type(PrincipalType::User)
            .principal_id(&tuple.user_id)
            .send()
            .await
            .unwrap();
        answer
            .account_assignments
            .unwrap()
            .into_iter()
            .map(|row| row.principal_id.unwrap())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        list().await,
        [cloud.group_id("Everyone"), tuple.user_id.clone()]
    );
    cloud
        .simulator
        .set(|settings| settings.rows_through_groups = false);
    assert_eq!(list().await, [tuple.user_id.as_str()]);
}

#[tokio::test(start_paused = true)]
async fn a_token_can_be_refused_after_a_change() {
    let cloud = crowd(5);
    let tuple = cloud.tuple();
    let give = |number: usize| {
        cloud.change(&Change::CreateAssignment {
            account: PAYMENTS.to_owned(),
            permission_set: "AdministratorAccess".to_owned(),
            principal: format!("user{number:03}"),
        })
    };
    (0..4).for_each(|number| drop(give(number)));
    let page = |token: Option<String>| {
        let call = tuple
            .client
            .list_account_assignments()
            .instance_arn(&tuple.instance_arn)
            .account_id(PAYMENTS);
        call.permission_set_arn(&tuple.permission_set_arn)
            .max_results(1)
            .set_next_token(token)
    };
    let token = page(None).send().await.unwrap().next_token;
    cloud
        .simulator
        .set(|settings| settings.chances.token_refused = 1.0);
    page(token.clone()).send().await.unwrap();
    give(4);
    assert_eq!(
        code(page(token.clone()).send().await),
        "ValidationException"
    );
    cloud
        .simulator
        .set(|settings| settings.chances.token_refused = 0.0);
    page(token).send().await.unwrap();
}
