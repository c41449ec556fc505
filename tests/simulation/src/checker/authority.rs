//! Whether people and policies said what a controller acted on.

use breakglass::api::access::Claim;
use jiff::Timestamp;

use super::Checker;
use super::grants::{Asked, GrantHistory, Said};

impl Checker {
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

    /// Whether at some time in the span its grant asked for that much and a policy admitted it.
    pub(super) fn admits(&self, claim: &Claim, from: Timestamp, to: Timestamp) -> bool {
        self.asked_during(claim, from, to).any(|asked| {
            claim.expiry_time <= asked.spec.expiry_time
                && self
                    .written
                    .admitted(from, to, &claim.grant.namespace, asked, claim.expiry_time)
        })
    }

    /// Whether at some time in the span its grant stood, and no policy denied it.
    pub(super) fn stood(&self, claim: &Claim, from: Timestamp, to: Timestamp) -> bool {
        let namespace = &claim.grant.namespace;
        self.asked_during(claim, from, to).any(|asked| {
            asked.spec.expiry_time + self.skew() > from
                && self.written.not_denied(from, to, namespace, asked)
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
        let mut pinned = self.asked_during(claim, self.begin, now).map(Asked::pinned);
        let first = pinned.next();
        let gone = |said: &Said| matches!(said, Said::Nothing | Said::End);
        history.during(self.begin, now).any(gone)
            || history.ended.is_some()
            || pinned.any(|later| Some(later) != first)
            || self.asked_during(claim, self.begin, now).any(|asked| {
                self.written
                    .denied(self.begin, now, &history.namespace, asked)
            })
    }
}
