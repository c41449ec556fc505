//! When controllers looked at AWS: what was ours is called gone only after two looks, a while apart.

use std::collections::BTreeMap;

use aws_simulator::GateCall;
use breakglass::api::access::Operation;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::Checker;
use super::rows::{Key, Row};

/// When they were begun, by what they tell of.
#[derive(Debug, Default)]
pub struct Readings(BTreeMap<Reading, Vec<Timestamp>>);

/// What one call reads.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Reading {
    /// Who has a permission set in an account.
    Assignments(String, String),
    /// Whether somebody is in a group.
    Membership(String, String),
    /// The groups of an IAM user.
    Groups(String, String),
}

/// A call arrives within that time, or is given up.
pub const ON_ITS_WAY: SignedDuration = SignedDuration::from_secs(11);

impl From<&Key> for Reading {
    fn from(key: &Key) -> Self {
        match key.clone() {
            Key::Assignment(account, set, _) => Self::Assignments(account, set),
            Key::Group(group, user) => Self::Membership(group, user),
            Key::Iam(account, _, user) => Self::Groups(account, user),
        }
    }
}

impl Checker {
    /// A controller makes that call.
    pub(super) fn on_reading(&mut self, call: &GateCall) {
        let text = |name: &str| Some(call.parameters.get(name)?.as_str()?.to_owned());
        let read = || match call.operation.as_str() {
            "ListAccountAssignments" => Some(Reading::Assignments(
                text("AccountId")?,
                text("PermissionSetArn")?,
            )),
            "GetGroupMembershipId" => {
                let user = call.parameters.get("MemberId")?.get("UserId");
                let user = user.and_then(Value::as_str)?;
                Some(Reading::Membership(text("GroupId")?, user.to_owned()))
            }
            "ListGroupsForUser" => {
                let user = self.aws.iam_user_id(&call.account, &text("UserName")?)?;
                Some(Reading::Groups(call.account.clone(), user))
            }
            _ => None,
        };
        let Some(reading) = read() else { return };
        self.readings.0.entry(reading).or_default().push(call.time);
    }

    /// Whether a reading, or a Create, was begun since then.
    pub(super) fn was_asked_since(&self, key: &Key, since: Timestamp) -> bool {
        let read = self.readings.0.get(&Reading::from(key));
        let read = read
            .and_then(|all| all.last())
            .is_some_and(|at| *at >= since);
        let created = self.created.get(key).is_some_and(|at| *at >= since);
        read || created
    }

    /// It is called gone, and has been since then: two readings say so that lie a settle window apart.
    pub(super) fn ask_for_two_readings(&mut self, name: &str, key: &Key, row: &Row) {
        // The first instant is written down in whole seconds.
        let window = self.settle_window(key) - SignedDuration::from_secs(1);
        let created = self.created.get(key).copied().unwrap_or(self.begin);
        // What was read before a Delete was announced says nothing of it.
        let attempts = self.ledgers.get(name).into_iter();
        let attempts = attempts.flat_map(|ledger| ledger.attempts.values());
        let deletes = attempts.filter(|announced| announced.attempt.operation == Operation::Delete);
        let announced = deletes.map(|announced| announced.at).max();
        let announced = announced.filter(|at| *at >= created);
        // A copy may be so old that it has not seen it come.
        let given = row.given.map(|given| given + self.staleness(key));
        let all = self.readings.0.get(&Reading::from(key));
        let shown: Vec<_> = all
            .into_iter()
            .flatten()
            .filter(|at| **at >= announced.unwrap_or(created))
            .filter(|at| given.is_none_or(|given| **at <= given) || **at >= row.since - ON_ITS_WAY)
            .collect();
        let apart = match (shown.first(), shown.last()) {
            (Some(first), Some(last)) => last.duration_since(**first),
            _ => SignedDuration::ZERO,
        };
        // All the time: a clock that is put right in between makes the time between them seem longer.
        let first = shown.first().map_or(self.begin, |at| **at);
        let right =
            self.all_clocks_are_right() && self.offsets.values().all(|(_, since)| *since <= first);
        self.ask("R3", apart >= window || !right, || {
            let since = row.since;
            format!("{name} was closed by readings {apart:?} apart, and gone since {since}")
        });
    }
}
