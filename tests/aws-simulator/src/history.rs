//! Since when and until when everything stood that lets somebody in.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use crate::clock::later;
use crate::world::World;
use crate::world::assignments::Tuple;

/// Something that lets somebody in, alone or with others. Users, groups and memberships by their ids.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fact {
    /// The assignment stands, to a user or to a group.
    Assignment(Tuple),
    /// The user of an identity store is in the group.
    Member {
        group: String,
        user: String,
        membership: String,
    },
    /// The IAM user is in the IAM group.
    IamMember {
        account: String,
        group: String,
        user: String,
    },
    /// Sessions of the permission set, by ARN, last so long.
    Session {
        permission_set: String,
        lasts: SignedDuration,
    },
    /// The user of an identity store is there and not disabled.
    SignIn { user: String },
}

/// A time with its beginning and without its end, which is [`Timestamp::MAX`] while it goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Span {
    pub(crate) from: Timestamp,
    pub(crate) until: Timestamp,
}

impl Span {
    pub(crate) fn and(self, other: Self) -> Option<Self> {
        let both = Self {
            from: self.from.max(other.from),
            until: self.until.min(other.until),
        };
        (both.from < both.until).then_some(both)
    }

    pub(crate) fn longer_by(self, by: SignedDuration) -> Self {
        Self {
            until: later(self.until, by),
            ..self
        }
    }

    pub(crate) fn has(self, when: Timestamp) -> bool {
        self.from <= when && when < self.until
    }
}

/// What stands since when, and what stood.
#[derive(Clone, Debug, Default)]
pub(crate) struct History {
    standing: BTreeMap<Fact, Timestamp>,
    past: Vec<(Fact, Span)>,
    /// The ids of everybody who ever had a name.
    ids: BTreeMap<String, BTreeSet<String>>,
    revision: u64,
}

impl History {
    /// What stands in this world has always stood.
    pub(crate) fn of(world: &World) -> Self {
        let mut history = Self::default();
        history.look(world, Timestamp::MIN);
        history
    }

    /// Notes what is different from when it last looked.
    pub(crate) fn look(&mut self, world: &World, now: Timestamp) {
        let facts = facts(world);
        let gone = self.standing.keys().filter(|fact| !facts.contains(fact));
        let gone: Vec<Fact> = gone.cloned().collect();
        for fact in gone {
            self.revision += 1;
            if let Some(from) = self.standing.remove(&fact) {
                self.past.push((fact, Span { from, until: now }));
            }
        }
        for fact in facts {
            self.standing.entry(fact).or_insert_with(|| {
                self.revision += 1;
                now
            });
        }
        for (name, id) in names(world) {
            let known = self.ids.get(name).is_some_and(|ids| ids.contains(id));
            if !known {
                let ids = self.ids.entry(name.to_owned()).or_default();
                ids.insert(id.to_owned());
            }
        }
    }

    /// Raised by every change.
    pub(crate) fn revision(&self) -> u64 {
        self.revision
    }

    /// Every fact with every time at which it stood.
    pub(crate) fn spans(&self) -> impl Iterator<Item = (&Fact, Span)> {
        let standing = self.standing.iter().map(|(fact, from)| {
            let until = Timestamp::MAX;
            (fact, Span { from: *from, until })
        });
        self.past
            .iter()
            .map(|(fact, span)| (fact, *span))
            .chain(standing)
    }

    /// Everybody who is or was called so, and who has this id.
    pub(crate) fn ids_of<'a>(&'a self, id_or_name: &'a str) -> impl Iterator<Item = &'a str> {
        let named = self.ids.get(id_or_name).into_iter().flatten();
        named.map(String::as_str).chain([id_or_name])
    }

    /// Forgets what ended before that time.
    pub(crate) fn forget(&mut self, before: Timestamp) {
        self.past.retain(|(_, span)| span.until >= before);
    }
}

fn facts(world: &World) -> BTreeSet<Fact> {
    let mut facts = BTreeSet::new();
    for instance in &world.instances {
        let rows = instance.assignments.rows(Timestamp::MAX);
        facts.extend(rows.cloned().map(Fact::Assignment));
        let memberships = instance.directory.memberships(Timestamp::MAX);
        facts.extend(memberships.map(|membership| Fact::Member {
            group: membership.group_id.clone(),
            user: membership.user_id.clone(),
            membership: membership.id.clone(),
        }));
        facts.extend(instance.permission_sets.values().map(|set| Fact::Session {
            permission_set: set.arn.clone(),
            lasts: set.session_length(),
        }));
        let users = instance.directory.users.values();
        facts.extend(users.filter(|user| user.enabled).map(|user| Fact::SignIn {
            user: user.id.clone(),
        }));
    }
    for (account, inside) in &world.accounts {
        for user in inside.iam.users() {
            let groups = inside.iam.groups_of(&user.id, Timestamp::MAX);
            facts.extend(groups.map(|group| Fact::IamMember {
                account: account.clone(),
                group: group.id.clone(),
                user: user.id.clone(),
            }));
        }
    }
    facts
}

/// Names and ids of all users.
fn names(world: &World) -> impl Iterator<Item = (&str, &str)> {
    let directories = world.instances.iter().map(|instance| &instance.directory);
    let people = directories
        .flat_map(|directory| directory.users.values())
        .map(|user| (user.user_name.as_str(), user.id.as_str()));
    let inside = world
        .accounts
        .values()
        .flat_map(|account| account.iam.users());
    people.chain(inside.map(|user| (user.name.as_str(), user.id.as_str())))
}
