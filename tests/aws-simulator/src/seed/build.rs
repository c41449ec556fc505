//! From a description to a world.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{Seed, SeedAccount, SeedAssignment, SeedError, SeedInstance};
use crate::random::Random;
use crate::world::assignments::{Assignments, Principal, PrincipalType, Tuple};
use crate::world::iam::{Iam, Tag};
use crate::world::instance::Instance;
use crate::world::timeline::Timeline;
use crate::world::{Account, World};

fn missing(kind: &'static str, name: &str) -> SeedError {
    SeedError {
        kind,
        name: name.to_owned(),
    }
}

impl Seed {
    pub(crate) fn world(&self, now: Timestamp, random: &mut Random) -> Result<World, SeedError> {
        let mut world = World {
            partition: self.partition.clone(),
            organization_id: format!("o-{}", random.hex(10)),
            management_account: self.management_account.clone(),
            delegated_administrator: self.delegated_administrator.clone(),
            accounts: BTreeMap::new(),
            instances: Vec::new(),
            sessions: BTreeMap::new(),
            expired_keys: BTreeMap::new(),
        };
        let management = SeedAccount {
            id: self.management_account.clone(),
            name: Some("management".to_owned()),
            ..SeedAccount::default()
        };
        for seed in [&management].into_iter().chain(&self.accounts) {
            world
                .accounts
                .insert(seed.id.clone(), seed.account(&self.partition, now, random)?);
        }
        for seed in &self.instances {
            let owner = seed.owner.as_ref().unwrap_or(&self.management_account);
            world
                .instances
                .push(seed.instance(&self.partition, owner, now, random)?);
        }
        Ok(world)
    }
}

impl SeedAccount {
    pub(crate) fn account(
        &self,
        partition: &str,
        now: Timestamp,
        random: &mut Random,
    ) -> Result<Account, SeedError> {
        let mut iam = Iam::new(partition, &self.id);
        for name in &self.roles {
            iam.add_role(name, "/", now, random);
        }
        for name in &self.groups {
            iam.add_group(name, "/", now, random);
        }
        for seed in &self.users {
            let Some(user) = iam.add_user(&seed.name, "/", now, random) else {
                continue;
            };
            let tag = |(key, value): (&String, &String)| Tag {
                key: key.clone(),
                value: value.clone(),
            };
            user.tags = Timeline::always(seed.tags.iter().map(tag).collect());
            let user_id = user.id.clone();
            for name in &seed.groups {
                let group_id = iam
                    .group(name)
                    .ok_or_else(|| missing("IAM group", name))?
                    .id
                    .clone();
                iam.set_member(&group_id, &user_id, Timestamp::MIN, true);
            }
        }
        let name = self
            .name
            .clone()
            .unwrap_or_else(|| format!("account-{}", self.id));
        Ok(Account {
            email: format!("aws+{}@example.com", self.id),
            name,
            status: self.status,
            joined: now,
            iam,
        })
    }
}

impl SeedInstance {
    pub(crate) fn instance(
        &self,
        partition: &str,
        owner: &str,
        now: Timestamp,
        random: &mut Random,
    ) -> Result<Instance, SeedError> {
        let mut instance = Instance::new(partition, owner, &self.region, now, random);
        instance.name.clone_from(&self.name);
        instance.permission_sets_enabled = self.permission_sets_enabled;
        for seed in &self.permission_sets {
            let set = instance.add_permission_set(partition, &seed.name, now, random);
            set.session_duration.clone_from(&seed.session_duration);
            set.tags.clone_from(&seed.tags);
        }
        for seed in &self.users {
            let user = instance.directory.add_user(&seed.user_name, now, random);
            user.email.clone_from(&seed.email);
            user.enabled = !seed.disabled;
            user.external_ids.clone_from(&seed.external_ids);
        }
        for seed in &self.groups {
            let group = instance
                .directory
                .add_group(&seed.display_name, now, random);
            group.external_ids.clone_from(&seed.external_ids);
            let group_id = group.id.clone();
            for name in &seed.members {
                let user_id = instance
                    .directory
                    .user_named(name, false)
                    .ok_or_else(|| missing("user", name))?
                    .id
                    .clone();
                instance
                    .directory
                    .join(&group_id, &user_id, now, Timestamp::MIN, random);
            }
        }
        let mut assignments = Assignments::default();
        for seed in &self.assignments {
            assignments.set(seed.tuple(&instance)?, Timestamp::MIN, true);
        }
        instance.assignments = assignments;
        Ok(instance)
    }
}

impl SeedAssignment {
    fn tuple(&self, instance: &Instance) -> Result<Tuple, SeedError> {
        let set = instance.permission_set_named(&self.permission_set);
        let permission_set = set
            .ok_or_else(|| missing("permission set", &self.permission_set))?
            .arn
            .clone();
        let principal = match (&self.user, &self.group) {
            (Some(name), _) => {
                let user = instance
                    .directory
                    .user_named(name, false)
                    .ok_or_else(|| missing("user", name))?;
                Principal {
                    kind: PrincipalType::User,
                    id: user.id.clone(),
                }
            }
            (None, group) => {
                let name = group.as_deref().unwrap_or_default();
                let group = instance
                    .directory
                    .group_named(name, false)
                    .ok_or_else(|| missing("group", name))?;
                Principal {
                    kind: PrincipalType::Group,
                    id: group.id.clone(),
                }
            }
        };
        Ok(Tuple {
            account: self.account.clone(),
            permission_set,
            principal,
        })
    }
}
