//! What the API server itself refuses and accepts: no controller runs here.
//!
//! One refused object stops the whole folder that a `GitOps` tool applies, so only what has no meaning may be refused, and the
//! message must let a person mend it.

use serde_json::{Value, json};

use crate::support::api_server::{ApiServer, assignment, grant, iam_group, policy, with, without};
use crate::support::install::repository;

/// A grant with another value at a place under `spec`.
fn grant_with(place: &str, value: impl Into<Value>) -> Value {
    with(grant("default", "x"), place, value)
}

/// A grant with this target.
fn grant_of(target: Value) -> Value {
    grant_with("/target", target)
}

/// A policy with another value at a place under `spec`.
fn policy_with(place: &str, value: impl Into<Value>) -> Value {
    with(policy("x"), place, value)
}

#[track_caller]
fn is_admitted(object: &Value) {
    if let Err(message) = ApiServer::shared().admits(object) {
        panic!("refused: {message}\n{object:#}");
    }
}

/// The message must name the field and the rule.
#[track_caller]
fn is_refused(object: &Value, field: &str, rule: &str) {
    match ApiServer::shared().admits(object) {
        Ok(()) => panic!("admitted, though {field} is wrong\n{object:#}"),
        Err(message) => {
            let says = message.contains(&format!("{field}: ")) && message.contains(rule);
            assert!(
                says,
                "{field}: {rule:?} is missing in: {message}\n{object:#}"
            );
        }
    }
}

const TWELVE_DIGITS: &str = "should match '^[0-9]{12}$'";
const EXACTLY_ONE: &str =
    "exactly one of accountAssignment, identityCenterGroup and iamGroup must be set";
const AFTER_START: &str = "expiryTime must be after startTime";

/// The places of names in each kind of target.
fn names() -> [(&'static str, &'static str, Value); 4] {
    let group = json!({"identityCenterGroup": {"name": "Operators"}});
    [
        ("/user", "spec.user", grant("default", "x")),
        (
            "/target/accountAssignment/permissionSet",
            "spec.target.accountAssignment.permissionSet",
            grant("default", "x"),
        ),
        (
            "/target/identityCenterGroup/name",
            "spec.target.identityCenterGroup.name",
            grant_of(group),
        ),
        (
            "/target/iamGroup/name",
            "spec.target.iamGroup.name",
            grant_of(json!({"iamGroup": iam_group()})),
        ),
    ]
}

#[test]
fn a_grant_has_exactly_one_target() {
    is_refused(&grant_of(json!({})), "spec.target", EXACTLY_ONE);
    let two = json!({"accountAssignment": assignment(), "iamGroup": iam_group()});
    is_refused(&grant_of(two), "spec.target", EXACTLY_ONE);
    let three = json!({
        "accountAssignment": assignment(),
        "iamGroup": iam_group(),
        "identityCenterGroup": {"name": "Operators"},
    });
    is_refused(&grant_of(three), "spec.target", EXACTLY_ONE);
    is_refused(
        &without(grant("default", "x"), "target"),
        "spec.target",
        "Required value",
    );
    // What a template leaves over.
    is_admitted(&grant_of(
        json!({"accountAssignment": assignment(), "iamGroup": null}),
    ));
}

/// An edit is checked like a new object.
#[test]
fn an_edit_that_takes_the_target_away_is_refused() {
    let server = ApiServer::shared();
    server.namespace("retarget");
    server
        .send(ApiServer::ADMIN, "create", &grant("retarget", "x"))
        .unwrap();
    let empty = json!({"spec": {"target": {"accountAssignment": null}}});
    let edit = server.patch(ApiServer::ADMIN, "bgg x -n retarget", &empty);
    let message = edit.unwrap_err();
    assert!(message.contains(EXACTLY_ONE), "{message}");
}

#[test]
fn an_account_has_twelve_digits() {
    let iam = grant_of(json!({"iamGroup": iam_group()}));
    for wrong in [
        "",
        "11112222333",
        "1111222233334",
        "11112222333a",
        " 111122223333",
        "111122223333\n",
        "1111-2222-3333",
    ] {
        let place = "/target/accountAssignment/account";
        is_refused(
            &grant_with(place, wrong),
            "spec.target.accountAssignment.account",
            TWELVE_DIGITS,
        );
        is_refused(
            &with(iam.clone(), "/target/iamGroup/account", wrong),
            "spec.target.iamGroup.account",
            TWELVE_DIGITS,
        );
    }
    // YAML without quotes.
    let number = grant_with("/target/accountAssignment/account", 111_122_223_333_u64);
    is_refused(
        &number,
        "spec.target.accountAssignment.account",
        "must be of type string",
    );
}

#[test]
fn names_are_not_empty_and_have_no_spaces_around_them() {
    for (place, field, base) in names() {
        is_refused(
            &with(base.clone(), place, ""),
            field,
            "should be at least 1 chars long",
        );
        for wrong in [
            " ",
            " name",
            "name ",
            "\tname",
            "name\n",
            "\u{a0}name",
            "name\u{2003}",
        ] {
            is_refused(&with(base.clone(), place, wrong), field, "should match");
        }
    }
}

/// Nor what makes a name look like another: U+202E turns the rest of it around.
#[test]
fn names_have_no_control_characters() {
    for (place, field, base) in names() {
        for wrong in [
            "na\nme",
            "na\tme",
            "na\u{1}me",
            "na\u{1b}[2Jme",
            "na\u{7f}me",
            "na\u{202e}me",
            "na\u{200b}me",
        ] {
            is_refused(&with(base.clone(), place, wrong), field, "should match");
        }
    }
}

#[test]
fn names_are_no_longer_than_in_aws() {
    for ((place, field, base), longest) in names().into_iter().zip([128, 32, 1024, 128]) {
        is_admitted(&with(base.clone(), place, "x".repeat(longest)));
        let rule = format!("Too long: may not be more than {longest} bytes");
        is_refused(&with(base, place, "x".repeat(longest + 1)), field, &rule);
    }
}

#[test]
fn reason_and_ticket_have_a_length() {
    is_refused(
        &without(grant("default", "x"), "reason"),
        "spec.reason",
        "Required value",
    );
    is_refused(
        &grant_with("/reason", ""),
        "spec.reason",
        "should be at least 1 chars long",
    );
    for blank in [" ", "\n\t ", "\u{a0}\u{200b}"] {
        is_refused(
            &grant_with("/reason", blank),
            "spec.reason",
            r"should match '[^\p{C}\p{Z}]'",
        );
    }
    for (field, longest) in [("reason", 1024), ("ticket", 256)] {
        let place = format!("/{field}");
        is_admitted(&grant_with(&place, "x".repeat(longest)));
        // Characters count, whatever the message calls them.
        is_admitted(&grant_with(&place, "é".repeat(longest)));
        let rule = format!("Too long: may not be more than {longest} bytes");
        is_refused(
            &grant_with(&place, "x".repeat(longest + 1)),
            &format!("spec.{field}"),
            &rule,
        );
    }
}

#[test]
fn times_are_absolute_and_have_an_offset() {
    is_refused(
        &without(grant("default", "x"), "expiryTime"),
        "spec.expiryTime",
        "Required value",
    );
    for place in ["/startTime", "/expiryTime"] {
        let field = format!("spec.{}", &place[1..]);
        for wrong in [
            "2029-01-15T11:00:00",
            "2029-01-15T11:00:00+0100",
            "2029-01-15 11:00:00Z",
            "2029-01-15",
            "2029-13-15T11:00:00Z",
            "2029-02-30T11:00:00Z",
            "2029-01-15T24:00:00Z",
            "8h",
            "tomorrow",
            "",
        ] {
            is_refused(
                &grant_with(place, wrong),
                &field,
                "must be of type date-time",
            );
        }
        for wrong in [
            "2029-01-15t11:00:00Z",
            "2029-01-15T11:00:00z",
            "2029-01-15T11:00:00,5Z",
            "2029-01-15T11:00:00+24:00",
            "2029-01-15T11:00:00+01:60",
        ] {
            is_refused(
                &grant_with(place, wrong),
                &field,
                "should match '^[0-9]{4}-[0-9]{2}-[0-9]{2}T",
            );
        }
        for right in [
            "2029-01-15T11:00:00Z",
            "2029-01-15T11:00:00+01:00",
            "2029-01-15T11:00:00-11:30",
            "2029-01-15T11:00:00.5Z",
            "2029-01-15T11:00:00.123456789+05:30",
        ] {
            is_admitted(&grant_with(place, right));
        }
    }
}

#[test]
fn a_grant_ends_after_it_starts() {
    for start in [
        "2030-01-15T11:00:00Z",
        // The same instant, written with another offset.
        "2030-01-15T12:00:00+01:00",
        "2030-01-15T11:00:00.000Z",
        "2030-01-15T11:00:01Z",
        // Later, though it sorts before the expiry as text.
        "2030-01-15T10:30:00-01:00",
    ] {
        is_refused(
            &grant_with("/startTime", start),
            "spec.expiryTime",
            AFTER_START,
        );
    }
    // Earlier, though it sorts after the expiry as text.
    is_admitted(&grant_with("/startTime", "2030-01-15T11:30:00+01:00"));
    is_admitted(&grant_with("/startTime", "2030-01-15T10:59:59.999Z"));
}

/// A file that was right once stays right: it is applied again and again, and says in its status what it is.
#[test]
fn what_is_over_unknown_or_ended_is_admitted() {
    is_admitted(&grant_with("/expiryTime", "2001-01-15T11:00:00Z"));
    is_admitted(&grant_with("/user", "nobody-of-this-name@example.com"));
    is_admitted(&grant_with("/user", "Zoë van der Berg"));
    is_admitted(&grant_with(
        "/target/accountAssignment/permissionSet",
        "NoSuchSet",
    ));
    is_admitted(&grant_with("/revoked", true));
    is_admitted(&grant_with("/ticket", "INC-1234"));
    is_admitted(&grant_with("/startTime", Value::Null));
}

/// kubectl and `GitOps` tools ask for it: a field that is dropped in silence might have been `revoked`.
#[test]
fn a_misspelt_field_is_named() {
    let dry_run = "create --dry-run=server";
    let misspelt = grant_with("/revokd", true);
    let message = ApiServer::shared()
        .send(ApiServer::ADMIN, dry_run, &misspelt)
        .unwrap_err();
    assert!(
        message.contains(r#"unknown field "spec.revokd""#),
        "{message}"
    );
}

#[test]
fn a_policy_without_meaning_is_refused() {
    let target = json!({"names": ["*"]});
    let two =
        json!([{"identityCenterGroup": target, "iamGroup": {"accounts": ["*"], "names": ["*"]}}]);
    is_refused(
        &policy_with("/rules", two),
        "spec.rules[0]",
        "a rule has at most one of",
    );
    for wrong in ["allow", "Audit", ""] {
        is_refused(
            &policy_with("/effect", wrong),
            "spec.effect",
            r#"supported values: "Allow", "Deny""#,
        );
    }
    for field in ["maxDuration", "maxLead"] {
        for wrong in ["1d", "8", "8 h", "1.5h", "-1h", "P1D", "123456h", ""] {
            let object = policy_with(&format!("/{field}"), wrong);
            is_refused(
                &object,
                &format!("spec.{field}"),
                "should match '^([0-9]{1,5}(h|m|s|ms)){1,4}$'",
            );
        }
        is_refused(
            &policy_with(&format!("/{field}"), 8),
            &format!("spec.{field}"),
            "must be of type string",
        );
    }
    for field in ["namespaces", "rules"] {
        let empty = policy_with(&format!("/{field}"), json!([]));
        is_refused(
            &empty,
            &format!("spec.{field}"),
            "should have at least 1 items",
        );
        is_refused(
            &without(policy("x"), field),
            &format!("spec.{field}"),
            "Required value",
        );
    }
    for account in ["1111*", "12", "11112222333a"] {
        let rules = json!([{"users": ["*"], "iamGroup": {"accounts": [account], "names": ["*"]}}]);
        is_refused(
            &policy_with("/rules", rules),
            "spec.rules[0].iamGroup.accounts[0]",
            r"should match '^([0-9]{12}|\*)$'",
        );
    }
}

#[test]
fn policies_in_every_notation_are_admitted() {
    for length in ["8h", "90m", "1h30m", "45s", "250ms"] {
        is_admitted(&policy_with("/maxDuration", length));
        is_admitted(&policy_with("/maxLead", length));
    }
    let stop = with(policy_with("/effect", "Deny"), "/rules", json!([{}]));
    is_admitted(&without(stop, "maxDuration"));
}

#[test]
fn every_example_is_admitted() {
    let server = ApiServer::shared();
    server.namespace("breakglass");
    let folder = repository("deploy/examples");
    let files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    assert!(!files.is_empty());
    for file in files {
        let file = file.to_str().unwrap();
        let made = server
            .kubectl(ApiServer::ADMIN, &format!("apply --server-side -f {file}"))
            .unwrap();
        assert!(made.contains("serverside-applied"), "{file}: {made}");
    }
}
