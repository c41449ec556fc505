//! What each controller has read of the cluster, and in which order: R1 and R11 rest on that.

use std::collections::{BTreeMap, BTreeSet};

use api_simulator::{Commit, RequestRecord, Shown, Verb};
use breakglass::api::access::{BreakglassAccess, Claim, EndReason, Operation};
use jiff::Timestamp;
use serde_json::Value;

use super::grants::{Asked, GrantHistory, Said, Written, asked, is_revoked, said};
use super::readings::ON_ITS_WAY;
use super::{Checker, TURN, says_ended};

const GRANTS: &str = "breakglassgrants";
const ACCESSES: &str = "breakglassaccesses";
const POLICIES: &str = "breakglasspolicies";

/// Reads by quorum that were answered, by who made them.
#[derive(Debug, Default)]
pub struct Reads(BTreeMap<String, Reader>);

#[derive(Debug, Default)]
struct Reader {
    /// Kinds that it has listed since it was started.
    listed: BTreeSet<String>,
    /// When the API server last carried out what it asked about the ledger.
    contact: Option<Timestamp>,
    /// What it read of late, by the number of the request.
    recent: BTreeMap<u64, Read>,
}

#[derive(Debug)]
struct Read {
    begun: Timestamp,
    resource: String,
    /// Namespace and name of what was asked for; nothing for a list.
    asked: Option<(String, String)>,
    /// What was there; nothing where it was not.
    shown: Option<Shown>,
}

impl Read {
    /// Whether it showed that ledger, whatever was observed and shown of it since.
    fn is_of(&self, ledger: &Value) -> bool {
        let parts = |object: &Value| {
            let parts = ["/metadata/uid", "/metadata/generation", "/spec"];
            parts.map(|part| object.pointer(part).cloned())
        };
        matches!(&self.shown, Some(Shown::Object(object)) if parts(object) == parts(ledger))
    }
}

impl Reads {
    /// Takes in what was answered. The same records may come again.
    fn take_in(&mut self, records: Vec<RequestRecord>) {
        for record in records {
            let call = &record.call;
            let done = record
                .status
                .is_some_and(|status| (200..300).contains(&status));
            if call.resource == ACCESSES && done {
                let reader = self.0.entry(call.actor.clone()).or_default();
                reader.contact = reader.contact.max(record.handled);
            }
            // Any version will do for who names one.
            let by_quorum = call.resource_version.as_deref().is_none_or(str::is_empty);
            if !by_quorum {
                continue;
            }
            let reader = self.0.entry(call.actor.clone()).or_default();
            let asked = || {
                let text = |text: &Option<String>| text.clone().unwrap_or_default();
                Some((text(&call.namespace), text(&call.name)))
            };
            let asked = match (call.verb, record.status) {
                (Verb::List, Some(200)) => {
                    reader.listed.insert(call.resource.clone());
                    None
                }
                (Verb::Get, Some(200 | 404)) => asked(),
                _ => continue,
            };
            let read = Read {
                begun: record.arrived,
                resource: call.resource.clone(),
                asked,
                shown: record.shown.filter(|_| record.status == Some(200)),
            };
            reader.recent.insert(call.number, read);
        }
    }

    /// Lets go of what no turn can rest on any more.
    fn forget(&mut self, before: Timestamp) {
        for reader in self.0.values_mut() {
            reader.recent.retain(|_, read| read.begun >= before);
        }
    }

    /// Whether it has listed all kinds since it was started.
    fn has_listed_all(&self, actor: &str) -> bool {
        let reader = self.0.get(actor);
        reader.is_some_and(|reader| {
            let listed = |kind| reader.listed.contains(kind);
            [GRANTS, ACCESSES, POLICIES].into_iter().all(listed)
        })
    }

    /// Which read is missing before a Create may be announced on that ledger.
    fn missing(
        &self,
        actor: &str,
        before: Option<&Value>,
        covering: &[Claim],
        written: &Written,
        (grounds, earliest): (Timestamp, Timestamp),
    ) -> Option<&'static str> {
        let Some(reader) = self.0.get(actor) else {
            return Some("anything");
        };
        let of_kind = |kind| {
            let reads = reader.recent.iter();
            reads.filter(move |(_, read)| read.resource == kind)
        };
        let is_it = |(_, read): &(&u64, &Read)| before.is_some_and(|ledger| read.is_of(ledger));
        let ledger = of_kind(ACCESSES).find(is_it);
        let Some((ledger, _)) = ledger else {
            return Some("the ledger");
        };
        // What was read for an earlier attempt is of no use to this one.
        let of_this_turn = |kind| {
            let reads = of_kind(kind).filter(|(number, _)| *number > ledger);
            let reads = reads.map(|(_, read)| read);
            reads.filter(|read| read.begun >= grounds)
        };
        // What the grants asked for that were shown.
        let standing: Vec<_> = of_this_turn(GRANTS)
            .filter_map(|read| {
                let Some(Shown::Object(object)) = &read.shown else {
                    return None;
                };
                let uid = uid(object);
                let claim = covering.iter().find(|claim| claim.uid == uid)?;
                match said(object) {
                    Said::Asks(asked) if earliest < asked.spec.expiry_time => {
                        Some((&claim.grant.namespace, asked))
                    }
                    _ => None,
                }
            })
            .collect();
        if standing.is_empty() {
            return Some("a grant that covers it");
        }
        let mut policies = of_this_turn(POLICIES).filter_map(|read| match &read.shown {
            Some(Shown::List(versions)) => written.policies_of(versions),
            _ => None,
        });
        let let_pass = policies.any(|set| {
            let mut standing = standing.iter();
            standing.any(|(namespace, asked)| set.lets_pass(namespace, asked))
        });
        (!let_pass).then_some("policies that let it pass")
    }
}

impl Reads {
    /// Whether what it has read of late, the grant and the policies, is a reason of that kind.
    fn rest_on(
        &self,
        actor: &str,
        claim: &Claim,
        reason: EndReason,
        written: &Written,
        grounds: Timestamp,
    ) -> bool {
        let Some(reader) = self.0.get(actor) else {
            return false;
        };
        let of_late = || reader.recent.values().filter(|read| read.begun >= grounds);
        let (namespace, name) = (&claim.grant.namespace, &claim.grant.name);
        let is_it = |asked: &(String, String)| asked.0 == *namespace && asked.1 == *name;
        let mut grants = of_late()
            .filter(|read| read.resource == GRANTS && read.asked.as_ref().is_some_and(is_it));
        let denies = |asked: &Asked| {
            of_late().any(|read| match &read.shown {
                Some(Shown::List(versions)) if read.resource == POLICIES => written
                    .policies_of(versions)
                    .is_some_and(|set| set.denies(namespace, asked)),
                _ => false,
            })
        };
        let history = written.grants.get(&claim.uid);
        let before = || history.into_iter().flat_map(GrantHistory::ever_asked);
        let elsewhere = |asked: &Asked| before().any(|before| before.pinned() != asked.pinned());
        grants.any(|read| match &read.shown {
            Some(Shown::Object(object)) if uid(object) == claim.uid => {
                let asked = asked(object);
                match reason {
                    EndReason::Deleted => object.pointer("/metadata/deletionTimestamp").is_some(),
                    EndReason::RevokedByRequest => is_revoked(object),
                    EndReason::EndedBefore => says_ended(object),
                    EndReason::DeniedByPolicy => match &asked {
                        Some(asked) => denies(asked),
                        None => before().any(denies),
                    },
                    EndReason::TargetChanged => asked.is_some_and(|asked| elsewhere(&asked)),
                    EndReason::Expired | EndReason::RemovedExternally => true,
                }
            }
            // Another has its name, or nothing.
            _ => reason == EndReason::Deleted,
        })
    }
}

fn uid(object: &Value) -> &str {
    let uid = object.pointer("/metadata/uid").and_then(Value::as_str);
    uid.unwrap_or_default()
}

impl Checker {
    fn look_at_reads(&mut self) {
        self.reads.take_in(self.api.requests_since(0));
    }

    /// The API server is about to forget the requests so far.
    pub fn before_requests_are_forgotten(&mut self) {
        self.look_at_reads();
        let now = self.aws.now();
        let actors = self.frozen.keys();
        let grounds = actors.map(|actor| self.grounds(actor, now)).min();
        let kept = (now - TURN * 5).min(grounds.unwrap_or(now));
        self.reads.forget(kept);
    }

    /// Somebody wrote a ledger entry: if that announces a Create, it rests on reads in their order.
    pub(super) fn on_announced(&mut self, commit: &Commit, after: &BreakglassAccess) {
        let id = |object: &Value| {
            let id = object.pointer("/spec/attempt/id").and_then(Value::as_str);
            id.map(str::to_owned)
        };
        let before = commit.before.as_deref();
        let Some(attempt) = after.spec.attempt.as_ref() else {
            return;
        };
        if attempt.operation != Operation::Create
            || before.and_then(id).as_ref() == Some(&attempt.id)
        {
            return;
        }
        self.look_at_reads();
        let (now, skew) = (commit.time, self.skew());
        // It may have ended while this was on its way.
        // The call may have been late.
        let earliest = attempt.written_at.min(now - ON_ITS_WAY) - skew;
        let live = |claim: &&Claim| claim.start_time - skew <= now && earliest < claim.expiry_time;
        let due: Vec<_> = after.spec.claims.iter().filter(live).cloned().collect();
        self.ask_whether_still_admitted(commit, &due);
        let grounds = self.grounds(&commit.actor, now);
        let missing = self.reads.missing(
            &commit.actor,
            before,
            &due,
            &self.written,
            (grounds, earliest),
        );
        self.ask("R1", missing.is_none(), || {
            let missing = missing.unwrap_or_default();
            format!(
                "{} announced a Create of {} without having read {missing} right before",
                commit.actor, commit.name
            )
        });
    }

    /// The first Create for a claim: some policy must admit it still.
    fn ask_whether_still_admitted(&mut self, commit: &Commit, due: &[Claim]) {
        let state = |object: &Value| object.pointer("/spec/state").cloned();
        let before = commit.before.as_deref().and_then(state);
        if before.as_ref().and_then(Value::as_str) == Some("Open") {
            return;
        }
        let now = commit.time;
        for claim in due.iter().filter(|claim| claim.active_time.is_none()) {
            let Some(history) = self.written.grants.get(&claim.uid) else {
                continue;
            };
            let from = self.grounds(&commit.actor, now);
            let said: Vec<_> = history.during(from, now).collect();
            let admitted = said.iter().any(|said| match said {
                Said::Asks(asked) => {
                    let expiry = claim.expiry_time.min(asked.spec.expiry_time);
                    let mut policies = self.written.policies(from, now);
                    policies.any(|set| set.admits(&history.namespace, asked, expiry))
                }
                _ => false,
            });
            // Where nobody can tell what it asks for, nothing is given on its account.
            let told = said.iter().all(|said| matches!(said, Said::Asks(_)));
            self.ask("R1", admitted || !told, || {
                format!(
                    "{} is given, and no policy admits it any more",
                    claim.grant.name
                )
            });
        }
    }

    /// When the API server last carried out what that process asked about the ledger.
    pub(super) fn last_contact(&mut self, actor: &str) -> Option<Timestamp> {
        self.look_at_reads();
        self.reads.0.get(actor)?.contact
    }

    /// Somebody ends a claim before its time: what a watch told is not enough.
    pub(super) fn ask_whether_read(
        &mut self,
        actor: &str,
        claim: &Claim,
        reason: EndReason,
        now: Timestamp,
    ) {
        self.look_at_reads();
        let grounds = self.grounds(actor, now);
        let read = self
            .reads
            .rest_on(actor, claim, reason, &self.written, grounds);
        self.ask("R6", read, || {
            let name = &claim.grant.name;
            format!("{name} was ended early ({reason:?}) by {actor}, who had not read what such an end rests on")
        });
    }

    /// Somebody gives, or ends early: by then it knows all that there is.
    pub(super) fn ask_whether_synced(&mut self, actor: &str, what: &str) {
        self.look_at_reads();
        let synced = self.reads.has_listed_all(actor);
        self.ask("R11", synced, || {
            format!("{what} by {actor}, who has not listed all kinds yet")
        });
    }
}
