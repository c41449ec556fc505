//! Whether an object fits its schema, in the words of the real server.

use serde_json::{Map, Value, json};

use super::structure::Type;
use super::{Kind, Schema};
use crate::server::answer::Cause;

/// A place in an object.
struct Place<'a> {
    path: &'a str,
    /// The messages about a status that is written alone start within it.
    spoken: &'a str,
}

impl Kind {
    /// What is wrong with an object. What was wrong before and has not changed is let pass. Only the status is looked at where only
    /// that is written.
    pub(crate) fn validate(&self, object: &Value, old: Option<&Value>, status: bool) -> Vec<Cause> {
        let mut causes = Vec::new();
        let (schema, value, path) = if status {
            let Some(schema) = self.schema.properties.get("status") else {
                return causes;
            };
            let Some(value) = object.get("status") else {
                return causes;
            };
            (schema, value, "status")
        } else {
            (&self.schema, object, "")
        };
        let old = if status {
            old.and_then(|old| old.get("status"))
        } else {
            old
        };
        let place = Place { path, spoken: "" };
        schema.check(value, old, &place, &mut causes);
        if self.has_rules && causes.iter().any(Cause::keeps_from_rules) {
            causes.push(Cause {
                reason: "FieldValueInvalid",
                message: "Invalid value: null: some validation rules were not checked because the object was invalid; correct the existing errors to complete validation".to_owned(),
                field: "<nil>".to_owned(),
            });
        }
        causes
    }
}

impl Cause {
    fn keeps_from_rules(&self) -> bool {
        matches!(
            self.reason,
            "FieldValueNotSupported"
                | "FieldValueRequired"
                | "FieldValueTooLong"
                | "FieldValueTooMany"
                | "FieldValueTypeInvalid"
        )
    }
}

impl Place<'_> {
    fn cause(&self, reason: &'static str, message: String) -> Cause {
        Cause {
            reason,
            message,
            field: self.path.to_owned(),
        }
    }

    fn invalid(&self, value: &Value, what: &str) -> Cause {
        let message = format!("Invalid value: {value}: {} in body {what}", self.spoken);
        self.cause("FieldValueInvalid", message)
    }

    fn mistyped(&self, value: &Value, type_: &str) -> Cause {
        let message = format!(
            "Invalid value: {value}: {} in body must be of type {type_}: {value}",
            self.spoken
        );
        self.cause("FieldValueTypeInvalid", message)
    }
}

impl Schema {
    fn check(
        &self,
        value: &Value,
        old: Option<&Value>,
        place: &Place<'_>,
        causes: &mut Vec<Cause>,
    ) {
        let excused = old == Some(value) || value.is_null() && self.nullable;
        if excused {
            return;
        }
        if let Some(type_) = self.demands.type_
            && !type_.fits(value)
        {
            causes.extend(self.wrong_type(type_, value, place));
            causes.extend(self.not_one_of(value, place));
            return;
        }
        match value {
            Value::String(text) => self.check_text(text, value, place, causes),
            Value::Number(_) => self.check_number(value, place, causes),
            _ => {}
        }
        causes.extend(self.not_one_of(value, place));
        match value {
            Value::Object(fields) => {
                causes.extend(self.not_exactly_one(fields, place));
                causes.extend(missing(&self.demands.required, fields, place));
                for (name, value) in fields {
                    if let Some(schema) = self.field(name) {
                        let old = old.and_then(|old| old.get(name));
                        let (path, spoken) = (below(place.path, name), below(place.spoken, name));
                        let place = Place {
                            path: &path,
                            spoken: &spoken,
                        };
                        schema.check(value, old, &place, causes);
                    }
                }
            }
            Value::Array(items) => self.check_items(items, old, place, causes),
            _ => {}
        }
    }

    fn wrong_type(&self, type_: Type, value: &Value, place: &Place<'_>) -> Vec<Cause> {
        let format = self.demands.format.as_deref();
        if let (Type::Integer, Some(format @ ("int32" | "int64")), true) =
            (type_, format, value.is_number())
        {
            return vec![
                place.mistyped(&"float64".into(), format),
                out_of_format(place, format),
            ];
        }
        let is = match value {
            Value::Null => "null",
            Value::Bool(_) => "boolean",
            Value::Number(number) if number.is_f64() => "number",
            Value::Number(_) => "integer",
            Value::String(_) => "string",
            Value::Array(_) => "array",
            Value::Object(_) => "object",
        };
        vec![place.mistyped(&is.into(), type_.name())]
    }

    fn not_one_of(&self, value: &Value, place: &Place<'_>) -> Option<Cause> {
        let allowed = self.demands.one_of.as_ref()?;
        if allowed.contains(value) {
            return None;
        }
        let listed: Vec<String> = allowed.iter().map(Value::to_string).collect();
        Some(place.cause(
            "FieldValueNotSupported",
            format!(
                "Unsupported value: {value}: supported values: {}",
                listed.join(", ")
            ),
        ))
    }

    /// Where none of several lists of fields is there the first is told to be missing.
    fn not_exactly_one(&self, fields: &Map<String, Value>, place: &Place<'_>) -> Vec<Cause> {
        let either = &self.demands.either;
        let fits = |list: &&Vec<String>| list.iter().all(|name| fields.contains_key(name));
        let found = match either.iter().filter(fits).count() {
            1 => return Vec::new(),
            0 => "Found none valid".to_owned(),
            more => format!("Found {more} valid alternatives"),
        };
        let Some(first) = either.first() else {
            return Vec::new();
        };
        let message = format!(
            "Invalid value: \"\": \"{}\" must validate one and only one schema (oneOf). {found}",
            place.spoken
        );
        let mut causes = vec![Cause {
            reason: "FieldValueInvalid",
            message,
            field: "<nil>".to_owned(),
        }];
        if found.ends_with("none valid") {
            causes.extend(missing(first, fields, place));
        }
        causes
    }

    fn check_text(&self, text: &str, value: &Value, place: &Place<'_>, causes: &mut Vec<Cause>) {
        let demands = &self.demands;
        let length = u64::try_from(text.chars().count()).unwrap_or(u64::MAX);
        if let Some(most) = demands.length.most.filter(|most| length > *most) {
            causes.push(place.cause(
                "FieldValueTooLong",
                format!("Too long: may not be more than {most} bytes"),
            ));
        }
        if let Some(least) = demands.length.least.filter(|least| length < *least) {
            let what = format!("should be at least {least} chars long");
            causes.push(place.invalid(value, &what));
        }
        if let Some(pattern) = demands
            .pattern
            .as_ref()
            .filter(|pattern| !pattern.fits(text))
        {
            let what = format!("should match '{}'", pattern.written);
            causes.push(place.invalid(value, &what));
        }
        if demands.format.as_deref() == Some("date-time") && !is_time(text) {
            causes.push(place.mistyped(value, "date-time"));
        }
    }

    fn check_number(&self, value: &Value, place: &Place<'_>, causes: &mut Vec<Cause>) {
        let demands = &self.demands;
        if demands.format.as_deref() == Some("int32")
            && value
                .as_i64()
                .is_none_or(|number| i32::try_from(number).is_err())
        {
            causes.push(out_of_format(place, "int32"));
        }
        let number = |value: &Value| value.as_f64().unwrap_or_default();
        let (least, most) = (&demands.minimum, &demands.maximum);
        if let Some(least) = least.as_ref().filter(|least| number(value) < number(least)) {
            let what = format!("should be greater than or equal to {least}");
            causes.push(place.invalid(value, &what));
        }
        if let Some(most) = most.as_ref().filter(|most| number(value) > number(most)) {
            let what = format!("should be less than or equal to {most}");
            causes.push(place.invalid(value, &what));
        }
    }

    fn check_items(
        &self,
        items: &[Value],
        old: Option<&Value>,
        place: &Place<'_>,
        causes: &mut Vec<Cause>,
    ) {
        let bounds = self.demands.items;
        let length = u64::try_from(items.len()).unwrap_or(u64::MAX);
        if let Some(most) = bounds.most.filter(|most| length > *most) {
            let message = format!("Too many: {length}: must have at most {most} items");
            causes.push(place.cause("FieldValueTooMany", message));
        }
        if let Some(least) = bounds.least.filter(|least| length < *least) {
            let what = format!("should have at least {least} items");
            causes.push(place.invalid(&length.into(), &what));
        }
        let old = old.and_then(Value::as_array);
        let (mut seen, mut twice) = (Vec::<Value>::new(), Vec::<Value>::new());
        for (number, item) in items.iter().enumerate() {
            let (path, spoken) = (
                format!("{}[{number}]", place.path),
                format!("{}[{number}]", place.spoken),
            );
            let place = Place {
                path: &path,
                spoken: &spoken,
            };
            let key = self.key_of(item);
            if let Some(schema) = &self.items {
                let same = |other: &&Value| key.is_some() && self.key_of(other) == key;
                let old = old.and_then(|old| old.iter().find(same));
                schema.check(item, old, &place, causes);
            }
            match key {
                // Of several with the same key the second is told.
                Some(key) if seen.contains(&key) => {
                    if twice.contains(&key) {
                        continue;
                    }
                    twice.push(key.clone());
                    let message = format!("Duplicate value: {key}");
                    causes.push(place.cause("FieldValueDuplicate", message));
                }
                Some(key) => seen.push(key),
                None if !self.demands.keys.is_empty() => causes.push(place.cause(
                    "FieldValueInvalid",
                    format!(
                        "Invalid value: {item}: must be an object for an array of list-type map"
                    ),
                )),
                None => {}
            }
        }
    }

    /// What tells an item of a list apart from others, if anything does.
    fn key_of(&self, item: &Value) -> Option<Value> {
        let fields = item.as_object()?;
        let keys = &self.demands.keys;
        let parts = keys
            .iter()
            .map(|key| (key.clone(), fields.get(key).cloned().unwrap_or_default()));
        (!keys.is_empty()).then(|| json!(parts.collect::<serde_json::Map<_, _>>()))
    }
}

fn missing(required: &[String], fields: &Map<String, Value>, place: &Place<'_>) -> Vec<Cause> {
    let missing = required.iter().filter(|name| !fields.contains_key(*name));
    let missing = missing.map(|name| Cause {
        reason: "FieldValueRequired",
        message: "Required value".to_owned(),
        field: below(place.path, name),
    });
    missing.collect()
}

fn out_of_format(place: &Place<'_>, format: &str) -> Cause {
    Cause {
        reason: "FieldValueInvalid",
        message: format!(
            "Invalid value: \"\": Checked value must be of type integer with format {format} in {}",
            place.spoken
        ),
        field: "<nil>".to_owned(),
    }
}

fn below(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}

/// RFC 3339, in either case, as the real server takes it.
fn is_time(text: &str) -> bool {
    let upper = text.to_ascii_uppercase();
    let shaped = upper.get(10..11) == Some("T")
        && upper
            .get(19..)
            .is_some_and(|rest| rest.starts_with(['.', 'Z', '+', '-']));
    shaped && upper.parse::<jiff::Timestamp>().is_ok()
}
