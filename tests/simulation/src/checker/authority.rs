//! Whether people and policies said what a controller acted on.

use breakglass::api::access::Claim;
use breakglass::api::tuple::Tuple;
use jiff::{SignedDuration, Timestamp};

use super::Checker;
use super::grants::{Asked, GrantHistory, PolicySet, Said};
use super::rows::Key;

/// A person and an entitlement, as a tuple names them and as a grant asks for them.
pub(super) type Names<'a> = (&'a str, Option<&'a str>, &'a str);

pub(super) fn names(tuple: &Tuple) -> Names<'_> {
    match tuple {
        Tuple::AccountAssignment(t) => (&t.user, Some(&t.account), &t.permission_set),
        Tuple::IdentityCenterGroup(t) => (&t.user, None, &t.group),
        Tuple::IamGroup(t) => (&t.user, Some(&t.account), &t.group),
    }
}

/// The same, kept.
pub(super) type OwnNames = (String, Option<String>, String);

pub(super) fn own((user, account, entitlement): Names<'_>) -> OwnNames {
    (
        user.to_owned(),
        account.map(str::to_owned),
        entitlement.to_owned(),
    )
}

impl Asked {
    /// From when on it asks for access.
    pub(super) fn begins(&self) -> Timestamp {
        self.spec.start_time.unwrap_or(self.created)
    }

    pub(super) fn names(&self) -> Option<Names<'_>> {
        let (user, target) = (&self.spec.user, &self.spec.target);
        let assignment = target.account_assignment.as_ref();
        let group = target.identity_center_group.as_ref();
        let iam_group = target.iam_group.as_ref();
        assignment
            .map(|t| (&**user, Some(&*t.account), &*t.permission_set))
            .or_else(|| group.map(|t| (&**user, None, &*t.name)))
            .or_else(|| iam_group.map(|t| (&**user, Some(&*t.account), &*t.name)))
    }
}

impl Checker {
    /// Whether that is what it asks for, by any of the names by which the ledger has ever known it.
    pub(super) fn is_for(&self, asked: &Asked, tuple: &Tuple) -> bool {
        let known = self.known_as.get(&Key::from(tuple));
        let mut all = known.into_iter().flatten().chain([tuple]);
        asked
            .names()
            .is_some_and(|asked| all.any(|one| asked == names(one)))
    }

    fn history(&self, claim: &Claim) -> Option<&GrantHistory> {
        self.written.grants.get(&claim.uid)
    }

    /// What its grant asked for at some time in the span.
    fn asked_during(
        &self,
        claim: &Claim,
        from: Timestamp,
        to: Timestamp,
    ) -> impl Iterator<Item = &Asked> {
        self.history(claim)
            .into_iter()
            .flat_map(move |history| history.during(from, to))
            .filter_map(|said| match said {
                Said::Asks(asked) => Some(&**asked),
                _ => None,
            })
    }

    /// Whether at some time in the span its grant asked for just that, for so long, and a policy admitted it.
    pub(super) fn admits(
        &self,
        tuple: &Tuple,
        claim: &Claim,
        from: Timestamp,
        to: Timestamp,
    ) -> bool {
        let (namespace, expiry) = (&claim.grant.namespace, claim.expiry_time);
        self.asked_during(claim, from, to).any(|asked| {
            let mut policies = self.written.policies(from, to);
            expiry <= asked.spec.expiry_time
                && claim.start_time == asked.begins()
                && self.is_for(asked, tuple)
                && policies.any(|set| set.admits(namespace, asked, expiry))
        })
    }

    /// Whether at some time in the span its grant stood, asked for just that, and no policy denied it.
    pub(super) fn stood(
        &self,
        tuple: &Tuple,
        claim: &Claim,
        from: Timestamp,
        to: Timestamp,
    ) -> bool {
        let namespace = &claim.grant.namespace;
        self.asked_during(claim, from, to).any(|asked| {
            let mut policies = self.written.policies(from, to);
            asked.spec.expiry_time + self.skew() > from
                && self.is_for(asked, tuple)
                && policies.any(|set| set.lets_pass(namespace, asked))
        })
    }

    /// Whether throughout the span that grant was gone, was to end, asked for something else, was over, or
    /// was denied. Any start will do for who names none.
    pub(super) fn must_be_over(
        &self,
        tuple: &Tuple,
        (uid, start): (&str, Option<Timestamp>),
        from: Timestamp,
        to: Timestamp,
    ) -> bool {
        let Some(history) = self.written.grants.get(uid) else {
            return true;
        };
        history.during(from, to).all(|said| match said {
            Said::Nothing | Said::End => true,
            Said::Nonsense => false,
            Said::Asks(asked) => {
                let mut policies = self.written.policies(from, to);
                !self.is_for(asked, tuple)
                    || start.is_some_and(|start| start != asked.begins())
                    || asked.spec.expiry_time <= from
                    || policies.all(|set| set.denies(&history.namespace, asked))
            }
        })
    }

    /// Since when, without a break until now, it has been so.
    pub(super) fn over_since(&self, tuple: &Tuple, uid: &str, now: Timestamp) -> Option<Timestamp> {
        let history = self.written.grants.get(uid)?;
        let mut instants: Vec<_> = history
            .instants(now)
            .chain(self.written.policy_instants(now))
            .collect();
        instants.sort_unstable();
        // What was valid until an instant is of no account after it.
        let after = |at: &Timestamp| *at + SignedDuration::from_millis(1);
        instants
            .into_iter()
            .find(|at| self.must_be_over(tuple, (uid, None), after(at).min(now), now))
    }

    /// Whether that is so of the policies, and what its grant asked for, at some time in the span.
    pub(super) fn policies_said(
        &self,
        uid: &str,
        from: Timestamp,
        to: Timestamp,
        says_so: impl Fn(&PolicySet, &str, &Asked) -> bool,
    ) -> bool {
        let Some(history) = self.written.grants.get(uid) else {
            return false;
        };
        history.during(from, to).any(|said| match said {
            Said::Asks(asked) => {
                let mut policies = self.written.policies(from, to);
                policies.any(|set| says_so(set, &history.namespace, asked))
            }
            _ => false,
        })
    }

    /// Whether the claim's time, or what its grant asked for of late, is over.
    pub(super) fn has_expired(&self, claim: &Claim, now: Timestamp) -> bool {
        let over = |expiry: Timestamp| expiry <= now + self.skew();
        over(claim.expiry_time)
            || self
                .asked_during(claim, now - super::TURN, now)
                .any(|asked| over(asked.spec.expiry_time))
    }

    /// Whether it was ever revoked, deleted, denied, or pointed at something else.
    pub(super) fn has_ended(&self, claim: &Claim, now: Timestamp) -> bool {
        let Some(history) = self.history(claim) else {
            return true; // No such grant was ever there.
        };
        let claimed = self.claimed.get(&claim.uid).copied();
        let from = claimed.unwrap_or(self.begin) - super::TURN;
        let mut pinned = self.asked_during(claim, from, now).map(Asked::pinned);
        let first = pinned.next();
        let gone = |said: &Said| matches!(said, Said::Nothing | Said::End);
        history.during(self.begin, now).any(gone)
            || history.ended_by_others.is_some()
            || pinned.any(|later| Some(later) != first)
            || self.asked_during(claim, from, now).any(|asked| {
                let mut policies = self.written.policies(from, now);
                policies.any(|set| set.denies(&history.namespace, asked))
            })
    }
}
