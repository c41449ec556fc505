//! A grant that was applied, as kubectl and AWS show it.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::cloud::Cloud;
use super::kubernetes::{Resource, kubectl};
use super::time::{BETWEEN_LOOKS, PATIENCE, full_second_in, now, poll};
use super::{Access, Grant, Scenario};

/// A grant in the cluster.
pub struct LiveGrant<'s> {
    scenario: &'s Scenario<'s>,
    pub name: String,
    pub uid: String,
    pub access: Access,
    pub expiry: Timestamp,
}

impl<'s> LiveGrant<'s> {
    pub(super) fn new(scenario: &'s Scenario<'s>, grant: &Grant, made: &Value) -> Self {
        Self {
            scenario,
            name: grant.name.clone(),
            uid: made["metadata"]["uid"].as_str().unwrap().to_owned(),
            access: grant.access.clone(),
            expiry: grant.expiry,
        }
    }

    /// The object, if it is there. Another one under the same name does not count.
    pub fn object(&self) -> Result<Option<Value>, kube::Error> {
        let kubernetes = &self.scenario.world.kubernetes;
        let found = kubernetes.get(Resource::Grant, Some(&self.scenario.name), &self.name)?;
        Ok(found.filter(|grant| grant["metadata"]["uid"] == self.uid.as_str()))
    }

    /// What the object says now at this place, such as `/status/state`.
    #[track_caller]
    pub fn field(&self, pointer: &str) -> Value {
        let object = self.object().unwrap().unwrap_or_default();
        object.pointer(pointer).cloned().unwrap_or_default()
    }

    /// Its ledger entry, if there is one.
    pub fn ledger(&self) -> Option<Value> {
        let object = self.object().ok()??;
        let name = object["status"]["accessName"].as_str()?;
        let kubernetes = &self.scenario.world.kubernetes;
        kubernetes.get(Resource::Access, None, name).ok()?
    }

    /// A condition, if the grant has it.
    pub fn condition(&self, kind: &str) -> Option<Value> {
        condition(&self.object().ok()??, kind).cloned()
    }

    /// The message of the condition Ready.
    pub fn message(&self) -> String {
        let ready = self.condition("Ready").unwrap_or_default();
        ready["message"].as_str().unwrap_or_default().to_owned()
    }

    /// Waits until the grant is as `holds` says. Answers the grant.
    #[track_caller]
    pub fn wait(&self, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
        let seen = poll(PATIENCE, || match self.object() {
            Ok(Some(grant)) if holds(&grant) => Ok(grant),
            Ok(Some(grant)) => Err(format!("state {}", grant["status"]["state"])),
            Ok(None) => Err("there is no such grant".to_owned()),
            Err(error) => Err(error.to_string()),
        });
        match seen {
            Ok(grant) => grant,
            Err(why) => panic!("{what}: {why}\n{}", self.report()),
        }
    }

    /// Waits until the grant is in a state that was computed for its newest spec.
    #[track_caller]
    pub fn wait_for_state(&self, state: &str) -> Value {
        self.wait(&format!("the grant becomes {state}"), |grant| {
            grant["status"]["state"] == state
                && grant["status"]["observedGeneration"] == grant["metadata"]["generation"]
        })
    }

    /// Waits until a condition holds for this reason.
    #[track_caller]
    pub fn wait_for_condition(&self, kind: &str, reason: &str) -> Value {
        self.wait(&format!("the grant is {kind} ({reason})"), |grant| {
            condition(grant, kind)
                .is_some_and(|found| found["status"] == "True" && found["reason"] == reason)
        })
    }

    /// Waits until the object is gone.
    #[track_caller]
    pub fn wait_until_gone(&self) {
        let gone = poll(PATIENCE, || match self.object() {
            Ok(None) => Ok(()),
            Ok(Some(_)) => Err("it is still there".to_owned()),
            Err(error) => Err(error.to_string()),
        });
        if let Err(why) = gone {
            panic!("the grant goes: {why}\n{}", self.report());
        }
    }

    /// Whether AWS has the access now.
    pub fn is_in_aws(&self) -> bool {
        self.scenario.world.cloud.has(&self.access)
    }

    /// Waits until AWS has the access, or has it no more.
    #[track_caller]
    pub fn wait_in_aws(&self, present: bool) {
        let seen = poll(PATIENCE, || {
            if self.is_in_aws() == present {
                Ok(())
            } else {
                Err(format!("AWS has it: {}", !present))
            }
        });
        if let Err(why) = seen {
            let what = if present { "has" } else { "has no more" };
            panic!("AWS {what} {}: {why}\n{}", self.access, self.report());
        }
    }

    /// Checks that AWS has the access, or that it has not.
    #[track_caller]
    pub fn assert_in_aws(&self, present: bool) {
        let found = self.is_in_aws();
        assert!(
            found == present,
            "AWS has {}: {found}\n{}",
            self.access,
            self.report()
        );
    }

    /// Checks that AWS has the access at every moment until then: for what a write that is still under way might do.
    #[track_caller]
    pub fn assert_in_aws_until(&self, end: Timestamp) {
        while now() < end {
            self.assert_in_aws(true);
            std::thread::sleep(BETWEEN_LOOKS);
        }
    }

    /// Waits until the grant is active, and checks that AWS has the access.
    #[track_caller]
    pub fn wait_until_given(&self) {
        self.wait_for_state("Active");
        self.assert_in_aws(true);
    }

    /// Waits until the grant is over in this state, and checks that AWS does not have the access.
    #[track_caller]
    pub fn wait_until_taken(&self, state: &str) {
        self.wait_for_state(state);
        self.assert_in_aws(false);
    }

    /// Changes the object.
    #[track_caller]
    pub fn patch(&self, patch: &Value) {
        let kubernetes = &self.scenario.world.kubernetes;
        let namespace = Some(self.scenario.name.as_str());
        if let Err(error) = kubernetes.patch(Resource::Grant, namespace, &self.name, patch) {
            panic!("the change is refused: {error}\n{patch:#}");
        }
    }

    /// Sets `revoked: true`, as a pull request would.
    #[track_caller]
    pub fn revoke(&self) {
        self.patch(&json!({"spec": {"revoked": true}}));
    }

    /// Sets an annotation.
    #[track_caller]
    pub fn annotate(&self, name: &str, value: &str) {
        self.patch(&json!({"metadata": {"annotations": {name: value}}}));
    }

    /// Moves the expiry to so long from now.
    #[track_caller]
    pub fn move_expiry(&mut self, ahead: SignedDuration) {
        self.expiry = full_second_in(ahead);
        self.scenario.extend_promise(&self.name, self.expiry);
        self.patch(&json!({"spec": {"expiryTime": self.expiry.to_string()}}));
    }

    /// Asks for the object to be deleted.
    pub fn delete(&self) {
        let kubernetes = &self.scenario.world.kubernetes;
        kubernetes
            .delete(Resource::Grant, Some(&self.scenario.name), &self.name)
            .unwrap();
    }

    /// The row that `kubectl get breakglassgrants` prints, by column.
    #[track_caller]
    pub fn row(&self) -> BTreeMap<String, String> {
        let arguments = [
            "get",
            "breakglassgrants",
            &self.name,
            "--namespace",
            &self.scenario.name,
        ];
        table(&self.scenario.world.kubectl(&arguments)).remove(0)
    }

    /// Everything that tells why the grant is as it is.
    pub fn report(&self) -> String {
        let world = self.scenario.world;
        let yaml = |arguments: &[&str]| {
            kubectl(&world.control_plane, "admin", arguments).unwrap_or_else(|error| error)
        };
        let namespace = &self.scenario.name;
        let grant = [
            "get",
            "breakglassgrants",
            &self.name,
            "-n",
            namespace,
            "-o",
            "yaml",
        ];
        let ledger = self.ledger();
        let access_name = ledger
            .as_ref()
            .and_then(|ledger| ledger["metadata"]["name"].as_str());
        let access = access_name.map_or_else(
            || "none".to_owned(),
            |name| yaml(&["get", "breakglassaccesses", name, "-o", "yaml"]),
        );
        let calls = match &world.cloud {
            Cloud::Moto(_) => "moto keeps no record".to_owned(),
            Cloud::Simulator(_) => {
                let writes = self.scenario.writes_of(&self.access).into_iter();
                let line = |write: super::cloud::Write| {
                    let record = write.record;
                    let outcome = record.outcome.unwrap_or_default();
                    format!("{} {} {outcome}\n", record.time, record.operation)
                };
                writes.map(line).collect()
            }
        };
        let words = [
            access_name.unwrap_or(namespace),
            namespace,
            &self.access.user,
        ];
        format!(
            "--- the grant\n{}\n--- its ledger entry\n{access}\n--- AWS has it: {}; calls that gave or took it\n{calls}\n\
             --- the controller's log about it\n{}",
            yaml(&grant),
            self.is_in_aws(),
            world.log_about(&words)
        )
    }
}

/// A condition of an object.
pub fn condition<'o>(object: &'o Value, kind: &str) -> Option<&'o Value> {
    let conditions = object["status"]["conditions"].as_array()?;
    conditions.iter().find(|found| found["type"] == kind)
}

/// What kubectl prints, by column. The columns stand where their heads do.
pub fn table(printed: &str) -> Vec<BTreeMap<String, String>> {
    let mut lines = printed.lines();
    let head = lines.next().unwrap_or_default();
    let mut starts: Vec<usize> = Vec::new();
    for (at, _) in head.char_indices() {
        let begins = !head[at..].starts_with(' ') && (at == 0 || head[..at].ends_with("  "));
        if begins {
            starts.push(at);
        }
    }
    let cell = |line: &str, column: usize| {
        let from = starts[column].min(line.len());
        let to = starts.get(column + 1).copied().unwrap_or(line.len());
        line[from..to.min(line.len())].trim().to_owned()
    };
    let row = |line: &str| {
        (0..starts.len())
            .map(|column| (cell(head, column), cell(line, column)))
            .collect()
    };
    lines.map(row).collect()
}
