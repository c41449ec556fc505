//! Who may get what: the one function that the controller and the offline check share.

use std::collections::BTreeSet;

use jiff::Timestamp;
use kube::core::DynamicObject;
use regex_lite::{Regex, RegexBuilder};

use super::glob;
use super::grant_view::GrantView;
use super::target::Target;
use crate::api::access::PolicyRef;
use crate::api::policy::{BreakglassPolicySpec, Effect, OnExternalRemoval, Ownership, PolicyRule};
use crate::clock::until;

/// How large a ticket pattern may be once it is compiled, in bytes. It is compiled whenever policies
/// are read, and the pattern `((a{99}){99}){99}` is short.
const LARGEST_PATTERN: usize = 256 * 1024;

/// A policy that can be asked.
#[derive(Clone, Debug)]
pub struct Policy {
    /// Name and generation, as claims record them.
    pub reference: PolicyRef,
    spec: BreakglassPolicySpec,
    ticket: Option<Regex>,
}

/// All policies of a cluster, by name.
#[derive(Clone, Debug, Default)]
pub struct PolicySet {
    policies: Vec<Policy>,
    /// Name of each policy that can't be read, and why.
    unreadable: Vec<(String, String)>,
}

/// Accounts that `*` does not cover.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Protected {
    /// Accounts from the configuration.
    pub accounts: BTreeSet<String>,
    /// The organization's management account.
    pub management: Management,
}

impl Protected {
    /// The same, were none of the accounts in question the management account.
    #[must_use]
    pub fn but_management(&self) -> Self {
        Self {
            accounts: self.accounts.clone(),
            management: Management::Account(String::new()),
        }
    }
}

/// What is known of the organization's management account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Management {
    /// Identity Center could not be asked, or is not in this Region: any account might be it.
    #[default]
    Unknown,
    /// The account that owns the Identity Center instance.
    Account(String),
}

/// What is asked of the policies.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// Namespace of the grant.
    pub namespace: &'a str,
    /// User of the grant.
    pub user: &'a str,
    /// Target of the grant.
    pub target: &'a Target,
    /// Ticket of the grant.
    pub ticket: Option<&'a str>,
    /// When the grant was made.
    pub created: Timestamp,
    /// When access starts.
    pub start: Option<Timestamp>,
    /// When access ends.
    pub expiry: Timestamp,
}

impl<'a> Question<'a> {
    /// The question that a grant puts, if it can be read.
    pub fn of(view: &'a GrantView) -> Option<Self> {
        let asked = view.asked.as_ref().ok()?;
        Some(Self {
            namespace: &view.reference.namespace,
            user: &asked.user,
            target: &asked.target,
            ticket: asked.ticket.as_deref(),
            created: view.created,
            start: asked.start,
            expiry: asked.expiry,
        })
    }
}

/// What the policies say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ruling {
    /// Admitted.
    Allowed(Allowance),
    /// Not admitted, and why.
    Denied {
        /// CamelCase reason for the condition.
        reason: &'static str,
        /// Which policy and rule decided or came nearest, for people.
        message: String,
    },
}

/// The policy that admits a grant, and what it says beyond that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// The policy.
    pub policy: PolicyRef,
    /// What happens when others remove the access.
    pub on_external_removal: OnExternalRemoval,
    /// Whether the entitlement counts as given by this controller only.
    pub exclusive: bool,
    /// Whether groups may be used that a directory synchronises.
    pub managed_groups: bool,
}

impl PolicySet {
    /// Reads the policies of a cluster. One that can't be read is kept by name: it might be a Deny.
    pub fn parse<'a>(objects: impl IntoIterator<Item = &'a DynamicObject>) -> Self {
        let mut set = Self::default();
        for object in objects {
            let name = object.metadata.name.clone().unwrap_or_default();
            match Policy::parse(object) {
                Ok(policy) => set.policies.push(policy),
                Err(why) => set.unreadable.push((name, why)),
            }
        }
        set.policies
            .sort_by(|a, b| a.reference.name.cmp(&b.reference.name));
        set.unreadable.sort();
        set
    }

    /// Whether every policy can be read. If not, nothing new may be given: any of them might deny it.
    pub fn readable(&self) -> Result<(), String> {
        match self.unreadable.first() {
            None => Ok(()),
            Some((name, why)) => Err(format!(
                "policy {name} can't be read and might deny this: {why}. Mend or delete it"
            )),
        }
    }

    /// Whether every Allow policy in it lacks what it needs to admit anything.
    pub fn admits_nothing(&self) -> bool {
        let allows = |policy: &&Policy| policy.spec.effect == Effect::Allow;
        let mut allowing = self.policies.iter().filter(allows).peekable();
        allowing.peek().is_some() && allowing.all(|policy| policy.spec.max_duration.is_none())
    }

    /// The Deny policy that matches, if any. Such a policy also ends what is running.
    pub fn denying(&self, namespace: &str, user: &str, target: &Target) -> Option<&Policy> {
        self.policies
            .iter()
            .filter(|policy| policy.spec.effect == Effect::Deny)
            .find(|policy| {
                glob::any(&policy.spec.namespaces, namespace)
                    && policy
                        .spec
                        .rules
                        .iter()
                        .any(|rule| denies(rule, user, target))
            })
    }

    /// Asks all policies. The first by name that admits all of it is the one that counts.
    pub fn ask(&self, question: &Question<'_>, protected: &Protected) -> Ruling {
        if let Some(policy) = self.denying(question.namespace, question.user, question.target) {
            let message = format!("policy {} denies it", policy.reference.name);
            return Ruling::Denied {
                reason: "DeniedByPolicy",
                message,
            };
        }
        if let Err(message) = self.readable() {
            return Ruling::Denied {
                reason: "PolicyUnreadable",
                message,
            };
        }
        let mut nearest: Option<Miss> = None;
        for policy in self
            .policies
            .iter()
            .filter(|policy| policy.spec.effect == Effect::Allow)
        {
            match policy.admits(question, protected) {
                Ok(allowance) => return Ruling::Allowed(allowance),
                Err(miss)
                    if nearest
                        .as_ref()
                        .is_none_or(|best| miss.passed > best.passed) =>
                {
                    nearest = Some(miss);
                }
                Err(_) => {}
            }
        }
        let message = nearest.map_or_else(
            || "there is no policy that allows anything; ask the policy owners for one".to_owned(),
            |miss| format!("no policy admits it; the nearest is {}", miss.message),
        );
        Ruling::Denied {
            reason: "NoPolicyAdmits",
            message,
        }
    }
}

/// How far a rule came before it failed, and on what.
struct Miss {
    passed: usize,
    message: String,
}

impl Policy {
    fn parse(object: &DynamicObject) -> Result<Self, String> {
        let name = object.metadata.name.clone().unwrap_or_default();
        let spec = object.data.get("spec").cloned().unwrap_or_default();
        let spec: BreakglassPolicySpec =
            serde_json::from_value(spec).map_err(|error| error.to_string())?;
        let regex = |pattern: &str| {
            let mut builder = RegexBuilder::new(pattern);
            builder.size_limit(LARGEST_PATTERN).build()
        };
        // On its own first: a pattern such as `a)|(b` must not get out of its anchors.
        let anchored = |pattern| regex(pattern).and_then(|_| regex(&format!("^(?:{pattern})$")));
        let ticket = spec
            .ticket_pattern
            .as_deref()
            .map(anchored)
            .transpose()
            .map_err(|error| format!("ticketPattern is not a regular expression: {error}"))?;
        let generation = object.metadata.generation.unwrap_or_default();
        Ok(Self {
            reference: PolicyRef { name, generation },
            spec,
            ticket,
        })
    }

    fn admits(&self, question: &Question<'_>, protected: &Protected) -> Result<Allowance, Miss> {
        let name = &self.reference.name;
        if !glob::any(&self.spec.namespaces, question.namespace) {
            let message = format!(
                "policy {name}, which is not for namespace {}",
                question.namespace
            );
            return Err(Miss { passed: 0, message });
        }
        let mut nearest = Miss {
            passed: 1,
            message: format!("policy {name}, which has no rules"),
        };
        let mut managed_groups = None;
        for (index, rule) in self.spec.rules.iter().enumerate() {
            match allows(rule, question.user, question.target, protected) {
                // Any rule that matches will do, so the most generous one speaks for managed groups.
                Ok(managed) => managed_groups = Some(managed_groups.unwrap_or(false) || managed),
                Err((passed, why)) if passed + 1 >= nearest.passed => {
                    let message = format!("policy {name}, rule {}: {why}", index + 1);
                    nearest = Miss {
                        passed: passed + 1,
                        message,
                    };
                }
                Err(_) => {}
            }
        }
        let Some(managed_groups) = managed_groups else {
            return Err(nearest);
        };
        self.limits(question).map_err(|why| Miss {
            passed: 10,
            message: format!("policy {name}: {why}"),
        })?;
        Ok(Allowance {
            policy: self.reference.clone(),
            on_external_removal: self.spec.on_external_removal,
            exclusive: self.spec.ownership == Ownership::Exclusive,
            managed_groups,
        })
    }

    /// The limits that hold for all rules of the policy.
    fn limits(&self, question: &Question<'_>) -> Result<(), String> {
        let Some(longest) = self.spec.max_duration else {
            return Err("it has no maxDuration, and without one it admits nothing".into());
        };
        let from = question
            .start
            .map_or(question.created, |start| start.max(question.created));
        let lasts = until(from, question.expiry);
        if lasts > longest.0 {
            let lasts = crate::api::time::Duration(lasts);
            return Err(format!(
                "it lasts {lasts}, and maxDuration is {longest}; for longer add a second grant that starts before this one ends"
            ));
        }
        if let (Some(lead), Some(start)) = (self.spec.max_lead, question.start)
            && until(question.created, start) > lead.0
        {
            return Err(format!(
                "it starts more than maxLead {lead} after it was made"
            ));
        }
        match (&self.ticket, question.ticket) {
            (Some(pattern), Some(ticket)) if !pattern.is_match(ticket) => Err(format!(
                "ticket {ticket} does not match ticketPattern {}",
                self.spec.ticket_pattern.as_deref().unwrap_or_default()
            )),
            (Some(_), None) => Err(format!(
                "it asks for a ticket that matches {}",
                self.spec.ticket_pattern.as_deref().unwrap_or_default()
            )),
            _ => Ok(()),
        }
    }
}

/// A rule of a Deny policy: what is left out means everything.
fn denies(rule: &PolicyRule, user: &str, target: &Target) -> bool {
    let user_matches = rule
        .users
        .as_ref()
        .is_none_or(|users| glob::any(users, user));
    let no_target = rule.account_assignment.is_none()
        && rule.identity_center_group.is_none()
        && rule.iam_group.is_none();
    let star_covers = |_: &str| Ok(());
    user_matches && (no_target || entitlement(rule, target, &star_covers).is_ok())
}

/// A rule of an Allow policy: what is left out means nothing. Tells whether managed groups are
/// allowed, or how many checks passed and which one failed.
fn allows(
    rule: &PolicyRule,
    user: &str,
    target: &Target,
    protected: &Protected,
) -> Result<bool, (usize, String)> {
    let star_covers = |account: &str| {
        if protected.accounts.contains(account) {
            return Err("`*` does not cover protected accounts: list it");
        }
        match &protected.management {
            Management::Unknown => Err(
                "`*` does not cover the management account, and which one that is can't be told without Identity Center: list the account",
            ),
            Management::Account(management) if management == account => {
                Err("`*` does not cover the management account: list it")
            }
            Management::Account(_) => Ok(()),
        }
    };
    entitlement(rule, target, &star_covers)?;
    match &rule.users {
        Some(users) if glob::any(users, user) => {}
        Some(_) => return Err((4, format!("user {user} is not among its users"))),
        None => return Err((4, "it names no users".into())),
    }
    Ok(rule
        .identity_center_group
        .as_ref()
        .is_some_and(|group| group.allow_managed_groups))
}

/// Whether a rule is about a target. `star_covers` says whether `*` stands for an account.
fn entitlement(
    rule: &PolicyRule,
    target: &Target,
    star_covers: &dyn Fn(&str) -> Result<(), &'static str>,
) -> Result<(), (usize, String)> {
    let account_listed = |accounts: &[String], account: &str| {
        let mut why = format!("account {account} is not among its accounts");
        for listed in accounts {
            match listed.as_str() {
                "*" => match star_covers(account) {
                    Ok(()) => return Ok(()),
                    Err(reason) => {
                        why = format!("account {account} is not among its accounts ({reason})");
                    }
                },
                id if id == account => return Ok(()),
                _ => {}
            }
        }
        Err((2, why))
    };
    let name_listed = |names: &[String], name: &str, what: &str| {
        if glob::any(names, name) {
            Ok(())
        } else {
            Err((3, format!("{what} {name} is not among its {what}s")))
        }
    };
    let other_kind = |kind: &str| Err((1, format!("it is not about {kind}")));
    match target {
        Target::AccountAssignment {
            account,
            permission_set,
        } => {
            let Some(listed) = &rule.account_assignment else {
                return other_kind("account assignments");
            };
            account_listed(&listed.accounts, account)?;
            name_listed(&listed.permission_sets, permission_set, "permission set")
        }
        Target::IdentityCenterGroup { name } => {
            let Some(listed) = &rule.identity_center_group else {
                return other_kind("Identity Center groups");
            };
            name_listed(&listed.names, name, "group")
        }
        Target::IamGroup { account, name } => {
            let Some(listed) = &rule.iam_group else {
                return other_kind("IAM groups");
            };
            account_listed(&listed.accounts, account)?;
            name_listed(&listed.names, name, "group")
        }
    }
}
