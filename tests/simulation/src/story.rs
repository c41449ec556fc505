//! A story: what people, clouds and machines do in one simulated world, and when. It is data, so that
//! it can be told, shortened and played again. The controller's own part is not in it.

mod draw;

use std::fmt;
use std::time::Duration;

use aws_simulator::{
    AbsentDelete, AbsentMembership, Chances, Change, Delay, IamOutage, OrphanDelete, Outages, Rate,
    Refusal, Replicas, Settings, Staleness, Tail, Tenants,
};
use jiff::SignedDuration;

use crate::cast::Target;
use crate::checker::Side;

pub use draw::{calm, crowd, draw};

/// Seconds since the beginning of the story.
pub type Second = u64;

/// One story.
#[derive(Clone, Debug)]
pub struct Story {
    /// Where every chance in it comes from: ids, delays, and which calls a trouble hits.
    pub seed: u64,
    /// The world that it plays in.
    pub setting: Setting,
    /// What happens, in the order of time.
    pub deeds: Vec<(Second, Deed)>,
    /// From here on nothing goes wrong any more.
    pub calm: Second,
    /// For so long nothing may be written once all is at rest.
    pub still: Second,
}

impl Story {
    /// How long what people ask for may take at most, where nothing holds it up but, where one dies, the death of a
    /// controller: another sees that the lease has ended, or the same comes back. None where anything else may.
    pub fn promptness(&self, dies: bool) -> Option<Second> {
        let Setting {
            crowd, lag, cloud, ..
        } = &self.setting;
        let unhindered = |(_, deed): &(Second, Deed)| match deed {
            Deed::Apply(_)
            | Deed::SetExpiry(..)
            | Deed::SetRevoked(..)
            | Deed::Delete(_)
            | Deed::PutPolicy(..) => true,
            Deed::ApiTrouble(trouble) => trouble.kind == Api::NoLease,
            _ => false,
        };
        let quick = cloud.assignment_delay <= 2_000 && !cloud.crowded;
        let quick = quick && self.setting.api_latency <= 500;
        let takes_over = if dies { self.setting.lease * 6 / 5 } else { 0 };
        (quick && *crowd == 0 && *lag == 0 && self.deeds.iter().all(unhindered))
            .then_some(takes_over + 60)
    }
}

/// What stays the same throughout a story.
#[derive(Clone, Debug, PartialEq)]
pub struct Setting {
    /// How many controllers there are.
    pub replicas: usize,
    /// Length of the lease by which they take turns.
    pub lease: Second,
    /// Whether they work from an account to which the administration of Identity Center is delegated, not
    /// from the one that owns it.
    pub delegated: bool,
    /// How many seconds what the API server's caches tell is behind.
    pub lag: Second,
    /// Longest time that a call to the API server takes, in milliseconds.
    pub api_latency: u64,
    /// How many people there are besides those who are in every story.
    pub crowd: usize,
    /// Whether the disk is full that the audit trail is written to.
    pub audit_fails: bool,
    /// How AWS behaves where it leaves room.
    pub cloud: Cloud,
    /// Settings of the controller that differ from the defaults.
    pub settings: breakglass::config::Settings,
}

/// How AWS behaves where it leaves room.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cloud {
    /// Longest time that an assignment takes, in milliseconds; the shortest is a tenth of it.
    pub assignment_delay: u64,
    /// How much later than the status the effect comes at most, in milliseconds; negative for earlier. By how much is drawn
    /// for each operation.
    pub effect_shift: i64,
    /// How old listings of Identity Center may be, in milliseconds.
    pub staleness: u64,
    /// How old readings of IAM may be, in milliseconds.
    pub iam_staleness: u64,
    /// Longest time that a call takes, in milliseconds.
    pub latency: u64,
    /// After so many seconds the id of an operation is forgotten.
    pub request_retention: Option<Second>,
    /// Which of the answers is given to a delete of what is not there; the last: any, and so wherever AWS leaves room.
    pub absent_delete: usize,
    /// Listings come in pages of random length.
    pub short_pages: bool,
    /// Reads are answered by so many copies, each as old as it happens to be; none: by one.
    pub copies: Option<usize>,
    /// Some assignments take minutes longer, others use up calls and places, and some operations fail
    /// or conflict for no reason of ours.
    pub crowded: bool,
    /// IAM never changes a tag.
    pub tags_fail: bool,
}

/// What somebody or something does.
#[derive(Clone, Debug, PartialEq)]
pub enum Deed {
    /// A pull request is merged: the grant is made, or written over.
    Apply(Grant),
    /// Its expiry is edited.
    SetExpiry(Name, Second),
    /// It is pointed at something else.
    Retarget(Name, Target),
    /// `revoked: true`, or back to false.
    SetRevoked(Name, bool),
    /// The annotation for emergencies.
    Annotate(Name),
    /// The annotation that asks for everything to be looked at now.
    AskAgain(Name),
    /// It is deleted.
    Delete(Name),
    /// It is deleted and its finalizers are taken off by hand.
    DeleteByForce(Name),
    /// Its finalizers are taken off by hand.
    DropFinalizer(Name),
    /// Its status is emptied.
    WipeStatus(Name),
    /// Its status claims what is not so.
    ForgeStatus(Name),
    /// Its spec becomes something that no version can read.
    Garble(Name),
    /// It is written to by somebody who means harm, and may do so past all that is asked at admission.
    Tamper(Name, Tamper),
    /// Somebody who may write leases writes into ours, every few seconds for so long, that another has it.
    HoldLease(Second),
    /// A namespace is deleted, with every grant in it, and is made anew by whoever made it.
    DeleteNamespace(&'static str),
    /// A policy is made, or written over.
    PutPolicy(&'static str, Policy),
    /// A policy is deleted.
    DeletePolicy(&'static str),
    /// Somebody gives access in AWS by hand.
    GiveByHand(&'static str, Target),
    /// Somebody takes access away in AWS by hand.
    TakeByHand(&'static str, Target),
    /// Something else changes in AWS.
    Aws(Change),
    /// The keys with which controllers come to AWS have expired, and nobody renews them for so long.
    KeysExpire(Second),
    /// Something is down at AWS, for everybody and for so long.
    Outage(Outage, Second),
    /// The process of a controller is gone at once, and comes back.
    Kill {
        /// Which.
        replica: usize,
        /// For how long.
        down: Second,
        /// Whether the same pod starts it again, so that it knows that its predecessor is dead.
        same_pod: bool,
    },
    /// A controller is told to stop, and another takes its place.
    Stop {
        /// Which.
        replica: usize,
        /// For how long.
        down: Second,
    },
    /// A controller stands still for so long: neither it nor what is sent to it gets through.
    Freeze(usize, Second),
    /// The clock of a controller's machine is set, by so many seconds from the true time.
    SetClock(usize, i64),
    /// What AWS answers says a time that is ahead of the true one by so many seconds, or behind it.
    SetAwsDate(i64),
    /// Calls to the API server go wrong.
    ApiTrouble(Trouble<Api>),
    /// Calls to AWS go wrong.
    AwsTrouble(Trouble<Aws>),
    /// A backup of the cluster is made.
    Backup,
    /// The last backup is put back; revisions are raised above all that were ever given, or run again.
    Restore {
        /// Whether they are raised.
        bump: bool,
    },
    /// All entries of the ledger are deleted, as anybody would: finalizers hold them.
    DeleteLedger,
    /// All entries of the ledger are gone: by force, or because the cluster was put back from a backup
    /// without them.
    LoseLedger {
        /// Whether it was by force, so that watches tell of it.
        by_force: bool,
    },
    /// The history that watches begin from is thrown away.
    Compact,
    /// The API server is started anew.
    EndWatches,
}

/// A grant by namespace and name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name {
    /// Its namespace.
    pub namespace: &'static str,
    /// Its name.
    pub name: String,
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// What a pull request asks for.
#[derive(Clone, Debug, PartialEq)]
pub struct Grant {
    /// Where it stands.
    pub name: Name,
    /// For whom.
    pub user: &'static str,
    /// For what.
    pub target: Target,
    /// From when on.
    pub start: Option<Second>,
    /// Until when.
    pub expiry: Second,
}

/// What somebody who means harm does to a grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tamper {
    /// Its status says that it has ended.
    Ended,
    /// Its status names the ledger entry of another grant, if there is one.
    AnothersAccess,
    /// A finalizer that nobody ever takes off.
    Finalizer,
    /// Its expiry is no time.
    BadExpiry,
    /// It is for Mallory.
    ForMallory,
    /// It begins an hour later, or now.
    Start,
}

impl Tamper {
    /// All of it.
    pub const ALL: [Self; 6] = [
        Self::Ended,
        Self::AnothersAccess,
        Self::Finalizer,
        Self::BadExpiry,
        Self::ForMallory,
        Self::Start,
    ];
}

/// What a policy says.
#[derive(Clone, Debug, PartialEq)]
pub enum Policy {
    /// Allows everything.
    Everything {
        /// For that many hours at most.
        hours: u64,
        /// Whether what is removed by hand stays away.
        end_on_removal: bool,
        /// Whether nobody else ever gives these entitlements.
        exclusive: bool,
    },
    /// Allows only one person.
    Only(&'static str),
    /// Refuses one person.
    DenyPerson(&'static str),
    /// Refuses one entitlement.
    DenyTarget(Target),
    /// Refuses everything.
    DenyAll,
    /// Can't be read.
    Nonsense,
}

/// Something that goes wrong for a while.
#[derive(Clone, Debug, PartialEq)]
pub struct Trouble<K> {
    /// What.
    pub kind: K,
    /// For how long.
    pub lasts: Second,
    /// For which controller; none: for all.
    pub replica: Option<usize>,
    /// How many of the calls it hits, in percent.
    pub percent: u64,
    /// Which of the calls.
    pub calls: Calls,
}

/// Calls that a trouble may hit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Calls {
    /// All.
    All,
    /// Those that change something.
    Writes,
    /// The others.
    Reads,
}

impl Calls {
    /// Whether a call that writes, or one that does not, is among them.
    pub(crate) fn have(self, write: bool) -> bool {
        match self {
            Self::All => true,
            Self::Writes => write,
            Self::Reads => !write,
        }
    }
}

impl<K> Trouble<K> {
    /// That, for so long, with every call of all controllers.
    pub fn new(kind: K, lasts: Second) -> Self {
        Self {
            kind,
            lasts,
            replica: None,
            percent: 100,
            calls: Calls::All,
        }
    }
}

/// What goes wrong between a controller and the API server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Api {
    /// An answer of 500, 503 or 429, and no effect.
    Refused(u16),
    /// Writes are forbidden, but for leases: rights were taken, or somebody has put a webhook in the way.
    Forbidden,
    /// A page for people with that HTTP status, from a proxy that does not reach the API server.
    Page(u16),
    /// The request takes effect, and half of its answer arrives.
    Truncated,
    /// All that concerns that kind is forbidden.
    NoRights(&'static str),
    /// The request takes effect, and the answer is that it was not done in time.
    DoneAndRefused,
    /// A conflict that nobody else caused.
    Conflict,
    /// The same for every status: somebody writes them all the time.
    StatusConflict,
    /// The connection breaks before the request arrives.
    Lost,
    /// The request takes effect, and its answer is lost.
    Unanswered,
    /// The request arrives that much later; its caller may have given up by then.
    Late(Second),
    /// The request arrives and nobody ever answers.
    Hang,
    /// The request does not arrive, and nobody tells.
    Dropped,
    /// An event never comes.
    EventLost,
    /// An event comes twice.
    EventTwice,
    /// Events come late.
    EventLate(Second),
    /// A watch falls silent.
    WatchSilent,
    /// A watch is told that its history is gone.
    WatchExpired,
    /// Leases are refused.
    NoLease,
    /// They can be neither read nor written: a webhook that is down stands before them.
    LeaseFails,
    /// The same, and nobody tells.
    LeaseHangs,
    /// JSON that is no object of Kubernetes, from a proxy that says that all is well, and nothing has arrived.
    Foreign,
    /// Lists and watches are refused: the API server was started anew and knows nothing yet.
    Initializing,
}

/// What may be down at AWS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outage {
    /// The primary Region of Identity Center: it can neither be read nor changed.
    PrimaryRegion,
    /// The control plane of IAM: what is there can be read.
    IamWrites,
    /// All of IAM but the keys that were given out.
    Iam,
    /// So many calls are throttled, in percent.
    Throttling(u8),
}

impl Aws {
    /// What goes wrong by it.
    pub(crate) fn sides(self) -> &'static [Side] {
        match self {
            Self::IamDown => &[Side::Iam],
            Self::IdentityCenterDown => &[Side::IdentityCenter],
            _ => &Side::ALL,
        }
    }
}

impl Outage {
    /// What is down.
    pub(crate) fn sides(self) -> &'static [Side] {
        match self {
            Self::PrimaryRegion => &[Side::IdentityCenter],
            Self::IamWrites | Self::Iam => &[Side::Iam],
            Self::Throttling(_) => &Side::ALL,
        }
    }

    /// All that are at once.
    pub fn together(all: impl IntoIterator<Item = Self>) -> Outages {
        let mut outages = Outages::default();
        for outage in all {
            match outage {
                Self::PrimaryRegion => outages.identity_center = true,
                Self::IamWrites if outages.iam == IamOutage::None => {
                    outages.iam = IamOutage::Writes;
                }
                Self::IamWrites => {}
                Self::Iam => outages.iam = IamOutage::WritesAndReads,
                Self::Throttling(percent) => outages.throttling = f64::from(percent) / 100.0,
            }
        }
        outages
    }
}

/// What goes wrong between a controller and AWS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aws {
    /// A server error, and no effect.
    ServerError,
    /// Too many calls.
    Throttled,
    /// Too many operations under way.
    TooManyRequests,
    /// A conflict with another operation.
    Conflict,
    /// An assignment is accepted, and its operation fails.
    Fails,
    /// The connection breaks before the request arrives.
    Lost,
    /// The request takes effect, and its answer is lost.
    Unanswered,
    /// The request arrives that much later; its caller may have given up by then.
    Late(Second),
    /// Nobody ever answers, and nothing happens.
    Hang,
    /// A page for people instead of an answer.
    Html,
    /// The same, from a proxy that says that all is well, and nothing has arrived.
    Portal,
    /// The answer ends in the middle.
    Truncated,
    /// We are not allowed to.
    Denied,
    /// Our credentials have expired.
    Expired,
    /// IAM does not answer.
    IamDown,
    /// Identity Center does not answer.
    IdentityCenterDown,
}

/// Longest of the minutes by which some assignments are later than others.
const TAIL: i64 = 5;

impl Cloud {
    /// Makes a simulated AWS behave so.
    pub fn apply(&self, settings: &mut Settings) {
        let millis =
            |millis: u64| SignedDuration::from_millis(i64::try_from(millis).unwrap_or(i64::MAX));
        settings.assignment_delay = Delay {
            min: millis(self.assignment_delay / 10),
            max: millis(self.assignment_delay),
        };
        let shift = SignedDuration::from_millis(self.effect_shift);
        settings.effect_shift = Delay {
            min: shift.min(SignedDuration::ZERO),
            max: shift.max(SignedDuration::ZERO),
        };
        settings.staleness = Staleness {
            sso_admin: millis(self.staleness),
            identity_store: millis(self.staleness),
            iam: millis(self.iam_staleness),
        };
        settings.latency = Delay {
            min: SignedDuration::ZERO,
            max: millis(self.latency),
        };
        settings.request_retention = self.request_retention.map(|s| millis(s * 1000));
        settings.absent_delete = [
            AbsentDelete::NotFound,
            AbsentDelete::Succeeds,
            AbsentDelete::Fails,
            AbsentDelete::Any,
        ][self.absent_delete];
        if settings.absent_delete == AbsentDelete::Any {
            settings.absent_membership = AbsentMembership::Either;
            settings.unknown_principal = Refusal::Either;
            settings.orphan_delete = OrphanDelete::Any;
        }
        settings.short_pages = self.short_pages;
        if self.short_pages {
            // There are few of anything in a story.
            settings.page_size = 3;
        }
        let minutes = |from, to| Delay {
            min: SignedDuration::from_mins(from),
            max: SignedDuration::from_mins(to),
        };
        settings.replicas = self.copies.map(|count| Replicas {
            count,
            lag_lasts: minutes(0, 5),
        });
        if self.crowded {
            settings.assignment_tail = Tail {
                chance: 0.05,
                by: minutes(1, TAIL),
            };
            settings.tenants = Some(Tenants {
                rate_share: 0.8,
                in_flight: 9,
                lasts: minutes(1, 20),
            });
            settings.chances = Chances {
                assignment_fails: 0.05,
                conflict_under_load: 0.1,
                membership_conflict: 0.05,
                tag_conflict: 0.2,
                token_refused: 0.01,
            };
            settings.iam_rate = Some(Rate {
                per_second: 20.0,
                burst: 20.0,
            });
        }
        if self.tags_fail {
            settings.chances.tag_conflict = 1.0;
        }
    }

    /// How long after a write has arrived its effect may come.
    fn slowest(&self) -> Duration {
        let shift = u64::try_from(self.effect_shift).unwrap_or_default();
        let tail = i64::from(self.crowded) * TAIL;
        Duration::from_millis(self.latency + self.assignment_delay + shift)
            + Duration::from_mins(tail.unsigned_abs())
    }
}

impl Story {
    /// How long a request may be on its way at most: its effect comes within the time that the protocol allows for
    /// a write whose outcome is unknown.
    pub(crate) fn longest_way(&self) -> Duration {
        let unknown_outcome = self.setting.settings.unknown_outcome;
        unknown_outcome.saturating_sub(self.setting.cloud.slowest())
    }

    /// Whether AWS refuses an account as a whole for a while: that is asked again every hour only.
    pub fn suspends_an_account(&self) -> bool {
        let suspends = |deed: &Deed| {
            matches!(
                deed,
                Deed::Aws(Change::SetAccountStatus { .. } | Change::DeleteRole { .. })
            )
        };
        self.deeds.iter().any(|(_, deed)| suspends(deed))
    }
}

impl fmt::Display for Story {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "seed {}, {} replica(s), lease of {} s, {} ms to the API server, {:?}",
            self.seed,
            self.setting.replicas,
            self.setting.lease,
            self.setting.api_latency,
            self.setting.cloud
        )?;
        for (at, deed) in &self.deeds {
            writeln!(f, "  {} {deed:?}", clock(*at))?;
        }
        writeln!(f, "  {} all is calm", clock(self.calm))
    }
}

/// A second of the story as people read it.
pub fn clock(at: Second) -> String {
    format!("{:02}:{:02}:{:02}", at / 3600, at / 60 % 60, at % 60)
}
