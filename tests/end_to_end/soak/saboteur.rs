//! Kills and freezes controllers, the API server and etcd, one or two at a time, and lets them come back.

use std::sync::Arc;

use fastrand::Rng;

use super::history::LateCalls;
use super::stage::{Stage, clock};
use crate::support::{Controller, now, seconds};

/// What it takes after a controller is back: the lease that nobody renewed lasts 15 seconds, and replicas look every 3.
const AFTER_CONTROLLER: i64 = 25;
/// Watches and waits begin anew.
const AFTER_API_SERVER: i64 = 15;
/// How often a process of the control plane is told to end, to go on, or to start.
const TRIES: usize = 5;

/// Two controllers, each in a pod.
pub struct Saboteur<'s> {
    stage: &'s Stage<'s>,
    rng: Rng,
    replicas: Vec<Replica>,
    pods: u32,
    /// What comes next.
    deck: Vec<(Victim, Way)>,
}

struct Replica {
    pod: String,
    controller: Arc<Controller>,
    frozen: bool,
    killed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Victim {
    Etcd,
    ApiServer,
    Controller(usize),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Kill,
    Freeze,
}

/// Something that was done to a victim.
struct Blow {
    victim: Victim,
    way: Way,
    trouble: usize,
}

impl<'s> Saboteur<'s> {
    /// Starts the controllers.
    pub fn new(stage: &'s Stage<'s>, rng: Rng) -> Self {
        let mut saboteur = Self {
            stage,
            rng,
            replicas: Vec::new(),
            pods: 0,
            deck: Vec::new(),
        };
        for _ in 0..2 {
            let pod = saboteur.new_pod();
            let controller = saboteur.start(&pod);
            controller.wait_until_ready();
            saboteur.replicas.push(Replica {
                pod,
                controller,
                frozen: false,
                killed: false,
            });
        }
        saboteur
    }

    fn new_pod(&mut self) -> String {
        self.pods += 1;
        format!("00000000-0000-0000-0000-{:012}", self.pods)
    }

    fn start(&self, pod: &str) -> Arc<Controller> {
        let world = self.stage.world();
        world.run_controller(&world.controller().in_pod(pod))
    }

    /// Goes on until the stage closes. In the end everything runs.
    pub fn work(mut self) -> Self {
        while self.stage.wait_until(now() + seconds(self.rng.i64(20..60))) {
            let mut blows = vec![self.strike(&[])];
            if self.rng.u8(..100) < 25 {
                self.stage.wait_until(now() + seconds(self.rng.i64(0..6)));
                blows.push(self.strike(&blows));
            }
            self.stage.wait_until(now() + seconds(self.rng.i64(1..22)));
            // Each needs the one before to come back.
            blows.sort_by_key(|blow| match blow.victim {
                Victim::ApiServer if blow.way == Way::Freeze => 0,
                Victim::Etcd => 1,
                Victim::ApiServer => 2,
                Victim::Controller(_) => 3,
            });
            for blow in blows {
                self.make_good(&blow);
            }
        }
        self
    }

    /// The next of the deck, in which each victim is met in each way.
    fn strike(&mut self, before: &[Blow]) -> Blow {
        let is_new = |(victim, _): &(Victim, Way)| before.iter().all(|blow| blow.victim != *victim);
        let at = loop {
            if let Some(at) = self.deck.iter().position(is_new) {
                break at;
            }
            let mut deck = Vec::new();
            for way in [Way::Kill, Way::Freeze] {
                let controllers = (0..self.replicas.len()).map(Victim::Controller);
                let all = controllers.chain([Victim::Etcd, Victim::ApiServer]);
                deck.extend(all.map(|victim| (victim, way)));
            }
            self.rng.shuffle(&mut deck);
            self.deck.extend(deck);
        };
        let (victim, way) = self.deck.remove(at);
        let name = match victim {
            Victim::Etcd => "etcd",
            Victim::ApiServer => "API server",
            Victim::Controller(_) => "controller",
        };
        let aftermath = match victim {
            Victim::Controller(_) => AFTER_CONTROLLER,
            Victim::Etcd | Victim::ApiServer => AFTER_API_SERVER,
        };
        let late_calls = match (victim, way) {
            (Victim::Controller(_), Way::Freeze) => LateCalls::WhenOver,
            _ => LateCalls::Never,
        };
        let done = if way == Way::Kill { "killed" } else { "frozen" };
        let trouble = self
            .stage
            .trouble(&format!("{name} {done}"), aftermath, late_calls);
        println!("{} {victim:?} is {done}", clock());
        let control_plane = &self.stage.world().control_plane;
        match (victim, way) {
            (Victim::Etcd, Way::Kill) => surely(|| control_plane.kill_etcd()),
            (Victim::Etcd, Way::Freeze) => surely(|| control_plane.pause_etcd()),
            (Victim::ApiServer, Way::Kill) => surely(|| control_plane.kill_api_server()),
            (Victim::ApiServer, Way::Freeze) => surely(|| control_plane.pause_api_server()),
            (Victim::Controller(number), _) => self.strike_controller(number, way),
        }
        Blow {
            victim,
            way,
            trouble,
        }
    }

    fn strike_controller(&mut self, number: usize, way: Way) {
        self.look_after(number);
        let replica = &mut self.replicas[number];
        match way {
            Way::Kill => {
                replica.killed = true;
                replica.controller.kill();
            }
            Way::Freeze => {
                replica.frozen = true;
                replica.controller.pause();
            }
        }
    }

    fn make_good(&mut self, blow: &Blow) {
        let control_plane = &self.stage.world().control_plane;
        match (blow.victim, blow.way) {
            (Victim::Etcd, Way::Kill) => surely(|| control_plane.start_etcd()),
            (Victim::Etcd, Way::Freeze) => surely(|| control_plane.resume_etcd()),
            (Victim::ApiServer, Way::Kill) => surely(|| control_plane.start_api_server()),
            (Victim::ApiServer, Way::Freeze) => surely(|| control_plane.resume_api_server()),
            (Victim::Controller(number), Way::Kill) => {
                // The same container is started again, or another pod takes its place.
                if self.rng.bool() {
                    self.replicas[number].pod = self.new_pod();
                }
                let controller = self.start(&self.replicas[number].pod);
                let replica = &mut self.replicas[number];
                replica.controller = controller;
                replica.killed = false;
            }
            (Victim::Controller(number), Way::Freeze) => {
                let replica = &mut self.replicas[number];
                replica.frozen = false;
                replica.controller.resume();
            }
        }
        self.stage.trouble_ends(blow.trouble);
        println!("{} {:?} is back", clock(), blow.victim);
    }

    /// A controller that nobody has killed must not end. Another takes its place, as in a cluster.
    pub fn look_after_all(&mut self) {
        for number in 0..self.replicas.len() {
            self.look_after(number);
        }
    }

    fn look_after(&mut self, number: usize) {
        let replica = &self.replicas[number];
        if replica.killed || !replica.controller.has_ended() {
            return;
        }
        let log = replica.controller.log();
        let last: Vec<&str> = log.lines().rev().take(5).collect();
        self.stage
            .complain(format!("a controller ended by itself: {last:?}"));
        let controller = self.start(&self.replicas[number].pod);
        self.replicas[number].controller = controller;
    }
}

/// On a machine that has too much to do, a process takes long to start and to end.
fn surely(mut order: impl FnMut() -> Result<(), control_plane::Error>) {
    for _ in 0..TRIES {
        match order() {
            Ok(()) | Err(control_plane::Error::AlreadyRunning(_)) => return,
            Err(error) => println!("{} {error}", clock()),
        }
    }
    order().unwrap();
}
