//! What a simulator is at one time, and how a call changes it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;

use crate::clock::later;
use crate::effects::{Author, Effects, Outstanding};
use crate::error::ServiceError;
use crate::faults::{Ending, Faults, Script};
use crate::gate::{Fate, GateCall};
use crate::history::History;
use crate::limits::{self, Limits};
use crate::log::{CallRecord, Log};
use crate::random::Random;
use crate::replicas::Copies;
use crate::seed::{Seed, SeedError};
use crate::services::{self, Context};
use crate::settings::Settings;
use crate::tenants::Others;
use crate::wire::{Call, Received, Service};
use crate::world::World;

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) world: World,
    pub(crate) settings: Settings,
    pub(crate) faults: Faults,
    limits: Limits,
    others: Others,
    copies: Copies,
    pub(crate) log: Log,
    pub(crate) random: Random,
    pub(crate) effects: Effects,
    pub(crate) history: History,
    calls: u64,
    /// Calls that have arrived and are to be carried out, by the time for it and their number.
    waiting: BTreeMap<(Timestamp, u64), Work>,
    /// What came of calls that nobody has fetched yet.
    pub(crate) answers: BTreeMap<u64, Result<Value, ServiceError>>,
}

#[derive(Debug)]
struct Work {
    call: Call,
    /// Whether anybody still waits for the answer.
    wanted: bool,
    fail_operation: Option<String>,
}

/// A call that has arrived.
pub(crate) struct Arrival {
    pub(crate) sequence: u64,
    pub(crate) service: Service,
    pub(crate) operation: String,
    pub(crate) request_id: String,
    pub(crate) due: Timestamp,
    pub(crate) script: Script,
}

impl State {
    pub(crate) fn new(seed: &Seed, now: Timestamp) -> Result<Self, SeedError> {
        let mut random = Random::new(seed.random_seed);
        let world = seed.world(now, &mut random)?;
        let mut effects = Effects::default();
        effects.look(&world, now, Author::People);
        let history = History::of(&world);
        let mut faults = Faults::default();
        for fault in &seed.faults {
            faults.add(fault.clone());
        }
        Ok(Self {
            world,
            settings: seed.settings.clone(),
            faults,
            limits: Limits::default(),
            others: Others::default(),
            copies: Copies::default(),
            log: Log::default(),
            random,
            effects,
            history,
            calls: 0,
            waiting: BTreeMap::new(),
            answers: BTreeMap::new(),
        })
    }

    /// Starts over as `next`. Calls keep their numbers, so that one from before does not fetch another's answer.
    pub(crate) fn replace(&mut self, next: Self) {
        let calls = self.calls;
        *self = Self { calls, ..next };
    }

    pub(crate) fn arrive(
        &mut self,
        received: Received,
        now: Timestamp,
        fate: Option<Fate>,
    ) -> Arrival {
        let Received { call, unreadable } = received;
        self.calls += 1;
        let sequence = self.calls;
        let caller = call
            .credentials
            .as_ref()
            .and_then(|credentials| self.world.who(credentials));
        let script = match unreadable {
            Some(error) => Script {
                instead: Some(Ending::Error(error)),
                ..Script::default()
            },
            None => self
                .faults
                .script(&call, caller.as_ref(), now, &mut self.random),
        };
        let script = match fate {
            None => script,
            Some(fate) => script.under(fate, call.service),
        };
        let mut script = script;
        if script.instead.is_none() {
            script.instead =
                self.settings
                    .outages
                    .ending(call.service, &call.operation, &mut self.random);
        }
        let delay = script
            .delay_before
            .saturating_add(self.random.delay(self.settings.latency));
        let due = later(now, delay);
        let request_id = self.random.uuid();
        self.log.push(CallRecord::new(
            sequence,
            now,
            &call,
            caller,
            request_id.clone(),
        ));
        let arrival = Arrival {
            sequence,
            service: call.service,
            operation: call.operation.clone(),
            request_id,
            due,
            script,
        };
        match &arrival.script.instead {
            None => {
                let work = Work {
                    call,
                    wanted: true,
                    fail_operation: arrival.script.fail_operation.clone(),
                };
                self.waiting.insert((due, sequence), work);
            }
            Some(Ending::Error(error)) => {
                self.note(sequence, |record| record.outcome = Some(error.code.clone()));
            }
            Some(Ending::HtmlPage(_) | Ending::Truncated | Ending::Hang | Ending::Reset) => {}
        }
        arrival
    }

    /// Lets everything happen that is due, in the order of its time.
    pub(crate) fn settle(&mut self, now: Timestamp) {
        loop {
            let event = self.world.next_event().filter(|at| *at <= now);
            let call = self
                .waiting
                .first_key_value()
                .map(|((due, _), _)| *due)
                .filter(|due| *due <= now);
            match (event, call) {
                (Some(event), call) if call.is_none_or(|due| event <= due) => {
                    if self.world.settle(event, &self.settings) {
                        self.look(event, Author::Call { sequence: None });
                    }
                }
                (_, Some(_)) => self.carry_out_next(),
                (_, None) => return,
            }
        }
    }

    /// Nobody waits for the answer of that call any more.
    pub(crate) fn abandon(&mut self, due: Timestamp, sequence: u64) {
        self.answers.remove(&sequence);
        if let Some(work) = self.waiting.get_mut(&(due, sequence)) {
            work.wanted = false;
        }
    }

    /// Notes what has changed in who has access.
    pub(crate) fn look(&mut self, now: Timestamp, by: Author) {
        self.effects.look(&self.world, now, by);
        self.history.look(&self.world, now);
    }

    /// What has been sent and is not done: calls on their way, and operations under way.
    pub(crate) fn outstanding(&self) -> Vec<Outstanding> {
        let calls = self.waiting.values().map(|work| Outstanding {
            operation: work.call.operation.clone(),
            parameters: work.call.parameters.clone(),
            account: self.account_of(&work.call),
        });
        let operations = self.world.instances.iter().flat_map(|instance| {
            let under_way = instance.assignments.in_flight();
            under_way.map(Outstanding::of)
        });
        calls.chain(operations).collect()
    }

    /// A request as the gate of its sender sees it.
    pub(crate) fn at_the_gate(&self, call: &Call, time: Timestamp) -> GateCall {
        GateCall {
            service: call.service,
            operation: call.operation.clone(),
            parameters: call.parameters.clone(),
            account: self.account_of(call),
            time,
        }
    }

    fn account_of(&self, call: &Call) -> String {
        let credentials = call.credentials.as_ref();
        let caller = credentials.and_then(|credentials| self.world.who(credentials));
        caller.map(|caller| caller.account).unwrap_or_default()
    }

    fn carry_out_next(&mut self) {
        let Some(((now, sequence), work)) = self.waiting.pop_first() else {
            return;
        };
        let answer = self.carry_out(&work, now);
        // Most calls read, and looking at the whole world costs more than all the rest of a call.
        if answer.is_ok() && !services::is_read(&work.call.operation) {
            let by = Author::Call {
                sequence: Some(sequence),
            };
            self.look(now, by);
        }
        let outcome = answer
            .as_ref()
            .map_or_else(|error| error.code.clone(), |_| "Success".to_owned());
        self.note(sequence, |record| {
            record.handled = Some(now);
            record.outcome = Some(outcome);
        });
        if work.wanted {
            self.answers.insert(sequence, answer);
        }
    }

    fn carry_out(&mut self, work: &Work, now: Timestamp) -> Result<Value, ServiceError> {
        let call = &work.call;
        let caller = self
            .world
            .authenticate(call.service, call.credentials.as_ref(), now)?;
        let region = call
            .credentials
            .as_ref()
            .map(|credentials| credentials.region.as_str())
            .unwrap_or_default();
        self.settings.outages.admit(call.service, &call.operation)?;
        let quota = limits::quota(call.service, &caller.account, region);
        let taken = self
            .others
            .taken(quota, self.settings.tenants, now, &mut self.random);
        let rate = self.settings.rate(call.service);
        self.limits
            .take(quota, rate.map(|rate| taken.leaves(rate)), now)?;
        let seen = self
            .copies
            .seen(call.service, &self.settings, now, &mut self.random);
        let mut context = Context {
            now,
            revision: self.history.revision(),
            seen,
            region,
            caller: &caller,
            settings: &self.settings,
            world: &mut self.world,
            random: &mut self.random,
            places_taken: taken.in_flight,
            fail_operation: work.fail_operation.clone(),
        };
        services::handle(&mut context, call)
    }

    pub(crate) fn note(&mut self, sequence: u64, change: impl FnOnce(&mut CallRecord)) {
        if let Some(record) = self.log.get_mut(sequence) {
            change(record);
        }
    }
}
