//! Bugs that are put into the program, one at a time, to see which test notices. A test that notices
//! none of them would be no test.

pub mod table;
pub mod tree;
pub mod trial;

use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

/// One bug.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bug {
    /// What the program does wrong.
    #[serde(rename = "bug")]
    pub name: String,
    /// Who has shipped such a bug.
    pub like: Option<String>,
    /// What to change for it.
    pub changes: Vec<Change>,
}

/// A change of one file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Change {
    /// Its path from the root of the repository.
    pub file: String,
    /// What stands in it, once.
    pub before: String,
    /// What stands there instead.
    pub after: String,
}

/// All bugs, from `bugs.yaml`.
///
/// # Errors
/// If the list can't be read.
pub fn all(root: &Path) -> Result<Vec<Bug>> {
    let path = root.join("tests/seeded-bugs/bugs.yaml");
    let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    serde_saphyr::from_str(&text).with_context(|| path.display().to_string())
}

impl Change {
    /// The file with the change made.
    ///
    /// # Errors
    /// If what is to be changed is not there, or more than once.
    pub fn made_in(&self, text: &str) -> Result<String> {
        let found = text.matches(&self.before).count();
        ensure!(
            found == 1,
            "{} has this {found} times and not once: {}",
            self.file,
            self.before
        );
        Ok(text.replacen(&self.before, &self.after, 1))
    }
}

impl Bug {
    /// The files with the bug in them, each with its path.
    ///
    /// # Errors
    /// If a change can't be made.
    pub fn made_in(&self, root: &Path) -> Result<Vec<(String, String)>> {
        let mut files: Vec<(String, String)> = Vec::new();
        for change in &self.changes {
            let known = files.iter().position(|(file, _)| *file == change.file);
            let text = match known {
                Some(at) => files.swap_remove(at).1,
                None => std::fs::read_to_string(root.join(&change.file))
                    .with_context(|| change.file.clone())?,
            };
            let changed = change.made_in(&text).with_context(|| self.name.clone())?;
            files.push((change.file.clone(), changed));
        }
        Ok(files)
    }
}
