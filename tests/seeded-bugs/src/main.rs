//! Puts each bug into a copy of the program, has it tested, and writes down who noticed.

use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Result, ensure};
use clap::Parser;
use seeded_bugs::table::{Table, told};
use seeded_bugs::tree::Tree;
use seeded_bugs::trial::{Bench, Verdict};

/// Puts known bugs into the program, one at a time, and tells which test notices.
#[derive(Debug, Parser)]
struct Args {
    /// Only bugs whose names contain this, or another of these.
    #[arg(long)]
    only: Vec<String>,
    /// Only bugs that the table does not know as noticed.
    #[arg(long)]
    missing: bool,
    /// Asks first whoever noticed by the table, and nobody else if that is enough.
    #[arg(long)]
    again: bool,
    /// Without the stories about crashes and pauses, which take ten minutes for a bug that nobody notices. It is not
    /// written down that nobody has.
    #[arg(long)]
    quick: bool,
    /// How many random stories are played for each at most.
    #[arg(long, default_value_t = 60)]
    stories: u64,
}

fn main() -> Result<ExitCode> {
    let args = Args::parse();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let root = root.canonicalize()?;
    let bugs = seeded_bugs::all(&root)?;
    let mut table = Table::read(&root);
    let wanted: Vec<_> = bugs
        .iter()
        .filter(|bug| {
            let is_meant = |words: &String| bug.name.contains(words);
            args.only.is_empty() || args.only.iter().any(is_meant)
        })
        .filter(|bug| !args.missing || table.noticed(bug).is_none())
        .collect();
    ensure!(!wanted.is_empty(), "no such bug");
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), Into::into);
    let tree = Tree::copy(&root, target.join("seeded-bugs/tree"))?;
    let bench = Bench {
        tree: tree.root.clone(),
        log: target.join("seeded-bugs/log"),
        target: target.join("seeded-bugs/target"),
        stories: args.stories,
        quick: args.quick,
    };
    // Whoever complains of the program as it is notices nothing.
    let sound = bench.trial()?;
    ensure!(
        sound == Verdict::Nobody,
        "without any bug: {}; mend that first",
        told(&sound)
    );
    let mut unnoticed = 0;
    for bug in &wanted {
        let begun = Instant::now();
        let before = table.noticed(bug).filter(|_| args.again);
        let trial = || match before.map(|row| bench.noticed_again(row)) {
            Some(Ok(Some(verdict))) => Ok(verdict),
            Some(Err(error)) => Err(error),
            Some(Ok(None)) | None => bench.trial(),
        };
        let verdict = match tree.with(bug, trial) {
            Ok(verdict) => verdict,
            Err(error) => {
                println!("{}: {error:#}", bug.name);
                unnoticed += 1;
                continue;
            }
        };
        let took = begun.elapsed().as_secs();
        println!("{}: {} ({took} s)", bug.name, told(&verdict));
        unnoticed += usize::from(verdict == Verdict::Nobody);
        if args.quick && verdict == Verdict::Nobody {
            continue;
        }
        table.put(bug, &verdict);
        table.write(&root, &bugs)?;
    }
    println!("{} bugs, {unnoticed} not noticed", wanted.len());
    Ok(if unnoticed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
