//! What people do, in Git, in the cluster, and in AWS by hand.

use api_simulator::ApiSimulator;
use aws_simulator::{AccountStatus, Change, PrincipalType, Simulator, TrueAssignment};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::cast::{ACCOUNTS, DELEGATE, IAM_ACCOUNTS, MANAGEMENT, PEOPLE, ROLE, Target};
use crate::story::{Deed, Grant, Name, Policy, Second, Tamper};

const GRANTS: &str = "breakglassgrants";
const POLICIES: &str = "breakglasspolicies";
const LEASES: &str = "leases";
const ACCESSES: &str = "breakglassaccesses";

/// Everybody who is not a controller.
#[derive(Debug)]
pub struct People {
    api: ApiSimulator,
    aws: Simulator,
    begin: Timestamp,
}

impl People {
    /// In that world.
    pub fn new(api: ApiSimulator, aws: Simulator, begin: Timestamp) -> Self {
        Self { api, aws, begin }
    }

    /// Does what people do. What can't be done (an edit of a grant that is gone) is not done.
    pub fn act(&self, deed: &Deed) {
        match deed {
            Deed::Apply(grant) => self.apply(grant),
            Deed::SetExpiry(name, expiry) => {
                let expiry = self.time(*expiry);
                self.patch(name, &json!({"spec": {"expiryTime": expiry}}));
            }
            Deed::Retarget(name, target) => {
                let mut target = target.spec();
                for kind in ["accountAssignment", "identityCenterGroup", "iamGroup"] {
                    if target.get(kind).is_none() {
                        target[kind] = Value::Null;
                    }
                }
                self.patch(name, &json!({"spec": {"target": target}}));
            }
            Deed::SetRevoked(name, revoked) => {
                self.patch(name, &json!({"spec": {"revoked": revoked}}));
            }
            Deed::Annotate(name) => {
                self.annotate(name, "breakglass.dev/revoke", "for this story");
            }
            Deed::AskAgain(name) => {
                let now = self.aws.now().to_string();
                self.annotate(name, "breakglass.dev/requestedAt", &now);
            }
            Deed::Delete(name) => {
                let (namespace, name) = (Some(name.namespace), &*name.name);
                let _ = self.api.delete("people", GRANTS, namespace, name);
            }
            Deed::DeleteByForce(name) => {
                let (namespace, name) = (Some(name.namespace), &*name.name);
                let _ = self.api.remove_by_force("people", GRANTS, namespace, name);
            }
            Deed::DropFinalizer(name) => {
                self.patch(name, &json!({"metadata": {"finalizers": null}}));
            }
            Deed::WipeStatus(name) => self.overwrite(name, |object| {
                object["status"] = json!({});
            }),
            Deed::ForgeStatus(name) => self.overwrite(name, |object| {
                object["status"] = json!({
                    "state": "Active", "accessName": "assignment-forged", "grantedTime": "2026-01-01T00:00:00Z",
                    "revokedTime": "2029-01-01T00:00:00Z", "sessionsEndByTime": "2029-01-01T00:00:00Z",
                });
            }),
            Deed::Garble(name) => self.overwrite(name, |object| {
                object["spec"] = json!({"user": ["nobody", 7], "target": "everything", "expiryTime": "soon"});
            }),
            Deed::Tamper(name, tamper) => self.tamper(name, *tamper),
            Deed::DeleteNamespace(namespace) => {
                for grant in self.names(GRANTS, Some(namespace)) {
                    let _ = self.api.delete("people", GRANTS, Some(namespace), &grant);
                }
            }
            Deed::DeleteLedger => {
                for access in self.names(ACCESSES, None) {
                    let _ = self.api.delete("people", ACCESSES, None, &access);
                }
            }
            Deed::PutPolicy(name, policy) => self.put_policy(name, policy),
            Deed::DeletePolicy(name) => {
                let _ = self.api.delete("people", POLICIES, None, name);
            }
            Deed::GiveByHand(user, target) => self.by_hand(user, *target, true),
            Deed::TakeByHand(user, target) => self.by_hand(user, *target, false),
            Deed::Aws(change) => {
                let _ = self.aws.change(change);
            }
            Deed::KeysExpire(lasts) => {
                let lasts = i64::try_from(*lasts).unwrap_or(i64::MAX);
                self.expire_keys(self.aws.now() + SignedDuration::from_secs(lasts));
            }
            _ => {}
        }
    }

    /// Writes into the lease that somebody else has it, for longer than anybody lives.
    pub fn hold_lease(&self) {
        let (namespace, name) = (Some("breakglass"), "breakglass-controller");
        let spec = json!({
            "holderIdentity": "nobody/nobody",
            "leaseDurationSeconds": i32::MAX,
            "renewTime": format!("{:.6}", self.aws.now()),
        });
        if self.api.get(LEASES, namespace, name).is_some() {
            self.api
                .overwrite("hostile", LEASES, namespace, name, |lease| {
                    lease["spec"] = spec;
                });
        }
    }

    /// Puts right what people had made impossible: everybody may sign in, all accounts are in use,
    /// controllers may do their work, and all policies can be read.
    pub fn make_good(&self) {
        for user in PEOPLE {
            let user = user.to_owned();
            let _ = self.aws.change(&Change::EnableUser { user });
        }
        for account in ACCOUNTS.iter().chain(&IAM_ACCOUNTS) {
            let _ = self.aws.change(&Change::SetAccountStatus {
                account: (*account).to_owned(),
                status: AccountStatus::Active,
            });
        }
        for account in IAM_ACCOUNTS.map(str::to_owned) {
            let role = ROLE.to_owned();
            let _ = self.aws.change(&Change::CreateRole { account, role });
        }
        self.expire_keys(self.aws.now());
        // A delegated administrator is refused a permission set as long as anybody has it there, gone or not.
        let instances = self.aws.truth().instances;
        let assignments = instances.into_iter().flat_map(|one| one.assignments);
        let is_persons = |one: &TrueAssignment| {
            one.account == MANAGEMENT && one.principal_type == PrincipalType::User
        };
        for one in assignments.filter(is_persons) {
            let _ = self.aws.change(&Change::DeleteAssignment {
                account: one.account,
                permission_set: one.permission_set.unwrap_or_default(),
                principal: one.principal_id,
            });
        }
        for name in ["nonsense", "deny"] {
            let _ = self.api.delete("people", POLICIES, None, name);
        }
    }

    fn expire_keys(&self, until: Timestamp) {
        for account in [MANAGEMENT, DELEGATE] {
            let account = account.to_owned();
            let _ = self.aws.change(&Change::ExpireKeys { account, until });
        }
    }

    fn time(&self, second: Second) -> String {
        let second = i64::try_from(second).unwrap_or(i64::MAX);
        (self.begin + SignedDuration::from_secs(second)).to_string()
    }

    fn apply(&self, grant: &Grant) {
        let mut spec = json!({
            "user": grant.user,
            "target": grant.target.spec(),
            "expiryTime": self.time(grant.expiry),
            "reason": "for this story",
        });
        if let Some(start) = grant.start {
            spec["startTime"] = self.time(start).into();
        }
        let Name { namespace, name } = &grant.name;
        if let Some(there) = self.api.get(GRANTS, Some(namespace), name) {
            let mut object = (*there).clone();
            object["spec"] = spec;
            let _ = self.api.replace("people", GRANTS, object);
        } else {
            let object = json!({
                "apiVersion": "breakglass.dev/v1alpha1",
                "kind": "BreakglassGrant",
                "metadata": {"namespace": namespace, "name": name},
                "spec": spec,
            });
            let _ = self.api.create("people", GRANTS, object);
        }
    }

    fn patch(&self, name: &Name, patch: &Value) {
        let (namespace, name) = (Some(name.namespace), &*name.name);
        let _ = self
            .api
            .merge_patch("people", GRANTS, namespace, name, patch.clone());
    }

    fn annotate(&self, name: &Name, key: &str, value: &str) {
        self.patch(name, &json!({"metadata": {"annotations": {key: value}}}));
    }

    fn overwrite(&self, name: &Name, change: impl FnOnce(&mut Value)) {
        let (namespace, name) = (Some(name.namespace), &*name.name);
        if self.api.get(GRANTS, namespace, name).is_some() {
            self.api
                .overwrite("hostile", GRANTS, namespace, name, change);
        }
    }

    fn names(&self, resource: &str, namespace: Option<&str>) -> Vec<String> {
        let text = |object: &Value, field: &str| {
            let text = object["metadata"][field].as_str();
            text.map(str::to_owned)
        };
        let objects = self.api.list(resource);
        let objects = objects
            .iter()
            .filter(|object| text(object, "namespace").as_deref() == namespace);
        objects.filter_map(|object| text(object, "name")).collect()
    }

    fn tamper(&self, name: &Name, tamper: Tamper) {
        let now = self.aws.now();
        let others = self.names(ACCESSES, None);
        self.overwrite(name, |object| match tamper {
            Tamper::Ended => {
                object["status"]["state"] = "Revoked".into();
                object["status"]["endedTime"] = now.to_string().into();
            }
            Tamper::AnothersAccess => {
                let mine = object["status"]["accessName"].clone();
                let other = others.iter().find(|other| mine != ***other);
                if let Some(other) = other {
                    object["status"]["accessName"] = other.as_str().into();
                }
            }
            Tamper::Finalizer => {
                let mut all = object["metadata"]["finalizers"]
                    .as_array()
                    .cloned()
                    .unwrap_or_default();
                all.push("example.com/for-ever".into());
                object["metadata"]["finalizers"] = all.into();
            }
            Tamper::BadExpiry => object["spec"]["expiryTime"] = "2026-01-05T99:00:00Z".into(),
            Tamper::ForMallory => {
                let mallory = match object["spec"]["target"].get("iamGroup") {
                    Some(_) => "mallory",
                    None => "mallory@example.com",
                };
                object["spec"]["user"] = mallory.into();
            }
            Tamper::Start => {
                let later = now + SignedDuration::from_hours(1);
                object["spec"]["startTime"] = match object["spec"].get("startTime") {
                    Some(_) => now.to_string().into(),
                    None => later.to_string().into(),
                };
            }
        });
    }

    fn put_policy(&self, name: &str, policy: &Policy) {
        let rule = |user: Value| {
            json!([
                {"users": user, "accountAssignment": {"accounts": ["*"], "permissionSets": ["*"]}},
                {"users": user, "identityCenterGroup": {"names": ["*"]}},
                {"users": user, "iamGroup": {"accounts": ["*"], "names": ["*"]}},
            ])
        };
        let spec = match policy {
            Policy::Everything {
                hours,
                end_on_removal,
                exclusive,
            } => json!({
                "effect": "Allow",
                "namespaces": ["*"],
                "rules": rule(json!(["*"])),
                "maxDuration": format!("{hours}h"),
                "onExternalRemoval": if *end_on_removal { "End" } else { "Restore" },
                "ownership": if *exclusive { "Exclusive" } else { "Shared" },
            }),
            Policy::Only(user) => json!({
                "effect": "Allow",
                "namespaces": ["*"],
                "rules": rule(json!([user])),
                "maxDuration": "24h",
            }),
            Policy::DenyPerson(user) => {
                json!({"effect": "Deny", "namespaces": ["*"], "rules": [{"users": [user]}]})
            }
            Policy::DenyTarget(target) => {
                let rule = match target {
                    Target::Assignment(account, set) => {
                        json!({"accountAssignment": {"accounts": [account], "permissionSets": [set]}})
                    }
                    Target::Group(name) => json!({"identityCenterGroup": {"names": [name]}}),
                    Target::IamGroup(account, name) => {
                        json!({"iamGroup": {"accounts": [account], "names": [name]}})
                    }
                };
                json!({"effect": "Deny", "namespaces": ["*"], "rules": [rule]})
            }
            Policy::DenyAll => json!({"effect": "Deny", "namespaces": ["*"], "rules": [{}]}),
            Policy::Nonsense => json!({"effect": "Perhaps", "namespaces": 7}),
        };
        let readable = !matches!(policy, Policy::Nonsense);
        let valid = json!({"effect": "Deny", "namespaces": ["nowhere"], "rules": [{}]});
        let object = json!({
            "apiVersion": "breakglass.dev/v1alpha1",
            "kind": "BreakglassPolicy",
            "metadata": {"name": name},
            "spec": if readable { spec.clone() } else { valid },
        });
        if self.api.get(POLICIES, None, name).is_none() {
            let made = self.api.create("people", POLICIES, object);
            assert!(made.is_ok(), "nobody may refuse {policy:?}: {made:?}");
        }
        // No schema of today would let nonsense pass; one of tomorrow may.
        self.api
            .overwrite("people", POLICIES, None, name, |object| {
                object["spec"] = spec;
            });
    }

    fn by_hand(&self, user: &str, target: Target, give: bool) {
        let user = user.to_owned();
        let change = match (target, give) {
            (Target::Assignment(account, set), true) => Change::CreateAssignment {
                account: account.to_owned(),
                permission_set: set.to_owned(),
                principal: user,
            },
            (Target::Assignment(account, set), false) => Change::DeleteAssignment {
                account: account.to_owned(),
                permission_set: set.to_owned(),
                principal: user,
            },
            (Target::Group(group), give) => {
                let group = group.to_owned();
                if give {
                    Change::AddGroupMember { group, user }
                } else {
                    Change::RemoveGroupMember { group, user }
                }
            }
            (Target::IamGroup(account, group), give) => {
                let (account, group) = (account.to_owned(), group.to_owned());
                if give {
                    Change::AddIamGroupMember {
                        account,
                        group,
                        user,
                    }
                } else {
                    Change::RemoveIamGroupMember {
                        account,
                        group,
                        user,
                    }
                }
            }
        };
        // What is there already can't be given, nor what is not there be taken.
        let _ = self.aws.change(&change);
    }
}
