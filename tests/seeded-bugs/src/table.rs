//! `tests/BUGS.md`: who noticed which bug.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::Bug;
use crate::trial::Verdict;

const HEAD: &str = "\
# Bugs, and who notices them

Each was put into the program and looked for by sixty random stories of the simulation, in their order from seed 0 on; where
none of these broke a rule, by the stories about one fault, a crowd or one short life; then by the tests of the library; then by
those about a crash, or about a pause; then by those about two crashes. The first who noticed is named, or, where somebody had a
guess who would, that test, which was asked first and noticed. A row without a name was not looked for yet. `make bugs` writes
this anew; the bugs are in `seeded-bugs/bugs.yaml`.

| Bug | Shipped by | Noticed by |
|---|---|---|
";

/// What is known of each bug, by its name.
#[derive(Debug, Default)]
pub struct Table(BTreeMap<String, String>);

fn path(root: &Path) -> PathBuf {
    root.join("tests/BUGS.md")
}

impl Table {
    /// What was found before. Empty if nothing has been.
    pub fn read(root: &Path) -> Self {
        let text = std::fs::read_to_string(path(root)).unwrap_or_default();
        let rows = text.lines().filter_map(|line| {
            let mut cells = line.strip_prefix("| ")?.strip_suffix(" |")?.split(" | ");
            Some((cells.next()?.to_owned(), cells.nth(1)?.to_owned()))
        });
        let looked_for = rows.filter(|(bug, noticed)| bug != "Bug" && !noticed.is_empty());
        Self(looked_for.collect())
    }

    /// Takes down who noticed a bug.
    pub fn put(&mut self, bug: &Bug, verdict: &Verdict) {
        self.0.insert(bug.name.clone(), told(verdict));
    }

    /// Who noticed that bug, if anybody ever did.
    pub fn noticed(&self, bug: &Bug) -> Option<&str> {
        let noticed = self.0.get(&bug.name)?;
        (noticed != NOBODY).then_some(noticed)
    }

    /// Whether it was looked for, and nobody noticed.
    pub fn is_unnoticed(&self, bug: &Bug) -> bool {
        self.0
            .get(&bug.name)
            .is_some_and(|noticed| noticed == NOBODY)
    }

    /// Writes the rows of these bugs, in their order.
    ///
    /// # Errors
    /// If the file can't be written.
    pub fn write(&self, root: &Path, bugs: &[Bug]) -> Result<()> {
        let mut text = HEAD.to_owned();
        for bug in bugs {
            let like = bug.like.as_deref().unwrap_or_default();
            let noticed = self.0.get(&bug.name).map_or("", String::as_str);
            writeln!(text, "| {} | {like} | {noticed} |", bug.name)?;
        }
        std::fs::write(path(root), text)?;
        Ok(())
    }

    /// Bugs that it names and nobody knows any more.
    pub fn unknown(&self, bugs: &[Bug]) -> Vec<&str> {
        let known = |name: &str| bugs.iter().any(|bug| bug.name == name);
        let names = self.0.keys().map(String::as_str);
        names.filter(|name| !known(name)).collect()
    }
}

const NOBODY: &str = "**nobody**";

/// The verdict in words.
pub fn told(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Story { rule, after: 1 } => format!("{rule}, in the first story"),
        Verdict::Story { rule, after } => format!("{rule}, after {after} stories"),
        Verdict::Tests { of, first, failed } => match failed {
            1 => format!("`{first}` ({of})"),
            more => format!("`{first}` and {} more ({of})", more - 1),
        },
        Verdict::Endless => "the tests: they never end".to_owned(),
        Verdict::Nobody => NOBODY.to_owned(),
    }
}
