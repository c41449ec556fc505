//! What the one who holds the lease leaves undone. Who stands by does it then, lease or not: two at
//! once are safe, and access that nobody takes away is not.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use kube::core::DynamicObject;
use tokio::time::Instant;

use super::accesses::evidence_seen;
use super::cluster::parse_access;
use super::context::Context;
use crate::api::access::{AccessState, BreakglassAccess, Origin};
use crate::clock::after;
use crate::decide::grant_view::GrantView;
use crate::decide::ledger::{Evidence, Purpose, purpose, revoke_due};

/// How long nobody has written a grant or a ledger entry.
#[derive(Debug, Default)]
pub struct Neglect(Mutex<Option<(u64, Instant)>>);

impl Neglect {
    /// What should have been done long ago, if anything should, and nothing at all has been done since.
    /// Whoever works, however slowly, writes down what it tries.
    pub fn find(&self, context: &Context) -> Option<String> {
        if !context.synced() {
            return None;
        }
        let (accesses, grants) = (context.accesses.all(), context.grants.all());
        let versions = versions(accesses.iter().chain(&grants).map(AsRef::as_ref));
        let since = {
            let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            match *seen {
                Some((known, since)) if known == versions => since,
                _ => {
                    *seen = Some((versions, Instant::now()));
                    return None;
                }
            }
        };
        // What a watch did not tell is listed anew.
        let patience = context.settings.relist_interval + context.settings.overdue;
        if since.elapsed() < patience {
            return None;
        }
        let access = accesses.iter().find_map(|object| {
            let access = parse_access(object).ok()?;
            is_undone(context, &access, patience).then_some(access.metadata.name)?
        });
        let grant = || {
            let mut views = grants.iter().filter_map(|object| GrantView::parse(object));
            let new =
                views.find(|view| view.status.observed_generation != Some(view.generation))?;
            Some(format!(
                "{}/{}",
                new.reference.namespace, new.reference.name
            ))
        };
        access.or_else(grant)
    }
}

/// By when each was last written.
fn versions<'a>(objects: impl Iterator<Item = &'a DynamicObject>) -> u64 {
    let mut all: Vec<_> = objects
        .map(|object| (&object.metadata.uid, &object.metadata.resource_version))
        .collect();
    all.sort_unstable();
    let mut hasher = DefaultHasher::new();
    all.hash(&mut hasher);
    hasher.finish()
}

/// Whether access is there that should be gone, or a claim that should have ended.
fn is_undone(context: &Context, access: &BreakglassAccess, patience: Duration) -> bool {
    let (ledger, now) = (&access.spec, context.clock.now());
    let is_ours = ledger.state != AccessState::Closed && ledger.origin != Some(Origin::PreExisting);
    // Until then nothing may have been left to do: it was not due, or a write might still take effect.
    let attempt = ledger.attempt.as_ref();
    let due = [
        revoke_due(ledger, now),
        attempt.map(|attempt| after(attempt.send_before, context.settings.unknown_outcome)),
        ledger.create_unknown_until,
        ledger.delete_unknown_until,
    ];
    let overdue = || {
        let due = due.into_iter().flatten().max();
        due.is_some_and(|due| after(due, patience) <= now)
    };
    let must_end = |claim| {
        let evidence = evidence_seen(context, claim, &ledger.tuple);
        matches!(evidence, Evidence::Ends(_))
    };
    is_ours && purpose(ledger, now) == Purpose::Revoke && overdue()
        || ledger.claims.iter().any(must_end)
}
