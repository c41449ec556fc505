//! What the services have in common.

mod iam;
mod identity_store;
mod organizations;
mod sso_admin;
mod sts;

use jiff::Timestamp;
use serde_json::Value;

use crate::error::ServiceError;
use crate::input::{Input, NEXT_TOKEN};
use crate::limits::{self, Page, PageRequest};
use crate::random::Random;
use crate::settings::Settings;
use crate::wire::{Call, Service};
use crate::world::World;
use crate::world::callers::Caller;

/// What an operation works on.
pub(crate) struct Context<'a> {
    pub(crate) now: Timestamp,
    /// Raised by every change of access.
    pub(crate) revision: u64,
    /// The time at which the copy ends that reads see.
    pub(crate) seen: Timestamp,
    pub(crate) region: &'a str,
    pub(crate) caller: &'a Caller,
    pub(crate) settings: &'a Settings,
    pub(crate) world: &'a mut World,
    pub(crate) random: &'a mut Random,
    /// How many of the assignment operations that may be under way at once are others'.
    pub(crate) places_taken: usize,
    /// The reason with which an asynchronous operation started now is to fail.
    pub(crate) fail_operation: Option<String>,
}

type Answer = Result<Value, ServiceError>;

/// Carries out a call.
pub(crate) fn handle(context: &mut Context<'_>, call: &Call) -> Answer {
    let input = Input::new(call.service, &call.parameters);
    let operation = call.operation.as_str();
    match call.service {
        Service::SsoAdmin => sso_admin::handle(context, operation, &input),
        Service::IdentityStore => identity_store::handle(context, operation, &input),
        Service::Iam => iam::handle(context, operation, &input),
        Service::Sts => sts::handle(context, operation, &input),
        Service::Organizations => organizations::handle(context, operation, &input),
    }
}

/// Whether an operation changes nothing, by its name as AWS forms them. Taking on a role changes nobody's access either.
pub(crate) fn is_read(operation: &str) -> bool {
    const READS: [&str; 4] = ["Get", "List", "Describe", "IsMember"];
    READS.iter().any(|verb| operation.starts_with(verb)) || operation == "AssumeRole"
}

impl Context<'_> {
    fn access_denied(&self, service: Service, operation: &str) -> ServiceError {
        ServiceError::access_denied(service, &self.caller.arn, operation)
    }
}

/// A page of a JSON service's listing, which takes `MaxResults` and `NextToken`.
fn json_page<T>(
    input: &Input<'_>,
    service: Service,
    listing: String,
    most: usize,
    rows: impl Iterator<Item = (String, T)>,
    (settings, revision, random): (&Settings, u64, &mut Random),
) -> Result<Page<T>, ServiceError> {
    let limit = Some(input.number("MaxResults", 1, most)?.unwrap_or(most));
    let request = PageRequest {
        listing,
        token: input.text("NextToken", &NEXT_TOKEN)?,
        limit,
        revision,
    };
    limits::page(rows, &request, settings, random)
        .map_err(|_| ServiceError::invalid(service, "Invalid NextToken"))
}
