//! What a person wants to know in the end.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use jiff::{SignedDuration, Timestamp};

use super::checker::{Lateness, lateness, violations};
use super::history::History;

/// The figures of a run.
pub struct Report {
    seed: u64,
    text: String,
    pub violations: Vec<String>,
}

impl Report {
    pub fn of(history: &History, seed: u64, now: Timestamp) -> Self {
        let mut text = String::new();
        let table = |text: &mut String, title: &str, counts: &BTreeMap<String, usize>| {
            let total: usize = counts.values().sum();
            writeln!(text, "{title}: {total}").unwrap();
            for (what, count) in counts {
                writeln!(text, "  {count:>6}  {what}").unwrap();
            }
        };
        let mut grants: BTreeMap<String, usize> = BTreeMap::new();
        for grant in &history.grants {
            let kind = history.accesses[grant.access].kind();
            let outcome = grant.outcome.as_deref().unwrap_or("not over");
            *grants.entry(format!("{kind}: {outcome}")).or_default() += 1;
        }
        table(&mut text, "Grants", &grants);
        let mut troubles: BTreeMap<String, usize> = BTreeMap::new();
        for trouble in &history.troubles {
            *troubles.entry(trouble.what.clone()).or_default() += 1;
        }
        table(&mut text, "Troubles", &troubles);
        let mut writes: BTreeMap<String, usize> = BTreeMap::new();
        for entry in &history.accesses {
            for write in &entry.writes {
                let what = if write.creates { "gives" } else { "takes" };
                *writes
                    .entry(format!("{}: {what}", entry.kind()))
                    .or_default() += 1;
            }
        }
        writeln!(text, "Calls to AWS: {}", history.calls).unwrap();
        table(&mut text, "Of these give or take access", &writes);
        let late = lateness(history, now);
        writeln!(text, "From the end of the last grant of an access, worst (99 of 100, half) of those that stood then").unwrap();
        for (title, calm, by_expiry) in [
            ("expired while everything worked", true, true),
            ("ended early while everything worked", true, false),
            ("expired amid troubles", false, true),
            ("ended early amid troubles", false, false),
        ] {
            let some: Vec<&Lateness> = late
                .iter()
                .filter(|late| late.calm == calm && late.by_expiry == by_expiry)
                .collect();
            let deletes = some
                .iter()
                .filter_map(|late| late.to_first_delete)
                .collect();
            let gone = some.iter().map(|late| late.to_gone).collect();
            writeln!(
                text,
                "  {:>6}  {title}: to the first delete {}, to gone {}",
                some.len(),
                Spread(deletes),
                Spread(gone)
            )
            .unwrap();
        }
        Self {
            seed,
            text,
            violations: violations(history, now),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "\n{}", self.text)?;
        writeln!(formatter, "Violations: {}", self.violations.len())?;
        for violation in &self.violations {
            writeln!(formatter, "  {violation}")?;
        }
        write!(formatter, "Seed: {}", self.seed)
    }
}

/// Worst, 99 of 100, half.
struct Spread(Vec<SignedDuration>);

impl fmt::Display for Spread {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut sorted = self.0.clone();
        sorted.sort();
        let Some(last) = sorted.len().checked_sub(1) else {
            return formatter.write_str("-");
        };
        let at = |part: usize| sorted[last * part / 100].as_secs_f64();
        write!(
            formatter,
            "{:.1} s ({:.1} s, {:.1} s)",
            at(100),
            at(99),
            at(50)
        )
    }
}
