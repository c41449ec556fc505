//! What was asked for, what was done to the world, and what was seen in AWS.

use jiff::{SignedDuration, Timestamp};

use crate::support::{Access, Kind, now};

/// From a time up to, and without, another.
pub type Span = (Timestamp, Timestamp);

/// Everything that the checks rest on. Accesses and grants go by their place in the lists.
#[derive(Clone, Debug, Default)]
pub struct History {
    pub accesses: Vec<AccessHistory>,
    pub grants: Vec<GrantHistory>,
    pub troubles: Vec<Trouble>,
    /// What was found wrong on the way.
    pub complaints: Vec<String>,
    /// Calls to AWS.
    pub calls: u64,
}

/// What became of one access.
#[derive(Clone, Debug)]
pub struct AccessHistory {
    pub access: Access,
    /// Since when AWS had it or had it not, with the first look at the head.
    pub presence: Vec<(Timestamp, bool)>,
    pub writes: Vec<Write>,
    /// When others had given it.
    pub foreign: Vec<Foreign>,
}

/// A call that gives or takes.
#[derive(Clone, Copy, Debug)]
pub struct Write {
    pub creates: bool,
    pub time: Timestamp,
}

/// Others gave the access while no grant had to do with it.
#[derive(Clone, Copy, Debug)]
pub struct Foreign {
    pub given: Timestamp,
    /// From here on every listing shows it, so that nobody may take it for theirs.
    pub seen_by_all: Timestamp,
    /// When those others took it again.
    pub taken: Option<Timestamp>,
}

/// A grant, and what people did with it.
#[derive(Clone, Debug)]
pub struct GrantHistory {
    pub name: String,
    pub access: usize,
    pub created: Timestamp,
    pub start: Option<Timestamp>,
    pub expiry: Timestamp,
    /// A later change of the expiry.
    pub edit: Option<(Asked, Timestamp)>,
    /// What ended it early.
    pub early_end: Option<(Asked, EarlyEnd)>,
    /// When it was first seen to be active.
    pub active: Option<Timestamp>,
    /// How it was seen to be over.
    pub outcome: Option<String>,
}

/// A request to the API server: it took effect some time between the two.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    pub from: Timestamp,
    pub until: Timestamp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EarlyEnd {
    Revoked,
    Deleted,
    DeletedByForce,
}

/// Something does not work.
#[derive(Clone, Debug)]
pub struct Trouble {
    pub what: String,
    pub from: Timestamp,
    /// Absent: still.
    pub until: Option<Timestamp>,
    /// What it takes at most until all works again as if nothing had been: another replica waits for the lease to run out,
    /// connections and waits are begun anew.
    pub aftermath: SignedDuration,
    pub late_calls: LateCalls,
}

/// When a call may go out long after the last look at the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LateCalls {
    Never,
    /// A frozen controller goes on where it was.
    WhenOver,
    /// The machine has too much to do.
    Throughout,
}

impl Asked {
    /// Of which there is no answer yet: it may be acted on before.
    pub fn from_now_on() -> Self {
        Self {
            from: now(),
            until: Timestamp::MAX,
        }
    }
}

impl GrantHistory {
    /// From when it may give access.
    pub fn begins(&self) -> Timestamp {
        self.start
            .map_or(self.created, |start| start.max(self.created))
    }

    /// The last moment at which it may give access.
    pub fn ends(&self) -> Timestamp {
        let mut end = self.expiry;
        if let Some((asked, expiry)) = self.edit
            && asked.from < end
        {
            end = if expiry > end {
                expiry
            } else {
                expiry.max(asked.until.min(end))
            };
        }
        match self.early_end {
            Some((asked, _)) => end.min(asked.until),
            None => end,
        }
    }

    /// Until when it surely gives access. A longer expiry may become known too late (stated residue).
    pub fn surely_lasts_until(&self) -> Timestamp {
        let edited = self.edit.map_or(self.expiry, |(_, expiry)| expiry);
        let end = self.expiry.min(edited);
        match self.early_end {
            Some((asked, _)) => end.min(asked.from),
            None => end,
        }
    }

    /// Whether its end was known long before.
    pub fn ends_by_expiry(&self) -> bool {
        self.edit.is_none() && self.early_end.is_none()
    }
}

impl AccessHistory {
    pub fn new(access: Access) -> Self {
        Self {
            access,
            presence: Vec::new(),
            writes: Vec::new(),
            foreign: Vec::new(),
        }
    }

    /// When AWS had it.
    pub fn present(&self, now: Timestamp) -> Vec<Span> {
        let ends = self.presence.iter().skip(1).map(|(time, _)| *time);
        let spans = self.presence.iter().zip(ends.chain([now]));
        spans
            .filter(|((_, present), _)| *present)
            .map(|((from, _), until)| (*from, until))
            .collect()
    }

    /// The kind of target, for people.
    pub fn kind(&self) -> &'static str {
        match self.access.kind {
            Kind::Assignment { .. } => "account assignment",
            Kind::Group { .. } => "Identity Center group",
            Kind::IamGroup { .. } => "IAM group",
        }
    }
}

impl History {
    /// How much of a span everything worked.
    pub fn calm(&self, span: Span) -> SignedDuration {
        self.length_without(span, |_| true)
    }

    /// How much of a span the machine was able to work.
    pub fn running(&self, span: Span) -> SignedDuration {
        self.length_without(span, |trouble| trouble.late_calls == LateCalls::Throughout)
    }

    fn length_without(&self, span: Span, counts: impl Fn(&Trouble) -> bool) -> SignedDuration {
        let troubles = self.troubles.iter().filter(|trouble| counts(trouble));
        let spans = troubles.map(|trouble| {
            let end = trouble.until.map_or(span.1, |end| end + trouble.aftermath);
            (trouble.from, end)
        });
        let left = without(&[span], spans);
        left.iter()
            .map(|(from, until)| until.duration_since(*from))
            .sum()
    }
}

/// What is left of spans outside of others.
pub fn without(spans: &[Span], others: impl IntoIterator<Item = Span>) -> Vec<Span> {
    let mut left = spans.to_vec();
    for (from, until) in others {
        left = left
            .into_iter()
            .flat_map(|(begin, end)| [(begin, end.min(from)), (begin.max(until), end)])
            .filter(|(begin, end)| begin < end)
            .collect();
    }
    left
}
