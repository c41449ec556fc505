//! Which test covers which fault. `FAULTS=write` in the environment writes the table anew.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fault {
    number: u32,
    what: String,
    waits: Option<String>,
}

/// A test that covers faults.
struct Cover {
    test: String,
    rules: String,
}

#[test]
fn every_fault_has_a_test_and_the_table_says_which() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let list = std::fs::read_to_string(root.join("tests/faults.yaml")).unwrap();
    let faults: Vec<Fault> = serde_saphyr::from_str(&list).unwrap();
    let numbers: Vec<u32> = faults.iter().map(|fault| fault.number).collect();
    assert_eq!(numbers, (1..=49).collect::<Vec<_>>(), "none is left out");
    let mut covers: BTreeMap<u32, Vec<Cover>> = BTreeMap::new();
    for file in sources(&root) {
        read(&root, &file, &mut covers);
    }
    let mut table = String::from(
        "# What can go wrong, and the test that shows that it does not matter\n\n\
         Made from `tests/faults.yaml` and from the lines `Fault 7. R3.` above the tests; rules are those of the design.\n\n\
         | # | Fault | Rules | Tests |\n|---|---|---|---|\n",
    );
    let mut bare = Vec::new();
    for Fault {
        number,
        what,
        waits,
    } in &faults
    {
        let found = covers.remove(number).unwrap_or_default();
        if found.is_empty() && waits.is_none() {
            bare.push(format!("{number}: {what}"));
        }
        assert!(
            found.is_empty() || waits.is_none(),
            "fault {number} has a test and waits for nothing any more"
        );
        let mut rules: Vec<&str> = found
            .iter()
            .flat_map(|cover| cover.rules.split(", "))
            .collect();
        rules.sort_unstable();
        rules.dedup();
        let tests: Vec<_> = found
            .iter()
            .map(|cover| format!("`{}`", cover.test))
            .collect();
        let tests = match waits {
            Some(what) => format!("waits {what}"),
            None => tests.join("<br>"),
        };
        writeln!(
            table,
            "| {number} | {what} | {} | {tests} |",
            rules.join(", ")
        )
        .unwrap();
    }
    assert!(bare.is_empty(), "no test covers these faults: {bare:#?}");
    let unknown: Vec<_> = covers.keys().collect();
    assert!(
        unknown.is_empty(),
        "tests name faults that tests/faults.yaml does not know: {unknown:?}"
    );
    let path = root.join("tests/FAULTS.md");
    if std::env::var_os("FAULTS").is_some_and(|what| what == "write") {
        std::fs::write(&path, &table).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == table,
        "tests/FAULTS.md is not what the tests say: write it anew with FAULTS=write"
    );
}

/// All our Rust files that have tests.
fn sources(root: &Path) -> Vec<PathBuf> {
    let (mut folders, mut files) = (vec![root.join("src"), root.join("tests")], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

/// Finds the tests of a file that cover faults: `/// Faults 1, 2. R3, R4.` and then `fn name(`.
fn read(root: &Path, file: &Path, covers: &mut BTreeMap<u32, Vec<Cover>>) {
    let text = std::fs::read_to_string(file).unwrap();
    let place = file.strip_prefix(root).unwrap().display().to_string();
    let mut pending: Option<(Vec<u32>, String)> = None;
    let mut attributes: Vec<&str> = Vec::new();
    for line in text.lines().map(str::trim) {
        let marker = line
            .strip_prefix("/// Faults ")
            .or_else(|| line.strip_prefix("/// Fault "));
        if let Some((numbers, rules)) = marker.and_then(|marker| marker.split_once(". ")) {
            let numbers: Result<Vec<u32>, _> = numbers.split(", ").map(str::parse).collect();
            if let Ok(numbers) = numbers {
                let rules = rules.trim_end_matches('.').to_owned();
                let is_rule = |rule: &str| {
                    let number = rule.strip_prefix(['R', 'L']);
                    number.is_some_and(|number| number.parse::<u8>().is_ok())
                };
                assert!(rules.split(", ").all(is_rule), "not rules alone: {line}");
                pending = Some((numbers, rules));
            }
        }
        if line.starts_with("#[") {
            attributes.push(line);
        }
        let name = line
            .strip_prefix("async fn ")
            .or_else(|| line.strip_prefix("fn "))
            .and_then(|rest| rest.split_once('('));
        let Some((name, _)) = name else { continue };
        let attributes = std::mem::take(&mut attributes);
        if let Some((numbers, rules)) = pending.take() {
            let is_run = attributes.iter().any(|one| one.contains("test"))
                && !attributes.iter().any(|one| one.starts_with("#[ignore"));
            assert!(is_run, "{place}: {name} is no test that is run");
            for number in numbers {
                covers.entry(number).or_default().push(Cover {
                    test: format!("{place}: {name}"),
                    rules: rules.clone(),
                });
            }
        }
    }
    assert!(
        pending.is_none(),
        "{place} names faults and no test follows"
    );
}
