//! `make soak`: the whole program on a real control plane for a long time, while people ask for access at random, AWS has bad
//! days, and controllers, API server and etcd are killed and frozen at random.
//!
//! [`players`] and [`saboteur`] act, [`witness`] looks at AWS, [`checker`] judges what it has seen, [`report`] tells.

mod checker;
mod checker_tests;
mod history;
mod players;
mod report;
mod saboteur;
mod stage;
mod weather;
mod witness;

use std::thread;

use fastrand::Rng;
use serde_json::Value;

use crate::support::kubernetes::Resource;
use crate::support::time::BETWEEN_LOOKS;
use crate::support::{Scenario, Setup, World, now, seconds};

use report::Report;
use saboteur::Saboteur;
use stage::{Stage, clock};

/// People who ask for access at the same time.
const PLAYERS: usize = 10;
/// Longer than readings and retries are apart.
const REST: i64 = 20;

#[test]
#[ignore = "takes MINUTES=20: make soak"]
fn soak() {
    let number = |name: &str| {
        std::env::var(name)
            .ok()
            .and_then(|value| value.parse().ok())
    };
    let minutes: u64 = number("MINUTES").unwrap_or(20);
    let seed = number("SEED").unwrap_or_else(|| Rng::new().u64(..1_000_000));
    println!("\n{} soaking for {minutes} minutes, SEED={seed}", clock());
    let report = run(minutes, seed);
    println!("{report}");
    assert!(report.violations.is_empty(), "SEED={seed}");
}

fn run(minutes: u64, seed: u64) -> Report {
    let mut rng = Rng::with_seed(seed);
    let world = World::own(setup(seed).without_controller());
    let scenario = Scenario::new(&world, "soak");
    scenario.judged_elsewhere();
    let stage = Stage::set(&scenario);
    let saboteur = Saboteur::new(&stage, rng.fork());
    let ends = now() + seconds(60 * i64::try_from(minutes).unwrap());
    thread::scope(|scope| {
        scope.spawn(|| witness::watch(&stage));
        let mut acting = Vec::new();
        for player in 0..PLAYERS {
            let (stage, rng) = (&stage, rng.fork());
            acting.push(scope.spawn(move || players::play(stage, player, rng)));
        }
        let (own, others) = (rng.fork(), rng.fork());
        acting.push(scope.spawn(|| players::shift(&stage, own)));
        acting.push(scope.spawn(|| weather::storms(&stage, others)));
        let sabotage = scope.spawn(move || saboteur.work());
        let mut next = now();
        while now() < ends && !sabotage.is_finished() {
            next += seconds(60);
            let wake = next.min(ends);
            while now() < wake && !sabotage.is_finished() {
                thread::sleep(BETWEEN_LOOKS);
            }
            let report = Report::of(&stage.history(), seed, now());
            let history = stage.history();
            let (grants, calls) = (history.grants.len(), history.calls);
            let violations = report.violations.len();
            println!(
                "{} {grants} grants, {calls} calls, {violations} violations",
                clock()
            );
            if violations > 0 {
                break;
            }
        }
        stage.close();
        let saboteur = sabotage.join();
        world.aws().simulator.clear_faults();
        println!(
            "{} troubles are over; waiting for everybody to finish",
            clock()
        );
        for thread in acting {
            if thread.join().is_err() {
                stage.complain("somebody lost their head: see above".to_owned());
            }
        }
        match saboteur {
            Ok(mut saboteur) => {
                saboteur.look_after_all();
                comes_to_rest(&stage);
            }
            Err(_) => stage.complain("the control plane could not be brought back".to_owned()),
        }
        stage.end();
        complain_of_idleness(&stage, minutes);
    });
    let report = Report::of(&stage.history(), seed, now());
    keep(&world, seed, &report);
    report
}

/// A run in which little happened shows little.
fn complain_of_idleness(stage: &Stage<'_>, minutes: u64) {
    let history = stage.history();
    let mut idle = Vec::new();
    for kind in ["account assignment", "Identity Center group", "IAM group"] {
        let grants = history.grants.iter();
        let grants = grants.filter(|grant| history.accesses[grant.access].kind() == kind);
        if (grants.count() as u64) < minutes {
            idle.push(format!("{kind}: fewer than one grant a minute"));
        }
    }
    let blows = ["controller", "API server", "etcd"].into_iter();
    let blows = blows.flat_map(|victim| ["killed", "frozen"].map(|way| format!("{victim} {way}")));
    for blow in blows.filter(|_| minutes >= 10) {
        if !history.troubles.iter().any(|trouble| trouble.what == blow) {
            idle.push(format!("no {blow}"));
        }
    }
    drop(history);
    for what in idle {
        stage.complain(what);
    }
}

/// Times that fit to what AWS does here: listings up to 1.5 s old, writes that take up to 7 s to take effect.
fn setup(seed: u64) -> Setup {
    let times = [
        ("settleWindow", "3s"),
        ("iamSettleWindow", "4s"),
        ("unknownOutcome", "15s"),
        ("offlineAuthority", "20s"),
        ("overdue", "30s"),
        ("finalizerBound", "10s"),
        ("driftInterval", "5s"),
        ("relistInterval", "30s"),
    ];
    let setup = Setup {
        seed: weather::climate(seed),
        // Finalizers are taken off by force.
        guarded: false,
        ..Setup::default()
    };
    let setup = times
        .into_iter()
        .fold(setup, |setup, (name, time)| setup.setting(name, time));
    setup.setting("callsPerSecond", 15)
}

/// Without troubles everything ends as it should, and then nothing more is written.
fn comes_to_rest(stage: &Stage<'_>) {
    let began = now();
    // What it waits for are the authority of the dead, unknown outcomes, and settle windows.
    while let Err(why) = is_at_rest(stage) {
        if stage.calm_since(began) > stage::PATIENCE {
            stage.complain(format!("it does not come to rest: {why}"));
            return;
        }
        thread::sleep(BETWEEN_LOOKS * 5);
    }
    println!("{} at rest; now nothing more may be written", clock());
    let seen = || (objects(stage), writes(stage));
    let before = seen();
    thread::sleep(std::time::Duration::from_secs(REST.unsigned_abs()));
    let after = seen();
    if before.1 != after.1 {
        stage.complain(format!(
            "{} calls gave or took access at rest",
            after.1 - before.1
        ));
    }
    match (before.0, after.0) {
        (Ok(before), Ok(after)) => {
            for object in after.iter().filter(|object| !before.contains(object)) {
                stage.complain(format!("it was written at rest: {object:#}"));
            }
        }
        (Err(why), _) | (_, Err(why)) => stage.complain(why),
    }
}

fn is_at_rest(stage: &Stage<'_>) -> Result<(), String> {
    let kubernetes = &stage.world().kubernetes;
    let failed = |error: kube::Error| error.to_string();
    for ledger in kubernetes.list(Resource::Access, None).map_err(failed)? {
        let spec = &ledger["spec"];
        if spec["state"] != "Closed" || spec["claims"].as_array().is_some_and(|all| !all.is_empty())
        {
            return Err(format!("a ledger entry is not over: {ledger:#}"));
        }
    }
    let namespace = Some(stage.scenario.name.as_str());
    for object in kubernetes
        .list(Resource::Grant, namespace)
        .map_err(failed)?
    {
        let history = stage.history();
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        let grant = history.grants.iter().find(|grant| grant.name == name);
        let grant = grant.ok_or_else(|| format!("nobody made {name}"))?;
        players::end_of(grant, &object).map_err(|why| format!("{name}: {why}\n{object:#}"))?;
    }
    let history = stage.history();
    let accesses: Vec<_> = history.accesses.iter().collect();
    let stand = stage
        .world()
        .aws()
        .which_stand(accesses.iter().map(|entry| &entry.access));
    for (entry, stands) in accesses.iter().zip(stand) {
        let foreign = entry
            .foreign
            .last()
            .is_some_and(|last| last.taken.is_none());
        if stands != foreign {
            return Err(format!("AWS has {}: {stands}", entry.access));
        }
    }
    Ok(())
}

/// All grants and ledger entries.
fn objects(stage: &Stage<'_>) -> Result<Vec<Value>, String> {
    let kubernetes = &stage.world().kubernetes;
    let kinds = [Resource::Grant, Resource::Access];
    let lists = kinds.map(|kind| kubernetes.list(kind, None));
    let lists: Result<Vec<_>, _> = lists.into_iter().collect();
    Ok(lists.map_err(|error| error.to_string())?.concat())
}

fn writes(stage: &Stage<'_>) -> usize {
    let history = stage.history();
    history
        .accesses
        .iter()
        .map(|entry| entry.writes.len())
        .sum()
}

/// Keeps what tells more than the report.
fn keep(world: &World, seed: u64, report: &Report) {
    let folder = crate::support::install::repository("target/soak");
    let write = |name: &str, text: &str| {
        let path = folder.join(format!("{seed}.{name}"));
        std::fs::create_dir_all(&folder)
            .and_then(|()| std::fs::write(&path, text))
            .unwrap();
        println!("{}", path.display());
    };
    let calls = world.aws().simulator.calls_since(0).into_iter();
    let calls: Vec<String> = calls
        .map(|call| serde_json::to_string(&call).unwrap())
        .collect();
    write("calls.jsonl", &calls.join("\n"));
    write("log", &world.log_about(&[""]));
    write("report", &report.to_string());
}
