//! Says when a clock is wrong. What follows from it is decided where the time is read
//! ([`Clock`]) and where access would be given.

use std::sync::Arc;
use std::time::Duration;

use kube::Client;
use tokio::time::Instant;

use super::context::Context;
use crate::aws::Aws;
use crate::clock::{Clock, Differences, Witness};

/// How often the clocks are compared.
const INTERVAL: Duration = Duration::from_secs(10);
/// How long a start waits for AWS to tell the time.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often it is told that they differ.
const REMINDER: Duration = Duration::from_mins(5);

/// The same client, but every answer tells the time.
pub fn listening(client: Client, clock: Clock) -> Client {
    let namespace = client.default_namespace().to_owned();
    let service = tower::service_fn(move |request| {
        let (client, clock) = (client.clone(), clock.clone());
        async move {
            let asked = Instant::now();
            let answer = client.send(request).await?;
            let date = answer.headers().get("date");
            let date = date.and_then(|date| date.to_str().ok());
            clock.heard_date(Witness::Kubernetes, date, asked);
            Ok::<_, kube::Error>(answer)
        }
    });
    Client::new(service, namespace)
}

/// Where the API server tells another time than this machine, AWS is asked before anything ends by the time of day:
/// an end is final. One that does not answer is waited for only so long, for what is overdue must go.
pub async fn begin(clock: &Clock, aws: &Aws) {
    let begun = Instant::now();
    while clock.differences().is_odd() && begun.elapsed() < PATIENCE {
        let _ = tokio::time::timeout(PATIENCE, Box::pin(aws.ask_the_time())).await;
        if clock.differences().aws.is_some() {
            break;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// Compares the clocks, for as long as the process lives.
pub async fn run(context: Arc<Context>) {
    let mut told: Option<(Finding, Instant)> = None;
    loop {
        tokio::time::sleep(INTERVAL).await;
        let mut differences = context.clock.differences();
        if differences.is_odd() || differences.correction().is_some() {
            // What AWS told may be old. The API server is asked all the time.
            context.aws.ask_the_time().await;
            differences = context.clock.differences();
        }
        let finding = Finding::of(differences);
        let again = told.is_none_or(|(before, at)| before != finding || at.elapsed() >= REMINDER);
        let news = finding != Finding::AllAgree || told.is_some();
        if again && news {
            tell(finding, differences);
            told = (finding != Finding::AllAgree).then(|| (finding, Instant::now()));
        }
    }
}

/// What the clocks amount to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Finding {
    AllAgree,
    OursIsWrong,
    SomeIsWrong,
}

impl Finding {
    fn of(differences: Differences) -> Self {
        if differences.correction().is_some() {
            Self::OursIsWrong
        } else if differences.is_odd() {
            Self::SomeIsWrong
        } else {
            Self::AllAgree
        }
    }
}

fn tell(finding: Finding, differences: Differences) {
    let seconds = |difference: Option<jiff::SignedDuration>| difference.map(|d| d.as_secs());
    let (kubernetes, aws) = (seconds(differences.kubernetes), seconds(differences.aws));
    match finding {
        Finding::AllAgree => tracing::info!("the clocks agree again"),
        Finding::OursIsWrong => tracing::error!(
            kubernetes,
            aws,
            "the clock of this machine is wrong by the seconds that AWS and the API server are ahead: their time is used, and nothing is given until it is set right"
        ),
        Finding::SomeIsWrong => tracing::warn!(
            kubernetes,
            aws,
            "AWS or the API server is seconds ahead of the clock of this machine, and the other is not: the clock of this machine is used"
        ),
    }
}
