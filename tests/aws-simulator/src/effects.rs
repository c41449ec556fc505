//! Every change of who has access, in the order in which it took effect, and who made it.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::world::World;
use crate::world::assignments::{Operation, OperationKind, PrincipalType};

/// Access that somebody has.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(
    missing_docs,
    reason = "the variants say what they are; all fields are ids, ARNs for permission sets"
)]
pub enum AccessTuple {
    /// An assignment to a user.
    Assignment {
        account: String,
        permission_set: String,
        principal: String,
    },
    /// A user's being in a group of an identity store.
    GroupMembership {
        group: String,
        user: String,
        membership: String,
    },
    /// An IAM user's being in an IAM group.
    IamMembership {
        account: String,
        group: String,
        user: String,
    },
}

impl AccessTuple {
    /// Whether all that it connects is there.
    fn stands_on(&self, world: &World) -> bool {
        let user_of = |id: &String| {
            let mut directories = world.instances.iter().map(|instance| &instance.directory);
            directories.any(|directory| directory.users.contains_key(id))
        };
        match self {
            Self::Assignment {
                permission_set,
                principal,
                ..
            } => {
                let sets = world
                    .instances
                    .iter()
                    .map(|instance| &instance.permission_sets);
                user_of(principal) && sets.flatten().any(|(arn, _)| arn == permission_set)
            }
            Self::GroupMembership { group, user, .. } => {
                let directories = world.instances.iter().map(|instance| &instance.directory);
                user_of(user)
                    && directories
                        .flat_map(|d| d.groups.keys())
                        .any(|id| id == group)
            }
            Self::IamMembership {
                account,
                group,
                user,
            } => world.accounts.get(account).is_some_and(|account| {
                account.iam.users().any(|one| one.id == *user)
                    && account.iam.groups().any(|one| one.id == *group)
            }),
        }
    }
}

/// Who changed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Author {
    /// The call of that number, or the operation that it started.
    Call {
        /// Its number in the log of calls; none for an operation started earlier.
        sequence: Option<u64>,
    },
    /// Somebody behind everybody's back, or the end of what it depended on.
    People,
}

/// A change of access.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effect {
    /// 1 for the first.
    pub number: u64,
    /// When it took effect.
    pub time: Timestamp,
    /// What.
    pub access: AccessTuple,
    /// Whether it is there from now on.
    pub present: bool,
    /// By whom.
    pub by: Author,
}

/// Something that has been sent and may still take effect.
#[derive(Clone, Debug, PartialEq)]
pub struct Outstanding {
    /// The operation.
    pub operation: String,
    /// Its parameters by the names of the service model.
    pub parameters: Map<String, Value>,
    /// The account of its caller; empty where nobody knows any more.
    pub account: String,
}

impl Outstanding {
    pub(crate) fn of(operation: &Operation) -> Self {
        let tuple = &operation.tuple;
        let parameters = json!({
            "TargetId": tuple.account,
            "PermissionSetArn": tuple.permission_set,
            "PrincipalId": tuple.principal.id,
        });
        let name = match operation.kind {
            OperationKind::Creation => "CreateAccountAssignment",
            OperationKind::Deletion => "DeleteAccountAssignment",
        };
        Self {
            operation: name.to_owned(),
            parameters: parameters.as_object().cloned().unwrap_or_default(),
            account: String::new(),
        }
    }
}

/// All effects that nobody has let go of yet.
#[derive(Clone, Debug, Default)]
pub(crate) struct Effects {
    present: BTreeSet<AccessTuple>,
    list: Vec<Effect>,
    last: u64,
}

impl Effects {
    /// Notes what is different from when it last looked.
    pub(crate) fn look(&mut self, world: &World, time: Timestamp, by: Author) {
        let now = present(world);
        let (gone, new) = (self.present.difference(&now), now.difference(&self.present));
        let changes = gone
            .map(|access| (access, false))
            .chain(new.map(|access| (access, true)));
        for (access, present) in changes {
            // What depended on something that is gone went with it.
            let by = if present || access.stands_on(world) {
                by
            } else {
                Author::People
            };
            self.last += 1;
            self.list.push(Effect {
                number: self.last,
                time,
                access: access.clone(),
                present,
                by,
            });
        }
        self.present = now;
    }

    pub(crate) fn since(&self, number: u64) -> Vec<Effect> {
        let newer = self.list.iter().filter(|effect| effect.number > number);
        newer.cloned().collect()
    }

    pub(crate) fn forget(&mut self, through: u64) {
        self.list.retain(|effect| effect.number > through);
    }
}

fn present(world: &World) -> BTreeSet<AccessTuple> {
    let now = Timestamp::MAX;
    let mut all = BTreeSet::new();
    for instance in &world.instances {
        for row in instance.assignments.rows(now) {
            if row.principal.kind == PrincipalType::User {
                all.insert(AccessTuple::Assignment {
                    account: row.account.clone(),
                    permission_set: row.permission_set.clone(),
                    principal: row.principal.id.clone(),
                });
            }
        }
        for membership in instance.directory.memberships(now) {
            all.insert(AccessTuple::GroupMembership {
                group: membership.group_id.clone(),
                user: membership.user_id.clone(),
                membership: membership.id.clone(),
            });
        }
    }
    for (account, inside) in &world.accounts {
        for user in inside.iam.users() {
            for group in inside.iam.groups_of(&user.id, now) {
                all.insert(AccessTuple::IamMembership {
                    account: account.clone(),
                    group: group.id.clone(),
                    user: user.id.clone(),
                });
            }
        }
    }
    all
}
