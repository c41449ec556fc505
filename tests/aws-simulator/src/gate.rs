//! What becomes of a single request, decided by the test at the moment when it is sent.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value};

use crate::error::ServiceError;
use crate::faults::{Ending as Scripted, Script};
use crate::wire::Service;

/// A request on its way out of a client.
#[derive(Clone, Debug)]
pub struct GateCall {
    /// The service.
    pub service: Service,
    /// The operation.
    pub operation: String,
    /// Its parameters by the names of the service model.
    pub parameters: Map<String, Value>,
    /// The account of its credentials; empty for none.
    pub account: String,
    /// When it is sent.
    pub time: Timestamp,
}

impl GateCall {
    /// Whether it gives access, takes it away, or marks it.
    pub fn is_write(&self) -> bool {
        matches!(
            self.operation.as_str(),
            "CreateAccountAssignment"
                | "DeleteAccountAssignment"
                | "CreateGroupMembership"
                | "DeleteGroupMembership"
                | "AddUserToGroup"
                | "RemoveUserFromGroup"
                | "TagUser"
                | "UntagUser"
        )
    }
}

/// What becomes of a request. By default it is carried out and answered.
#[derive(Clone, Debug, Default)]
pub struct Fate {
    /// How long it is on its way. It arrives, and is carried out, also if its sender has given up by then.
    pub before: Duration,
    /// It is not carried out; this comes back instead.
    pub instead: Option<Ending>,
    /// How long the answer is on its way.
    pub after: Duration,
    /// It is carried out, and this comes back instead of the answer.
    pub reply: Option<Ending>,
    /// The asynchronous operation that it starts ends FAILED with this reason.
    pub failure: Option<String>,
}

/// What comes back if not the service's own answer.
#[derive(Clone, Debug)]
pub enum Ending {
    /// The connection breaks.
    Reset,
    /// Nothing, ever.
    Hang,
    /// An HTML page with this status, as from a proxy or load balancer.
    HtmlPage(u16),
    /// The answer, cut off in the middle.
    Truncated,
    /// An error of the service: its code and text.
    Error(String, String),
}

impl Ending {
    /// An error of the service.
    pub fn error(code: &str, message: &str) -> Self {
        Self::Error(code.to_owned(), message.to_owned())
    }

    fn scripted(self, service: Service) -> Scripted {
        match self {
            Self::Reset => Scripted::Reset,
            Self::Hang => Scripted::Hang,
            Self::HtmlPage(status) => Scripted::HtmlPage(status),
            Self::Truncated => Scripted::Truncated,
            Self::Error(code, message) => {
                Scripted::Error(ServiceError::new(service, &code, message))
            }
        }
    }
}

impl Script {
    /// Adds what the gate decided to what the faults in place have.
    pub(crate) fn under(mut self, fate: Fate, service: Service) -> Self {
        let delay = |by: Duration| SignedDuration::try_from(by).unwrap_or(SignedDuration::MAX);
        self.delay_before = self.delay_before.saturating_add(delay(fate.before));
        self.delay_after = self.delay_after.saturating_add(delay(fate.after));
        if let Some(ending) = fate.instead {
            self.instead = Some(ending.scripted(service));
        }
        if let Some(ending) = fate.reply {
            self.reply = Some(ending.scripted(service));
        }
        self.fail_operation = fate.failure.or(self.fail_operation);
        self
    }
}
