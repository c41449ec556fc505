//! Tags on IAM users.

use aws_sdk_iam::types::Tag;

use crate::virtual_cloud::{Cloud, code};

fn tag(key: &str, value: &str) -> Tag {
    Tag::builder().key(key).value(value).build().unwrap()
}

async fn tags(iam: &aws_sdk_iam::Client) -> Vec<(String, String)> {
    let tags = iam
        .list_user_tags()
        .user_name("alice")
        .into_paginator()
        .items()
        .send()
        .collect::<Result<Vec<_>, _>>()
        .await;
    tags.unwrap()
        .into_iter()
        .map(|tag| (tag.key, tag.value))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn a_tag_key_in_another_case_replaces_the_value() {
    let cloud = Cloud::example();
    let iam = cloud.iam();
    iam.tag_user()
        .user_name("alice")
        .tags(tag("Team", "a"))
        .tags(tag("on call", "2026-01-01T00:00:00Z"))
        .send()
        .await
        .unwrap();
    iam.tag_user()
        .user_name("alice")
        .tags(tag("TEAM", "b"))
        .send()
        .await
        .unwrap();
    let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    assert_eq!(
        tags(&iam).await,
        [pair("on call", "2026-01-01T00:00:00Z"), pair("TEAM", "b")]
    );
    let user = iam
        .get_user()
        .user_name("alice")
        .send()
        .await
        .unwrap()
        .user
        .unwrap();
    assert_eq!(user.tags().len(), 2);
    iam.untag_user()
        .user_name("alice")
        .tag_keys("team")
        .tag_keys("absent")
        .send()
        .await
        .unwrap();
    assert_eq!(tags(&iam).await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn tags_that_break_a_rule_are_refused_all_together() {
    let cloud = Cloud::example();
    let iam = cloud.iam();
    let refused = async |bad: Tag| {
        let call = iam
            .tag_user()
            .user_name("alice")
            .tags(tag("good", "x"))
            .tags(bad);
        code(call.send().await)
    };
    assert_eq!(refused(tag("aws:thing", "x")).await, "InvalidInput");
    assert_eq!(refused(tag("GOOD", "x")).await, "InvalidInput");
    assert_eq!(refused(tag("a,b", "x")).await, "ValidationError");
    assert_eq!(refused(tag("key", "x;y")).await, "ValidationError");
    assert_eq!(refused(tag(&"k".repeat(129), "x")).await, "ValidationError");
    assert_eq!(
        refused(tag("key", &"v".repeat(257))).await,
        "ValidationError"
    );
    assert_eq!(tags(&iam).await, []);

    let fifty = (0..50)
        .map(|number| tag(&format!("key{number}"), ""))
        .collect();
    iam.tag_user()
        .user_name("alice")
        .set_tags(Some(fifty))
        .send()
        .await
        .unwrap();
    let error = iam
        .tag_user()
        .user_name("alice")
        .tags(tag("one more", ""))
        .send()
        .await
        .unwrap_err()
        .into_service_error();
    assert!(error.is_limit_exceeded_exception());
    iam.tag_user()
        .user_name("alice")
        .tags(tag("KEY7", "again"))
        .send()
        .await
        .unwrap();
    assert_eq!(tags(&iam).await.len(), 50);
}
