//! What exists: the organization, its accounts, and the Identity Center instances.

pub(crate) mod assignments;
pub(crate) mod callers;
pub(crate) mod directory;
pub(crate) mod iam;
pub(crate) mod instance;
pub(crate) mod timeline;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::random::Random;
use crate::settings::Settings;
use assignments::Facts;
use callers::Session;
use iam::Iam;
use instance::Instance;

/// The truth.
#[derive(Clone, Debug)]
pub(crate) struct World {
    /// `aws`, `aws-cn`, `aws-us-gov`, ...
    pub(crate) partition: String,
    pub(crate) organization_id: String,
    pub(crate) management_account: String,
    pub(crate) delegated_administrator: Option<String>,
    /// By account id.
    pub(crate) accounts: BTreeMap<String, Account>,
    pub(crate) instances: Vec<Instance>,
    /// Temporary credentials, by access key id.
    pub(crate) sessions: BTreeMap<String, Session>,
    /// By account, until when its long-term keys count as expired.
    pub(crate) expired_keys: BTreeMap<String, Timestamp>,
}

/// One account of the organization.
#[derive(Clone, Debug)]
pub(crate) struct Account {
    pub(crate) name: String,
    pub(crate) email: String,
    pub(crate) status: AccountStatus,
    pub(crate) joined: Timestamp,
    pub(crate) iam: Iam,
}

/// Organizations API reference, `Account`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum AccountStatus {
    /// In use.
    #[default]
    Active,
    /// Closed by its owner or suspended by AWS.
    Suspended,
    /// About to be closed.
    PendingClosure,
}

impl AccountStatus {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Suspended => "SUSPENDED",
            Self::PendingClosure => "PENDING_CLOSURE",
        }
    }
}

impl World {
    pub(crate) fn is_active(&self, account: &str) -> bool {
        self.accounts
            .get(account)
            .is_some_and(|account| account.status == AccountStatus::Active)
    }

    pub(crate) fn instance(&self, arn: &str) -> Option<&Instance> {
        self.instances.iter().find(|instance| instance.arn == arn)
    }

    pub(crate) fn instance_mut(&mut self, arn: &str) -> Option<&mut Instance> {
        self.instances
            .iter_mut()
            .find(|instance| instance.arn == arn)
    }

    /// When the next thing happens by itself.
    pub(crate) fn next_event(&self) -> Option<Timestamp> {
        self.instances
            .iter()
            .filter_map(|instance| instance.assignments.next_event())
            .min()
    }

    /// Lets everything happen that is due at `now`. Answers whether it changed who has access.
    pub(crate) fn settle(&mut self, now: Timestamp, settings: &Settings) -> bool {
        let accounts = &self.accounts;
        let mut changed = false;
        for instance in &mut self.instances {
            let (assignments, directory, sets) = (
                &mut instance.assignments,
                &instance.directory,
                &instance.permission_sets,
            );
            let facts = Facts {
                directory,
                account_is_active: &|id| {
                    accounts
                        .get(id)
                        .is_some_and(|account| account.status == AccountStatus::Active)
                },
                permission_set_exists: &|arn| sets.contains_key(arn),
                settings,
            };
            changed |= assignments.settle(now, &facts);
        }
        changed
    }
}

/// An id in the form of IAM's unique ids: a prefix for the kind and 17 characters.
pub(crate) fn unique_id(prefix: &str, random: &mut Random) -> String {
    format!("{prefix}{}", random.base32(17))
}
