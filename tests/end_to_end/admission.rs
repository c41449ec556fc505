//! What the API server itself refuses, accepts and shows: no controller runs here.
//!
//! One refused object stops the whole folder that a `GitOps` tool applies, so only what has no meaning may be refused, and the
//! message must let a person mend it.

use std::io::Write;
use std::process::Stdio;
use std::sync::LazyLock;

use control_plane::{ControlPlane, Options, User};
use kube::api::PostParams;
use kube::core::{ApiResource, DynamicObject, GroupVersionKind};
use kube::{Api, Client};
use serde_json::{Value, json};

use crate::support::controller::SERVICE_ACCOUNT;
use crate::support::install::{install, repository};
use crate::support::time::block_on;

/// Tests that need no controller share it, and differ by namespace and names.
static SHARED: LazyLock<ApiServer> = LazyLock::new(ApiServer::start);

/// An API server with everything of `deploy/kustomize`, and nobody who acts on it.
pub struct ApiServer {
    pub control_plane: ControlPlane,
    admin: Client,
}

impl ApiServer {
    /// Of the group `system:masters`.
    pub const ADMIN: &str = "admin";
    /// Has every right by RBAC, and the controller's name in another namespace.
    pub const LOOK_ALIKE: &str = "system:serviceaccount:elsewhere:breakglass-controller";
    /// Has every right on grants, and no other.
    pub const DEVELOPER: &str = "dev";
    /// Has no right but those that every user has.
    pub const NOBODY: &str = "nobody";

    pub fn shared() -> &'static Self {
        &SHARED
    }

    fn start() -> Self {
        let options = Options::default()
            .user(User::service_account(
                "breakglass-system",
                "breakglass-controller",
            ))
            .user(User::service_account("elsewhere", "breakglass-controller"))
            .user(User::new(Self::DEVELOPER, ["developers"]))
            .user(User::new(Self::NOBODY, ["visitors"]));
        let control_plane = ControlPlane::start(options).unwrap();
        install(&control_plane);
        let admin = block_on(control_plane.client(Self::ADMIN)).unwrap();
        let server = Self {
            control_plane,
            admin,
        };
        for line in [
            "create clusterrole grants --verb=* --resource=breakglassgrants.breakglass.dev",
            "create clusterrolebinding grants --clusterrole=grants --user=dev",
            "create clusterrolebinding elsewhere --clusterrole=cluster-admin --group=system:serviceaccounts:elsewhere",
        ] {
            server.kubectl(Self::ADMIN, line).unwrap();
        }
        server
    }

    /// What kubectl prints for a user, or what it complains about.
    pub fn kubectl(&self, user: &str, line: &str) -> Result<String, String> {
        let words: Vec<&str> = line.split_whitespace().collect();
        self.run(user, &words, &Value::Null)
    }

    /// The same for an object on standard input.
    pub fn send(&self, user: &str, line: &str, object: &Value) -> Result<String, String> {
        let words: Vec<&str> = line.split_whitespace().chain(["-f", "-"]).collect();
        self.run(user, &words, object)
    }

    /// Patches what `line` names, with a merge patch or, for a list, a JSON patch.
    pub fn patch(&self, user: &str, line: &str, patch: &Value) -> Result<String, String> {
        let text = patch.to_string();
        let kind = if patch.is_array() {
            "--type=json"
        } else {
            "--type=merge"
        };
        let words = line.split_whitespace();
        let words: Vec<&str> = ["patch", kind, "-p", &text]
            .into_iter()
            .chain(words)
            .collect();
        self.run(user, &words, &Value::Null)
    }

    fn run(&self, user: &str, arguments: &[&str], input: &Value) -> Result<String, String> {
        let mut kubectl = self.control_plane.kubectl(user).unwrap();
        kubectl
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut process = kubectl.spawn().unwrap();
        // One that refuses its arguments reads nothing.
        let mut stdin = process.stdin.take().unwrap();
        let written = stdin.write_all(input.to_string().as_bytes());
        drop(stdin);
        let output = process.wait_with_output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        if output.status.success() {
            written.unwrap();
            Ok(text(&output.stdout))
        } else {
            Err(text(&output.stderr))
        }
    }

    /// An object as the API server has it.
    #[track_caller]
    pub fn get(&self, line: &str) -> Value {
        let line = format!("get -o json {line}");
        serde_json::from_str(&self.kubectl(Self::ADMIN, &line).unwrap()).unwrap()
    }

    /// Makes a namespace for one test.
    #[track_caller]
    pub fn namespace(&self, name: &str) {
        let line = format!("create namespace {name}");
        self.kubectl(Self::ADMIN, &line).unwrap();
    }

    /// Whether the API server would make the object; if not, its message.
    fn admits(&self, object: &Value) -> Result<(), String> {
        let kind = object["kind"].as_str().unwrap();
        let kind =
            ApiResource::from_gvk(&GroupVersionKind::gvk("breakglass.dev", "v1alpha1", kind));
        let api: Api<DynamicObject> = match object["metadata"]["namespace"].as_str() {
            Some(namespace) => Api::namespaced_with(self.admin.clone(), namespace, &kind),
            None => Api::all_with(self.admin.clone(), &kind),
        };
        let object = serde_json::from_value(object.clone()).unwrap();
        let dry_run = PostParams {
            dry_run: true,
            ..PostParams::default()
        };
        match block_on(api.create(&dry_run, &object)) {
            Ok(_) => Ok(()),
            Err(kube::Error::Api(status)) => Err(status.message),
            Err(error) => panic!("the API server gave no answer: {error}"),
        }
    }
}

/// A grant that nothing is wrong with.
pub fn grant(namespace: &str, name: &str) -> Value {
    json!({
        "apiVersion": "breakglass.dev/v1alpha1",
        "kind": "BreakglassGrant",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "user": "alice@example.com",
            "target": {"accountAssignment": assignment()},
            "expiryTime": "2030-01-15T11:00:00Z",
            "reason": "Payments API down",
        },
    })
}

/// A policy that nothing is wrong with.
pub fn policy(name: &str) -> Value {
    json!({
        "apiVersion": "breakglass.dev/v1alpha1",
        "kind": "BreakglassPolicy",
        "metadata": {"name": name},
        "spec": {
            "namespaces": ["breakglass"],
            "rules": [{"users": ["*@example.com"], "identityCenterGroup": {"names": ["Breakglass*"]}}],
            "maxDuration": "8h",
        },
    })
}

fn assignment() -> Value {
    json!({"account": "111122223333", "permissionSet": "BreakglassAccess"})
}

fn iam_group() -> Value {
    json!({"account": "444455556666", "name": "ProdMemberWorkGroup"})
}

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

fn with(mut object: Value, place: &str, value: impl Into<Value>) -> Value {
    let (parent, field) = place.rsplit_once('/').unwrap();
    object.pointer_mut(&format!("/spec{parent}")).unwrap()[field] = value.into();
    object
}

fn without(mut object: Value, field: &str) -> Value {
    object["spec"]
        .as_object_mut()
        .unwrap()
        .remove(field)
        .unwrap();
    object
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
        for wrong in [" ", " name", "name ", "\tname", "name\n"] {
            is_refused(&with(base.clone(), place, wrong), field, "should match");
        }
    }
}

#[test]
fn names_have_no_control_characters() {
    for (place, field, base) in names() {
        // A line feed is refused everywhere.
        is_refused(&with(base.clone(), place, "na\nme"), field, "should match");
        if field != "spec.target.identityCenterGroup.name" {
            for wrong in ["na\tme", "na\u{1}me", "na\u{1b}[2Jme", "na\u{7f}me"] {
                is_refused(&with(base.clone(), place, wrong), field, "should match");
            }
        }
    }
}

#[test]
fn names_of_identity_center_groups_have_no_control_characters() {
    for wrong in ["na\tme", "na\u{1}me", "na\u{1b}[2Jme", "na\u{7f}me"] {
        let group = grant_of(json!({"identityCenterGroup": {"name": wrong}}));
        is_refused(
            &group,
            "spec.target.identityCenterGroup.name",
            "should match",
        );
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
    for blank in [" ", "\n\t "] {
        is_refused(
            &grant_with("/reason", blank),
            "spec.reason",
            r"should match '\S'",
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

/// Columns of what kubectl prints, by its first line.
fn header(printed: &str) -> Vec<&str> {
    printed
        .lines()
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .collect()
}

/// Selectors and health checks that read the state never fail, even before a controller has seen the grant.
#[test]
fn a_fresh_grant_is_pending() {
    let server = ApiServer::shared();
    server.namespace("fresh");
    server
        .send(ApiServer::DEVELOPER, "create", &grant("fresh", "x"))
        .unwrap();
    assert_eq!(
        server.get("bgg x -n fresh")["status"],
        json!({"state": "Pending"})
    );
    // A status in a file is no status.
    let mut claims_more = grant("fresh", "forged");
    claims_more["status"] = json!({"state": "Active", "policy": "none"});
    server
        .send(ApiServer::DEVELOPER, "create", &claims_more)
        .unwrap();
    assert_eq!(
        server.get("bgg forged -n fresh")["status"],
        json!({"state": "Pending"})
    );
}

#[test]
fn kubectl_shows_the_columns_that_people_watch() {
    let server = ApiServer::shared();
    server.namespace("columns");
    let object = with(grant("columns", "x"), "/startTime", "2030-01-15T09:00:00Z");
    let object = with(object, "/ticket", "INC-1234");
    server.send(ApiServer::ADMIN, "create", &object).unwrap();
    let mut seen = server.get("bgg x -n columns");
    seen["status"] = json!({
        "state": "Active",
        "targetSummary": "BreakglassAccess@111122223333",
        "policy": "oncall",
        "sessionsEndByTime": "2030-01-15T13:00:00Z",
    });
    let replace = "replace --subresource=status";
    server.send(SERVICE_ACCOUNT, replace, &seen).unwrap();

    let narrow = server
        .kubectl(ApiServer::ADMIN, "get bgg -n columns")
        .unwrap();
    assert_eq!(
        header(&narrow),
        ["NAME", "USER", "TARGET", "STATE", "EXPIRES", "AGE"]
    );
    let row = [
        "x",
        "alice@example.com",
        "BreakglassAccess@111122223333",
        "Active",
        "2030-01-15T11:00:00Z",
    ];
    assert_eq!(
        narrow
            .lines()
            .last()
            .unwrap()
            .split_whitespace()
            .collect::<Vec<_>>()[..5],
        row
    );

    let wide = server
        .kubectl(ApiServer::ADMIN, "get bgg -n columns -o wide")
        .unwrap();
    let more = ["START", "REASON", "TICKET", "POLICY", "SESSIONS-END-BY"];
    assert_eq!(header(&wide)[6..], more);
    let shown = wide.lines().last().unwrap();
    for word in [
        "2030-01-15T09:00:00Z",
        "Payments API down",
        "INC-1234",
        "oncall",
        "2030-01-15T13:00:00Z",
    ] {
        assert!(shown.contains(word), "{word} is missing in\n{wide}");
    }
}

#[test]
fn kubectl_shows_what_a_policy_does() {
    let server = ApiServer::shared();
    server
        .send(ApiServer::ADMIN, "create", &policy("columns"))
        .unwrap();
    let shown = server.kubectl(ApiServer::ADMIN, "get bgp columns").unwrap();
    assert_eq!(
        header(&shown),
        [
            "NAME",
            "EFFECT",
            "NAMESPACES",
            "MAX-DURATION",
            "READY",
            "AGE"
        ]
    );
    let row = shown.lines().last().unwrap();
    let row: Vec<&str> = row.split_whitespace().collect();
    assert_eq!(row[..4], ["columns", "Allow", r#"["breakglass"]"#, "8h"]);
}

#[test]
fn short_names_and_the_category_find_all_kinds() {
    let server = ApiServer::shared();
    let printed = server
        .kubectl(
            ApiServer::ADMIN,
            "api-resources --api-group=breakglass.dev --no-headers -o wide",
        )
        .unwrap();
    let mut kinds: Vec<Vec<&str>> = printed
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    kinds.sort();
    let short = |kind: &Vec<&str>| format!("{} {} {}", kind[0], kind[1], kind.last().unwrap());
    let found: Vec<String> = kinds.iter().map(short).collect();
    let wanted = [
        "breakglassaccesses bga breakglass",
        "breakglassgrants bgg breakglass",
        "breakglasspolicies bgp breakglass",
    ];
    assert_eq!(found, wanted, "{printed}");

    server.namespace("category");
    server
        .send(
            ApiServer::ADMIN,
            "create",
            &grant("category", "of-the-category"),
        )
        .unwrap();
    server
        .send(ApiServer::ADMIN, "create", &policy("of-the-category"))
        .unwrap();
    let all = server
        .kubectl(ApiServer::ADMIN, "get breakglass -n category -o name")
        .unwrap();
    for name in [
        "breakglassgrant.breakglass.dev/of-the-category",
        "breakglasspolicy.breakglass.dev/of-the-category",
    ] {
        assert!(
            all.lines().any(|line| line == name),
            "{name} is missing in\n{all}"
        );
    }
}

#[test]
fn grants_are_selected_by_user_state_and_target() {
    let server = ApiServer::shared();
    server.namespace("selected");
    let mut iam = with(grant("selected", "iam"), "/user", "member7");
    iam["spec"]["target"] = json!({"iamGroup": iam_group()});
    let mut group = grant("selected", "group");
    group["spec"]["target"] = json!({"identityCenterGroup": {"name": "Operators"}});
    for object in [grant("selected", "assignment"), group, iam] {
        server.send(ApiServer::ADMIN, "create", &object).unwrap();
    }
    let mut seen = server.get("bgg group -n selected");
    seen["status"]["state"] = "Revoked".into();
    server
        .send(SERVICE_ACCOUNT, "replace --subresource=status", &seen)
        .unwrap();

    for (selector, wanted) in [
        ("spec.user=member7", "iam"),
        ("spec.user!=member7", "assignment group"),
        ("status.state=Revoked", "group"),
        ("status.state=Pending", "assignment iam"),
        ("status.state=Revoked,spec.user=member7", ""),
        (
            "spec.target.accountAssignment.account=111122223333",
            "assignment",
        ),
        (
            "spec.target.accountAssignment.permissionSet=BreakglassAccess",
            "assignment",
        ),
        ("spec.target.identityCenterGroup.name=Operators", "group"),
        ("spec.target.iamGroup.account=444455556666", "iam"),
        ("spec.target.iamGroup.name=ProdMemberWorkGroup", "iam"),
    ] {
        let names = "jsonpath={.items[*].metadata.name}";
        let list = format!("get bgg -n selected --field-selector {selector} -o {names}");
        assert_eq!(
            server.kubectl(ApiServer::ADMIN, &list).unwrap(),
            wanted,
            "{selector}"
        );
    }
}

#[test]
fn kubectl_explains_every_part() {
    for (field, text) in [
        ("breakglassgrant", "Gives one person one access in AWS"),
        ("breakglassgrant.spec.target", "Exactly one kind of target"),
        (
            "breakglassgrant.spec.target.accountAssignment",
            "A permission set in an account",
        ),
        (
            "breakglassgrant.spec.target.identityCenterGroup",
            "Membership of an Identity Center group",
        ),
        (
            "breakglassgrant.spec.target.iamGroup",
            "Membership of an IAM group",
        ),
        ("breakglassgrant.spec.target.iamGroup.account", "12 digits"),
        ("bgg.spec.expiryTime", "RFC 3339 with an offset"),
        ("bgg.status.state", "Where the grant stands"),
        ("bgg.status.conditions.message", "what to do"),
        (
            "bgp.spec.rules.accountAssignment",
            "Permission sets in accounts",
        ),
        ("bgp.spec.effect", "Allow admits what matches"),
        ("bga.spec.claims", "admitted for this tuple"),
        ("bga", "Deleting it takes no access away"),
    ] {
        let explained = ApiServer::shared()
            .kubectl(ApiServer::ADMIN, &format!("explain {field}"))
            .unwrap();
        // kubectl breaks the lines.
        let words = explained.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(
            words.contains(text),
            "{field}: {text:?} is missing in\n{explained}"
        );
    }
}
