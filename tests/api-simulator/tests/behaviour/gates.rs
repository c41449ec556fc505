//! What happens to requests on their way.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use api_simulator::{ApiSimulator, Ending, Fate, Reset, Verb};
use tokio::time::{Instant, timeout};

use super::support::{PATH, ask, get, make, post, simulator, sleep, widget};

const SECOND: Duration = Duration::from_secs(1);

fn exists(simulator: &ApiSimulator, name: &str) -> bool {
    simulator.get("widgets", Some("shop"), name).is_some()
}

#[tokio::test(start_paused = true)]
async fn a_request_arrives_after_its_time_on_the_way_even_if_its_sender_has_given_up() {
    let simulator = simulator();
    let slow = simulator.connect("a").through(|_| Fate {
        before: 10 * SECOND,
        after: 5 * SECOND,
        ..Fate::default()
    });
    let begun = Instant::now();
    assert_eq!(ask(&slow, post(PATH, &widget("a"))).await.0, 201);
    assert_eq!(begun.elapsed().as_secs(), 15);

    let given_up = timeout(SECOND, slow.send(post(PATH, &widget("b")))).await;
    assert!(given_up.is_err());
    sleep(8).await;
    assert!(!exists(&simulator, "b"));
    sleep(2).await;
    assert!(exists(&simulator, "b"));
    let record = simulator.requests_since(1).pop().unwrap();
    assert_eq!(record.status, Some(201));
    let way = record.handled.unwrap().duration_since(record.arrived);
    assert_eq!(way.as_secs(), 10);
}

#[tokio::test(start_paused = true)]
async fn what_happens_instead_keeps_the_server_from_its_work() {
    let simulator = simulator();
    let with = |ending: Ending| {
        simulator
            .connect("a")
            .through(move |_| Fate::instead(ending.clone()))
    };
    let request = || post(PATH, &widget("a"));
    let refusal = Ending::Status {
        code: 429,
        reason: "TooManyRequests",
        message: "later".to_owned(),
    };
    let (code, status) = ask(&with(refusal), request()).await;
    assert_eq!(
        (code, status["reason"].as_str()),
        (429, Some("TooManyRequests"))
    );
    let reset = with(Ending::Reset).send(request()).await;
    assert_eq!(reset.unwrap_err(), Reset);
    let hung = timeout(100 * SECOND, with(Ending::Hang).send(request())).await;
    assert!(hung.is_err());
    let page = with(Ending::Html(502)).send(request()).await.unwrap();
    assert_eq!(page.status(), 502);
    assert!(page.body().starts_with(b"<html>"));
    let cut = with(Ending::Truncated).send(request()).await.unwrap();
    assert!(serde_json::from_slice::<serde_json::Value>(cut.body()).is_err());

    assert!(!exists(&simulator, "a"));
    let records = simulator.requests_since(0);
    assert!(records.iter().all(|record| record.handled.is_none()));
    let statuses: Vec<_> = records.iter().map(|record| record.status).collect();
    assert_eq!(statuses, [Some(429), None, None, Some(502), None]);
}

#[tokio::test(start_paused = true)]
async fn what_happens_to_the_reply_leaves_the_work_done() {
    let simulator = simulator();
    let endings = [
        Ending::Reset,
        Ending::Hang,
        Ending::Html(504),
        Ending::Truncated,
    ];
    for (name, ending) in ["a", "b", "c", "d"].into_iter().zip(endings) {
        let connection = simulator
            .connect("a")
            .through(move |_| Fate::reply(ending.clone()));
        let request = connection.send(post(PATH, &widget(name)));
        let answer = timeout(SECOND, request).await;
        let readable = answer.is_ok_and(|answer| {
            answer.is_ok_and(|answer| {
                serde_json::from_slice::<serde_json::Value>(answer.body()).is_ok()
            })
        });
        assert!(!readable && exists(&simulator, name), "{name}");
    }
    let records = simulator.requests_since(0);
    assert!(records.iter().all(|record| record.status == Some(201)));
}

#[tokio::test(start_paused = true)]
async fn a_gate_is_asked_once_about_each_request_with_all_that_it_says() {
    let simulator = simulator();
    let calls = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&calls);
    let connection = simulator.connect("a").through(move |call| {
        seen.lock().unwrap().push(call.clone());
        Fate::default()
    });
    ask(&connection, post(PATH, &widget("a"))).await;
    ask(
        &connection,
        get(&format!("{PATH}/a/status?resourceVersion=0")),
    )
    .await;
    ask(&connection, get("/nonsense")).await;
    let calls = calls.lock().unwrap();
    let numbers: Vec<_> = calls.iter().map(|call| (call.number, call.verb)).collect();
    assert_eq!(numbers, [(1, Verb::Create), (2, Verb::Get), (3, Verb::Get)]);
    assert!(calls[0].is_write() && calls[0].name.as_deref() == Some("a"));
    assert_eq!(calls[0].body.as_ref().unwrap()["spec"]["size"], 1);
    assert_eq!(calls[1].subresource.as_deref(), Some("status"));
    assert_eq!(calls[1].resource_version.as_deref(), Some("0"));
    assert_eq!(
        (calls[1].resource.as_str(), calls[1].group.as_str()),
        ("widgets", "sim.example")
    );
}

/// Cut-off clients and their watches: one who is refused at the start sees no stream.
#[tokio::test(start_paused = true)]
async fn a_watch_can_be_refused_at_its_start() {
    let simulator = simulator();
    make(&simulator, "a");
    let connection = simulator.connect("a").through(|_| {
        Fate::instead(Ending::Status {
            code: 410,
            reason: "Expired",
            message: "too old".to_owned(),
        })
    });
    let (code, _) = ask(&connection, get(&format!("{PATH}?watch=1"))).await;
    assert_eq!(code, 410);
}
