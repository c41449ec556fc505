//! A grant as it is written, before it is applied.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::Access;
use super::time::full_second_in;

/// A `BreakglassGrant` to apply.
#[derive(Clone, Debug)]
pub struct Grant {
    pub(super) access: Access,
    pub(super) name: String,
    pub(super) start: Option<Timestamp>,
    pub(super) expiry: Timestamp,
    ticket: Option<String>,
    annotations: Value,
}

impl Grant {
    /// Of this access to its user, for an hour.
    pub fn of(access: &Access) -> Self {
        Self {
            access: access.clone(),
            name: "grant".to_owned(),
            start: None,
            expiry: full_second_in(SignedDuration::from_hours(1)),
            ticket: None,
            annotations: json!({}),
        }
    }

    /// Under another name than `grant`.
    pub fn named(mut self, name: &str) -> Self {
        name.clone_into(&mut self.name);
        self
    }

    /// Ends at this time.
    pub fn expires(mut self, at: Timestamp) -> Self {
        self.expiry = at;
        self
    }

    /// Ends so long from now, rounded up to full seconds; a negative time is past.
    pub fn expires_in(self, ahead: SignedDuration) -> Self {
        self.expires(full_second_in(ahead))
    }

    /// Starts at this time.
    pub fn starts(mut self, at: Timestamp) -> Self {
        self.start = Some(at);
        self
    }

    /// Starts so long from now, rounded up to full seconds.
    pub fn starts_in(self, ahead: SignedDuration) -> Self {
        self.starts(full_second_in(ahead))
    }

    /// When it starts; not to be asked of one that starts at once.
    pub fn start(&self) -> Timestamp {
        self.start.unwrap()
    }

    /// With a ticket.
    pub fn ticket(mut self, ticket: &str) -> Self {
        self.ticket = Some(ticket.to_owned());
        self
    }

    /// With an annotation.
    pub fn annotation(mut self, name: &str, value: &str) -> Self {
        self.annotations[name] = value.into();
        self
    }

    /// The object.
    pub fn object(&self, namespace: &str) -> Value {
        let mut spec = json!({
            "user": self.access.user,
            "target": self.access.target(),
            "expiryTime": self.expiry.to_string(),
            "reason": "Payments API down",
        });
        if let Some(start) = self.start {
            spec["startTime"] = start.to_string().into();
        }
        if let Some(ticket) = &self.ticket {
            spec["ticket"] = ticket.clone().into();
        }
        json!({
            "apiVersion": "breakglass.dev/v1alpha1",
            "kind": "BreakglassGrant",
            "metadata": {"name": self.name, "namespace": namespace, "annotations": self.annotations},
            "spec": spec,
        })
    }
}
