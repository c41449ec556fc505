//! What the API server would say of an object: as much of structural schemas as our kinds use.

use regex_lite::Regex;
use serde_json::Value;

/// What is wrong with a value by one of the schemas of a kind, such as `properties/status`.
pub(crate) fn complaints(kind: &str, part: &str, value: &Value) -> Vec<String> {
    let all = crate::api::crds::all().unwrap();
    let of_kind = |crd: &&Value| crd.pointer("/spec/names/kind") == Some(&kind.into());
    let crd = all.iter().find(of_kind).unwrap();
    let schema = format!("/spec/versions/0/schema/openAPIV3Schema/{part}");
    let mut found = Vec::new();
    check(crd.pointer(&schema).unwrap(), value, part, &mut found);
    found
}

fn check(schema: &Value, value: &Value, path: &str, found: &mut Vec<String>) {
    let known = [
        "additionalProperties",
        "default",
        "description",
        "enum",
        "format",
        "items",
        "maxItems",
        "maxLength",
        "maximum",
        "minItems",
        "minLength",
        "minimum",
        "nullable",
        "oneOf",
        "pattern",
        "properties",
        "required",
        "type",
        "x-kubernetes-list-map-keys",
        "x-kubernetes-list-type",
        "x-kubernetes-validations",
    ];
    for key in schema.as_object().into_iter().flatten().map(|(key, _)| key) {
        assert!(
            known.contains(&key.as_str()),
            "{path}: {key} is not checked"
        );
    }
    if value.is_null() {
        if schema["nullable"] != true {
            found.push(format!("{path} is null"));
        }
        return;
    }
    let right_type = match schema["type"].as_str() {
        Some("string") => value.is_string(),
        Some("integer") => value.is_i64(),
        Some("boolean") => value.is_boolean(),
        Some("array") => value.is_array(),
        Some("object") => value.is_object(),
        other => panic!("{path}: type {other:?} is not checked"),
    };
    if !right_type {
        found.push(format!("{path} is no {}", schema["type"]));
    }
    if let Some(number) = value.as_i64() {
        let too_large = schema["format"] == "int32" && i32::try_from(number).is_err();
        let below = schema["minimum"]
            .as_i64()
            .is_some_and(|least| number < least);
        if too_large || below {
            found.push(format!("{path} is {number}"));
        }
    }
    if let Some(text) = value.as_str() {
        check_text(schema, text, path, found);
    }
    if let Some(items) = value.as_array() {
        let most = schema["maxItems"].as_u64().unwrap_or(u64::MAX);
        if items.len() as u64 > most {
            found.push(format!("{path} has {} items", items.len()));
        }
        let keys: Vec<_> = schema["x-kubernetes-list-map-keys"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        for (at, item) in items.iter().enumerate() {
            check(&schema["items"], item, &format!("{path}[{at}]"), found);
            let same = |other: &Value| keys.iter().all(|key| other[key] == item[key]);
            if !keys.is_empty() && items[..at].iter().any(same) {
                found.push(format!("{path}[{at}] is there twice"));
            }
        }
    }
    if let Some(fields) = value.as_object() {
        for name in schema["required"].as_array().into_iter().flatten() {
            if !fields.contains_key(name.as_str().unwrap()) {
                found.push(format!("{path}.{name} is missing"));
            }
        }
        for (name, field) in fields {
            match schema["properties"].get(name) {
                Some(schema) => check(schema, field, &format!("{path}.{name}"), found),
                None => found.push(format!("{path}.{name} would be pruned")),
            }
        }
    }
}

fn check_text(schema: &Value, text: &str, path: &str, found: &mut Vec<String>) {
    let length = text.chars().count() as u64;
    if length < schema["minLength"].as_u64().unwrap_or(0)
        || length > schema["maxLength"].as_u64().unwrap_or(u64::MAX)
    {
        found.push(format!("{path} has {length} characters"));
    }
    if let Some(allowed) = schema["enum"].as_array()
        && !allowed.contains(&text.into())
    {
        found.push(format!("{path} may not be {text}"));
    }
    // Classes of characters are beyond regex-lite; only what people write has patterns with them.
    if let Some(pattern) = schema["pattern"].as_str()
        && !pattern.contains(r"\p")
        && !Regex::new(pattern).unwrap().is_match(text)
    {
        found.push(format!("{path} is {text:?}"));
    }
    if schema["format"] == "date-time" && super::nanoseconds(text).is_none() {
        found.push(format!("{path} is no time: {text:?}"));
    }
}
