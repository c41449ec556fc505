//! breakglass gives people time-boxed access in AWS and takes it away again.
//!
//! The parts, in the order in which a merged grant passes through them:
//!
//! - [`api`]: what people read and write in Kubernetes;
//! - [`decide`]: pure decisions, without clock, network or randomness;
//! - [`aws`]: the three kinds of access, and how often AWS may be called;
//! - [`controller`]: the shell that reads, asks `decide`, and acts;
//! - [`telemetry`]: what the program says about itself;
//! - [`clock`], [`config`], [`digest`]: the one wall clock, the settings, and short names.

pub mod api;
pub mod aws;
pub mod clock;
pub mod config;
pub mod controller;
pub mod decide;
pub mod digest;
#[cfg(test)]
pub(crate) mod hostile;
pub mod telemetry;
