//! Pure decisions. Nothing here reads a clock, the network or a random number: what is known comes
//! in as arguments, what to do comes out as data.
//!
//! - [`target`], [`grant_view`]: what people wrote, parsed once at the edge;
//! - [`policy`]: is this grant admitted, denied, and by which policy;
//! - [`grant`]: what to do about a grant; [`grant_verdict`]: how it stands, in words; [`grant_status`]: what to
//!   tell people about it;
//! - [`access`]: the ledger protocol of one tuple, [`ledger`]: its vocabulary, and [`authorities`]: what
//!   grants and policies say of each claim.

pub mod access;
pub mod authorities;
pub mod glob;
pub mod grant;
pub mod grant_status;
pub mod grant_verdict;
pub mod grant_view;
pub mod ledger;
pub mod policy;
pub mod target;

#[cfg(test)]
mod access_tests;
#[cfg(test)]
pub(crate) mod fixtures;
#[cfg(test)]
mod grant_tests;
#[cfg(test)]
mod hostile_tests;
#[cfg(test)]
mod policy_tests;
#[cfg(test)]
mod properties;
