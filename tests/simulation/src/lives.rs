//! Short stories, each about one turn in the life of a grant: whatever else happens is up to who plays
//! them.

use std::time::Duration;

use crate::cast::{ACCOUNTS, GROUPS, IAM_ACCOUNTS, IAM_GROUPS, PERMISSION_SETS, Target};
use crate::stage::Direction;
use crate::story::{
    Api, Aws, Calls, Cloud, Deed, Grant, Name, Policy, Second, Setting, Story, Trouble,
};

const MINUTE: Second = 60;
/// By then the last grant of each life has ended.
const END: Second = 16 * MINUTE;

/// An assignment.
pub const ASSIGNMENT: Target = Target::Assignment(ACCOUNTS[0], PERMISSION_SETS[0].0);
/// A membership of a group of Identity Center.
pub const GROUP: Target = Target::Group(GROUPS[0]);
/// A membership of an IAM group.
pub const IAM_GROUP: Target = Target::IamGroup(IAM_ACCOUNTS[0], IAM_GROUPS[0]);

/// One life.
#[derive(Clone, Debug)]
pub struct Life {
    /// What is special about it.
    pub name: &'static str,
    /// What happens.
    pub story: Story,
}

impl Life {
    /// The same with so many controllers, who can take turns or can't. Whoever takes over from another need not
    /// wait for half an hour until it may call something closed.
    #[must_use]
    pub fn with(mut self, replicas: usize, without_lease: bool) -> Self {
        self.story.setting.replicas = replicas;
        if replicas > 1 {
            // As shipped: shorter than a call may take, so that it ends in the middle of one.
            self.story.setting.lease = 15;
            let settings = &mut self.story.setting.settings;
            settings.offline_authority = Duration::from_mins(1);
            settings.unknown_outcome = Duration::from_mins(5);
        }
        if without_lease {
            let refused = Trouble::new(Api::NoLease, self.story.calm);
            self.story.deeds.insert(0, (0, Deed::ApiTrouble(refused)));
        }
        self
    }

    /// What plays it again in that direction.
    pub fn command(&self, direction: &Direction) -> String {
        let refused =
            |deed: &Deed| matches!(deed, Deed::ApiTrouble(one) if one.kind == Api::NoLease);
        let without_lease = self.story.deeds.iter().any(|(_, deed)| refused(deed));
        let mut parts = vec![
            format!("target/simulation/simulate --trace --life '{}'", self.name),
            format!("--replicas {}", self.story.setting.replicas),
        ];
        parts.extend(without_lease.then(|| "--no-lease".to_owned()));
        parts.extend(
            direction
                .crash_at
                .iter()
                .map(|point| format!("--crash-at {point}")),
        );
        parts.extend(direction.new_pod.then(|| "--new-pod".to_owned()));
        let hold = direction.hold;
        parts.extend(hold.map(|hold| format!("--hold {hold}")));
        parts.join(" ")
    }
}

/// All of them.
pub fn lives() -> Vec<Life> {
    [ends(), overlaps(), changes(), troubles()].concat()
}

fn first() -> Grant {
    grant("first", ASSIGNMENT, None, 5 * MINUTE)
}

fn name() -> Name {
    first().name
}

/// Of one grant, each ending in another way.
fn ends() -> Vec<Life> {
    vec![
        life("an assignment expires", vec![(10, Deed::Apply(first()))]),
        life(
            "a membership of a group expires",
            vec![(10, Deed::Apply(grant("first", GROUP, None, 5 * MINUTE)))],
        ),
        life(
            "a membership of an IAM group expires",
            vec![(10, Deed::Apply(grant("first", IAM_GROUP, None, 5 * MINUTE)))],
        ),
        life(
            "it is revoked",
            vec![
                (10, Deed::Apply(first())),
                (2 * MINUTE, Deed::SetRevoked(name(), true)),
            ],
        ),
        life(
            "it is deleted",
            vec![
                (10, Deed::Apply(first())),
                (2 * MINUTE, Deed::Delete(name())),
            ],
        ),
        life(
            "a membership of a group is revoked",
            vec![
                (10, Deed::Apply(grant("first", GROUP, None, 5 * MINUTE))),
                (2 * MINUTE, Deed::SetRevoked(name(), true)),
            ],
        ),
        life(
            "a membership of an IAM group is deleted",
            vec![
                (10, Deed::Apply(grant("first", IAM_GROUP, None, 5 * MINUTE))),
                (2 * MINUTE, Deed::Delete(name())),
            ],
        ),
        life(
            "it is deleted by force",
            vec![
                (10, Deed::Apply(first())),
                (2 * MINUTE, Deed::DeleteByForce(name())),
            ],
        ),
        life(
            "it can't be read any more, and is deleted",
            vec![
                (10, Deed::Apply(first())),
                (11, Deed::Garble(name())),
                (12, Deed::Delete(name())),
            ],
        ),
    ]
}

/// Of two grants of the same access.
fn overlaps() -> Vec<Life> {
    let second = |start, expiry| Deed::Apply(grant("second", ASSIGNMENT, start, expiry));
    vec![
        life(
            "two overlap",
            vec![
                (10, Deed::Apply(first())),
                (2 * MINUTE, second(None, 8 * MINUTE)),
            ],
        ),
        life(
            "one follows the other",
            vec![
                (10, Deed::Apply(first())),
                (20, second(Some(5 * MINUTE), 8 * MINUTE)),
            ],
        ),
        life(
            "one comes while the other goes",
            vec![
                (10, Deed::Apply(first())),
                (5 * MINUTE + 1, second(None, 8 * MINUTE)),
            ],
        ),
        given_slowly(life(
            "one comes while the other is being given",
            vec![(10, Deed::Apply(first())), (11, second(None, 8 * MINUTE))],
        )),
    ]
}

/// Of one grant to which something is done.
fn changes() -> Vec<Life> {
    vec![
        life(
            "it is lengthened",
            vec![
                (10, Deed::Apply(first())),
                (2 * MINUTE, Deed::SetExpiry(name(), 8 * MINUTE)),
            ],
        ),
        life(
            "a policy denies it",
            vec![
                (10, Deed::Apply(first())),
                (2 * MINUTE, Deed::PutPolicy("deny", Policy::DenyAll)),
            ],
        ),
        life(
            "it stood before",
            vec![
                (5, Deed::GiveByHand("alice@example.com", ASSIGNMENT)),
                (10, Deed::Apply(first())),
            ],
        ),
        life(
            "it is pointed at something else",
            vec![
                (10, Deed::Apply(first())),
                (2 * MINUTE, Deed::Retarget(name(), GROUP)),
            ],
        ),
        life(
            "it is ended by annotation",
            vec![
                (10, Deed::Apply(first())),
                (2 * MINUTE, Deed::Annotate(name())),
            ],
        ),
        life(
            "it is removed by hand, and that ends it",
            vec![
                (
                    1,
                    Deed::PutPolicy(
                        "everything",
                        Policy::Everything {
                            hours: 8,
                            end_on_removal: true,
                            exclusive: false,
                        },
                    ),
                ),
                (10, Deed::Apply(grant("first", IAM_GROUP, None, 8 * MINUTE))),
                (2 * MINUTE, Deed::TakeByHand("alice", IAM_GROUP)),
                (3 * MINUTE, Deed::AskAgain(name())),
            ],
        ),
        life(
            "it is removed by hand",
            vec![
                (10, Deed::Apply(first())),
                (
                    2 * MINUTE,
                    Deed::TakeByHand("alice@example.com", ASSIGNMENT),
                ),
                (3 * MINUTE, Deed::AskAgain(name())),
            ],
        ),
    ]
}

/// Of one grant while something goes wrong besides.
fn troubles() -> Vec<Life> {
    let away = Trouble::new(Api::Lost, MINUTE);
    let unanswered = Trouble {
        calls: Calls::Writes,
        ..Trouble::new(Aws::Unanswered, MINUTE)
    };
    let exclusive = Policy::Everything {
        hours: 8,
        end_on_removal: false,
        exclusive: true,
    };
    vec![
        life(
            "it expires while the API server is away",
            vec![
                (10, Deed::Apply(first())),
                (4 * MINUTE + 45, Deed::ApiTrouble(away)),
            ],
        ),
        life(
            "AWS gives it and does not answer",
            vec![
                (5, Deed::AwsTrouble(unanswered)),
                (10, Deed::Apply(first())),
            ],
        ),
        life(
            "it is shortened",
            vec![
                (10, Deed::Apply(first())),
                (2 * MINUTE, Deed::SetExpiry(name(), 3 * MINUTE)),
            ],
        ),
        life(
            "it stood before, under an exclusive policy",
            vec![
                (1, Deed::PutPolicy("everything", exclusive)),
                (5, Deed::GiveByHand("alice@example.com", ASSIGNMENT)),
                (10, Deed::Apply(first())),
            ],
        ),
        life(
            "its name is used again",
            vec![
                (10, Deed::Apply(first())),
                (2 * MINUTE, Deed::DeleteByForce(name())),
                (2 * MINUTE + 1, Deed::Apply(first())),
            ],
        ),
    ]
}

/// The same where AWS takes seconds for each assignment.
fn given_slowly(mut life: Life) -> Life {
    life.story.setting.cloud.assignment_delay = 20_000;
    life
}

/// A life in which that happens, under a policy that allows everything.
pub fn life(name: &'static str, mut deeds: Vec<(Second, Deed)>) -> Life {
    let policy = Policy::Everything {
        hours: 8,
        end_on_removal: false,
        exclusive: false,
    };
    deeds.insert(0, (0, Deed::PutPolicy("everything", policy)));
    deeds.sort_by_key(|(at, _)| *at);
    let setting = Setting {
        replicas: 1,
        lease: 120,
        delegated: false,
        lag: 0,
        api_latency: 0,
        crowd: 0,
        audit_fails: false,
        cloud: Cloud {
            assignment_delay: 2_000,
            latency: 50,
            ..Cloud::default()
        },
        settings: breakglass::config::Settings::default(),
    };
    let story = Story {
        seed: 7,
        setting,
        deeds,
        calm: END,
        still: 6 * MINUTE,
    };
    Life { name, story }
}

/// A grant for Alice.
pub fn grant(name: &str, target: Target, start: Option<Second>, expiry: Second) -> Grant {
    let user = match target {
        Target::IamGroup(..) => "alice",
        _ => "alice@example.com",
    };
    Grant {
        name: Name {
            namespace: "breakglass",
            name: name.to_owned(),
        },
        user,
        target,
        start,
        expiry,
    }
}
