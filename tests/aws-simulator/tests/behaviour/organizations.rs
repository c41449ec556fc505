//! Organizations, for which there is no SDK among the dependencies: the requests are written out.

use aws_simulator::{AccountStatus, Bytes, Change, http};
use serde_json::{Value, json};

use crate::virtual_cloud::{Cloud, MANAGEMENT, PAYMENTS};

async fn ask(cloud: &Cloud, account: &str, operation: &str, body: Value) -> (u16, Value) {
    let scope = format!(
        "AWS4-HMAC-SHA256 Credential=AKIA{account}TEST/20260101/us-east-1/organizations/aws4_request, Signature=0"
    );
    let request = http::Request::post("/")
        .header(
            "x-amz-target",
            format!("AWSOrganizationsV20161128.{operation}"),
        )
        .header("authorization", scope)
        .body(Bytes::from(body.to_string()))
        .unwrap();
    let response = cloud.simulator.call(request).await.unwrap();
    (
        response.status().as_u16(),
        serde_json::from_slice(response.body()).unwrap(),
    )
}

#[tokio::test(start_paused = true)]
async fn every_account_knows_the_organization() {
    let cloud = Cloud::example();
    let (status, answer) = ask(&cloud, PAYMENTS, "DescribeOrganization", json!({})).await;
    assert_eq!(
        (status, answer["Organization"]["MasterAccountId"].as_str()),
        (200, Some(MANAGEMENT))
    );
}

#[tokio::test(start_paused = true)]
async fn the_management_account_and_its_delegate_list_the_accounts() {
    let cloud = Cloud::example();
    cloud.change(&Change::SetAccountStatus {
        account: PAYMENTS.to_owned(),
        status: AccountStatus::PendingClosure,
    });
    let (_, first) = ask(
        &cloud,
        MANAGEMENT,
        "ListAccounts",
        json!({ "MaxResults": 2 }),
    )
    .await;
    assert_eq!(first["Accounts"][0]["Status"], "PENDING_CLOSURE");
    let (_, second) = ask(
        &cloud,
        MANAGEMENT,
        "ListAccounts",
        json!({ "NextToken": first["NextToken"] }),
    )
    .await;
    assert_eq!(
        (
            second["Accounts"].as_array().unwrap().len(),
            &second["NextToken"]
        ),
        (1, &Value::Null)
    );
    let member = crate::virtual_cloud::PRODUCTION;
    let (status, refused) = ask(&cloud, member, "ListAccounts", json!({})).await;
    assert_eq!(
        (status, refused["__type"].as_str()),
        (400, Some("AccessDeniedException"))
    );
    cloud.change(&Change::DelegateAdministration {
        account: Some(member.to_owned()),
    });
    assert_eq!(ask(&cloud, member, "ListAccounts", json!({})).await.0, 200);
}

#[tokio::test(start_paused = true)]
async fn one_account_is_described() {
    let cloud = Cloud::example();
    let (_, answer) = ask(
        &cloud,
        MANAGEMENT,
        "DescribeAccount",
        json!({ "AccountId": PAYMENTS }),
    )
    .await;
    assert_eq!(answer["Account"]["Name"], "payments");
    let (_, refused) = ask(
        &cloud,
        MANAGEMENT,
        "DescribeAccount",
        json!({ "AccountId": "000000000000" }),
    )
    .await;
    assert_eq!(refused["__type"], "AccountNotFoundException");
    let (_, refused) = ask(
        &cloud,
        MANAGEMENT,
        "DescribeAccount",
        json!({ "AccountId": "payments" }),
    )
    .await;
    assert_eq!(refused["__type"], "InvalidInputException");
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_not_signed_or_not_readable_is_refused() {
    let cloud = Cloud::example();
    let send = async |request: http::Request<Bytes>| {
        let response = cloud.simulator.call(request).await.unwrap();
        assert!(response.headers().contains_key("x-amzn-requestid"));
        (
            response.status().as_u16(),
            String::from_utf8(response.into_body().to_vec()).unwrap(),
        )
    };
    let target =
        http::Request::post("/").header("x-amz-target", "SWBExternalService.ListInstances");
    let (status, body) = send(target.body(Bytes::new()).unwrap()).await;
    assert!(
        status == 400 && body.contains("MissingAuthenticationTokenException"),
        "{body}"
    );
    let target =
        http::Request::post("/").header("x-amz-target", "SWBExternalService.ListInstances");
    let (status, body) = send(target.body(Bytes::from("no JSON")).unwrap()).await;
    assert!(
        status == 400 && body.contains("SerializationException"),
        "{body}"
    );
    for (form, code) in [
        ("Version=2010-05-08", "MissingAction"),
        ("Action=GetUser&Version=2000-01-01", "InvalidAction"),
    ] {
        let (status, body) = send(http::Request::post("/").body(Bytes::from(form)).unwrap()).await;
        assert!(
            status == 400 && body.contains(&format!("<Code>{code}</Code>")),
            "{body}"
        );
    }
    let (status, body) = send(
        http::Request::post("/")
            .body(Bytes::from("Action=GetCallerIdentity&Version=2011-06-15"))
            .unwrap(),
    )
    .await;
    assert!(
        status == 403 && body.contains("<Code>MissingAuthenticationToken</Code>"),
        "{body}"
    );
    let calls = cloud.calls();
    assert_eq!(
        (calls.len(), calls[1].outcome.as_deref()),
        (5, Some("SerializationException"))
    );
}
