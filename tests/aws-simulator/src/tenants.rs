//! Others who use the same quotas.

use std::collections::HashMap;

use jiff::Timestamp;

use crate::clock::later;
use crate::random::Random;
use crate::settings::{Rate, Tenants};
use crate::wire::Service;

/// What others take of each quota, by the service and by whose quota it is.
#[derive(Clone, Debug, Default)]
pub(crate) struct Others {
    of: HashMap<(Service, String), Taken>,
}

/// What others take for now.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Taken {
    /// Of the rate, from 0 to 1.
    share: f64,
    /// Of the operations under way at once.
    pub(crate) in_flight: usize,
    until: Timestamp,
}

impl Taken {
    const NOTHING: Self = Self {
        share: 0.0,
        in_flight: 0,
        until: Timestamp::MIN,
    };

    /// What is left of a rate. A call now and then always passes.
    pub(crate) fn leaves(self, rate: Rate) -> Rate {
        let left = (1.0 - self.share).max(0.0);
        Rate {
            per_second: rate.per_second * left,
            burst: (rate.burst * left).max(1.0),
        }
    }
}

impl Others {
    pub(crate) fn taken(
        &mut self,
        (service, whose): (Service, &str),
        tenants: Option<Tenants>,
        now: Timestamp,
        random: &mut Random,
    ) -> Taken {
        let Some(tenants) = tenants else {
            return Taken::NOTHING;
        };
        let key = (service, whose.to_owned());
        let taken = self.of.entry(key).or_insert(Taken::NOTHING);
        if taken.until <= now {
            *taken = Taken {
                share: tenants.rate_share * random.share(),
                in_flight: random.up_to(tenants.in_flight),
                until: later(now, random.delay(tenants.lasts)),
            };
        }
        *taken
    }
}
