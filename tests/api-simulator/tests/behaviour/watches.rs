//! What happens to the events of a watch.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use api_simulator::{ApiSimulator, Connection, WatchFate};
use tokio::time::{Instant, timeout};

use super::support::{PATH, get, make, resize, short, simulator, sleep, told, version, watch};

/// A connection on which `fate` happens to the event that reads so, and when each event was due.
fn with(simulator: &ApiSimulator, which: &'static str, fate: WatchFate) -> Connection {
    simulator.connect("a").watching(move |_, event| {
        if short(event) == which {
            fate
        } else {
            WatchFate::Deliver
        }
    })
}

/// Three changes, a second apart.
fn busy(simulator: &ApiSimulator) {
    let simulator = simulator.clone();
    tokio::spawn(async move {
        for size in 2..=4 {
            sleep(1).await;
            resize(&simulator, "a", size);
        }
    });
}

/// What a watch of ten seconds tells of the changes under a fate of the second.
async fn under(fate: WatchFate) -> Vec<String> {
    let simulator = simulator();
    make(&simulator, "a");
    let connection = with(&simulator, "MODIFIED a 3", fate);
    let since = version(&connection).await;
    busy(&simulator);
    watch(&connection, &since, 10).await
}

#[tokio::test(start_paused = true)]
async fn events_are_delivered_lost_doubled_or_end_the_watch() {
    let (two, three, four) = ("MODIFIED a 2", "MODIFIED a 3", "MODIFIED a 4");
    assert_eq!(under(WatchFate::Deliver).await, [two, three, four]);
    assert_eq!(under(WatchFate::Drop).await, [two, four]);
    assert_eq!(under(WatchFate::Duplicate).await, [two, three, three, four]);
    assert_eq!(under(WatchFate::Expire).await, [two, "ERROR 410"]);
    assert_eq!(under(WatchFate::Close).await, [two]);
    let late = WatchFate::Delay(Duration::from_secs(3));
    assert_eq!(under(late).await, [two, three, four]);
    let too_late = WatchFate::Delay(Duration::from_secs(30));
    assert_eq!(under(too_late).await, [two], "the watch ended before");
}

#[tokio::test(start_paused = true)]
async fn a_delayed_event_holds_up_those_after_it() {
    let simulator = simulator();
    make(&simulator, "a");
    let times = Arc::new(Mutex::new(Vec::new()));
    let (asked, begun) = (Arc::clone(&times), Instant::now());
    let connection = simulator.connect("a").watching(move |_, event| {
        asked
            .lock()
            .unwrap()
            .push((short(event), begun.elapsed().as_secs()));
        match short(event).as_str() {
            "MODIFIED a 2" => WatchFate::Delay(Duration::from_secs(5)),
            _ => WatchFate::Deliver,
        }
    });
    let since = version(&connection).await;
    busy(&simulator);
    watch(&connection, &since, 20).await;
    let expected = [
        ("MODIFIED a 2", 1),
        ("MODIFIED a 3", 6),
        ("MODIFIED a 4", 6),
    ];
    assert_eq!(
        *times.lock().unwrap(),
        expected.map(|(event, at)| (event.to_owned(), at))
    );
}

#[tokio::test(start_paused = true)]
async fn a_silent_watch_tells_nothing_and_never_ends() {
    let simulator = simulator();
    make(&simulator, "a");
    let connection = with(&simulator, "MODIFIED a 2", WatchFate::Silence);
    let since = version(&connection).await;
    busy(&simulator);
    let request = watch(&connection, &since, 10);
    assert!(timeout(Duration::from_hours(2), request).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_lost_event_is_seen_by_the_next_watch_from_before() {
    let simulator = simulator();
    make(&simulator, "a");
    let connection = with(&simulator, "MODIFIED a 2", WatchFate::Close);
    let since = version(&connection).await;
    resize(&simulator, "a", 2);
    assert_eq!(watch(&connection, &since, 1).await, Vec::<String>::new());
    let plain = simulator.connect("a");
    assert_eq!(watch(&plain, &since, 1).await, ["MODIFIED a 2"]);
}

#[tokio::test(start_paused = true)]
async fn bookmarks_come_each_minute_and_before_the_end() {
    let simulator = simulator();
    make(&simulator, "a");
    let connection = simulator.connect("a");
    let since = version(&connection).await;
    let path = format!("{PATH}?watch=1&resourceVersion={since}&timeoutSeconds=290");
    assert_eq!(told(&connection, &path).await, Vec::<String>::new());
    let path = format!("{path}&allowWatchBookmarks=true");
    // At 60, 120, 180, 240 and 288 seconds.
    assert_eq!(told(&connection, &path).await, ["BOOKMARK"; 5]);
}

#[tokio::test(start_paused = true)]
async fn a_watch_without_a_time_ends_within_an_hour() {
    let simulator = simulator();
    let begun = Instant::now();
    told(&simulator.connect("a"), &format!("{PATH}?watch=1")).await;
    let minutes = begun.elapsed().as_secs() / 60;
    assert!((30..60).contains(&minutes), "{minutes}");
}

/// The server ends the watches of clients that don't read, and what they missed is told to their next one.
#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_read_loses_its_watch() {
    let simulator = simulator();
    make(&simulator, "a");
    let slow = WatchFate::Delay(Duration::from_mins(10));
    let connection = with(&simulator, "MODIFIED a 2", slow);
    let since = version(&connection).await;
    let busy = simulator.clone();
    tokio::spawn(async move {
        for size in 2..12_000 {
            resize(&busy, "a", size);
        }
    });
    let seen = connection.send(get(&format!(
        "{PATH}?watch=1&resourceVersion={since}&timeoutSeconds=3000"
    )));
    let seen = seen.await.unwrap();
    let lines = std::str::from_utf8(seen.body()).unwrap().lines().count();
    assert!((9_000..11_000).contains(&lines), "{lines}");
}
