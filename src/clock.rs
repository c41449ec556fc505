//! The one wall clock. Deadlines are compared with it; waits use tokio's monotonic clock.
//!
//! Every answer of AWS and of the API server has a `Date`. Where both agree that the machine's clock is
//! wrong, theirs counts: access must end on time though somebody has set the clock of a node.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

/// A witness may differ by so much from us, and two witnesses from each other, before it means
/// anything: a `Date` has whole seconds, and is read when the answer has come.
pub const TOLERANCE: SignedDuration = SignedDuration::from_secs(30);

/// An answer that took longer tells nothing of the time. No call takes longer, and it is well within the tolerance.
const LONGEST_ANSWER: Duration = Duration::from_secs(10);

/// Where the program reads the time of day. Everything else takes `now` as an argument. Clones share
/// what the witnesses have told.
#[derive(Clone)]
pub struct Clock {
    machine: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    heard: Arc<Mutex<Heard>>,
}

/// Who tells us the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Witness {
    /// The API server.
    Kubernetes,
    /// AWS, whichever service.
    Aws,
}

/// What the witnesses last told.
#[derive(Debug, Default)]
struct Heard {
    kubernetes: Option<Told>,
    aws: Option<Told>,
}

/// A time that was told, and when. Since then the monotonic clock has gone on, however often the
/// machine's clock was set.
#[derive(Clone, Copy, Debug)]
struct Told {
    time: Timestamp,
    at: Instant,
}

impl Told {
    /// By how much the witness is ahead of that clock.
    fn ahead_of(self, machine: Timestamp) -> SignedDuration {
        after(self.time, self.at.elapsed()).duration_since(machine)
    }
}

/// A moment by both clocks: the monotonic one, which nobody can set, and the machine's, which goes on while the
/// machine sleeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment {
    at: Instant,
    machine: Timestamp,
}

impl Moment {
    /// By the monotonic clock.
    pub fn instant(self) -> Instant {
        self.at
    }
}

/// By how much the witnesses are ahead of the machine's clock; none for one that has told nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Differences {
    /// The API server.
    pub kubernetes: Option<SignedDuration>,
    /// AWS.
    pub aws: Option<SignedDuration>,
}

impl Differences {
    /// What must be added to the machine's clock: where both witnesses agree against it, and only
    /// there. Of two times the later one, so that nothing ends late.
    pub fn correction(self) -> Option<SignedDuration> {
        let (kubernetes, aws) = self.kubernetes.zip(self.aws)?;
        let wrong = |difference: SignedDuration| difference.abs() > TOLERANCE;
        let agree = kubernetes.saturating_sub(aws).abs() <= TOLERANCE;
        (wrong(kubernetes) && wrong(aws) && agree).then(|| kubernetes.max(aws))
    }

    /// Whether some clock is wrong, though nobody can say which.
    pub fn is_odd(self) -> bool {
        let all = [self.kubernetes, self.aws];
        self.correction().is_none() && all.iter().flatten().any(|one| one.abs() > TOLERANCE)
    }
}

impl Clock {
    /// The clock of the machine.
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place that reads the machine's clock"
    )]
    pub fn system() -> Self {
        Self::from_fn(Timestamp::now)
    }

    /// A clock that a test moves.
    pub fn from_fn(now: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self {
            machine: Arc::new(now),
            heard: Arc::default(),
        }
    }

    /// The time of day: that of the machine, or of the witnesses where both agree against it.
    pub fn now(&self) -> Timestamp {
        let machine = (self.machine)();
        match self.differences_from(machine).correction() {
            None => machine,
            Some(correction) => machine.saturating_add(correction).unwrap_or(machine),
        }
    }

    /// This moment.
    pub fn moment(&self) -> Moment {
        Moment {
            at: Instant::now(),
            machine: (self.machine)(),
        }
    }

    /// Whether it is longer ago than that by either clock.
    pub fn is_longer_ago(&self, moment: Moment, lasts: Duration) -> bool {
        moment.at.elapsed() >= lasts || (self.machine)() >= after(moment.machine, lasts)
    }

    /// A witness told the time just now.
    pub fn heard(&self, witness: Witness, time: Timestamp) {
        let told = Some(Told {
            time,
            at: Instant::now(),
        });
        let mut heard = self.lock();
        match witness {
            Witness::Kubernetes => heard.kubernetes = told,
            Witness::Aws => heard.aws = told,
        }
    }

    /// A witness told the time in the `Date` header of an answer to what was asked then. What can't be read tells
    /// nothing, and neither does what was long on its way: where this process stood still meanwhile, that is the
    /// time of before.
    pub fn heard_date(&self, witness: Witness, date: Option<&str>, asked: Instant) {
        let parser = jiff::fmt::rfc2822::DateTimeParser::new();
        let in_time = asked.elapsed() <= LONGEST_ANSWER;
        if let Some(time) = date.and_then(|date| parser.parse_timestamp(date).ok())
            && in_time
        {
            self.heard(witness, time);
        }
    }

    /// By how much the witnesses are ahead of the machine's clock.
    pub fn differences(&self) -> Differences {
        self.differences_from((self.machine)())
    }

    fn differences_from(&self, machine: Timestamp) -> Differences {
        let heard = self.lock();
        Differences {
            kubernetes: heard.kubernetes.map(|told| told.ahead_of(machine)),
            aws: heard.aws.map(|told| told.ahead_of(machine)),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Heard> {
        // Every change is one assignment, so a panic leaves nothing half done.
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Clock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Clock").field(&self.now()).finish()
    }
}

/// `time` moved by `by`, or the end of time: a deadline must never wrap around.
#[must_use]
pub fn after(time: Timestamp, by: Duration) -> Timestamp {
    SignedDuration::try_from(by)
        .ok()
        .and_then(|by| time.checked_add(by).ok())
        .unwrap_or(Timestamp::MAX)
}

/// How long it is from `now` to `then`; zero when `then` is past.
#[must_use]
pub fn until(now: Timestamp, then: Timestamp) -> Duration {
    then.duration_since(now).try_into().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::fixtures::at;
    use proptest::prelude::*;
    use std::sync::atomic::{AtomicI64, Ordering};

    /// A clock that starts at second 1000, and by how many seconds it has been set forward.
    fn machine() -> (Clock, Arc<AtomicI64>) {
        let (start, set) = (Instant::now(), Arc::new(AtomicI64::new(0)));
        let by = Arc::clone(&set);
        let clock =
            Clock::from_fn(move || after(at(1000 + by.load(Ordering::Relaxed)), start.elapsed()));
        (clock, set)
    }

    proptest! {
        #![proptest_config(crate::hostile::cases(256))]

        /// Whatever a proxy writes into `Date`: only a time is heard, and none is too far away to be told.
        #[test]
        fn a_date_is_a_time_or_nothing(kubernetes in date(), aws in date()) {
            let clock = Clock::from_fn(|| at(1000));
            for (witness, date) in [(Witness::Kubernetes, &kubernetes), (Witness::Aws, &aws)] {
                clock.heard_date(witness, Some(date), Instant::now());
            }
            let heard = clock.differences();
            let is_time = |date: &str| date.ends_with(" GMT");
            prop_assert!(heard.kubernetes.is_none() || is_time(&kubernetes), "{kubernetes}");
            prop_assert!(heard.aws.is_none() || is_time(&aws), "{aws}");
            prop_assert!(clock.now() == at(1000) || is_time(&kubernetes) && is_time(&aws));
        }
    }

    fn date() -> impl Strategy<Value = String> {
        prop_oneof![
            crate::hostile::text(),
            (0..10_000, 1..30, 0..24).prop_map(|(year, day, hour)| {
                format!("{day:02} Mar {year:04} {hour:02}:00:00 GMT")
            }),
        ]
    }

    #[tokio::test(start_paused = true)]
    async fn a_machine_that_slept_has_not_forgotten_how_long_ago_it_was() {
        let (clock, set) = machine();
        let (moment, minute) = (clock.moment(), Duration::from_mins(1));
        assert!(!clock.is_longer_ago(moment, minute));
        set.store(61, Ordering::Relaxed);
        assert!(clock.is_longer_ago(moment, minute), "it slept for a minute");
        set.store(-3600, Ordering::Relaxed);
        assert!(!clock.is_longer_ago(moment, minute));
        tokio::time::advance(minute).await;
        assert!(
            clock.is_longer_ago(moment, minute),
            "and a clock that is set back makes nothing younger"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn two_witnesses_that_agree_are_believed_and_one_alone_is_not() {
        let (clock, _) = machine();
        clock.heard(Witness::Kubernetes, at(4600));
        assert_eq!(clock.now(), at(1000));
        assert!(clock.differences().is_odd());
        clock.heard(Witness::Aws, at(4599));
        assert_eq!(clock.now(), at(4600));
        assert!(!clock.differences().is_odd());
        clock.heard(Witness::Aws, at(1000));
        assert_eq!(clock.now(), at(1000));
        clock.heard(Witness::Aws, at(8000));
        assert_eq!(clock.now(), at(1000), "they contradict one another too");
    }

    #[tokio::test(start_paused = true)]
    async fn a_small_difference_is_nothing() {
        let (clock, _) = machine();
        for (kubernetes, aws) in [(1030, 1030), (970, 970), (1030, 1031)] {
            clock.heard(Witness::Kubernetes, at(kubernetes));
            clock.heard(Witness::Aws, at(aws));
            assert_eq!(clock.now(), at(1000), "{kubernetes} {aws}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_clock_that_is_set_is_noticed_before_anybody_tells_the_time_again() {
        let (clock, set) = machine();
        clock.heard(Witness::Kubernetes, at(1000));
        clock.heard(Witness::Aws, at(1000));
        tokio::time::advance(Duration::from_secs(500)).await;
        assert_eq!(clock.now(), at(1500));
        set.store(-3600, Ordering::Relaxed);
        assert_eq!(clock.now(), at(1500));
        assert!(clock.differences().correction().is_some());
        set.store(0, Ordering::Relaxed);
        assert!(clock.differences().correction().is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn the_date_of_an_answer_is_read_and_nonsense_is_not() {
        let (clock, _) = machine();
        let told = |date| {
            clock.heard_date(Witness::Aws, date, Instant::now());
            clock.differences().aws
        };
        assert_eq!(told(None), None);
        assert_eq!(told(Some("yesterday")), None);
        let differs = told(Some("Thu, 01 Jan 2026 00:16:50 GMT")).unwrap();
        let wanted: Timestamp = "2026-01-01T00:16:50Z".parse().unwrap();
        assert_eq!(differs, wanted.duration_since(at(1000)));
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_was_long_on_its_way_tells_nothing_of_the_time() {
        let (clock, _) = machine();
        let date = Some("Thu, 01 Jan 2026 00:16:40 GMT");
        let asked = Instant::now();
        for (waits, counts) in [
            (Duration::from_millis(10_001), false),
            (LONGEST_ANSWER, true),
        ] {
            let (clock, asked) = (machine().0, Instant::now());
            tokio::time::advance(waits).await;
            clock.heard_date(Witness::Kubernetes, date, asked);
            assert_eq!(
                clock.differences().kubernetes.is_some(),
                counts,
                "{waits:?}"
            );
        }
        // A process that stood still for minutes, with two answers in its sockets.
        tokio::time::advance(Duration::from_mins(4)).await;
        for witness in [Witness::Kubernetes, Witness::Aws] {
            clock.heard_date(witness, date, asked);
        }
        assert_eq!(clock.differences(), Differences::default());
    }
}
