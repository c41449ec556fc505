use std::path::{Path, PathBuf};

use crate::Error;

/// Where etcd, kube-apiserver and the others are.
#[derive(Debug)]
pub(crate) struct Programs {
    folders: Vec<PathBuf>,
}

impl Programs {
    /// First the folder that `KUBEBUILDER_ASSETS` names, then what `tests/control-plane/build` makes.
    pub(crate) fn from_environment() -> Self {
        let given = std::env::var_os("KUBEBUILDER_ASSETS")
            .filter(|folder| !folder.is_empty())
            .map(PathBuf::from);
        Self {
            folders: given.into_iter().chain([target().join("bin")]).collect(),
        }
    }

    pub(crate) fn find(&self, program: &str) -> Result<PathBuf, Error> {
        self.folders
            .iter()
            .map(|folder| folder.join(program))
            .find(|path| path.is_file())
            .ok_or_else(|| Error::MissingProgram {
                program: program.to_owned(),
                looked_in: self.folders.clone(),
            })
    }
}

/// `target/control-plane` of the workspace.
pub(crate) fn target() -> PathBuf {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .unwrap_or(Path::new("."));
    workspace.join("target").join("control-plane")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first thing that someone sees who runs the tests on a new machine.
    #[test]
    fn a_missing_program_says_how_to_get_it() {
        let programs = Programs {
            folders: vec![
                PathBuf::from("/nonexistent/a"),
                PathBuf::from("/nonexistent/b"),
            ],
        };
        let error = programs.find("etcd").unwrap_err();
        assert_eq!(
            error.to_string(),
            "etcd is in none of /nonexistent/a, /nonexistent/b: run `make control-plane`"
        );
    }
}
