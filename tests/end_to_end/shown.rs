//! What kubectl shows of grants and policies: columns, names, selectors, explanations. No controller runs here.

use serde_json::json;

use crate::support::api_server::{ApiServer, grant, iam_group, policy, with};
use crate::support::controller::SERVICE_ACCOUNT;

/// Columns of what kubectl prints, by its first line.
fn header(printed: &str) -> Vec<&str> {
    printed
        .lines()
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .collect()
}

/// Selectors and health checks that read the state never fail, even before a controller has seen the grant, and what nobody has
/// looked at does not pass for healthy: kstatus takes an object without conditions for that.
#[test]
fn a_fresh_grant_is_pending() {
    let server = ApiServer::shared();
    server.namespace("fresh");
    server
        .send(ApiServer::DEVELOPER, "create", &grant("fresh", "x"))
        .unwrap();
    let fresh = server.get("bgg x -n fresh")["status"].clone();
    assert_eq!(fresh["state"], "Pending");
    let [ready] = fresh["conditions"].as_array().unwrap().as_slice() else {
        panic!("{fresh:#}");
    };
    assert_eq!(
        (&ready["type"], &ready["status"]),
        (&json!("Ready"), &json!("Unknown"))
    );
    // A status in a file is no status.
    let mut claims_more = grant("fresh", "forged");
    claims_more["status"] = json!({"state": "Active", "policy": "none"});
    server
        .send(ApiServer::DEVELOPER, "create", &claims_more)
        .unwrap();
    assert_eq!(server.get("bgg forged -n fresh")["status"], fresh);
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
