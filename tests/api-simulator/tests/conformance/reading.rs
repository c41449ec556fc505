//! GET and LIST.

use serde_json::json;

use super::support::{GADGETS, Session, WIDGETS, compare, gadget, widget};

#[tokio::test]
async fn lists_are_alike() {
    compare("listing", async |s: &mut Session| {
        let path = format!("{WIDGETS}/listing/widgets");
        let empty = s.get(&path).await;
        for name in ["c", "a", "a-b", "a.b", "d"] {
            s.post(&path, &widget(name)).await;
        }
        let list = s.get(&path).await;
        s.get(&format!("{path}?resourceVersion=0")).await;
        s.get(&format!("{path}?limit=500")).await;
        s.get(&format!("{path}?limit=0")).await;
        s.get(&format!("{path}?fieldSelector=metadata.name%3Da"))
            .await;
        s.get(&format!("{path}?fieldSelector=metadata.name%3Dz"))
            .await;
        s.get(&format!("{path}?resourceVersion={}", list.version()))
            .await;
        s.get(&format!(
            "{path}?resourceVersion={}&resourceVersionMatch=NotOlderThan",
            empty.version()
        ))
        .await;
        s.get(&format!("{path}?resourceVersion=x")).await;
        s.get(&format!("{path}/a?resourceVersion=0")).await;
        s.get(&format!("{path}/a?resourceVersion={}", empty.version()))
            .await;
        s.get(&format!("{path}/z?resourceVersion=0")).await;
        s.get(&format!("{WIDGETS}/listing-nowhere/widgets")).await;
    })
    .await;
}

#[tokio::test]
async fn pages_are_alike_and_show_one_moment() {
    compare("paging", async |s: &mut Session| {
        let path = format!("{WIDGETS}/paging/widgets");
        for name in ["a", "b", "c", "d", "e"] {
            s.post(&path, &widget(name)).await;
        }
        let first = s.get(&format!("{path}?limit=2")).await;
        s.delete(&format!("{path}/c"), &json!({})).await;
        s.merge(&format!("{path}/d"), &json!({"spec": {"size": 9}}))
            .await;
        s.post(&path, &widget("cc")).await;
        let token = first.body["metadata"]["continue"]
            .as_str()
            .unwrap()
            .to_owned();
        let second = s.get(&format!("{path}?limit=2&continue={token}")).await;
        assert_eq!(first.version(), second.version(), "{}", s.server);
        let token = second.body["metadata"]["continue"]
            .as_str()
            .unwrap()
            .to_owned();
        s.get(&format!("{path}?limit=2&continue={token}")).await;
        s.get(&format!("{path}?continue={token}")).await;
        s.get(&format!("{path}?limit=2&continue=nonsense")).await;
        s.get(&format!(
            "{path}?limit=2&continue={token}&resourceVersion=1"
        ))
        .await;
        s.get(&format!(
            "{path}?resourceVersion={}&resourceVersionMatch=Exact",
            first.version()
        ))
        .await;
        s.get(&path).await;
    })
    .await;
}

#[tokio::test]
async fn what_is_in_the_future_is_refused_alike() {
    compare("future", async |s: &mut Session| {
        let path = format!("{WIDGETS}/future/widgets");
        s.post(&path, &widget("a")).await;
        s.get(&format!("{path}?resourceVersion=99999999")).await;
        s.get(&format!("{path}/a?resourceVersion=99999999")).await;
    })
    .await;
}

#[tokio::test]
async fn namespaces_are_listed_together_in_their_order() {
    compare("order-b", async |s: &mut Session| {
        s.post(&format!("{WIDGETS}/order-b/widgets"), &widget("order"))
            .await;
        s.post(GADGETS, &gadget("order")).await;
        s.get(&format!("{GADGETS}?fieldSelector=metadata.name%3Dorder"))
            .await;
        s.get("/apis/sim.example/v1/widgets?fieldSelector=metadata.name%3Dorder")
            .await;
    })
    .await;
}
