//! Quorum reads of what a decision about a tuple rests on: the claims' grants and the policies.

use futures::future::join_all;

use super::cluster::{Cluster, Error};
use crate::api::access::{BreakglassAccessSpec, Claim, GrantRef};
use crate::decide::access::Authorities;
use crate::decide::grant_view::GrantView;
use crate::decide::ledger::{Evidence, Lookup, evidence};
use crate::decide::policy::{PolicySet, Protected, Question, Ruling};
use crate::decide::target::Target;

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
        if let (Evidence::Stands(_), Lookup::Found(view)) = (&verdict, lookup)
            && admitted(claim, view, ledger, &policies, protected)
        {
            found.admitted.push(claim.uid.clone());
        }
        found.evidence.insert(claim.uid.clone(), verdict);
    }
    Ok(found)
}

/// Whether some policy admits what was claimed: not more, should the grant ask for more by now.
fn admitted(
    claim: &Claim,
    view: &GrantView,
    ledger: &BreakglassAccessSpec,
    policies: &PolicySet,
    protected: &Protected,
) -> bool {
    let target = Target::of(&ledger.tuple);
    // A grant that can't be read any more has no ticket to show; what it was claimed for counts.
    let question = Question::of(view).map_or(
        Question {
            namespace: &claim.grant.namespace,
            user: ledger.tuple.user(),
            target: &target,
            ticket: None,
            created: view.created,
            start: Some(claim.start_time),
            expiry: claim.expiry_time,
        },
        |asked| Question {
            expiry: asked.expiry.min(claim.expiry_time),
            ..asked
        },
    );
    matches!(policies.ask(&question, protected), Ruling::Allowed(_))
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
