//! Whose turn it is among replicas. The lease saves work; correctness never depends on it.
//!
//! A claim on leadership ends by its holder's own monotonic clock, measured from before the call
//! that renewed it: a replica that is cut off stops by itself before another may start.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use kube::api::{Api, PostParams};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::telemetry::chain;

const NAME: &str = "breakglass-controller";
/// The lease is renewed, or looked at, this many times in its length; and a leader stops one such
/// part earlier than others may start.
const PARTS: u32 = 5;
const TIMEOUT: Duration = Duration::from_secs(5);
/// What failed is tried again that soon, however long the lease is: it may be ours without our knowing.
const AGAIN: Duration = Duration::from_secs(3);

/// Who stops, and meets a conflict, tries again that soon.
const CONFLICT: Duration = Duration::from_millis(200);

/// After this long without a lease that could be asked for, a replica works without one: taking
/// access away on time matters more than taking turns.
const PATIENCE: Duration = Duration::from_secs(20);
/// So long a replica works without the lease when whoever has it has left things undone.
const ALONE: Duration = Duration::from_hours(1);
/// How often it is told that the lease can't be had.
const REMINDER: Duration = Duration::from_mins(5);

/// Whether it is this replica's turn, as of now.
#[derive(Clone, Debug, Default)]
pub struct Leadership(Arc<Mutex<Option<Turn>>>);

#[derive(Clone, Copy, Debug)]
struct Turn {
    until: Instant,
    /// Whether the lease is ours: without it another may work beside us.
    by_lease: bool,
}

impl Leadership {
    /// Whether it is this replica's turn.
    pub fn is_ours(&self) -> bool {
        self.lock().is_some_and(|turn| Instant::now() < turn.until)
    }

    /// Whether it works without having the lease, so that another may work too.
    pub fn may_be_shared(&self) -> bool {
        self.lock().is_some_and(|turn| !turn.by_lease)
    }

    fn set(&self, turn: Option<Turn>) {
        *self.lock() = turn;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Turn>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Who takes part in the election, and how.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// Its name in the lease: pod and run.
    pub identity: String,
    /// How long the lease is good for.
    pub duration: Duration,
    /// An observer takes no lease, and has the word only while nobody else has one.
    pub observe: bool,
    /// For the times that are written into the lease. What counts is the monotonic clock.
    pub clock: Clock,
}

/// Takes part in the election until the process ends, then gives the lease up; an observer only
/// watches it. `elected` is called whenever it has become this replica's turn. While another has the
/// lease `neglected` is asked what it leaves undone: then this replica works too.
pub async fn run(
    leases: Api<Lease>,
    candidate: Candidate,
    leadership: Leadership,
    shutdown: CancellationToken,
    elected: impl Fn(),
    mut neglected: impl FnMut() -> Option<String>,
) {
    let part = candidate.duration / PARTS;
    let ours_for = part * (PARTS - 1);
    // An answer that comes later is no use to anybody.
    let timeout = TIMEOUT.min(part * 2);
    let mut election = Election {
        leases,
        candidate,
        seen: None,
    };
    let mut without = Without::default();
    let mut alone = None;
    loop {
        let begun = Instant::now();
        let round = tokio::time::timeout(timeout, election.round()).await;
        let observes = election.candidate.observe;
        // Asked now: it may have run out while the lease was renewed.
        let was_ours = leadership.is_ours();
        let pause = match &round {
            Ok(Ok(Round::Won | Round::Lost)) => part,
            Ok(Ok(Round::Conflict) | Err(_)) | Err(_) => part.min(AGAIN),
        };
        let turn = match &round {
            // What we hold another takes only when it has run out.
            Ok(Ok(Round::Conflict)) if was_ours => {
                without = Without::default();
                None
            }
            Ok(Ok(ended)) => {
                without = Without::default();
                let won = *ended == Round::Won;
                let neglected = || neglected().filter(|_| !observes);
                let goes = won || goes_alone(&mut alone, neglected);
                Some(goes.then_some(Turn {
                    until: begun + ours_for,
                    by_lease: won,
                }))
            }
            failed => {
                let (why, is_refused) = match failed {
                    Ok(Err(error)) => (chain(error), is_refusal(error)),
                    Ok(Ok(_)) | Err(_) => ("no answer from the API server".to_owned(), false),
                };
                without.tell(&why);
                // Whatever keeps it from us may keep nothing else from us. An observer is missed by nobody: it has the
                // word only where leases are not for it.
                let goes = without.too_long() && (is_refused || !observes);
                goes.then(|| {
                    Some(Turn {
                        // Until the next round has failed too.
                        until: Instant::now() + pause + 2 * timeout,
                        by_lease: false,
                    })
                })
            }
        };
        match turn {
            Some(Some(turn)) => {
                leadership.set(Some(turn));
                if !was_ours {
                    tracing::info!("this replica leads");
                    elected();
                }
            }
            Some(None) => {
                if was_ours {
                    tracing::warn!("another replica leads now");
                }
                leadership.set(None);
            }
            // What we hold runs out by itself.
            None => {}
        }
        tokio::select! {
            biased;
            () = tokio::time::sleep(pause) => {}
            () = shutdown.cancelled() => break,
        }
    }
    if !election.candidate.observe {
        // Whoever it is to the API server: a write that had no answer may have made it ours.
        let _ = tokio::time::timeout(TIMEOUT, election.give_up()).await;
    }
    leadership.set(None);
}

/// How a round ended that had an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Round {
    /// The lease is ours.
    Won,
    /// It is another's.
    Lost,
    /// Somebody wrote it while it was read: another, or we ourselves, by an earlier write that came late.
    Conflict,
}

/// Whether to work though another has the lease: since it leaves things undone, and until that time.
fn goes_alone(alone: &mut Option<Instant>, neglected: impl FnOnce() -> Option<String>) -> bool {
    let now = Instant::now();
    if alone.is_some_and(|until| now < until) {
        return true;
    }
    *alone = neglected().map(|what| {
        tracing::error!(
            what,
            "another replica has the lease and leaves things undone: this one goes to work too, for {ALONE:?}. See who holds the lease {NAME}, and who may write it"
        );
        now + ALONE
    });
    alone.is_some()
}

/// How long the lease could not be had.
#[derive(Debug, Default)]
struct Without {
    since: Option<Instant>,
    told: Option<Instant>,
}

impl Without {
    fn tell(&mut self, why: &str) {
        let now = Instant::now();
        self.since.get_or_insert(now);
        if self.told.is_none_or(|told| now - told >= REMINDER) {
            self.told = Some(now);
            tracing::error!(
                "the lease can't be read or written, so replicas can't take turns: {why}. If it is refused, give the service account the Role of deploy/kustomize, or set the namespace of the kubeconfig's context to where it may write leases. This replica works without it from {PATIENCE:?} on"
            );
        }
    }

    fn too_long(&self) -> bool {
        self.since.is_some_and(|since| since.elapsed() >= PATIENCE)
    }
}

struct Election {
    leases: Api<Lease>,
    candidate: Candidate,
    /// The version of somebody else's lease, and when we first saw it: it ends by our own clock.
    seen: Option<(String, Instant)>,
}

impl Election {
    /// Takes the lease, renews it, or sees whose it is.
    async fn round(&mut self) -> Result<Round, kube::Error> {
        let Some(mut lease) = self.leases.get_opt(NAME).await? else {
            if self.candidate.observe {
                return Ok(Round::Won);
            }
            let lease = Lease {
                metadata: ObjectMeta {
                    name: Some(NAME.to_owned()),
                    ..ObjectMeta::default()
                },
                spec: Some(self.spec(None)),
            };
            return round(self.leases.create(&PostParams::default(), &lease).await);
        };
        let spec = lease.spec.clone().unwrap_or_default();
        let holder = spec.holder_identity.clone().unwrap_or_default();
        let may_live = !holder.is_empty() && !self.is_predecessor(&holder);
        if may_live && holder != self.candidate.identity && !self.is_stale(&lease) {
            return Ok(Round::Lost);
        }
        if self.candidate.observe {
            return Ok(Round::Won);
        }
        lease.spec = Some(self.spec(Some(&spec)));
        // The resourceVersion in the object makes this conditional.
        round(
            self.leases
                .replace(NAME, &PostParams::default(), &lease)
                .await,
        )
    }

    /// Whether the holder was an earlier run in our pod, which is dead since we run.
    fn is_predecessor(&self, holder: &str) -> bool {
        let pod = |identity: &str| identity.split_once('/').map(|(pod, _)| pod.to_owned());
        holder != self.candidate.identity && pod(holder) == pod(&self.candidate.identity)
    }

    /// Whether the lease of another has stood still for its whole length while we looked: the length that
    /// we know, not the one that somebody has written into it.
    fn is_stale(&mut self, lease: &Lease) -> bool {
        let version = lease.metadata.resource_version.clone().unwrap_or_default();
        match &self.seen {
            Some((seen, since)) if *seen == version => since.elapsed() >= self.candidate.duration,
            _ => {
                self.seen = Some((version, Instant::now()));
                false
            }
        }
    }

    fn spec(&self, before: Option<&LeaseSpec>) -> LeaseSpec {
        let now = MicroTime(self.candidate.clock.now());
        let renewed =
            before.filter(|spec| spec.holder_identity.as_ref() == Some(&self.candidate.identity));
        let transitions = before.and_then(|spec| spec.lease_transitions).unwrap_or(0);
        LeaseSpec {
            holder_identity: Some(self.candidate.identity.clone()),
            lease_duration_seconds: i32::try_from(self.candidate.duration.as_secs()).ok(),
            acquire_time: renewed.map_or(Some(now.clone()), |spec| spec.acquire_time.clone()),
            renew_time: Some(now),
            lease_transitions: Some(if renewed.is_some() {
                transitions
            } else {
                transitions.saturating_add(1)
            }),
            ..LeaseSpec::default()
        }
    }

    /// Leaves the lease to others, if it is ours as far as can be seen.
    async fn give_up(&self) -> Result<(), kube::Error> {
        loop {
            let Some(mut lease) = self.leases.get_opt(NAME).await? else {
                return Ok(());
            };
            let Some(spec) = &mut lease.spec else {
                return Ok(());
            };
            if spec.holder_identity.as_ref() != Some(&self.candidate.identity) {
                return Ok(());
            }
            spec.holder_identity = None;
            let written = self
                .leases
                .replace(NAME, &PostParams::default(), &lease)
                .await;
            if round(written)? != Round::Conflict {
                return Ok(());
            }
            // A write of our own came late.
            tokio::time::sleep(CONFLICT).await;
        }
    }
}

fn is_refusal(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.is_forbidden())
}

fn round(written: Result<Lease, kube::Error>) -> Result<Round, kube::Error> {
    match written {
        Ok(_) => Ok(Round::Won),
        Err(kube::Error::Api(status)) if status.is_conflict() || status.is_already_exists() => {
            Ok(Round::Conflict)
        }
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::super::scripted::{Answer, client, refusal};
    use super::*;
    use axum::http::Method;
    use serde_json::json;
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn candidate(observe: bool, duration: Duration) -> Candidate {
        Candidate {
            identity: "pod/run".to_owned(),
            duration,
            observe,
            clock: Clock::system(),
        }
    }

    fn lease(holder: Option<&str>) -> serde_json::Value {
        json!({
            "kind": "Lease", "apiVersion": "coordination.k8s.io/v1",
            "metadata": {"name": NAME, "resourceVersion": "1"}, "spec": {"holderIdentity": holder},
        })
    }

    /// Whether it leads, second after second, where what is asked about leases is answered so; and whether by the lease.
    async fn led(
        answer: impl Fn() -> Option<Answer> + Send + Sync + 'static,
        observe: bool,
        duration: Duration,
    ) -> Vec<(bool, bool)> {
        let api = client(move |_| answer());
        let leadership = Leadership::default();
        let candidate = candidate(observe, duration);
        let leases = Api::default_namespaced(api);
        let end = CancellationToken::new();
        let election = run(leases, candidate, leadership.clone(), end, || {}, || None);
        let looks = async {
            let mut seen = Vec::new();
            for _ in 0..120 {
                tokio::time::sleep(Duration::from_secs(1)).await;
                seen.push((leadership.is_ours(), !leadership.may_be_shared()));
            }
            seen
        };
        tokio::select! {
            seen = looks => seen,
            () = election => unreachable!("it goes on for ever"),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn where_leases_fail_a_replica_leads_without_a_gap_and_an_observer_where_they_are_refused()
     {
        let forbidden = || Some(refusal(403, "Forbidden"));
        let fails = || Some(refusal(500, "InternalError"));
        for (answer, observe, leads) in [
            (forbidden(), false, true),
            (forbidden(), true, true),
            (fails(), false, true),
            (fails(), true, false),
            (None, false, true),
            (None, true, false),
        ] {
            for seconds in [5, 15] {
                let duration = Duration::from_secs(seconds);
                let answered = answer.clone();
                let seen = led(move || answered.clone(), observe, duration).await;
                let case = format!("{answer:?}, {observe}, {seconds}: {seen:?}");
                let patience = usize::try_from(PATIENCE.as_secs()).unwrap();
                let (before, after) = (&seen[..patience - 1], &seen[patience + 10..]);
                assert!(before.iter().all(|(ours, _)| !ours), "{case}");
                let expected = (leads, !leads);
                assert!(after.iter().all(|now| *now == expected), "{case}");
            }
        }
    }

    /// The lease may be ours by then, and nobody else can have it.
    #[tokio::test(start_paused = true)]
    async fn a_round_without_an_answer_is_tried_again_soon_however_long_the_lease_is() {
        let asked = AtomicUsize::new(0);
        let answer = move || {
            let is_first = asked.fetch_add(1, Ordering::Relaxed) == 0;
            (!is_first).then(|| (200, lease(None)))
        };
        let seen = led(answer, false, Duration::from_mins(20)).await;
        let leads = seen.iter().position(|now| *now == (true, true));
        let soon = usize::try_from((TIMEOUT + AGAIN).as_secs()).unwrap();
        assert_eq!(leads, Some(soon), "{seen:?}");
    }

    /// What was written meanwhile may be our own, by a call that had no answer.
    #[tokio::test(start_paused = true)]
    async fn a_conflict_is_looked_at_again_soon_and_ends_nobodys_turn() {
        // The first write, and that which renews.
        for (conflict, first) in [(1, AGAIN.as_secs()), (3, 0)] {
            let asked = AtomicUsize::new(0);
            let answer = move || {
                let conflicts = asked.fetch_add(1, Ordering::Relaxed) == conflict;
                let conflicts = conflicts.then(|| refusal(409, "Conflict"));
                Some(conflicts.unwrap_or((200, lease(None))))
            };
            let seen = led(answer, false, Duration::from_secs(100)).await;
            let leads = seen.iter().position(|now| *now == (true, true));
            let first = usize::try_from(first).unwrap();
            assert_eq!(leads, Some(first), "{conflict}: {seen:?}");
            let goes_on = seen[first..].iter().all(|(ours, _)| *ours);
            assert!(goes_on, "{conflict}: {seen:?}");
        }
    }

    /// It would keep others from it for its whole length. An observer gives nothing up.
    #[tokio::test(start_paused = true)]
    async fn who_stops_gives_the_lease_up_though_no_write_of_it_was_answered() {
        // How many writes there are where one has no answer, and so many more meet a conflict.
        for (observe, conflicts, expected) in [(false, 0, 2), (false, 2, 4), (true, 0, 0)] {
            let writes = Arc::new(AtomicUsize::new(0));
            let written = Arc::clone(&writes);
            let api = client(move |method| {
                if method == Method::GET {
                    return Some((200, lease(Some("pod/run"))));
                }
                match written.fetch_add(1, Ordering::Relaxed) {
                    0 => None,
                    again if again <= conflicts => Some(refusal(409, "Conflict")),
                    _ => Some((200, lease(None))),
                }
            });
            let end = CancellationToken::new();
            let election = run(
                Api::default_namespaced(api),
                candidate(observe, Duration::from_secs(15)),
                Leadership::default(),
                end.clone(),
                || {},
                || None,
            );
            let stop = async {
                tokio::time::sleep(Duration::from_secs(1)).await;
                end.cancel();
            };
            tokio::join!(election, stop);
            assert_eq!(writes.load(Ordering::Relaxed), expected, "{observe}");
        }
    }
}
