//! Policies, one rule at a time.

use serde_json::{Value, json};

use super::fixtures::{at, raw_policy};
use super::policy::{Management, PolicySet, Protected, Question, Ruling};
use super::target::Target;
use crate::api::policy::OnExternalRemoval;

fn set(policies: &[(&str, Value)]) -> PolicySet {
    let raw: Vec<_> = policies
        .iter()
        .map(|(name, spec)| raw_policy(name, spec.clone()))
        .collect();
    PolicySet::parse(&raw)
}

fn assignment(account: &str, permission_set: &str) -> Target {
    Target::AccountAssignment {
        account: account.into(),
        permission_set: permission_set.into(),
    }
}

/// A grant of an hour, made at second 0.
fn question<'a>(user: &'a str, target: &'a Target) -> Question<'a> {
    Question {
        namespace: "breakglass",
        user,
        target,
        ticket: None,
        created: at(0),
        start: None,
        expiry: at(3_600),
    }
}

fn protected(management: Management) -> Protected {
    Protected {
        accounts: ["222222222222".to_owned()].into(),
        management,
    }
}

fn known() -> Protected {
    protected(Management::Account("999999999999".into()))
}

fn allow(accounts: &str) -> Value {
    json!({
        "namespaces": ["break*"],
        "maxDuration": "2h",
        "rules": [{"users": ["*@example.com"], "accountAssignment": {"accounts": [accounts], "permissionSets": ["Read*"]}}],
    })
}

fn why(ruling: Ruling) -> String {
    match ruling {
        Ruling::Allowed(allowance) => panic!("allowed by {}", allowance.policy.name),
        Ruling::Denied { reason, message } => format!("{reason}: {message}"),
    }
}

#[test]
fn a_grant_is_admitted_by_the_first_policy_by_name_that_admits_all_of_it() {
    let mut second = allow("111111111111");
    second["onExternalRemoval"] = json!("End");
    second["ownership"] = json!("Exclusive");
    let set = set(&[("b", allow("111111111111")), ("a", second)]);
    let target = assignment("111111111111", "ReadOnly");
    let Ruling::Allowed(allowance) = set.ask(&question("alice@example.com", &target), &known())
    else {
        panic!("denied")
    };
    assert_eq!(allowance.policy.name, "a");
    assert_eq!(allowance.on_external_removal, OnExternalRemoval::End);
    assert!(allowance.exclusive);
}

#[test]
fn without_a_policy_nothing_is_admitted() {
    let target = assignment("111111111111", "ReadOnly");
    assert!(
        why(set(&[]).ask(&question("alice", &target), &known())).contains("there is no policy")
    );
}

#[test]
fn the_message_names_policy_and_rule_that_came_nearest() {
    let set = set(&[
        (
            "far",
            json!({"namespaces": ["other"], "rules": [], "maxDuration": "1h"}),
        ),
        ("near", allow("111111111111")),
    ]);
    for (user, target, expected) in [
        (
            "alice@example.com",
            assignment("333333333333", "ReadOnly"),
            "policy near, rule 1: account 333333333333 is not among",
        ),
        (
            "alice@example.com",
            assignment("111111111111", "Admin"),
            "policy near, rule 1: permission set Admin is not among",
        ),
        (
            "alice@evil.com",
            assignment("111111111111", "ReadOnly"),
            "policy near, rule 1: user alice@evil.com is not among",
        ),
        (
            "a@example.com",
            Target::IdentityCenterGroup { name: "Ops".into() },
            "policy near, rule 1: it is not about Identity Center groups",
        ),
    ] {
        let message = why(set.ask(&question(user, &target), &known()));
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn a_star_covers_neither_protected_nor_management_account() {
    let star = set(&[("star", allow("*"))]);
    for (account, management, admitted) in [
        (
            "111111111111",
            Management::Account("999999999999".into()),
            true,
        ),
        (
            "222222222222",
            Management::Account("999999999999".into()),
            false,
        ),
        (
            "999999999999",
            Management::Account("999999999999".into()),
            false,
        ),
        // While nobody knows which account it is, it might be any.
        ("111111111111", Management::Unknown, false),
    ] {
        let target = assignment(account, "ReadOnly");
        let ruling = star.ask(
            &question("alice@example.com", &target),
            &protected(management.clone()),
        );
        assert_eq!(
            matches!(ruling, Ruling::Allowed(_)),
            admitted,
            "{account} {management:?}"
        );
    }
    let listed = set(&[("listed", allow("999999999999"))]);
    let target = assignment("999999999999", "ReadOnly");
    assert!(matches!(
        listed.ask(&question("alice@example.com", &target), &known()),
        Ruling::Allowed(_)
    ));
}

#[test]
fn limits_hold_at_their_very_edge() {
    let target = assignment("111111111111", "ReadOnly");
    let ask =
        |policy: Value, question: Question<'_>| set(&[("p", policy)]).ask(&question, &known());
    let asked = question("alice@example.com", &target);
    assert!(matches!(
        ask(
            allow("111111111111"),
            Question {
                expiry: at(7_200),
                ..asked
            }
        ),
        Ruling::Allowed(_)
    ));
    assert!(
        why(ask(
            allow("111111111111"),
            Question {
                expiry: at(7_201),
                ..asked
            }
        ))
        .contains("maxDuration is 2h")
    );
    // From the start, where that is later than the creation; from the creation, where the start is past.
    let later = Question {
        start: Some(at(3_600)),
        expiry: at(10_800),
        ..asked
    };
    assert!(matches!(
        ask(allow("111111111111"), later),
        Ruling::Allowed(_)
    ));
    let past = Question {
        start: Some(at(-9_000)),
        expiry: at(7_200),
        ..asked
    };
    assert!(matches!(
        ask(allow("111111111111"), past),
        Ruling::Allowed(_)
    ));
    let mut lead = allow("111111111111");
    lead["maxLead"] = json!("1h");
    assert!(matches!(ask(lead.clone(), later), Ruling::Allowed(_)));
    assert!(
        why(ask(
            lead,
            Question {
                start: Some(at(3_601)),
                ..later
            }
        ))
        .contains("maxLead 1h")
    );
    let mut endless = allow("111111111111");
    endless.as_object_mut().unwrap().remove("maxDuration");
    assert!(why(ask(endless, asked)).contains("no maxDuration"));
}

#[test]
fn a_ticket_must_match_as_a_whole() {
    let mut policy = allow("111111111111");
    policy["ticketPattern"] = json!("INC-[0-9]+|CHG-1");
    let set = set(&[("p", policy)]);
    let target = assignment("111111111111", "ReadOnly");
    for (ticket, admitted) in [
        (Some("INC-12"), true),
        (Some("CHG-1"), true),
        (Some("XINC-12"), false),
        (Some("INC-12 "), false),
        (Some("CHG-12"), false),
        (None, false),
    ] {
        let ruling = set.ask(
            &Question {
                ticket,
                ..question("alice@example.com", &target)
            },
            &known(),
        );
        assert_eq!(matches!(ruling, Ruling::Allowed(_)), admitted, "{ticket:?}");
    }
}

#[test]
fn deny_comes_first_and_what_it_leaves_out_means_everything() {
    let target = assignment("999999999999", "ReadOnly");
    for (deny, denied) in [
        (
            json!({"effect": "Deny", "namespaces": ["*"], "rules": [{}]}),
            true,
        ),
        (
            json!({"effect": "Deny", "namespaces": ["*"], "rules": [{"users": ["mallory@*"]}]}),
            false,
        ),
        (
            json!({"effect": "Deny", "namespaces": ["*"], "rules": [{"users": ["alice@*"]}]}),
            true,
        ),
        (
            json!({"effect": "Deny", "namespaces": ["other"], "rules": [{}]}),
            false,
        ),
        // A star of a Deny covers the management account too.
        (
            json!({"effect": "Deny", "namespaces": ["*"], "rules": [{"accountAssignment": {"accounts": ["*"], "permissionSets": ["*"]}}]}),
            true,
        ),
        (
            json!({"effect": "Deny", "namespaces": ["*"], "rules": [{"iamGroup": {"accounts": ["*"], "names": ["*"]}}]}),
            false,
        ),
    ] {
        let set = set(&[("a", allow("999999999999")), ("stop", deny.clone())]);
        let ruling = set.ask(&question("alice@example.com", &target), &known());
        assert_eq!(
            matches!(
                ruling,
                Ruling::Denied {
                    reason: "DeniedByPolicy",
                    ..
                }
            ),
            denied,
            "{deny}"
        );
        assert_eq!(
            set.denying("breakglass", "alice@example.com", &target)
                .is_some(),
            denied,
            "{deny}"
        );
    }
}

#[test]
fn a_policy_that_cannot_be_read_stops_everything_new_but_denies_nothing_that_runs() {
    let mut broken = allow("111111111111");
    broken["ticketPattern"] = json!("[");
    for wrong in [broken, json!({"effect": "Perhaps"}), json!(null)] {
        let set = set(&[("good", allow("111111111111")), ("wrong", wrong)]);
        let target = assignment("111111111111", "ReadOnly");
        let message = why(set.ask(&question("alice@example.com", &target), &known()));
        assert!(
            message.starts_with("PolicyUnreadable: policy wrong can't be read"),
            "{message}"
        );
        assert!(
            set.denying("breakglass", "alice@example.com", &target)
                .is_none()
        );
    }
}

#[test]
fn an_allow_rule_without_users_or_target_admits_nothing() {
    let target = assignment("111111111111", "ReadOnly");
    for rule in [
        json!({}),
        json!({"users": ["*"]}),
        json!({"accountAssignment": {"accounts": ["*"], "permissionSets": ["*"]}}),
    ] {
        let set = set(&[(
            "p",
            json!({"namespaces": ["*"], "maxDuration": "8h", "rules": [rule]}),
        )]);
        assert!(
            matches!(
                set.ask(&question("alice", &target), &known()),
                Ruling::Denied { .. }
            ),
            "{rule}"
        );
    }
}
