//! Definitions, as a client reads them that checks their schemas.

use super::support::{Session, compare};

const PATH: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";

#[tokio::test]
async fn definitions_are_shown_alike() {
    compare("definitions", async |s: &mut Session| {
        for name in [
            "widgets.sim.example",
            "gadgets.sim.example",
            "breakglassgrants.breakglass.dev",
            "breakglassaccesses.breakglass.dev",
            "breakglasspolicies.breakglass.dev",
            "nothings.sim.example",
        ] {
            s.get(&format!("{PATH}/{name}")).await;
        }
        let name = "widgets.sim.example";
        s.get(&format!("{PATH}?fieldSelector=metadata.name%3D{name}"))
            .await;
    })
    .await;
}
