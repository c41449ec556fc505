/// What a control plane is started with. `admin`, of the group `system:masters`, is always there.
#[derive(Clone, Debug, Default)]
pub struct Options {
    pub(crate) users: Vec<User>,
    pub(crate) api_server_arguments: Vec<String>,
}

/// Someone the API server knows by a token. The server adds the group `system:authenticated` itself.
#[derive(Clone, Debug)]
pub struct User {
    pub(crate) name: String,
    pub(crate) groups: Vec<String>,
}

impl Options {
    /// Adds a user.
    #[must_use]
    pub fn user(mut self, user: User) -> Self {
        self.users.push(user);
        self
    }

    /// Adds an argument for kube-apiserver, such as `--audit-log-path=...`.
    #[must_use]
    pub fn api_server_argument(mut self, argument: impl Into<String>) -> Self {
        self.api_server_arguments.push(argument.into());
        self
    }
}

impl User {
    /// A person of these groups, who may do what RBAC rules for them say: at first nothing.
    pub fn new(
        name: impl Into<String>,
        groups: impl IntoIterator<Item = impl Into<String>>,
    ) -> Self {
        Self {
            name: name.into(),
            groups: groups.into_iter().map(Into::into).collect(),
        }
    }

    /// Who a pod with this service account is to the API server: the user `system:serviceaccount:NAMESPACE:NAME`. The service
    /// account object itself need not exist.
    pub fn service_account(namespace: &str, name: &str) -> Self {
        Self::new(
            format!("system:serviceaccount:{namespace}:{name}"),
            [
                "system:serviceaccounts".to_owned(),
                format!("system:serviceaccounts:{namespace}"),
            ],
        )
    }

    pub(crate) fn admin() -> Self {
        Self::new("admin", ["system:masters"])
    }
}
