//! What was said in statuses of late. Two controllers that both believe to lead see the world
//! differently, and would write over one another's status without end.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;
use tokio::time::Instant;

use super::cluster::Error as ClusterError;

/// What somebody else has just written over is not said again before this long.
pub const PAUSE: Duration = Duration::from_secs(10);

/// What was said of late, by uid of the object.
#[derive(Debug, Default)]
pub struct Told(Mutex<HashMap<String, (Instant, u64)>>);

impl Told {
    /// Whether that was said a moment ago.
    pub fn was_told(&self, uid: &str, status: &impl Serialize) -> bool {
        let hash = hash(status);
        let told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        told.get(uid)
            .is_some_and(|(at, before)| *before == hash && at.elapsed() < PAUSE)
    }

    /// That was written just now, or it may have been: an answer that is lost must not let two who quarrel run free.
    pub fn remember<T>(
        &self,
        uid: &str,
        status: &impl Serialize,
        written: &Result<T, ClusterError>,
    ) {
        if matches!(written, Ok(_) | Err(ClusterError::Unreachable(..))) {
            self.tell(uid, status);
        }
    }

    fn tell(&self, uid: &str, status: &impl Serialize) {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        told.retain(|_, (at, _)| at.elapsed() < PAUSE);
        told.insert(uid.to_owned(), (Instant::now(), hash(status)));
    }
}

fn hash(status: &impl Serialize) -> u64 {
    let mut hasher = DefaultHasher::new();
    serde_json::to_string(status)
        .unwrap_or_default()
        .hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_was_said_is_known_for_a_while_and_nothing_else_is() {
        let told = Told::default();
        assert!(!told.was_told("a", &"one"));
        for refused in [ClusterError::Conflict("write"), ClusterError::Gone("write")] {
            told.remember::<()>("a", &"one", &Err(refused));
            assert!(!told.was_told("a", &"one"), "nothing was written");
        }
        told.remember("a", &"one", &Ok(()));
        assert!(told.was_told("a", &"one"));
        assert!(!told.was_told("a", &"two"));
        assert!(!told.was_told("b", &"one"));
        tokio::time::advance(PAUSE).await;
        assert!(!told.was_told("a", &"one"));
        let unanswered = ClusterError::Unreachable("write", None);
        told.remember::<()>("a", &"one", &Err(unanswered));
        assert!(told.was_told("a", &"one"), "it may have been written");
    }
}
