//! What must hold, whatever was killed or frozen. Looks at the [`History`] and at nothing else.

use jiff::{SignedDuration, Timestamp};

use super::history::{AccessHistory, GrantHistory, History, LateCalls, Span, without};
use crate::support::seconds;

/// From the last look at the time to AWS. Only a machine with too much to do takes longer.
const UNDER_WAY: SignedDuration = SignedDuration::from_millis(500);
/// An early end becomes known by a look at the grant, and what was decided just before may still be sent.
const SEND_WINDOW: SignedDuration = SignedDuration::from_secs(3);
/// How long access may stand that nothing covers while everything works. Most of it is for AWS, which fails and dawdles.
const LEFT_IN_CALM: SignedDuration = SignedDuration::from_secs(20);
/// The same whatever happens, save that the machine itself stands still.
const LEFT_AT_ALL: SignedDuration = SignedDuration::from_secs(240);

/// So much of a grant's time everything must have worked for it to count as one that is to be given.
const GIVEN_IN_CALM: SignedDuration = SignedDuration::from_secs(10);
/// Fewer tell nothing of how many are given.
const ENOUGH: usize = 10;

/// An access that stood when nothing covered it any more.
#[derive(Clone, Copy, Debug)]
pub struct Lateness {
    pub since: Timestamp,
    /// Whether the end was an expiry, which is known beforehand.
    pub by_expiry: bool,
    /// Whether everything worked all that time.
    pub calm: bool,
    pub to_first_delete: Option<SignedDuration>,
    pub to_gone: SignedDuration,
}

/// All that went wrong.
pub fn violations(history: &History, now: Timestamp) -> Vec<String> {
    let mut found = history.complaints.clone();
    for place in 0..history.accesses.len() {
        found.extend(given_without_a_grant(history, place));
        found.extend(taken_from_others(history, place));
        found.extend(taken_early(history, place));
        found.extend(left(history, place, now));
    }
    found.extend(hardly_given(history, now));
    found
}

/// AWS may fail one and dawdle over another, but whoever gives nothing does no harm and is of no use.
fn hardly_given(history: &History, now: Timestamp) -> Option<String> {
    let span = |grant: &GrantHistory| (grant.begins(), grant.surely_lasts_until().min(now));
    let chances: Vec<_> = history
        .grants
        .iter()
        .filter(|grant| history.calm(span(grant)) >= GIVEN_IN_CALM)
        .collect();
    let missed = chances.iter().filter(|grant| {
        let present = history.accesses[grant.access].present(now);
        without(&[span(grant)], present) == [span(grant)]
    });
    let (all, missed) = (chances.len(), missed.count());
    (all >= ENOUGH && missed * 10 > all).then(|| {
        format!("{missed} of {all} grants that had {GIVEN_IN_CALM:#} of calm never had access")
    })
}

fn grants_of(history: &History, place: usize) -> impl Iterator<Item = &GrantHistory> {
    history
        .grants
        .iter()
        .filter(move |grant| grant.access == place)
}

/// Whether what was sent then may have been decided long before.
fn may_be_late(history: &History, time: Timestamp) -> bool {
    history.troubles.iter().any(|trouble| {
        let over = trouble.until.unwrap_or(Timestamp::MAX - UNDER_WAY);
        let from = match trouble.late_calls {
            LateCalls::Never => return false,
            LateCalls::WhenOver => over - UNDER_WAY,
            LateCalls::Throughout => trouble.from,
        };
        from <= time && time < over + UNDER_WAY
    })
}

fn given_without_a_grant(history: &History, place: usize) -> Vec<String> {
    let allows = |grant: &GrantHistory, time: Timestamp| {
        let more = if grant.ends_by_expiry() {
            UNDER_WAY
        } else {
            SEND_WINDOW
        };
        // Never after all expiries that anybody ever asked for.
        let latest = grant
            .expiry
            .max(grant.edit.map_or(grant.expiry, |(_, expiry)| expiry));
        let end = (grant.ends() + more).min(latest + UNDER_WAY);
        grant.begins() <= time && time < end
    };
    let access = &history.accesses[place];
    let creates = access.writes.iter().filter(|write| write.creates);
    creates
        .filter(|write| !grants_of(history, place).any(|grant| allows(grant, write.time)))
        .filter(|write| !may_be_late(history, write.time))
        .map(|write| {
            format!(
                "{} was given at {} without a grant",
                access.access, write.time
            )
        })
        .collect()
}

fn taken_from_others(history: &History, place: usize) -> Vec<String> {
    let access = &history.accesses[place];
    let mut found = Vec::new();
    for foreign in &access.foreign {
        let theirs = |time: Timestamp| {
            foreign.seen_by_all <= time && foreign.taken.is_none_or(|taken| time < taken)
        };
        let deletes = access.writes.iter().filter(|write| !write.creates);
        found.extend(deletes.filter(|write| theirs(write.time)).map(|write| {
            format!(
                "{} is not ours, and was to be taken at {}",
                access.access, write.time
            )
        }));
        let gone = access.presence.iter().filter(|(_, present)| !present);
        found.extend(
            gone.filter(|(time, _)| theirs(*time))
                .map(|(time, _)| format!("{} is not ours, and was gone at {time}", access.access)),
        );
    }
    found
}

/// Whoever was told that access is there keeps it until the end.
fn taken_early(history: &History, place: usize) -> Vec<String> {
    let access = &history.accesses[place];
    let deletes = access.writes.iter().filter(|write| !write.creates);
    deletes
        .filter(|write| !may_be_late(history, write.time))
        .filter_map(|write| {
            let holder = grants_of(history, place).find(|grant| {
                let told = grant.active.is_some_and(|active| active < write.time);
                told && write.time < grant.surely_lasts_until()
            })?;
            let (time, name) = (write.time, &holder.name);
            Some(format!(
                "{} was to be taken at {time} while {name} was active",
                access.access
            ))
        })
        .collect()
}

/// When AWS had an access that nothing covered, neither a grant nor others who gave it.
fn uncovered(history: &History, place: usize, now: Timestamp) -> Vec<Span> {
    let access = &history.accesses[place];
    let granted = grants_of(history, place).map(|grant| (grant.begins(), grant.ends()));
    let foreign = access.foreign.iter().map(|foreign| {
        (
            foreign.given,
            foreign.taken.map_or(now, |taken| taken + seconds(1)),
        )
    });
    without(&access.present(now), granted.chain(foreign))
}

fn left(history: &History, place: usize, now: Timestamp) -> Vec<String> {
    let access = &history.accesses[place].access;
    let spans = uncovered(history, place, now).into_iter();
    spans
        .filter(|span| history.calm(*span) > LEFT_IN_CALM || history.running(*span) > LEFT_AT_ALL)
        .map(|(from, until)| {
            format!("{access} stood from {from} to {until} and nothing covered it")
        })
        .collect()
}

/// Every end that left access behind for a while.
pub fn lateness(history: &History, now: Timestamp) -> Vec<Lateness> {
    let mut found = Vec::new();
    for (place, access) in history.accesses.iter().enumerate() {
        for span in uncovered(history, place, now) {
            let Some(ended) = grants_of(history, place).find(|grant| grant.ends() == span.0) else {
                continue; // Given late: the other figures tell of that.
            };
            found.push(Lateness {
                since: span.0,
                by_expiry: ended.ends_by_expiry(),
                calm: history.calm(span) == span.1.duration_since(span.0),
                to_first_delete: first_delete(access, span),
                to_gone: span.1.duration_since(span.0),
            });
        }
    }
    found
}

fn first_delete(access: &AccessHistory, (from, until): Span) -> Option<SignedDuration> {
    let mut deletes = access.writes.iter().filter(|write| !write.creates);
    let first = deletes.find(|write| from <= write.time && write.time <= until)?;
    Some(first.time.duration_since(from))
}
