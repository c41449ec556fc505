//! The record of every call.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::wire::{Call, Service};
use crate::world::callers::Caller;

/// One call: who asked for what when, and what came of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CallRecord {
    /// Its number: 1 for the first.
    pub sequence: u64,
    /// When it arrived.
    pub time: Timestamp,
    /// The account of the credentials, if they are any.
    pub account: Option<String>,
    /// The Region that the request was signed for.
    pub region: String,
    /// The service.
    pub service: Service,
    /// The operation, empty if the request could not be read.
    pub operation: String,
    /// The request's parameters by the names of the service model.
    pub parameters: Map<String, Value>,
    /// ARN of the caller, such as an assumed role's session.
    pub caller: Option<String>,
    /// ARN of the role whose credentials these are.
    pub role: Option<String>,
    /// The access key id.
    pub access_key_id: Option<String>,
    /// The User-Agent header.
    pub user_agent: String,
    /// `x-amzn-RequestId` of the answer.
    pub request_id: String,
    /// When the service carried it out; absent: not (yet).
    pub handled: Option<Timestamp>,
    /// `Success` or the code of the error; absent: neither (yet).
    pub outcome: Option<String>,
    /// What the caller got of it.
    pub reply: Reply,
}

/// What the caller got.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Reply {
    /// Nothing yet; for a caller who gave up: nothing ever.
    Waiting,
    /// The answer.
    Sent,
    /// A broken connection.
    Broken,
}

impl CallRecord {
    pub(crate) fn new(
        sequence: u64,
        time: Timestamp,
        call: &Call,
        caller: Option<Caller>,
        request_id: String,
    ) -> Self {
        let credentials = call.credentials.as_ref();
        Self {
            sequence,
            time,
            account: caller.as_ref().map(|caller| caller.account.clone()),
            region: credentials
                .map(|credentials| credentials.region.clone())
                .unwrap_or_default(),
            service: call.service,
            operation: call.operation.clone(),
            parameters: call.parameters.clone(),
            caller: caller.as_ref().map(|caller| caller.arn.clone()),
            role: caller.and_then(|caller| caller.role_arn),
            access_key_id: credentials.map(|credentials| credentials.access_key_id.clone()),
            user_agent: call.user_agent.clone(),
            request_id,
            handled: None,
            outcome: None,
            reply: Reply::Waiting,
        }
    }

    /// Whether the service did what was asked.
    pub fn succeeded(&self) -> bool {
        self.outcome.as_deref() == Some("Success")
    }

    /// A parameter that is a text.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.get(name).and_then(Value::as_str)
    }
}

/// All calls since the last reset.
#[derive(Clone, Debug, Default)]
pub(crate) struct Log {
    records: Vec<CallRecord>,
}

impl Log {
    pub(crate) fn push(&mut self, record: CallRecord) {
        self.records.push(record);
    }

    pub(crate) fn get_mut(&mut self, sequence: u64) -> Option<&mut CallRecord> {
        let index = self
            .records
            .binary_search_by_key(&sequence, |record| record.sequence)
            .ok()?;
        self.records.get_mut(index)
    }

    /// Those with a higher number than `sequence`.
    pub(crate) fn since(&self, sequence: u64) -> Vec<CallRecord> {
        let from = self
            .records
            .partition_point(|record| record.sequence <= sequence);
        self.records.iter().skip(from).cloned().collect()
    }

    pub(crate) fn forget(&mut self, through: u64) {
        self.records.retain(|record| record.sequence > through);
    }

    pub(crate) fn clear(&mut self) {
        self.records.clear();
    }
}
