//! What is served: kinds, and what their definitions make of an object.

mod built_in;
mod coerce;
mod definition;
mod pattern;
mod structure;
mod validate;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

pub use definition::DefinitionError;
pub(crate) use definition::{established, identify};
pub(crate) use structure::Schema;

use crate::storage::Entry;

/// The plural of the kind of definitions.
pub(crate) const DEFINITIONS: &str = "customresourcedefinitions";

/// A kind that is served.
#[derive(Debug)]
pub(crate) struct Kind {
    pub(crate) group: String,
    pub(crate) version: String,
    pub(crate) plural: String,
    /// The name in the singular, as in `kind`.
    pub(crate) singular: String,
    /// The `kind` of a list.
    pub(crate) list: String,
    pub(crate) namespaced: bool,
    pub(crate) nature: Nature,
    /// Whether its schema has CEL rules, which are not simulated.
    pub(crate) has_rules: bool,
    pub(crate) schema: Schema,
}

/// What a kind is to the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Nature {
    /// Served because of a definition, with the status as a subresource or without.
    Defined {
        status: bool,
    },
    Lease,
    Event,
    Definition,
}

impl Kind {
    pub(crate) fn api_version(&self) -> String {
        format!("{}/{}", self.group, self.version)
    }

    /// Whether the server has code of its own for it.
    pub(crate) fn is_built_in(&self) -> bool {
        !matches!(self.nature, Nature::Defined { .. })
    }

    pub(crate) fn has_status_subresource(&self) -> bool {
        self.nature == Nature::Defined { status: true }
    }

    /// Whether it has a generation, which counts changes of what people want.
    pub(crate) fn has_generation(&self) -> bool {
        !self.is_built_in()
    }

    /// Whether a PUT makes the object that it doesn't find.
    pub(crate) fn is_made_by_put(&self) -> bool {
        matches!(self.nature, Nature::Lease | Nature::Event)
    }

    /// Whether a PUT may leave the resourceVersion out.
    pub(crate) fn may_be_overwritten(&self) -> bool {
        self.nature == Nature::Event
    }

    /// Whether two objects differ in what a generation counts: everything but the metadata and, if it is a subresource, the status.
    pub(crate) fn is_another(&self, new: &Value, old: &Value) -> bool {
        let (Some(new), Some(old)) = (new.as_object(), old.as_object()) else {
            return new != old;
        };
        let counts = |field: &str| {
            field != "metadata" && !(field == "status" && self.has_status_subresource())
        };
        let mut fields = new.keys().chain(old.keys());
        fields.any(|field| counts(field) && new.get(field) != old.get(field))
    }
}

impl Entry {
    /// An object as it is stored, and as it is read.
    pub(crate) fn of(kind: &Kind, stored: Arc<Value>) -> Self {
        let mut shown = Arc::clone(&stored);
        if kind.schema.lacks_defaults(&stored) {
            kind.schema.set_defaults(Arc::make_mut(&mut shown));
        }
        Self { stored, shown }
    }

    /// An object that is read as it is stored.
    pub(crate) fn as_it_is(object: Arc<Value>) -> Self {
        Self {
            shown: Arc::clone(&object),
            stored: object,
        }
    }
}

/// The kinds that are served, by group and plural.
#[derive(Clone, Debug, Default)]
pub(crate) struct Kinds(BTreeMap<(String, String), Arc<Kind>>);

impl Kinds {
    pub(crate) fn serve(&mut self, kind: Kind) -> Arc<Kind> {
        let kind = Arc::new(kind);
        let key = (kind.group.clone(), kind.plural.clone());
        self.0.insert(key, Arc::clone(&kind));
        kind
    }

    pub(crate) fn find(&self, group: &str, version: &str, plural: &str) -> Option<Arc<Kind>> {
        let found = self.0.get(&(group.to_owned(), plural.to_owned()))?;
        (found.version == version).then(|| Arc::clone(found))
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Kind> {
        self.0.values().map(AsRef::as_ref)
    }

    /// A kind by its plural alone.
    pub(crate) fn named(&self, plural: &str) -> Option<Arc<Kind>> {
        let mut kinds = self.0.values();
        kinds.find(|kind| kind.plural == plural).cloned()
    }
}
