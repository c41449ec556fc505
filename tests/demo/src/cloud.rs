//! What AWS says: not what the controller believes, but what the simulator knows to be true.

use std::collections::BTreeSet;
use std::fmt;

use aws_simulator::Truth;

use crate::grants::{self, Grant};

/// Somebody has something.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Holding {
    /// What, in the short form of the controller.
    pub entitlement: String,
    /// Who.
    pub person: String,
}

impl Holding {
    /// What a grant asks for.
    pub fn of(grant: &Grant) -> Self {
        Self {
            entitlement: grant.target.summary().to_owned(),
            person: grant.user.to_owned(),
        }
    }
}

impl fmt::Display for Holding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} has {}", self.person, self.entitlement)
    }
}

/// All that anybody has.
pub fn holdings(truth: &Truth) -> BTreeSet<Holding> {
    let mut all = BTreeSet::new();
    for instance in &truth.instances {
        for row in &instance.assignments {
            let set = row
                .permission_set
                .as_ref()
                .unwrap_or(&row.permission_set_arn);
            all.insert(Holding {
                entitlement: format!("{set}@{}", row.account),
                person: row.principal.as_ref().unwrap_or(&row.principal_id).clone(),
            });
        }
        for group in &instance.groups {
            all.extend(group.members.iter().map(|member| Holding {
                entitlement: format!("group {}", group.display_name),
                person: member.user_name.clone(),
            }));
        }
    }
    for account in &truth.accounts {
        for group in &account.groups {
            all.extend(group.members.iter().map(|member| Holding {
                entitlement: format!("group {}@{}", group.name, account.id),
                person: member.clone(),
            }));
        }
    }
    all
}

/// A line for each entitlement: who has it.
pub fn table(holdings: &BTreeSet<Holding>, before: &BTreeSet<Holding>) -> String {
    let asked_for = grants::ALL.iter().map(|grant| grant.target.summary());
    let held = holdings.iter().map(|held| held.entitlement.as_str());
    let entitlements: BTreeSet<&str> = asked_for.chain(held).collect();
    let lines: Vec<String> = entitlements
        .into_iter()
        .map(|entitlement| {
            let people: Vec<String> = holdings
                .iter()
                .filter(|held| held.entitlement == entitlement)
                .map(|held| mark(held, before))
                .collect();
            let people = if people.is_empty() {
                "-".to_owned()
            } else {
                people.join(", ")
            };
            format!("{entitlement:<40}{people}")
        })
        .collect();
    lines.join("\n")
}

fn mark(held: &Holding, before: &BTreeSet<Holding>) -> String {
    if before.contains(held) {
        format!("{} (stood before; not the controller's)", held.person)
    } else {
        held.person.clone()
    }
}
