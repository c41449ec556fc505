//! What is checked before anything is done: the API server, and definitions that fit this binary.

use std::time::Duration;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::{Api, Client};
use serde_json::Value;
use tokio::time::Instant;

use crate::api::crds;
use crate::telemetry::chain;

const TIMEOUT: Duration = Duration::from_secs(10);
/// How long refusals are taken for those of an API server that is still starting.
const REFUSAL_PATIENCE: Duration = Duration::from_secs(20);

/// Why the controller can't start. Each says in one line what to do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The definitions can't be made: a bug.
    #[error("a bug: the CustomResourceDefinitions can't be made")]
    Definitions(#[source] serde_json::Error),
    /// A definition is missing.
    #[error(
        "the CustomResourceDefinition {0} is missing: install it with `breakglass crds | kubectl apply --server-side -f -`"
    )]
    Missing(String),
    /// A definition is older than this binary.
    #[error(
        "the CustomResourceDefinition {0} is older than this binary (it lacks {1}): upgrade it with `breakglass crds | kubectl apply --server-side -f -`"
    )]
    Outdated(String, String),
    /// The API server refuses us.
    #[error(
        "the API server refuses us: {0}. Check the kubeconfig or the service account, and its rights (deploy/kustomize)"
    )]
    Refused(String),
}

/// Waits until the API server answers, and checks the definitions. Only what a person must mend is
/// an error; an API server that does not answer is waited for.
pub async fn check(client: &Client) -> Result<(), Error> {
    let api: Api<CustomResourceDefinition> = Api::all(client.clone());
    let mut refused = None;
    for wanted in crds::all().map_err(Error::Definitions)? {
        let name = wanted
            .pointer("/metadata/name")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned();
        let installed = loop {
            match tokio::time::timeout(TIMEOUT, api.get(&name)).await {
                Ok(Ok(installed)) if installed.metadata.name.as_ref() == Some(&name) => {
                    break installed;
                }
                Ok(Ok(_)) => tracing::warn!(
                    "something before the API server answers that is no definition; waiting for it"
                ),
                // The page of a proxy that does not reach the API server has that code, and no reason.
                Ok(Err(kube::Error::Api(status))) if status.reason == "NotFound" => {
                    return Err(Error::Missing(name));
                }
                // Any other answer is of something in between, or of a server that is not up yet.
                Ok(Err(kube::Error::Api(status))) if matches!(status.code, 401 | 403) => {
                    // An API server that has just started refuses everybody for a moment.
                    let since = *refused.get_or_insert_with(Instant::now);
                    if since.elapsed() >= REFUSAL_PATIENCE {
                        return Err(Error::Refused(status.message.clone()));
                    }
                    tracing::warn!(
                        "the API server refuses us: {}; trying again",
                        status.message
                    );
                }
                Ok(Err(error)) => tracing::warn!(
                    error = chain(&error),
                    "the API server can't be reached; waiting for it"
                ),
                Err(_) => tracing::warn!("the API server does not answer; waiting for it"),
            }
            tokio::time::sleep(Duration::from_secs(2)).await;
        };
        let installed = serde_json::to_value(installed).map_err(Error::Definitions)?;
        if let Some(field) = lacking(&schema(wanted), &schema(&installed), "") {
            return Err(Error::Outdated(name, field));
        }
    }
    Ok(())
}

fn schema(crd: &Value) -> Value {
    let versions = crd.pointer("/spec/versions").and_then(Value::as_array);
    let ours = versions
        .into_iter()
        .flatten()
        .find(|version| version["name"] == crate::api::VERSION);
    ours.and_then(|version| version.pointer("/schema/openAPIV3Schema").cloned())
        .unwrap_or_default()
}

/// The first field of `wanted` that `installed` lacks: the API server would drop it silently.
fn lacking(wanted: &Value, installed: &Value, path: &str) -> Option<String> {
    if let Some(properties) = wanted["properties"].as_object() {
        for (name, wanted) in properties {
            let path = format!("{path}.{name}");
            match installed.pointer(&format!("/properties/{name}")) {
                None => return Some(path),
                Some(installed) => {
                    if let Some(field) = lacking(wanted, installed, &path) {
                        return Some(field);
                    }
                }
            }
        }
    }
    match (&wanted["items"], &installed["items"]) {
        (Value::Null, _) => None,
        (wanted, installed) => lacking(wanted, installed, &format!("{path}[]")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_field_that_an_older_definition_lacks_is_named() {
        let wanted = json!({"properties": {"a": {}, "b": {"items": {"properties": {"c": {}}}}}});
        assert_eq!(lacking(&wanted, &wanted, ""), None);
        let older = json!({"properties": {"a": {}, "b": {"items": {"properties": {}}}}});
        assert_eq!(lacking(&wanted, &older, "").as_deref(), Some(".b[].c"));
        // A newer definition has more than we know.
        assert_eq!(lacking(&older, &wanted, ""), None);
    }
}
