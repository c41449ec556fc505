//! The kinds that the scripts are about.

use std::path::Path;
use std::time::Duration;

use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, PostParams};
use serde_json::{Value, json};

pub const WIDGETS: &str = "/apis/sim.example/v1/namespaces";
pub const GADGETS: &str = "/apis/sim.example/v1/gadgets";

/// A kind in a namespace, with defaults, a default status, and the status as a subresource.
fn widgets() -> Value {
    let part = json!({"type": "object", "required": ["id"], "properties": {
        "id": {"type": "string", "minLength": 1, "maxLength": 8},
        "weight": {"type": "integer", "default": 3, "minimum": 0, "maximum": 10},
    }});
    let schema = json!({"type": "object", "required": ["spec"], "properties": {
        "spec": {"type": "object", "required": ["size"], "properties": {
            "size": {"type": "integer", "format": "int32"},
            "colour": {"type": "string", "default": "grey", "enum": ["grey", "red", "blue"]},
            "code": {"type": "string", "nullable": true, "pattern": "^[a-z]{2}-[0-9]+$"},
            "due": {"type": "string", "format": "date-time", "nullable": true},
            "ratio": {"type": "number"},
            "hidden": {"type": "boolean", "default": false},
            "tags": {"type": "array", "items": {"type": "string"}, "maxItems": 3},
            "parts": {
                "type": "array",
                "items": part,
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["id"],
            },
            "extra": {"type": "object", "additionalProperties": {"type": "string"}},
            "port": {"x-kubernetes-int-or-string": true},
            "box": {"type": "object", "default": {}, "properties": {
                "depth": {"type": "integer", "default": 1},
            }},
            "anything": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
        }},
        "status": {
            "type": "object",
            "nullable": true,
            "default": {"state": "Pending"},
            "properties": {
                "state": {"type": "string", "default": "Pending"},
                "count": {"type": "integer"},
            },
        },
    }});
    definition(
        "widgets",
        "Widget",
        "Namespaced",
        &json!({"status": {}}),
        &schema,
    )
}

/// A kind of the whole cluster, without a subresource.
fn gadgets() -> Value {
    let any = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    let schema = json!({"type": "object", "properties": {"spec": any, "status": any}});
    definition("gadgets", "Gadget", "Cluster", &json!({}), &schema)
}

fn definition(
    plural: &str,
    kind: &str,
    scope: &str,
    subresources: &Value,
    schema: &Value,
) -> Value {
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("{plural}.sim.example")},
        "spec": {
            "group": "sim.example",
            "names": {"kind": kind, "plural": plural},
            "scope": scope,
            "versions": [{
                "name": "v1",
                "served": true,
                "storage": true,
                "subresources": subresources,
                "schema": {"openAPIV3Schema": schema},
            }],
        },
    })
}

/// The definitions of the project, by the names of their files in `crds`.
fn project(file: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../crds")
        .join(file);
    serde_saphyr::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

pub fn all() -> Vec<Value> {
    vec![
        widgets(),
        gadgets(),
        project("breakglassaccesses.yaml"),
        project("breakglassgrants.yaml"),
        project("breakglasspolicies.yaml"),
    ]
}

/// A widget that nothing is wrong with.
pub fn widget(name: &str) -> Value {
    json!({
        "apiVersion": "sim.example/v1",
        "kind": "Widget",
        "metadata": {"name": name},
        "spec": {"size": 1},
    })
}

/// A gadget that nothing is wrong with.
pub fn gadget(name: &str) -> Value {
    json!({
        "apiVersion": "sim.example/v1",
        "kind": "Gadget",
        "metadata": {"name": name},
        "spec": {"size": 1},
    })
}

/// Installs all definitions on a real server, and waits until they are served.
pub async fn install(client: &kube::Client) {
    let api: Api<CustomResourceDefinition> = Api::all(client.clone());
    for definition in all() {
        let definition = serde_json::from_value(definition).unwrap();
        present(api.create(&PostParams::default(), &definition).await);
    }
    for definition in all() {
        let (group, name) = (
            &definition["spec"]["group"],
            &definition["spec"]["names"]["plural"],
        );
        let version = &definition["spec"]["versions"][0]["name"];
        let [group, version, name] = [group, version, name].map(|text| text.as_str().unwrap());
        let path = format!("/apis/{group}/{version}/{name}");
        // A kind is served a moment after its definition says so.
        loop {
            let request = api_simulator::http::Request::get(&path)
                .body(Vec::new())
                .unwrap();
            if client.request_text(request).await.is_ok() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

pub async fn make_namespace(client: &kube::Client, name: &str) {
    let api: Api<Namespace> = Api::all(client.clone());
    let namespace = json!({"metadata": {"name": name}});
    let namespace = serde_json::from_value(namespace).unwrap();
    present(api.create(&PostParams::default(), &namespace).await);
}

/// Another test may have made it.
fn present<T>(made: Result<T, kube::Error>) {
    match made {
        Ok(_) => {}
        Err(kube::Error::Api(status)) if status.is_already_exists() => {}
        Err(error) => panic!("{error}"),
    }
}
