//! Pruning and defaulting.

use serde_json::Value;

use super::{Kind, Schema};

impl Kind {
    /// Makes of what a client sent what the server understands: unknown fields go, except those that are stored already because
    /// somebody wrote past the rules; nulls that can't be go; defaults come.
    pub(crate) fn coerce(&self, object: &mut Value, old: Option<&Value>) {
        if let Some(fields) = object.as_object_mut() {
            let frame = ["apiVersion", "kind", "metadata"];
            fields.retain(|name, value| {
                if frame.contains(&name.as_str()) {
                    return true;
                }
                let old = old.and_then(|old| old.get(name));
                self.schema.keep(name, value, old)
            });
        }
        self.schema.drop_nulls(object);
        self.schema.set_defaults(object);
    }
}

impl Schema {
    /// Prunes a field; false if all of it goes.
    fn keep(&self, name: &str, value: &mut Value, old: Option<&Value>) -> bool {
        match self.field(name) {
            Some(schema) => {
                schema.prune(value, old);
                true
            }
            None => self.preserve || old.is_some(),
        }
    }

    fn prune(&self, value: &mut Value, old: Option<&Value>) {
        match value {
            Value::Object(fields) => fields
                .retain(|name, value| self.keep(name, value, old.and_then(|old| old.get(name)))),
            Value::Array(items) => {
                let Some(schema) = &self.items else { return };
                for (place, item) in items.iter_mut().enumerate() {
                    schema.prune(item, old.and_then(|old| old.get(place)));
                }
            }
            _ => {}
        }
    }

    /// Nulls that are not allowed and have no default are taken for absent.
    fn drop_nulls(&self, value: &mut Value) {
        match value {
            Value::Object(fields) => fields.retain(|name, value| {
                let Some(schema) = self.field(name) else {
                    return true;
                };
                schema.drop_nulls(value);
                !value.is_null() || schema.nullable || schema.default.is_some()
            }),
            Value::Array(items) => {
                if let Some(schema) = &self.items {
                    for item in items {
                        schema.drop_nulls(item);
                    }
                }
            }
            _ => {}
        }
    }

    /// Whether [`Schema::set_defaults`] would change something.
    pub(crate) fn lacks_defaults(&self, value: &Value) -> bool {
        match value {
            Value::Object(fields) => {
                self.properties.iter().any(|(name, schema)| {
                    schema.default.is_some() && schema.is_absent(fields.get(name))
                }) || fields.iter().any(|(name, value)| {
                    let schema = self.field(name);
                    schema.is_some_and(|schema| schema.lacks_defaults(value))
                })
            }
            Value::Array(items) => self
                .items
                .as_ref()
                .is_some_and(|schema| items.iter().any(|item| schema.lacks_defaults(item))),
            _ => false,
        }
    }

    /// Sets what is absent and has a default.
    pub(crate) fn set_defaults(&self, value: &mut Value) {
        match value {
            Value::Object(fields) => {
                for (name, schema) in &self.properties {
                    if let Some(default) = &schema.default
                        && schema.is_absent(fields.get(name))
                    {
                        fields.insert(name.clone(), default.clone());
                    }
                }
                for (name, value) in fields {
                    if let Some(schema) = self.field(name) {
                        schema.set_defaults(value);
                    }
                }
            }
            Value::Array(items) => {
                if let Some(schema) = &self.items {
                    for item in items {
                        schema.set_defaults(item);
                    }
                }
            }
            _ => {}
        }
    }

    fn is_absent(&self, value: Option<&Value>) -> bool {
        value.is_none_or(|value| value.is_null() && !self.nullable)
    }
}
