//! A fixed budget of random stories. `make simulate` plays more.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use simulation::report::Report;
use simulation::stage::{Direction, play};
use simulation::story::draw;

/// About two minutes on two processors.
const SEEDS: u64 = 200;

#[test]
fn random_stories_keep_every_rule() {
    let begun = Instant::now();
    let (next, total) = (AtomicU64::new(0), Mutex::new(Report::default()));
    let broken = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= SEEDS {
                        break;
                    }
                    let report = play(&draw(seed), &Direction::default());
                    if let Some(violation) = report.violations.first() {
                        broken
                            .lock()
                            .unwrap()
                            .push(format!("seed {seed}: {violation}"));
                    }
                    total.lock().unwrap().add(&report);
                }
            });
        }
    });
    let total = total.into_inner().unwrap();
    let hours = total.seconds / 3600;
    println!(
        "{SEEDS} stories, {hours} simulated hours in {:?}; asked {:?}; residues {:?}",
        begun.elapsed(),
        total.asked,
        total.residues
    );
    let broken = broken.into_inner().unwrap();
    assert!(
        broken.is_empty(),
        "{broken:#?}\nmake simulate SEEDS=1 FROM=<seed> tells the shortest story"
    );
    // A checker that is never asked proves nothing.
    for rule in [
        "R1", "R2", "R3", "R4", "R5", "R6", "R7", "R8", "R9", "R12", "L1", "L5",
    ] {
        assert!(
            total.asked.get(rule).is_some_and(|asked| *asked > 0),
            "{rule}"
        );
    }
}
