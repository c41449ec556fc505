//! A fixed budget of random stories. `make simulate` plays more.

use std::sync::Mutex;
use std::time::Instant;

use simulation::report::Report;
use simulation::shrink::shrink;
use simulation::stage::{Direction, play};
use simulation::story::{Deed, Story, calm, crowd, draw};

use crate::side_by_side;

/// About two minutes on two processors.
const SEEDS: u64 = 200;

#[test]
fn random_stories_keep_every_rule() {
    let seeds: Vec<_> = (0..SEEDS).collect();
    let total = played(&seeds, "storms", draw);
    // A question that is never asked proves nothing. Where many wait is asked of crowds.
    let unasked: Vec<_> = questions()
        .filter(|(file, _)| file != "order.rs")
        .filter(|question| !was_asked(&total, question))
        .collect();
    assert!(unasked.is_empty(), "never asked: {unasked:?}");
}

/// All that the checker asks, by file and line.
fn questions() -> impl Iterator<Item = (String, u32)> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/checker");
    let files = std::fs::read_dir(folder).unwrap();
    files.flat_map(|file| {
        let file = file.unwrap();
        let text = std::fs::read_to_string(file.path()).unwrap();
        let name = file.file_name().into_string().unwrap();
        let asks = text.lines().map(|line| line.contains("self.ask(")).zip(1..);
        let asks: Vec<_> = asks.filter(|(asks, _)| *asks).collect();
        asks.into_iter().map(move |(_, line)| (name.clone(), line))
    })
}

fn was_asked(total: &Report, (file, line): &(String, u32)) -> bool {
    let mut asked = total.questions.keys();
    asked.any(|(path, at)| path.ends_with(&format!("/{file}")) && at == line)
}

/// L2.
#[test]
fn where_nothing_goes_wrong_the_first_delete_goes_out_within_seconds() {
    let seeds: Vec<_> = (0..24).collect();
    let total = played(&seeds, "calm", calm);
    // Of a grant that was deleted and is gone before its sessions are known.
    let only = ["a grant that was gone before it could be told of sessions"];
    let others = total.residues.keys().filter(|which| !only.contains(which));
    assert_eq!(others.count(), 0, "{:?}", total.residues);
    let mut lateness = total.lateness;
    lateness.sort_unstable();
    assert!(lateness.len() > 150, "{}", lateness.len());
    let p99 = lateness[lateness.len() * 99 / 100];
    let longest = lateness[lateness.len() - 1];
    println!("{} ends: p99 {p99} s, longest {longest} s", lateness.len());
    assert!(p99 <= 5 && longest <= 60, "{lateness:?}");
}

/// L3, L4.
#[test]
fn where_many_wait_nobody_waits_for_others_longer_than_is_fair() {
    let is_down = |story: &Story| {
        let mut deeds = story.deeds.iter();
        deeds.any(|(_, deed)| matches!(deed, Deed::Outage(..)))
    };
    let has = |seed: &u64, down| {
        let story = crowd(*seed);
        is_down(&story) == down && (down || story.suspends_an_account())
    };
    // While all of IAM is down, and while one account is suspended.
    for down in [true, false] {
        let seeds: Vec<_> = (0..).filter(|seed| has(seed, down)).take(3).collect();
        let total = played(&seeds, "crowds", crowd);
        for rule in ["L3", "L4"] {
            assert!(total.asked[rule] > 100, "{rule}: {:?}", total.asked);
        }
    }
}

/// Plays so many, and fails if one breaks a rule.
fn played(seeds: &[u64], kind: &str, story: impl Fn(u64) -> Story + Sync) -> Report {
    let begun = Instant::now();
    let (total, broken) = (Mutex::new(Report::default()), Mutex::new(Vec::new()));
    side_by_side(seeds, |seed| {
        let report = play(&story(*seed), &Direction::default());
        if let Some(violation) = report.violations.first() {
            broken.lock().unwrap().push((*seed, violation.clone()));
        }
        total.lock().unwrap().add(&report);
    });
    let total = total.into_inner().unwrap();
    let (hours, took) = (total.seconds / 3600, begun.elapsed());
    println!(
        "{} stories, {hours} simulated hours in {took:?}, {} in a second; asked {:?}; residues {:?}",
        seeds.len(),
        hours / took.as_secs().max(1),
        total.asked,
        total.residues
    );
    let mut broken = broken.into_inner().unwrap();
    broken.sort_by_key(|(seed, _)| *seed);
    if let Some((seed, violation)) = broken.first() {
        let short = shrink(&story(*seed), &Direction::default(), violation.rule, 60);
        panic!(
            "{broken:#?}\nThe shortest story found that breaks {}:\n{short}\nmake simulate STORIES={kind} FROM={seed} SEEDS=1",
            violation.rule
        );
    }
    total
}
