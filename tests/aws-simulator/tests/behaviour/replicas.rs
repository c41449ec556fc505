//! Reads that are answered from several copies, none of them quite up to date.

use std::collections::BTreeSet;

use aws_simulator::{Change, Delay, Replicas};
use jiff::SignedDuration;

use crate::virtual_cloud::{Cloud, PAYMENTS, PRODUCTION, pass};

fn with_copies(count: usize, staleness: i64) -> Cloud {
    let cloud = Cloud::example();
    cloud.simulator.set(|settings| {
        settings.staleness.sso_admin = SignedDuration::from_secs(staleness);
        settings.staleness.iam = SignedDuration::from_secs(staleness * 3);
        settings.sso_admin_rate = None;
        settings.replicas = Some(Replicas {
            count,
            lag_lasts: Delay {
                min: SignedDuration::from_secs(5),
                max: SignedDuration::from_secs(50),
            },
        });
    });
    cloud
}

fn give_alice(cloud: &Cloud) {
    cloud.change(&Change::CreateAssignment {
        account: PAYMENTS.to_owned(),
        permission_set: "AdministratorAccess".to_owned(),
        principal: "alice@example.com".to_owned(),
    });
}

/// What is seen every second for so many seconds after a change.
async fn seen_after_a_change(cloud: &Cloud, seconds: usize) -> Vec<bool> {
    let tuple = cloud.tuple();
    pass(1000).await;
    give_alice(cloud);
    let mut seen = Vec::new();
    for _ in 0..seconds {
        seen.push(!tuple.listed().await.is_empty());
        pass(1).await;
    }
    seen
}

fn turns(seen: &[bool]) -> usize {
    seen.windows(2).filter(|pair| pair[0] && !pair[1]).count()
}

#[tokio::test(start_paused = true)]
async fn what_one_read_shows_the_next_may_not_and_after_the_staleness_all_do() {
    let seen = seen_after_a_change(&with_copies(3, 60), 90).await;
    assert!(turns(&seen) > 1, "it comes and goes: {seen:?}");
    assert!(seen[60..].iter().all(|seen| *seen), "{seen:?}");
}

#[tokio::test(start_paused = true)]
async fn a_single_copy_never_goes_back() {
    let seen = seen_after_a_change(&with_copies(1, 60), 90).await;
    assert_eq!(turns(&seen), 0, "{seen:?}");
    assert!(seen[60..].iter().all(|seen| *seen), "{seen:?}");
}

#[tokio::test(start_paused = true)]
async fn how_far_a_copy_is_behind_is_drawn_again_and_again() {
    let cloud = with_copies(1, 60);
    let tuple = cloud.tuple();
    let mut lags = BTreeSet::new();
    for _ in 0..20 {
        pass(1000).await;
        give_alice(&cloud);
        let changed = cloud.simulator.now();
        while tuple.listed().await.is_empty() {
            pass(1).await;
        }
        lags.insert(cloud.simulator.now().duration_since(changed).as_secs());
        cloud.change(&Change::DeleteAssignment {
            account: PAYMENTS.to_owned(),
            permission_set: "AdministratorAccess".to_owned(),
            principal: "alice@example.com".to_owned(),
        });
    }
    assert!(lags.len() > 5, "{lags:?}");
    assert!(lags.last().is_some_and(|longest| *longest <= 60));
}

#[tokio::test(start_paused = true)]
async fn iam_can_be_further_behind_than_identity_center() {
    let cloud = with_copies(5, 60);
    let iam = cloud.iam();
    pass(1000).await;
    cloud.change(&Change::AddIamGroupMember {
        account: PRODUCTION.to_owned(),
        group: "Operators".to_owned(),
        user: "alice".to_owned(),
    });
    let (mut late, mut all) = (false, true);
    for second in 0..200 {
        let groups = iam.list_groups_for_user().user_name("alice");
        let seen = !groups.send().await.unwrap().groups().is_empty();
        late |= second > 60 && !seen;
        all &= second < 180 || seen;
        pass(1).await;
    }
    assert!(late && all);
}
