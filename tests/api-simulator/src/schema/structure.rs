//! A structural schema.

use std::collections::BTreeMap;

use serde_json::Value;

/// A structural schema, as far as the server acts on it. CEL rules are not simulated.
#[derive(Clone, Debug, Default)]
pub(crate) struct Schema {
    pub(crate) nullable: bool,
    pub(crate) preserve: bool,
    pub(crate) properties: BTreeMap<String, Schema>,
    pub(crate) additional: Option<Box<Schema>>,
    pub(crate) items: Option<Box<Schema>>,
    pub(crate) default: Option<Value>,
}

impl Schema {
    /// Reads `openAPIV3Schema`.
    pub(crate) fn read(schema: &Value) -> Self {
        let flag = |name: &str| schema.get(name).and_then(Value::as_bool) == Some(true);
        let boxed = |name: &str| {
            let schema = schema.get(name).filter(|schema| schema.is_object());
            schema.map(|schema| Box::new(Self::read(schema)))
        };
        let properties = schema.get("properties").and_then(Value::as_object);
        let properties = properties.into_iter().flatten();
        Self {
            nullable: flag("nullable"),
            preserve: flag("x-kubernetes-preserve-unknown-fields") || flag("additionalProperties"),
            properties: properties
                .map(|(name, schema)| (name.clone(), Self::read(schema)))
                .collect(),
            additional: boxed("additionalProperties"),
            items: boxed("items"),
            default: schema.get("default").cloned(),
        }
    }

    /// The schema of a field.
    pub(crate) fn field(&self, name: &str) -> Option<&Self> {
        let named = self.properties.get(name);
        named.or(self.additional.as_deref())
    }
}
