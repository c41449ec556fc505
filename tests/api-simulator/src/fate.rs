//! What can happen to a request, and to an event of a watch.

use std::time::Duration;

/// What happens to one request.
#[derive(Clone, Debug, Default)]
pub struct Fate {
    /// How long it is on its way. It arrives even if its sender has given up.
    pub before: Duration,
    /// What happens in place of the server's work.
    pub instead: Option<Ending>,
    /// How long the answer is on its way.
    pub after: Duration,
    /// What the sender gets in place of the server's answer; the work was done.
    pub reply: Option<Ending>,
}

impl Fate {
    /// Whether anything else happens to it than what always does.
    pub fn is_trouble(&self) -> bool {
        !(self.before.is_zero() && self.after.is_zero())
            || self.instead.is_some()
            || self.reply.is_some()
    }

    /// The server does nothing, and this happens.
    pub fn instead(ending: Ending) -> Self {
        Self {
            instead: Some(ending),
            ..Self::default()
        }
    }

    /// The server does its work, and then this happens.
    pub fn reply(ending: Ending) -> Self {
        Self {
            reply: Some(ending),
            ..Self::default()
        }
    }
}

/// How a request ends, if not with the server's answer.
#[derive(Clone, Debug)]
pub enum Ending {
    /// A `Status` of failure.
    Status {
        /// HTTP status.
        code: u16,
        /// Such as `InternalError`.
        reason: &'static str,
        /// For people.
        message: String,
    },
    /// The connection breaks.
    Reset,
    /// No answer, ever.
    Hang,
    /// An HTML page with this HTTP status, as from a proxy or load balancer.
    Html(u16),
    /// Half of the answer, as from a proxy that was cut off.
    Truncated,
    /// JSON that is no object of Kubernetes, as if all were well: from a proxy that says it is being serviced.
    Foreign,
}

/// What happens to one event of a watch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WatchFate {
    /// It is delivered.
    #[default]
    Deliver,
    /// It is delivered after this time, and what follows it after it.
    Delay(Duration),
    /// It is lost.
    Drop,
    /// It is delivered twice.
    Duplicate,
    /// Neither it nor anything else is ever delivered on this watch, which does not end either.
    Silence,
    /// The watch ends with an ERROR event of code 410 in its place.
    Expire,
    /// The watch ends before it.
    Close,
}

/// The connection broke before an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("connection reset by peer")]
pub struct Reset;

impl From<Reset> for std::io::Error {
    fn from(reset: Reset) -> Self {
        Self::new(std::io::ErrorKind::ConnectionReset, reset)
    }
}
