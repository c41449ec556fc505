//! The whole program against a real API server, with a stand-in for AWS behind it.
//!
//! Most tests share one world and differ by namespace, users and entitlements; those that break something have a world of their
//! own. They mostly wait, so many run at once (`.cargo/config.toml`).

#![cfg(test)]

mod support;

mod admission;
mod api_outage;
mod api_proxy;
mod as_a_user;
mod aws_faults;
mod compaction;
mod crashes;
mod edits;
mod foreign_access;
mod freezes;
mod guard;
mod identities;
mod kills;
mod lifecycle;
mod moto;
mod not_found;
mod overlap;
mod policies;
mod priorities;
mod replicas;
mod revocation;
mod shown;
mod soak;
mod startup;
mod tampering;
