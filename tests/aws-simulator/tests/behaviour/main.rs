//! The rules of the simulated AWS, seen through the official SDKs.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that panics fails, and only that test"
)]

mod admin;
mod assignment_refusals;
mod assignments;
mod authority;
mod by_chance;
mod effects;
mod faults;
mod forgetting;
mod gate;
mod iam;
mod iam_tags;
mod identity_store;
mod instances;
mod limits;
mod loopback;
mod memberships;
mod organizations;
mod outages;
mod people_behind_our_back;
mod replicas;
mod sessions;
mod tenants;
mod tuple;
mod virtual_cloud;
