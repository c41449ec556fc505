//! The kinds that the server has without a definition.

use serde_json::json;

use super::{DEFINITIONS, Kind, Nature, Schema};

impl Kind {
    /// Leases, Events, and definitions.
    pub(crate) fn built_in() -> impl Iterator<Item = Self> {
        let kind =
            |nature, group: &str, plural: &str, kind: &str, schema: &serde_json::Value| Self {
                group: group.to_owned(),
                version: "v1".to_owned(),
                plural: plural.to_owned(),
                singular: kind.to_owned(),
                list: format!("{kind}List"),
                namespaced: nature != Nature::Definition,
                nature,
                has_rules: false,
                // They are written here, and can be read.
                schema: Schema::read(schema).unwrap_or_default(),
            };
        let lease = json!({"properties": {"spec": {"properties": {
            "holderIdentity": {"type": "string"},
            "leaseDurationSeconds": {"type": "integer", "format": "int32"},
            "acquireTime": {"type": "string"},
            "renewTime": {"type": "string"},
            "leaseTransitions": {"type": "integer", "format": "int32"},
            "strategy": {"type": "string"},
            "preferredHolder": {"type": "string"},
        }, "default": {}}}});
        let event = json!({"x-kubernetes-preserve-unknown-fields": true, "properties": {
            "deprecatedFirstTimestamp": {"nullable": true, "default": null},
            "deprecatedLastTimestamp": {"nullable": true, "default": null},
            "deprecatedSource": {"x-kubernetes-preserve-unknown-fields": true, "default": {}},
        }});
        let any = json!({"x-kubernetes-preserve-unknown-fields": true});
        [
            kind(
                Nature::Lease,
                "coordination.k8s.io",
                "leases",
                "Lease",
                &lease,
            ),
            kind(Nature::Event, "events.k8s.io", "events", "Event", &event),
            kind(
                Nature::Definition,
                "apiextensions.k8s.io",
                DEFINITIONS,
                "CustomResourceDefinition",
                &any,
            ),
        ]
        .into_iter()
    }
}
