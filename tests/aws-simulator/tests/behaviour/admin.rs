//! The admin API over HTTP, and the binary.

use std::process::Stdio;

use aws_simulator::{
    Action, Bytes, CallRecord, Change, Fault, PlacedFault, Seed, Settings, Truth, http,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use crate::virtual_cloud::{Cloud, PAYMENTS, pass};

async fn ask(cloud: &Cloud, method: &str, path: &str, body: impl Serialize) -> (u16, Value) {
    let body = Bytes::from(serde_json::to_vec(&body).unwrap());
    let request = http::Request::builder()
        .method(method)
        .uri(format!("/_simulator/{path}"))
        .body(body)
        .unwrap();
    let response = cloud.simulator.call(request).await.unwrap();
    (
        response.status().as_u16(),
        serde_json::from_slice(response.body()).unwrap(),
    )
}

async fn get<T: DeserializeOwned>(cloud: &Cloud, path: &str) -> T {
    let (status, body) = ask(cloud, "GET", path, ()).await;
    assert_eq!(status, 200, "{body}");
    serde_json::from_value(body).unwrap()
}

#[tokio::test(start_paused = true)]
async fn the_truth_can_be_read_and_changed() {
    let cloud = Cloud::example();
    let change = Change::CreateAssignment {
        account: PAYMENTS.to_owned(),
        permission_set: "AdministratorAccess".to_owned(),
        principal: "alice@example.com".to_owned(),
    };
    assert_eq!(
        ask(&cloud, "POST", "changes", &change).await,
        (200, json!({ "id": null }))
    );
    let truth: Truth = get(&cloud, "truth").await;
    assert!(truth.is_assigned(PAYMENTS, "AdministratorAccess", "alice@example.com"));
    assert_eq!(truth, cloud.simulator.truth());
    let (status, made) = ask(
        &cloud,
        "POST",
        "changes",
        json!({ "createUser": { "userName": "eve" } }),
    )
    .await;
    assert_eq!(
        (status, made["id"].as_str().unwrap()),
        (200, cloud.user_id("eve").as_str())
    );
    assert_eq!(
        ask(
            &cloud,
            "POST",
            "changes",
            json!({ "deleteUser": { "user": "nobody" } })
        )
        .await
        .0,
        409
    );
    assert_eq!(
        ask(
            &cloud,
            "POST",
            "changes",
            json!({ "deleteUser": { "name": "eve" } })
        )
        .await
        .0,
        400
    );
    assert_eq!(ask(&cloud, "GET", "elsewhere", ()).await.0, 404);
}

#[tokio::test(start_paused = true)]
async fn settings_and_faults_can_be_changed() {
    let cloud = Cloud::example();
    let (status, _) = ask(
        &cloud,
        "PATCH",
        "settings",
        json!({ "assignmentDelay": "5s", "pageSize": 7 }),
    )
    .await;
    assert_eq!(status, 200);
    let settings: Settings = get(&cloud, "settings").await;
    assert_eq!(
        (settings.page_size, settings.assignment_delay.max.as_secs()),
        (7, 5)
    );
    assert_eq!(settings, cloud.simulator.settings());
    assert_eq!(
        ask(&cloud, "PATCH", "settings", json!({ "pagesize": 7 }))
            .await
            .0,
        400
    );

    let fault = json!({ "service": "sso-admin", "times": 1, "action": { "error": { "code": "ConflictException" } } });
    let (_, placed) = ask(&cloud, "POST", "faults", fault).await;
    let hang = Fault::new(Action::Hang);
    ask(&cloud, "POST", "faults", &hang).await;
    let faults: Vec<PlacedFault> = get(&cloud, "faults").await;
    assert_eq!((faults.len(), &faults[1].fault), (2, &hang));
    assert_eq!(
        ask(&cloud, "DELETE", &format!("faults/{}", placed["id"]), ())
            .await
            .0,
        200
    );
    assert_eq!(cloud.simulator.faults().len(), 1);
    ask(&cloud, "DELETE", "faults", ()).await;
    assert_eq!(cloud.simulator.faults().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn calls_are_recorded() {
    let cloud = Cloud::example();
    let tuple = cloud.tuple();
    tuple.create().await.unwrap();
    pass(3).await;
    tuple
        .client
        .list_permission_sets()
        .send()
        .await
        .unwrap_err();
    let calls: Vec<CallRecord> = get(&cloud, "calls?since=0").await;
    assert_eq!(calls, cloud.calls());
    let [create, list] = &calls[..] else {
        panic!("{calls:?}")
    };
    assert_eq!(
        (
            create.sequence,
            create.operation.as_str(),
            create.region.as_str()
        ),
        (1, "CreateAccountAssignment", "us-east-1")
    );
    assert_eq!(
        create.parameter("PrincipalId"),
        Some(tuple.user_id.as_str())
    );
    assert_eq!(list.outcome.as_deref(), Some("ValidationException"));
    assert_eq!(list.time.duration_since(create.time).as_secs(), 3);
    assert_eq!(
        get::<Vec<CallRecord>>(&cloud, "calls?since=1").await,
        std::slice::from_ref(list)
    );
    ask(&cloud, "DELETE", "calls", ()).await;
    tuple.listed().await;
    let [call] = &cloud.calls()[..] else { panic!() };
    assert_eq!(call.sequence, 3);
}

#[tokio::test(start_paused = true)]
async fn the_world_can_be_replaced() {
    let cloud = Cloud::example();
    cloud.tuple().create().await.unwrap();
    let seed = Seed {
        management_account: PAYMENTS.to_owned(),
        ..Seed::default()
    };
    assert_eq!(ask(&cloud, "POST", "reset", &seed).await.0, 200);
    let truth = cloud.simulator.truth();
    assert_eq!(
        (truth.management_account.as_str(), truth.instances.len()),
        (PAYMENTS, 0)
    );
    assert_eq!(cloud.calls(), []);
    cloud
        .sts(PAYMENTS)
        .get_caller_identity()
        .send()
        .await
        .unwrap();
    assert_eq!(cloud.calls()[0].sequence, 2);
}

/// A server on a socket, started as a program.
#[tokio::test]
async fn the_binary_serves_a_world_from_a_file() {
    let world = "
accounts:
- {id: '222233334444', users: [{name: dora, tags: {team: payments}}]}
instances:
- region: eu-central-1
  permissionSets: [{name: Operator, sessionDuration: PT2H}]
  users: [{userName: dora@example.com}]
  groups: [{displayName: Operators, members: [dora@example.com]}]
  assignments: [{account: '222233334444', permissionSet: Operator, group: Operators}]
settings: {assignmentDelay: {min: 1s, max: 2s}, iamRate: {perSecond: 5, burst: 10}}
faults: [{service: iam, operation: TagUser, action: accessDenied}]
";
    let file = std::env::temp_dir().join(format!("aws-simulator-{}.yaml", std::process::id()));
    std::fs::write(&file, world).unwrap();
    let mut program = tokio::process::Command::new(env!("CARGO_BIN_EXE_aws-simulator"));
    let mut program = program
        .arg("--world")
        .arg(&file)
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let line = BufReader::new(program.stdout.take().unwrap())
        .lines()
        .next_line()
        .await
        .unwrap()
        .unwrap();
    std::fs::remove_file(&file).unwrap();
    let address = line
        .strip_prefix("AWS_ENDPOINT_URL=http://")
        .unwrap()
        .split(' ')
        .next()
        .unwrap();
    assert!(
        line.contains("AWS_REGION=eu-central-1 AWS_ACCESS_KEY_ID=AKIA999988887777TEST"),
        "{line}"
    );

    let mut stream = TcpStream::connect(address).await.unwrap();
    stream
        .write_all(
            b"GET /_simulator/truth HTTP/1.1\r\nHost: simulator\r\nConnection: close\r\n\r\n",
        )
        .await
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    let truth: Truth = serde_json::from_str(body).unwrap();
    assert!(truth.is_assigned("222233334444", "Operator", "Operators"));
    assert!(truth.is_member("Operators", "dora@example.com"));
    assert_eq!(
        truth.account("222233334444").unwrap().users[0].tags[0].value,
        "payments"
    );
    program.kill().await.unwrap();
}
