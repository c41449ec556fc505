//! What differs between two servers by nature.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

/// Replaces uids, times and resourceVersions by what they mean in a conversation.
#[derive(Default)]
pub struct Normal {
    uids: BTreeMap<String, String>,
    versions: BTreeMap<u64, String>,
}

impl Normal {
    /// Reads which uids and resourceVersions a conversation has. Objects' versions become their order; those of lists and bookmarks
    /// depend on what else happens on a server, and only must not be older than what was seen before.
    pub fn of(steps: &[Value]) -> Self {
        let mut normal = Self::default();
        let mut versions = BTreeSet::new();
        for step in steps {
            each_object(&step["body"], &mut |metadata, is_object| {
                if let Some(uid) = metadata.get("uid").and_then(Value::as_str) {
                    let next = format!("uid-{}", normal.uids.len());
                    normal.uids.entry(uid.to_owned()).or_insert(next);
                }
                if is_object && let Some(version) = version(metadata) {
                    versions.insert(version);
                }
            });
        }
        normal.versions = versions
            .into_iter()
            .enumerate()
            .map(|(place, version)| (version, format!("version-{place}")))
            .collect();
        normal
    }

    pub fn step(&self, step: &Value) -> Value {
        let mut step = step.clone();
        self.clean(&mut step["body"]);
        if let Some(request) = step["request"].as_str() {
            step["request"] = Self::request(request).into();
        }
        step
    }

    /// A request without the versions that it names.
    fn request(request: &str) -> String {
        let (head, query) = request.split_once('?').unwrap_or((request, ""));
        let parts = query.split('&').map(|part| match part.split_once('=') {
            Some(("continue", _)) => "continue=a token".to_owned(),
            Some(("resourceVersion", version)) if version.parse::<u64>().is_ok() => {
                "resourceVersion=a version".to_owned()
            }
            _ => part.to_owned(),
        });
        let query: Vec<String> = parts.collect();
        format!("{head}?{}", query.join("&"))
    }

    fn clean(&self, value: &mut Value) {
        match value {
            Value::Array(items) => {
                for item in items {
                    self.clean(item);
                }
            }
            Value::Object(fields) => {
                sort_causes(fields);
                if fields.contains_key("storedVersions") {
                    strike_times(fields);
                }
                for (name, value) in fields.iter_mut() {
                    match (name.as_str(), &*value) {
                        ("uid", Value::String(uid)) => {
                            let known = self.uids.get(uid).cloned();
                            *value = known.unwrap_or_else(|| uid.clone()).into();
                        }
                        ("message", Value::String(message)) => {
                            *value = self.words(message).into();
                        }
                        ("metadata", Value::Object(_)) => self.metadata(value),
                        _ => self.clean(value),
                    }
                }
            }
            _ => {}
        }
    }

    fn metadata(&self, value: &mut Value) {
        let Some(metadata) = value.as_object_mut() else {
            return;
        };
        metadata.remove("managedFields");
        let is_object = metadata.contains_key("uid");
        if let Some(version) = version(metadata) {
            let known = self.versions.get(&version);
            let text = match known {
                Some(known) if is_object => known.clone(),
                _ => "a version".to_owned(),
            };
            metadata.insert("resourceVersion".to_owned(), text.into());
        }
        if let Some(Value::String(token)) = metadata.get_mut("continue")
            && !token.is_empty()
        {
            "a token".clone_into(token);
        }
        if metadata.contains_key("generateName")
            && let Some(Value::String(name)) = metadata.get_mut("name")
        {
            name.truncate(name.len() - 5);
        }
        for value in metadata.values_mut() {
            self.clean(value);
        }
        for (name, value) in metadata.iter_mut() {
            match (name.as_str(), &*value) {
                ("uid", Value::String(uid)) => {
                    *value = self.uids.get(uid).cloned().unwrap_or_default().into();
                }
                ("creationTimestamp" | "deletionTimestamp", Value::String(time)) => {
                    *value = shape(time).into();
                }
                _ => {}
            }
        }
    }

    /// A message without what it says about uids and versions, and without a library's words about what it can't read.
    fn words(&self, message: &str) -> String {
        const BEGINNINGS: [&str; 4] = [
            "invalid continue token: ",
            "the object provided is unrecognized (must be of type Widget): ",
            "error decoding patch: ",
            "Lease in version \"v1\" cannot be handled as a Lease: ",
        ];
        for beginning in BEGINNINGS {
            if message.starts_with(beginning) {
                return beginning.to_owned();
            }
        }
        let mut message = message.to_owned();
        for (uid, name) in &self.uids {
            message = message.replace(uid, name);
        }
        // What follows is how far this server is.
        for mark in [", current: ", "too old resource version: "] {
            if let Some((before, _)) = message.split_once(mark) {
                return format!("{before}{mark}");
            }
        }
        if !message.to_lowercase().contains("resource version")
            && !message.contains("ResourceVersion")
        {
            return message;
        }
        for (version, name) in self.versions.iter().rev() {
            message = message
                .replace(&format!(": {version}"), &format!(": {name}"))
                .replace(&format!("({version})"), &format!("({name})"));
        }
        message
    }
}

/// The server tells several causes in any order, and some of them twice, since it checks some rules twice.
fn sort_causes(status: &mut Map<String, Value>) {
    let causes = status
        .get_mut("details")
        .and_then(|details| details.get_mut("causes"));
    let Some(causes) = causes.and_then(Value::as_array_mut) else {
        return;
    };
    causes.sort_by_key(Value::to_string);
    causes.dedup();
    if causes.len() > 1
        && let Some(Value::String(message)) = status.get_mut("message")
        && let Some((before, _)) = message.split_once(" is invalid: ")
    {
        *message = format!("{before} is invalid");
    }
}

/// When a definition was accepted is told in its conditions.
fn strike_times(fields: &mut Map<String, Value>) {
    let conditions = fields.get_mut("conditions").and_then(Value::as_array_mut);
    for condition in conditions.into_iter().flatten() {
        if let Some(Value::String(time)) = condition.get_mut("lastTransitionTime") {
            *time = shape(time);
        }
    }
}

/// A time with its digits struck out.
fn shape(time: &str) -> String {
    let strike = |letter: char| {
        if letter.is_ascii_digit() { '0' } else { letter }
    };
    time.chars().map(strike).collect()
}

fn version(metadata: &Map<String, Value>) -> Option<u64> {
    metadata.get("resourceVersion")?.as_str()?.parse().ok()
}

/// Calls `seen` for the metadata of all objects and lists in an answer.
fn each_object(value: &Value, seen: &mut impl FnMut(&Map<String, Value>, bool)) {
    match value {
        Value::Array(items) => {
            for item in items {
                each_object(item, seen);
            }
        }
        Value::Object(fields) => {
            if let Some(Value::Object(metadata)) = fields.get("metadata") {
                seen(metadata, metadata.contains_key("uid"));
            }
            for name in ["items", "object"] {
                if let Some(value) = fields.get(name) {
                    each_object(value, seen);
                }
            }
        }
        _ => {}
    }
}
