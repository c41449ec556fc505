//! The log of what changed who has access, and by whom.

use aws_sdk_identitystore::types::MemberId;
use aws_simulator::{AccessTuple, Author, Change, Effect};

use crate::virtual_cloud::{Cloud, PAYMENTS, PRODUCTION, pass};

/// What happened since the last look, each as what, whether it came, and by whom; then it is forgotten.
fn news(cloud: &Cloud) -> Vec<(AccessTuple, bool, Author)> {
    let effects = cloud.simulator.effects_since(0);
    if let Some(last) = effects.last() {
        cloud.simulator.forget_effects(last.number);
    }
    assert_eq!(cloud.simulator.effects_since(0), []);
    let short = |effect: Effect| (effect.access, effect.present, effect.by);
    effects.into_iter().map(short).collect()
}

fn call(sequence: u64) -> Author {
    Author::Call {
        sequence: Some(sequence),
    }
}

const OPERATION: Author = Author::Call { sequence: None };

fn alice_pays(cloud: &Cloud) -> AccessTuple {
    let tuple = cloud.tuple();
    AccessTuple::Assignment {
        account: tuple.account,
        permission_set: tuple.permission_set_arn,
        principal: tuple.user_id,
    }
}

#[tokio::test(start_paused = true)]
async fn an_operation_makes_and_removes_an_assignment_when_it_takes_effect() {
    let cloud = Cloud::example();
    news(&cloud);
    let (tuple, access) = (cloud.tuple(), alice_pays(&cloud));
    tuple.create().await.unwrap();
    assert_eq!(news(&cloud), [], "it is only under way");
    pass(60).await;
    let effects = cloud.simulator.effects_since(0);
    assert_eq!(
        effects[0].time.to_string(),
        "2026-01-01T00:00:02Z",
        "the time of the effect, not of the look"
    );
    assert_eq!(news(&cloud), [(access.clone(), true, OPERATION)]);
    tuple.create().await.unwrap();
    pass(3).await;
    assert_eq!(news(&cloud), [], "it was there already");
    tuple.delete().await.unwrap();
    pass(3).await;
    assert_eq!(news(&cloud), [(access, false, OPERATION)]);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_takes_effect_at_once_is_named() {
    let cloud = Cloud::example();
    news(&cloud);
    let (store, alice) = (cloud.store(), cloud.user_id("alice@example.com"));
    let (id, group) = (
        cloud.instance().identity_store_id,
        cloud.group_id("Operators"),
    );
    let made = store
        .create_group_membership()
        .identity_store_id(&id)
        .group_id(&group)
        .member_id(MemberId::UserId(alice.clone()))
        .send()
        .await
        .unwrap();
    let access = AccessTuple::GroupMembership {
        group,
        user: alice,
        membership: made.membership_id.clone(),
    };
    assert_eq!(
        cloud.simulator.membership(&made.membership_id).as_ref(),
        Some(&access)
    );
    assert_eq!(news(&cloud), [(access.clone(), true, call(1))]);
    store
        .delete_group_membership()
        .identity_store_id(&id)
        .membership_id(&made.membership_id)
        .send()
        .await
        .unwrap();
    assert_eq!(news(&cloud), [(access, false, call(2))]);

    let access = AccessTuple::IamMembership {
        account: PRODUCTION.to_owned(),
        group: cloud
            .simulator
            .iam_group_id(PRODUCTION, "Operators")
            .unwrap(),
        user: cloud.simulator.iam_user_id(PRODUCTION, "alice").unwrap(),
    };
    let iam = cloud.iam();
    let join = iam.add_user_to_group().user_name("alice");
    join.group_name("Operators").send().await.unwrap();
    assert_eq!(news(&cloud), [(access.clone(), true, call(3))]);
    let leave = iam.remove_user_from_group().user_name("alice");
    leave.group_name("Operators").send().await.unwrap();
    assert_eq!(news(&cloud), [(access, false, call(4))]);
}

#[tokio::test(start_paused = true)]
async fn people_make_and_remove_too() {
    let cloud = Cloud::example();
    news(&cloud);
    let access = alice_pays(&cloud);
    let (account, permission_set, principal) = (
        PAYMENTS.to_owned(),
        "AdministratorAccess".to_owned(),
        "alice@example.com".to_owned(),
    );
    cloud.change(&Change::CreateAssignment {
        account: account.clone(),
        permission_set: permission_set.clone(),
        principal: principal.clone(),
    });
    assert_eq!(news(&cloud), [(access.clone(), true, Author::People)]);
    cloud.change(&Change::DeleteAssignment {
        account,
        permission_set,
        principal,
    });
    assert_eq!(news(&cloud), [(access, false, Author::People)]);
}

#[tokio::test(start_paused = true)]
async fn what_goes_with_what_it_stood_on_is_nobodys_removal() {
    let cloud = Cloud::example();
    news(&cloud);
    let (bob, store) = (cloud.user_id("bob@example.com"), cloud.store());
    store
        .delete_user()
        .identity_store_id(cloud.instance().identity_store_id)
        .user_id(&bob)
        .send()
        .await
        .unwrap();
    let [(access, false, Author::People)] = &news(&cloud)[..] else {
        panic!("bob's membership goes with bob");
    };
    assert!(matches!(access, AccessTuple::GroupMembership { user, .. } if *user == bob));

    cloud.tuple().create().await.unwrap();
    pass(3).await;
    news(&cloud);
    let access = alice_pays(&cloud);
    cloud.change(&Change::DeletePermissionSet {
        permission_set: "AdministratorAccess".to_owned(),
    });
    assert_eq!(news(&cloud), [(access, false, Author::People)]);
}
