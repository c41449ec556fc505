//! What the grants of a tuple's claims and the policies say of each claim.

use std::collections::{BTreeMap, BTreeSet};

use super::grant_view::GrantView;
use super::ledger::{Evidence, Lookup, evidence};
use super::policy::{Allowance, Management, PolicySet, Protected, Question, Ruling};
use crate::api::access::{BreakglassAccessSpec, Claim};

/// What is known of the claims' grants and the policies.
#[derive(Clone, Debug, Default)]
pub struct Authorities {
    /// By uid of the claim. What is missing is unknown.
    pub evidence: BTreeMap<String, Evidence>,
    /// Uids of the claims that some Allow policy admits at this moment, and whether it calls the entitlement exclusively
    /// ours.
    pub admitted: BTreeMap<String, bool>,
    /// Uids of those that one would admit, were the account known not to be the management account.
    pub in_doubt: BTreeSet<String>,
    /// Why nothing may be given now, whatever the claims say: a policy can't be read.
    pub policies_unreadable: Option<String>,
    /// Nor may anything be given while the machine's clock is known to be wrong.
    pub clock_is_wrong: bool,
}

impl Authorities {
    /// What was found out about the claims' grants, in the order of the claims, and the policies.
    pub fn of(
        ledger: &BreakglassAccessSpec,
        lookups: &[Lookup],
        policies: &PolicySet,
        protected: &Protected,
    ) -> Self {
        let mut found = Self {
            policies_unreadable: policies.readable().err(),
            ..Self::default()
        };
        for (claim, lookup) in ledger.claims.iter().zip(lookups) {
            let verdict = evidence(claim, lookup, policies, &ledger.tuple);
            if let (Evidence::Stands(_), Lookup::Found(view)) = (&verdict, lookup) {
                let uid = claim.uid.clone();
                if let Some(allowance) = allowance(claim, view, policies, protected) {
                    found.admitted.insert(uid, allowance.exclusive);
                } else if protected.management == Management::Unknown
                    && allowance(claim, view, policies, &protected.but_management()).is_some()
                {
                    found.in_doubt.insert(uid);
                }
            }
            found.evidence.insert(claim.uid.clone(), verdict);
        }
        found
    }
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

#[cfg(test)]
mod tests {
    use kube::core::DynamicObject;
    use serde_json::{Value, json};

    use super::*;
    use crate::api::access::EndReason;
    use crate::decide::fixtures::{at, claim, ledger, raw_grant, raw_policy};

    fn grant(expiry: i64) -> DynamicObject {
        raw_grant(json!({
            "user": "alice", "reason": "r", "expiryTime": at(expiry).to_string(),
            "target": {"iamGroup": {"account": "111122223333", "name": "Ops"}},
        }))
    }

    fn changed(change: impl FnOnce(&mut Value)) -> DynamicObject {
        let mut raw = serde_json::to_value(grant(100)).unwrap();
        change(&mut raw);
        serde_json::from_value(raw).unwrap()
    }

    fn look(raw: &DynamicObject) -> Lookup {
        Lookup::Found(Box::new(GrantView::parse(raw).unwrap()))
    }

    /// The policies allow Ops in that account, for a minute and forty seconds.
    fn policies(account: &str, others: &[(&str, Value)]) -> PolicySet {
        let allow = json!({
            "namespaces": ["*"], "maxDuration": "100s",
            "rules": [{"users": ["*"], "iamGroup": {"accounts": [account], "names": ["Ops"]}}],
        });
        let mut raw = vec![raw_policy("allow", allow)];
        raw.extend(
            others
                .iter()
                .map(|(name, spec)| raw_policy(name, spec.clone())),
        );
        PolicySet::parse(&raw)
    }

    /// What is said of a claim, until second 100, of the grant of an hour ago.
    fn said(lookup: Lookup, policies: &PolicySet, management: Management) -> Authorities {
        let mut claim = claim("uid-1", 0, 100);
        claim.spec_hash = match look(&grant(100)) {
            Lookup::Found(view) => view.asked.unwrap().hash(),
            Lookup::Gone | Lookup::Unreadable => unreachable!(),
        };
        let protected = Protected {
            management,
            ..Protected::default()
        };
        Authorities::of(&ledger(vec![claim]), &[lookup], policies, &protected)
    }

    fn known() -> Management {
        Management::Account("999999999999".to_owned())
    }

    #[test]
    fn a_claim_ends_for_the_reason_that_its_grant_or_a_policy_gives() {
        let ends = |reason| Evidence::Ends(reason);
        let set = |pointer: &'static str, value: Value| {
            look(&changed(|raw| {
                let (parent, field) = pointer.rsplit_once('/').unwrap();
                raw.pointer_mut(parent).unwrap()[field] = value;
            }))
        };
        let deleting = json!(at(1).to_string());
        let over = json!({"endedTime": at(1).to_string()});
        for (lookup, wanted) in [
            (look(&grant(100)), Evidence::Stands(at(100))),
            (look(&grant(50)), Evidence::Stands(at(50))),
            (look(&grant(200)), Evidence::Stands(at(100))),
            (Lookup::Unreadable, Evidence::Unknown),
            (set("/spec/user", json!(7)), Evidence::Unknown),
            (Lookup::Gone, ends(EndReason::Deleted)),
            (set("/metadata/uid", json!("2")), ends(EndReason::Deleted)),
            (
                set("/metadata/deletionTimestamp", deleting),
                ends(EndReason::Deleted),
            ),
            (
                set("/spec/revoked", json!(true)),
                ends(EndReason::RevokedByRequest),
            ),
            (set("/status", over), ends(EndReason::EndedBefore)),
            (
                set("/spec/user", json!("bob")),
                ends(EndReason::TargetChanged),
            ),
        ] {
            let told = format!("{lookup:?}");
            let found = said(lookup, &policies("*", &[]), known());
            assert_eq!(found.evidence["uid-1"], wanted, "{told}");
            let stands = matches!(wanted, Evidence::Stands(_));
            assert_eq!(found.admitted.contains_key("uid-1"), stands, "{told}");
            assert!(found.in_doubt.is_empty(), "{told}");
            assert_eq!(found.policies_unreadable, None, "{told}");
        }
        let deny = json!({"effect": "Deny", "namespaces": ["*"], "rules": [{"users": ["alice"]}]});
        let denied = policies("*", &[("deny", deny)]);
        let found = said(look(&grant(100)), &denied, known());
        assert_eq!(found.evidence["uid-1"], ends(EndReason::DeniedByPolicy));
        assert!(found.admitted.is_empty());
    }

    #[test]
    fn who_is_admitted_and_who_might_be() {
        let grant = || look(&grant(100));
        let star = policies("*", &[]);
        let listed = policies("111122223333", &[]);
        let ours = Management::Account("111122223333".to_owned());
        for (policies, management, admitted, in_doubt) in [
            (&star, known(), true, false),
            (&star, ours.clone(), false, false),
            (&star, Management::Unknown, false, true),
            (&listed, Management::Unknown, true, false),
            (&listed, ours, true, false),
        ] {
            let told = format!("{management:?}");
            let found = said(grant(), policies, management);
            assert_eq!(found.admitted.contains_key("uid-1"), admitted, "{told}");
            assert_eq!(found.in_doubt.contains("uid-1"), in_doubt, "{told}");
            assert_eq!(found.evidence["uid-1"], Evidence::Stands(at(100)), "{told}");
        }
        let other = policies("222222222222", &[]);
        let found = said(grant(), &other, Management::Unknown);
        assert!(found.admitted.is_empty() && found.in_doubt.is_empty());
    }

    #[test]
    fn a_policy_that_nobody_can_read_is_told() {
        let nonsense = policies("*", &[("nonsense", json!({"rules": 7}))]);
        let found = said(look(&grant(100)), &nonsense, known());
        assert!(found.policies_unreadable.unwrap().contains("nonsense"));
    }
}
