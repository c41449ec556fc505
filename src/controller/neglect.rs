//! What the one who holds the lease leaves undone. Who stands by does it then, lease or not: two at
//! once are safe, and access that nobody takes away is not.

use std::collections::HashMap;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::time::Duration;

use kube::core::DynamicObject;
use tokio::time::Instant;

use super::accesses::evidence_seen;
use super::cluster::parse_access;
use super::context::Context;
use crate::api::access::{AccessState, BreakglassAccess, Operation, Origin};
use crate::decide::grant_view::GrantView;
use crate::decide::ledger::{Evidence, Purpose, outstanding_until, purpose};

/// All objects are looked at so often.
const LOOK_EVERY: Duration = Duration::from_secs(15);

/// What is undone, and whether anybody works.
#[derive(Debug, Default)]
pub struct Neglect {
    looked: Option<Instant>,
    /// A sum of all that only controllers write, and when it last changed.
    work: Option<(u64, Instant)>,
    /// Since when something has been undone, by name of the access or grant.
    undone: HashMap<String, Instant>,
}

impl Neglect {
    /// What should have been done long ago, if anything should, while no controller has written anything
    /// at all. Whoever works, however slowly, writes down what it tries. What people write counts for
    /// nothing: whoever may write the lease may write grants too.
    pub fn find(&mut self, context: &Context) -> Option<String> {
        let now = Instant::now();
        let looked = self.looked.is_some_and(|at| now - at < LOOK_EVERY);
        if looked || !context.synced() {
            return None;
        }
        // What a watch did not tell is listed anew.
        let patience = context.settings.relist_interval + context.settings.overdue;
        // Nobody is asked while the lease can't be had, and nobody can write then.
        if self.looked.is_some_and(|at| now - at > patience / 2) {
            *self = Self::default();
        }
        self.looked = Some(now);
        let (accesses, grants) = (context.accesses.all(), context.grants.all());
        let sum = sum_of_work(
            accesses.iter().map(AsRef::as_ref),
            grants.iter().map(AsRef::as_ref),
        );
        let since = match self.work {
            Some((known, since)) if known == sum => since,
            _ => now,
        };
        self.work = Some((sum, since));
        let of_accesses = accesses.iter().filter_map(|object| {
            let access = parse_access(object).ok()?;
            is_undone(context, &access).then_some(access.metadata.name)?
        });
        let of_grants = grants.iter().filter_map(|object| {
            let grant = GrantView::parse(object)?;
            let unseen = grant.status.observed_generation != Some(grant.generation);
            let (namespace, name) = (grant.reference.namespace, grant.reference.name);
            unseen.then(|| format!("{namespace}/{name}"))
        });
        let before = std::mem::take(&mut self.undone);
        self.undone = of_accesses
            .chain(of_grants)
            .map(|name| {
                let since = before.get(&name).copied().unwrap_or(now);
                (name, since)
            })
            .collect();
        let is_long = |since: Instant| now - since >= patience;
        let mut undone = self.undone.iter();
        let (name, _) = undone.find(|(_, at)| is_long(since) && is_long(**at))?;
        Some(name.clone())
    }
}

/// Ledger entries, and the statuses of grants: the guard policy keeps both from everybody else.
fn sum_of_work<'a>(
    accesses: impl Iterator<Item = &'a DynamicObject>,
    grants: impl Iterator<Item = &'a DynamicObject>,
) -> u64 {
    let versions = accesses.map(|access| {
        let metadata = &access.metadata;
        (&metadata.uid, metadata.resource_version.clone())
    });
    let statuses = grants.map(|grant| {
        let status = grant.data.get("status").map(ToString::to_string);
        (&grant.metadata.uid, status)
    });
    let mut all: Vec<_> = versions.chain(statuses).collect();
    all.sort_unstable();
    let mut hasher = DefaultHasher::new();
    all.hash(&mut hasher);
    hasher.finish()
}

/// Whether access is there that should be gone, or a claim that should have ended, and nothing that is
/// written down says that it is time to wait.
fn is_undone(context: &Context, access: &BreakglassAccess) -> bool {
    let (ledger, now) = (&access.spec, context.clock.now());
    let next = access.status.as_ref();
    let next = next.and_then(|status| status.next_attempt_time);
    if next.is_some_and(|next| now < next) {
        return false;
    }
    let stands = ledger.state != AccessState::Closed && ledger.origin != Some(Origin::PreExisting);
    let outstanding = [Operation::Create, Operation::Delete]
        .into_iter()
        .any(|one| outstanding_until(ledger, one, now, &context.settings).is_some());
    let must_end = |claim| {
        let evidence = evidence_seen(context, claim, &ledger.tuple);
        matches!(evidence, Evidence::Ends(_))
    };
    stands && purpose(ledger, now) == Purpose::Revoke && !outstanding
        || ledger.claims.iter().any(must_end)
}
