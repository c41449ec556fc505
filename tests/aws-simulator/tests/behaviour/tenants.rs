//! Others who use the same quotas.

use std::collections::BTreeSet;

use aws_simulator::{Change, Delay, Tenants};
use jiff::SignedDuration;

use crate::virtual_cloud::{Cloud, pass};

fn crowded() -> Cloud {
    let cloud = Cloud::example();
    cloud.simulator.set(|settings| {
        settings.tenants = Some(Tenants {
            rate_share: 1.0,
            in_flight: 10,
            lasts: Delay {
                min: SignedDuration::from_secs(30),
                max: SignedDuration::from_secs(90),
            },
        });
    });
    cloud
}

#[tokio::test(start_paused = true)]
async fn they_take_now_more_and_now_less_of_the_calls() {
    let cloud = crowded();
    let sso = cloud.sso();
    let mut passed = BTreeSet::new();
    for _ in 0..20 {
        pass(100).await;
        let mut answers = 0;
        while let Ok(answer) = sso.list_instances().send().await {
            drop(answer);
            answers += 1;
        }
        passed.insert(answers);
    }
    assert!(passed.len() > 5, "{passed:?}");
    assert!(passed.first() >= Some(&1) && passed.last() <= Some(&20));
}

#[tokio::test(start_paused = true)]
async fn they_take_now_more_and_now_less_of_the_places_under_way() {
    let cloud = crowded();
    cloud.simulator.set(|settings| {
        settings.sso_admin_rate = None;
    });
    let mut tuples = Vec::new();
    for number in 0..11 {
        let name = format!("user{number}");
        cloud.change(&Change::CreateUser {
            user_name: name.clone(),
            external_id: None,
        });
        tuples.push(cloud.tuple_of(&name));
    }
    let mut accepted = BTreeSet::new();
    for _ in 0..20 {
        pass(100).await;
        let mut places = 0;
        for tuple in &tuples {
            match tuple.create().await {
                Ok(_) => places += 1,
                Err(error) => {
                    let error = error.into_service_error();
                    assert!(error.is_throttling_exception());
                    let message = error.meta().message().unwrap();
                    assert!(message.starts_with("There are too many requests processing"));
                    break;
                }
            }
        }
        accepted.insert(places);
    }
    assert!(accepted.len() > 4, "{accepted:?}");
    assert!(accepted.last() <= Some(&10));
}
