//! The lines between controllers, Kubernetes and AWS, and what goes wrong on them.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use api_simulator::{Call, Ending as ApiEnding, Fate as ApiFate, Verb, WatchFate};
use aws_simulator::{Ending as AwsEnding, Fate as AwsFate, GateCall, Service};

use crate::entropy::Random;
use crate::story::{Api, Aws, Second, Trouble};

/// What goes wrong now, and whom it hits. Clones share it.
#[derive(Clone, Debug)]
pub struct Network(Arc<Mutex<Lines>>);

#[derive(Debug)]
struct Lines {
    random: Random,
    /// Longest time that a call to the API server takes, in milliseconds.
    api_latency: u64,
    /// What their times are drawn from.
    seed: u64,
    /// How often each call was made.
    calls: BTreeMap<String, u64>,
    api: Vec<(Second, Trouble<Api>)>,
    aws: Vec<(Second, Trouble<Aws>)>,
}

impl Network {
    /// All is well. A call to the API server takes so many milliseconds at most.
    pub fn new(mut random: Random, api_latency: u64) -> Self {
        Self(Arc::new(Mutex::new(Lines {
            seed: random.below(u64::MAX),
            random,
            api_latency,
            calls: BTreeMap::new(),
            api: Vec::new(),
            aws: Vec::new(),
        })))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Lines> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on that goes wrong on the way to the API server.
    pub fn begin_api(&self, now: Second, trouble: Trouble<Api>) {
        self.lock().api.push((now + trouble.lasts, trouble));
    }

    /// From now on that goes wrong on the way to AWS.
    pub fn begin_aws(&self, now: Second, trouble: Trouble<Aws>) {
        self.lock().aws.push((now + trouble.lasts, trouble));
    }

    /// All is well again.
    pub fn calm(&self) {
        let lines = &mut *self.lock();
        lines.api.clear();
        lines.aws.clear();
    }

    /// How long a call to the API server is on its way, and its answer, where nothing goes wrong. It does not hang on
    /// which of several calls at the same instant is made first: that differs each time a story is played.
    pub fn api_latency(&self, call: &Call) -> (Duration, Duration) {
        let lines = &mut *self.lock();
        let half = lines.api_latency / 2;
        if half == 0 {
            return (Duration::ZERO, Duration::ZERO);
        }
        // kube names Events by the machine's clock.
        let name = call.name.as_ref().filter(|_| call.resource != "events");
        let (object, part) = ((&call.namespace, name), &call.subresource);
        let (who, what) = (&call.actor, &call.resource);
        let which = format!("{who} {:?} {what} {object:?} {part:?}", call.verb);
        let mut hasher = DefaultHasher::new();
        (lines.seed, &which).hash(&mut hasher);
        let count = lines.calls.entry(which).or_default();
        *count += 1;
        count.hash(&mut hasher);
        let mut random = Random::new(hasher.finish());
        let mut way = || Duration::from_millis(random.between(0, half));
        (way(), way())
    }

    /// What becomes of a call to the API server.
    pub fn api_fate(&self, replica: usize, now: Second, call: &Call) -> ApiFate {
        let lease = call.resource == "leases";
        self.lock()
            .api_trouble(replica, now, |trouble| {
                let write = call.is_write();
                match trouble.kind {
                    Api::NoLease | Api::LeaseFails | Api::LeaseHangs => lease,
                    Api::NoRights(kind) => call.resource == kind,
                    Api::Initializing => matches!(call.verb, Verb::List | Verb::Watch),
                    Api::EventLost
                    | Api::EventTwice
                    | Api::EventLate(_)
                    | Api::WatchSilent
                    | Api::WatchExpired => false,
                    Api::Conflict | Api::Forbidden => write && !lease,
                    // The library begins a watch that ends at once again at once.
                    Api::Truncated | Api::Foreign => {
                        call.verb != Verb::Watch && trouble.calls.have(write)
                    }
                    Api::StatusConflict => write && call.subresource.as_deref() == Some("status"),
                    _ => trouble.calls.have(write),
                }
            })
            .map_or_else(ApiFate::default, api_fate)
    }

    /// What becomes of an event on its way from the API server.
    pub fn watch_fate(&self, replica: usize, now: Second) -> WatchFate {
        let trouble = self.lock().api_trouble(replica, now, |trouble| {
            matches!(
                trouble.kind,
                Api::EventLost
                    | Api::EventTwice
                    | Api::EventLate(_)
                    | Api::WatchSilent
                    | Api::WatchExpired
            )
        });
        match trouble {
            Some(Api::EventLost) => WatchFate::Drop,
            Some(Api::EventTwice) => WatchFate::Duplicate,
            Some(Api::EventLate(seconds)) => WatchFate::Delay(Duration::from_secs(seconds)),
            Some(Api::WatchSilent) => WatchFate::Silence,
            Some(Api::WatchExpired) => WatchFate::Expire,
            _ => WatchFate::Deliver,
        }
    }

    /// What becomes of a call to AWS.
    pub fn aws_fate(&self, replica: usize, now: Second, call: &GateCall) -> AwsFate {
        let iam = call.service == Service::Iam;
        let center = matches!(call.service, Service::SsoAdmin | Service::IdentityStore);
        let lines = &mut *self.lock();
        lines.aws.retain(|(until, _)| now < *until);
        for (_, trouble) in &lines.aws {
            let concerns = match trouble.kind {
                Aws::IamDown => iam,
                Aws::IdentityCenterDown => center,
                Aws::TooManyRequests | Aws::Conflict | Aws::Fails => call.is_write() && center,
                _ => trouble.calls.have(call.is_write()),
            };
            if concerns && hits(trouble, replica, &mut lines.random) {
                return aws_fate(trouble.kind, iam);
            }
        }
        AwsFate::default()
    }
}

fn hits<K>(trouble: &Trouble<K>, replica: usize, random: &mut Random) -> bool {
    trouble.replica.is_none_or(|only| only == replica) && random.below(100) < trouble.percent
}

impl Lines {
    fn api_trouble(
        &mut self,
        replica: usize,
        now: Second,
        concerns: impl Fn(&Trouble<Api>) -> bool,
    ) -> Option<Api> {
        self.api.retain(|(until, _)| now < *until);
        let random = &mut self.random;
        self.api
            .iter()
            .find(|(_, trouble)| concerns(trouble) && hits(trouble, replica, random))
            .map(|(_, trouble)| trouble.kind)
    }
}

fn api_fate(kind: Api) -> ApiFate {
    let refused = |code, reason, message: &str| ApiFate {
        instead: Some(ApiEnding::Status {
            code,
            reason,
            message: message.to_owned(),
        }),
        ..ApiFate::default()
    };
    let status = |code, reason| refused(code, reason, "for this story");
    match kind {
        Api::Refused(429) => status(429, "TooManyRequests"),
        Api::Refused(503) => status(503, "ServiceUnavailable"),
        Api::LeaseFails | Api::Refused(_) => status(500, "InternalError"),
        Api::Conflict | Api::StatusConflict => status(409, "Conflict"),
        Api::NoLease | Api::NoRights(_) | Api::Forbidden => status(403, "Forbidden"),
        Api::Initializing => refused(429, "TooManyRequests", "storage is (re)initializing"),
        Api::Page(code) => ApiFate {
            instead: Some(ApiEnding::Html(code)),
            ..ApiFate::default()
        },
        Api::Foreign => ApiFate {
            instead: Some(ApiEnding::Foreign),
            ..ApiFate::default()
        },
        Api::Truncated => ApiFate {
            reply: Some(ApiEnding::Truncated),
            ..ApiFate::default()
        },
        Api::Lost => ApiFate {
            instead: Some(ApiEnding::Reset),
            ..ApiFate::default()
        },
        Api::Dropped | Api::LeaseHangs => ApiFate {
            instead: Some(ApiEnding::Hang),
            ..ApiFate::default()
        },
        // As the API server answers where etcd does not in time.
        Api::DoneAndRefused => ApiFate {
            reply: Some(ApiEnding::Status {
                code: 500,
                reason: "InternalError",
                message: "etcdserver: request timed out".to_owned(),
            }),
            ..ApiFate::default()
        },
        Api::Unanswered => ApiFate {
            reply: Some(ApiEnding::Reset),
            ..ApiFate::default()
        },
        Api::Hang => ApiFate {
            reply: Some(ApiEnding::Hang),
            ..ApiFate::default()
        },
        Api::Late(seconds) => ApiFate {
            before: Duration::from_secs(seconds),
            ..ApiFate::default()
        },
        Api::EventLost
        | Api::EventTwice
        | Api::EventLate(_)
        | Api::WatchSilent
        | Api::WatchExpired => ApiFate::default(),
    }
}

fn aws_fate(kind: Aws, iam: bool) -> AwsFate {
    let instead = |ending| AwsFate {
        instead: Some(ending),
        ..AwsFate::default()
    };
    let reply = |ending| AwsFate {
        reply: Some(ending),
        ..AwsFate::default()
    };
    let error = |code: &str, message: &str| instead(AwsEnding::error(code, message));
    match (kind, iam) {
        (Aws::ServerError, true) => error("ServiceFailure", "try again"),
        (Aws::ServerError, false) => error("InternalServerException", "try again"),
        (Aws::Throttled, true) => error("Throttling", "Rate exceeded"),
        (Aws::Throttled, false) => error("ThrottlingException", "Rate exceeded"),
        (Aws::TooManyRequests, _) => error(
            "ThrottlingException",
            "There are too many requests processing",
        ),
        (Aws::Conflict, _) => error("ConflictException", "another operation is under way"),
        (Aws::Fails, _) => AwsFate {
            failure: Some("Internal failure, please retry".to_owned()),
            ..AwsFate::default()
        },
        (Aws::Denied, true) => error("AccessDenied", "not authorized"),
        (Aws::Denied, false) => error("AccessDeniedException", "not authorized"),
        (Aws::Expired, true) => error("ExpiredToken", "the security token is expired"),
        (Aws::Expired, false) => error("ExpiredTokenException", "the security token is expired"),
        (Aws::Lost | Aws::IamDown | Aws::IdentityCenterDown, _) => instead(AwsEnding::Reset),
        (Aws::Hang, _) => instead(AwsEnding::Hang),
        (Aws::Unanswered, _) => reply(AwsEnding::Reset),
        (Aws::Html, _) => reply(AwsEnding::HtmlPage(502)),
        (Aws::Portal, _) => instead(AwsEnding::HtmlPage(200)),
        (Aws::Truncated, _) => reply(AwsEnding::Truncated),
        (Aws::Late(seconds), _) => AwsFate {
            before: Duration::from_secs(seconds),
            ..AwsFate::default()
        },
    }
}
