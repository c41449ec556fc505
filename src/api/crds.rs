//! The `CustomResourceDefinitions`, made from the types in this folder.

use std::sync::OnceLock;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;
use serde_json::{Value, json};

use super::access::BreakglassAccess;
use super::conditions;
use super::grant::BreakglassGrant;
use super::policy::BreakglassPolicy;

/// They are large, and made but once.
static ALL: OnceLock<[Value; 3]> = OnceLock::new();

/// The definitions of all kinds, in the order in which people meet them.
pub fn all() -> Result<&'static [Value], serde_json::Error> {
    if let Some(all) = ALL.get() {
        return Ok(all);
    }
    let made = make()?;
    Ok(ALL.get_or_init(|| made))
}

fn make() -> Result<[Value; 3], serde_json::Error> {
    let mut grant = to_json(&BreakglassGrant::crd())?;
    // With a default, `status.state` is there from the first moment: selectors and health checks
    // that read it never fail on an object that the controller has not seen yet. And what nobody has
    // looked at must not pass for healthy: kstatus takes an object without conditions for that.
    if let Some(status) =
        grant.pointer_mut("/spec/versions/0/schema/openAPIV3Schema/properties/status")
    {
        *status = merged(status.take(), json!({"default": fresh_status()}));
    }
    Ok([
        grant,
        to_json(&BreakglassPolicy::crd())?,
        to_json(&BreakglassAccess::crd())?,
    ])
}

/// The status of a grant that no controller has seen. Its time is that of nobody's doing.
fn fresh_status() -> Value {
    json!({
        "state": "Pending",
        "conditions": [{
            "type": conditions::READY,
            "status": "Unknown",
            "reason": "Pending",
            "message": "Waiting for the controller",
            "lastTransitionTime": "1970-01-01T00:00:00Z",
        }],
    })
}

/// The definitions as files: name and content, one file per kind.
pub fn files() -> Result<Vec<(String, String)>, Error> {
    let file = |crd: &Value| {
        let plural = crd
            .pointer("/spec/names/plural")
            .and_then(Value::as_str)
            .unwrap_or_default();
        Ok((format!("{plural}.yaml"), serde_saphyr::to_string(crd)?))
    };
    all()?.iter().map(file).collect()
}

/// The definitions can't be made: a bug.
#[derive(Debug, thiserror::Error)]
#[error("a bug: the CustomResourceDefinitions can't be made")]
pub enum Error {
    /// Not as JSON.
    Json(#[from] serde_json::Error),
    /// Not as YAML.
    Yaml(#[from] serde_saphyr::ser::Error),
}

fn to_json(crd: &CustomResourceDefinition) -> Result<Value, serde_json::Error> {
    serde_json::to_value(crd)
}

fn merged(mut base: Value, extra: Value) -> Value {
    if let (Some(base), Value::Object(extra)) = (base.as_object_mut(), extra) {
        base.extend(extra);
    }
    base
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_in_crds_are_what_the_types_say() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("crds");
        for (name, wanted) in files().unwrap() {
            let found = std::fs::read_to_string(folder.join(&name)).unwrap_or_default();
            assert!(found == wanted, "crds/{name} is stale: run `make crds`");
        }
    }

    #[test]
    fn kubectl_explain_has_something_to_say_about_every_field() {
        for crd in all().unwrap() {
            let kind = crd
                .pointer("/spec/names/kind")
                .and_then(Value::as_str)
                .unwrap()
                .to_owned();
            let schema = crd
                .pointer("/spec/versions/0/schema/openAPIV3Schema")
                .unwrap();
            let mut silent = Vec::new();
            find_silent(schema, &kind, &mut silent);
            assert!(silent.is_empty(), "no description: {silent:?}");
        }
    }

    /// Walks every property, whatever it is nested in.
    fn find_silent(schema: &Value, path: &str, silent: &mut Vec<String>) {
        let text = schema["description"].as_str().unwrap_or_default();
        if (text.trim().is_empty() || text.contains("Auto-generated")) && !path.ends_with("[]") {
            silent.push(path.to_owned());
        }
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            find_silent(property, &format!("{path}.{name}"), silent);
        }
        if schema["items"].is_object() {
            find_silent(&schema["items"], &format!("{path}[]"), silent);
        }
    }
}
