//! What a client asks, as gates and checkers see it.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;

/// What a request does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verb {
    /// Reads one object.
    Get,
    /// Reads all objects of a kind.
    List,
    /// Follows all objects of a kind.
    Watch,
    /// Makes an object.
    Create,
    /// Writes a whole object.
    Replace,
    /// Changes parts of an object.
    Patch,
    /// Deletes an object.
    Delete,
}

/// A request, as its sender meant it.
#[derive(Clone, Debug)]
pub struct Call {
    /// Counts the requests of a simulator, from 1, in the order in which they were sent.
    pub number: u64,
    /// Who sent it.
    pub actor: String,
    /// What it does.
    pub verb: Verb,
    /// The kind in the plural, as in the path; empty where the path means no kind.
    pub resource: String,
    /// The group of the kind.
    pub group: String,
    /// The namespace in the path.
    pub namespace: Option<String>,
    /// The name in the path; for a create the name in the body.
    pub name: Option<String>,
    /// Such as `status`.
    pub subresource: Option<String>,
    /// The `resourceVersion` of the query.
    pub resource_version: Option<String>,
    /// The body, if it is JSON.
    pub body: Option<Arc<Value>>,
}

impl Call {
    /// Whether it can change anything.
    pub fn is_write(&self) -> bool {
        matches!(
            self.verb,
            Verb::Create | Verb::Replace | Verb::Patch | Verb::Delete
        )
    }
}

/// What became of a request.
#[derive(Clone, Debug)]
pub struct RequestRecord {
    /// The request.
    pub call: Arc<Call>,
    /// When it was sent.
    pub arrived: Timestamp,
    /// When the server carried it out; none while it is on its way, and for one that never got there.
    pub handled: Option<Timestamp>,
    /// The HTTP status of the server's answer, whether or not it reached the sender, or of what answered in its place.
    pub status: Option<u16>,
    /// What a successful read showed.
    pub shown: Option<Shown>,
}

/// What a read showed.
#[derive(Clone, Debug)]
pub enum Shown {
    /// One object.
    Object(Arc<Value>),
    /// The resourceVersion of each object, by name, or `NAMESPACE/NAME`.
    List(BTreeMap<String, String>),
}
