//! R2: nothing is sent once its time is over, whatever held it up.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use aws_simulator::{Action, Fault, Service};
use jiff::{SignedDuration, Timestamp};

use super::*;
use crate::clock::Witness;
use crate::config::IdentityCenterConfig;

#[tokio::test(start_paused = true)]
async fn nothing_is_sent_after_the_deadline_or_for_another_operation() {
    for kind in kinds().await {
        kind.give().await;
        kind.cloud.simulator.clear_calls();
        let over = kind.cloud.cleared_for(Operation::Create, Duration::ZERO);
        assert_eq!(kind.aws.create(&kind.tuple, over).await, Outcome::NotSent);
        let over = kind.cloud.cleared_for(Operation::Delete, Duration::ZERO);
        assert_eq!(kind.aws.delete(&kind.tuple, over).await, Outcome::NotSent);
        let other = kind.cloud.cleared(Operation::Create);
        assert_eq!(kind.aws.delete(&kind.tuple, other).await, Outcome::NotSent);
        assert_eq!(kind.cloud.writes(), [], "{}", kind.name);
    }
}

/// The reads that come first take the time that they take.
#[tokio::test(start_paused = true)]
async fn a_slow_preparation_uses_up_the_time() {
    for (index, operation) in [(1, "GetGroupMembershipId"), (2, "GetUser")] {
        let kind = kinds().await.swap_remove(index);
        kind.give().await;
        kind.cloud.simulator.clear_calls();
        let mut slow = Fault::new(Action::Delay(SignedDuration::from_secs(5)));
        slow.operation = Some(operation.to_owned());
        kind.cloud.simulator.add_fault(slow);
        let leave = kind
            .cloud
            .cleared_for(Operation::Delete, Duration::from_secs(3));
        assert_eq!(kind.aws.delete(&kind.tuple, leave).await, Outcome::NotSent);
        assert_eq!(kind.cloud.writes(), [], "{}", kind.name);
    }
}

/// So do credentials that have to be fetched first.
#[tokio::test(start_paused = true)]
async fn slow_credentials_use_up_the_time() {
    let cloud = Cloud::example();
    cloud.change(&Change::CreateRole {
        account: MANAGEMENT.to_owned(),
        role: "granter".to_owned(),
    });
    let config = Config {
        identity_center: IdentityCenterConfig {
            granter_role_arn: Some(role(MANAGEMENT, "granter")),
            ..IdentityCenterConfig::default()
        },
        ..Config::default()
    };
    let aws = cloud.aws_with(MANAGEMENT, &config).await;
    let tuple = resolved(&aws, ALICE, &assignment()).await.tuple;
    cloud.simulator.add_fault(
        Fault::new(Action::Delay(SignedDuration::from_secs(3))).on(Service::Sts, "AssumeRole"),
    );
    let leave = cloud.cleared_for(Operation::Create, Duration::from_secs(2));
    let deadline = after(cloud.clock().now(), Duration::from_secs(2));
    let outcome = aws.create(&tuple, leave).await;
    for call in cloud.writes() {
        assert!(
            call.time < deadline,
            "sent at {}, after {deadline}",
            call.time
        );
    }
    assert_eq!(outcome, Outcome::NotSent);
}

/// Where AWS and the API server agree that the clock is wrong their time counts, to take away and not to give.
#[tokio::test(start_paused = true)]
async fn by_a_clock_that_is_wrong_nothing_is_given_and_what_is_over_is_taken_away() {
    for kind in kinds().await {
        kind.give().await;
        kind.cloud.simulator.clear_calls();
        let clock = kind.cloud.clock();
        let told = clock.now() - SignedDuration::from_mins(4);
        for witness in [Witness::Kubernetes, Witness::Aws] {
            clock.heard(witness, told);
        }
        let cleared = |operation| Cleared::new(operation, Timestamp::MAX, clock.clone());
        let given = kind
            .aws
            .create(&kind.tuple, cleared(Operation::Create))
            .await;
        assert_eq!(given, Outcome::NotSent, "{}", kind.name);
        assert_eq!(kind.cloud.writes(), [], "{}", kind.name);
        kind.aws
            .delete(&kind.tuple, cleared(Operation::Delete))
            .await;
        assert_eq!(kind.cloud.writes().len(), 1, "{}", kind.name);
    }
}

/// The time of day may be set back while something waits to be sent: its time is over all the same.
#[tokio::test(start_paused = true)]
async fn a_clock_that_is_set_back_gives_no_more_time() {
    for kind in kinds().await {
        let set_back = Arc::new(AtomicBool::new(false));
        let (clock, back) = (kind.cloud.clock(), Arc::clone(&set_back));
        let clock = Clock::from_fn(move || {
            let hour = SignedDuration::from_hours(i64::from(back.load(Ordering::Relaxed)));
            clock.now() - hour
        });
        let send_before = after(clock.now(), Duration::from_secs(30));
        let cleared = Cleared::new(Operation::Create, send_before, clock);
        set_back.store(true, Ordering::Relaxed);
        tokio::time::sleep(Duration::from_secs(31)).await;
        let given = kind.aws.create(&kind.tuple, cleared).await;
        assert_eq!(given, Outcome::NotSent, "{}", kind.name);
        assert_eq!(kind.cloud.writes(), [], "{}", kind.name);
    }
}

/// Also the answer that refuses us: a clock that is wrong is why AWS refuses signatures.
#[tokio::test(start_paused = true)]
async fn every_answer_tells_the_time() {
    for refused in [false, true] {
        let cloud = Cloud::example();
        cloud
            .simulator
            .set(|settings| settings.clock_skew = SignedDuration::from_hours(1));
        if refused {
            cloud.simulator.add_fault(Fault::new(Action::AccessDenied));
        }
        let clock = cloud.clock();
        let desk = Desk::new(&Settings::default());
        let sdk = cloud.environment(MANAGEMENT);
        let aws = Aws::connect(&sdk, &Config::default(), desk, clock.clone()).await;
        assert_eq!(clock.differences().aws, None);
        aws.unwrap().ask_the_time().await;
        let ahead = clock.differences().aws.unwrap();
        let wrong_by = ahead - SignedDuration::from_hours(1);
        assert!(wrong_by.abs() <= SignedDuration::from_secs(1), "{ahead}");
    }
}
