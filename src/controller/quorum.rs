//! Quorum reads of what a decision about a tuple rests on: the claims' grants and the policies.

use futures::future::join_all;

use super::cluster::{Cluster, Error};
use crate::api::access::{BreakglassAccessSpec, Claim, GrantRef};
use crate::decide::access::Authorities;
use crate::decide::grant_view::GrantView;
use crate::decide::ledger::{Evidence, Lookup, evidence};
use crate::decide::policy::{Allowance, Management, PolicySet, Protected, Question, Ruling};

/// Reads the grants of all claims and the policies, and says what follows for each claim.
pub async fn authorities(
    cluster: &Cluster,
    ledger: &BreakglassAccessSpec,
    protected: &Protected,
) -> Result<Authorities, Error> {
    let lookups = join_all(
        ledger
            .claims
            .iter()
            .map(|claim| lookup_or_doubt(cluster, &claim.grant)),
    )
    .await;
    let policies = cluster.policies().await?;
    let mut found = Authorities {
        policies_unreadable: policies.readable().err(),
        ..Authorities::default()
    };
    for (claim, lookup) in ledger.claims.iter().zip(&lookups) {
        let verdict = evidence(claim, lookup, &policies, &ledger.tuple);
        if let (Evidence::Stands(_), Lookup::Found(view)) = (&verdict, lookup) {
            let uid = claim.uid.clone();
            if let Some(allowance) = allowance(claim, view, &policies, protected) {
                found.admitted.insert(uid, allowance.exclusive);
            } else if protected.management == Management::Unknown
                && allowance(claim, view, &policies, &protected.but_management()).is_some()
            {
                found.in_doubt.insert(uid);
            }
        }
        found.evidence.insert(claim.uid.clone(), verdict);
    }
    Ok(found)
}

/// What admits what was claimed: not more, should the grant ask for more by now.
fn allowance(
    claim: &Claim,
    view: &GrantView,
    policies: &PolicySet,
    protected: &Protected,
) -> Option<Allowance> {
    let asked = Question::of(view)?;
    let question = Question {
        expiry: asked.expiry.min(claim.expiry_time),
        ..asked
    };
    match policies.ask(&question, protected) {
        Ruling::Allowed(allowance) => Some(allowance),
        Ruling::Denied { .. } => None,
    }
}

/// Reads one grant.
pub async fn lookup(cluster: &Cluster, grant: &GrantRef) -> Result<Lookup, Error> {
    let Some(object) = cluster.grant(grant).await? else {
        return Ok(Lookup::Gone);
    };
    Ok(GrantView::parse(&object).map_or(Lookup::Unreadable, |view| Lookup::Found(Box::new(view))))
}

/// One that can't be read now must not hold up the others.
async fn lookup_or_doubt(cluster: &Cluster, grant: &GrantRef) -> Lookup {
    lookup(cluster, grant).await.unwrap_or_else(|error| {
        tracing::warn!(grant = %grant.name, namespace = %grant.namespace, %error, "can't read a grant");
        Lookup::Unreadable
    })
}
