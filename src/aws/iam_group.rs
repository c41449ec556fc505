//! Membership of an IAM user in an IAM group.
//!
//! IAM's calls take names, ignore their case, and names are re-used and changed. So before every
//! write, and with every reading, the unique ids are compared (IAM user guide, "IAM identifiers").

use std::collections::BTreeMap;

use aws_sdk_iam::types::{Group, Tag, User};
use jiff::Timestamp;

use super::calls::{Calls, HasList, Pages, id};
use super::credentials::{Role, Roles};
use super::desk::{DeskKey, Service};
use super::error::{Class, Error};
use super::identity_center::exact;
use super::outcome::{Cleared, LONGEST_SESSION_SECONDS, Outcome, ResolveError, Resolved, Seen};
use crate::api::access::Operation;
use crate::api::tuple::{IamGroup, Tuple};

/// Groups of IAM, in the accounts that we look after.
#[derive(Debug)]
pub(super) struct IamGroups {
    calls: Calls,
    environment: std::sync::Arc<Role>,
    /// Empty: the account of the environment's credentials.
    accounts: BTreeMap<String, Roles>,
}

impl IamGroups {
    pub(super) fn new(
        calls: Calls,
        environment: std::sync::Arc<Role>,
        accounts: BTreeMap<String, Roles>,
    ) -> Self {
        Self {
            calls,
            environment,
            accounts,
        }
    }

    pub(super) fn desk_key(account: &str) -> DeskKey {
        DeskKey {
            scope: account.to_owned(),
            service: Service::Iam,
        }
    }

    /// The accounts with roles of their own.
    pub(super) fn accounts(&self) -> impl Iterator<Item = (&String, &Roles)> {
        self.accounts.iter()
    }

    /// The roles for an account; none if it is not ours to look after.
    fn roles(&self, account: &str) -> Option<Roles> {
        if self.accounts.is_empty() {
            let environment = &self.environment;
            return Some(Roles {
                granter: environment.clone(),
                reaper: environment.clone(),
            });
        }
        self.accounts.get(account).cloned()
    }

    /// A client for reads, once its credentials are proved to belong to the account.
    async fn reader(&self, account: &str) -> Result<aws_sdk_iam::Client, Error> {
        let roles = self.managed(account)?;
        roles.reaper.prove(&self.calls, account).await?;
        Ok(roles.reaper.reads.iam().clone())
    }

    fn managed(&self, account: &str) -> Result<Roles, Error> {
        self.roles(account).ok_or_else(|| {
            Error::new("iam", Class::Denied, format!("account {account} is not among iamAccounts in the configuration file; add it there"))
        })
    }

    pub(super) async fn resolve(
        &self,
        user: &str,
        account: &str,
        name: &str,
    ) -> Result<Resolved, ResolveError> {
        let not_managed = || {
            let message = format!(
                "account {account} is not one whose IAM groups this controller looks after; add it to iamAccounts in its configuration file"
            );
            ResolveError::stalled("AccountNotManaged", message)
        };
        if self.accounts.is_empty() && self.environment.account(&self.calls).await? != account {
            return Err(not_managed());
        }
        if self.roles(account).is_none() {
            return Err(not_managed());
        }
        // IAM calls other names invalid, and has nobody who bears one.
        let found = if is_iam_name(user) {
            self.user(account, user).await?
        } else {
            None
        };
        let Some((user_id, spelled)) = found else {
            return Err(ResolveError::stalled(
                "UserNotFound",
                format!("there is no IAM user {user} in account {account}"),
            ));
        };
        exact("IAM user", user, &spelled)?;
        let Some((group_id, spelled)) = self.group(account, name).await? else {
            return Err(ResolveError::stalled(
                "GroupNotFound",
                format!("there is no IAM group {name} in account {account}"),
            ));
        };
        exact("IAM group", name, &spelled)?;
        let tuple = IamGroup {
            account: account.to_owned(),
            group_id,
            group: name.to_owned(),
            user_id,
            user: user.to_owned(),
        };
        Ok(Resolved {
            tuple: Tuple::IamGroup(tuple),
            managed_elsewhere: false,
        })
    }

    /// Id and name of the user of that name, as IAM spells it.
    async fn user(&self, account: &str, name: &str) -> Result<Option<(String, String)>, Error> {
        const OPERATION: &str = "iam:GetUser";
        let send = self
            .reader(account)
            .await?
            .get_user()
            .user_name(name)
            .send();
        match self
            .calls
            .read(&Self::desk_key(account), OPERATION, send)
            .await
        {
            Ok(answer) => {
                let user = answer.user();
                let told = id(OPERATION, user.map(User::user_id))?;
                let name = id(OPERATION, user.map(User::user_name))?;
                Ok(Some((told, name)))
            }
            Err(error) if error.is_gone() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Id and name of the group of that name, as IAM spells it.
    async fn group(&self, account: &str, name: &str) -> Result<Option<(String, String)>, Error> {
        const OPERATION: &str = "iam:GetGroup";
        let send = self
            .reader(account)
            .await?
            .get_group()
            .group_name(name)
            .max_items(1)
            .send();
        match self
            .calls
            .read(&Self::desk_key(account), OPERATION, send)
            .await
        {
            Ok(answer) => {
                let group = answer.group();
                let told = id(OPERATION, group.map(Group::group_id))?;
                let name = id(OPERATION, group.map(Group::group_name))?;
                Ok(Some((told, name)))
            }
            Err(error) if error.is_gone() => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(super) async fn read(&self, tuple: &IamGroup) -> Result<Seen, Error> {
        let Some(user) = self.user_now(tuple).await? else {
            return Ok(Seen::Gone(format!(
                "IAM user {} ({}) is no longer in account {}",
                tuple.user, tuple.user_id, tuple.account
            )));
        };
        if self.membership(tuple, &user).await?.is_some() {
            return Ok(Seen::Present {
                // Of a role that the member assumed: it outlives the membership.
                session_seconds: Some(LONGEST_SESSION_SECONDS),
            });
        }
        match self.group(&tuple.account, &tuple.group).await? {
            Some((id, _)) if id == tuple.group_id => Ok(Seen::Absent),
            _ => Ok(Seen::Gone(format!(
                "IAM group {} ({}) is no longer in account {}",
                tuple.group, tuple.group_id, tuple.account
            ))),
        }
    }

    /// The name that the pinned user goes by now; none if the id exists under no name. A rename ends
    /// no membership.
    async fn user_now(&self, tuple: &IamGroup) -> Result<Option<String>, Error> {
        const LIST: &str = "iam:ListUsers";
        if let Some((id, name)) = self.user(&tuple.account, &tuple.user).await?
            && id == tuple.user_id
        {
            return Ok(Some(name));
        }
        let mut pages = Pages::of(LIST);
        loop {
            let send = self
                .reader(&tuple.account)
                .await?
                .list_users()
                .max_items(1000)
                .set_marker(pages.mark())
                .customize()
                .interceptor(HasList("Users"))
                .send();
            let page = self
                .calls
                .read(&Self::desk_key(&tuple.account), LIST, send)
                .await?;
            for user in page.users() {
                if id(LIST, Some(user.user_id()))? == tuple.user_id {
                    return id(LIST, Some(user.user_name())).map(Some);
                }
            }
            if !turned(&mut pages, LIST, page.is_truncated, page.marker)? {
                return Ok(None);
            }
        }
    }

    /// The name that the pinned group goes by now, where a user of that name is in it.
    async fn membership(&self, tuple: &IamGroup, user: &str) -> Result<Option<String>, Error> {
        const OPERATION: &str = "iam:ListGroupsForUser";
        let mut pages = Pages::of(OPERATION);
        loop {
            let send = self
                .reader(&tuple.account)
                .await?
                .list_groups_for_user()
                .user_name(user)
                .set_marker(pages.mark())
                .customize()
                .interceptor(HasList("Groups"))
                .send();
            let page = self
                .calls
                .read(&Self::desk_key(&tuple.account), OPERATION, send)
                .await?;
            for group in page.groups() {
                if id(OPERATION, Some(group.group_id()))? == tuple.group_id {
                    return id(OPERATION, Some(group.group_name())).map(Some);
                }
            }
            if !turned(&mut pages, OPERATION, page.is_truncated, page.marker)? {
                return Ok(None);
            }
        }
    }

    /// Whether user and group still go by the pinned names. Asked right before a write.
    async fn same_names(&self, tuple: &IamGroup) -> Result<bool, Error> {
        let group = self.group(&tuple.account, &tuple.group).await?;
        let user = self.user(&tuple.account, &tuple.user).await?;
        Ok(group.is_some_and(|(id, _)| id == tuple.group_id)
            && user.is_some_and(|(id, _)| id == tuple.user_id))
    }

    pub(super) async fn create(&self, tuple: &IamGroup, cleared: Cleared) -> Outcome {
        const OPERATION: &str = "iam:AddUserToGroup";
        let client = match self.writer(tuple, Operation::Create).await {
            Ok(client) => client,
            Err(error) => return Outcome::Failed(error), // Nothing was sent.
        };
        match self.same_names(tuple).await {
            Ok(true) => {}
            Ok(false) => {
                let message = "user or group now belong to other ids than when access was claimed";
                return Outcome::Failed(Error::new(OPERATION, Class::Gone, message));
            }
            Err(error) => return Outcome::Failed(error),
        }
        let send = client
            .add_user_to_group()
            .user_name(&tuple.user)
            .group_name(&tuple.group);
        let key = Self::desk_key(&tuple.account);
        match self
            .calls
            .write(&key, OPERATION, (cleared, Operation::Create), |check| {
                send.customize().interceptor(check).send()
            })
            .await
        {
            Ok(answer) => Outcome::Succeeded {
                request_id: request_id(&answer),
            },
            Err(Outcome::Failed(mut error)) if error.class == Class::Quota => {
                error.message = format!(
                    "{} (a user can be in 10 IAM groups; take {} out of one)",
                    error.message, tuple.user
                );
                Outcome::Failed(error)
            }
            Err(outcome) => outcome,
        }
    }

    pub(super) async fn delete(&self, tuple: &IamGroup, cleared: Cleared) -> Outcome {
        let client = match self.writer(tuple, Operation::Delete).await {
            Ok(client) => client,
            Err(error) => return Outcome::Failed(error), // Nothing was sent.
        };
        let (user, group) = match self.names_to_remove(tuple).await {
            Ok(Some(names)) => names,
            Ok(None) => return Outcome::Succeeded { request_id: None },
            Err(error) => return Outcome::Failed(error),
        };
        let send = client
            .remove_user_from_group()
            .user_name(user)
            .group_name(group);
        let key = Self::desk_key(&tuple.account);
        match self
            .calls
            .write(
                &key,
                "iam:RemoveUserFromGroup",
                (cleared, Operation::Delete),
                |check| send.customize().interceptor(check).send(),
            )
            .await
        {
            Ok(answer) => Outcome::Succeeded {
                request_id: request_id(&answer),
            },
            Err(outcome) => outcome.or_gone(),
        }
    }

    /// The names by which the pinned user is to be taken out of the pinned group; none where there is
    /// nothing to take out. Whoever else bears the pinned names now is a stranger.
    async fn names_to_remove(&self, tuple: &IamGroup) -> Result<Option<(String, String)>, Error> {
        if self.same_names(tuple).await? {
            return Ok(Some((tuple.user.clone(), tuple.group.clone())));
        }
        let Some(user) = self.user_now(tuple).await? else {
            return Ok(None);
        };
        let group = self.membership(tuple, &user).await?;
        Ok(group.map(|group| (user, group)))
    }

    /// A client for writes, once its credentials are proved to belong to the account.
    async fn writer(
        &self,
        tuple: &IamGroup,
        operation: Operation,
    ) -> Result<aws_sdk_iam::Client, Error> {
        let roles = self.managed(&tuple.account)?;
        let role = match operation {
            Operation::Create => roles.granter,
            Operation::Delete => roles.reaper,
        };
        role.prove(&self.calls, &tuple.account).await?;
        Ok(role.writes.iam().clone())
    }

    /// Puts a tag on the user that says which membership is ours and when it ends. For people and
    /// for recovery; it decides nothing. None where there is no such user.
    pub(super) async fn mark(&self, tuple: &IamGroup, expiry: Timestamp) -> Option<Outcome> {
        const OPERATION: &str = "iam:TagUser";
        let tag = Tag::builder()
            .key(tag_key(&tuple.group))
            .value(expiry.to_string())
            .build();
        let (client, user, tag) = match (self.tagger(tuple, Operation::Create).await, tag) {
            (Ok((client, user)), Ok(tag)) => (client, user?, tag),
            (Err(error), _) => return Some(Outcome::Failed(error)),
            (_, Err(error)) => {
                let error = Error::new(OPERATION, Class::Invalid, error.to_string());
                return Some(Outcome::Failed(error));
            }
        };
        let send = client.tag_user().user_name(user).tags(tag).send();
        let answer = self
            .calls
            .note(&Self::desk_key(&tuple.account), OPERATION, send)
            .await;
        Some(
            answer.map_or_else(Outcome::from, |answer| Outcome::Succeeded {
                request_id: request_id(&answer),
            }),
        )
    }

    /// Takes the tag off. None where there is no such user.
    pub(super) async fn unmark(&self, tuple: &IamGroup) -> Option<Outcome> {
        let (client, user) = match self.tagger(tuple, Operation::Delete).await {
            Ok((client, user)) => (client, user?),
            Err(error) => return Some(Outcome::Failed(error)),
        };
        let send = client
            .untag_user()
            .user_name(user)
            .tag_keys(tag_key(&tuple.group))
            .send();
        let answer = self
            .calls
            .note(&Self::desk_key(&tuple.account), "iam:UntagUser", send)
            .await;
        Some(
            answer.map_or_else(Outcome::from, |answer| Outcome::Succeeded {
                request_id: request_id(&answer),
            }),
        )
    }

    /// A client for writes, and the name of the pinned user: tags of a stranger are left alone.
    async fn tagger(
        &self,
        tuple: &IamGroup,
        operation: Operation,
    ) -> Result<(aws_sdk_iam::Client, Option<String>), Error> {
        let client = self.writer(tuple, operation).await?;
        Ok((client, self.user_now(tuple).await?))
    }
}

/// Turns to the next page of a listing; false where there is none. One that says that there is more,
/// and not where, has not come to its end.
fn turned(
    pages: &mut Pages,
    operation: &'static str,
    more: bool,
    marker: Option<String>,
) -> Result<bool, Error> {
    if pages.turn(marker)? {
        return Ok(true);
    }
    if more {
        return Err(Error::senseless(operation, "more, but no way to it"));
    }
    Ok(false)
}

/// Whether IAM has users and groups of such a name (IAM API reference, `GetUser`, `UserName`).
fn is_iam_name(name: &str) -> bool {
    name.chars()
        .all(|c| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c))
}

/// Key of the marker tag. A key may have 128 characters of letters, digits, space and `_.:/=+-@`
/// (IAM user guide, "Tags for IAM resources"); a group's name may have a comma, and be as long.
fn tag_key(group: &str) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || " _.:/=+-@".contains(c);
    let key = format!("breakglass:{group}");
    if key.len() <= 128 && group.chars().all(fits) {
        return key;
    }
    let hash = crate::digest::of(16, [group]);
    format!("breakglass:sha256:{hash}")
}

fn request_id(answer: &impl aws_sdk_iam::operation::RequestId) -> Option<String> {
    answer.request_id().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::tag_key;
    use crate::hostile::{cases, text};

    proptest! {
        #![proptest_config(cases(300))]

        /// IAM user guide, "Rules for tagging in IAM": what a key may hold; `aws:` is not ours to use.
        #[test]
        fn any_group_has_a_tag_of_its_own(a in text(), b in text()) {
            let key = tag_key(&a);
            let allowed = |c: char| c.is_ascii_alphanumeric() || " _.:/=+-@".contains(c);
            prop_assert!(key.chars().count() <= 128 && key.chars().all(allowed), "{:?}", key);
            prop_assert!(key.starts_with("breakglass:"));
            prop_assert_eq!(key == tag_key(&b), a == b);
        }
    }

    #[test]
    fn marker_tags_fit_what_iam_allows() {
        assert_eq!(
            tag_key("ProdMemberWorkGroup"),
            "breakglass:ProdMemberWorkGroup"
        );
        assert!(tag_key("a,b").starts_with("breakglass:sha256:"));
        assert!(tag_key(&"x".repeat(128)).len() <= 128);
    }
}
