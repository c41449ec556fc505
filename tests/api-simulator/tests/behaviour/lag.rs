//! What Kubernetes allows to be stale.

use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use super::support::{PATH, ask, get, make, resize, simulator, sleep, told, version, watch};

const LAG: Duration = Duration::from_secs(30);

#[tokio::test(start_paused = true)]
async fn reads_with_version_0_are_stale_and_no_others() {
    let simulator = simulator();
    let connection = simulator.connect("a").lagging(LAG);
    make(&simulator, "a");
    sleep(40).await;
    resize(&simulator, "a", 2);
    make(&simulator, "b");
    let names = |list: &Value| list["items"].as_array().unwrap().len();
    let zero = "resourceVersion=0";
    for (waited, size, number) in [(0, 1, 1), (29, 1, 1), (2, 2, 2)] {
        sleep(waited).await;
        let (_, stale) = ask(&connection, get(&format!("{PATH}/a?{zero}"))).await;
        assert_eq!(stale["spec"]["size"], size);
        let (_, list) = ask(&connection, get(&format!("{PATH}?{zero}"))).await;
        assert_eq!(names(&list), number);
        let (_, fresh) = ask(&connection, get(&format!("{PATH}/a"))).await;
        assert_eq!(fresh["spec"]["size"], 2);
        let (_, list) = ask(&connection, get(PATH)).await;
        assert_eq!(names(&list), 2);
        let (_, list) = ask(&connection, get(&format!("{PATH}?limit=500"))).await;
        assert_eq!(names(&list), 2);
    }
    simulator
        .delete("alice", "widgets", Some("shop"), "a")
        .unwrap();
    let (code, _) = ask(&connection, get(&format!("{PATH}/a?{zero}"))).await;
    assert_eq!(code, 200, "gone, but still seen");
    let (code, _) = ask(&connection, get(&format!("{PATH}/a"))).await;
    assert_eq!(code, 404);
}

#[tokio::test(start_paused = true)]
async fn events_come_late_and_the_list_of_a_watch_is_old() {
    let simulator = simulator();
    let connection = simulator.connect("a").lagging(LAG);
    let since = version(&connection).await;
    make(&simulator, "a");
    let begun = Instant::now();
    assert_eq!(watch(&connection, &since, 29).await, Vec::<String>::new());
    assert_eq!(watch(&connection, &since, 5).await, ["ADDED a 1"]);
    sleep(10).await;
    resize(&simulator, "a", 2);
    assert_eq!(begun.elapsed().as_secs(), 44);
    // A watch from the cache begins with the old state, and goes on from there.
    let path = format!("{PATH}?watch=1&timeoutSeconds=60&resourceVersion=0");
    assert_eq!(
        told(&connection, &path).await,
        ["ADDED a 1", "MODIFIED a 2"]
    );
}

/// A bookmark must not promise what has not been delivered yet.
#[tokio::test(start_paused = true)]
async fn bookmarks_are_as_late_as_events() {
    let simulator = simulator();
    let connection = simulator.connect("a").lagging(LAG);
    make(&simulator, "a");
    let since = version(&connection).await;
    let later = simulator.clone();
    tokio::spawn(async move {
        sleep(40).await;
        resize(&later, "a", 2);
    });
    let path =
        format!("{PATH}?watch=1&timeoutSeconds=65&allowWatchBookmarks=1&resourceVersion={since}");
    let answer = connection.send(get(&path)).await.unwrap();
    let text = std::str::from_utf8(answer.body()).unwrap().to_owned();
    let events: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let (last, rest) = events.split_last().unwrap();
    assert!(rest.iter().all(|event| event["type"] == "BOOKMARK") && !rest.is_empty());
    assert_eq!(last["type"], "BOOKMARK");
    let promised = last["object"]["metadata"]["resourceVersion"]
        .as_str()
        .unwrap();
    assert_eq!(watch(&connection, promised, 30).await, ["MODIFIED a 2"]);
}
