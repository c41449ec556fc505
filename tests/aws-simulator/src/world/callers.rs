//! Who is calling: access keys and temporary credentials.

use jiff::Timestamp;

use crate::error::ServiceError;
use crate::wire::{Credentials, Service};
use crate::world::World;

/// Somebody whose request is accepted as theirs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Caller {
    pub(crate) account: String,
    pub(crate) arn: String,
    pub(crate) user_id: String,
    /// The role whose credentials these are.
    pub(crate) role_arn: Option<String>,
}

/// Credentials that `AssumeRole` gave.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    pub(crate) caller: Caller,
    pub(crate) token: String,
    pub(crate) expires: Timestamp,
    /// A policy of the role denies all that it asks for.
    pub(crate) revoked: bool,
}

/// The account that a long-term access key names: `AKIA`, twelve digits, and anything.
fn account_of_key(access_key_id: &str) -> Option<&str> {
    let account = access_key_id.strip_prefix("AKIA")?.get(..12)?;
    account
        .bytes()
        .all(|digit| digit.is_ascii_digit())
        .then_some(account)
}

impl World {
    /// Who these credentials stand for, expired or not.
    pub(crate) fn who(&self, credentials: &Credentials) -> Option<Caller> {
        if let Some(session) = self.sessions.get(&credentials.access_key_id) {
            return Some(session.caller.clone());
        }
        let account = account_of_key(&credentials.access_key_id)?;
        self.accounts.contains_key(account).then(|| Caller {
            account: account.to_owned(),
            arn: format!("arn:{}:iam::{account}:user/operator", self.partition),
            user_id: format!("AIDA{account}OPERA"),
            role_arn: None,
        })
    }

    /// All that anybody has of that role.
    pub(crate) fn sessions_of(&mut self, role_arn: &str) -> impl Iterator<Item = &mut Session> {
        let sessions = self.sessions.values_mut();
        sessions.filter(move |session| session.caller.role_arn.as_deref() == Some(role_arn))
    }

    /// Whether a service accepts these credentials (IAM guide, common errors).
    pub(crate) fn authenticate(
        &self,
        service: Service,
        credentials: Option<&Credentials>,
        now: Timestamp,
    ) -> Result<Caller, ServiceError> {
        let code =
            |query: &'static str, json: &'static str| if service.is_query() { query } else { json };
        let Some(credentials) = credentials else {
            let code = code(
                "MissingAuthenticationToken",
                "MissingAuthenticationTokenException",
            );
            return Err(ServiceError::new(
                service,
                code,
                "Missing Authentication Token",
            ));
        };
        let invalid = || {
            let code = code("InvalidClientTokenId", "UnrecognizedClientException");
            ServiceError::new(
                service,
                code,
                "The security token included in the request is invalid.",
            )
        };
        let caller = self.who(credentials).ok_or_else(invalid)?;
        let expired = match self.sessions.get(&credentials.access_key_id) {
            Some(session) if credentials.session_token.as_deref() != Some(&session.token) => {
                return Err(invalid());
            }
            Some(session) => session.expires <= now,
            None => {
                let until = self.expired_keys.get(&caller.account);
                until.is_some_and(|until| now < *until)
            }
        };
        if expired {
            let code = code("ExpiredToken", "ExpiredTokenException");
            return Err(ServiceError::new(
                service,
                code,
                "The security token included in the request is expired",
            ));
        }
        let denied = |why: String| {
            let code = code("AccessDenied", "AccessDeniedException");
            Err(ServiceError::new(service, code, why))
        };
        let session = self.sessions.get(&credentials.access_key_id);
        if session.is_some_and(|session| session.revoked) {
            let who = &caller.arn;
            return denied(format!(
                "User: {who} is not authorized to perform this action with an explicit deny in an identity-based policy"
            ));
        }
        if !self.is_active(&caller.account) {
            return denied(format!("Account {} is suspended", caller.account));
        }
        Ok(caller)
    }
}
