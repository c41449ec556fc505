//! The grants of the show.

use jiff::{SignedDuration, Timestamp};

/// Where grants live.
pub const NAMESPACE: &str = "breakglass";

/// A `BreakglassGrant` to be applied.
#[derive(Clone, Copy, Debug)]
pub struct Grant {
    /// Its name.
    pub name: &'static str,
    /// Who asks.
    pub user: &'static str,
    /// For what.
    pub target: Target,
    /// When it ends, in seconds after the show of grants begins.
    pub ends_after: i64,
    /// Why it is in the show.
    pub about: &'static str,
}

/// What is asked for, by the names that world.yaml gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// The permission set `BreakglassAccess` in account 111122223333.
    Assignment,
    /// The Identity Center group `BreakglassOperators`.
    Group,
    /// The IAM group `ProdMemberWorkGroup` in account 444455556666.
    IamGroup,
}

/// Ends first of two for the same access.
pub const ALICE: Grant = Grant {
    name: "alice-payments",
    user: "alice@example.com",
    target: Target::Assignment,
    ends_after: 22,
    about: "a permission set in an account",
};
/// Ends last of two for the same access.
pub const ALICE_LONGER: Grant = Grant {
    name: "alice-longer",
    ends_after: 40,
    about: "the same access again, for longer",
    ..ALICE
};
/// Membership of an Identity Center group.
pub const BOB: Grant = Grant {
    name: "bob-operators",
    user: "bob@example.com",
    target: Target::Group,
    ends_after: 28,
    about: "an Identity Center group",
};
/// Membership of an IAM group.
pub const MEMBER: Grant = Grant {
    name: "member01-work",
    user: "member01",
    target: Target::IamGroup,
    ends_after: 34,
    about: "an IAM group",
};
/// Admitted by one policy and denied by another.
pub const MALLORY: Grant = Grant {
    name: "mallory-payments",
    user: "mallory@example.com",
    ends_after: 3600,
    about: "a policy denies this one",
    ..ALICE
};
/// An hour too late.
pub const DAVE: Grant = Grant {
    name: "dave-too-late",
    user: "dave@example.com",
    ends_after: -3600,
    about: "its time is over already",
    ..ALICE
};

/// All grants, in the order in which they are applied.
pub const ALL: [Grant; 6] = [ALICE, ALICE_LONGER, BOB, MEMBER, MALLORY, DAVE];

impl Grant {
    /// When it ends, if the show of grants begins at `start`.
    pub fn expiry(&self, start: Timestamp) -> Timestamp {
        let expiry = start
            .saturating_add(SignedDuration::from_secs(self.ends_after))
            .unwrap_or(start);
        // People write no fractions.
        Timestamp::from_second(expiry.as_second()).unwrap_or(expiry)
    }

    /// The file that a team would merge.
    pub fn yaml(&self, start: Timestamp) -> String {
        let Self { name, user, .. } = self;
        let (target, expiry) = (self.target.yaml(), self.expiry(start));
        format!(
            "apiVersion: breakglass.dev/v1alpha1\n\
             kind: BreakglassGrant\n\
             metadata: {{name: {name}, namespace: {NAMESPACE}}}\n\
             spec:\n\
             \x20 user: {user}\n\
             \x20 target: {{{target}}}\n\
             \x20 expiryTime: \"{expiry}\"\n\
             \x20 reason: Payments API down\n"
        )
    }
}

impl Target {
    /// The target in short, as the controller writes it.
    pub fn summary(self) -> &'static str {
        match self {
            Self::Assignment => "BreakglassAccess@111122223333",
            Self::Group => "group BreakglassOperators",
            Self::IamGroup => "group ProdMemberWorkGroup@444455556666",
        }
    }

    /// The target as it is written in a grant.
    pub fn yaml(self) -> &'static str {
        match self {
            Self::Assignment => {
                r#"accountAssignment: {account: "111122223333", permissionSet: BreakglassAccess}"#
            }
            Self::Group => "identityCenterGroup: {name: BreakglassOperators}",
            Self::IamGroup => r#"iamGroup: {account: "444455556666", name: ProdMemberWorkGroup}"#,
        }
    }
}
