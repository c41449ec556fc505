//! Objects of the API server as raw JSON, and kubectl as a person uses it.

use std::process::Stdio;

use control_plane::ControlPlane;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::core::{ApiResource, DynamicObject, GroupVersionKind};
use kube::{Api, Client};
use serde_json::Value;

use super::time::block_on;

/// Grants, accesses and policies, acting as an administrator.
pub struct Kubernetes {
    client: Client,
}

/// The three kinds, and namespaces.
#[derive(Clone, Copy, Debug)]
pub enum Resource {
    Grant,
    Access,
    Policy,
    Namespace,
}

impl Resource {
    fn api_resource(self) -> ApiResource {
        let kind = match self {
            Self::Grant => "BreakglassGrant",
            Self::Access => "BreakglassAccess",
            Self::Policy => "BreakglassPolicy",
            Self::Namespace => {
                return ApiResource::from_gvk(&GroupVersionKind::gvk("", "v1", "Namespace"));
            }
        };
        let kind = GroupVersionKind::gvk("breakglass.dev", "v1alpha1", kind);
        ApiResource::from_gvk(&kind)
    }
}

impl Kubernetes {
    pub fn new(client: Client) -> Self {
        Self { client }
    }

    fn api(&self, resource: Resource, namespace: Option<&str>) -> Api<DynamicObject> {
        let kind = resource.api_resource();
        match namespace {
            Some(namespace) => Api::namespaced_with(self.client.clone(), namespace, &kind),
            None => Api::all_with(self.client.clone(), &kind),
        }
    }

    /// Makes an object, as it is written there.
    pub fn create(&self, resource: Resource, object: &Value) -> Result<Value, kube::Error> {
        let namespace = object["metadata"]["namespace"].as_str();
        let object: DynamicObject = serde_json::from_value(object.clone()).unwrap();
        let api = self.api(resource, namespace);
        block_on(api.create(&PostParams::default(), &object)).map(json)
    }

    /// An object, if there is one.
    pub fn get(
        &self,
        resource: Resource,
        namespace: Option<&str>,
        name: &str,
    ) -> Result<Option<Value>, kube::Error> {
        let api = self.api(resource, namespace);
        Ok(block_on(api.get_opt(name))?.map(json))
    }

    /// All objects of a kind, in a namespace or everywhere.
    pub fn list(
        &self,
        resource: Resource,
        namespace: Option<&str>,
    ) -> Result<Vec<Value>, kube::Error> {
        let api = self.api(resource, namespace);
        let list = block_on(api.list(&ListParams::default()))?;
        Ok(list.items.into_iter().map(json).collect())
    }

    /// Changes what the merge patch says.
    pub fn patch(
        &self,
        resource: Resource,
        namespace: Option<&str>,
        name: &str,
        patch: &Value,
    ) -> Result<Value, kube::Error> {
        let api = self.api(resource, namespace);
        block_on(api.patch(name, &PatchParams::default(), &Patch::Merge(patch))).map(json)
    }

    /// Changes the status as the merge patch says.
    pub fn patch_status(
        &self,
        resource: Resource,
        namespace: Option<&str>,
        name: &str,
        patch: &Value,
    ) -> Result<Value, kube::Error> {
        let api = self.api(resource, namespace);
        block_on(api.patch_status(name, &PatchParams::default(), &Patch::Merge(patch))).map(json)
    }

    /// Asks for an object to be deleted; it is no error if it is gone.
    pub fn delete(
        &self,
        resource: Resource,
        namespace: Option<&str>,
        name: &str,
    ) -> Result<(), kube::Error> {
        let api = self.api(resource, namespace);
        match block_on(api.delete(name, &DeleteParams::default())) {
            Ok(_) => Ok(()),
            Err(kube::Error::Api(status)) if status.is_not_found() => Ok(()),
            Err(error) => Err(error),
        }
    }
}

fn json(object: DynamicObject) -> Value {
    serde_json::to_value(object).unwrap()
}

/// What kubectl prints for a user, or what it complains about.
pub fn kubectl(
    control_plane: &ControlPlane,
    user: &str,
    arguments: &[&str],
) -> Result<String, String> {
    let mut command = control_plane
        .kubectl(user)
        .map_err(|error| error.to_string())?;
    let output = command
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| error.to_string())?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if output.status.success() {
        Ok(text(&output.stdout))
    } else {
        Err(text(&output.stderr))
    }
}
