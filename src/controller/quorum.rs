//! Quorum reads of what a decision about a tuple rests on: the claims' grants and the policies.

use futures::future::join_all;

use super::cluster::{Cluster, Error};
use crate::api::access::{BreakglassAccessSpec, GrantRef};
use crate::decide::authorities::Authorities;
use crate::decide::grant_view::GrantView;
use crate::decide::ledger::Lookup;
use crate::decide::policy::Protected;

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
    Ok(Authorities::of(ledger, &lookups, &policies, protected))
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
