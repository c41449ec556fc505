//! Names are re-used, ids are not. Whoever bears a pinned name now is a stranger.

use super::*;

fn is_gone(kind: &Kind, seen: &Seen) {
    assert!(matches!(seen, Seen::Gone(_)), "{}: {seen:?}", kind.name);
}

fn recreate_user(kind: &Kind) {
    kind.cloud.change(&match &kind.tuple {
        Tuple::IamGroup(t) => Change::RecreateIamUser {
            account: t.account.clone(),
            user: t.user.clone(),
        },
        other => Change::RecreateUser {
            user: other.user().to_owned(),
        },
    });
}

#[tokio::test(start_paused = true)]
async fn a_user_who_was_made_again_is_gone() {
    for kind in kinds().await {
        recreate_user(&kind);
        is_gone(&kind, &kind.aws.read(&kind.tuple).await.unwrap());
    }
}

#[tokio::test(start_paused = true)]
async fn an_entitlement_that_was_made_again_is_gone() {
    for kind in kinds().await {
        kind.cloud.change(&match &kind.tuple {
            Tuple::AccountAssignment(t) => Change::RecreatePermissionSet {
                permission_set: t.permission_set_arn.clone(),
            },
            Tuple::IdentityCenterGroup(t) => Change::RecreateGroup {
                group: t.group_id.clone(),
            },
            Tuple::IamGroup(t) => Change::RecreateIamGroup {
                account: t.account.clone(),
                group: t.group.clone(),
            },
        });
        is_gone(&kind, &kind.aws.read(&kind.tuple).await.unwrap());
    }
}

/// IAM goes by name, so the ids are compared before each write.
#[tokio::test(start_paused = true)]
async fn a_stranger_with_the_name_is_given_nothing_and_loses_nothing() {
    let kind = kinds().await.pop().unwrap();
    recreate_user(&kind);
    kind.cloud.change(&Change::AddIamGroupMember {
        account: PRODUCTION.to_owned(),
        group: "Operators".to_owned(),
        user: "alice".to_owned(),
    });
    let expiry = kind.cloud.clock().now();
    let _ = kind.aws.mark(&kind.tuple, expiry).await;
    let outcome = kind.cloud.create(&kind.aws, &kind.tuple).await;
    assert_eq!(failed(&outcome), Class::Gone);
    let outcome = kind.cloud.delete(&kind.aws, &kind.tuple).await;
    assert_eq!(outcome, Outcome::Succeeded { request_id: None });
    let _ = kind.aws.unmark(&kind.tuple).await;
    assert_eq!(kind.cloud.writes(), []);
    assert!(kind.is_there(), "the stranger's membership stays");
}

/// A rename ends no membership. Nobody may be told that it was taken away.
#[tokio::test(start_paused = true)]
async fn a_user_who_was_renamed_is_neither_gone_nor_rid_of_his_access() {
    let kind = kinds().await.pop().unwrap();
    kind.give().await;
    kind.cloud.change(&Change::RenameIamUser {
        account: PRODUCTION.to_owned(),
        user: "alice".to_owned(),
        new_name: "alicia".to_owned(),
    });
    let error = kind.aws.read(&kind.tuple).await.unwrap_err();
    assert!(error.message.contains("alicia"), "{error}");
    let outcome = kind.cloud.delete(&kind.aws, &kind.tuple).await;
    let still = kind
        .cloud
        .simulator
        .truth()
        .is_iam_member(PRODUCTION, "Operators", "alicia");
    assert!(
        !(still && matches!(outcome, Outcome::Succeeded { .. })),
        "{outcome:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn the_marker_tag_comes_and_goes() {
    let kind = kinds().await.pop().unwrap();
    let tags = || {
        let truth = kind.cloud.simulator.truth();
        let users = &truth.account(PRODUCTION).unwrap().users;
        let alice = users.iter().find(|user| user.name == "alice").unwrap();
        alice
            .tags
            .iter()
            .map(|tag| (tag.key.clone(), tag.value.clone()))
            .collect::<Vec<_>>()
    };
    let expiry = "2026-01-01T01:00:00Z".parse().unwrap();
    kind.aws.mark(&kind.tuple, expiry).await.unwrap();
    assert_eq!(
        tags(),
        [(
            "breakglass:Operators".to_owned(),
            "2026-01-01T01:00:00Z".to_owned()
        )]
    );
    kind.aws.unmark(&kind.tuple).await.unwrap();
    assert_eq!(tags(), []);
}
