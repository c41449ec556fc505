//! A structural schema.

use std::collections::BTreeMap;

use serde_json::Value;

use super::DefinitionError;
use super::pattern::Pattern;

/// A structural schema, as far as the server acts on it. CEL rules are not simulated.
#[derive(Clone, Debug, Default)]
pub(crate) struct Schema {
    pub(crate) nullable: bool,
    pub(crate) preserve: bool,
    pub(crate) properties: BTreeMap<String, Schema>,
    pub(crate) additional: Option<Box<Schema>>,
    pub(crate) items: Option<Box<Schema>>,
    pub(crate) default: Option<Value>,
    pub(crate) demands: Demands,
}

/// What a schema demands of a value.
#[derive(Clone, Debug, Default)]
pub(crate) struct Demands {
    pub(crate) type_: Option<Type>,
    pub(crate) required: Vec<String>,
    /// Exactly one of these lists of fields must be there.
    pub(crate) either: Vec<Vec<String>>,
    pub(crate) one_of: Option<Vec<Value>>,
    pub(crate) pattern: Option<Pattern>,
    pub(crate) format: Option<String>,
    pub(crate) length: Bounds,
    pub(crate) items: Bounds,
    pub(crate) minimum: Option<Value>,
    pub(crate) maximum: Option<Value>,
    /// The fields that tell the items of a list apart.
    pub(crate) keys: Vec<String>,
}

/// The least and the most that something may have.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Bounds {
    pub(crate) least: Option<u64>,
    pub(crate) most: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Type {
    Object,
    Array,
    String,
    Integer,
    Number,
    Boolean,
    IntegerOrString,
}

impl Schema {
    /// Reads `openAPIV3Schema`.
    pub(crate) fn read(schema: &Value) -> Result<Self, DefinitionError> {
        let flag = |name: &str| schema.get(name).and_then(Value::as_bool) == Some(true);
        let boxed = |name: &str| {
            let schema = schema.get(name).filter(|schema| schema.is_object());
            schema
                .map(|schema| Self::read(schema).map(Box::new))
                .transpose()
        };
        let properties = schema.get("properties").and_then(Value::as_object);
        let properties = properties.into_iter().flatten();
        Ok(Self {
            nullable: flag("nullable"),
            preserve: flag("x-kubernetes-preserve-unknown-fields") || flag("additionalProperties"),
            properties: properties
                .map(|(name, schema)| Ok((name.clone(), Self::read(schema)?)))
                .collect::<Result<_, DefinitionError>>()?,
            additional: boxed("additionalProperties")?,
            items: boxed("items")?,
            default: schema.get("default").cloned(),
            demands: Demands::read(schema)?,
        })
    }

    /// The schema of a field.
    pub(crate) fn field(&self, name: &str) -> Option<&Self> {
        let named = self.properties.get(name);
        named.or(self.additional.as_deref())
    }
}

impl Demands {
    fn read(schema: &Value) -> Result<Self, DefinitionError> {
        let text = |name: &str| schema.get(name).and_then(Value::as_str);
        let texts_of = |schema: &Value, name: &str| -> Vec<String> {
            let list = schema.get(name).and_then(Value::as_array);
            let list = list.into_iter().flatten().filter_map(Value::as_str);
            list.map(str::to_owned).collect()
        };
        let texts = |name: &str| texts_of(schema, name);
        let alternatives = schema.get("oneOf").and_then(Value::as_array);
        let alternatives = alternatives.into_iter().flatten();
        let bounds = |least: &str, most: &str| Bounds {
            least: schema.get(least).and_then(Value::as_u64),
            most: schema.get(most).and_then(Value::as_u64),
        };
        let either = schema.get("x-kubernetes-int-or-string") == Some(&Value::Bool(true));
        Ok(Self {
            type_: match text("type") {
                _ if either => Some(Type::IntegerOrString),
                Some("object") => Some(Type::Object),
                Some("array") => Some(Type::Array),
                Some("string") => Some(Type::String),
                Some("integer") => Some(Type::Integer),
                Some("number") => Some(Type::Number),
                Some("boolean") => Some(Type::Boolean),
                _ => None,
            },
            required: texts("required"),
            either: alternatives
                .map(|schema| texts_of(schema, "required"))
                .collect(),
            one_of: schema.get("enum").and_then(Value::as_array).cloned(),
            pattern: text("pattern").map(Pattern::read).transpose()?,
            format: text("format").map(str::to_owned),
            length: bounds("minLength", "maxLength"),
            items: bounds("minItems", "maxItems"),
            minimum: schema.get("minimum").cloned(),
            maximum: schema.get("maximum").cloned(),
            keys: texts("x-kubernetes-list-map-keys"),
        })
    }
}

impl Type {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Object => "object",
            Self::Array => "array",
            Self::String => "string",
            Self::Integer => "integer",
            Self::Number => "number",
            Self::Boolean => "boolean",
            Self::IntegerOrString => "integer,string",
        }
    }

    pub(crate) fn fits(self, value: &Value) -> bool {
        match self {
            Self::Object => value.is_object(),
            Self::Array => value.is_array(),
            Self::String => value.is_string(),
            Self::Integer => value.is_i64() || value.is_u64(),
            Self::Number => value.is_number(),
            Self::Boolean => value.is_boolean(),
            Self::IntegerOrString => value.is_string() || value.is_i64() || value.is_u64(),
        }
    }
}
