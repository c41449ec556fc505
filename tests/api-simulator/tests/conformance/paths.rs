//! Paths that mean nothing.

use serde_json::json;

use super::support::{GADGETS, Session, WIDGETS, compare, gadget, widget};

#[tokio::test]
async fn what_means_nothing_is_refused_alike() {
    compare("paths", async |s: &mut Session| {
        let path = format!("{WIDGETS}/paths/widgets");
        for path in [
            "/apis/sim.example/v1/nothings",
            "/apis/sim.example/v2/widgets",
            "/apis/nowhere.example/v1/widgets",
            "/apis/sim.example/v1/widgets/a",
            "/apis/sim.example/v1/namespaces/paths/gadgets",
            "/apis/sim.example/v1/namespaces/paths/gadgets/a",
            "/apis/sim.example/v1/namespaces/paths/widgets/a/scale",
            "/nothing",
        ] {
            s.get(path).await;
        }
        s.post("/apis/sim.example/v1/widgets", &widget("a")).await;
        s.put(&path, &widget("a")).await;
        s.merge(GADGETS, &json!({})).await;
        s.put(&format!("{GADGETS}/paths/scale"), &gadget("paths"))
            .await;
    })
    .await;
}
