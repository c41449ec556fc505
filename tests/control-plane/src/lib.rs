//! A real Kubernetes control plane on loopback: etcd, kube-apiserver and, where asked for, kube-controller-manager.
//!
//! `make control-plane` builds the programs from source (`tests/control-plane/build`). Any number of control planes can live at once;
//! each has its own ports, users and data, and is gone when its [`ControlPlane`] is dropped or its process ends,
//! however that happens.
//!
//! ```no_run
//! # fn main() -> Result<(), control_plane::Error> {
//! use control_plane::{ControlPlane, Options, User};
//!
//! let control_plane = ControlPlane::start(Options::default().user(User::new("alice", ["developers"])))?;
//! control_plane.kubectl("admin")?.args(["create", "namespace", "breakglass"]);
//! # Ok(())
//! # }
//! ```

mod control_plane;
mod credentials;
mod directory;
mod error;
mod etcd;
mod options;
mod process;
mod programs;

pub use control_plane::ControlPlane;
pub use error::Error;
pub use options::{Options, User};
