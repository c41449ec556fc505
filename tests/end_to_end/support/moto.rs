//! moto, an AWS stand-in that was written by others: an independent look at how AWS is spoken to.

use std::fs;
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_sdk_identitystore::types::{GroupMembershipExistenceResult, MemberId, Name};
use aws_sdk_ssoadmin::types::PrincipalType;
use supervisor::{Program, Supervised};

use super::install::repository;
use super::time::{PATIENCE, block_on, poll};
use super::{Access, Kind};

/// A moto server and the one Identity Center instance that it has in every account.
pub struct Moto {
    url: String,
    sso_admin: aws_sdk_ssoadmin::Client,
    identity_store: aws_sdk_identitystore::Client,
    iam: aws_sdk_iam::Client,
    instance_arn: String,
    identity_store_id: String,
    _server: Supervised,
}

impl Moto {
    /// The account of all credentials that moto does not know.
    pub const ACCOUNT: &'static str = "123456789012";

    /// Starts a server, which takes a few seconds, and a minute more if moto is to be installed first.
    pub fn start() -> Self {
        let venv = repository("target/moto-venv");
        install(&venv);
        let port = supervisor::free_port().unwrap();
        let log = repository("target").join(format!("moto-{}.log", std::process::id()));
        let server = Program::new("moto", venv.join("bin/moto_server"))
            .args(["-H", "127.0.0.1", "-p", &port.to_string()])
            .spawn(&log)
            .unwrap();
        poll(PATIENCE, || {
            assert!(!server.has_exited(), "moto ended: {}", server.log_tail());
            TcpStream::connect(("127.0.0.1", port)).map_err(|error| error.to_string())
        })
        .unwrap();
        // Its output is of no use once it has started, and the server outlives every test.
        drop(fs::remove_file(log));

        let url = format!("http://127.0.0.1:{port}");
        let config = config(&url);
        let sso_admin = aws_sdk_ssoadmin::Client::new(&config);
        let instances = block_on(sso_admin.list_instances().send()).unwrap();
        let instance = &instances.instances()[0];
        Self {
            url,
            identity_store: aws_sdk_identitystore::Client::new(&config),
            iam: aws_sdk_iam::Client::new(&config),
            instance_arn: instance.instance_arn().unwrap().to_owned(),
            identity_store_id: instance.identity_store_id().unwrap().to_owned(),
            sso_admin,
            _server: server,
        }
    }

    /// Where it is served.
    pub fn url(&self) -> &String {
        &self.url
    }

    pub fn add_user(&self, name: &str) -> String {
        let user = self
            .identity_store
            .create_user()
            .identity_store_id(&self.identity_store_id)
            .user_name(name)
            .display_name(name)
            .name(Name::builder().given_name(name).family_name(name).build())
            .send();
        block_on(user).unwrap().user_id().to_owned()
    }

    pub fn add_group(&self, name: &str) -> String {
        let group = self
            .identity_store
            .create_group()
            .identity_store_id(&self.identity_store_id)
            .display_name(name)
            .send();
        block_on(group).unwrap().group_id().to_owned()
    }

    pub fn add_permission_set(&self, name: &str) -> String {
        let set = self
            .sso_admin
            .create_permission_set()
            .instance_arn(&self.instance_arn)
            .name(name)
            // Without it moto answers with a number that the SDK can't read.
            .session_duration("PT1H")
            .send();
        let set = block_on(set).unwrap().permission_set.unwrap();
        set.permission_set_arn.unwrap()
    }

    pub fn add_iam_user(&self, name: &str) -> String {
        let user = block_on(self.iam.create_user().user_name(name).send()).unwrap();
        user.user.unwrap().user_id
    }

    pub fn add_iam_group(&self, name: &str) -> String {
        let group = block_on(self.iam.create_group().group_name(name).send()).unwrap();
        group.group.unwrap().group_id
    }

    /// Whether moto has the access now.
    pub fn has(&self, access: &Access) -> bool {
        match &access.kind {
            Kind::Assignment { account, .. } => {
                let rows = self
                    .sso_admin
                    .list_account_assignments()
                    .instance_arn(&self.instance_arn)
                    .account_id(account)
                    .permission_set_arn(&access.entitlement_id)
                    .send();
                let rows = block_on(rows).unwrap();
                rows.account_assignments().iter().any(|row| {
                    row.principal_type() == Some(&PrincipalType::User)
                        && row.principal_id() == Some(&access.user_id)
                })
            }
            Kind::Group { .. } => {
                let answer = self
                    .identity_store
                    .is_member_in_groups()
                    .identity_store_id(&self.identity_store_id)
                    .member_id(MemberId::UserId(access.user_id.clone()))
                    .group_ids(&access.entitlement_id)
                    .send();
                let answer = block_on(answer).unwrap();
                answer
                    .results()
                    .iter()
                    .any(GroupMembershipExistenceResult::membership_exists)
            }
            Kind::IamGroup { name, .. } => {
                let groups = self
                    .iam
                    .list_groups_for_user()
                    .user_name(&access.user)
                    .send();
                let groups = block_on(groups).unwrap();
                groups
                    .groups()
                    .iter()
                    .any(|group| group.group_name() == name)
            }
        }
    }
}

fn config(url: &str) -> SdkConfig {
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .endpoint_url(url)
        .credentials_provider(
            aws_credential_types::provider::SharedCredentialsProvider::new(Credentials::new(
                "AKIATESTTESTTESTTEST",
                "test",
                None,
                None,
                "test",
            )),
        )
        .build()
}

/// Makes a virtual environment with the pinned versions, unless it is there.
fn install(venv: &Path) {
    let requirements = repository("tests/moto/requirements.txt");
    let wanted = fs::read_to_string(&requirements).unwrap();
    let stamp = venv.join("requirements.stamp");
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return;
    }
    eprintln!("installing moto into {} (about a minute)", venv.display());
    let pip = venv.join("bin/pip");
    run(Command::new("python3")
        .args(["-m", "venv", "--clear"])
        .arg(venv));
    run(Command::new(pip)
        .args([
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--requirement",
        ])
        .arg(requirements));
    fs::write(stamp, wanted).unwrap();
}

fn run(command: &mut Command) {
    let failed = match command.stdin(Stdio::null()).output() {
        Ok(output) if output.status.success() => return,
        Ok(output) => String::from_utf8_lossy(&output.stderr).into_owned(),
        Err(error) => error.to_string(),
    };
    let last = failed.trim().lines().last().unwrap_or_default();
    panic!(
        "moto can't be installed, which takes Python 3 with venv and pip's package index: {last}"
    );
}
