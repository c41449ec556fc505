//! The life of a call, from its arrival to its answer.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::Bytes;
use axum::http;
use jiff::Timestamp;
use serde_json::Value;

use crate::admin;
use crate::change::{Change, ChangeError};
use crate::clock::{Clock, later};
use crate::connector::{Gate, InProcess};
use crate::effects::{AccessTuple, Author, Effect, Outstanding};
use crate::error::ServiceError;
use crate::faults::{Ending, Fault, PlacedFault};
use crate::log::{CallRecord, Reply};
use crate::seed::{Seed, SeedError};
use crate::sessions::{GROUP_LAG, LONGEST_ROLE_SESSION, LastSession};
use crate::settings::Settings;
use crate::state::{Arrival, State};
use crate::truth::Truth;
use crate::wire;
use crate::world::AccountStatus;

/// An AWS to call. Clones share it.
#[derive(Clone, Debug)]
pub struct Simulator {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    clock: Clock,
    state: Mutex<State>,
}

/// The connection broke before an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("connection reset by peer")]
pub struct ConnectionReset;

/// A caller's interest in the answer to a call; it ends when the caller gives up.
struct Interest<'a> {
    simulator: &'a Simulator,
    due: Timestamp,
    sequence: u64,
}

impl Drop for Interest<'_> {
    fn drop(&mut self) {
        self.simulator.state().abandon(self.due, self.sequence);
    }
}

impl Simulator {
    /// A simulator of the world that `seed` describes.
    pub fn new(seed: &Seed, clock: Clock) -> Result<Self, SeedError> {
        let state = State::new(seed, clock.now())?;
        Ok(Self {
            shared: Arc::new(Shared {
                clock,
                state: Mutex::new(state),
            }),
        })
    }

    /// Answers a request of an AWS client, or of the admin API.
    ///
    /// What has arrived is carried out in its time even if this future is dropped.
    pub async fn call(
        &self,
        request: http::Request<Bytes>,
    ) -> Result<http::Response<Bytes>, ConnectionReset> {
        if let Some(path) = request.uri().path().strip_prefix(admin::PREFIX) {
            return Ok(admin::handle(self, path, &request));
        }
        self.call_through(request, None).await
    }

    /// The same for a client whose requests pass a gate.
    pub(crate) async fn call_through(
        &self,
        request: http::Request<Bytes>,
        gate: Option<&Gate>,
    ) -> Result<http::Response<Bytes>, ConnectionReset> {
        let received = wire::receive(&request);
        // The gate may look at us, so it is asked outside the lock.
        let fate = gate.map(|gate| {
            let call = self.state().at_the_gate(&received.call, self.now());
            gate(&call)
        });
        let arrival = self.state().arrive(received, self.now(), fate);
        let _interest = Interest {
            simulator: self,
            due: arrival.due,
            sequence: arrival.sequence,
        };
        self.shared.clock.sleep_until(arrival.due).await;
        let (ending, answer) = match arrival.script.instead.clone() {
            Some(ending) => (Some(ending), None),
            None => (
                arrival.script.reply.clone(),
                self.settled().answers.remove(&arrival.sequence),
            ),
        };
        self.shared
            .clock
            .sleep_until(later(self.now(), arrival.script.delay_after))
            .await;
        self.reply(&arrival, ending, answer).await
    }

    async fn reply(
        &self,
        arrival: &Arrival,
        ending: Option<Ending>,
        answer: Option<Result<Value, ServiceError>>,
    ) -> Result<http::Response<Bytes>, ConnectionReset> {
        let answer = match (ending, answer) {
            (Some(Ending::Hang), _) => std::future::pending().await,
            (Some(Ending::Reset), _) | (None, None) => {
                self.state()
                    .note(arrival.sequence, |record| record.reply = Reply::Broken);
                return Err(ConnectionReset);
            }
            (Some(Ending::HtmlPage(status)), _) => {
                self.state()
                    .note(arrival.sequence, |record| record.reply = Reply::Sent);
                let page = format!(
                    "<html><head><title>{status}</title></head><body><h1>{status}</h1></body></html>"
                );
                let id = &arrival.request_id;
                let mut response = wire::response(status, "text/html", page, id, self.date());
                // It comes from a balancer or a proxy, which knows nothing of requests.
                response.headers_mut().remove(wire::REQUEST_ID);
                return Ok(response);
            }
            (Some(Ending::Error(error)), _) => Err(error),
            (Some(Ending::Truncated), answer) => {
                self.state()
                    .note(arrival.sequence, |record| record.reply = Reply::Sent);
                let answer = answer.unwrap_or_else(|| Ok(Value::Object(serde_json::Map::new())));
                return Ok(self.rendered(arrival, &answer).map(|body| {
                    let half = body.len() / 2;
                    body.slice(..half)
                }));
            }
            (None, Some(answer)) => answer,
        };
        self.state()
            .note(arrival.sequence, |record| record.reply = Reply::Sent);
        Ok(self.rendered(arrival, &answer))
    }

    fn rendered(
        &self,
        arrival: &Arrival,
        answer: &Result<Value, ServiceError>,
    ) -> http::Response<Bytes> {
        wire::render(
            arrival.service,
            &arrival.operation,
            answer,
            &arrival.request_id,
            self.date(),
        )
    }

    /// An HTTP client for the AWS SDK that calls this simulator without a socket.
    pub fn http_client(&self) -> InProcess {
        InProcess::new(self.clone())
    }

    /// The simulator's time.
    pub fn now(&self) -> Timestamp {
        self.shared.clock.now()
    }

    /// What the `Date` header says.
    fn date(&self) -> Timestamp {
        let skew = self.state().settings.clock_skew;
        later(self.now(), skew)
    }

    /// Everything that exists right now.
    pub fn truth(&self) -> Truth {
        let now = self.now();
        Truth::of(&self.settled().world, now)
    }

    /// Changes the world as somebody else would, at once. Answers the id of what was made, if anything was.
    pub fn change(&self, change: &Change) -> Result<Option<String>, ChangeError> {
        let now = self.now();
        let state = &mut *self.settled();
        let made = change.apply(&mut state.world, &state.settings, now, &mut state.random);
        state.look(now, Author::People);
        made
    }

    /// What changed who has access, from after that number on.
    pub fn effects_since(&self, number: u64) -> Vec<Effect> {
        self.settled().effects.since(number)
    }

    /// Forgets the effects up to that number.
    pub fn forget_effects(&self, through: u64) {
        self.state().effects.forget(through);
    }

    /// What has been sent and may still take effect.
    pub fn outstanding(&self) -> Vec<Outstanding> {
        self.settled().outstanding()
    }

    /// Whether a user, by id or by a name it has or had, can act in an account at a time, in a session started before or now, if the user
    /// makes the most of what it is given. For a time to come: if nothing changes until then.
    ///
    /// An account that is suspended or gone ends nothing here.
    pub fn can_act(&self, user: &str, account: &str, at: Timestamp) -> bool {
        let times = self.settled().history.use_of(user, account);
        times.iter().any(|span| span.has(at))
    }

    /// The times at which [`can_act`](Self::can_act) is so, each with its beginning and its end, which is [`Timestamp::MAX`] while a
    /// session can be started.
    pub fn times_of_use(&self, user: &str, account: &str) -> Vec<(Timestamp, Timestamp)> {
        let times = self.settled().history.use_of(user, account);
        times.iter().map(|span| (span.from, span.until)).collect()
    }

    /// When the last session ends that this access gives or gave.
    pub fn last_session_end(&self, access: &AccessTuple) -> LastSession {
        self.settled().history.last_session(access)
    }

    /// Forgets whatever lets nobody act at or after that time. What is asked about earlier times is then answered wrongly.
    pub fn forget_sessions(&self, before: Timestamp) {
        let longest = GROUP_LAG.saturating_add(LONGEST_ROLE_SESSION);
        let ended = before.saturating_sub(longest).unwrap_or(Timestamp::MIN);
        self.state().history.forget(ended);
    }

    /// Whose membership in what has that id.
    pub fn membership(&self, id: &str) -> Option<AccessTuple> {
        let state = self.settled();
        let directories = state.world.instances.iter().map(|i| &i.directory);
        let mut memberships = directories.flat_map(|d| d.memberships(Timestamp::MAX));
        let found = memberships.find(|membership| membership.id == id)?;
        Some(AccessTuple::GroupMembership {
            group: found.group_id.clone(),
            user: found.user_id.clone(),
            membership: found.id.clone(),
        })
    }

    /// Ids of the accounts that are not in use.
    pub fn suspended_accounts(&self) -> Vec<String> {
        let state = self.settled();
        let accounts = state.world.accounts.iter();
        accounts
            .filter(|(_, account)| account.status != AccountStatus::Active)
            .map(|(id, _)| id.clone())
            .collect()
    }

    /// Whether some identity store has a user of that id.
    pub fn has_user(&self, id: &str) -> bool {
        let state = self.settled();
        let mut directories = state.world.instances.iter().map(|i| &i.directory);
        directories.any(|directory| directory.users.contains_key(id))
    }

    /// The unique id of an IAM user.
    pub fn iam_user_id(&self, account: &str, name: &str) -> Option<String> {
        let state = self.settled();
        let iam = &state.world.accounts.get(account)?.iam;
        iam.user(name).map(|user| user.id.clone())
    }

    /// The unique id of an IAM group.
    pub fn iam_group_id(&self, account: &str, name: &str) -> Option<String> {
        let state = self.settled();
        let iam = &state.world.accounts.get(account)?.iam;
        iam.group(name).map(|group| group.id.clone())
    }

    /// The settings.
    pub fn settings(&self) -> Settings {
        self.state().settings.clone()
    }

    /// Changes the settings.
    pub fn set(&self, change: impl FnOnce(&mut Settings)) {
        change(&mut self.settled().settings);
    }

    /// Puts a fault in place. Answers its id.
    pub fn add_fault(&self, fault: Fault) -> u64 {
        self.state().faults.add(fault)
    }

    /// Takes a fault away; false if there is none with this id.
    pub fn remove_fault(&self, id: u64) -> bool {
        self.state().faults.remove(id)
    }

    /// Takes all faults away.
    pub fn clear_faults(&self) {
        self.state().faults.clear();
    }

    /// The faults in place.
    pub fn faults(&self) -> Vec<PlacedFault> {
        self.state().faults.list()
    }

    /// The calls with a higher number than `sequence`; all for 0.
    pub fn calls_since(&self, sequence: u64) -> Vec<CallRecord> {
        self.settled().log.since(sequence)
    }

    /// Forgets the calls up to that number.
    pub fn forget_calls(&self, through: u64) {
        self.state().log.forget(through);
    }

    /// Forgets the calls so far. Numbers go on.
    pub fn clear_calls(&self) {
        self.state().log.clear();
    }

    /// Starts over with another world, its settings and faults included. Numbers of calls go on.
    pub fn reset(&self, seed: &Seed) -> Result<(), SeedError> {
        let next = State::new(seed, self.now())?;
        self.state().replace(next);
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// The state after everything that is due has happened.
    fn settled(&self) -> MutexGuard<'_, State> {
        let mut state = self.state();
        state.settle(self.now());
        state
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::faults::{Action, Fault};

    /// A run of a day has thousands of callers that give up, and their answers would stay for ever.
    #[tokio::test(start_paused = true)]
    async fn an_answer_that_nobody_waits_for_is_not_kept() {
        let clock = Clock::starting_at(Timestamp::UNIX_EPOCH);
        let simulator = Simulator::new(&Seed::example(), clock).unwrap();
        for after in [false, true] {
            let late = Fault::new(Action::Delay(jiff::SignedDuration::from_secs(20)));
            let late = if after { late.after_effect() } else { late };
            simulator.add_fault(late.times(1));
            let request = http::Request::post("/")
                .header("x-amz-target", "SWBExternalService.ListInstances")
                .body(Bytes::from_static(b"{}"))
                .unwrap();
            let call = simulator.call(request);
            let answer = tokio::time::timeout(Duration::from_secs(10), call).await;
            assert!(answer.is_err(), "the caller gives up");
            tokio::time::sleep(Duration::from_secs(20)).await;
            let state = simulator.settled();
            assert_eq!(state.answers.len(), 0, "{:?}", state.answers);
        }
    }
}
