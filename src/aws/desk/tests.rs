//! Turns and pace, on virtual time.

use tokio::time::Instant;

use super::*;
use crate::decide::fixtures::at;

fn desk(in_flight: usize) -> Desk {
    Desk::new(&Settings {
        in_flight,
        ..Settings::default()
    })
}

fn request(access: &str, scope: &str, priority: Priority) -> Request {
    let desk = DeskKey {
        scope: scope.into(),
        service: Service::Iam,
    };
    Request {
        access: access.into(),
        desk,
        priority,
        page: String::new(),
    }
}

fn revoke(access: &str, due: i64) -> Request {
    request(
        access,
        "a",
        Priority::Revoke {
            failed: false,
            due: at(due),
        },
    )
}

fn grant(access: &str, expiry: i64) -> Request {
    request(access, "a", Priority::Grant { expiry: at(expiry) })
}

async fn order(desk: &Desk, turns: usize) -> Vec<String> {
    let mut order = Vec::new();
    for _ in 0..turns {
        order.push(desk.next().await.request.access.clone());
    }
    order
}

#[tokio::test]
async fn a_revoke_goes_before_hundreds_of_grants_filed_earlier() {
    let desk = desk(1);
    for i in 0..300 {
        desk.file(grant(&format!("grant-{i}"), i));
    }
    desk.file(revoke("revoke", 0));
    assert_eq!(order(&desk, 1).await, ["revoke"]);
}

#[tokio::test]
async fn an_emergency_grant_gets_one_of_eight_places_among_hundreds_of_revokes() {
    let desk = desk(1);
    for i in 0..300 {
        desk.file(revoke(&format!("revoke-{i:03}"), i));
    }
    desk.file(grant("emergency", 0));
    let order = order(&desk, 16).await;
    assert_eq!(
        order.iter().position(|access| access == "emergency"),
        Some(7),
        "{order:?}"
    );
}

/// Each eighth place, not all from the eighth on.
#[tokio::test]
async fn each_emergency_grant_waits_for_an_eighth_place_of_its_own() {
    let desk = desk(1);
    for i in 0..30 {
        desk.file(revoke(&format!("revoke-{i:02}"), i));
    }
    for name in ["first", "second", "third"] {
        desk.file(grant(name, 0));
    }
    let order = order(&desk, 24).await;
    let grants = ["first", "second", "third"];
    let places = grants.map(|name| order.iter().position(|access| access == name));
    assert_eq!(places, [Some(7), Some(15), Some(23)], "{order:?}");
}

/// Only revokes that went before a grant of the same desk count, and only while it waited.
#[tokio::test]
async fn a_grant_is_owed_nothing_for_the_time_before_it_waited() {
    for elsewhere in [
        None,
        Some(request("elsewhere", "b", Priority::Grant { expiry: at(0) })),
    ] {
        let desk = desk(1);
        let waits_elsewhere = elsewhere.is_some();
        if let Some(grant) = elsewhere {
            desk.file(grant);
        }
        for i in 0..20 {
            desk.file(revoke(&format!("revoke-{i:02}"), i));
        }
        let before = order(&desk, 10).await;
        assert!(before.iter().all(|access| access.starts_with("revoke")));
        desk.file(grant("late", 0));
        let after = order(&desk, 1).await;
        assert_eq!(
            after,
            ["revoke-10"],
            "a grant waits elsewhere: {waits_elsewhere}"
        );
    }
}

#[tokio::test]
async fn a_wish_that_is_taken_back_gets_no_turn() {
    let desk = desk(1);
    desk.file(revoke("kept", 1));
    desk.file(revoke("taken back", 0));
    assert_eq!(desk.queue_len(), 2);
    desk.withdraw("taken back");
    assert_eq!(desk.queue_len(), 1);
    assert_eq!(order(&desk, 1).await, ["kept"]);
}

#[tokio::test]
async fn a_turn_is_urgent_when_it_revokes_or_holds_up_a_revoke_of_its_tuple() {
    let desk = desk(2);
    desk.file(revoke("revoke", 0));
    assert!(desk.next().await.run(async { is_urgent() }).await);
    desk.file(grant("access", 0));
    let turn = desk.next().await;
    assert!(!turn.run(async { is_urgent() }).await);
    desk.file(revoke("another", 0));
    assert!(!turn.run(async { is_urgent() }).await);
    desk.file(revoke("access", 0));
    assert!(turn.run(async { is_urgent() }).await);
}

#[tokio::test]
async fn the_most_overdue_revoke_and_the_soonest_expiry_go_first() {
    let desk = desk(1);
    for request in [
        grant("late", 9),
        revoke("b", 2),
        grant("soon", 3),
        revoke("a", 1),
    ] {
        desk.file(request);
    }
    desk.file(request("read", "a", Priority::Read));
    assert_eq!(order(&desk, 5).await, ["a", "b", "soon", "late", "read"]);
}

/// Or a crowd that AWS refuses would stand before all that AWS would take.
#[tokio::test]
async fn a_revoke_that_failed_lets_one_pass_that_was_not_tried_yet() {
    let desk = desk(1);
    let failed = Priority::Revoke {
        failed: true,
        due: at(0),
    };
    desk.file(request("failed", "a", failed));
    desk.file(revoke("fresh", 100));
    assert_eq!(order(&desk, 2).await, ["fresh", "failed"]);
}

#[tokio::test]
async fn a_full_desk_holds_up_no_other() {
    let desk = desk(1);
    desk.file(revoke("stuck", 0));
    let stuck = desk.next().await;
    desk.file(revoke("behind", 1));
    desk.file(request("elsewhere", "b", Priority::Read));
    assert_eq!(order(&desk, 1).await, ["elsewhere"]);
    drop(stuck);
    assert_eq!(order(&desk, 1).await, ["behind"]);
}

#[tokio::test]
async fn a_tuple_has_one_turn_at_a_time_and_one_wish() {
    let desk = desk(8);
    desk.file(grant("a", 1));
    let turn = desk.next().await;
    desk.file(revoke("a", 1));
    desk.file(revoke("a", 2));
    assert!(futures::poll!(Box::pin(desk.next())).is_pending());
    drop(turn);
    assert_eq!(
        desk.next().await.request.priority,
        Priority::Revoke {
            failed: false,
            due: at(2)
        }
    );
    assert_eq!(desk.queue_len(), 0);
}

#[tokio::test(start_paused = true)]
async fn calls_keep_their_pace_after_a_burst() {
    let desk = Desk::new(&Settings {
        calls_per_second: 10,
        ..Settings::default()
    });
    let key = DeskKey {
        scope: "a".into(),
        service: Service::SsoAdmin,
    };
    let begun = Instant::now();
    for _ in 0..30 {
        desk.pace(&key).await;
    }
    // 10 at once, then 20 at a tenth of a second each.
    assert_eq!(begun.elapsed().as_millis(), 2_000);
}

fn slow() -> (Desk, DeskKey) {
    let desk = Desk::new(&Settings {
        calls_per_second: 4,
        ..Settings::default()
    });
    let key = DeskKey {
        scope: "a".into(),
        service: Service::SsoAdmin,
    };
    (desk, key)
}

/// Who is served, in order, when forty urgent calls and forty others wait: true is urgent.
async fn served(urgent_first: bool) -> Vec<bool> {
    let (desk, key) = slow();
    let served = Mutex::new(Vec::new());
    let call = async |urgent: bool| {
        let urgency = Urgency::default();
        if urgent {
            urgency.raise();
        }
        urgency.of(desk.pace(&key)).await;
        served.lock().unwrap().push(urgent);
    };
    let calls = (0..80).map(|number| call((number < 40) == urgent_first));
    futures::future::join_all(calls).await;
    served.into_inner().unwrap()
}

/// Whoever came first.
#[tokio::test(start_paused = true)]
async fn urgent_calls_go_first_but_one_of_eight_is_for_the_others() {
    for urgent_first in [true, false] {
        let served = served(urgent_first).await;
        // The first ones had the bucket to themselves.
        let others = served[4..44].iter().filter(|urgent| !**urgent).count();
        assert!((4..=6).contains(&others), "{others} of 40: {served:?}");
    }
}

/// A call that is never overtaken for ever: those of one kind go in the order in which they came.
#[tokio::test(start_paused = true)]
async fn calls_of_one_kind_keep_their_order() {
    let (desk, key) = slow();
    let served = Mutex::new(Vec::new());
    let call = async |number: usize| {
        desk.pace(&key).await;
        served.lock().unwrap().push(number);
    };
    futures::future::join_all((0..40).map(call)).await;
    let served = served.into_inner().unwrap();
    assert!(served.is_sorted(), "{served:?}");
}

/// Many look at what they are to take away, and none may come too late for that because others still look.
#[tokio::test(start_paused = true)]
async fn a_delete_that_stands_in_the_ledger_goes_before_the_readings_of_other_revokes() {
    let (desk, key) = slow();
    let slowest = Mutex::new(std::time::Duration::ZERO);
    let revoke = async |_: usize| {
        let urgency = Urgency::default();
        urgency.raise();
        let work = async {
            desk.pace(&key).await;
            let written = Instant::now();
            committed(desk.pace(&key)).await;
            written.elapsed()
        };
        let waited = urgency.of(work).await;
        let mut slowest = slowest.lock().unwrap();
        *slowest = waited.max(*slowest);
    };
    futures::future::join_all((0..40).map(revoke)).await;
    let slowest = slowest.into_inner().unwrap();
    // Four have their first call at once, and wait for one another.
    assert!(slowest.as_secs() <= 1, "one waited {slowest:?}");
}

/// One who gives up his place holds up nobody.
#[tokio::test(start_paused = true)]
async fn a_call_that_is_given_up_leaves_the_line() {
    let (desk, key) = slow();
    for _ in 0..4 {
        desk.pace(&key).await;
    }
    let given_up = tokio::time::timeout(std::time::Duration::from_millis(10), desk.pace(&key));
    let (given_up, ()) = tokio::join!(given_up, desk.pace(&key));
    assert!(given_up.is_err());
}

/// A comparison that is under way when access expires must not hold up the revoke.
#[tokio::test(start_paused = true)]
async fn a_turn_that_holds_up_a_revoke_of_its_own_tuple_hurries() {
    let (desk, key) = slow();
    desk.file(request("access", "a", Priority::Read));
    let turn = desk.next().await;
    let crowd = futures::future::join_all((0..100).map(|_| desk.pace(&key)));
    let comparing = async {
        turn.run(desk.pace(&key)).await;
        Instant::now()
    };
    let expiry = async {
        tokio::time::sleep(std::time::Duration::from_secs(2)).await;
        desk.file(revoke("access", 0));
    };
    let begun = Instant::now();
    let (_, compared, ()) = tokio::join!(crowd, comparing, expiry);
    let waited = compared - begun;
    assert!(waited.as_secs() < 3, "the comparison waited {waited:?}");
}

#[tokio::test]
async fn slow_grants_and_comparisons_leave_a_place_for_a_revoke() {
    let desk = desk(8);
    for number in 0..20 {
        desk.file(grant(&format!("grant-{number}"), 0));
        desk.file(request(&format!("read-{number}"), "a", Priority::Read));
    }
    let mut turns = Vec::new();
    while let Some(turn) = futures::FutureExt::now_or_never(desk.next()) {
        turns.push(turn);
    }
    assert_eq!(turns.len(), 7);
    desk.file(revoke("revoke", 0));
    assert_eq!(order(&desk, 1).await, ["revoke"]);
}

#[tokio::test]
async fn comparisons_fill_a_quarter_of_the_desk_at_most() {
    let desk = desk(8);
    for number in 0..20 {
        desk.file(request(&format!("read-{number}"), "a", Priority::Read));
    }
    let mut turns = Vec::new();
    while let Some(turn) = futures::FutureExt::now_or_never(desk.next()) {
        turns.push(turn);
    }
    assert_eq!(turns.len(), 2);
}
