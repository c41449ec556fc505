//! What is drawn anew for each call or operation.

use std::collections::BTreeSet;

use aws_sdk_identitystore::operation::create_group_membership::CreateGroupMembershipError;
use aws_sdk_identitystore::operation::delete_group_membership::DeleteGroupMembershipError;
use aws_sdk_identitystore::types::{ConflictExceptionReason, MemberId};
use aws_sdk_ssoadmin::types::StatusValues;
use aws_simulator::{
    AbsentDelete, AbsentMembership, Change, Delay, OrphanDelete, Refusal, Settings, Tail,
};
use jiff::SignedDuration;

use crate::virtual_cloud::{Cloud, code, pass, refused};

fn cloud(change: impl FnOnce(&mut Settings)) -> Cloud {
    let cloud = Cloud::example();
    cloud.simulator.set(|settings| {
        settings.sso_admin_rate = None;
        settings.identity_store_rate = None;
        change(settings);
    });
    cloud
}

fn seconds(min: i64, max: i64) -> Delay {
    Delay {
        min: SignedDuration::from_secs(min),
        max: SignedDuration::from_secs(max),
    }
}

#[tokio::test(start_paused = true)]
async fn some_operations_take_much_longer() {
    let cloud = cloud(|settings| {
        settings.assignment_delay = seconds(2, 2);
        settings.assignment_tail = Tail {
            chance: 0.3,
            by: seconds(100, 200),
        };
    });
    let tuple = cloud.tuple();
    let mut long = 0;
    for _ in 0..40 {
        let id = tuple.create().await.unwrap().request_id.unwrap();
        let status = async || tuple.creation(&id).await.status.unwrap();
        pass(3).await;
        if status().await == StatusValues::InProgress {
            long += 1;
            pass(98).await;
            assert_eq!(status().await, StatusValues::InProgress);
            pass(102).await;
        }
        assert_eq!(status().await, StatusValues::Succeeded);
    }
    assert!((4..=20).contains(&long), "{long} of 40");
}

#[tokio::test(start_paused = true)]
async fn how_far_effect_and_status_are_apart_is_drawn_for_each_operation() {
    let cloud = cloud(|settings| {
        settings.assignment_delay = seconds(10, 10);
        settings.effect_shift = seconds(-5, 30);
    });
    let tuple = cloud.tuple();
    let mut apart = BTreeSet::new();
    for _ in 0..15 {
        for present in [true, false] {
            let started = cloud.simulator.now();
            if present {
                tuple.create().await.unwrap();
            } else {
                tuple.delete().await.unwrap();
            }
            pass(60).await;
            let effect = cloud.simulator.effects_since(0).pop().unwrap();
            assert_eq!(effect.present, present);
            apart.insert(effect.time.duration_since(started).as_millis() - 10_000);
        }
    }
    assert!(apart.len() > 20, "{apart:?}");
    let (first, last) = (*apart.first().unwrap(), *apart.last().unwrap());
    assert!(first >= -5000 && last <= 30_000, "{apart:?}");
    assert!(first < 0 && last > 15_000, "{apart:?}");
}

#[tokio::test(start_paused = true)]
async fn deleting_what_is_gone_has_every_plausible_answer() {
    let cloud = cloud(|settings| settings.absent_delete = AbsentDelete::Any);
    let tuple = cloud.tuple();
    let mut answers = BTreeSet::new();
    for _ in 0..30 {
        let answer = match tuple.delete().await {
            Err(error) => {
                assert!(error.into_service_error().is_resource_not_found_exception());
                "not found".to_owned()
            }
            Ok(started) => {
                pass(3).await;
                let ended = tuple.deletion(&started.request_id.unwrap()).await;
                ended.status.unwrap().to_string()
            }
        };
        answers.insert(answer);
    }
    assert_eq!(
        answers.iter().map(String::as_str).collect::<Vec<_>>(),
        ["FAILED", "SUCCEEDED", "not found"]
    );
}

#[tokio::test(start_paused = true)]
async fn deleting_the_assignment_of_somebody_who_left_has_every_plausible_end() {
    let mut ends = BTreeSet::new();
    let cloud = cloud(|settings| settings.orphan_delete = OrphanDelete::Any);
    for number in 0..30 {
        let name = format!("user{number}");
        cloud.change(&Change::CreateUser {
            user_name: name.clone(),
            external_id: None,
        });
        let tuple = cloud.tuple_of(&name);
        tuple.create().await.unwrap();
        pass(3).await;
        cloud.change(&Change::DeleteUser { user: name });
        let started = tuple.delete().await.unwrap();
        pass(3).await;
        let ended = tuple.deletion(&started.request_id.unwrap()).await;
        let stands = tuple.listed().await.contains(&tuple.user_id);
        ends.insert((ended.status.unwrap().to_string(), stands));
    }
    let end = |status: &str, stands| (status.to_owned(), stands);
    assert_eq!(
        ends.into_iter().collect::<Vec<_>>(),
        [
            end("FAILED", false),
            end("FAILED", true),
            end("SUCCEEDED", false)
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn an_unknown_principal_is_refused_at_once_or_later() {
    let cloud = cloud(|settings| settings.unknown_principal = Refusal::Either);
    let tuple = cloud.tuple();
    cloud.change(&Change::DeleteUser {
        user: tuple.user_id.clone(),
    });
    let (mut at_once, mut later) = (0, 0);
    for _ in 0..20 {
        match tuple.create().await {
            Err(_) => at_once += 1,
            Ok(_) => later += 1,
        }
        pass(3).await;
    }
    assert!(at_once > 0 && later > 0);
}

#[tokio::test(start_paused = true)]
async fn an_operation_can_fail_for_a_reason_of_its_own_and_changes_nothing() {
    let cloud = cloud(|settings| settings.chances.assignment_fails = 0.5);
    let tuple = cloud.tuple();
    let mut reasons = BTreeSet::new();
    for _ in 0..40 {
        let stood = !tuple.listed().await.is_empty();
        let ended = if stood {
            let id = tuple.delete().await.unwrap().request_id.unwrap();
            pass(3).await;
            tuple.deletion(&id).await
        } else {
            let id = tuple.create().await.unwrap().request_id.unwrap();
            pass(3).await;
            tuple.creation(&id).await
        };
        let failed = ended.status == Some(StatusValues::Failed);
        let stands = !tuple.listed().await.is_empty();
        assert_eq!(stands == stood, failed);
        reasons.extend(ended.failure_reason);
    }
    assert_eq!(reasons.len(), 3, "{reasons:?}");
}

#[tokio::test(start_paused = true)]
async fn the_more_is_under_way_the_more_conflicts_there_are() {
    let cloud = cloud(|settings| settings.chances.conflict_under_load = 1.0);
    let mut tuples = Vec::new();
    for number in 0..10 {
        let name = format!("user{number}");
        cloud.change(&Change::CreateUser {
            user_name: name.clone(),
            external_id: None,
        });
        tuples.push(cloud.tuple_of(&name));
    }
    let (mut few, mut many) = (0, 0);
    for _ in 0..10 {
        for (under_way, tuple) in tuples.iter().enumerate() {
            // What is refused is asked again until it is accepted.
            while tuple.create().await.is_err() {
                assert!(few + many < 1000, "nothing is accepted any more");
                if under_way < 5 {
                    few += 1;
                } else {
                    many += 1;
                }
            }
        }
        pass(3).await;
    }
    assert!(few > 0 && many > 3 * few, "{few} and {many}");
    cloud.tuple().create().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn memberships_and_tags_conflict_now_and_then_and_stay_as_they_are() {
    let cloud = cloud(|settings| {
        settings.chances.membership_conflict = 0.5;
        settings.chances.tag_conflict = 0.5;
    });
    let (store, iam) = (cloud.store(), cloud.iam());
    let (id, group) = (
        cloud.instance().identity_store_id,
        cloud.group_id("Operators"),
    );
    let member = MemberId::UserId(cloud.user_id("alice@example.com"));
    let is_member = || {
        let truth = cloud.simulator.truth();
        truth.is_member("Operators", "alice@example.com")
    };
    let reason = Some(ConflictExceptionReason::ConcurrentModification);
    let (mut joins, mut leaves, mut tags) = (0, 0, 0);
    for _ in 0..20 {
        let join = store.create_group_membership().identity_store_id(&id);
        let join = join.group_id(&group).member_id(member.clone());
        let made = loop {
            match join.clone().send().await {
                Ok(made) => break made.membership_id,
                error => {
                    let conflict = refused!(error, CreateGroupMembershipError::ConflictException);
                    assert_eq!(conflict.reason, reason);
                    assert!(!is_member());
                    joins += 1;
                }
            }
        };
        let leave = store.delete_group_membership().identity_store_id(&id);
        while let error @ Err(_) = leave.clone().membership_id(&made).send().await {
            let conflict = refused!(error, DeleteGroupMembershipError::ConflictException);
            assert_eq!(conflict.reason, reason);
            assert!(is_member());
            leaves += 1;
        }
        let untag = iam.untag_user().user_name("alice").tag_keys("team");
        if let error @ Err(_) = untag.send().await {
            assert_eq!(code(error), "ConcurrentModification");
            tags += 1;
        }
    }
    assert!(joins > 5 && leaves > 5 && tags > 3);
}

#[tokio::test(start_paused = true)]
async fn deleting_a_membership_that_is_gone_is_refused_or_succeeds() {
    let cloud = cloud(|settings| settings.absent_membership = AbsentMembership::Either);
    let (store, id) = (cloud.store(), cloud.instance().identity_store_id);
    let gone = cloud.change(&Change::AddGroupMember {
        group: "Operators".to_owned(),
        user: "alice@example.com".to_owned(),
    });
    cloud.change(&Change::RemoveGroupMember {
        group: "Operators".to_owned(),
        user: "alice@example.com".to_owned(),
    });
    let (mut refusals, mut successes) = (0, 0);
    for _ in 0..20 {
        let leave = store.delete_group_membership().identity_store_id(&id);
        match leave.set_membership_id(gone.clone()).send().await {
            Ok(_) => successes += 1,
            error => {
                assert_eq!(code(error), "ResourceNotFoundException");
                refusals += 1;
            }
        }
    }
    assert!(refusals > 0 && successes > 0);
}
