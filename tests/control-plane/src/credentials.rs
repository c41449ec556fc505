use std::fs;
use std::hash::{BuildHasher, RandomState};
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::{Error, User};

/// The users of one control plane: their tokens and their kubeconfig files.
#[derive(Debug)]
pub(crate) struct Credentials {
    directory: PathBuf,
    users: Vec<(User, String)>,
}

impl Credentials {
    /// Gives each user a token of this control plane's own, so that a client can't talk to another one by mistake.
    pub(crate) fn create(directory: &Path, users: Vec<User>) -> Result<Self, Error> {
        let random = RandomState::new();
        let token = |index: usize| {
            format!(
                "{:016x}{:016x}",
                random.hash_one(index),
                random.hash_one((index, "token"))
            )
        };
        let users = users
            .into_iter()
            .enumerate()
            .map(|(index, user)| (user, token(index)))
            .collect();
        let credentials = Self {
            directory: directory.to_owned(),
            users,
        };
        let lines: String = credentials
            .users
            .iter()
            .map(|(user, token)| token_line(user, token))
            .collect();
        let file = credentials.token_file();
        fs::write(&file, lines).map_err(Error::file("write", file))?;
        Ok(credentials)
    }

    /// For `--token-auth-file`.
    pub(crate) fn token_file(&self) -> PathBuf {
        self.directory.join("tokens.csv")
    }

    /// Writes all kubeconfig files, for the server at `url` that has a certificate of `authority`.
    pub(crate) fn write_kubeconfigs(&self, url: &str, authority: &Path) -> Result<(), Error> {
        self.users.iter().enumerate().try_for_each(|(index, (user, token))| {
            // JSON is YAML too.
            let kubeconfig = json!({
                "apiVersion": "v1",
                "kind": "Config",
                "clusters": [{"name": "control-plane", "cluster": {"server": url, "certificate-authority": authority}}],
                "users": [{"name": user.name, "user": {"token": token}}],
                "contexts": [{"name": user.name, "context": {"cluster": "control-plane", "user": user.name}}],
                "current-context": user.name,
            });
            let path = self.path(index);
            fs::write(&path, format!("{kubeconfig:#}\n")).map_err(Error::file("write", path))
        })
    }

    /// The kubeconfig file of a user.
    pub(crate) fn kubeconfig(&self, name: &str) -> Result<PathBuf, Error> {
        let index = self
            .users
            .iter()
            .position(|(user, _)| user.name == name)
            .ok_or_else(|| Error::UnknownUser {
                name: name.to_owned(),
                known: self
                    .users
                    .iter()
                    .map(|(user, _)| user.name.clone())
                    .collect(),
            })?;
        Ok(self.path(index))
    }

    /// By number, because the colons of `system:serviceaccount:...` would separate files in KUBECONFIG.
    fn path(&self, index: usize) -> PathBuf {
        self.directory.join(format!("user-{index}.kubeconfig"))
    }
}

/// `token,user,uid,"group,group"`.
fn token_line(user: &User, token: &str) -> String {
    let quoted = |field: &str| format!("\"{}\"", field.replace('"', "\"\""));
    format!(
        "{token},{name},{name},{groups}\n",
        name = quoted(&user.name),
        groups = quoted(&user.groups.join(","))
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_line_keeps_groups_together() {
        let user = User::service_account("breakglass", "controller");
        assert_eq!(
            token_line(&user, "t"),
            "t,\"system:serviceaccount:breakglass:controller\",\"system:serviceaccount:breakglass:controller\",\
             \"system:serviceaccounts,system:serviceaccounts:breakglass\"\n"
        );
    }
}
