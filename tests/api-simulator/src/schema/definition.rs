//! Definitions of kinds (`CustomResourceDefinition`).

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Kind, Nature, Schema};
use crate::server::metadata;

/// Why a definition can't be served.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DefinitionError {
    /// Something is missing that every definition has.
    #[error("the definition has no {0}")]
    Lacks(&'static str),
    /// Objects are not converted from one version to another.
    #[error("the definition serves {0} versions; only one is simulated")]
    Versions(usize),
    /// A pattern that only Go's regular expressions know.
    #[error("the pattern {0} is not simulated")]
    Pattern(String),
}

impl Kind {
    pub(crate) fn defined_by(crd: &Value) -> Result<Self, DefinitionError> {
        let text = |pointer: &'static str| {
            let text = crd.pointer(pointer).and_then(Value::as_str);
            text.map(str::to_owned)
                .ok_or(DefinitionError::Lacks(pointer))
        };
        let versions = crd.pointer("/spec/versions").and_then(Value::as_array);
        let served: Vec<&Value> = versions
            .into_iter()
            .flatten()
            .filter(|version| version.get("served") == Some(&Value::Bool(true)))
            .collect();
        let [version] = served.as_slice() else {
            return Err(DefinitionError::Versions(served.len()));
        };
        let schema = version
            .pointer("/schema/openAPIV3Schema")
            .ok_or(DefinitionError::Lacks("/schema/openAPIV3Schema"))?;
        let name = version.get("name").and_then(Value::as_str);
        let kind = text("/spec/names/kind")?;
        Ok(Self {
            group: text("/spec/group")?,
            version: name
                .ok_or(DefinitionError::Lacks("name of a version"))?
                .to_owned(),
            plural: text("/spec/names/plural")?,
            list: text("/spec/names/listKind").unwrap_or_else(|_| format!("{kind}List")),
            singular: kind,
            namespaced: text("/spec/scope")? == "Namespaced",
            nature: Nature::Defined {
                status: version.pointer("/subresources/status").is_some(),
            },
            has_rules: schema.to_string().contains("\"x-kubernetes-validations\":"),
            schema: Schema::read(schema)?,
        })
    }
}

/// A definition as the server shows one that it serves.
pub(crate) fn established(crd: &Value, kind: &Kind, now: Timestamp) -> Value {
    let now = metadata::time(now);
    let mut crd = crd.clone();
    let singular = kind.singular.to_lowercase();
    let names = crd
        .pointer_mut("/spec/names")
        .and_then(Value::as_object_mut);
    let accepted = names.map(|names| {
        names
            .entry("listKind")
            .or_insert_with(|| kind.list.clone().into());
        names.entry("singular").or_insert_with(|| singular.into());
        Value::Object(names.clone())
    });
    let condition = |name: &str, reason: &str, message: &str| json!({"lastTransitionTime": now, "message": message, "reason": reason, "status": "True", "type": name});
    if let Some(fields) = crd.as_object_mut() {
        let status = json!({
            "acceptedNames": accepted,
            "conditions": [
                condition("NamesAccepted", "NoConflicts", "no conflicts found"),
                condition("Established", "InitialNamesAccepted", "the initial names have been accepted"),
            ],
            "storedVersions": [kind.version],
        });
        fields.insert("status".to_owned(), status);
        fields.insert("apiVersion".to_owned(), "apiextensions.k8s.io/v1".into());
        fields.insert("kind".to_owned(), "CustomResourceDefinition".into());
    }
    if let Some(spec) = crd.get_mut("spec").and_then(Value::as_object_mut) {
        spec.entry("conversion")
            .or_insert_with(|| json!({"strategy": "None"}));
    }
    crd
}

/// Gives a definition the metadata that the server sets: that of the one before it, or new.
pub(crate) fn identify(
    crd: &mut Value,
    before: Option<&Value>,
    uid: impl FnOnce() -> String,
    now: Timestamp,
) {
    metadata::clean(crd);
    let was = before.and_then(metadata::of);
    let Some(metadata) = metadata::of_mut(crd) else {
        return;
    };
    for field in ["uid", "creationTimestamp", "generation"] {
        metadata.remove(field);
        if let Some(value) = was.and_then(|was| was.get(field)) {
            metadata.insert(field.to_owned(), value.clone());
        }
    }
    if before.is_some() {
        metadata::bump_generation(metadata);
    } else {
        metadata.insert("uid".to_owned(), uid().into());
        metadata.insert("creationTimestamp".to_owned(), metadata::time(now));
        metadata.insert("generation".to_owned(), 1.into());
    }
}
