//! A copy of the repository to put bugs into.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::Bug;

/// A copy of all files that git knows or would take.
#[derive(Debug)]
pub struct Tree {
    /// Its root.
    pub root: PathBuf,
}

impl Tree {
    /// Copies the repository, as it stands on disk, to `root`.
    ///
    /// # Errors
    /// If a file can't be read or written.
    pub fn copy(original: &Path, root: PathBuf) -> Result<Self> {
        if root.exists() {
            std::fs::remove_dir_all(&root).with_context(|| root.display().to_string())?;
        }
        let listed = Command::new("git")
            .args([
                "ls-files",
                "--cached",
                "--others",
                "--exclude-standard",
                "-z",
            ])
            .current_dir(original)
            .output()
            .context("git is needed to list the files")?;
        ensure!(
            listed.status.success(),
            "git ls-files: {}",
            String::from_utf8_lossy(&listed.stderr)
        );
        for file in String::from_utf8(listed.stdout)?.split_terminator('\0') {
            let from = original.join(file);
            // Deleted, and git has not been told.
            if !from.is_file() {
                continue;
            }
            let to = root.join(file);
            if let Some(folder) = to.parent() {
                std::fs::create_dir_all(folder)?;
            }
            std::fs::copy(&from, &to).with_context(|| file.to_owned())?;
        }
        Ok(Self { root })
    }

    /// Puts the bug into the copy for as long as `work` takes.
    ///
    /// # Errors
    /// If a change can't be made, and the error of `work`.
    pub fn with<T>(&self, bug: &Bug, work: impl FnOnce() -> Result<T>) -> Result<T> {
        let files = bug.made_in(&self.root)?;
        let sound: Vec<_> = files
            .iter()
            .map(|(file, _)| std::fs::read(self.root.join(file)))
            .collect::<Result<_, _>>()?;
        for (file, text) in &files {
            std::fs::write(self.root.join(file), text)?;
        }
        let result = work();
        for ((file, _), text) in files.iter().zip(sound) {
            std::fs::write(self.root.join(file), text)?;
        }
        result
    }
}
