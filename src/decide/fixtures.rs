//! Objects for tests.

use jiff::Timestamp;
use kube::core::DynamicObject;
use serde_json::{Value, json};

use crate::api::access::{BreakglassAccessSpec, Claim, GrantRef, Holder, PolicyRef};
use crate::api::policy::OnExternalRemoval;
use crate::api::tuple::{AccountAssignment, IamGroup, IdentityCenterGroup, Tuple};

/// A point in time, so many seconds after the tests' beginning.
pub(crate) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_767_225_600 + second).unwrap()
}

/// A grant as the API server stores it, made at second 0.
pub(crate) fn raw_grant(spec: impl Into<Value>) -> DynamicObject {
    serde_json::from_value(json!({
        "apiVersion": "breakglass.dev/v1alpha1",
        "kind": "BreakglassGrant",
        "metadata": {
            "name": "grant", "namespace": "breakglass", "uid": "uid-1", "generation": 1,
            "creationTimestamp": at(0).to_string(),
        },
        "spec": spec.into(),
    }))
    .unwrap()
}

/// A policy as the API server stores it.
pub(crate) fn raw_policy(name: &str, spec: impl Into<Value>) -> DynamicObject {
    serde_json::from_value(json!({
        "apiVersion": "breakglass.dev/v1alpha1",
        "kind": "BreakglassPolicy",
        "metadata": {"name": name, "generation": 1},
        "spec": spec.into(),
    }))
    .unwrap()
}

/// Some process.
pub(crate) fn holder(pod: &str) -> Holder {
    Holder {
        pod: pod.into(),
        run: "1".into(),
    }
}

/// A tuple.
pub(crate) fn tuple() -> Tuple {
    Tuple::IamGroup(IamGroup {
        account: "111122223333".into(),
        group_id: "AGPA1".into(),
        group: "Ops".into(),
        user_id: "AIDA1".into(),
        user: "alice".into(),
    })
}

/// A tuple of the first, second or third kind, all of whose parts are called so.
pub(crate) fn some_tuple(kind: i32, text: &str) -> Tuple {
    let text = || text.to_owned();
    match kind {
        0 => Tuple::AccountAssignment(AccountAssignment {
            instance_arn: text(),
            identity_store_id: text(),
            account: text(),
            permission_set_arn: text(),
            permission_set: text(),
            user_id: text(),
            user: text(),
        }),
        1 => Tuple::IdentityCenterGroup(IdentityCenterGroup {
            instance_arn: text(),
            identity_store_id: text(),
            group_id: text(),
            group: text(),
            user_id: text(),
            user: text(),
        }),
        _ => Tuple::IamGroup(IamGroup {
            account: text(),
            group_id: text(),
            group: text(),
            user_id: text(),
            user: text(),
        }),
    }
}

/// A claim from and to these seconds.
pub(crate) fn claim(uid: &str, start: i64, expiry: i64) -> Claim {
    Claim {
        grant: GrantRef {
            namespace: "breakglass".into(),
            name: uid.into(),
        },
        uid: uid.into(),
        spec_hash: "hash".into(),
        start_time: at(start),
        expiry_time: at(expiry),
        active_time: None,
        granted_time: None,
        policy: PolicyRef {
            name: "policy".into(),
            generation: 1,
        },
        on_external_removal: OnExternalRemoval::Restore,
        exclusive: false,
        provenance: None,
    }
}

/// AWS shows the access for that claim, since that second.
pub(crate) fn shown(claim: &mut Claim, since: i64) {
    claim.active_time = Some(at(since));
    claim.granted_time = Some(at(since));
}

/// A ledger entry with these claims, never opened.
pub(crate) fn ledger(claims: Vec<Claim>) -> BreakglassAccessSpec {
    BreakglassAccessSpec {
        claims,
        ..BreakglassAccessSpec::new(tuple())
    }
}
