//! Grants and policies that were right once and then were not. What makes no sense gives nothing,
//! and what was given ends all the same.

use kube::core::DynamicObject;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Value, json};

use super::fixtures::{at, claim, ledger, some_tuple};
use super::grant::{Next, Standing, decide, next_wake};
use super::grant_status::status;
use super::grant_verdict::{Facts, Obstacle};
use super::grant_view::GrantView;
use super::ledger::{Evidence, Lookup, end, end_of, evidence};
use super::policy::{Management, PolicySet, Protected, Question, Ruling};
use crate::api::access::{BreakglassAccess, Claim, EndReason, Origin};
use crate::api::grant::BreakglassGrantStatus;
use crate::api::{FINALIZER, REQUESTED_AT_ANNOTATION, REVOKE_ANNOTATION};
use crate::config::Settings;
use crate::hostile::schema::complaints;
use crate::hostile::{
    Change, any_json, cases, change, damage, nanoseconds, places, spoil, spoilt, text, time,
};

/// A grant with everything in it that a grant can have.
fn whole_grant() -> Value {
    json!({
        "apiVersion": "breakglass.dev/v1alpha1",
        "kind": "BreakglassGrant",
        "metadata": {
            "name": "grant", "namespace": "breakglass", "uid": "uid-1", "generation": 1,
            "creationTimestamp": at(0).to_string(),
            "finalizers": [FINALIZER],
            "annotations": {"breakglass.dev/commit": "abc", REQUESTED_AT_ANNOTATION: "now"},
        },
        "spec": {
            "user": "alice", "reason": "r", "ticket": "INC-1", "revoked": false,
            "target": {"iamGroup": {"account": "111122223333", "name": "Ops"}},
            "startTime": at(10).to_string(), "expiryTime": at(3_600).to_string(),
        },
        "status": {
            "state": "Active", "targetSummary": "group Ops@111122223333", "policy": "allow",
            "observedGeneration": 1, "accessName": "iam-1", "grantedTime": at(20).to_string(),
            "sessionsEndByTime": "unknown", "lastHandledRequest": "before",
            "conditions": [{
                "type": "Ready", "status": "True", "reason": "Active", "message": "m",
                "lastTransitionTime": at(20).to_string(), "observedGeneration": 1,
            }],
        },
    })
}

/// A grant of which some is spoilt: now and then what ends it, and now and then its times.
fn grant(changes: impl Strategy<Value = Change>) -> impl Strategy<Value = Value> {
    let ended = prop_oneof![
        6 => Just(None),
        1 => any_json().prop_map(|value| Some(("/status", "endedTime", value))),
        1 => any_json().prop_map(|value| Some(("/spec", "revoked", value))),
        1 => text().prop_map(|why| Some(("/metadata/annotations", REVOKE_ANNOTATION, why.into()))),
        1 => time().prop_map(|time| Some(("/metadata", "deletionTimestamp", time.into()))),
    ];
    let times = prop::option::weighted(0.3, (time(), time()));
    (spoilt(whole_grant(), changes, 2), ended, times).prop_map(|(mut grant, ended, times)| {
        if let (Some((start, expiry)), Some(spec)) = (times, grant["spec"].as_object_mut()) {
            spec.insert("startTime".into(), start.into());
            spec.insert("expiryTime".into(), expiry.into());
        }
        if let Some((parent, key, value)) = ended
            && let Some(Value::Object(parent)) = grant.pointer_mut(parent)
        {
            parent.insert(key.into(), value);
        }
        grant
    })
}

/// The grant as the watch hands it over; none where it would not get that far.
fn object(raw: &Value) -> Option<DynamicObject> {
    serde_json::from_value(raw.clone()).ok()
}

fn allow_policy() -> Value {
    json!({
        "apiVersion": "breakglass.dev/v1alpha1",
        "kind": "BreakglassPolicy",
        "metadata": {"name": "allow", "generation": 1},
        "spec": {
            "effect": "Allow", "namespaces": ["*"], "maxDuration": "8h", "maxLead": "99999h",
            "rules": [
                {"users": ["*"], "accountAssignment": {"accounts": ["111122223333"], "permissionSets": ["*"]}},
                {"users": ["*"], "identityCenterGroup": {"names": ["*"], "allowManagedGroups": true}},
                {"users": ["*"], "iamGroup": {"accounts": ["111122223333"], "names": ["*"]}},
            ],
            "onExternalRemoval": "Restore", "unexplained": "Report", "ownership": "Shared",
        },
    })
}

fn deny_policy() -> Value {
    json!({
        "apiVersion": "breakglass.dev/v1alpha1",
        "kind": "BreakglassPolicy",
        "metadata": {"name": "deny", "generation": 1},
        "spec": {"effect": "Deny", "namespaces": ["*"], "rules": [
            {"users": ["*"], "iamGroup": {"accounts": ["*"], "names": ["*"]}},
        ]},
    })
}

fn policies(raw: &[&Value]) -> PolicySet {
    let objects: Vec<_> = raw.iter().filter_map(|raw| object(raw)).collect();
    assert_eq!(objects.len(), raw.len());
    PolicySet::parse(&objects)
}

fn protected() -> Protected {
    Protected {
        management: Management::Account("999988887777".into()),
        ..Protected::default()
    }
}

/// A ledger entry that has a claim of the grant as it was when it made sense.
fn access() -> (BreakglassAccess, Claim) {
    let whole = GrantView::parse(&object(&whole_grant()).unwrap()).unwrap();
    let claim = Claim {
        spec_hash: whole.asked.unwrap().hash(),
        active_time: Some(at(20)),
        granted_time: Some(at(20)),
        ..claim("uid-1", 10, 3_600)
    };
    let mut access = BreakglassAccess::new("iam-1", ledger(vec![claim.clone()]));
    access.spec.origin = Some(Origin::Created);
    (access, claim)
}

/// Whether the raw object says in a form that can be read that the grant is to end.
fn says_end(raw: &Value) -> bool {
    let revoked = match &raw["spec"]["revoked"] {
        Value::Bool(revoked) => *revoked,
        Value::String(text) => text == "true",
        _ => false,
    };
    revoked
        || !raw["metadata"]["deletionTimestamp"].is_null()
        || !raw["metadata"]["annotations"][REVOKE_ANNOTATION].is_null()
}

proptest! {
    #![proptest_config(cases(600))]

    /// What is claimed can be read from the raw object by other means, and says what was read.
    #[test]
    fn nonsense_is_never_claimed(raw in grant(change()), now in -10i64..5_000) {
        let Some(view) = object(&raw).and_then(|object| GrantView::parse(&object)) else {
            return Ok(());
        };
        let set = policies(&[&allow_policy()]);
        let now = at(now);
        let decision = decide(&view, Standing::Unclaimed, &set, &protected(), now, &Settings::default());
        if !matches!(decision.next, Next::Claim(_)) {
            return Ok(());
        }
        let asked = view.asked.unwrap();
        let spec = &raw["spec"];
        prop_assert!(!says_end(&raw));
        prop_assert!(raw["status"]["endedTime"].is_null(), "it had ended");
        prop_assert_eq!(Some(asked.user.as_str()), spec["user"].as_str());
        prop_assert!(!asked.user.is_empty());
        let kinds = ["accountAssignment", "identityCenterGroup", "iamGroup"];
        let targets: Vec<_> = kinds.iter().filter(|kind| !spec["target"][**kind].is_null()).collect();
        prop_assert_eq!(targets.len(), 1);
        prop_assert!(spec["target"][*targets[0]].is_object());
        let instant = |key: &str| spec[key].as_str().and_then(nanoseconds);
        if let Some(said) = instant("expiryTime") {
            prop_assert_eq!(asked.expiry.as_nanosecond(), said);
        }
        prop_assert!(asked.expiry > now);
        prop_assert_eq!(asked.start.is_none(), spec["startTime"].is_null());
        if let (Some(start), Some(said)) = (asked.start, instant("startTime")) {
            prop_assert_eq!(start.as_nanosecond(), said);
            prop_assert!(start < asked.expiry);
        }
    }

    /// Cut off, doubled, or not text at all: as a proxy or a broken disk may hand it over. What can still be read is
    /// judged like any other.
    #[test]
    fn bytes_that_are_no_grant_are_refused_or_read_like_one(
        raw in grant(change()),
        edits in prop::collection::vec((any::<Index>(), any::<Index>(), any::<u8>(), 0..4), 0..4),
        now in -10i64..5_000,
    ) {
        let mut bytes = raw.to_string().into_bytes();
        for (at, to, byte, kind) in edits {
            let (at, to) = (at.index(bytes.len()), to.index(bytes.len()));
            match kind {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                2 => bytes.truncate(at.max(1)),
                // A field that is there twice, with another value.
                _ => {
                    let piece = bytes[at.min(to)..at.max(to)].to_vec();
                    bytes.splice(at..at, piece);
                }
            }
        }
        if let Ok(object) = serde_json::from_slice::<DynamicObject>(&bytes)
            && let Some(view) = GrantView::parse(&object)
        {
            let allowed = policies(&[&allow_policy()]);
            let settings = Settings::default();
            let decision = decide(&view, Standing::Unclaimed, &allowed, &protected(), at(now), &settings);
            if matches!(decision.next, Next::Claim(_)) {
                prop_assert!(view.asked.as_ref().is_ok_and(|asked| at(now) < asked.expiry));
            }
        }
    }

    /// R9: at once where that can still be read, else when its claim does, and never later.
    #[test]
    fn a_claimed_grant_that_turned_into_nonsense_ends(raw in grant(change())) {
        let (access, claim) = access();
        let lookup = object(&raw).and_then(|object| GrantView::parse(&object)).map_or(
            Lookup::Unreadable,
            |view| Lookup::Found(Box::new(view)),
        );
        let read = matches!(lookup, Lookup::Found(_));
        let found = evidence(&claim, &lookup, &PolicySet::default(), &access.spec.tuple);
        if read && says_end(&raw) {
            let at_once = end_of(&claim, &found, at(30));
            prop_assert!(at_once.is_some(), "it goes on: {:?}", found);
        }
        if let Evidence::Stands(until) = found {
            prop_assert!(until <= claim.expiry_time);
        }
        prop_assert_eq!(end_of(&claim, &found, claim.expiry_time), Some(EndReason::Expired));
    }

    /// The status is what our own definition lets through, or nobody would be told anything.
    #[test]
    fn a_status_can_be_written_whatever_the_grant_holds(
        raw in grant(change()),
        (now, standing) in (-10i64..5_000, 0..4),
        longest in prop::option::of(select(&[3_600, 0, -1, i64::MAX, i64::MIN][..])),
        (reason, message, policy) in (text(), text(), text()),
        kind in 0..3,
        request_waits in any::<bool>(),
    ) {
        let Some(view) = object(&raw).and_then(|object| GrantView::parse(&object)) else {
            return Ok(());
        };
        let (mut access, claim) = access();
        access.spec.longest_session_seconds = longest;
        access.spec.tuple = some_tuple(kind, &message);
        let mut gone = access.clone();
        end(&mut gone.spec, &[("uid-1".into(), EndReason::Deleted)], at(40));
        let standing = match standing {
            0 => Standing::Unclaimed,
            1 => Standing::Claimed(&access, &claim),
            2 => Standing::Ended(&gone, &gone.spec.ended[0]),
            _ => Standing::in_access(Some(&gone), &view.uid),
        };
        let settings = Settings::default();
        let mut raw_policy = allow_policy();
        raw_policy["metadata"]["name"] = policy.clone().into();
        raw_policy["spec"]["maxDuration"] = policy.into();
        let decision = decide(
            &view, standing, &policies(&[&raw_policy]), &protected(), at(now), &settings,
        );
        let obstacle = Obstacle {
            reason: if reason.is_empty() { "Reason".into() } else { reason.chars().take(99).collect() },
            message,
            stalled: request_waits,
            retry: Some(at(now)),
        };
        let shown = status(&Facts {
            view: &view,
            standing,
            ruling: decision.ruling.as_ref(),
            obstacle: Some(&obstacle),
            observe: false,
            request_waits,
            now: at(now),
            settings: &settings,
        });
        let json = serde_json::to_value(&shown).unwrap();
        let wrong = complaints("BreakglassGrant", "properties/status", &json);
        prop_assert!(wrong.is_empty(), "{:?}", wrong);
        prop_assert_eq!(serde_json::from_value::<BreakglassGrantStatus>(json).unwrap(), shown);
        let wake = next_wake(&view, standing, at(now), &settings);
        prop_assert!(wake.is_none_or(|wake| wake > at(now)));
    }

    /// Whatever stands there, an end is an end.
    #[test]
    fn an_end_in_the_status_forbids_granting(ended in any_json(), other in any_json(), field in text()) {
        let mut raw = whole_grant();
        raw["status"][&field] = other.clone();
        raw["status"]["grantedTime"] = other;
        raw["status"]["endedTime"] = ended.clone();
        let view = GrantView::parse(&object(&raw).unwrap()).unwrap();
        prop_assert_eq!(view.status.ended_time.is_some(), !ended.is_null());
    }

    /// What a policy that is not what it was admits, it must have said in so many words.
    #[test]
    fn a_spoilt_policy_admits_nothing_that_it_does_not_say(raw in spoilt(allow_policy(), change(), 2)) {
        let Some(policy) = object(&raw) else { return Ok(()) };
        let set = PolicySet::parse([&policy]);
        let view = GrantView::parse(&object(&whole_grant()).unwrap()).unwrap();
        if let Ruling::Allowed(allowance) = set.ask(&Question::of(&view).unwrap(), &protected()) {
            let spec = &raw["spec"];
            prop_assert!(set.readable().is_ok());
            prop_assert_eq!(&allowance.policy.name, raw["metadata"]["name"].as_str().unwrap_or_default());
            prop_assert!(spec["effect"] == "Allow" || spec.get("effect").is_none());
            let longest = spec["maxDuration"].as_str().unwrap();
            prop_assert!(longest.parse::<crate::api::time::Duration>().unwrap().0.as_secs() >= 3_590);
            prop_assert!(!spec["namespaces"].as_array().unwrap().is_empty());
            let names_it = |rule: &Value| rule["iamGroup"]["names"].is_array() && rule["users"].is_array();
            prop_assert!(spec["rules"].as_array().unwrap().iter().any(names_it));
        }
    }

    /// A Deny that was damaged may deny more, or make everything wait; it never denies less.
    #[test]
    fn a_damaged_deny_still_stops_what_it_stopped(place in any::<Index>(), change in damage()) {
        let mut raw = deny_policy();
        // What is left out of the list of namespaces or of rules is a policy like any other.
        let emptied = matches!(change, Change::Drop) || matches!(&change, Change::Put(v) if *v == json!([]));
        if emptied {
            let field = ["namespaces", "rules"][place.index(2)];
            raw["spec"].as_object_mut().unwrap().remove(field);
        } else {
            let mut spec = raw["spec"].take();
            prop_assume!(places(&spec) > 0);
            spoil(&mut spec, place, &change);
            raw["spec"] = spec;
        }
        let set = policies(&[&allow_policy(), &raw]);
        let view = GrantView::parse(&object(&whole_grant()).unwrap()).unwrap();
        let ruling = set.ask(&Question::of(&view).unwrap(), &protected());
        prop_assert!(matches!(ruling, Ruling::Denied { .. }), "{}", raw);
    }

    /// The parentheses that anchor a pattern are not the pattern's to close.
    #[test]
    fn a_pattern_that_is_none_admits_no_ticket(
        pattern in prop_oneof![
            "[a-c|()*+?\\[\\]{}0-9^$.]{1,12}",
            "(\\(\\?[imsxU]\\))?[a-c]{1,3}[)] ?[|] ?[(][a-c]{0,3}",
            text(),
        ],
        ticket in "[a-d]{0,4}",
    ) {
        let mut raw = allow_policy();
        raw["spec"]["ticketPattern"] = pattern.clone().into();
        let set = policies(&[&raw]);
        if regex_lite::Regex::new(&pattern).is_err() {
            prop_assert!(set.readable().is_err(), "{} was read", pattern);
        }
        let mut grant = whole_grant();
        grant["spec"]["ticket"] = ticket.clone().into();
        let view = GrantView::parse(&object(&grant).unwrap()).unwrap();
        if let Ruling::Allowed(_) = set.ask(&Question::of(&view).unwrap(), &protected()) {
            let whole = regex_lite::Regex::new(&format!("^(?:{pattern})$")).unwrap();
            prop_assert!(whole.find(&ticket).is_some_and(|found| found.len() == ticket.len()));
        }
    }

    #[test]
    fn a_glob_matches_what_its_definition_says(
        pattern in prop::collection::vec(select(&['a', 'b', 'é', '*', '?'][..]), 0..9),
        text in prop::collection::vec(select(&['a', 'b', 'é', '\n', '*'][..]), 0..9),
    ) {
        let matched = super::glob::matches(&String::from_iter(&pattern), &String::from_iter(&text));
        prop_assert_eq!(matched, defined(&pattern, &text));
    }
}

/// The definition of globs, with no thought for time.
fn defined(pattern: &[char], text: &[char]) -> bool {
    match (pattern.split_first(), text.split_first()) {
        (None, _) => text.is_empty(),
        (Some(('*', rest)), _) => (0..=text.len()).any(|skip| defined(rest, &text[skip..])),
        (Some(('?', rest)), Some((_, left))) => defined(rest, left),
        (Some((wanted, rest)), Some((found, left))) => wanted == found && defined(rest, left),
        (Some(_), None) => false,
    }
}

/// Runs it and says how long it took; tests in debug builds share the machine with others.
fn seconds(work: impl FnOnce()) -> f64 {
    let begun = std::time::Instant::now();
    work();
    begun.elapsed().as_secs_f64()
}

/// Time and memory are bounded by what a policy may hold, whatever its author had in mind.
#[test]
fn hostile_globs_and_patterns_end_quickly() {
    let took = seconds(|| {
        for pattern in ["*a", "a*", "*?", "?*a", "**", "*a?"] {
            let pattern = pattern.repeat(500);
            super::glob::matches(&pattern, &"a".repeat(1_000));
            super::glob::matches(&pattern, &"é".repeat(1_000));
        }
    });
    assert!(took < 60.0, "{took} s for globs");
    for pattern in [
        "(a{1000}){1000}",
        "((((a{99}){99}){99}){99}){99}",
        "(a|a|a|a?){900}",
        "(a*)*(a*)*(a*)*b",
        &format!("{}a{}", "(".repeat(120), ")".repeat(120)),
        &"(a{9}|b)*".repeat(25),
        &"[a-z]{999}".repeat(20),
        &"a?".repeat(128),
    ] {
        let mut raw = allow_policy();
        raw["spec"]["ticketPattern"] = pattern.into();
        let mut grant = whole_grant();
        grant["spec"]["ticket"] = "a".repeat(256).into();
        let view = GrantView::parse(&object(&grant).unwrap()).unwrap();
        let took = seconds(|| {
            let set = policies(&[&raw]);
            set.ask(&Question::of(&view).unwrap(), &protected());
        });
        assert!(took < 30.0, "{took} s for {pattern:.40}");
    }
}
