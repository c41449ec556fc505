//! The audit trail: one JSON line for each write to AWS. Its schema is part of the API.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use serde::Serialize;

use crate::api::access::{
    Attempt, BreakglassAccess, BreakglassAccessSpec, Claim, EndReason, GrantRef, Operation,
    PolicyRef, Provenance,
};
use crate::api::tuple::Tuple;
use crate::aws::Outcome;
use crate::decide::ledger::due_claims;

/// Version of the schema of a line. A field may be added without a new version.
const SCHEMA: &str = "breakglass.dev/audit/v1";

/// Where audit lines go.
pub struct Audit(Mutex<Sink>);

struct Sink {
    to: Box<dyn io::Write + Send>,
    /// Whether a line stands there without its end.
    torn: bool,
}

impl Sink {
    /// Writes a line with its end. What is left of one that could not be written whole is ended first:
    /// else this one would be lost with it.
    fn line(&mut self, line: &[u8]) -> io::Result<()> {
        if self.torn {
            self.to.write_all(b"\n")?;
            self.torn = false;
        }
        let mut rest = line;
        while !rest.is_empty() {
            let written = match self.to.write(rest) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => written,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            rest = rest.get(written..).unwrap_or_default();
            self.torn = !rest.is_empty();
        }
        self.to.flush()
    }
}

impl std::fmt::Debug for Audit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Audit")
    }
}

/// What was done in AWS.
#[derive(Clone, Copy, Debug)]
pub enum Action<'a> {
    /// Access was given or taken away, by an attempt that stood in the ledger, or that is recorded
    /// there as soon as that can be written.
    Attempt(&'a Attempt),
    /// A tag was put on a user that says which membership is ours.
    Tag,
    /// That tag was taken off.
    Untag,
}

/// A write to AWS, as it happened.
#[derive(Clone, Copy, Debug)]
pub struct Write<'a> {
    /// The ledger entry as it was when the write was sent.
    pub access: &'a BreakglassAccess,
    /// What was done.
    pub action: Action<'a>,
    /// How it ended, or that AWS is at work on it.
    pub outcome: &'a Outcome,
    /// When it was begun.
    pub begun: Timestamp,
    /// When it ended.
    pub ended: Timestamp,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Line<'a> {
    schema: &'static str,
    time: Timestamp,
    operation: &'static str,
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attempt: Option<&'a str>,
    access: Option<&'a str>,
    user: &'a str,
    target: &'a str,
    tuple: &'a Tuple,
    grants: Vec<Grant<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    written_time: Option<Timestamp>,
    begin_time: Timestamp,
    end_time: Timestamp,
}

/// A grant on whose behalf the write was made.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Grant<'a> {
    #[serde(flatten)]
    name: &'a GrantRef,
    uid: &'a str,
    spec_hash: &'a str,
    policy: &'a PolicyRef,
    #[serde(skip_serializing_if = "Option::is_none")]
    end_reason: Option<EndReason>,
    /// From the grant's annotations: whoever may write the grant may write them.
    #[serde(skip_serializing_if = "Option::is_none")]
    unverified_provenance: Option<&'a Provenance>,
}

impl Audit {
    /// Lines go to standard output.
    pub fn stdout() -> Self {
        Self::to(io::stdout())
    }

    /// Lines are added to a file.
    pub fn file(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        Ok(Self::to(file))
    }

    /// Lines go there.
    pub fn to(sink: impl io::Write + Send + 'static) -> Self {
        Self(Mutex::new(Sink {
            to: Box::new(sink),
            torn: false,
        }))
    }

    /// Writes a line. A line that can't be written goes to the log instead, in full: an AWS write
    /// that has happened can't be held back any more.
    pub fn write(&self, write: &Write<'_>) {
        let line = match text_of(write) {
            Ok(line) => line,
            Err(error) => return tracing::error!(%error, "an audit line could not be made"),
        };
        // In one piece, so that nothing comes between a line and its end.
        let mut sink = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = sink.line(line.as_bytes()) {
            tracing::error!(%error, line, "an audit line could not be written");
        }
    }
}

/// The line of a write, with its end.
pub(super) fn text_of(write: &Write<'_>) -> serde_json::Result<String> {
    let mut text = serde_json::to_string(&line(write))?;
    text.push('\n');
    Ok(text)
}

fn line<'a>(write: &'a Write<'a>) -> Line<'a> {
    let (outcome, error) = match write.outcome {
        Outcome::Succeeded { .. } => ("Succeeded", None),
        Outcome::InProgress { .. } => ("InProgress", None),
        Outcome::Failed(error) => ("Failed", Some(error.to_string())),
        Outcome::Unknown(error) => ("Unknown", Some(error.to_string())),
        Outcome::NotSent => ("NotSent", None),
    };
    let (operation, attempt) = match write.action {
        Action::Attempt(attempt) => match attempt.operation {
            Operation::Create => ("Create", Some(attempt)),
            Operation::Delete => ("Delete", Some(attempt)),
        },
        Action::Tag => ("Tag", None),
        Action::Untag => ("Untag", None),
    };
    let spec = &write.access.spec;
    Line {
        schema: SCHEMA,
        time: write.ended,
        operation,
        outcome,
        error,
        request_id: write.outcome.request_id(),
        attempt: attempt.map(|attempt| attempt.id.as_str()),
        access: write.access.metadata.name.as_deref(),
        user: &spec.user,
        target: &spec.target_summary,
        tuple: &spec.tuple,
        grants: match operation {
            "Create" | "Tag" => given_for(spec, write.begun).collect(),
            _ => taken_for(spec, write.begun).collect(),
        },
        written_time: attempt.map(|attempt| attempt.written_at),
        begin_time: write.begun,
        end_time: write.ended,
    }
}

/// The grants for which access is due.
fn given_for(ledger: &BreakglassAccessSpec, now: Timestamp) -> impl Iterator<Item = Grant<'_>> {
    due_claims(ledger, now).map(|claim| Grant::of_claim(claim, None))
}

/// The grants that ended since the access was last known to be gone, and those whose end could not
/// be written yet.
fn taken_for(ledger: &BreakglassAccessSpec, now: Timestamp) -> impl Iterator<Item = Grant<'_>> {
    let unsettled = ledger.ended.iter().filter(|ended| !ended.settled);
    let ended = unsettled.map(|ended| Grant {
        name: &ended.grant,
        uid: &ended.uid,
        spec_hash: &ended.spec_hash,
        policy: &ended.policy,
        end_reason: Some(ended.reason),
        unverified_provenance: ended.provenance.as_ref(),
    });
    let expired = ledger
        .claims
        .iter()
        .filter(move |claim| claim.expiry_time <= now)
        .map(|claim| Grant::of_claim(claim, Some(EndReason::Expired)));
    ended.chain(expired)
}

impl<'a> Grant<'a> {
    fn of_claim(claim: &'a Claim, end_reason: Option<EndReason>) -> Self {
        Self {
            name: &claim.grant,
            uid: &claim.uid,
            spec_hash: &claim.spec_hash,
            policy: &claim.policy,
            end_reason,
            unverified_provenance: claim.provenance.as_ref(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    /// A disk with room for so many bytes, and what stands on it.
    #[derive(Clone, Default)]
    struct Disk(Arc<Mutex<(usize, Vec<u8>)>>);

    impl io::Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let (room, written) = &mut *self.0.lock().unwrap();
            let fits = bytes.len().min(*room);
            if fits == 0 {
                return Err(io::ErrorKind::StorageFull.into());
            }
            *room -= fits;
            written.extend_from_slice(&bytes[..fits]);
            Ok(fits)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_line_that_was_cut_off_spoils_no_other() {
        let disk = Disk::default();
        let mut sink = Sink {
            to: Box::new(disk.clone()),
            torn: false,
        };
        for (room, line) in [(10, "one\n"), (0, "two\n"), (0, "three\n"), (100, "four\n")] {
            disk.0.lock().unwrap().0 += room;
            let _ = sink.line(line.as_bytes());
        }
        let written = String::from_utf8(disk.0.lock().unwrap().1.clone()).unwrap();
        assert_eq!(written, "one\ntwo\nth\nfour\n");
    }
}
