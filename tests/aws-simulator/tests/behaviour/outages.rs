//! A whole service down, by one switch.

use std::collections::BTreeSet;
use std::time::Duration;

use aws_config::timeout::TimeoutConfig;
use aws_sdk_ssoadmin::error::SdkError;
use aws_simulator::{Fate, IamOutage};

use crate::virtual_cloud::{Cloud, MANAGEMENT, PRODUCTION, code, pass};

fn patient(cloud: &Cloud, account: &str, late: Duration) -> aws_config::SdkConfig {
    let patience = TimeoutConfig::builder()
        .operation_attempt_timeout(Duration::from_secs(10))
        .build();
    let gate = move |_: &aws_simulator::GateCall| Fate {
        before: late,
        ..Fate::default()
    };
    cloud
        .config(account, "us-east-1")
        .into_builder()
        .timeout_config(patience)
        .http_client(cloud.simulator.http_client().through(gate))
        .build()
}

#[tokio::test(start_paused = true)]
async fn without_the_primary_region_identity_center_fails_in_many_ways_and_iam_works() {
    let cloud = Cloud::example();
    let tuple = cloud.tuple();
    let group = cloud.group_id("Operators");
    let store_id = cloud.instance().identity_store_id;
    cloud
        .simulator
        .set(|settings| settings.outages.identity_center = true);
    let config = patient(&cloud, MANAGEMENT, Duration::ZERO);
    let sso = aws_sdk_ssoadmin::Client::new(&config);
    let store = aws_sdk_identitystore::Client::new(&config);
    let tuple = crate::tuple::Tuple {
        client: sso,
        ..tuple
    };
    let mut ways = BTreeSet::new();
    for _ in 0..40 {
        let error = tuple.create().await.unwrap_err();
        ways.insert(match &error {
            SdkError::TimeoutError(_) => "hangs".to_owned(),
            SdkError::DispatchFailure(_) => "breaks".to_owned(),
            other => other.raw_response().unwrap().status().as_u16().to_string(),
        });
        let described = store.describe_group().identity_store_id(&store_id);
        assert!(described.group_id(&group).send().await.is_err());
    }
    assert_eq!(
        ways.iter().map(String::as_str).collect::<Vec<_>>(),
        ["500", "503", "breaks", "hangs"]
    );
    let join = cloud.iam().add_user_to_group().user_name("alice");
    join.group_name("Operators").send().await.unwrap();
    cloud
        .simulator
        .set(|settings| settings.outages.identity_center = false);
    assert_eq!(cloud.instance().operations, [], "none has taken effect");
    tuple.create().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn without_its_control_plane_iam_changes_nothing_and_may_still_be_read() {
    let cloud = Cloud::example();
    let set = |iam| {
        cloud.simulator.set(|settings| settings.outages.iam = iam);
    };
    set(IamOutage::Writes);
    let iam = aws_sdk_iam::Client::new(&patient(&cloud, PRODUCTION, Duration::ZERO));
    let join = iam.add_user_to_group().user_name("alice");
    let join = join.group_name("Operators");
    for _ in 0..10 {
        assert!(join.clone().send().await.is_err());
        iam.list_users().send().await.unwrap();
    }
    let truth = cloud.simulator.truth();
    assert!(!truth.is_iam_member(PRODUCTION, "Operators", "alice"));
    set(IamOutage::WritesAndReads);
    assert!(iam.list_users().send().await.is_err());
    cloud.tuple().create().await.unwrap();
    set(IamOutage::None);
    join.send().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_arrives_during_the_outage_changes_nothing_either() {
    let cloud = Cloud::example();
    let late = patient(&cloud, PRODUCTION, Duration::from_mins(1));
    let iam = aws_sdk_iam::Client::new(&late);
    let join = iam.add_user_to_group().user_name("alice");
    assert!(join.group_name("Operators").send().await.is_err());
    cloud
        .simulator
        .set(|settings| settings.outages.iam = IamOutage::Writes);
    pass(60).await;
    let truth = cloud.simulator.truth();
    assert!(!truth.is_iam_member(PRODUCTION, "Operators", "alice"));
    assert_eq!(
        cloud.calls()[0].outcome.as_deref(),
        Some("ServiceUnavailable")
    );
}

#[tokio::test(start_paused = true)]
async fn in_a_throttle_storm_hardly_anything_passes() {
    let cloud = Cloud::example();
    cloud
        .simulator
        .set(|settings| settings.outages.throttling = 0.9);
    let (sso, iam) = (cloud.sso(), cloud.iam());
    let mut passed = 0;
    for _ in 0..40 {
        pass(10).await;
        match sso.list_instances().send().await {
            Ok(_) => passed += 1,
            error => assert_eq!(code(error), "ThrottlingException"),
        }
        match iam.list_users().send().await {
            Ok(_) => passed += 1,
            error => assert_eq!(code(error), "Throttling"),
        }
    }
    assert!((1..=24).contains(&passed), "{passed} of 80");
    cloud
        .sts(MANAGEMENT)
        .get_caller_identity()
        .send()
        .await
        .unwrap();
}
