//! What can be set on the simulated server and on the way to it, seen from its clients.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that panics fails, and only that test"
)]

mod administrators;
mod checkers;
mod clients;
mod gates;
mod lag;
mod people;
mod support;
mod watches;
