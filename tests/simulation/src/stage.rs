//! Plays a story: one thread, one seed, virtual time, real controllers.

mod observer;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use api_simulator::{ApiSimulator, Snapshot};
use aws_simulator::{AccountStatus, Change, Clock, Simulator};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::cast;
use crate::checker::{Checker, Side};
use crate::entropy::{HashSeeds, Random, seed_this_thread};
use crate::lives::lives;
use crate::network::Network;
use crate::people::People;
use crate::replica::{Lines, Machines, Replica};
use crate::report::Report;
use crate::story::{Deed, Outage, Second, Story, draw};
use observer::Observer;

/// How often the checker looks at what only time can break.
const TICK: Second = 30;
/// How often the lease is written by who has no right to it.
const HELD_EVERY: Second = 4;
const ACCESSES: &str = "breakglassaccesses";

/// What is done beside the story, to find out more.
#[derive(Clone, Debug, Default)]
pub struct Direction {
    /// The process that sends the write of that number, counted from one, dies when it has taken
    /// effect.
    pub crash_at: Vec<u64>,
    /// It comes back as another pod, so that nobody knows that it is dead.
    pub new_pod: bool,
    /// The process that makes that call stands still for a while.
    pub hold: Option<Hold>,
    /// Whether every call is written down.
    pub trace: bool,
}

/// A process that stands still: nothing leaves it, and nothing reaches it.
#[derive(Clone, Copy, Debug)]
pub struct Hold {
    /// From which call on: counted from one, those about leases and watches aside.
    pub call: u64,
    /// For how long. It may have given the call up by then, which goes out all the same.
    pub seconds: Second,
    /// Whether the call goes out before, and only its answer waits.
    pub answer: bool,
}

impl std::fmt::Display for Hold {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let answer = if self.answer { ":answer" } else { "" };
        write!(f, "{}:{}{answer}", self.call, self.seconds)
    }
}

impl std::str::FromStr for Hold {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (text, answer) = match text.strip_suffix(":answer") {
            Some(text) => (text, true),
            None => (text, false),
        };
        let parts = text.split_once(':');
        let numbers =
            parts.and_then(|(call, seconds)| Some((call.parse().ok()?, seconds.parse().ok()?)));
        let (call, seconds) = numbers
            .ok_or("it must be the number of a call and seconds, such as 17:45 or 17:45:answer")?;
        Ok(Self {
            call,
            seconds,
            answer,
        })
    }
}

/// Plays a story and tells how it went.
pub fn play(story: &Story, direction: &Direction) -> Report {
    warm_up();
    play_cold(story, direction)
}

thread_local! {
    /// Also those that the program catches: a turn that panics is tried again, and may succeed then.
    static PANICS: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// Plays a bit of everything before all else: a hash map that is made only once in a process, in the
/// first story that needs it, would give all maps after it in that story other seeds.
fn warm_up() {
    static WARM: std::sync::Once = std::sync::Once::new();
    WARM.call_once(|| {
        // Nobody was faster: this is the first that is done.
        let _ = ahash::random_state::set_random_source(HashSeeds);
        let log = tracing_subscriber::EnvFilter::try_from_env("SIMULATION_LOG");
        tracing_subscriber::fmt()
            .with_env_filter(log.unwrap_or_else(|_| "off".into()))
            .with_target(false)
            .with_writer(std::io::stderr)
            .init();
        let hook = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            PANICS.with_borrow_mut(|panics| panics.push(panic.to_string()));
            hook(panic);
        }));
        let stories = lives().into_iter().map(|life| life.story);
        for story in stories.chain([draw(1)]) {
            play_cold(&story, &Direction::default());
        }
    });
}

fn play_cold(story: &Story, direction: &Direction) -> Report {
    let (story, direction) = (story.clone(), direction.clone());
    let seed = story.seed;
    let thread = std::thread::Builder::new()
        .name(format!("seed {seed}"))
        .stack_size(8 << 20)
        .spawn(move || {
            seed_this_thread(seed);
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_time()
                .start_paused(true)
                .build()
                .expect("a runtime without anything to open");
            let mut report = runtime.block_on(Stage::play(&story, &direction));
            for panic in PANICS.take() {
                report.panicked(panic);
            }
            report
        })
        .expect("a thread");
    thread.join().unwrap_or_else(|panic| {
        let what = panic
            .downcast_ref::<String>()
            .cloned()
            .or_else(|| panic.downcast_ref::<&str>().map(|&text| text.to_owned()))
            .unwrap_or_default();
        let mut report = Report::default();
        report.panicked(what);
        report
    })
}

/// What is to be done at a certain time.
#[derive(Debug)]
enum Cue {
    Deed(Deed),
    Start { replica: usize, same_pod: bool },
    OutageEnds,
    Tick,
}

struct Stage {
    begin: Instant,
    cues: BTreeMap<(Second, u64), Cue>,
    cues_so_far: u64,
    machines: Machines,
    replicas: Vec<Replica>,
    people: People,
    network: Network,
    observer: Arc<Observer>,
    crashes: mpsc::UnboundedReceiver<usize>,
    backup: Option<Snapshot>,
    /// What is down at AWS, and until when.
    outages: Vec<(Second, Outage)>,
    /// Whether who dies of a write comes back as another pod.
    new_pod: bool,
    /// How many die of a write, also when all else is calm.
    deaths: u32,
}

impl Stage {
    async fn play(story: &Story, direction: &Direction) -> Report {
        let base: Timestamp = "2026-01-05T00:00:00Z".parse().expect("a time");
        let clock = Clock::starting_at(base);
        let mut random = Random::new(story.seed);
        let mut world = cast::world(random.below(u64::MAX), story.setting.crowd);
        story.setting.cloud.apply(&mut world.settings);
        let account = if story.setting.delegated {
            world.delegated_administrator = Some(cast::DELEGATE.to_owned());
            cast::DELEGATE
        } else {
            cast::MANAGEMENT
        };
        let aws = Simulator::new(&world, clock.clone()).expect("the cast is consistent");
        let api_clock = clock.clone();
        let api = ApiSimulator::new(random.below(u64::MAX), move || api_clock.now());
        for definition in breakglass::api::crds::all().expect("the definitions") {
            api.define(definition).expect("a definition");
        }
        let network = Network::new(random.split(1), story.setting.api_latency);
        let dies = !direction.crash_at.is_empty() || direction.hold.is_some();
        let checker = Checker::new(api.clone(), aws.clone(), base, story, dies);
        let (observer, crashes) =
            Observer::new(network.clone(), checker, direction, story.longest_way());
        let observer = Arc::new(observer);
        // The observer holds the API: were it held in turn, no story would ever be freed.
        let watching = Arc::downgrade(&observer);
        api.observe(move |commit| {
            if let Some(observer) = watching.upgrade() {
                observer.lock().on_commit(commit);
            }
        });
        let mut settings = story.setting.settings.clone();
        settings.lease_duration = Duration::from_secs(story.setting.lease);
        let mut stage = Self {
            begin: observer.begin,
            cues: BTreeMap::new(),
            cues_so_far: 0,
            people: People::new(api.clone(), aws.clone(), base),
            machines: Machines {
                api,
                aws,
                lines: Arc::clone(&observer) as Arc<dyn Lines>,
                settings,
                account,
                lag: Duration::from_secs(story.setting.lag),
                audit_fails: story.setting.audit_fails,
            },
            replicas: (0..story.setting.replicas).map(Replica::new).collect(),
            network,
            observer,
            crashes,
            backup: None,
            outages: Vec::new(),
            new_pod: direction.new_pod,
            deaths: direction.crash_at.len().try_into().expect("few"),
        };
        for (at, deed) in &story.deeds {
            stage.cue(*at, Cue::Deed(deed.clone()));
        }
        for replica in 0..story.setting.replicas {
            let same_pod = false;
            stage.cue(0, Cue::Start { replica, same_pod });
        }
        stage.cue(TICK, Cue::Tick);
        stage.run_until(story.calm).await;
        if !stage.failed() {
            stage.come_to_rest(story).await;
        }
        stage.finish(story)
    }

    fn cue(&mut self, at: Second, cue: Cue) {
        self.cues_so_far += 1;
        self.cues.insert((at, self.cues_so_far), cue);
    }

    fn now(&self) -> Second {
        self.begin.elapsed().as_secs()
    }

    fn failed(&self) -> bool {
        !self.observer.lock().checker.violations.is_empty()
    }

    /// Does what is to be done until then, or until a rule is broken.
    async fn run_until(&mut self, end: Second) {
        while !self.failed() {
            let next = self.cues.first_key_value().map(|((at, _), _)| *at);
            let at = next.unwrap_or(end).min(end);
            tokio::select! {
                biased;
                Some(replica) = self.crashes.recv() => self.crash(replica),
                () = tokio::time::sleep_until(self.begin + Duration::from_secs(at)) => {
                    let due = self.cues.first_entry().filter(|cue| cue.key().0 <= at);
                    match due {
                        Some(cue) if cue.key().0 < end => {
                            let cue = cue.remove();
                            self.act(cue).await;
                        }
                        _ => return,
                    }
                }
            }
        }
    }

    fn crash(&mut self, replica: usize) {
        self.gone(0);
        self.replicas[replica].kill();
        let same_pod = !self.new_pod;
        self.cue(self.now() + 5, Cue::Start { replica, same_pod });
    }

    /// A controller, which may be the one in charge, is gone for that long.
    fn gone(&mut self, lasts: Second) {
        self.observer.lock().checker.on_gone(lasts);
    }

    /// Something keeps controllers from their work for that long.
    fn disturbed(&mut self, lasts: Second) {
        let until = self.now() + lasts;
        self.observer.lock().checker.on_disturbed(until);
    }

    /// AWS does not do for that long what it otherwise does.
    fn aws_disturbed(&mut self, lasts: Second) {
        self.sides_disturbed(lasts, &Side::ALL);
    }

    /// The same of a part of it.
    fn sides_disturbed(&mut self, lasts: Second, sides: &[Side]) {
        let until = self.now() + lasts;
        let mut seen = self.observer.lock();
        seen.checker.on_aws_disturbed(until, sides);
    }

    async fn act(&mut self, cue: Cue) {
        match cue {
            Cue::Tick => {
                self.cue(self.now() + TICK, Cue::Tick);
                self.tick();
            }
            Cue::Start { replica, same_pod } => {
                if !self.replicas[replica].is_up() {
                    self.replicas[replica].start(&self.machines, same_pod);
                }
                self.disturbed(0);
            }
            Cue::OutageEnds => self.set_outages(),
            Cue::Deed(deed) => self.deed(deed).await,
        }
    }

    fn tick(&mut self) {
        if let Some(ended) = self.replicas.iter().find(|replica| replica.has_ended()) {
            let what = format!("{:?} ended by itself", ended.run());
            self.observer.lock().violated("R9", what, self.now());
        }
        if self.replicas.iter().any(Replica::is_up) {
            self.observer.lock().checker.on_tick();
        }
        self.observer.forget(&self.machines);
    }

    async fn deed(&mut self, deed: Deed) {
        let now = self.now();
        self.observer.lock().note(|| format!("{deed:?}"));
        match deed {
            Deed::Kill {
                replica,
                down,
                same_pod,
            } => {
                self.gone(down);
                self.replicas[replica].kill();
                self.cue(now + down, Cue::Start { replica, same_pod });
            }
            Deed::Stop { replica, down } => {
                self.gone(down);
                self.replicas[replica].stop().await;
                let same_pod = false;
                let at = self.now() + down;
                self.cue(at, Cue::Start { replica, same_pod });
            }
            Deed::Freeze(replica, seconds) => {
                if let Some(run) = self.replicas[replica].run() {
                    self.observer.lock().freeze(run, seconds);
                }
            }
            Deed::SetClock(replica, seconds) => {
                let offset = SignedDuration::from_secs(seconds);
                self.disturbed(0);
                self.observer.lock().checker.on_clock(replica, offset);
                if let Some(replica) = self.replicas.get(replica) {
                    replica.set_clock(offset);
                }
            }
            Deed::SetAwsDate(seconds) => self.set_aws_date(seconds),
            Deed::ApiTrouble(trouble) => {
                self.disturbed(trouble.lasts);
                self.network.begin_api(now, trouble);
            }
            Deed::AwsTrouble(trouble) => {
                self.sides_disturbed(trouble.lasts, trouble.kind.sides());
                self.network.begin_aws(now, trouble);
            }
            Deed::Outage(outage, lasts) => {
                self.sides_disturbed(lasts, outage.sides());
                self.outages.push((now + lasts, outage));
                self.set_outages();
                self.cue(now + lasts, Cue::OutageEnds);
            }
            Deed::HoldLease(lasts) => {
                self.gone(0);
                self.people.hold_lease();
                if let Some(left) = lasts.checked_sub(HELD_EVERY) {
                    self.cue(now + HELD_EVERY, Cue::Deed(Deed::HoldLease(left)));
                }
            }
            Deed::Backup => self.backup = Some(self.machines.api.snapshot()),
            Deed::Restore { bump } => {
                if let Some(backup) = self.backup.take() {
                    self.disturbed(0);
                    self.machines.api.restore(&backup, bump);
                    self.observer.lock().checker.on_restore();
                }
            }
            Deed::LoseLedger { by_force } => {
                self.disturbed(0);
                self.lose_ledger(by_force);
                self.observer.lock().checker.on_restore();
            }
            Deed::Compact => self.machines.api.compact(),
            Deed::EndWatches => self.machines.api.end_watches(),
            people => {
                match people {
                    // A delegated administrator is refused that set everywhere until then.
                    Deed::Aws(Change::ExpireSessions { .. } | Change::RevokeSessions { .. })
                    | Deed::TakeByHand(_, cast::Target::Assignment(cast::MANAGEMENT, _)) => {
                        self.aws_disturbed(0);
                    }
                    // An account that was refused for long is tried again within so long.
                    Deed::Aws(Change::SetAccountStatus {
                        status: AccountStatus::Active,
                        ..
                    }) => {
                        self.aws_disturbed(self.machines.settings.blocked_retry.as_secs());
                    }
                    Deed::Aws(Change::SetSessionDuration { .. }) => {
                        self.observer.lock().checker.on_session_length();
                    }
                    Deed::KeysExpire(lasts) => self.aws_disturbed(lasts),
                    _ => {}
                }
                let in_aws = matches!(
                    people,
                    Deed::Aws(_) | Deed::GiveByHand(..) | Deed::TakeByHand(..)
                );
                let before = in_aws.then(|| self.observer.lock().checker.meanings());
                self.people.act(&people);
                if let Some(before) = before {
                    self.observer.lock().checker.on_changed_in_aws(&before);
                }
            }
        }
    }

    /// All entries of the ledger are gone, which no rule allows to anybody.
    fn lose_ledger(&self, by_force: bool) {
        let api = &self.machines.api;
        if by_force {
            self.observer.lock().looks_away = true;
            for access in api.list(ACCESSES) {
                let name = access
                    .pointer("/metadata/name")
                    .and_then(|name| name.as_str());
                let _ = api.remove_by_force("hostile", ACCESSES, None, name.unwrap_or_default());
            }
            self.observer.lock().looks_away = false;
        } else {
            api.restore(&api.snapshot().without(ACCESSES), true);
        }
    }

    fn set_aws_date(&self, seconds: i64) {
        let skew = SignedDuration::from_secs(seconds);
        self.machines.aws.set(|settings| settings.clock_skew = skew);
    }

    /// Lets down at AWS be what is down now.
    fn set_outages(&mut self) {
        let now = self.now();
        self.outages.retain(|(until, _)| now < *until);
        let outages = Outage::together(self.outages.iter().map(|(_, outage)| *outage));
        self.machines.aws.set(|settings| settings.outages = outages);
    }

    /// All that went wrong is over: what must come to rest does, in time, and stays so.
    async fn come_to_rest(&mut self, story: &Story) {
        self.network.calm();
        self.outages.clear();
        self.set_outages();
        self.set_aws_date(0);
        for number in 0..self.replicas.len() {
            self.replicas[number].set_clock(SignedDuration::ZERO);
            self.observer
                .lock()
                .checker
                .on_clock(number, SignedDuration::ZERO);
        }
        self.people.make_good();
        if story.suspends_an_account() {
            // What was refused for long is tried again within so long.
            self.aws_disturbed(self.machines.settings.blocked_retry.as_secs());
        } else {
            self.aws_disturbed(0);
        }
        let expiries = story.deeds.iter().filter_map(|(_, deed)| match deed {
            Deed::Apply(grant) => Some(grant.expiry),
            Deed::SetExpiry(_, expiry) => Some(*expiry),
            _ => None,
        });
        let last = expiries.max().unwrap_or_default().max(story.calm);
        let settings = &self.machines.settings;
        // Two requeue periods; then the windows of the protocol: takeover, unknown outcome, settling.
        let windows = [
            settings.retry_cap * 2,
            settings.offline_authority,
            settings.unknown_outcome,
            settings.iam_settle_window * 2,
            settings.lease_duration * 2,
            if story.suspends_an_account() {
                settings.blocked_retry
            } else {
                Duration::ZERO
            },
        ];
        let takeover = settings.offline_authority + settings.unknown_outcome;
        let takeovers = if self.new_pod { self.deaths } else { 0 };
        let windows: Duration = windows.iter().sum::<Duration>() + takeover * takeovers;
        self.run_until(last + windows.as_secs()).await;
        if self.failed() {
            return;
        }
        self.observer.lock().checker.at_rest();
        let still_from = self.now();
        self.observer.lock().report.writes.clear();
        self.run_until(still_from + story.still).await;
        let now = self.now();
        let observer = Arc::clone(&self.observer);
        let mut seen = observer.lock();
        if !seen.report.writes.is_empty() {
            let writes = format!("written at rest: {:?}", seen.report.writes);
            seen.violated("L1", writes, now);
        }
        seen.checker.at_rest();
    }

    fn finish(self, story: &Story) -> Report {
        let seen = &mut *self.observer.lock();
        let mut report = std::mem::take(&mut seen.report);
        report.violations.append(&mut seen.checker.violations);
        report.residues = std::mem::take(&mut seen.checker.residues);
        report.lateness = std::mem::take(&mut seen.checker.lateness);
        report.asked = std::mem::take(&mut seen.checker.asked);
        report.questions = std::mem::take(&mut seen.checker.questions);
        report.seconds = self.now();
        report.seed = story.seed;
        report
    }
}
