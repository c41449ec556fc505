//! The list of bugs fits the program as it is, and each of them is noticed. `make bugs` looks anew.

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
fn every_bug_is_noticed() {
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
    assert!(
        left.is_empty(),
        "nobody has looked for these yet (make bugs): {left:#?}"
    );
    let unknown = table.unknown(&bugs);
    assert!(unknown.is_empty(), "tests/BUGS.md has more: {unknown:#?}");
}

/// A test that was renamed or deleted since notices nothing.
#[test]
fn every_test_that_noticed_a_bug_is_still_there() {
    let table = Table::read(&root());
    let mut sources = String::new();
    for folder in ["src", "tests/simulation"] {
        read_all(&root().join(folder), &mut sources).unwrap();
    }
    let bugs = seeded_bugs::all(&root()).unwrap();
    let named = bugs
        .iter()
        .filter_map(|bug| table.noticed(bug)?.strip_prefix('`'));
    let named: BTreeSet<_> = named.filter_map(|row| row.split('`').next()).collect();
    let is_there = |test: &&&str| {
        let name = test.rsplit("::").next().unwrap_or_default();
        sources.contains(&format!("fn {name}("))
    };
    assert!(named.len() > 10, "{named:?}");
    let lost: Vec<_> = named.iter().filter(|test| !is_there(test)).collect();
    assert!(
        lost.is_empty(),
        "tests/BUGS.md names tests that are gone: {lost:#?}"
    );
}

fn read_all(folder: &Path, into: &mut String) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            read_all(&path, into)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push_str(&std::fs::read_to_string(path)?);
        }
    }
    Ok(())
}
