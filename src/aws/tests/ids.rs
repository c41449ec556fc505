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

fn rename_user(kind: &Kind) {
    kind.cloud.change(&Change::RenameIamUser {
        account: PRODUCTION.to_owned(),
        user: "alice".to_owned(),
        new_name: "alicia".to_owned(),
    });
}

fn rename_group(kind: &Kind) {
    kind.cloud.change(&Change::RenameIamGroup {
        account: PRODUCTION.to_owned(),
        group: "Operators".to_owned(),
        new_name: "Operations".to_owned(),
    });
}

/// A rename ends no membership: what was given is found by its ids, and taken by the new names.
#[tokio::test(start_paused = true)]
async fn what_was_renamed_is_still_seen_and_taken_away() {
    for (user, group) in [
        ("alicia", "Operators"),
        ("alice", "Operations"),
        ("alicia", "Operations"),
    ] {
        let kind = kinds().await.pop().unwrap();
        kind.give().await;
        if user == "alicia" {
            rename_user(&kind);
        }
        if group == "Operations" {
            rename_group(&kind);
        }
        let is_member = || {
            let truth = kind.cloud.simulator.truth();
            truth.is_iam_member(PRODUCTION, group, user)
        };
        assert!(is_member());
        assert!(
            is_present(&kind.aws.read(&kind.tuple).await.unwrap()),
            "{user} {group}"
        );
        let outcome = kind.cloud.delete(&kind.aws, &kind.tuple).await;
        assert!(matches!(outcome, Outcome::Succeeded { .. }), "{outcome:?}");
        assert!(!is_member(), "{user} is still in {group}");
    }
}

/// Where the old names belong to others by now, those are left alone.
#[tokio::test(start_paused = true)]
async fn strangers_who_took_over_the_names_of_the_renamed_lose_nothing() {
    let kind = kinds().await.pop().unwrap();
    kind.give().await;
    rename_user(&kind);
    rename_group(&kind);
    let (account, group, user) = (
        PRODUCTION.to_owned(),
        "Operators".to_owned(),
        "alice".to_owned(),
    );
    kind.cloud.change(&Change::CreateIamUser {
        account: account.clone(),
        user: user.clone(),
    });
    kind.cloud.change(&Change::CreateIamGroup {
        account: account.clone(),
        group: group.clone(),
    });
    kind.cloud.change(&Change::AddIamGroupMember {
        account,
        group,
        user,
    });
    kind.cloud.delete(&kind.aws, &kind.tuple).await;
    let truth = kind.cloud.simulator.truth();
    assert!(
        truth.is_iam_member(PRODUCTION, "Operators", "alice"),
        "the stranger lost it"
    );
    assert!(
        !truth.is_iam_member(PRODUCTION, "Operations", "alicia"),
        "ours was left"
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
    let tagged = kind.aws.mark(&kind.tuple, expiry).await;
    assert!(
        matches!(tagged, Some(Outcome::Succeeded { .. })),
        "{tagged:?}"
    );
    assert_eq!(
        tags(),
        [(
            "breakglass:Operators".to_owned(),
            "2026-01-01T01:00:00Z".to_owned()
        )]
    );
    kind.aws.unmark(&kind.tuple).await;
    assert_eq!(tags(), []);
}
