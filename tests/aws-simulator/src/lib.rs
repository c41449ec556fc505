//! A stand-in for the AWS services around identity: IAM Identity Center (sso-admin and identitystore), IAM, STS, and as much of
//! Organizations as a client needs.
//!
//! It behaves as AWS documents, slowness and limits included, and where AWS leaves room there is a setting ([`Settings`]). What can go
//! wrong can be made to go wrong ([`Fault`]). The crate's README lists what there is and where it is tested. Several accounts share one
//! port: the account comes from the access key, which is `AKIA`, the twelve digits of the account id, and anything
//! (`AKIA111122223333TEST`); the secret can be anything, since signatures are not checked. The Region comes from the signature's scope.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use aws_simulator::{Action, Change, Clock, Fault, Seed, Service, Simulator};
//!
//! let simulator = Simulator::new(&Seed::example(), Clock::system())?;
//! let url = simulator.clone().spawn().await?; // for AWS_ENDPOINT_URL
//! simulator.add_fault(Fault::new(Action::Reset).on(Service::SsoAdmin, "CreateAccountAssignment").times(1).after_effect());
//! simulator.change(&Change::DeleteUser { user: "alice@example.com".into() })?;
//! assert!(!simulator.truth().is_assigned("111122223333", "AdministratorAccess", "alice@example.com"));
//! # Ok(()) }
//! ```
//!
//! The binary takes the same world from a file:
//!
//! ```yaml
//! managementAccount: "999988887777"
//! accounts:
//! - id: "111122223333"
//!   roles: [Deployer]
//!   groups: [Operators]
//!   users: [{name: alice, groups: [Operators], tags: {team: payments}}]
//! instances:
//! - region: us-east-1
//!   permissionSets: [{name: AdministratorAccess, sessionDuration: PT4H}]
//!   users: [{userName: alice@example.com}, {userName: bob@example.com, disabled: true}]
//!   groups: [{displayName: Operators, members: [alice@example.com], externalIds: [{issuer: okta, id: "7"}]}]
//!   assignments: [{account: "111122223333", permissionSet: AdministratorAccess, group: Operators}]
//! settings: {assignmentDelay: {min: 1s, max: 90s}, staleness: {iam: 5s}}
//! faults: [{service: iam, operation: TagUser, times: 3, action: {error: {code: ConcurrentModification}}}]
//! ```

mod admin;
mod change;
mod clock;
mod connector;
mod effects;
mod error;
mod faults;
mod gate;
mod history;
mod input;
mod limits;
mod log;
mod outages;
mod random;
mod replicas;
mod seed;
mod server;
mod services;
mod sessions;
mod settings;
mod simulator;
mod state;
mod tenants;
mod truth;
mod wire;
mod world;

pub use axum::body::Bytes;
pub use axum::http;
pub use change::{Change, ChangeError};
pub use clock::Clock;
pub use connector::InProcess;
pub use effects::{AccessTuple, Author, Effect, Outstanding};
pub use faults::{Action, Fault, Moment, PlacedFault};
pub use gate::{Ending, Fate, GateCall};
pub use log::{CallRecord, Reply};
pub use seed::{
    Seed, SeedAccount, SeedAssignment, SeedError, SeedGroup, SeedIamUser, SeedInstance,
    SeedPermissionSet, SeedUser,
};
pub use sessions::{CHAINED_SESSION, GROUP_LAG, LONGEST_ROLE_SESSION, LastSession};
pub use settings::{
    AbsentDelete, AbsentMembership, Chances, Delay, DelegateRules, IamOutage, OrphanDelete,
    Outages, Rate, Refusal, Replicas, Settings, Staleness, Tail, Tenants,
};
pub use simulator::{ConnectionReset, Simulator};
pub use truth::{
    TrueAccount, TrueAssignment, TrueGroup, TrueIamGroup, TrueIamUser, TrueInstance, TrueMember,
    TrueOperation, TruePermissionSet, TrueUser, Truth,
};
pub use wire::Service;
pub use world::AccountStatus;
pub use world::assignments::{OperationKind, PrincipalType};
pub use world::directory::ExternalId;
pub use world::iam::Tag;
