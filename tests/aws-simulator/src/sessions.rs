//! Who can act where, sessions included, if everybody makes the most of what they have.
//!
//! A user with access starts a session at the last possible moment, and it lasts as long as sessions of the permission set did at that
//! moment. Ending access does not end sessions (IAM Identity Center guide, `authconcept`: sessions run on after an assignment is deleted,
//! a user leaves a group, or is disabled).

use jiff::{SignedDuration, Timestamp};

use crate::effects::AccessTuple;
use crate::history::{Fact, History, Span};
use crate::world::assignments::{PrincipalType, Tuple};

/// For so long after leaving a group of Identity Center a user can still start sessions through it (IAM Identity Center guide,
/// `authconcept`: within an hour).
pub const GROUP_LAG: SignedDuration = SignedDuration::from_hours(1);

/// The longest session of a role that an IAM user can take on (IAM guide, maximum session duration of a role). It runs on when the user has
/// left the group that allowed it.
pub const LONGEST_ROLE_SESSION: SignedDuration = SignedDuration::from_hours(12);

/// The longest session of a role that a role takes on (IAM guide, role chaining). What is answered here leaves such sessions out: whoever
/// counts with them adds this.
pub const CHAINED_SESSION: SignedDuration = SignedDuration::from_hours(1);

/// When the last session ends that an access can give.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LastSession {
    /// It never let anybody in, as far as is remembered.
    Never,
    /// Its sessions are over from that time on, which may be still to come.
    Ends(Timestamp),
    /// A session can be started now.
    Open,
}

impl History {
    /// The times at which a user, by id or by a name it ever had, can act in an account, from the earliest on, none touching another.
    pub(crate) fn use_of(&self, user: &str, account: &str) -> Vec<Span> {
        let mut all: Vec<Span> = self
            .ids_of(user)
            .flat_map(|id| {
                self.spans()
                    .flat_map(|(fact, span)| self.sessions(fact, span, Some(id), Some(account)))
            })
            .collect();
        all.sort_unstable();
        let mut apart: Vec<Span> = Vec::new();
        for span in all {
            match apart.last_mut() {
                Some(last) if span.from <= last.until => last.until = last.until.max(span.until),
                _ => apart.push(span),
            }
        }
        apart
    }

    pub(crate) fn last_session(&self, access: &AccessTuple) -> LastSession {
        let ends = self
            .spans()
            .filter(|(fact, _)| is(fact, access))
            .flat_map(|(fact, span)| self.sessions(fact, span, None, None))
            .map(|span| span.until);
        match ends.max() {
            None => LastSession::Never,
            Some(end) if end == Timestamp::MAX => LastSession::Open,
            Some(end) => LastSession::Ends(end),
        }
    }

    /// The times at which somebody can act because this stood at that time: only that user, only in that account.
    fn sessions(
        &self,
        fact: &Fact,
        span: Span,
        only_user: Option<&str>,
        only_account: Option<&str>,
    ) -> Vec<Span> {
        let concerns = |user: &str| only_user.is_none_or(|only| only == user);
        let inside = |account: &str| only_account.is_none_or(|only| only == account);
        match fact {
            Fact::Assignment(tuple) if tuple.principal.kind == PrincipalType::User => {
                let user = &tuple.principal.id;
                if concerns(user) && inside(&tuple.account) {
                    self.started(span, &tuple.permission_set, user)
                } else {
                    Vec::new()
                }
            }
            Fact::Member { group, user, .. } if concerns(user) => {
                let counts = span.longer_by(GROUP_LAG);
                let has = |tuple: &Tuple| {
                    tuple.principal.kind == PrincipalType::Group
                        && tuple.principal.id == *group
                        && inside(&tuple.account)
                };
                self.spans()
                    .filter_map(|(fact, stood)| match fact {
                        Fact::Assignment(tuple) if has(tuple) => {
                            Some((stood.and(counts)?, &tuple.permission_set))
                        }
                        _ => None,
                    })
                    .flat_map(|(span, set)| self.started(span, set, user))
                    .collect()
            }
            Fact::IamMember { account, user, .. } if concerns(user) && inside(account) => {
                vec![span.longer_by(LONGEST_ROLE_SESSION)]
            }
            _ => Vec::new(),
        }
    }

    /// The sessions of a user who has a permission set at that time.
    fn started(&self, has: Span, permission_set: &str, user: &str) -> Vec<Span> {
        let mut all = Vec::new();
        for (fact, known) in self.spans() {
            let Fact::Session {
                permission_set: set,
                lasts,
            } = fact
            else {
                continue;
            };
            let Some(has) = has.and(known).filter(|_| set == permission_set) else {
                continue;
            };
            let lets_in = |fact: &Fact| matches!(fact, Fact::SignIn { user: who } if who == user);
            let signs_in = self.spans().filter(|(fact, _)| lets_in(fact));
            let starts = signs_in.filter_map(|(_, span)| has.and(span));
            all.extend(starts.map(|start| start.longer_by(*lasts)));
        }
        all
    }
}

fn is(fact: &Fact, access: &AccessTuple) -> bool {
    match (fact, access) {
        (
            Fact::Assignment(tuple),
            AccessTuple::Assignment {
                account,
                permission_set,
                principal,
            },
        ) => {
            tuple.account == *account
                && tuple.permission_set == *permission_set
                && tuple.principal.id == *principal
        }
        (
            Fact::Member {
                group,
                user,
                membership,
            },
            AccessTuple::GroupMembership {
                group: of,
                user: who,
                membership: id,
            },
        ) => group == of && user == who && membership == id,
        (
            Fact::IamMember {
                account,
                group,
                user,
            },
            AccessTuple::IamMembership {
                account: place,
                group: of,
                user: who,
            },
        ) => account == place && group == of && user == who,
        _ => false,
    }
}
