//! One test's part of a world, and what must hold at its end whatever it was about.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use serde_json::{Value, json};

use super::checks::{Promise, Record};
use super::cloud::{Cloud, PAYMENTS};
use super::kubernetes::Resource;
use super::moto::Moto;
use super::time::{PATIENCE, poll};
use super::{Access, Grant, Kind, LiveGrant, World};

static NUMBER: AtomicU32 = AtomicU32::new(1);

/// A namespace with a policy that admits everything, and users, permission sets and groups of its own.
///
/// When it is dropped, all its grants are deleted, and it is checked that nothing of them is left in AWS, that what others gave
/// still stands, and that nothing was ever given at or after an expiry.
pub struct Scenario<'w> {
    pub world: &'w World,
    /// The namespace. Users and others have it in their names.
    pub name: String,
    record: Mutex<Record>,
    since: u64,
}

impl<'w> Scenario<'w> {
    /// With a policy that admits everything in its namespace.
    pub fn new(world: &'w World, theme: &str) -> Self {
        let scenario = Self::without_policy(world, theme);
        scenario.policy("all", json!({}));
        scenario
    }

    /// In a namespace for which there is no policy.
    pub fn without_policy(world: &'w World, theme: &str) -> Self {
        let name = format!("{theme}-{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        let since = match &world.cloud {
            Cloud::Simulator(simulated) => simulated.last_call(),
            Cloud::Moto(_) => 0,
        };
        let scenario = Self {
            world,
            name,
            record: Mutex::default(),
            since,
        };
        scenario.create_namespace();
        scenario
    }

    fn create_namespace(&self) {
        let namespace =
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.name}});
        self.world
            .kubernetes
            .create(Resource::Namespace, &namespace)
            .unwrap();
    }

    /// Applies a policy for this namespace: one that admits everything, changed by what `spec` says. Answers its name.
    pub fn policy(&self, name: &str, spec: Value) -> String {
        let any = ["*"];
        // A star does not cover the management account, and with moto the one account is that.
        let accounts = match &self.world.cloud {
            Cloud::Simulator(_) => vec!["*"],
            Cloud::Moto(_) => vec!["*", Moto::ACCOUNT],
        };
        let mut policy = json!({
            "namespaces": [self.name],
            "rules": [
                {"users": any, "accountAssignment": {"accounts": accounts, "permissionSets": any}},
                {"users": any, "identityCenterGroup": {"names": any}},
                {"users": any, "iamGroup": {"accounts": accounts, "names": any}},
            ],
            "maxDuration": "8h",
        });
        let Value::Object(spec) = spec else {
            panic!("a spec is an object")
        };
        policy.as_object_mut().unwrap().extend(spec);
        self.apply_policy(name, &policy)
    }

    /// Applies a policy that denies what these rules match, in this namespace. Answers its name.
    pub fn deny(&self, name: &str, rules: &Value) -> String {
        let policy = json!({"effect": "Deny", "namespaces": [self.name], "rules": rules});
        self.apply_policy(name, &policy)
    }

    fn apply_policy(&self, name: &str, spec: &Value) -> String {
        let name = format!("{}-{name}", self.name);
        let policy = json!({
            "apiVersion": "breakglass.dev/v1alpha1",
            "kind": "BreakglassPolicy",
            "metadata": {"name": name},
            "spec": spec,
        });
        let kubernetes = &self.world.kubernetes;
        kubernetes
            .delete(Resource::Policy, None, &name)
            .and_then(|()| kubernetes.create(Resource::Policy, &policy))
            .unwrap();
        self.record().policies.push(name.clone());
        name
    }

    /// Takes all policies of this scenario away.
    pub fn remove_policies(&self) {
        for policy in std::mem::take(&mut self.record().policies) {
            self.remove_policy(&policy);
        }
    }

    /// Takes a policy away.
    pub fn remove_policy(&self, name: &str) {
        let kubernetes = &self.world.kubernetes;
        kubernetes.delete(Resource::Policy, None, name).unwrap();
    }

    /// A name that nobody else in this world has.
    pub fn unique(&self, what: &str) -> String {
        let mut record = self.record();
        record.counted += 1;
        format!("{what}-{}-{}", self.name, record.counted)
    }

    /// A new user and a new permission set in the account PAYMENTS.
    pub fn assignment(&self) -> Access {
        self.assignment_in(PAYMENTS)
    }

    /// A new user and a new permission set in an account.
    pub fn assignment_in(&self, account: &str) -> Access {
        let set = short(&self.unique("set"));
        let entitlement_id = self.world.cloud.add_permission_set(&set);
        let account = account.to_owned();
        self.for_new_user(Kind::Assignment { account, set }, entitlement_id)
    }

    /// A new user and a new Identity Center group.
    pub fn group(&self) -> Access {
        let name = self.unique("Responders");
        let entitlement_id = self.world.cloud.add_group(&name);
        self.for_new_user(Kind::Group { name }, entitlement_id)
    }

    /// A new IAM user and a new IAM group in an account that the controller manages.
    pub fn iam_group(&self) -> Access {
        self.iam_group_in(self.world.cloud.iam_account())
    }

    /// A new IAM user and a new IAM group in an account.
    pub fn iam_group_in(&self, account: &str) -> Access {
        let name = self.unique("Operators");
        let entitlement_id = self.world.cloud.add_iam_group(account, &name);
        let account = account.to_owned();
        self.for_new_user(Kind::IamGroup { account, name }, entitlement_id)
    }

    /// The same entitlement for another new user.
    pub fn for_another_user(&self, access: &Access) -> Access {
        self.for_new_user(access.kind.clone(), access.entitlement_id.clone())
    }

    fn for_new_user(&self, kind: Kind, entitlement_id: String) -> Access {
        let (user, user_id) = match &kind {
            Kind::IamGroup { account, .. } => {
                let user = self.unique("member");
                let id = self.world.cloud.add_iam_user(account, &user);
                (user, id)
            }
            Kind::Assignment { .. } | Kind::Group { .. } => {
                let user = format!("{}@example.com", self.unique("alice"));
                let id = self.world.cloud.add_user(&user);
                (user, id)
            }
        };
        self.track(Access {
            user,
            user_id,
            kind,
            entitlement_id,
        })
    }

    /// Has an access looked at in the end that the test has put together itself.
    pub fn track(&self, access: Access) -> Access {
        self.record().accesses.push(access.clone());
        access
    }

    /// Somebody else gives the access, and it is to stand in the end.
    pub fn given_by_others(&self, access: &Access) {
        self.world.aws().give(access);
        self.record().given_by_others.push(access.clone());
    }

    /// Somebody else takes the access that somebody else gave.
    pub fn taken_by_others(&self, access: &Access) {
        self.world.aws().take(access);
        self.record()
            .given_by_others
            .retain(|given| given != access);
    }

    /// Applies a grant.
    #[track_caller]
    pub fn apply(&self, grant: &Grant) -> LiveGrant<'_> {
        self.promise(grant);
        let object = grant.object(&self.name);
        match self.world.kubernetes.create(Resource::Grant, &object) {
            Ok(made) => LiveGrant::new(self, grant, &made),
            Err(error) => panic!("the grant is refused: {error}\n{object:#}"),
        }
    }

    /// Notes what a grant allows, however it is applied.
    pub fn promise(&self, grant: &Grant) {
        self.record().grants.push(Promise {
            name: grant.name.clone(),
            access: grant.access.clone(),
            start: grant.start,
            latest_expiry: grant.expiry,
        });
    }

    /// Notes that a grant may last longer.
    pub(super) fn extend_promise(&self, grant: &str, expiry: Timestamp) {
        for promise in &mut self.record().grants {
            if promise.name == grant {
                promise.latest_expiry = promise.latest_expiry.max(expiry);
            }
        }
    }

    /// Nothing is tidied up in the end and AWS need not be clean: the controller can't work any more.
    pub fn leave_open(&self) {
        self.record().left_open = true;
    }

    /// What must hold is checked by the test itself, with all that it knows.
    pub fn judged_elsewhere(&self) {
        self.record().judged_elsewhere = true;
    }

    /// Calls that gave or took this access, or tried to, since the scenario began.
    pub fn writes_of(&self, access: &Access) -> Vec<super::cloud::Write> {
        self.world.aws().writes_of(access, self.since)
    }

    /// How often it was tried to give this access.
    pub fn creates_of(&self, access: &Access) -> usize {
        let writes = self.writes_of(access);
        writes.iter().filter(|write| write.creates).count()
    }

    /// How often it was tried to take this access.
    pub fn deletes_of(&self, access: &Access) -> usize {
        let writes = self.writes_of(access);
        writes.iter().filter(|write| !write.creates).count()
    }

    /// Calls since the scenario began that name one of these.
    pub fn calls_about(&self, words: &[&str]) -> Vec<aws_simulator::CallRecord> {
        self.world.aws().calls_about(self.since, words)
    }

    /// Deletes what is left, and checks what must always hold.
    fn close(&self) {
        let record = std::mem::take(&mut *self.record());
        if record.judged_elsewhere {
            return;
        }
        self.check_writes(&record);
        if record.left_open {
            return;
        }
        let kubernetes = &self.world.kubernetes;
        for grant in kubernetes.list(Resource::Grant, Some(&self.name)).unwrap() {
            let name = grant["metadata"]["name"].as_str().unwrap();
            kubernetes
                .delete(Resource::Grant, Some(&self.name), name)
                .unwrap();
        }
        let closed = poll(PATIENCE * 2, || self.nothing_left(&record));
        if let Err(why) = closed {
            panic!(
                "at the end of the scenario {}: {why}\n{}",
                self.name,
                self.world.log_about(&[&self.name])
            );
        }
        for policy in &record.policies {
            kubernetes.delete(Resource::Policy, None, policy).unwrap();
        }
        self.check_writes(&record);
    }

    fn nothing_left(&self, record: &Record) -> Result<(), String> {
        let kubernetes = &self.world.kubernetes;
        let failed = |error: kube::Error| error.to_string();
        let grants = kubernetes
            .list(Resource::Grant, Some(&self.name))
            .map_err(failed)?;
        if let Some(grant) = grants.first() {
            return Err(format!("a deleted grant is still there: {grant:#}"));
        }
        for access in kubernetes.list(Resource::Access, None).map_err(failed)? {
            let user = access["spec"]["user"].as_str().unwrap_or_default();
            if record.accesses.iter().any(|own| own.user == user) {
                return Err(format!("a ledger entry is still there: {access:#}"));
            }
        }
        record.check_presence(|access| self.world.cloud.has(access))
    }

    fn check_writes(&self, record: &Record) {
        if matches!(self.world.cloud, Cloud::Moto(_)) {
            return; // It keeps no record.
        }
        for access in &record.accesses {
            if let Err(why) = record.check_writes(access, &self.writes_of(access)) {
                panic!("{why}");
            }
        }
    }

    fn record(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Scenario<'_> {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.close();
        }
    }
}

/// Waits until AWS has the access or has it no more, without asking the API server for anything.
#[track_caller]
pub fn poll_aws(scenario: &Scenario<'_>, access: &Access, present: bool) {
    let seen = poll(PATIENCE, || {
        if scenario.world.cloud.has(access) == present {
            Ok(())
        } else {
            Err("not yet".to_owned())
        }
    });
    if let Err(why) = seen {
        let log = scenario.world.log_about(&[""]);
        panic!("AWS has {access}: {present}; {why}\n{log}");
    }
}

/// A new user, and a new permission set in the account PAYMENTS.
pub fn assignment(scenario: &Scenario<'_>) -> Access {
    scenario.assignment()
}

/// A new user, and a new Identity Center group.
pub fn group(scenario: &Scenario<'_>) -> Access {
    scenario.group()
}

/// A new IAM user, and a new IAM group in an account that the controller manages.
pub fn iam_group(scenario: &Scenario<'_>) -> Access {
    scenario.iam_group()
}

/// Permission sets have names of at most 32 characters.
fn short(name: &str) -> String {
    let start = name.len().saturating_sub(32);
    name[start..].trim_start_matches('-').to_owned()
}
