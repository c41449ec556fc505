//! A stand-in for the Kubernetes API server, in this process and on virtual time.
//!
//! It behaves as the real server does for what a controller uses, and a test sends the same requests to both. It knows no kind but
//! leases, Events and definitions; others come in as definitions ([`ApiSimulator::define`]). A client gets a
//! [`Connection`], on which everything can go wrong that can go wrong between a client and a server: a gate decides about each
//! request ([`Fate`]) and each event of a watch ([`WatchFate`]). A checker is told of every change ([`Commit`]) and can read what was
//! asked ([`RequestRecord`]). People act past all gates ([`ApiSimulator::act`]).
//!
//! ```
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use api_simulator::{ApiSimulator, Ending, Fate, Verb};
//! use k8s_openapi::api::coordination::v1::Lease;
//! use kube::api::{Api, PostParams};
//!
//! let started = tokio::time::Instant::now();
//! let simulator = ApiSimulator::new(7, move || {
//!     jiff::Timestamp::UNIX_EPOCH + jiff::SignedDuration::try_from(started.elapsed()).unwrap_or_default()
//! });
//! let connection = simulator.connect("controller").through(|call| match call.verb {
//!     Verb::Create => Fate::reply(Ending::Reset),
//!     _ => Fate::default(),
//! });
//! let leases: Api<Lease> = Api::default_namespaced(connection.client("default"));
//! let lease = serde_json::from_value(serde_json::json!({"metadata": {"name": "a"}}))?;
//! assert!(leases.create(&PostParams::default(), &lease).await.is_err());
//! assert!(simulator.get("leases", Some("default"), "a").is_some());
//! # Ok(()) }
//! ```
//!
//! Left out, and refused where asked for: selectors other than for one name, server-side apply, dry runs, deleting collections,
//! foreground deletion, tables, discovery, more than one version of a kind. Left out silently: who set which field
//! (`managedFields`), warnings, CEL rules, admission policies, namespaces (each is there), authorization, garbage collection.

mod backup;
mod call;
mod commit;
mod connection;
mod fate;
mod people;
mod random;
mod schema;
mod server;
mod simulator;
mod storage;

pub use axum::body::Bytes;
pub use axum::http;
pub use backup::Snapshot;
pub use call::{Call, RequestRecord, Shown, Verb};
pub use commit::Commit;
pub use connection::Connection;
pub use fate::{Ending, Fate, Reset, WatchFate};
pub use kube::core::Status;
pub use schema::DefinitionError;
pub use simulator::ApiSimulator;
