//! What a long run may let go of.

use jiff::SignedDuration;

use crate::virtual_cloud::{Cloud, pass};

#[tokio::test(start_paused = true)]
async fn operations_are_forgotten_after_the_retention() {
    let cloud = Cloud::example();
    cloud
        .simulator
        .set(|settings| settings.request_retention = Some(SignedDuration::from_secs(60)));
    let tuple = cloud.tuple();
    for _ in 0..50 {
        tuple.create().await.unwrap();
        pass(10).await;
    }
    assert!(cloud.instance().operations.len() <= 7);
    assert_eq!(tuple.listed().await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn operations_are_forgotten_when_a_thousand_are_newer() {
    let cloud = Cloud::example();
    let tuple = cloud.tuple();
    for _ in 0..1010 {
        tuple.create().await.unwrap();
        pass(3).await;
    }
    let operations = cloud.instance().operations;
    assert_eq!(operations.len(), 1001);
    assert!(operations.iter().all(|one| one.status == "SUCCEEDED"));
}

#[tokio::test(start_paused = true)]
async fn an_operation_under_way_is_not_forgotten() {
    let cloud = Cloud::example();
    cloud.simulator.set(|settings| {
        settings.request_retention = Some(SignedDuration::from_secs(1));
        settings.assignment_delay = aws_simulator::Delay::exactly(SignedDuration::from_secs(60));
    });
    let (alice, bob) = (cloud.tuple(), cloud.tuple_of("bob@example.com"));
    alice.create().await.unwrap();
    pass(30).await;
    bob.create().await.unwrap();
    pass(31).await;
    assert_eq!(alice.listed().await, [alice.user_id.as_str()]);
}

#[tokio::test(start_paused = true)]
async fn calls_are_forgotten_up_to_a_number_and_numbers_go_on() {
    let cloud = Cloud::example();
    let tuple = cloud.tuple();
    for _ in 0..3 {
        tuple.listed().await;
    }
    cloud.simulator.forget_calls(2);
    tuple.listed().await;
    let left: Vec<u64> = cloud.calls().iter().map(|call| call.sequence).collect();
    assert_eq!(left, [3, 4]);
}
