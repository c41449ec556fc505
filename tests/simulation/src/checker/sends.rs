//! What controllers send to AWS, asked at the moment it is sent.

use aws_simulator::GateCall;
use breakglass::api::access::{BreakglassAccessSpec, Claim, Holder, Operation};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::ledgers::due;
use super::rows::Key;
use super::{Checker, TURN};
use crate::replica::Run;

/// Writes for one tuple in ten minutes: waits that double from seconds to the cap, twice, and people between.
const MOST_WRITES: usize = 30;

impl Checker {
    /// A controller sends that to AWS.
    pub fn on_send(&mut self, run: &Run, call: &GateCall) {
        self.look_at_aws();
        let operation = match call.operation.as_str() {
            "CreateAccountAssignment" | "CreateGroupMembership" | "AddUserToGroup" => {
                Some(Operation::Create)
            }
            "DeleteAccountAssignment" | "DeleteGroupMembership" | "RemoveUserFromGroup" => {
                Some(Operation::Delete)
            }
            _ => None,
        };
        self.stands_in_line(run, call, operation);
        self.on_reading(call);
        let Some(operation) = operation else { return };
        let now = self.aws.now();
        let key = self.key_of(call);
        let what = match &key {
            Some(key) => format!("{key:?}"),
            None => format!("{:?}", call.parameters),
        };
        self.ask_the_spacing(run, &what, now);
        let Some(key) = key else {
            // A membership that is gone already: nothing can be hit.
            return;
        };
        if operation == Operation::Create {
            self.created.insert(key.clone(), now);
            self.ask_the_time(run, now);
        } else {
            self.deleted.insert(key.clone(), now);
        }
        let is_lost = self.was_announced_before_a_loss(&key, operation, now, Some(&run.holder));
        let Some(name) = self.ledger_of(&key).map(|(name, _)| name.clone()) else {
            if is_lost {
                return self.residue("sent a moment after the ledger that announced it was lost");
            }
            let rule = if operation == Operation::Delete {
                "R4"
            } else {
                "R5"
            };
            return self.violated(rule, format!("{operation:?} of {key:?} without a ledger"));
        };
        let skew = self.skew();
        let ledger = self.ledgers.get_mut(&name).expect("it was just found");
        let announced = ledger
            .attempts
            .values_mut()
            .filter(|announced| announced.attempt.holder == run.holder)
            .filter(|announced| announced.attempt.operation == operation && !announced.sent)
            .filter(|announced| now < announced.attempt.send_before + skew)
            .max_by_key(|announced| announced.at);
        let Some(announced) = announced else {
            if is_lost {
                return self.residue("sent a moment after the ledger that announced it was lost");
            }
            return self.sent_without_record(run, operation, &name, now);
        };
        announced.sent = true;
        let (written, at) = (announced.ledger.clone(), announced.at);
        self.ask("R5", true, String::new);
        if self.is_shared(run, &name, now) {
            // Two work on it: each sends what itself has announced, whatever the lease says.
            self.ask("R10", true, String::new);
        }
        match operation {
            Operation::Create => {
                self.on_first_create(run, call, &name, &written.spec.claims);
                self.ask_whether_synced(&run.actor(), "a Create");
                self.on_create(&name, &written.spec, at, now);
            }
            Operation::Delete => {
                let covering: Vec<_> = due(&written.spec, now, skew)
                    .map(|claim| claim.grant.name.clone())
                    .collect();
                self.ask("R6", covering.is_empty(), || {
                    format!("{name} is deleted while {covering:?} cover it")
                });
                let ledger = self.ledgers.get(&name);
                let ours = ledger.is_some_and(|ledger| ledger.ours_since.is_some());
                self.ask("R4", ours, || {
                    format!("{name} is deleted, which is not ours")
                });
                if let Some(due) = self.measure(&name, now) {
                    self.on_first_delete(run, call, &key, due);
                }
            }
        }
    }

    /// Who is refused waits longer and longer, and what is done for good is not done again.
    fn ask_the_spacing(&mut self, run: &Run, what: &str, now: Timestamp) {
        let sent = self.sent.entry((run.holder.run.clone(), what.to_owned()));
        let sent = sent.or_default();
        sent.retain(|at| now.duration_since(*at) < SignedDuration::from_mins(10));
        sent.push(now);
        let many = sent.len();
        self.ask("spacing", many <= MOST_WRITES, || {
            format!("{what} was written {many} times in ten minutes")
        });
    }

    /// Nothing is given by who knows that its clock is wrong.
    fn ask_the_time(&mut self, run: &Run, now: Timestamp) {
        let knows = |(offset, since): &(SignedDuration, Timestamp)| {
            offset.abs() > SignedDuration::from_secs(31)
                && now.duration_since(*since) > SignedDuration::from_mins(6)
        };
        let wrong = self.offsets.get(&run.replica).is_some_and(knows);
        let wrong = wrong && self.settled_since() < now;
        self.ask("R12", !wrong, || {
            format!(
                "{:?} gives access, and its clock has been wrong for long",
                run.holder
            )
        });
    }

    fn on_create(
        &mut self,
        name: &str,
        ledger: &BreakglassAccessSpec,
        at: Timestamp,
        now: Timestamp,
    ) {
        let (skew, claims) = (self.skew(), &ledger.claims);
        let live =
            |claim: &&Claim| claim.start_time - skew <= now && now - skew < claim.expiry_time;
        let covering: Vec<_> = claims.iter().filter(live).cloned().collect();
        self.ask("R2", !covering.is_empty(), || {
            format!("{name} is created while no claim is due at {now}: {claims:?}")
        });
        if covering.is_empty() {
            return;
        }
        let stands = covering
            .iter()
            .any(|claim| self.stood(&ledger.tuple, claim, at - TURN, now));
        self.ask("R1", stands, || {
            let grants: Vec<_> = covering.iter().map(|claim| &claim.grant.name).collect();
            format!("{name} is created though none of {grants:?} stood")
        });
    }

    /// Whether what is sent then, by that process if it is known, was announced in a ledger that has been lost since.
    pub(super) fn was_announced_before_a_loss(
        &self,
        key: &Key,
        operation: Operation,
        sent: Timestamp,
        by: Option<&Holder>,
    ) -> bool {
        self.lost_attempts.iter().any(|(lost, attempt)| {
            lost == key
                && attempt.operation == operation
                && by.is_none_or(|by| attempt.holder == *by)
                && sent < attempt.send_before + self.skew()
        })
    }

    /// Only a delete of what has expired may go without a record, while the cluster is away.
    fn sent_without_record(&mut self, run: &Run, operation: Operation, name: &str, now: Timestamp) {
        let skew = self.skew();
        let contact = self.last_contact(&run.actor());
        let settings = &self.settings;
        let longest =
            TURN + SignedDuration::try_from(settings.offline_authority).unwrap_or_default();
        let hindered = self.cut_off.get(&run.actor());
        let cut_off = hindered.is_some_and(|at| now.duration_since(*at) <= TURN)
            && contact.is_some_and(|contact| now.duration_since(contact) <= longest);
        let Some(ledger) = self.ledgers.get(name) else {
            return;
        };
        let spec = &ledger.access.spec;
        // It may not have heard that another has taken over, who allows for that.
        let named = ledger.deleters.get(&run.holder.run);
        let was_named = named.is_some_and(|until| now.duration_since(*until) <= longest);
        let may = cut_off
            && operation == Operation::Delete
            && (spec.offline_deleter.as_ref() == Some(&run.holder) || was_named)
            && ledger.ours_since.is_some();
        let covered = due(spec, now, skew).next().is_some();
        // What it asked last may have been answered without its hearing it.
        let heard = contact.unwrap_or(now) - TURN;
        if may && covered && ledger.ends_at_old_expiry(heard, now, skew) {
            let key = Key::from(&spec.tuple);
            self.deleted_unheard.insert(key, now);
            self.residue("ended by a controller that was cut off and had not heard of a claim");
        } else if may && !covered {
            self.residue("deleted without the ledger");
            self.measure(name, now);
        } else {
            let shared = self.is_shared(run, name, now);
            let rule = match (may, shared) {
                (true, _) => "R6",
                (false, true) => "R10",
                (false, false) => "R5",
            };
            self.violated(
                rule,
                format!(
                    "{operation:?} of {name} by {:?} without a record",
                    run.holder
                ),
            );
        }
    }

    /// Whether another process has announced something on that entry of late.
    fn is_shared(&self, run: &Run, name: &str, now: Timestamp) -> bool {
        self.ledgers.get(name).is_some_and(|ledger| {
            ledger.attempts.values().any(|announced| {
                announced.attempt.holder != run.holder
                    && now.duration_since(announced.at) < SignedDuration::from_mins(10)
            })
        })
    }

    /// Notes how long after the end this delete comes, if it is the first for it. When that was.
    fn measure(&mut self, name: &str, now: Timestamp) -> Option<Timestamp> {
        let spec = &self.ledgers.get(name)?.access.spec;
        // A controller writes down when it noticed; people may have meant an earlier time.
        let ended = spec.ended.iter().map(|ended| {
            let over = self.over_since(&spec.tuple, &ended.uid, now);
            (
                &ended.uid,
                over.map_or(ended.time, |over| over.min(ended.time)),
            )
        });
        let expired = spec.claims.iter();
        let expired = expired.map(|claim| (&claim.uid, claim.expiry_time));
        // Nobody can be in time for an end that was past when it was written.
        let known = |(uid, end): (&String, Timestamp)| {
            let written = self.written.grants.get(uid);
            let written = written.and_then(|history| history.first_asked_until(end));
            written.map_or(end, |written| written.max(end))
        };
        let due = ended
            .chain(expired.filter(|(_, end)| *end <= now))
            .map(known)
            .max();
        let ledger = self.ledgers.get_mut(name)?;
        let due = due.filter(|due| ledger.due_since.is_none_or(|before| before < *due))?;
        ledger.due_since = Some(due);
        self.lateness.push(now.duration_since(due).as_secs());
        Some(due)
    }

    /// Whether a Create of ours was sent, and AWS has not done with it.
    pub(super) fn creates_on_their_way(&self, key: &Key) -> bool {
        self.are_on_their_way(key, ["Create", "Add"])
    }

    /// The same for a Delete.
    pub(super) fn deletes_on_their_way(&self, key: &Key) -> bool {
        self.are_on_their_way(key, ["Delete", "Remove"])
    }

    fn are_on_their_way(&self, key: &Key, verbs: [&str; 2]) -> bool {
        self.aws.outstanding().iter().any(|call| {
            let (operation, parameters) = (&call.operation, &call.parameters);
            verbs.iter().any(|verb| operation.starts_with(verb))
                && self
                    .key_of_parameters(operation, parameters, &call.account)
                    .as_ref()
                    == Some(key)
        })
    }

    fn key_of(&self, call: &GateCall) -> Option<Key> {
        self.key_of_parameters(&call.operation, &call.parameters, &call.account)
    }

    fn key_of_parameters(
        &self,
        operation: &str,
        parameters: &serde_json::Map<String, Value>,
        account: &str,
    ) -> Option<Key> {
        let text = |name: &str| Some(parameters.get(name)?.as_str()?.to_owned());
        match operation {
            "CreateAccountAssignment" | "DeleteAccountAssignment" => Some(Key::Assignment(
                text("TargetId")?,
                text("PermissionSetArn")?,
                text("PrincipalId")?,
            )),
            "CreateGroupMembership" => {
                let user = parameters.get("MemberId")?.get("UserId")?.as_str()?;
                Some(Key::Group(text("GroupId")?, user.to_owned()))
            }
            "DeleteGroupMembership" => {
                let membership = self.aws.membership(&text("MembershipId")?)?;
                Some(Key::from(&membership))
            }
            "AddUserToGroup" | "RemoveUserFromGroup" => {
                let (group, user) = (text("GroupName")?, text("UserName")?);
                Some(Key::Iam(
                    account.to_owned(),
                    self.aws.iam_group_id(account, &group)?,
                    self.aws.iam_user_id(account, &user)?,
                ))
            }
            _ => None,
        }
    }
}
