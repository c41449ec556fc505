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
        let (accesses, grants) = (context.accesses.all(), context.grants.all());
        let sum = sum_of_work(
            accesses.iter().map(AsRef::as_ref),
            grants.iter().map(AsRef::as_ref),
        );
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
        // What a watch did not tell is listed anew.
        let patience = context.settings.relist_interval + context.settings.overdue;
        self.judge(now, patience, sum, of_accesses.chain(of_grants))
    }

    /// What has been undone for that long, while nothing was written for that long.
    fn judge(
        &mut self,
        now: Instant,
        patience: Duration,
        sum: u64,
        undone: impl Iterator<Item = String>,
    ) -> Option<String> {
        // Nobody is asked while the lease can't be had, and nobody can write then.
        if self.looked.is_some_and(|at| now - at > patience / 2) {
            *self = Self::default();
        }
        self.looked = Some(now);
        let since = match self.work {
            Some((known, since)) if known == sum => since,
            _ => now,
        };
        self.work = Some((sum, since));
        let before = std::mem::take(&mut self.undone);
        self.undone = undone
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

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_mins(5);

    /// Seconds at which it is asked, what all that controllers write comes to then, and what is undone.
    fn judged<'a>(looks: impl IntoIterator<Item = (u64, u64, &'a [&'a str])>) -> Vec<u64> {
        let (mut neglect, begun) = (Neglect::default(), Instant::now());
        let mut found = Vec::new();
        for (second, sum, undone) in looks {
            let now = begun + Duration::from_secs(second);
            let undone = undone.iter().map(|&name| name.to_owned());
            if neglect.judge(now, PATIENCE, sum, undone).is_some() {
                found.push(second);
            }
        }
        found
    }

    #[test]
    fn neglected_is_what_stays_undone_for_long_while_nobody_writes() {
        let every = |step: u64| (0..=400).step_by(usize::try_from(step).unwrap());
        let undone: &[&str] = &["a"];
        let idle = judged(every(100).map(|second| (second, 1, undone)));
        assert_eq!(idle, [300, 400]);
        let works = judged(every(100).map(|second| (second, second, undone)));
        assert!(works.is_empty(), "somebody works: {works:?}");
        let names: [&[&str]; 2] = [&["a"], &["b"]];
        let other = judged(every(100).map(|second| (second, 1, names[usize::from(second > 200)])));
        assert!(other.is_empty(), "another thing each time: {other:?}");
        let done = judged(every(100).map(|second| (second, 1, &[] as &[&str])));
        assert!(done.is_empty(), "{done:?}");
    }

    /// It can't have been asked while the lease could not be had: then nobody could write.
    #[test]
    fn who_has_not_looked_for_long_begins_anew() {
        let looks = [0, 100, 300, 400, 500, 600].map(|second| (second, 1, &["a"] as &[&str]));
        assert_eq!(judged(looks), [600]);
    }
}
