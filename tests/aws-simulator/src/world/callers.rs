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
        if !self.is_active(&caller.account) {
            let code = code("AccessDenied", "AccessDeniedException");
            return Err(ServiceError::new(
                service,
                code,
                format!("Account {} is suspended", caller.account),
            ));
        }
        Ok(caller)
    }
}
