//! What the tests stand on: a world of a real control plane, an AWS stand-in and controllers, and scenarios in it.

pub mod api_server;
mod checks;
pub mod cloud;
pub mod controller;
pub mod entitlement;
pub mod grant;
pub mod install;
pub mod kubernetes;
pub mod live_grant;
pub mod load;
pub mod moto;
pub mod proxy;
pub mod scenario;
pub mod time;
pub mod world;

pub use controller::Controller;
pub use entitlement::{Access, Kind};
pub use grant::Grant;
pub use live_grant::LiveGrant;
pub use load::Load;
pub use proxy::Proxy;
pub use scenario::{Scenario, poll_aws};
pub use time::{eventually, now, seconds};
pub use world::{Setup, World};
