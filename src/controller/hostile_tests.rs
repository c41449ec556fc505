//! Ledger entries and what is shown of them, whatever is in them.

use kube::core::DynamicObject;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use super::access_status::status;
use super::accesses::new_access;
use super::cluster::parse_access;
use super::events::note;
use super::memory::{Remembered, Trouble};
use super::watch::grants_of;
use crate::api::access::{AccessState, Attempt, BreakglassAccess, Operation, Origin, Provenance};
use crate::api::hostile_tests::tuple;
use crate::aws::Seen;
use crate::aws::error::Class;
use crate::config::Settings;
use crate::decide::access::{Known, Reading, Step, next, next_wake};
use crate::decide::fixtures::{at, claim, holder, ledger};
use crate::decide::ledger::{begin, end, purpose, revoke_due};
use crate::hostile::schema::complaints;
use crate::hostile::{cases, change, spoilt, text};

/// A ledger entry with everything in it that one can have.
fn whole() -> Value {
    let settings = Settings::default();
    let mut spec = ledger(vec![claim("one", 300, 500), claim("two", 0, 90)]);
    for claim in &mut spec.claims {
        claim.active_time = Some(at(5));
        claim.provenance = Some(Provenance {
            commit: Some("abc".into()),
            ..Provenance::default()
        });
    }
    let attempt = |operation, second| Attempt {
        operation,
        id: "1".into(),
        holder: holder("pod"),
        written_at: at(second),
        send_before: at(second + 10),
    };
    begin(&mut spec, attempt(Operation::Create, 1), &settings);
    begin(&mut spec, attempt(Operation::Delete, 60), &settings);
    end(
        &mut spec,
        &[("two".into(), crate::api::access::EndReason::Expired)],
        at(90),
    );
    spec.first_absent_time = Some(at(95));
    spec.delete_unknown_until = Some(at(99));
    spec.longest_session_seconds = Some(3_600);
    let mut access = new_access(spec);
    access.metadata.uid = Some("uid".into());
    let mut raw = serde_json::to_value(access).unwrap();
    raw["status"] = json!({
        "observed": {"presence": "Present", "sinceTime": at(5).to_string()},
        "tries": 3, "lastError": "no", "grants": ["a/b"], "pendingRequestId": "1",
        "conditions": [{
            "type": "Stalled", "status": "True", "reason": "R", "message": "m",
            "lastTransitionTime": at(5).to_string(),
        }],
    });
    raw
}

proptest! {
    #![proptest_config(cases(600))]

    /// What is damaged is not read, or it is decided upon like any other: never deleted unless it
    /// says that it is ours, and what has expired by it ends.
    #[test]
    fn a_ledger_entry_is_read_as_it_is_or_not_at_all(
        mut raw in spoilt(whole(), change(), 2),
        origin in prop::option::weighted(0.2, select(&["PreExisting", "created", ""][..])),
        now in 0i64..600,
    ) {
        if let (Some(origin), Some(spec)) = (origin, raw["spec"].as_object_mut()) {
            spec.insert("origin".into(), if origin.is_empty() { Value::Null } else { origin.into() });
        }
        let Ok(object) = serde_json::from_value::<DynamicObject>(raw.clone()) else { return Ok(()) };
        let named = grants_of(&object).count();
        let Ok(access) = parse_access(&object) else { return Ok(()) };
        prop_assert_eq!(named, access.spec.claims.len() + access.spec.ended.len());
        let again: BreakglassAccess = serde_json::from_value(serde_json::to_value(&access).unwrap()).unwrap();
        prop_assert_eq!(&again.spec, &access.spec);
        let settings = Settings::default();
        let now = at(now);
        let me = holder("pod");
        for seen in [None, Some(Seen::Absent), Some(Seen::Present { session_seconds: None })] {
            let reading = seen.map(|seen| Reading { begun: now, seen });
            let step = next(&Known {
                ledger: &access.spec,
                authorities: None,
                reading: reading.as_ref(),
                drift_due: true,
                me: &me,
                attempt_id: "2",
                now,
                settings: &settings,
            });
            if let Step::Send(_, operation) = &step {
                prop_assert_eq!(*operation, Operation::Delete, "a Create without authority");
                prop_assert_eq!(&raw["spec"]["origin"], "Created");
            }
            let expired = access.spec.claims.iter().any(|claim| now >= claim.expiry_time);
            prop_assert!(!expired || matches!(step, Step::End(_)), "{:?}", step);
        }
        purpose(&access.spec, now);
        revoke_due(&access.spec, now);
        prop_assert!(next_wake(&access.spec, now, &settings).is_none_or(|wake| wake > now));
    }

    /// What we write of any tuple, any trouble and any claim is what our own definition lets through.
    #[test]
    fn what_is_written_of_an_access_fits_its_definition(
        (tuple, message, name, request) in (tuple(), text(), text(), text()),
        (tries, now) in (0u32..3_000_000, 0i64..100_000),
        kind in 0..4,
    ) {
        let mut spec = ledger(vec![claim("one", 0, 100)]);
        spec.tuple = tuple;
        spec.claims[0].grant.name = name;
        spec.origin = Some(Origin::Created);
        spec.state = AccessState::Open;
        let access = new_access(spec);
        let json = serde_json::to_value(&access.spec).unwrap();
        let wrong = complaints("BreakglassAccess", "properties/spec", &json);
        prop_assert!(wrong.is_empty(), "{:?}", wrong);
        let remembered = Remembered {
            reading: Some((at(now), [Seen::Absent, Seen::Gone(message.clone())][usize::from(kind == 0)].clone())),
            tries,
            trouble: Some(Trouble {
                reason: "AccessDenied",
                message,
                stalled: kind == 1,
                class: (kind == 2).then_some(Class::Blocked),
            }),
            pending_request_id: Some(request),
            ..Remembered::default()
        };
        let shown = status(&access, &remembered, at(now), &Settings::default());
        let json = serde_json::to_value(&shown).unwrap();
        let wrong = complaints("BreakglassAccess", "properties/status", &json);
        prop_assert!(wrong.is_empty(), "{:?}", wrong);
        prop_assert!(json.to_string().len() < 200_000);
        prop_assert!(shown.last_error.is_none_or(|error| error.chars().count() <= 4_096));
        prop_assert_eq!(serde_json::from_value::<crate::api::access::BreakglassAccessStatus>(json).unwrap().tries, tries);
    }

    /// The API server counts bytes, and refuses an event that has too many.
    #[test]
    fn the_note_of_an_event_fits(message in text()) {
        let note = note(&message);
        prop_assert!(note.len() <= 1_024, "{} bytes", note.len());
        prop_assert!(message.starts_with(&note));
        prop_assert!(note == message || note.len() > 1_000);
    }
}
