//! The settings: what an operator may configure, and the times of the protocol.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

/// The configuration file of `breakglass controller --config FILE`. Every part is optional.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Config {
    /// The Identity Center instance, where it is not the only one that the credentials see.
    pub identity_center: IdentityCenterConfig,
    /// The accounts whose IAM groups are managed. Empty: the account of the credentials.
    pub iam_accounts: Vec<IamAccountConfig>,
    /// Accounts that `*` in a policy does not cover, beside the management account.
    pub protected_accounts: BTreeSet<String>,
    /// The times of the protocol and the limits of the desk.
    pub settings: Settings,
}

/// Which Identity Center instance, and with which roles.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct IdentityCenterConfig {
    /// ARN of the instance. Default: the one that `ListInstances` shows.
    pub instance_arn: Option<String>,
    /// Primary Region of the instance. Default: the Region of the environment.
    pub region: Option<String>,
    /// Role that gives access. Default: the credentials of the environment.
    pub granter_role_arn: Option<String>,
    /// Role that reads and takes access away. Default: the credentials of the environment.
    pub reaper_role_arn: Option<String>,
}

/// One account whose IAM groups are managed.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct IamAccountConfig {
    /// Id of the account, 12 digits.
    pub account: String,
    /// Role that gives access. Default: the credentials of the environment.
    #[serde(default)]
    pub granter_role_arn: Option<String>,
    /// Role that reads and takes access away. Default: the credentials of the environment.
    #[serde(default)]
    pub reaper_role_arn: Option<String>,
}

/// Times of the protocol and limits of the desk. The names of the protocol's constants are given
/// where it has them.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Settings {
    /// W: how far apart two readings must be that show an Identity Center access absent before its
    /// ledger closes. Longer than listings are ever stale.
    #[serde(with = "gep_2257")]
    pub settle_window: Duration,
    /// W for IAM, which is slower to show changes everywhere.
    #[serde(with = "gep_2257")]
    pub iam_settle_window: Duration,
    /// D: how long after its record was written an AWS write may still be sent.
    #[serde(with = "gep_2257")]
    pub send_window: Duration,
    /// U: how long after its send window a write without a known outcome may still take effect.
    /// Covers the life of a signed request and the slowest asynchronous completion.
    #[serde(with = "gep_2257")]
    pub unknown_outcome: Duration,
    /// X: how long after its last contact with the ledger a process may delete expired access
    /// without it.
    #[serde(with = "gep_2257")]
    pub offline_authority: Duration,
    /// How long before its start a claim may be made, so that back-to-back grants leave no gap.
    #[serde(with = "gep_2257")]
    pub claim_lead: Duration,
    /// After this long past its end, access that is still there is called overdue.
    #[serde(with = "gep_2257")]
    pub overdue: Duration,
    /// The latest that a grant's finalizer goes after its end stands in the ledger.
    #[serde(with = "gep_2257")]
    pub finalizer_bound: Duration,
    /// Longest wait between two tries of the same thing.
    #[serde(with = "gep_2257")]
    pub retry_cap: Duration,
    /// Longest wait between two tries in an account that AWS refuses as a whole.
    #[serde(with = "gep_2257")]
    pub blocked_retry: Duration,
    /// How often an open access is compared with AWS.
    #[serde(with = "gep_2257")]
    pub drift_interval: Duration,
    /// How often the watches start again with a full listing.
    #[serde(with = "gep_2257")]
    pub relist_interval: Duration,
    /// How long the lease is good for by which replicas take turns: it is renewed five times in that
    /// time, and another replica takes over within it when the leader dies.
    #[serde(with = "gep_2257")]
    pub lease_duration: Duration,
    /// AWS calls per second and service, of the 20 that the whole organization has.
    pub calls_per_second: u32,
    /// Assignment operations under way at once, of the 10 that AWS allows.
    pub in_flight: usize,
}

impl Default for Settings {
    fn default() -> Self {
        let minutes = |m: u64| Duration::from_secs(m * 60);
        Self {
            settle_window: minutes(1),
            iam_settle_window: minutes(3),
            send_window: Duration::from_secs(10),
            unknown_outcome: minutes(15),
            offline_authority: minutes(10),
            claim_lead: minutes(1),
            overdue: minutes(5),
            finalizer_bound: minutes(5),
            retry_cap: minutes(5),
            blocked_retry: minutes(60),
            drift_interval: minutes(10),
            relist_interval: minutes(4),
            lease_duration: Duration::from_secs(15),
            calls_per_second: 8,
            in_flight: 8,
        }
    }
}

/// Why a configuration file can't be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file can't be read.
    #[error("cannot read the configuration file {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The file is not what it should be.
    #[error("the configuration file {} is wrong: {reason}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        reason: String,
    },
}

impl Config {
    /// Reads and checks a configuration file.
    pub fn load(path: &Path) -> Result<Self, Error> {
        let text = std::fs::read_to_string(path).map_err(|source| Error::Read {
            path: path.to_owned(),
            source,
        })?;
        Self::parse(&text).map_err(|reason| Error::Invalid {
            path: path.to_owned(),
            reason,
        })
    }

    fn parse(text: &str) -> Result<Self, String> {
        if text.trim().is_empty() {
            return Ok(Self::default());
        }
        let config: Self =
            serde_saphyr::from_str(text).map_err(|error| one_line(&error.to_string()))?;
        config.check()?;
        Ok(config)
    }

    fn check(&self) -> Result<(), String> {
        let accounts = self.iam_accounts.iter().map(|account| &account.account);
        let mut seen = BTreeSet::new();
        for account in accounts.clone().chain(&self.protected_accounts) {
            if account.len() != 12 || !account.bytes().all(|byte| byte.is_ascii_digit()) {
                return Err(format!(
                    "`{}` is not an account id: write its 12 digits in quotes",
                    account.escape_debug()
                ));
            }
        }
        for account in accounts {
            if !seen.insert(account) {
                return Err(format!(
                    "account {account} is listed twice under iamAccounts"
                ));
            }
        }
        let settings = &self.settings;
        for (name, time) in [
            ("settleWindow", settings.settle_window),
            ("iamSettleWindow", settings.iam_settle_window),
            ("sendWindow", settings.send_window),
            ("unknownOutcome", settings.unknown_outcome),
            ("retryCap", settings.retry_cap),
            ("blockedRetry", settings.blocked_retry),
            ("driftInterval", settings.drift_interval),
            ("relistInterval", settings.relist_interval),
            ("leaseDuration", settings.lease_duration),
        ] {
            if time.is_zero() {
                return Err(format!("settings.{name} must be longer than nothing"));
            }
        }
        if settings.lease_duration < Duration::from_secs(5) {
            return Err("settings.leaseDuration must be 5s or longer: it is renewed five times in that time".into());
        }
        if settings.offline_authority <= settings.send_window {
            return Err("settings.offlineAuthority must be longer than settings.sendWindow, or nothing that has expired could be taken away while the API server can't be reached".into());
        }
        if self.settings.calls_per_second == 0 || self.settings.in_flight == 0 {
            return Err("callsPerSecond and inFlight must be at least 1, or no access could ever be taken away".into());
        }
        Ok(())
    }
}

/// The parser draws a picture under its first line, and begins that with `error: `.
fn one_line(error: &str) -> String {
    let line = error.lines().next().unwrap_or_default();
    line.strip_prefix("error: ").unwrap_or(line).to_owned()
}

/// Reads a length of time in the notation of the API.
mod gep_2257 {
    use serde::{Deserialize, Deserializer};

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<std::time::Duration, D::Error> {
        crate::api::time::Duration::deserialize(deserializer).map(|duration| duration.0)
    }
}

#[cfg(test)]
mod hostile_tests;
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_file_is_the_default() {
        assert_eq!(Config::parse(" \n"), Ok(Config::default()));
    }

    #[test]
    fn a_whole_file_is_read() {
        let config = Config::parse(
            "identityCenter: {instanceArn: 'arn:aws:sso:::instance/ssoins-1', region: eu-central-1}\n\
             iamAccounts: [{account: '111122223333', granterRoleArn: 'arn:aws:iam::111122223333:role/granter'}]\n\
             protectedAccounts: ['444455556666']\n\
             settings: {settleWindow: 2s, inFlight: 3}\n",
        )
        .unwrap();
        assert_eq!(config.settings.settle_window, Duration::from_secs(2));
        assert_eq!(config.settings.in_flight, 3);
        assert_eq!(
            config.settings.unknown_outcome,
            Settings::default().unknown_outcome
        );
        assert!(config.protected_accounts.contains("444455556666"));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, word) in [
            ("identityCentre: {}", "identityCentre"),
            ("settings: {settleWindow: 1d}", "1d"),
            ("settings: {inFlight: 0}", "inFlight"),
            ("settings: {unknownOutcome: 0s}", "unknownOutcome"),
            ("settings: {leaseDuration: 4s}", "leaseDuration"),
            ("settings: {offlineAuthority: 10s}", "offlineAuthority"),
            ("iamAccounts: [{account: '123'}]", "`123`"),
            (
                "iamAccounts: [{account: '111122223333'}, {account: '111122223333'}]",
                "twice",
            ),
        ] {
            let error = Config::parse(text).unwrap_err();
            assert!(error.contains(word), "{text}: {error}");
        }
    }
}
