//! A grant as read from raw JSON. What ends it is read even when the rest can't be.

use jiff::Timestamp;
use kube::core::DynamicObject;
use serde_json::Value;

use super::target::Target;
use crate::api::access::{GrantRef, Provenance};
use crate::api::grant::{BreakglassGrantSpec, BreakglassGrantStatus};
use crate::api::{FINALIZER, PROVENANCE_ANNOTATIONS, REQUESTED_AT_ANNOTATION, REVOKE_ANNOTATION};
use crate::digest::shortened;

/// What a grant asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The user, as written.
    pub user: String,
    /// The target, as written.
    pub target: Target,
    /// When access starts; none means as soon as admitted.
    pub start: Option<Timestamp>,
    /// When access ends.
    pub expiry: Timestamp,
    /// The ticket, where there is one.
    pub ticket: Option<String>,
}

impl Asked {
    fn parse(spec: &Value) -> Result<Self, String> {
        let spec: BreakglassGrantSpec = serde_json::from_value(spec.clone())
            .map_err(|error| format!("the spec can't be read: {error}"))?;
        let target = Target::parse(&spec.target).ok_or(
            "exactly one of accountAssignment, identityCenterGroup and iamGroup must be set",
        )?;
        if spec.user.is_empty() {
            return Err("spec.user is empty".into());
        }
        if spec
            .start_time
            .is_some_and(|start| start >= spec.expiry_time)
        {
            return Err("spec.expiryTime must be after spec.startTime".into());
        }
        Ok(Self {
            user: spec.user,
            target,
            start: spec.start_time,
            expiry: spec.expiry_time,
            ticket: spec.ticket,
        })
    }

    /// Hash over what may not change once a claim stands: user, target, and start as an instant
    /// (the same instant written with another offset is no change). Claims keep it, so it must come
    /// out the same in every version of this program.
    pub fn hash(&self) -> String {
        let start = self
            .start
            .map_or(String::new(), |start| start.as_nanosecond().to_string());
        let target = match &self.target {
            Target::AccountAssignment {
                account,
                permission_set,
            } => ["accountAssignment", account, permission_set],
            Target::IdentityCenterGroup { name } => ["identityCenterGroup", "", name],
            Target::IamGroup { account, name } => ["iamGroup", account, name],
        };
        let parts = [self.user.as_str(), start.as_str()];
        crate::digest::of(16, parts.into_iter().chain(target))
    }
}

/// A grant, parsed as far as possible.
#[derive(Clone, Debug, PartialEq)]
pub struct GrantView {
    /// Namespace and name.
    pub reference: GrantRef,
    /// Uid: a grant made again under the same name is another one.
    pub uid: String,
    /// metadata.generation.
    pub generation: i64,
    /// When the object was made, by the API server's clock.
    pub created: Timestamp,
    /// Whether somebody has deleted it, and finalizers hold it.
    pub deleting: bool,
    /// Whether it carries our finalizer.
    pub finalizer: bool,
    /// Why it was revoked, if it was, by the field or by the annotation.
    pub revoked: Option<String>,
    /// Value of the annotation that asks for a check now.
    pub requested_at: Option<String>,
    /// Where it came from, unverified.
    pub provenance: Option<Provenance>,
    /// What it asks for, or why that can't be told.
    pub asked: Result<Asked, String>,
    /// The status that was written last. Never an authority, except that an end found there forbids granting.
    pub status: BreakglassGrantStatus,
}

impl GrantView {
    /// Reads a grant. None only where the object lacks what the API server always sets.
    pub fn parse(object: &DynamicObject) -> Option<Self> {
        let meta = &object.metadata;
        let annotation = |key: &str| {
            meta.annotations
                .as_ref()
                .and_then(|annotations| annotations.get(key))
                .cloned()
        };
        let spec = object.data.get("spec").unwrap_or(&Value::Null);
        let status = object.data.get("status").cloned().unwrap_or(Value::Null);
        let by_field = is_true(spec.get("revoked")).then(|| "spec.revoked is true".to_owned());
        let by_annotation = annotation(REVOKE_ANNOTATION).map(|why| {
            let why = if why.trim().is_empty() {
                "no reason given"
            } else {
                &shortened(why.trim(), LONGEST_REASON)
            };
            format!("annotation {REVOKE_ANNOTATION}: {why}")
        });
        let short = |key| annotation(key).map(|text| shortened(&text, LONGEST_PROVENANCE));
        let [pull_request, commit, approved_by] = PROVENANCE_ANNOTATIONS.map(short);
        let provenance = Provenance {
            pull_request,
            commit,
            approved_by,
        };
        Some(Self {
            reference: GrantRef {
                namespace: meta.namespace.clone()?,
                name: meta.name.clone()?,
            },
            uid: meta.uid.clone()?,
            generation: meta.generation.unwrap_or_default(),
            created: meta.creation_timestamp.as_ref()?.0,
            deleting: meta.deletion_timestamp.is_some(),
            finalizer: meta
                .finalizers
                .as_ref()
                .is_some_and(|all| all.iter().any(|f| f == FINALIZER)),
            revoked: by_annotation.or(by_field),
            requested_at: short(REQUESTED_AT_ANNOTATION),
            provenance: (provenance != Provenance::default()).then_some(provenance),
            asked: Asked::parse(spec),
            status: lenient_status(status),
        })
    }
}

/// Annotations may be 256 kB long together, and the ledger must stay writable whatever people write.
const LONGEST_PROVENANCE: usize = 256;
const LONGEST_REASON: usize = 1024;

/// `revoked` must be understood in whatever form an older definition let it through.
fn is_true(value: Option<&Value>) -> bool {
    match value {
        Some(Value::Bool(revoked)) => *revoked,
        Some(Value::String(text)) => text.eq_ignore_ascii_case("true"),
        _ => false,
    }
}

/// A forged or older status must not stop the watch: what can't be read is taken as never written,
/// save the end, which may only ever forbid.
fn lenient_status(status: Value) -> BreakglassGrantStatus {
    let ended = status
        .get("endedTime")
        .filter(|ended| !ended.is_null())
        .map(|ended| ended.as_str().and_then(|text| text.parse().ok()));
    let access_name = status
        .get("accessName")
        .and_then(Value::as_str)
        .map(str::to_owned);
    serde_json::from_value(status).unwrap_or_else(|_| BreakglassGrantStatus {
        ended_time: ended.map(|time| time.unwrap_or(Timestamp::UNIX_EPOCH)),
        access_name,
        ..BreakglassGrantStatus::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::fixtures::raw_grant;
    use serde_json::json;

    #[test]
    fn a_grant_that_no_longer_parses_still_tells_that_it_was_revoked() {
        let view = GrantView::parse(&raw_grant(json!({"user": 7, "revoked": true}))).unwrap();
        assert!(view.asked.is_err());
        assert_eq!(view.revoked.as_deref(), Some("spec.revoked is true"));
    }

    fn hash(start: &str) -> String {
        let spec = json!({
            "user": "alice", "reason": "r", "startTime": start, "expiryTime": "2026-01-02T00:00:00Z",
            "target": {"iamGroup": {"account": "111122223333", "name": "Ops"}},
        });
        let view = GrantView::parse(&raw_grant(spec)).unwrap();
        view.asked.unwrap().hash()
    }

    #[test]
    fn the_same_instant_with_another_offset_is_the_same_grant() {
        assert_eq!(
            hash("2026-01-01T09:00:00Z"),
            hash("2026-01-01T10:00:00+01:00")
        );
        assert_ne!(hash("2026-01-01T09:00:00Z"), hash("2026-01-01T09:00:01Z"));
    }

    /// Another hash would end every running grant at the next upgrade.
    #[test]
    fn a_hash_that_is_in_the_ledger_stays_what_it_is() {
        assert_eq!(
            hash("2026-01-01T09:00:00Z"),
            "6dede42b4779ef3cab7a4b54c395e00e"
        );
    }

    /// The ledger and the status must stay writable, or nothing could be ended any more.
    #[test]
    fn what_annotations_say_is_kept_short() {
        let mut raw = raw_grant(json!({}));
        let long = "x".repeat(200_000);
        raw.metadata.annotations = Some(
            [REVOKE_ANNOTATION, PROVENANCE_ANNOTATIONS[1]]
                .map(|key| (key.to_owned(), long.clone()))
                .into(),
        );
        let view = GrantView::parse(&raw).unwrap();
        assert!(view.revoked.unwrap().len() < 2_000);
        assert_eq!(view.provenance.unwrap().commit.unwrap().len(), 256);
    }

    #[test]
    fn a_status_that_is_nonsense_is_as_good_as_none_but_its_end_counts() {
        let mut raw = raw_grant(json!({}));
        raw.data["status"] = json!({"state": "Excellent", "endedTime": "soon"});
        assert!(GrantView::parse(&raw).unwrap().status.ended_time.is_some());
    }
}
