//! Carries out what the ledger protocol decides, one turn per tuple, when the desk says so.
//!
//! A turn reads the ledger, asks [`decide::access`](crate::decide::access) for the next step,
//! supplies the facts it lacks, and does what it says, until there is nothing left to do. Every
//! write is conditional on the ledger as it was read; a conflict means: decide again.

mod lesson;
mod send;
mod trouble;
mod turn;

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;

use super::cluster::Error as ClusterError;
use super::context::Context;
use super::memory::Hold;
use super::offline;
use crate::aws::MANAGEMENT_RETRY;
use crate::aws::error::Error as AwsError;
use crate::clock::{after, until};
use crate::decide::access::Waiting;
use crate::decide::ledger::{Purpose, task};
use crate::telemetry::chain;
use lesson::Lesson;

/// So often AWS may show what it called deleted before somebody must look: its listings may be behind.
const PATIENT: u32 = 5;

/// Why a turn came to nothing.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    #[error(transparent)]
    Aws(#[from] AwsError),
    /// The time to send a write was over before it could be sent.
    #[error("not sent in time")]
    NotSent,
    /// AWS does not show yet what was done, or others keep writing the ledger.
    #[error("not settled within one turn")]
    Restless,
    /// The same of a Delete that AWS called done.
    #[error("AWS still shows what it called deleted")]
    StillThere,
    #[error("the controller is shutting down")]
    ShuttingDown,
}

/// Hands out turns until the process ends.
pub async fn run(context: Arc<Context>) {
    let mut turns = JoinSet::new();
    loop {
        let turn = tokio::select! {
            biased;
            // First: a desk that is never empty must not hold the end up.
            () = context.shutdown.cancelled() => break,
            Some(_) = turns.join_next() => continue,
            turn = context.desk.next() => turn,
        };
        let context = Arc::clone(&context);
        turns.spawn(async move {
            let name = turn.request.access.clone();
            let purpose = Purpose::from(turn.request.priority);
            let work = Box::pin(take_turn(&context, &name, purpose));
            let work = super::reconciler::unpanicked(work);
            let done = turn.run(work).await;
            if done.is_none() {
                context.metrics.panics.inc();
                let pause = learn(&context, &name, purpose, Lesson::Failed(None));
                hold(&context, &name, purpose, pause);
            }
            drop(turn);
            context.wakers.access(&name);
        });
    }
    while turns.join_next().await.is_some() {}
}

/// `purpose` is what the turn was asked for; what it is for by the ledger is found out.
async fn take_turn(context: &Context, name: &str, mut purpose: Purpose) {
    let begun = context.clock.now();
    let result = turn::take(context, name, &mut purpose).await;
    let now = context.clock.now();
    let lesson = match result {
        Ok(Waiting::Nothing) => Lesson::AllIsWell(Duration::ZERO),
        Ok(Waiting::Until(due)) => {
            let pause = until(now, due).min(Duration::from_mins(1));
            let reading = context.memory.get(name).reading;
            if reading.is_some_and(|(looked, _)| looked >= begun) {
                Lesson::AllIsWell(pause)
            } else {
                Lesson::Nothing(pause)
            }
        }
        // Whoever asks next may learn it for all.
        Ok(waiting @ Waiting::Management) => {
            Lesson::Waits(trouble::of_waiting(&waiting), MANAGEMENT_RETRY)
        }
        Ok(waiting) => Lesson::Failed(Some(trouble::of_waiting(&waiting))),
        Err(Failure::ShuttingDown) => return,
        Err(Failure::Restless) => Lesson::Failed(None),
        Err(Failure::StillThere) => {
            let mut times = 0;
            context.memory.update(name, |tuple| {
                tuple.still_there += 1;
                times = tuple.still_there;
            });
            Lesson::Failed((times > PATIENT).then(trouble::still_there))
        }
        Err(Failure::NotSent) => Lesson::Failed(Some(trouble::not_sent())),
        Err(Failure::Cluster(ClusterError::Conflict(_))) => {
            let spread = context.spread(name, now) % 10;
            Lesson::Nothing(Duration::from_millis(100 + 100 * spread))
        }
        Err(Failure::Cluster(error)) => {
            tracing::warn!(
                access = name,
                error = chain(&error),
                "the ledger can't be read or written"
            );
            if error.is_out_of_reach() && offline::delete_expired(context, name).await {
                purpose = Purpose::Revoke;
            }
            Lesson::Failed(Some(trouble::of_ledger(&error)))
        }
        Err(Failure::Aws(error)) => {
            tracing::warn!(access = name, %error, class = ?error.class, code = error.code, request_id = error.request_id, "AWS call failed");
            Lesson::Failed(Some(trouble::of_aws(&error)))
        }
    };
    let pause = learn(context, name, purpose, lesson);
    hold(context, name, purpose, pause);
}

/// Remembers what a turn taught. Tells how long to pause.
fn learn(context: &Context, name: &str, purpose: Purpose, lesson: Lesson) -> Duration {
    let spread = context.spread(name, context.clock.now());
    let mut pause = Duration::ZERO;
    context.memory.update(name, |tuple| {
        pause = lesson.learn(tuple, purpose, &context.settings, spread);
    });
    pause
}

/// Lets the tuple rest for that purpose, as long as its ledger asks for the same.
fn hold(context: &Context, name: &str, purpose: Purpose, pause: Duration) {
    let (until, until_time) = (Instant::now() + pause, after(context.clock.now(), pause));
    // What was asked for meanwhile did not know of this pause. Whoever has a reason asks again now.
    context.desk.withdraw(name);
    // Also what this turn has not read itself: its own write, of which the answer was lost.
    let known = context.latest_access(name);
    let task = known.map(|access| task(&access.spec)).unwrap_or_default();
    context.memory.update(name, |tuple| {
        tuple.hold = Some(Hold {
            purpose,
            task,
            until,
            until_time,
        });
    });
}
