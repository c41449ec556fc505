//! The copies that readers are answered from.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};

use crate::clock::later;
use crate::random::Random;
use crate::settings::{Delay, Settings};
use crate::wire::Service;

/// The copies of every service that has been read.
#[derive(Clone, Debug, Default)]
pub(crate) struct Copies {
    of: HashMap<Service, Vec<Copy>>,
}

#[derive(Clone, Copy, Debug)]
struct Copy {
    /// How far it is behind.
    lag: SignedDuration,
    /// Until when it is that far behind.
    until: Timestamp,
    /// The end of what it has shown.
    shown: Timestamp,
}

impl Copies {
    /// The time at which the copy ends that answers a reader now.
    pub(crate) fn seen(
        &mut self,
        service: Service,
        settings: &Settings,
        now: Timestamp,
        random: &mut Random,
    ) -> Timestamp {
        let oldest = settings.staleness(service);
        let behind = |lag| now.saturating_sub(lag).unwrap_or(Timestamp::MIN);
        let Some(replicas) = settings.replicas.filter(|replicas| replicas.count > 0) else {
            return behind(oldest);
        };
        let copies = self.of.entry(service).or_default();
        copies.resize(
            replicas.count,
            Copy {
                lag: SignedDuration::ZERO,
                until: Timestamp::MIN,
                shown: Timestamp::MIN,
            },
        );
        let Some(copy) = copies.get_mut(random.up_to(replicas.count.saturating_sub(1))) else {
            return behind(oldest);
        };
        if copy.until <= now {
            let lag = Delay {
                min: SignedDuration::ZERO,
                max: oldest,
            };
            copy.lag = random.delay(lag);
            copy.until = later(now, random.delay(replicas.lag_lasts));
        }
        copy.shown = behind(copy.lag.min(oldest)).max(copy.shown);
        copy.shown
    }
}
