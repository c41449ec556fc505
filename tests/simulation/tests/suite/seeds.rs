//! A fixed budget of random stories. `make simulate` plays more.

use std::sync::Mutex;
use std::time::Instant;

use simulation::report::Report;
use simulation::stage::{Direction, play};
use simulation::story::draw;

use crate::side_by_side;

/// About two minutes on two processors.
const SEEDS: u64 = 200;

#[test]
fn random_stories_keep_every_rule() {
    let begun = Instant::now();
    let (total, broken) = (Mutex::new(Report::default()), Mutex::new(Vec::new()));
    let seeds: Vec<u64> = (0..SEEDS).collect();
    side_by_side(&seeds, |seed| {
        let report = play(&draw(*seed), &Direction::default());
        if let Some(violation) = report.violations.first() {
            let line = format!("seed {seed}: {violation}");
            broken.lock().unwrap().push(line);
        }
        total.lock().unwrap().add(&report);
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
