//! The CustomResourceDefinitions, made from the types in this folder.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;
use serde_json::{Value, json};

use super::access::BreakglassAccess;
use super::grant::BreakglassGrant;
use super::policy::BreakglassPolicy;

/// The definitions of all kinds, in the order in which people meet them.
pub fn all() -> Result<Vec<Value>, serde_json::Error> {
    let mut grant = to_json(&BreakglassGrant::crd())?;
    // With a default, `status.state` is there from the first moment: selectors and health checks
    // that read it never fail on an object that the controller has not seen yet.
    if let Some(status) =
        grant.pointer_mut("/spec/versions/0/schema/openAPIV3Schema/properties/status")
    {
        *status = merged(status.take(), json!({"default": {"state": "Pending"}}));
    }
    Ok(vec![
        grant,
        to_json(&BreakglassPolicy::crd())?,
        to_json(&BreakglassAccess::crd())?,
    ])
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
