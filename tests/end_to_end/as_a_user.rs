//! What a person with kubectl sees.

use aws_simulator::{Action, Fault, Service};
use serde_json::json;

use crate::support::live_grant::table;
use crate::support::{Grant, LiveGrant, Scenario, World, eventually, seconds};

fn heads(printed: &str) -> Vec<&str> {
    let head = printed.lines().next().unwrap_or_default();
    head.split_whitespace().collect()
}

#[test]
fn a_merged_file_can_be_applied_waited_for_and_applied_again() {
    let world = World::shared();
    let scenario = Scenario::new(world, "kubectl");
    let access = scenario.assignment();
    let grant = Grant::of(&access).expires_in(seconds(15));
    scenario.promise(&grant);
    let file = world
        .control_plane
        .directory()
        .join(format!("{}.json", scenario.name));
    std::fs::write(&file, grant.object(&scenario.name).to_string()).unwrap();
    let apply = ["apply", "-f", file.to_str().unwrap()];
    assert!(world.kubectl(&apply).ends_with("created"));

    let wait = |condition: &str| {
        let condition = format!("--for={condition}");
        world.kubectl(&[
            "wait",
            "bgg/grant",
            "-n",
            &scenario.name,
            "--timeout=60s",
            &condition,
        ])
    };
    wait("condition=Granted");
    assert!(world.cloud.has(&access));
    wait("condition=Ready");
    assert!(world.kubectl(&apply).ends_with("unchanged"));
    wait("condition=Granted=false");
    wait("jsonpath={.status.state}=Expired");
    assert!(!world.cloud.has(&access));
}

#[test]
fn the_columns_say_who_has_what_until_when() {
    let world = World::shared();
    let scenario = Scenario::new(world, "columns");
    let grant = Grant::of(&scenario.iam_group()).ticket("INC-1234");
    let grant = scenario.apply(&grant);
    grant.wait_until_given();
    let namespace = ["-n", &scenario.name];
    let plain = world.kubectl(&["get", "bgg", namespace[0], namespace[1]]);
    assert_eq!(
        heads(&plain),
        ["NAME", "USER", "TARGET", "STATE", "EXPIRES", "AGE"]
    );
    let wide = world.kubectl(&["get", "bgg", namespace[0], namespace[1], "-o", "wide"]);
    assert_eq!(
        heads(&wide)[6..],
        ["START", "REASON", "TICKET", "POLICY", "SESSIONS-END-BY"]
    );
    let row = &table(&wide)[0];
    assert_eq!(row["REASON"], "Payments API down");
    assert_eq!(row["TICKET"], "INC-1234");
    assert_eq!(row["POLICY"], format!("{}-all", scenario.name));
    assert_ne!(row["SESSIONS-END-BY"], "");

    let ledger = grant.ledger().unwrap();
    let name = ledger["metadata"]["name"].as_str().unwrap();
    let access = world.kubectl(&["get", "breakglassaccesses", name]);
    let row = &table(&access)[0];
    assert_eq!(row["USER"], grant.access.user);
    assert_eq!(row["TARGET"], grant.access.summary());
    assert_eq!(row["STATE"], "Open");
    assert_eq!(row["ORIGIN"], "Created");
    assert_eq!(row["OBSERVED"], "Present");
    assert!(row["GRANTS"].contains("grant"), "{access}");
}

#[test]
fn grants_can_be_selected_by_user_state_and_target() {
    let world = World::shared();
    let scenario = Scenario::new(world, "selected");
    let active = scenario.apply(&Grant::of(&scenario.assignment()).named("active"));
    let expired = Grant::of(&scenario.group()).named("expired");
    let expired = scenario.apply(&expired.expires_in(seconds(-60)));
    active.wait_until_given();
    expired.wait_for_state("Expired");
    let selected = |selector: &str| {
        let arguments = [
            "get",
            "bgg",
            "-n",
            &scenario.name,
            "-o",
            "name",
            "--field-selector",
            selector,
        ];
        world.kubectl(&arguments)
    };
    let resource = |grant: &LiveGrant<'_>| format!("breakglassgrant.breakglass.dev/{}", grant.name);
    assert_eq!(selected("status.state=Active"), resource(&active));
    assert_eq!(selected("status.state!=Active"), resource(&expired));
    assert_eq!(
        selected(&format!("spec.user={}", active.access.user)),
        resource(&active)
    );
    let account = "spec.target.accountAssignment.account=111122223333";
    assert_eq!(selected(account), resource(&active));
    let category = world.kubectl(&["get", "breakglass", "-n", &scenario.name, "-o", "name"]);
    assert!(category.contains(&resource(&active)), "{category}");
}

#[test]
fn explain_teaches_every_field() {
    let world = World::shared();
    let explained = world.kubectl(&["explain", "breakglassgrants.spec"]);
    for field in [
        "user",
        "target",
        "startTime",
        "expiryTime",
        "reason",
        "ticket",
        "revoked",
    ] {
        assert!(
            explained.contains(field),
            "{field} is missing in:\n{explained}"
        );
    }
    let all = world.kubectl(&["explain", "breakglassgrants", "--recursive"]);
    assert!(all.contains("accountAssignment"), "{all}");
    for kind in [
        "breakglassgrants",
        "breakglassaccesses",
        "breakglasspolicies",
    ] {
        for part in ["spec", "status"] {
            let explained = world.kubectl(&["explain", &format!("{kind}.{part}")]);
            assert!(!explained.contains("<no description>"), "{explained}");
        }
    }
}

#[test]
fn describe_shows_the_events_of_a_grant() {
    let world = World::shared();
    let scenario = Scenario::new(world, "events");
    let grant = scenario.apply(&Grant::of(&scenario.assignment()));
    grant.wait_until_given();
    grant.revoke();
    grant.wait_until_taken("Revoked");
    eventually("the events are there", || {
        let described = world.kubectl(&["describe", "bgg", "grant", "-n", &scenario.name]);
        let events = described.split("Events:").nth(1).unwrap_or_default();
        ["Active", "Revoking", "Revoked"]
            .iter()
            .all(|reason| events.contains(reason))
    });
}

/// People are called by Events; a condition that flips calls nobody.
#[test]
fn a_revoke_that_is_overdue_is_told_by_a_warning() {
    let world = World::shared();
    let scenario = Scenario::new(world, "overdue-event");
    let grant = scenario.apply(&Grant::of(&scenario.assignment()));
    grant.wait_until_given();
    // It stalls nothing, so that nothing else is warned of.
    let throttled = Fault::new(Action::error("ThrottlingException", "Rate exceeded"))
        .on(Service::SsoAdmin, "DeleteAccountAssignment")
        .with_parameter("PrincipalId", &grant.access.user_id);
    let throttled = world.aws().simulator.add_fault(throttled);
    grant.revoke();
    grant.wait_for_condition("RevokeOverdue", "StillPresent");
    let about = format!("involvedObject.uid={},type=Warning", grant.uid);
    let warnings = ["get", "events", "-n", &scenario.name, "--field-selector"];
    eventually("a warning is there", || {
        let printed = world.kubectl(&[&warnings[..], &[&about, "-o", "name"]].concat());
        !printed.is_empty()
    });
    world.aws().simulator.remove_fault(throttled);
    grant.wait_until_taken("Revoked");
}

#[test]
fn a_request_for_another_look_is_answered() {
    let scenario = Scenario::new(World::shared(), "look-again");
    let grant = scenario.apply(&Grant::of(&scenario.iam_group()));
    grant.wait_until_given();
    grant.annotate("breakglass.dev/requestedAt", "now, please");
    grant.wait("the request is echoed", |found| {
        found["status"]["lastHandledRequest"] == "now, please"
    });
    grant.wait_until_given();
}

#[test]
fn each_write_to_aws_leaves_an_audit_line() {
    let world = World::shared();
    let scenario = Scenario::new(world, "audited");
    let access = scenario.assignment();
    let provenance = "breakglass.dev/pull-request";
    let grant = Grant::of(&access).annotation(provenance, "https://git.example.com/pull/7");
    let grant = scenario.apply(&grant);
    grant.wait_until_given();
    grant.revoke();
    grant.wait_until_taken("Revoked");
    let lines = || {
        let mut lines = world.first_controller().audit();
        lines.retain(|line| line["user"] == access.user);
        lines
    };
    // AWS works on an assignment for a while, so each write is told twice.
    eventually("both writes are told", || lines().len() >= 4);
    let lines = lines();
    let expected = [
        ("Create", "InProgress"),
        ("Create", "Succeeded"),
        ("Delete", "InProgress"),
        ("Delete", "Succeeded"),
    ];
    assert_eq!(lines.len(), expected.len(), "{lines:#?}");
    for pair in lines.chunks(2) {
        assert_eq!(pair[0]["attempt"], pair[1]["attempt"], "{lines:#?}");
    }
    for (line, (operation, outcome)) in lines.iter().zip(expected) {
        assert_eq!(line["operation"], operation, "{line:#}");
        assert_eq!(line["outcome"], outcome, "{line:#}");
        assert_eq!(line["target"], access.summary(), "{line:#}");
        assert!(line["requestId"].is_string(), "{line:#}");
        let told = &line["grants"][0];
        assert_eq!(told["uid"], grant.uid, "{line:#}");
        assert_eq!(
            told["policy"]["name"],
            format!("{}-all", scenario.name),
            "{line:#}"
        );
        let source = json!({"pullRequest": "https://git.example.com/pull/7"});
        assert_eq!(told["unverifiedProvenance"], source, "{line:#}");
    }
    let writes = scenario.writes_of(&access);
    assert_eq!(writes.len(), 2);
}

#[test]
fn probes_and_metrics_are_served() {
    let world = World::shared();
    let scenario = Scenario::new(world, "metrics");
    let controller = world.first_controller();
    for path in ["/livez", "/readyz"] {
        let (status, body) = controller.get(path).unwrap();
        assert_eq!((status, body.as_str()), (200, "ok\n"), "{path}");
    }
    // AWS must have been written to.
    let grant = scenario.apply(&Grant::of(&scenario.iam_group()));
    grant.wait_until_given();
    let (status, metrics) = controller.get("/metrics").unwrap();
    assert_eq!(status, 200);
    for beginning in [
        r#"breakglass_aws_writes_total{operation="Create",outcome="Succeeded"} "#,
        "breakglass_build_info{version=",
        "breakglass_desk_queue_length ",
        "breakglass_panics_total 0",
        "leader_election_master_status 1",
        "# EOF",
    ] {
        let told = metrics.lines().any(|line| line.starts_with(beginning));
        assert!(told, "{beginning} is missing in:\n{metrics}");
    }
}
