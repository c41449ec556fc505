//! What people have written, version by version: grants and policies as the API server had them.

use std::collections::BTreeMap;

use breakglass::api::grant::{BreakglassGrantSpec, GrantTarget};
use breakglass::api::policy::{BreakglassPolicySpec, Effect, OnExternalRemoval, Ownership};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::policy;

/// What a grant says at one time.
#[derive(Clone, Debug)]
pub enum Said {
    /// There is no such object.
    Nothing,
    /// It is to end, whatever else it says.
    End,
    /// Nobody can tell.
    Nonsense,
    /// This.
    Asks(Box<Asked>),
}

/// What a grant asks for.
#[derive(Clone, Debug, PartialEq)]
pub struct Asked {
    /// Its spec.
    pub spec: BreakglassGrantSpec,
    /// When the object was made.
    pub created: Timestamp,
}

impl Asked {
    /// What may never change once it is claimed.
    pub fn pinned(&self) -> (&str, &GrantTarget, Option<Timestamp>) {
        (&self.spec.user, &self.spec.target, self.spec.start_time)
    }
}

/// Everything that stood under one uid.
#[derive(Debug)]
pub struct GrantHistory {
    /// Its namespace.
    pub namespace: String,
    /// What it said from when on.
    said: Vec<(Timestamp, Said)>,
    /// The object as it is now.
    pub object: Option<Value>,
    /// When an end was first written into its status.
    pub ended: Option<Timestamp>,
    /// When somebody who is no controller first did so.
    pub ended_by_others: Option<Timestamp>,
    /// Whether somebody who is no controller ever wrote its status.
    pub forged: bool,
    /// Whether it was to end for so long that a controller has seen it, whatever it says now.
    pub seen_to_end: bool,
}

/// All grants and policies.
#[derive(Debug, Default)]
pub struct Written {
    /// By uid.
    pub grants: BTreeMap<String, GrantHistory>,
    policies: BTreeMap<String, Value>,
    /// The policies from when on.
    policy_sets: Vec<(Timestamp, PolicySet)>,
}

/// The policies at one time.
#[derive(Debug)]
pub struct PolicySet {
    /// resourceVersion of each, by name.
    versions: BTreeMap<String, String>,
    readable: Vec<BreakglassPolicySpec>,
    /// Whether one can't be read. It may be a Deny.
    doubtful: bool,
}

impl GrantHistory {
    /// When it was made.
    pub fn made(&self) -> Option<Timestamp> {
        self.said.first().map(|(at, _)| *at)
    }

    /// What it said at any time in that span, the bounds included.
    pub fn during(&self, from: Timestamp, to: Timestamp) -> impl Iterator<Item = &Said> {
        spans(&self.said, from, to)
    }

    /// When it was first to end then.
    pub fn first_asked_until(&self, end: Timestamp) -> Option<Timestamp> {
        self.said.iter().find_map(|(at, said)| match said {
            Said::Asks(asked) if asked.spec.expiry_time == end => Some(*at),
            _ => None,
        })
    }

    /// Whether its status says that it has ended, and said so then.
    pub fn says_ended_since(&self, then: Timestamp) -> bool {
        let object = self.object.as_ref();
        let now = object.and_then(|object| object.pointer("/status/endedTime"));
        now.is_some() && self.ended.is_some_and(|since| since <= then)
    }

    /// Whether it was ever gone or to end, pointed at something else, or past its expiry.
    pub fn was_ever_over(&self, now: Timestamp) -> bool {
        let ends = self.said.iter().skip(1).map(|(at, _)| *at).chain([now]);
        let mut first = None;
        self.said
            .iter()
            .zip(ends)
            .any(|((_, said), end)| match said {
                Said::Nothing | Said::End => true,
                Said::Nonsense => false,
                Said::Asks(asked) => {
                    let same = *first.get_or_insert_with(|| asked.pinned()) == asked.pinned();
                    !same || asked.spec.expiry_time <= end
                }
            })
    }

    /// Whether it was ever to end, whatever it says now.
    pub fn was_ever_to_end(&self) -> bool {
        let mut said = self.said.iter();
        said.any(|(_, said)| matches!(said, Said::End | Said::Nothing))
    }

    /// Instants at which what it says may have become something else, up to then.
    pub fn instants(&self, now: Timestamp) -> impl Iterator<Item = Timestamp> {
        let expiry = |said: &Said| match said {
            Said::Asks(asked) => Some(asked.spec.expiry_time),
            _ => None,
        };
        let all = self.said.iter();
        all.flat_map(move |(at, said)| [Some(*at), expiry(said)])
            .flatten()
            .filter(move |at| *at <= now)
    }

    /// All that it ever asked for.
    pub fn ever_asked(&self) -> impl Iterator<Item = &Asked> {
        self.said.iter().filter_map(|(_, said)| match said {
            Said::Asks(asked) => Some(&**asked),
            _ => None,
        })
    }

    /// Since when it has been to end.
    pub fn to_end_since(&self) -> Option<Timestamp> {
        let last = self
            .said
            .last()
            .filter(|(_, said)| matches!(said, Said::End));
        last.map(|(at, _)| *at)
    }

    /// What it says now.
    pub fn now(&self) -> &Said {
        self.said.last().map_or(&Said::Nothing, |(_, said)| said)
    }
}

/// The versions that were valid at some time in the span.
fn spans<T>(
    versions: &[(Timestamp, T)],
    from: Timestamp,
    to: Timestamp,
) -> impl Iterator<Item = &T> {
    let ends = versions
        .iter()
        .skip(1)
        .map(|(at, _)| *at)
        .chain([Timestamp::MAX]);
    versions
        .iter()
        .zip(ends)
        .filter(move |((begin, _), end)| *begin <= to && from <= *end)
        .map(|((_, version), _)| version)
}

impl Written {
    /// Takes a new version of a grant in.
    pub fn grant(
        &mut self,
        now: Timestamp,
        by_controller: bool,
        before: Option<&Value>,
        after: Option<&Value>,
    ) {
        let Some(object) = after.or(before) else {
            return;
        };
        let text = |pointer| {
            let text = object.pointer(pointer).and_then(Value::as_str);
            text.unwrap_or_default().to_owned()
        };
        let history = self
            .grants
            .entry(text("/metadata/uid"))
            .or_insert_with(|| GrantHistory {
                namespace: text("/metadata/namespace"),
                said: Vec::new(),
                object: None,
                ended: None,
                ended_by_others: None,
                forged: false,
                seen_to_end: false,
            });
        history.object = after.cloned();
        let status =
            |object: Option<&Value>| object.and_then(|object| object.get("status")).cloned();
        let forged = !by_controller && before.is_some() && status(before) != status(after);
        history.forged |= forged && after.is_some();
        if after.is_some_and(super::says_ended) {
            history.ended.get_or_insert(now);
            if forged {
                history.ended_by_others.get_or_insert(now);
            }
        }
        let said = after.map_or(Said::Nothing, said);
        if history.said.is_empty() || !same(history.now(), &said) {
            history.said.push((now, said));
        }
    }

    /// Takes a new version of a policy in.
    pub fn policy(&mut self, now: Timestamp, name: &str, after: Option<&Value>) {
        match after {
            Some(object) => self.policies.insert(name.to_owned(), object.clone()),
            None => self.policies.remove(name),
        };
        let specs = self.policies.values();
        let readable: Vec<_> = specs
            .filter_map(|object| serde_json::from_value(object["spec"].clone()).ok())
            .collect();
        let version = |object: &Value| {
            let version = object.pointer("/metadata/resourceVersion");
            version
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        let all = self.policies.iter();
        let set = PolicySet {
            versions: all
                .map(|(name, object)| (name.clone(), version(object)))
                .collect(),
            doubtful: readable.len() < self.policies.len(),
            readable,
        };
        self.policy_sets.push((now, set));
    }

    /// From here on there are none; what was, was.
    pub fn forget_policies(&mut self) {
        self.policies.clear();
    }

    /// The policies that were in force at any time in the span, one set after the other.
    pub fn policies(&self, from: Timestamp, to: Timestamp) -> impl Iterator<Item = &PolicySet> {
        spans(&self.policy_sets, from, to)
    }

    /// The policies of those versions, by name, as they last were.
    pub fn policies_of(&self, versions: &BTreeMap<String, String>) -> Option<&PolicySet> {
        let mut sets = self.policy_sets.iter().rev().map(|(_, set)| set);
        sets.find(|set| set.versions == *versions)
    }

    /// When the policies changed, up to then.
    pub fn policy_instants(&self, now: Timestamp) -> impl Iterator<Item = Timestamp> {
        let all = self.policy_sets.iter().map(|(at, _)| *at);
        all.filter(move |at| *at <= now)
    }
}

impl PolicySet {
    /// Whether some policy denies what is asked.
    pub fn denies(&self, namespace: &str, asked: &Asked) -> bool {
        self.readable.iter().any(|policy| {
            policy.effect == Effect::Deny && policy::matches(policy, namespace, asked)
        })
    }

    /// Whether all policies can be read, and none denies what is asked.
    pub fn lets_pass(&self, namespace: &str, asked: &Asked) -> bool {
        !self.doubtful && !self.denies(namespace, asked)
    }

    /// Whether some policy admits it until then, and nothing stands against it.
    pub fn admits(&self, namespace: &str, asked: &Asked, expiry: Timestamp) -> bool {
        self.lets_pass(namespace, asked) && self.admitting(namespace, asked, expiry).is_some()
    }

    /// Whether all policies can be read, and none admits it until then.
    pub fn refuses(&self, namespace: &str, asked: &Asked, expiry: Timestamp) -> bool {
        !self.doubtful && !self.admits(namespace, asked, expiry)
    }

    /// The policy that admits it until then: the first of them by name.
    fn admitting(
        &self,
        namespace: &str,
        asked: &Asked,
        expiry: Timestamp,
    ) -> Option<&BreakglassPolicySpec> {
        self.readable.iter().find(|policy| {
            policy.effect == Effect::Allow
                && policy::matches(policy, namespace, asked)
                && short_enough(policy, asked, expiry)
        })
    }

    /// Whether the policy that admits it lets what is taken away by hand end its claim.
    pub fn ends_on_removal(&self, namespace: &str, asked: &Asked) -> bool {
        let policy = self.admitting(namespace, asked, asked.spec.expiry_time);
        policy.is_some_and(|policy| policy.on_external_removal == OnExternalRemoval::End)
    }

    /// Whether the policy that admits it says that its entitlements are given by nobody else.
    pub fn is_exclusive(&self, namespace: &str, asked: &Asked) -> bool {
        let policy = self.admitting(namespace, asked, asked.spec.expiry_time);
        policy.is_some_and(|policy| policy.ownership == Ownership::Exclusive)
    }
}

fn short_enough(policy: &BreakglassPolicySpec, asked: &Asked, expiry: Timestamp) -> bool {
    let begin = asked
        .spec
        .start_time
        .map_or(asked.created, |start| start.max(asked.created));
    let longest = policy
        .max_duration
        .and_then(|longest| SignedDuration::try_from(longest.0).ok());
    longest.is_none_or(|longest| expiry.duration_since(begin) <= longest)
}

fn same(a: &Said, b: &Said) -> bool {
    match (a, b) {
        (Said::Asks(a), Said::Asks(b)) => a == b,
        _ => std::mem::discriminant(a) == std::mem::discriminant(b),
    }
}

/// Whether somebody wants that grant to end before its time.
pub fn is_revoked(grant: &Value) -> bool {
    let annotated = grant.pointer("/metadata/annotations/breakglass.dev~1revoke");
    grant.pointer("/spec/revoked") == Some(&Value::Bool(true)) || annotated.is_some()
}

/// What that grant asks for, if somebody can tell.
pub fn asked(object: &Value) -> Option<Asked> {
    let created = object.pointer("/metadata/creationTimestamp")?.as_str()?;
    let created = created.parse().ok()?;
    let spec: BreakglassGrantSpec = serde_json::from_value(object["spec"].clone()).ok()?;
    // Nobody can have meant that.
    let ends_first = spec
        .start_time
        .is_some_and(|start| start >= spec.expiry_time);
    (!ends_first).then_some(Asked { spec, created })
}

/// What it says.
pub fn said(object: &Value) -> Said {
    if object.pointer("/metadata/deletionTimestamp").is_some() || is_revoked(object) {
        return Said::End;
    }
    asked(object).map_or(Said::Nonsense, |asked| Said::Asks(Box::new(asked)))
}
