//! Grants, accesses and AWS at one moment, and what differs between two moments.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::cloud::Holding;

/// Grants, accesses and AWS at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Picture {
    /// The state of each grant, by its name.
    pub grants: BTreeMap<String, String>,
    /// Each access, by its name.
    pub accesses: BTreeMap<String, Access>,
    /// What AWS says.
    pub aws: BTreeSet<Holding>,
}

/// What matters of a `BreakglassAccess`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// Who and what.
    pub tuple: String,
    /// Open, Settling or Closed.
    pub state: String,
    /// The grants that claim it.
    pub claims: Vec<String>,
}

impl Picture {
    /// Takes in a grant as the API server shows it.
    pub fn grant(&mut self, name: &str, grant: &Value) {
        let state = text(grant, "/status/state");
        self.grants.insert(name.to_owned(), state);
    }

    /// Takes in an access as the API server shows it.
    pub fn access(&mut self, name: &str, access: &Value) {
        let (user, target) = (
            text(access, "/spec/user"),
            text(access, "/spec/targetSummary"),
        );
        let claims = access.pointer("/spec/claims").and_then(Value::as_array);
        let claims = claims
            .into_iter()
            .flatten()
            .map(|claim| text(claim, "/grant/name"))
            .collect();
        let access = Access {
            tuple: format!("{user} {target}"),
            state: text(access, "/spec/state"),
            claims,
        };
        self.accesses.insert(name.to_owned(), access);
    }

    /// What happened between an earlier picture and this one, a line each.
    pub fn changes_since(&self, earlier: &Self) -> Vec<String> {
        let grants = self.grants.iter().filter_map(|(name, state)| {
            let before = earlier.grants.get(name);
            (before != Some(state)).then(|| match before {
                Some(before) => format!("grant   {name}: {before} -> {state}"),
                None => format!("grant   {name}: {state}"),
            })
        });
        let accesses = self.accesses.iter().filter_map(|(name, access)| {
            let before = earlier.accesses.get(name);
            (before != Some(access)).then(|| {
                let claims = match access.claims.as_slice() {
                    [] => "no claim".to_owned(),
                    claims => format!("claimed by {}", claims.join(" and ")),
                };
                format!("access  {}: {}, {claims}", access.tuple, access.state)
            })
        });
        let given = self.aws.difference(&earlier.aws);
        let taken = earlier.aws.difference(&self.aws);
        grants
            .chain(accesses)
            .chain(given.map(|held| format!("AWS     {held}")))
            .chain(
                taken.map(|held| {
                    format!("AWS     {} no longer has {}", held.person, held.entitlement)
                }),
            )
            .collect()
    }
}

fn text(object: &Value, pointer: &str) -> String {
    let found = object.pointer(pointer).and_then(Value::as_str);
    found.unwrap_or("?").to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn picture(state: &str, aws: &[(&str, &str)]) -> Picture {
        let mut picture = Picture::default();
        picture.grant("a", &json!({"status": {"state": state}}));
        picture.aws = aws
            .iter()
            .map(|(person, entitlement)| Holding {
                entitlement: (*entitlement).to_owned(),
                person: (*person).to_owned(),
            })
            .collect();
        picture
    }

    /// A spectator should see each change once, and what it was before.
    #[test]
    fn only_what_changed_is_told() {
        let earlier = picture("Pending", &[("bob", "X")]);
        let later = picture("Active", &[("alice", "X")]);
        assert_eq!(
            later.changes_since(&earlier),
            [
                "grant   a: Pending -> Active",
                "AWS     alice has X",
                "AWS     bob no longer has X"
            ]
        );
        assert!(later.changes_since(&later).is_empty());
    }
}
