//! The two servers, and how their answers are compared.

mod definitions;
mod normal;
mod session;

use std::sync::LazyLock;

use api_simulator::ApiSimulator;
use control_plane::{ControlPlane, Options};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tokio::time::Instant;

pub use definitions::{GADGETS, WIDGETS, gadget, install, make_namespace, widget};
pub use session::Session;

/// Tests differ by namespace and names.
static SHARED: LazyLock<ControlPlane> =
    LazyLock::new(|| ControlPlane::start(Options::default()).unwrap());

/// A simulator with all definitions, whose clock is that of the machine, as the real server's.
pub fn simulator_with_all() -> ApiSimulator {
    let started = Instant::now();
    let base: Timestamp = "2027-01-01T00:00:00.25Z".parse().unwrap();
    let simulator = ApiSimulator::new(1, move || {
        base + SignedDuration::try_from(started.elapsed()).unwrap()
    });
    for definition in definitions::all() {
        simulator.define(&definition).unwrap();
    }
    simulator
}

/// Plays `script` to the simulator and to the real server, each in a namespace of this name, and compares the answers.
pub async fn compare(namespace: &str, script: impl AsyncFn(&mut Session)) {
    let simulator = simulator_with_all();
    let client = simulator.connect("admin").client("default");
    let mut simulated = Session::new("the simulator", client);
    script(&mut simulated).await;

    let server = &*SHARED;
    let client = client_of(server).await;
    install(&client).await;
    make_namespace(&client, namespace).await;
    let mut real = Session::new("the real server", client);
    script(&mut real).await;
    same(&simulated, &real);
}

/// A client that takes each answer as it comes.
pub async fn client_of(server: &ControlPlane) -> kube::Client {
    let mut config = server.config("admin").await.unwrap();
    config.default_retry = false;
    kube::Client::try_from(config).unwrap()
}

/// Compares what two servers have answered.
pub fn same(simulated: &Session, real: &Session) {
    let (ours, theirs) = (simulated.transcript(), real.transcript());
    let mut differences = Vec::new();
    for (ours, theirs) in ours.iter().zip(&theirs) {
        if ours != theirs {
            differences.extend([
                format!("\n--- {}\n", theirs["request"]),
                format!("simulated: {}\n", pretty(ours)),
                format!("real:      {}\n", pretty(theirs)),
            ]);
        }
    }
    assert!(
        differences.is_empty(),
        "the servers differ:{}",
        differences.concat()
    );
    assert_eq!(ours.len(), theirs.len(), "one script made fewer requests");
}

fn pretty(step: &Value) -> String {
    serde_json::to_string_pretty(step).unwrap()
}
