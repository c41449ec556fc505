//! Who may do what.

use aws_credential_types::Credentials;
use aws_simulator::{Action, Change, Fault, Seed, Service};

use crate::virtual_cloud::{Cloud, MANAGEMENT, PAYMENTS, PRODUCTION, code, code_of, pass};

const ROLE: &str = "arn:aws:iam::444455556666:role/OrganizationAccountAccessRole";

async fn assume(cloud: &Cloud) -> Credentials {
    let call = cloud
        .sts(MANAGEMENT)
        .assume_role()
        .role_arn(ROLE)
        .role_session_name("controller");
    let given = call
        .duration_seconds(900)
        .send()
        .await
        .unwrap()
        .credentials
        .unwrap();
    Credentials::new(
        given.access_key_id,
        given.secret_access_key,
        Some(given.session_token),
        None,
        "test",
    )
}

#[tokio::test(start_paused = true)]
async fn the_account_comes_from_the_access_key() {
    let cloud = Cloud::example();
    for account in [MANAGEMENT, PAYMENTS, PRODUCTION] {
        let caller = cloud
            .sts(account)
            .get_caller_identity()
            .send()
            .await
            .unwrap();
        assert_eq!(caller.account(), Some(account));
    }
    let error = cloud.sts("000000000000").get_caller_identity().send().await;
    assert_eq!(code(error), "InvalidClientTokenId");
    let client = aws_sdk_ssoadmin::Client::new(&cloud.config("000000000000", "us-east-1"));
    assert_eq!(
        code(client.list_instances().send().await),
        "UnrecognizedClientException"
    );
}

#[tokio::test(start_paused = true)]
async fn an_assumed_role_acts_in_its_own_account_until_it_expires() {
    let cloud = Cloud::example();
    let config = cloud.config_of(assume(&cloud).await, "us-east-1");
    let caller = aws_sdk_sts::Client::new(&config)
        .get_caller_identity()
        .send()
        .await
        .unwrap();
    assert_eq!(caller.account(), Some(PRODUCTION));
    let arn = "arn:aws:sts::444455556666:assumed-role/OrganizationAccountAccessRole/controller";
    assert_eq!(caller.arn(), Some(arn));
    let iam = aws_sdk_iam::Client::new(&config);
    iam.add_user_to_group()
        .user_name("alice")
        .group_name("Operators")
        .send()
        .await
        .unwrap();
    let calls = cloud.calls();
    let call = calls.last().unwrap();
    assert_eq!(
        (call.caller.as_deref(), call.role.as_deref()),
        (Some(arn), Some(ROLE))
    );
    pass(901).await;
    let expired = iam.list_users().send().await.unwrap_err();
    assert_eq!(expired.raw_response().unwrap().status().as_u16(), 403);
    assert_eq!(code_of(&expired), "ExpiredToken");
    let sso = aws_sdk_ssoadmin::Client::new(&config);
    assert_eq!(
        code(sso.list_instances().send().await),
        "ExpiredTokenException"
    );
}

#[tokio::test(start_paused = true)]
async fn sessions_can_be_ended_and_new_ones_begun() {
    let role_arn = || ROLE.to_owned();
    let (expire, revoke) = (
        Change::ExpireSessions {
            role_arn: role_arn(),
        },
        Change::RevokeSessions {
            role_arn: role_arn(),
        },
    );
    for (change, said) in [(expire, "ExpiredToken"), (revoke, "AccessDenied")] {
        let cloud = Cloud::example();
        let iam = aws_sdk_iam::Client::new(&cloud.config_of(assume(&cloud).await, "us-east-1"));
        iam.list_users().send().await.unwrap();
        cloud.change(&change);
        assert_eq!(code(iam.list_users().send().await), said);
        let later = aws_sdk_iam::Client::new(&cloud.config_of(assume(&cloud).await, "us-east-1"));
        later.list_users().send().await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_role_that_is_not_there_can_not_be_assumed() {
    let cloud = Cloud::example();
    let try_role = |arn: &'static str| {
        cloud
            .sts(MANAGEMENT)
            .assume_role()
            .role_arn(arn)
            .role_session_name("controller")
            .send()
    };
    for arn in [
        "arn:aws:iam::444455556666:role/Other",
        "arn:aws:iam::000000000000:role/OrganizationAccountAccessRole",
        "arn:aws:iam::444455556666:role/path/OrganizationAccountAccessRole",
    ] {
        let error = try_role(arn).await.unwrap_err();
        assert_eq!(error.raw_response().unwrap().status().as_u16(), 403);
        assert_eq!(code_of(&error), "AccessDenied");
    }
    let iam = cloud.iam();
    iam.create_role()
        .role_name("Other")
        .assume_role_policy_document("{}")
        .send()
        .await
        .unwrap();
    let role = iam
        .get_role()
        .role_name("Other")
        .send()
        .await
        .unwrap()
        .role
        .unwrap();
    assert_eq!(role.assume_role_policy_document(), Some("%7B%7D"));
    assert!(
        try_role("arn:aws:iam::444455556666:role/Other")
            .await
            .is_ok()
    );
    assert_eq!(
        code(iam.get_role().role_name("None").send().await),
        "NoSuchEntity"
    );
}

#[tokio::test(start_paused = true)]
async fn an_account_or_a_role_can_be_denied_an_operation() {
    let cloud = Cloud::example();
    let denied = Fault::new(Action::AccessDenied);
    cloud.simulator.add_fault(
        denied
            .clone()
            .on(Service::SsoAdmin, "CreateAccountAssignment")
            .for_account(MANAGEMENT),
    );
    cloud
        .simulator
        .add_fault(denied.on_service(Service::Iam).for_role(ROLE));
    assert_eq!(code(cloud.tuple().create().await), "AccessDeniedException");
    assert_eq!(cloud.tuple().listed().await.len(), 0);
    let iam = aws_sdk_iam::Client::new(&cloud.config_of(assume(&cloud).await, "us-east-1"));
    let error = iam.list_users().send().await.unwrap_err();
    assert_eq!(error.raw_response().unwrap().status().as_u16(), 403);
    assert_eq!(code_of(&error), "AccessDenied");
    assert!(
        cloud.iam().list_users().send().await.is_ok(),
        "other credentials are not concerned"
    );
}

fn delegate(cloud: &Cloud) -> crate::tuple::Tuple {
    let client = aws_sdk_ssoadmin::Client::new(&cloud.config(PAYMENTS, "us-east-1"));
    crate::tuple::Tuple {
        client,
        account: PRODUCTION.to_owned(),
        ..cloud.tuple()
    }
}

#[tokio::test(start_paused = true)]
async fn only_the_owner_and_its_delegate_administer_an_instance() {
    let cloud = Cloud::example();
    let member = delegate(&cloud);
    assert_eq!(
        member
            .client
            .list_instances()
            .send()
            .await
            .unwrap()
            .instances()
            .len(),
        1,
        "members see that there is one"
    );
    assert_eq!(code(member.create().await), "AccessDeniedException");
    let store = aws_sdk_identitystore::Client::new(&cloud.config(PAYMENTS, "us-east-1"));
    let list = || {
        store
            .list_users()
            .identity_store_id(cloud.instance().identity_store_id)
            .send()
    };
    assert_eq!(code(list().await), "AccessDeniedException");
    cloud.change(&Change::DelegateAdministration {
        account: Some(PAYMENTS.to_owned()),
    });
    member.create().await.unwrap();
    assert!(list().await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_delegate_is_refused_the_management_account_and_what_is_assigned_there() {
    let cloud = Cloud::new(&Seed {
        delegated_administrator: Some(PAYMENTS.to_owned()),
        ..Seed::example()
    });
    let tuple = delegate(&cloud);
    tuple.create().await.unwrap();
    pass(3).await;
    tuple.delete().await.unwrap();
    pass(3).await;
    let in_management = crate::tuple::Tuple {
        account: MANAGEMENT.to_owned(),
        ..delegate(&cloud)
    };
    assert_eq!(code(in_management.create().await), "AccessDeniedException");
    cloud.change(&Change::CreateAssignment {
        account: MANAGEMENT.to_owned(),
        permission_set: "AdministratorAccess".to_owned(),
        principal: "bob@example.com".to_owned(),
    });
    assert_eq!(
        code(tuple.create().await),
        "AccessDeniedException",
        "in every account"
    );
    let by_principal = tuple
        .client
        .list_account_assignments_for_principal()
        .instance_arn(&tuple.instance_arn);
    let by_principal = by_principal
        .principal_id(&tuple.user_id)
        .principal_type(aws_sdk_ssoadmin::types::PrincipalType::User);
    assert_eq!(
        code(by_principal.clone().send().await),
        "AccessDeniedException"
    );
    cloud.simulator.set(|settings| {
        settings.delegate.refused_management_account = false;
        settings.delegate.refused_listing_by_principal = false;
    });
    tuple.create().await.unwrap();
    in_management.create().await.unwrap();
    assert!(by_principal.send().await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_suspended_account_can_do_nothing() {
    let cloud = Cloud::example();
    let status = aws_simulator::AccountStatus::Suspended;
    cloud.change(&Change::SetAccountStatus {
        account: PRODUCTION.to_owned(),
        status,
    });
    assert_eq!(code(cloud.iam().list_users().send().await), "AccessDenied");
    let into = cloud
        .sts(MANAGEMENT)
        .assume_role()
        .role_arn(ROLE)
        .role_session_name("controller")
        .send()
        .await;
    assert_eq!(code(into), "AccessDenied");
}

#[tokio::test(start_paused = true)]
async fn keys_expire_for_a_while() {
    let cloud = Cloud::example();
    let assumed = aws_sdk_iam::Client::new(&cloud.config_of(assume(&cloud).await, "us-east-1"));
    let tuple = cloud.tuple();
    cloud.change(&Change::ExpireKeys {
        account: MANAGEMENT.to_owned(),
        until: cloud.simulator.now() + jiff::SignedDuration::from_secs(60),
    });
    assert_eq!(code(tuple.create().await), "ExpiredTokenException");
    let who = cloud.sts(MANAGEMENT).get_caller_identity().send().await;
    assert_eq!(code(who), "ExpiredToken");
    assumed.list_users().send().await.unwrap();
    cloud.iam().list_users().send().await.unwrap();
    pass(60).await;
    tuple.create().await.unwrap();
}
