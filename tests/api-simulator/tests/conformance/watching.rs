//! WATCH.

use serde_json::json;

use super::support::{Session, WIDGETS, compare, widget};

#[tokio::test]
async fn changes_are_told_alike() {
    compare("watching", async |s: &mut Session| {
        let path = format!("{WIDGETS}/watching/widgets");
        let begin = s.get(&path).await.version();
        let made = s.post(&path, &widget("a")).await;
        s.post(&path, &widget("b")).await;
        s.merge(&format!("{path}/a"), &json!({"spec": {"size": 2}})).await;
        s.merge(&format!("{path}/a/status"), &json!({"status": {"state": "Ready"}})).await;
        s.merge(&format!("{path}/a/status"), &json!({"status": {"state": "Ready"}})).await;
        s.delete(&format!("{path}/a"), &json!({})).await;
        let watch = format!("{path}?watch=true&timeoutSeconds=1");
        s.watch(&format!("{watch}&resourceVersion={begin}")).await;
        s.watch(&format!("{watch}&resourceVersion={}", made.version())).await;
        s.watch(&format!("{watch}&resourceVersion={begin}&fieldSelector=metadata.name%3Db")).await;
        s.watch(&format!("{watch}&resourceVersion=99999999")).await;
        s.watch(&format!("{watch}&resourceVersion=x")).await;
        s.watch(&format!("/apis/sim.example/v1/widgets?watch=1&timeoutSeconds=1&resourceVersion={begin}&fieldSelector=metadata.name%3Db")).await;
        // From the present state.
        s.watch(&watch).await;
        s.watch(&format!("{watch}&resourceVersion=0")).await;
        s.watch(&format!("{watch}&allowWatchBookmarks=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan")).await;
        s.watch(&format!("{watch}&allowWatchBookmarks=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&resourceVersion=0")).await;
    })
    .await;
}

#[tokio::test]
async fn bookmarks_are_alike() {
    compare("bookmarks", async |s: &mut Session| {
        let path = format!("{WIDGETS}/bookmarks/widgets");
        let made = s.post(&path, &widget("a")).await;
        let watch = format!("{path}?watch=true&resourceVersion={}", made.version());
        let bookmark = s
            .bookmark(&format!(
                "{watch}&allowWatchBookmarks=true&timeoutSeconds=3"
            ))
            .await;
        let version = bookmark.body["object"]["metadata"]["resourceVersion"].as_str();
        let number = |version: &str| version.parse::<u64>().unwrap();
        assert!(
            number(version.unwrap()) >= number(&made.version()),
            "{}",
            s.server
        );
        let plain = s.watch(&format!("{watch}&timeoutSeconds=3")).await;
        assert_eq!(plain.body.as_array().map_or(0, Vec::len), 0, "{}", s.server);
    })
    .await;
}
