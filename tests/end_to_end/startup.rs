//! What is wrong is said in one clear line; what may heal is waited for, and what can't ends the program.

use std::net::TcpListener;

use aws_simulator::{Action, Change, Fault, SeedInstance, Service};
use control_plane::{ControlPlane, Options, User};
use serde_json::{Value, json};

use crate::support::cloud::{MANAGEMENT, SHIPPING};
use crate::support::controller::{SERVICE_ACCOUNT, Start};
use crate::support::install::install_definitions;
use crate::support::kubernetes::kubectl;
use crate::support::world::configuration;
use crate::support::{Controller, Grant, Scenario, Setup, World};

/// The program ends with an error, and the last line that it prints names these.
fn ends_saying(control_plane: &ControlPlane, start: &Start, words: &[&str]) {
    let controller = start.run(control_plane);
    let exit = controller.wait_for_exit();
    let log = controller.log();
    assert!(!exit.success(), "{log}");
    let line = log.lines().last().unwrap_or_default();
    for word in words {
        assert!(line.contains(word), "{word:?} is missing in: {line}\n{log}");
    }
    assert!(!log.contains("panicked"), "{log}");
}

fn cannot_start(start: &Start, words: &[&str]) {
    // None of them comes so far as to ask the API server for anything.
    ends_saying(&World::shared().control_plane, start, words);
}

#[test]
fn without_a_region_it_says_how_to_set_one() {
    let start = World::shared().controller().without_env("AWS_REGION");
    cannot_start(&start, &["Region", "AWS_REGION"]);
}

#[test]
fn without_a_cluster_it_says_how_to_name_one() {
    let start = World::shared().controller().without_env("KUBECONFIG");
    cannot_start(&start, &["KUBECONFIG"]);
}

#[test]
fn a_wrong_configuration_file_is_told_with_what_is_wrong() {
    let start = World::shared().controller();
    for (text, word) in [
        ("identityCentre: {}", "identityCentre"),
        ("settings: {settleWindow: 1d}", "1d"),
        ("iamAccounts: [{account: '123'}]", "123"),
        ("settings: {inFlight: 0}", "inFlight"),
        ("- a list", "configuration file"),
    ] {
        cannot_start(&start.clone().config(text), &["configuration file", word]);
    }
    let missing = start
        .without_config()
        .arg("--config")
        .arg("/nonexistent/config.yaml");
    cannot_start(&missing, &["/nonexistent/config.yaml"]);
}

#[test]
fn an_argument_that_is_not_known_is_told() {
    let start = World::shared().controller().arg("--obsrve");
    let controller = start.run(&World::shared().control_plane);
    assert!(!controller.wait_for_exit().success());
    assert!(
        controller.log().contains("--obsrve"),
        "{}",
        controller.log()
    );
}

#[test]
fn a_port_in_use_is_told() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let start = World::shared().controller().listening_on(&address);
    cannot_start(&start, &[&address, "--listen"]);
}

/// Machines read it: one line that is something else is one that nobody finds.
fn is_json(controller: &Controller) {
    let log = controller.log();
    assert_ne!(log, "");
    for line in log.lines() {
        let told: Value = serde_json::from_str(line).unwrap_or_default();
        for field in ["timestamp", "level", "message"] {
            assert!(told[field].is_string(), "no {field} in: {line}");
        }
    }
}

#[test]
fn as_json_each_line_of_the_log_is_an_object() {
    let world = World::own(Setup::default().without_controller());
    let scenario = Scenario::new(&world, "as-json");
    let controller = world.controller().arg("--log-format").arg("json");
    let controller = world.start_controller(&controller);
    let grant = scenario.apply(&Grant::of(&scenario.assignment()));
    grant.wait_until_given();
    grant.revoke();
    grant.wait_until_taken("Revoked");
    controller.wait_for_log(&grant.uid);
    is_json(&controller);
}

#[test]
fn as_json_a_start_that_fails_is_told_too() {
    let world = World::shared();
    let start = world.controller().arg("--log-format").arg("json");
    let controller = start.without_env("AWS_REGION").run(&world.control_plane);
    assert!(!controller.wait_for_exit().success());
    assert!(controller.log().contains("AWS_REGION"));
    is_json(&controller);
}

/// A control plane with nothing of ours in it.
fn bare() -> (Setup, ControlPlane) {
    let options = Options::default().user(User::service_account(
        "breakglass-system",
        "breakglass-controller",
    ));
    (Setup::default(), ControlPlane::start(options).unwrap())
}

#[test]
fn definitions_that_are_missing_or_older_are_told_with_the_command_that_installs_them() {
    let (_, control_plane) = bare();
    let start = World::shared().controller();
    let admin = |arguments: &[&str]| kubectl(&control_plane, "admin", arguments).unwrap();
    // Without any rights it can't even look.
    ends_saying(&control_plane, &start, &["refuses us", "deploy/kustomize"]);

    let user = format!("--user={SERVICE_ACCOUNT}");
    admin(&[
        "create",
        "clusterrolebinding",
        "all",
        "--clusterrole=cluster-admin",
        &user,
    ]);
    admin(&["create", "namespace", "breakglass-system"]);
    ends_saying(
        &control_plane,
        &start,
        &["is missing", "breakglass crds | kubectl apply"],
    );

    install_definitions(&control_plane);
    let ticket = json!([{"op": "remove", "path": "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/ticket"}]);
    let grants = "breakglassgrants.breakglass.dev";
    admin(&[
        "patch",
        "crd",
        grants,
        "--type=json",
        "-p",
        &ticket.to_string(),
    ]);
    ends_saying(
        &control_plane,
        &start,
        &[
            grants,
            "older",
            ".spec.ticket",
            "breakglass crds | kubectl apply",
        ],
    );

    install_definitions(&control_plane);
    let controller = start.run(&control_plane);
    controller.wait_until_ready();
}

#[test]
fn an_api_server_that_is_away_is_waited_for() {
    let world = World::own(Setup::default().without_controller());
    world.control_plane.kill_api_server().unwrap();
    let controller = world.run_controller(&world.controller());
    controller.wait_for_log("waiting for it");
    assert!(!controller.has_ended(), "{}", controller.log());
    world.control_plane.start_api_server().unwrap();
    controller.wait_until_ready();
}

/// A pod that does not answer /livez is killed again and again, and its log with the reason is lost.
#[test]
fn while_the_api_server_is_away_it_is_alive_and_not_ready() {
    let world = World::own(Setup::default().without_controller());
    world.control_plane.kill_api_server().unwrap();
    let controller = world.run_controller(&world.controller());
    controller.wait_for_log("waiting for it");
    let status = |path: &str| controller.get(path).map(|(status, _)| status);
    assert_eq!(status("/livez").ok(), Some(200), "{}", controller.log());
    assert_eq!(status("/readyz").ok(), Some(503), "{}", controller.log());
    world.control_plane.start_api_server().unwrap();
    controller.wait_until_ready();
}

#[test]
fn without_credentials_it_says_so_and_ends_nothing_wrongly() {
    let world = World::own(Setup::default());
    let scenario = Scenario::new(&world, "no-credentials");
    let grant = scenario.apply(&Grant::of(&scenario.assignment()));
    grant.wait_until_given();
    assert!(world.first_controller().stop().success());

    let blind = world.controller();
    let blind = blind
        .without_env("AWS_ACCESS_KEY_ID")
        .without_env("AWS_SECRET_ACCESS_KEY");
    let blind = world.start_controller(&blind);
    blind.wait_for_log("credentials");
    grant.revoke();
    grant.wait_for_state("Revoking");
    grant.wait_for_condition("Stalled", "AccessDenied");
    grant.assert_in_aws(true);
    assert_eq!(grant.row()["STATE"], "Revoking");
    assert!(blind.stop().success());

    world.start_controller(&world.controller());
    grant.wait_until_taken("Revoked");
}

#[test]
fn credentials_of_another_account_are_never_used() {
    let mut setup = Setup::default();
    setup.config["iamAccounts"] = json!([{"account": SHIPPING}]);
    let world = World::own(setup);
    let scenario = Scenario::new(&world, "wrong-account");
    world.first_controller().wait_for_log(&format!(
        "belong to account {MANAGEMENT}, not to {SHIPPING}"
    ));
    let wrong = scenario.apply(&Grant::of(&scenario.iam_group_in(SHIPPING)).named("wrong"));
    wrong.wait_for_condition("Stalled", "AccessDenied");
    assert!(wrong.message().contains(MANAGEMENT), "{}", wrong.message());
    // One with the same names in the account that the credentials do belong to.
    let calls = scenario.calls_about(&[&wrong.access.user]);
    assert!(calls.is_empty(), "{calls:?}");
    let right = scenario.apply(&Grant::of(&scenario.assignment()).named("right"));
    right.wait_until_given();
}

/// Without a file, the account of the credentials is the one IAM account.
#[test]
fn without_a_configuration_file_it_finds_instance_and_account_itself() {
    let world = World::own(Setup::default().without_controller());
    let scenario = Scenario::new(&world, "no-file");
    let access = scenario.iam_group_in(MANAGEMENT);
    scenario.policy("all", json!({"rules": [access.rule()]}));
    scenario.leave_open();
    world.start_controller(&world.controller().without_config());
    let grant = scenario.apply(&Grant::of(&access));
    grant.wait_until_given();
    grant.revoke();
    grant.wait_until_taken("Revoked");
}

/// IAM groups need no instance, but without one nobody can say that an account is not the management account: a star covers
/// none, and what is listed counts.
#[test]
fn a_missing_instance_is_told_and_found_once_it_is_there() {
    let world = World::own(Setup::default().aws(|seed| seed.instances.clear()));
    let scenario = Scenario::new(&world, "no-instance");
    let controller = world.first_controller();
    controller.wait_for_log("no Identity Center instance in Region us-east-1");
    let starred = scenario.apply(&Grant::of(&scenario.iam_group()).named("starred"));
    starred.wait_for_state("Denied");
    assert!(
        starred.message().contains("list the account"),
        "{}",
        starred.report()
    );
    let listed = scenario.iam_group();
    scenario.policy("listed", json!({"rules": [listed.rule()]}));
    let listed = scenario.apply(&Grant::of(&listed).named("listed"));
    listed.wait_until_given();
    world
        .aws()
        .change(&Change::AddInstance(SeedInstance::default()));
    starred.wait_until_given();
    let grant = scenario.apply(&Grant::of(&scenario.assignment()).named("center"));
    grant.wait_until_given();
}

/// Until it is known which account is the management account a star covers none, and then it does.
#[test]
fn a_grant_made_before_identity_center_answers_is_given_once_it_does() {
    let late = Setup::default()
        .setting("relistInterval", "10m")
        .aws(|seed| {
            let down = Action::error("InternalServerException", "not yet");
            let down = Fault::new(down).on(Service::SsoAdmin, "ListInstances");
            seed.faults.push(down.times(3));
        });
    let world = World::own(late.without_controller());
    let scenario = Scenario::new(&world, "early-bird");
    let grant = scenario.apply(&Grant::of(&scenario.assignment()));
    world.start_controller(&world.controller());
    grant.wait_until_given();
    assert_eq!(grant.row()["STATE"], "Active");
}

#[test]
fn several_instances_are_told_and_one_can_be_chosen() {
    let two = Setup::default().aws(|seed| {
        seed.instances.push(SeedInstance {
            owner: Some(SHIPPING.to_owned()),
            ..SeedInstance::default()
        });
        seed.instances.push(SeedInstance::default());
    });
    let world = World::own(two);
    let scenario = Scenario::new(&world, "instances");
    let controller = world.first_controller();
    controller.wait_for_log("several Identity Center instances");
    // While the instance is unknown any account might be the management account, which a star does not cover.
    let access = scenario.assignment();
    scenario.policy("listed", json!({"rules": [access.rule()]}));
    let grant = scenario.apply(&Grant::of(&access));
    grant.wait_for_condition("Stalled", "SeveralInstances");
    assert!(
        grant.message().contains("identityCenter.instanceArn"),
        "{}",
        grant.message()
    );
    assert!(controller.stop().success());

    let mut config = configuration();
    let truth = world.aws().simulator.truth();
    config["identityCenter"] = json!({"instanceArn": truth.instances[0].arn});
    world.start_controller(&world.controller().config(&config.to_string()));
    grant.wait_until_given();
}

#[test]
fn an_instance_in_another_region_is_told_and_found_once_the_region_is_named() {
    let abroad = Setup::default().aws(|seed| seed.instances[0].region = "eu-central-1".to_owned());
    let world = World::own(abroad);
    let scenario = Scenario::new(&world, "region");
    let controller = world.first_controller();
    controller.wait_for_log("no Identity Center instance in Region us-east-1");
    let grant = scenario.apply(&Grant::of(&scenario.group()));
    grant.wait_for_condition("Stalled", "InstanceNotFound");
    assert!(
        grant.message().contains("identityCenter.region"),
        "{}",
        grant.message()
    );
    assert!(controller.stop().success());

    let mut config = configuration();
    config["identityCenter"] = json!({"region": "eu-central-1"});
    world.start_controller(&world.controller().config(&config.to_string()));
    grant.wait_until_given();
}
