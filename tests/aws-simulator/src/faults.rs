//! What goes wrong, for which calls, and how.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::ServiceError;
use crate::random::Random;
use crate::wire::{Call, Service};
use crate::world::callers::Caller;

/// Something that happens to some calls.
///
/// Fields that are absent match every call. Faults are tried in the order they were added: delays add up, and the first that ends a
/// call otherwise than with its own answer decides.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Fault {
    /// Only this service.
    #[serde(default)]
    pub service: Option<Service>,
    /// Only this operation.
    #[serde(default)]
    pub operation: Option<String>,
    /// Only callers of this account.
    #[serde(default)]
    pub account: Option<String>,
    /// Only credentials of this role (its ARN).
    #[serde(default)]
    pub role: Option<String>,
    /// Only calls signed for this Region.
    #[serde(default)]
    pub region: Option<String>,
    /// Only calls whose parameters have these texts.
    #[serde(default)]
    pub parameters: BTreeMap<String, String>,
    /// Not before this time.
    #[serde(default)]
    pub from: Option<Timestamp>,
    /// Not at or after this time.
    #[serde(default)]
    pub until: Option<Timestamp>,
    /// Let this many matching calls pass first.
    #[serde(default)]
    pub skip: u64,
    /// Then hit this many; absent: all.
    #[serde(default)]
    pub times: Option<u64>,
    /// The chance that a matching call is hit.
    #[serde(default = "certain")]
    pub probability: f64,
    /// Whether the service does its work first.
    #[serde(default)]
    pub moment: Moment,
    /// What happens.
    pub action: Action,
}

fn certain() -> f64 {
    1.0
}

/// Where in a call a fault strikes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Moment {
    /// Before the service does anything; it does nothing unless the action is a delay.
    #[default]
    Before,
    /// After the service has done what was asked.
    After,
}

/// What a fault does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Action {
    /// The service's own refusal of a caller without permission.
    AccessDenied,
    /// This error, with the status that the service documents for the code unless given.
    #[serde(rename_all = "camelCase")]
    Error {
        /// Such as `ConflictException`.
        code: String,
        /// Its text.
        #[serde(default)]
        message: String,
        /// HTTP status.
        #[serde(default)]
        status: Option<u16>,
        /// Further members of the error, such as `Reason`.
        #[serde(default)]
        details: BTreeMap<String, Value>,
    },
    /// An HTML page with this HTTP status, as from a proxy or load balancer.
    HtmlPage(u16),
    /// No answer, ever.
    Hang,
    /// The connection breaks.
    Reset,
    /// The call goes on after this time. It goes on even if the caller has given up.
    Delay(SignedDuration),
    /// The asynchronous operation that this call starts ends FAILED with this reason.
    FailOperation(String),
}

impl Action {
    /// An error with its usual status.
    pub fn error(code: &str, message: &str) -> Self {
        Self::Error {
            code: code.to_owned(),
            message: message.to_owned(),
            status: None,
            details: BTreeMap::new(),
        }
    }
}

impl Fault {
    /// This action, before the service does anything, on every call.
    pub fn new(action: Action) -> Self {
        Self {
            service: None,
            operation: None,
            account: None,
            role: None,
            region: None,
            parameters: BTreeMap::new(),
            from: None,
            until: None,
            skip: 0,
            times: None,
            probability: 1.0,
            moment: Moment::Before,
            action,
        }
    }

    /// Only on calls of one operation.
    #[must_use]
    pub fn on(mut self, service: Service, operation: &str) -> Self {
        self.service = Some(service);
        self.operation = Some(operation.to_owned());
        self
    }

    /// Only on calls of one service.
    #[must_use]
    pub fn on_service(mut self, service: Service) -> Self {
        self.service = Some(service);
        self
    }

    /// Only on callers of one account.
    #[must_use]
    pub fn for_account(mut self, account: &str) -> Self {
        self.account = Some(account.to_owned());
        self
    }

    /// Only on credentials of one role.
    #[must_use]
    pub fn for_role(mut self, role_arn: &str) -> Self {
        self.role = Some(role_arn.to_owned());
        self
    }

    /// Only where a parameter has this text.
    #[must_use]
    pub fn with_parameter(mut self, name: &str, value: &str) -> Self {
        self.parameters.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Not on the first `count` matching calls.
    #[must_use]
    pub fn skip(mut self, count: u64) -> Self {
        self.skip = count;
        self
    }

    /// On no more than `count` calls.
    #[must_use]
    pub fn times(mut self, count: u64) -> Self {
        self.times = Some(count);
        self
    }

    /// After the service has done its work.
    #[must_use]
    pub fn after_effect(mut self) -> Self {
        self.moment = Moment::After;
        self
    }

    fn matches(&self, call: &Call, caller: Option<&Caller>, now: Timestamp) -> bool {
        let region = call
            .credentials
            .as_ref()
            .map(|credentials| credentials.region.as_str());
        let parameter = |name: &String| call.parameters.get(name).and_then(Value::as_str);
        self.service.is_none_or(|service| service == call.service)
            && self
                .operation
                .as_ref()
                .is_none_or(|operation| *operation == call.operation)
            && self
                .account
                .as_ref()
                .is_none_or(|account| caller.is_some_and(|caller| caller.account == *account))
            && self.role.as_ref().is_none_or(|role| {
                caller.is_some_and(|caller| caller.role_arn.as_ref() == Some(role))
            })
            && self.region.as_ref().is_none_or(|own| region == Some(own))
            && self
                .parameters
                .iter()
                .all(|(name, value)| parameter(name) == Some(value))
            && self.from.is_none_or(|from| from <= now)
            && self.until.is_none_or(|until| now < until)
    }
}

/// How a call ends if not with the service's answer.
#[derive(Clone, Debug)]
pub(crate) enum Ending {
    Error(ServiceError),
    HtmlPage(u16),
    /// The answer, cut off in the middle.
    Truncated,
    Hang,
    Reset,
}

/// What is going to happen to one call.
#[derive(Clone, Debug, Default)]
pub(crate) struct Script {
    pub(crate) delay_before: SignedDuration,
    /// Instead of what the service would do.
    pub(crate) instead: Option<Ending>,
    pub(crate) delay_after: SignedDuration,
    /// Instead of the service's answer.
    pub(crate) reply: Option<Ending>,
    /// The reason with which the operation it starts is going to fail.
    pub(crate) fail_operation: Option<String>,
}

/// A fault in place, and how often it has matched and struck.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlacedFault {
    /// To remove it by.
    pub id: u64,
    /// Calls that matched.
    pub matched: u64,
    /// Calls that it struck.
    pub struck: u64,
    /// The fault.
    pub fault: Fault,
}

/// All faults in place.
#[derive(Clone, Debug, Default)]
pub(crate) struct Faults {
    placed: Vec<PlacedFault>,
    last_id: u64,
}

impl Faults {
    pub(crate) fn add(&mut self, fault: Fault) -> u64 {
        self.last_id += 1;
        self.placed.push(PlacedFault {
            id: self.last_id,
            matched: 0,
            struck: 0,
            fault,
        });
        self.last_id
    }

    pub(crate) fn remove(&mut self, id: u64) -> bool {
        let before = self.placed.len();
        self.placed.retain(|placed| placed.id != id);
        self.placed.len() < before
    }

    pub(crate) fn clear(&mut self) {
        self.placed.clear();
    }

    pub(crate) fn list(&self) -> Vec<PlacedFault> {
        self.placed.clone()
    }

    /// What happens to this call.
    pub(crate) fn script(
        &mut self,
        call: &Call,
        caller: Option<&Caller>,
        now: Timestamp,
        random: &mut Random,
    ) -> Script {
        let mut script = Script::default();
        for placed in &mut self.placed {
            let fault = &placed.fault;
            if !fault.matches(call, caller, now) {
                continue;
            }
            placed.matched += 1;
            let used_up = fault.times.is_some_and(|times| placed.struck >= times);
            if placed.matched <= fault.skip || used_up || !random.chance(fault.probability) {
                continue;
            }
            placed.struck += 1;
            script.add(fault.moment, &fault.action, call, caller);
            if script.instead.is_some() || script.reply.is_some() {
                break;
            }
        }
        script
    }
}

impl Script {
    fn add(&mut self, moment: Moment, action: &Action, call: &Call, caller: Option<&Caller>) {
        let ending = match action {
            Action::Delay(by) => {
                let delay = if moment == Moment::Before {
                    &mut self.delay_before
                } else {
                    &mut self.delay_after
                };
                *delay = delay.saturating_add(*by);
                return;
            }
            Action::FailOperation(reason) => {
                self.fail_operation = Some(reason.clone());
                return;
            }
            Action::AccessDenied => {
                let who = caller.map_or("anonymous", |caller| caller.arn.as_str());
                Ending::Error(ServiceError::access_denied(
                    call.service,
                    who,
                    &call.operation,
                ))
            }
            Action::Error {
                code,
                message,
                status,
                details,
            } => {
                let mut error = ServiceError::new(call.service, code, message.as_str());
                error.status = status.unwrap_or(error.status);
                error.details = details.clone().into_iter().collect();
                Ending::Error(error)
            }
            Action::HtmlPage(status) => Ending::HtmlPage(*status),
            Action::Hang => Ending::Hang,
            Action::Reset => Ending::Reset,
        };
        let place = if moment == Moment::Before {
            &mut self.instead
        } else {
            &mut self.reply
        };
        *place = Some(ending);
    }
}
