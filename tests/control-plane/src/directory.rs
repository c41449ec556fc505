use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};

use crate::Error;

/// A folder for one control plane's data, logs and credentials. It is removed when this is dropped, except in a panic, whose reason may
/// be in the logs. What a panic or a killed process left is removed when the next control plane starts.
#[derive(Debug)]
pub(crate) struct Directory {
    path: PathBuf,
    /// Locked as long as the owner lives: the system lets go of it when the process ends.
    _owner: File,
}

impl Directory {
    /// Makes a folder inside of `parent`, and removes those there whose owner is gone.
    pub(crate) fn create(parent: &Path) -> Result<Self, Error> {
        fs::create_dir_all(parent).map_err(Error::file("create", parent))?;
        // Nobody may remove a folder between its creation and its lock.
        let guard = lock_file(&parent.join("lock"))?;
        guard.lock().map_err(Error::file("lock", parent))?;
        remove_abandoned(parent)?;
        let path = (0..u32::MAX)
            .map(|number| parent.join(format!("{}-{number}", std::process::id())))
            .find(|path| !path.exists())
            .ok_or_else(|| {
                Error::file("find a free name in", parent)(std::io::ErrorKind::AlreadyExists.into())
            })?;
        fs::create_dir(&path).map_err(Error::file("create", &path))?;
        let owner = lock_file(&owner_file(&path))?;
        owner.lock().map_err(Error::file("lock", &path))?;
        Ok(Self {
            path,
            _owner: owner,
        })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            // What can't be removed now, the next start tries again.
            drop(fs::remove_dir_all(&self.path));
        }
    }
}

fn remove_abandoned(parent: &Path) -> Result<(), Error> {
    let folders = fs::read_dir(parent)
        .map_err(Error::file("read", parent))?
        .flatten()
        .map(|entry| entry.path());
    for folder in folders.filter(|path| path.is_dir()) {
        // A folder without an owner file is that of someone who was killed in between, since the guard is ours.
        let owned = File::open(owner_file(&folder)).is_ok_and(|owner| owner.try_lock().is_err());
        if !owned {
            // A server of the killed owner may still be writing into it for a moment; then the next start removes it.
            drop(fs::remove_dir_all(&folder));
        }
    }
    Ok(())
}

fn lock_file(path: &Path) -> Result<File, Error> {
    OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .map_err(Error::file("open", path))
}

fn owner_file(folder: &Path) -> PathBuf {
    folder.join("owner")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An API server's data takes 130 MB, and a test run that is killed can't remove it.
    #[test]
    fn folders_of_the_dead_are_removed_and_those_of_the_living_kept() {
        let parent =
            std::env::temp_dir().join(format!("control-plane-directory-{}", std::process::id()));
        let living = Directory::create(&parent).unwrap();
        let abandoned = parent.join("999999-0");
        fs::create_dir(&abandoned).unwrap();
        fs::write(owner_file(&abandoned), "").unwrap();
        let half_made = parent.join("999999-1");
        fs::create_dir(&half_made).unwrap();

        let next = Directory::create(&parent).unwrap();
        assert!(living.path().is_dir() && next.path().is_dir());
        assert_ne!(living.path(), next.path());
        assert!(!abandoned.exists() && !half_made.exists());

        let path = living.path().to_owned();
        drop(living);
        assert!(!path.exists());
        drop(next);
        fs::remove_dir_all(&parent).unwrap();
    }
}
