//! The truth, for a checker.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;

use crate::call::Verb;

/// One change of what is stored. A write that changes nothing makes none.
#[derive(Clone, Debug)]
pub struct Commit {
    /// Counts the commits of a simulator, from 1.
    pub number: u64,
    /// When it happened.
    pub time: Timestamp,
    /// Whose request it was.
    pub actor: String,
    /// What was asked. An update that takes the last finalizer off a deleted object removes it.
    pub verb: Verb,
    /// The kind in the plural.
    pub resource: String,
    /// The object's namespace.
    pub namespace: Option<String>,
    /// The object's name.
    pub name: String,
    /// The subresource that was written.
    pub subresource: Option<String>,
    /// The number of the request; none for people's changes.
    pub call: Option<u64>,
    /// The object before; none if it was made.
    pub before: Option<Arc<Value>>,
    /// The object after; none if it is gone.
    pub after: Option<Arc<Value>>,
}
