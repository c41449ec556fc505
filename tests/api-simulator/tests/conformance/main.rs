//! The same requests to the simulated server and to a real one: the answers must be the same.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that panics fails, and only that test"
)]

mod creating;
mod definitions;
mod deleting;
mod events;
mod leases;
mod patching;
mod paths;
mod project;
mod reading;
mod replacing;
mod restarting;
mod status;
mod support;
mod validation;
mod watching;
