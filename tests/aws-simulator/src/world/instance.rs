//! An Identity Center instance and its permission sets.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use crate::random::Random;
use crate::world::assignments::{Assignments, Principal, PrincipalType};
use crate::world::directory::Directory;

/// An instance of IAM Identity Center.
#[derive(Clone, Debug)]
pub(crate) struct Instance {
    pub(crate) arn: String,
    /// `ssoins-` and 16 hexadecimal digits.
    pub(crate) id: String,
    pub(crate) name: Option<String>,
    pub(crate) owner: String,
    pub(crate) region: String,
    pub(crate) permission_sets_enabled: bool,
    pub(crate) created: Timestamp,
    pub(crate) directory: Directory,
    /// By ARN.
    pub(crate) permission_sets: BTreeMap<String, PermissionSet>,
    pub(crate) assignments: Assignments,
}

/// A permission set.
#[derive(Clone, Debug)]
pub(crate) struct PermissionSet {
    pub(crate) arn: String,
    pub(crate) name: String,
    pub(crate) description: Option<String>,
    /// ISO 8601, such as `PT1H`.
    pub(crate) session_duration: String,
    pub(crate) relay_state: Option<String>,
    pub(crate) created: Timestamp,
    pub(crate) tags: BTreeMap<String, String>,
}

/// No session of a permission set is longer (IAM Identity Center guide, session duration).
const LONGEST: SignedDuration = SignedDuration::from_hours(12);

impl PermissionSet {
    /// How long its sessions last; the longest that AWS allows if it can't be read.
    pub(crate) fn session_length(&self) -> SignedDuration {
        self.session_duration.parse().unwrap_or(LONGEST)
    }
}

impl Instance {
    pub(crate) fn new(
        partition: &str,
        owner: &str,
        region: &str,
        now: Timestamp,
        random: &mut Random,
    ) -> Self {
        let id = format!("ssoins-{}", random.hex(16));
        Self {
            arn: format!("arn:{partition}:sso:::instance/{id}"),
            id,
            name: None,
            owner: owner.to_owned(),
            region: region.to_owned(),
            permission_sets_enabled: true,
            created: now,
            directory: Directory::new(random),
            permission_sets: BTreeMap::new(),
            assignments: Assignments::default(),
        }
    }

    /// Adds a permission set with the default session of an hour.
    pub(crate) fn add_permission_set(
        &mut self,
        partition: &str,
        name: &str,
        now: Timestamp,
        random: &mut Random,
    ) -> &mut PermissionSet {
        let arn = format!(
            "arn:{partition}:sso:::permissionSet/{}/ps-{}",
            self.id,
            random.hex(16)
        );
        let set = PermissionSet {
            arn: arn.clone(),
            name: name.to_owned(),
            description: None,
            session_duration: "PT1H".to_owned(),
            relay_state: None,
            created: now,
            tags: BTreeMap::new(),
        };
        self.permission_sets.entry(arn).or_insert(set)
    }

    pub(crate) fn permission_set_named(&self, name: &str) -> Option<&PermissionSet> {
        self.permission_sets.values().find(|set| set.name == name)
    }

    pub(crate) fn principal_name(&self, principal: &Principal) -> Option<&str> {
        match principal.kind {
            PrincipalType::User => self
                .directory
                .users
                .get(&principal.id)
                .map(|user| user.user_name.as_str()),
            PrincipalType::Group => self
                .directory
                .groups
                .get(&principal.id)
                .map(|group| group.display_name.as_str()),
        }
    }

    /// Notes that a principal has left, so that its assignments vanish if and when the settings say so.
    pub(crate) fn orphan(&mut self, kind: PrincipalType, id: &str, vanish_at: Option<Timestamp>) {
        if let Some(at) = vanish_at {
            self.assignments.vanish(
                Principal {
                    kind,
                    id: id.to_owned(),
                },
                at,
            );
        }
    }
}
