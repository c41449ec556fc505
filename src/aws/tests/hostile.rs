//! Answers that are none, through the SDK and everything of ours behind it. What makes no sense is
//! never taken for absent, for gone, or for done, and is not remembered.

use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config as RunnerConfig, TestRunner};
use serde_json::json;

use super::meddler::{Meddler, Spoil};
use super::*;
use crate::aws::ResolveError;
use crate::hostile::{any_json, change, damage, text};

/// Every call that a reading or a lookup of a name is made of.
const READS: [&str; 14] = [
    "ListInstances",
    "ListAccountAssignments",
    "ListPermissionSets",
    "DescribePermissionSet",
    "GetUserId",
    "GetGroupId",
    "GetGroupMembershipId",
    "DescribeUser",
    "DescribeGroup",
    "GetUser",
    "GetGroup",
    "ListUsers",
    "ListGroupsForUser",
    "GetCallerIdentity",
];

/// So many of what a strategy makes. A world is too dear to be made anew for each of them.
fn samples<T: std::fmt::Debug>(strategy: &impl Strategy<Value = T>, count: usize) -> Vec<T> {
    let mut runner = TestRunner::new(RunnerConfig::default());
    let sample = || strategy.new_tree(&mut runner).unwrap().current();
    std::iter::repeat_with(sample).take(count).collect()
}

/// What nobody could take for an answer of AWS: cut short, damaged, or from somebody else.
fn nonsense() -> impl Strategy<Value = Spoil> {
    prop_oneof![
        3 => any::<Index>().prop_map(Spoil::Cut),
        6 => (any::<Index>(), damage()).prop_map(|(place, change)| Spoil::Within(place, change)),
        4 => (select(&[200u16, 200, 200, 201, 204, 302, 400, 403, 404, 500, 503][..]), page())
            .prop_map(|(status, body)| Spoil::Instead(status, body)),
        2 => page().prop_map(|body| Spoil::Posing(200, body)),
        1 => Just(Spoil::MoreWithoutMark),
    ]
}

/// The body of an answer that is not AWS's.
fn page() -> impl Strategy<Value = String> {
    let fixed = [
        "",
        " ",
        "{}",
        "[]",
        "null",
        "\u{feff}{}",
        "<html><body>Sign in</body></html>",
        "<!DOCTYPE html><html>",
        "<?xml version=\"1.0\"?>",
        "<ErrorResponse><Error></Error></ErrorResponse>",
        "<ListUsersResponse><ListUsersResult>",
        "{\"__type\":\"ThrottlingException\"}",
        "{\"AccountAssignments\":null,\"NextToken\":null}",
        "{\"message\":\"not found\"}",
    ];
    prop_oneof![
        4 => select(fixed.map(str::to_owned).to_vec()),
        1 => any_json().prop_map(|json| json.to_string()),
        1 => text(),
        1 => Just("[".repeat(100_000)),
        1 => Just(format!("<a>{}", "<a>".repeat(100_000))),
    ]
}

/// A kind of access with somebody on the way to AWS.
async fn meddled(kind: &Kind) -> (Meddler, Aws) {
    // AWS allows so many calls a second.
    tokio::time::sleep(Duration::from_secs(5)).await;
    let meddler = Meddler::new(&kind.cloud);
    let aws = meddler.aws(&kind.cloud, kind.account()).await;
    (meddler, aws)
}

impl Kind {
    fn account(&self) -> &'static str {
        match self.tuple {
            Tuple::IamGroup(_) => PRODUCTION,
            _ => MANAGEMENT,
        }
    }
}

/// R3: a ledger closes on "absent" and on "gone".
#[tokio::test(start_paused = true)]
async fn nonsense_is_never_taken_for_absent_or_gone_nor_for_present() {
    for kind in kinds().await {
        for given in [false, true] {
            if given {
                kind.give().await;
            }
            for operation in READS {
                for spoil in samples(&nonsense(), 16) {
                    let (meddler, aws) = meddled(&kind).await;
                    meddler.spoil(operation, &spoil);
                    let seen = aws.read(&kind.tuple).await;
                    if meddler.stop() == 0 {
                        break; // It is no part of such a reading.
                    }
                    let right = match &seen {
                        Err(_) => true,
                        Ok(Seen::Present { .. }) => given,
                        Ok(Seen::Absent) => !given,
                        Ok(Seen::Gone(_)) => false,
                    };
                    assert!(
                        right,
                        "{} {given} {operation} {spoil:?}: {seen:?}",
                        kind.name
                    );
                    let seen = aws.read(&kind.tuple).await;
                    let right = seen.as_ref().map(is_present) == Ok(given);
                    assert!(right, "{operation} {spoil:?} is remembered: {seen:?}");
                }
            }
        }
    }
}

/// Nothing is pinned but what AWS said in so many words, and nobody is told that a name is not there.
#[tokio::test(start_paused = true)]
async fn nonsense_pins_nothing_and_finds_nobody_missing() {
    for kind in kinds().await {
        let target = Target::of(&kind.tuple);
        for operation in READS {
            for spoil in samples(&nonsense(), 16) {
                let (meddler, aws) = meddled(&kind).await;
                meddler.spoil(operation, &spoil);
                let found = aws.resolve(kind.tuple.user(), &target).await;
                if meddler.stop() == 0 {
                    break;
                }
                let right = match &found {
                    Ok(found) => found.tuple == kind.tuple,
                    Err(ResolveError::Aws(error)) => !error.is_gone(),
                    Err(ResolveError::Stalled { reason, .. }) => !reason.ends_with("NotFound"),
                };
                assert!(right, "{} {operation} {spoil:?}: {found:?}", kind.name);
                let found = resolved(&aws, kind.tuple.user(), &target).await;
                assert_eq!(
                    found.tuple, kind.tuple,
                    "{operation} {spoil:?} is remembered"
                );
            }
        }
    }
}

/// A write is done where AWS says so. Somebody else, or half an answer, can't say it.
#[tokio::test(start_paused = true)]
async fn nonsense_never_says_that_a_write_is_done() {
    let posing = (page(), select(&[200u16, 201, 204, 302, 404, 500][..]))
        .prop_map(|(body, status)| Spoil::Instead(status, body));
    for kind in kinds().await {
        for operation in [Operation::Create, Operation::Delete] {
            let call = match operation {
                Operation::Create => kind.create.1,
                Operation::Delete => {
                    kind.give().await;
                    kind.delete.1
                }
            };
            for spoil in samples(&posing, 25) {
                let (meddler, aws) = meddled(&kind).await;
                meddler.spoil(call, &spoil);
                let outcome = match operation {
                    Operation::Create => kind.cloud.create(&aws, &kind.tuple).await,
                    Operation::Delete => kind.cloud.delete(&aws, &kind.tuple).await,
                };
                assert_eq!(meddler.stop(), 1, "a write is sent once");
                // What has the form of a refusal is one.
                let refusal = format!("{spoil:?}").contains("__type");
                assert!(
                    matches!(outcome, Outcome::Unknown(_))
                        || (refusal && failed(&outcome) == Class::Throttled),
                    "{} {call} {spoil:?}: {outcome:?}",
                    kind.name
                );
            }
        }
    }
}

/// What is found out before a delete may be nonsense too: then nothing is done, and nothing is called done.
#[tokio::test(start_paused = true)]
async fn a_delete_is_not_done_because_a_lookup_made_no_sense() {
    for kind in kinds().await {
        kind.give().await;
        for operation in READS {
            for spoil in samples(&nonsense(), 10) {
                let (meddler, aws) = meddled(&kind).await;
                meddler.spoil(operation, &spoil);
                let outcome = kind.cloud.delete(&aws, &kind.tuple).await;
                if meddler.stop() == 0 {
                    break;
                }
                tokio::time::sleep(Duration::from_secs(5)).await;
                let done = matches!(outcome, Outcome::Succeeded { .. });
                let there = kind.is_there();
                assert!(
                    !(done && there),
                    "{} {operation} {spoil:?}: {outcome:?}",
                    kind.name
                );
                if !there {
                    kind.give().await;
                }
            }
        }
    }
}

/// The status of an operation: only one of AWS's own words ends it.
#[tokio::test(start_paused = true)]
async fn only_a_status_ends_an_operation() {
    let kinds = kinds().await;
    let kind = &kinds[0];
    kind.give().await;
    let status = prop_oneof![
        3 => text().prop_map(|status| json!({"Status": status, "RequestId": "1"})),
        1 => any_json(),
        1 => any_json().prop_map(|status| json!({"Status": status})),
        1 => (text(), text()).prop_map(|(id, why)| json!({"Status": "FAILED", "RequestId": id, "FailureReason": why})),
    ];
    for status in samples(&status, 50) {
        for (operation, call, name) in [
            (
                Operation::Create,
                "DescribeAccountAssignmentCreationStatus",
                "AccountAssignmentCreationStatus",
            ),
            (
                Operation::Delete,
                "DescribeAccountAssignmentDeletionStatus",
                "AccountAssignmentDeletionStatus",
            ),
        ] {
            let (meddler, aws) = meddled(kind).await;
            let body = json!({ name: status }).to_string();
            meddler.spoil(call, &Spoil::Posing(200, body));
            let outcome = aws.progress(&kind.tuple, operation, "1").await;
            assert_eq!(meddler.stop(), 1);
            let right = match &outcome {
                Ok(Outcome::Failed(error)) => {
                    status["Status"] == "FAILED" && error.message.len() < 5_000
                }
                Ok(Outcome::Unknown(_)) => true,
                Err(error) => error.class == Class::Transient,
                Ok(_) => false,
            };
            assert!(right, "{status}: {outcome:?}");
        }
    }
}

/// Whatever AWS calls things: what is pinned has the names that the grant asked for.
#[tokio::test(start_paused = true)]
async fn an_answer_may_hold_anything_without_harm() {
    let changes =
        (any::<Index>(), change()).prop_map(|(place, change)| Spoil::Within(place, change));
    for kind in kinds().await {
        let target = Target::of(&kind.tuple);
        kind.give().await;
        for operation in READS {
            for spoil in samples(&changes, 12) {
                let (meddler, aws) = meddled(&kind).await;
                meddler.spoil(operation, &spoil);
                let _ = aws.read(&kind.tuple).await;
                if let Ok(found) = aws.resolve(kind.tuple.user(), &target).await {
                    assert_eq!(found.tuple.user(), kind.tuple.user());
                    assert_eq!(Target::of(&found.tuple), target);
                }
                if meddler.stop() == 0 {
                    break;
                }
            }
        }
    }
}

/// A listing without an end would hold up a revoke for ever, and fill the memory.
#[tokio::test(start_paused = true)]
async fn a_listing_without_an_end_is_given_up() {
    for kind in kinds().await {
        let target = Target::of(&kind.tuple);
        for operation in [
            "ListInstances",
            "ListAccountAssignments",
            "ListPermissionSets",
            "ListUsers",
            "ListGroupsForUser",
        ] {
            for new_marks in [false, true] {
                let (meddler, aws) = meddled(&kind).await;
                meddler.spoil(operation, &Spoil::Endless { new_marks });
                let read = tokio::time::timeout(Duration::from_secs(10), aws.read(&kind.tuple));
                let read = read.await.unwrap();
                let found = tokio::time::timeout(
                    Duration::from_secs(10),
                    aws.resolve(kind.tuple.user(), &target),
                );
                let found = found.await.unwrap();
                if meddler.stop() > 0 {
                    assert!(
                        read.is_err() || found.is_err(),
                        "{operation}: {read:?} {found:?}"
                    );
                }
            }
        }
    }
}

/// It ends with the time that a call has, and with the memory that an answer may take.
#[tokio::test(start_paused = true)]
async fn an_answer_that_goes_on_for_ever_is_given_up() {
    let slowly = Spoil::Trickle(1, Duration::from_millis(900));
    let at_once = Spoil::Trickle(64 << 10, Duration::ZERO);
    for kind in kinds().await {
        for spoil in [&slowly, &at_once] {
            let (meddler, aws) = meddled(&kind).await;
            let begun = tokio::time::Instant::now();
            meddler.spoil(kind.create.1, spoil);
            let outcome = kind.cloud.create(&aws, &kind.tuple).await;
            assert_eq!(meddler.stop(), 1, "a write is sent once");
            assert!(matches!(outcome, Outcome::Unknown(_)), "{outcome:?}");
            assert!(begun.elapsed() < Duration::from_secs(30), "{spoil:?}");
            assert!(meddler.trickled() < 8 << 20, "{}", meddler.trickled());
            for operation in READS {
                let (meddler, aws) = meddled(&kind).await;
                meddler.spoil(operation, spoil);
                let seen = aws.read(&kind.tuple).await;
                let spoilt = meddler.stop();
                assert_eq!(seen.is_err(), spoilt > 0, "{operation} {spoil:?}: {seen:?}");
                assert!(meddler.trickled() < spoilt.max(1) * (8 << 20));
            }
        }
    }
}

/// What AWS says ends in conditions, logs and audit lines.
#[tokio::test(start_paused = true)]
async fn what_aws_says_is_kept_short() {
    for kind in kinds().await {
        let long = "x".repeat(2_000_000);
        let said = match kind.tuple {
            Tuple::IamGroup(_) => format!(
                "<ErrorResponse><Error><Code>{long}</Code><Message>{long}</Message></Error></ErrorResponse>"
            ),
            _ => json!({"__type": long, "message": long, "Reason": long}).to_string(),
        };
        for said in [said, format!("<html>{long}")] {
            let (meddler, aws) = meddled(&kind).await;
            meddler.spoil(kind.create.1, &Spoil::Instead(400, said));
            let outcome = kind.cloud.create(&aws, &kind.tuple).await;
            assert_eq!(meddler.stop(), 1);
            assert!(format!("{outcome:?}").len() < 10_000, "{}", kind.name);
        }
    }
}

/// What is missing is said in a whole sentence or not at all.
#[tokio::test(start_paused = true)]
async fn half_an_error_does_not_say_that_something_is_missing() {
    let error = "<ErrorResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\"><Error><Type>Sender</Type><Code>NoSuchEntity</Code><Message>The user with name alice cannot be found.</Message></Error><RequestId>1</RequestId></ErrorResponse>";
    let kind = kinds().await.remove(2);
    kind.give().await;
    for end in (0..error.len()).step_by(11) {
        let (meddler, aws) = meddled(&kind).await;
        meddler.spoil(
            "RemoveUserFromGroup",
            &Spoil::Instead(404, error[..end].to_owned()),
        );
        let outcome = kind.cloud.delete(&aws, &kind.tuple).await;
        assert_eq!(meddler.stop(), 1);
        assert!(
            matches!(outcome, Outcome::Unknown(_)),
            "{}: {outcome:?}",
            &error[..end]
        );
    }
}
