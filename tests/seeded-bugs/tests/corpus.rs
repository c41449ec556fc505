//! The list of bugs fits the program as it is, and whoever looked for one noticed it. `make bugs` looks anew.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use seeded_bugs::Bug;
use seeded_bugs::table::Table;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

#[test]
fn every_bug_can_be_put_into_the_program() {
    let mut bad = Vec::new();
    let mut names = BTreeSet::new();
    let bugs = seeded_bugs::all(&root()).unwrap();
    for bug in &bugs {
        if let Err(error) = bug.made_in(&root()) {
            bad.push(format!("{error:#}"));
        }
        assert!(names.insert(&bug.name), "twice: {}", bug.name);
    }
    assert!(bad.is_empty(), "{bad:#?}");
    assert!(bugs.len() >= 50, "{}", bugs.len());
}

#[test]
fn every_bug_that_was_looked_for_is_noticed() {
    let bugs = seeded_bugs::all(&root()).unwrap();
    let table = Table::read(&root());
    let named = |which: fn(&Table, &Bug) -> bool| -> Vec<_> {
        let found = bugs.iter().filter(|bug| which(&table, bug));
        found.map(|bug| &bug.name).collect()
    };
    let unnoticed = named(Table::is_unnoticed);
    assert!(
        unnoticed.is_empty(),
        "by tests/BUGS.md nobody notices these: {unnoticed:#?}"
    );
    let left = named(|table, bug| table.noticed(bug).is_none());
    println!("nobody has looked for these yet (make bugs): {left:#?}");
    let unknown = table.unknown(&bugs);
    assert!(unknown.is_empty(), "tests/BUGS.md has more: {unknown:#?}");
}
