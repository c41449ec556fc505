//! What a turn teaches: whether the tuple is at rest, what stands in its way, and when it is tried again.

use std::time::Duration;

use crate::aws::error::Class;
use crate::config::Settings;
use crate::controller::memory::{Remembered, Trouble};
use crate::controller::wake;
use crate::decide::ledger::Purpose;

/// What a turn taught about why the tuple is not at rest, and how long to pause.
pub enum Lesson {
    /// Nothing stands in the way.
    AllIsWell(Duration),
    /// It learnt nothing new: what was told stays told.
    Nothing(Duration),
    /// It has to wait for that, and no longer each time.
    Waits(Trouble, Duration),
    /// It failed, for another reason than before if one is given. The pause grows with every try.
    Failed(Option<Trouble>),
}

impl Lesson {
    /// Remembers what a turn for that purpose taught. Tells how long to pause.
    pub fn learn(
        self,
        tuple: &mut Remembered,
        purpose: Purpose,
        settings: &Settings,
        spread: u64,
    ) -> Duration {
        // That giving failed often must not slow down taking, whatever is learnt of that first.
        let hold = tuple.hold.as_ref();
        if hold.is_none_or(|hold| hold.purpose != purpose) {
            (tuple.tries, tuple.blocked) = (0, 0);
        }
        match self {
            Self::AllIsWell(pause) => {
                tuple.all_is_well();
                pause
            }
            Self::Nothing(pause) => pause,
            Self::Waits(what, pause) => {
                tuple.trouble = Some(what);
                pause
            }
            Self::Failed(new) => {
                tuple.tries = tuple.tries.saturating_add(1);
                let class = new.as_ref().and_then(|trouble| trouble.class);
                tuple.trouble = new.or(tuple.trouble.take());
                let pause = wake::backoff(tuple.tries, settings.retry_cap, spread);
                // What AWS says of a suspended account it says of a busy one too: only who hears it again and again
                // waits longer.
                if class == Some(Class::Blocked) {
                    tuple.blocked = tuple.blocked.saturating_add(1);
                    let longest = settings.blocked_retry;
                    pause.max(wake::backoff(tuple.blocked, longest, spread))
                } else {
                    tuple.blocked = 0;
                    pause
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use tokio::time::Instant;

    use super::*;
    use crate::controller::executor::trouble;
    use crate::controller::memory::Hold;
    use crate::decide::ledger::Task;

    /// A turn ends: the pauses that each of those lessons was followed by.
    fn pauses(tuple: &mut Remembered, purpose: Purpose, lessons: Vec<Lesson>) -> Vec<Duration> {
        let learn = |lesson: Lesson| {
            let pause = lesson.learn(tuple, purpose, &Settings::default(), 0);
            tuple.hold = Some(Hold {
                purpose,
                task: Task::default(),
                until: Instant::now() + pause,
                until_time: Timestamp::UNIX_EPOCH,
            });
            pause
        };
        lessons.into_iter().map(learn).collect()
    }

    fn failed() -> Lesson {
        Lesson::Failed(Some(trouble::not_sent()))
    }

    #[test]
    fn what_fails_again_waits_longer_until_all_is_well() {
        let mut tuple = Remembered::default();
        let seconds = |seconds: &[u64]| -> Vec<_> {
            seconds.iter().copied().map(Duration::from_secs).collect()
        };
        let lessons = vec![
            failed(),
            Lesson::Nothing(Duration::from_secs(7)),
            failed(),
            Lesson::AllIsWell(Duration::ZERO),
            failed(),
        ];
        let seen = pauses(&mut tuple, Purpose::Grant, lessons);
        assert_eq!(seen, seconds(&[1, 7, 2, 0, 1]));
    }

    #[test]
    fn that_giving_failed_often_does_not_slow_down_taking_whatever_is_learnt_first() {
        for first in [
            Lesson::Nothing(Duration::ZERO),
            Lesson::Waits(trouble::not_sent(), Duration::ZERO),
            Lesson::AllIsWell(Duration::ZERO),
            failed(),
        ] {
            let mut tuple = Remembered::default();
            let often = (0..10).map(|_| failed()).collect();
            pauses(&mut tuple, Purpose::Grant, often);
            let seen = pauses(&mut tuple, Purpose::Revoke, vec![first, failed()]);
            assert!(seen[1] <= Duration::from_secs(2), "{seen:?}");
        }
    }
}
