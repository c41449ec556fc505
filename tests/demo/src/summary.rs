//! What the show cost, and how punctual it was.

use std::collections::BTreeMap;

use anyhow::bail;
use aws_simulator::CallRecord;
use jiff::Timestamp;

use crate::grants::{ALICE_LONGER, BOB, Grant, MEMBER};
use crate::screen;
use crate::world::World;

/// The last grant of each access, with the call that takes the access away.
const ENDS: [(Grant, &str); 3] = [
    (BOB, "DeleteGroupMembership"),
    (MEMBER, "RemoveUserFromGroup"),
    (ALICE_LONGER, "DeleteAccountAssignment"),
];

/// Prints it. It is an error if access was taken away too early, or not by the controller.
pub fn print(world: &World, start: Timestamp) -> anyhow::Result<()> {
    let calls = world.simulator.calls_since(0);
    let (writes, reads): (Vec<_>, Vec<_>) = calls.iter().partition(|call| is_write(call));
    screen::heading("Summary");
    screen::block(
        &format!("{} calls that change AWS", writes.len()),
        &by_operation(&writes),
    );
    screen::block(
        &format!("{} calls that read", reads.len()),
        &by_operation(&reads),
    );

    let mut lines = Vec::new();
    for (grant, operation) in ENDS {
        let expiry = grant.expiry(start);
        let Some(call) = calls.iter().find(|call| call.operation == operation) else {
            bail!(
                "{operation} was never called, and yet {} is gone",
                grant.target.summary()
            );
        };
        let late = call.time.duration_since(expiry);
        if late.is_negative() {
            bail!(
                "{operation} was called {late:#} before the end of {}",
                grant.name
            );
        }
        lines.push(format!(
            "{:<18}{:>6.3} s   {operation}",
            grant.name,
            late.as_secs_f64()
        ));
    }
    screen::block(
        "From the expiry to the first call that takes access away",
        &lines.join("\n"),
    );
    Ok(())
}

/// How often each operation was called, and what it answered if not what was asked for.
fn by_operation(calls: &[&CallRecord]) -> String {
    let mut counts: BTreeMap<&str, (usize, BTreeMap<&str, usize>)> = BTreeMap::new();
    for call in calls {
        let (all, errors) = counts.entry(&call.operation).or_default();
        *all += 1;
        if let Some(error) = call.outcome.as_deref().filter(|_| !call.succeeded()) {
            *errors.entry(error).or_default() += 1;
        }
    }
    let lines = counts.into_iter().map(|(operation, (all, errors))| {
        let errors: Vec<String> = errors
            .into_iter()
            .map(|(error, count)| format!("   {count} of them: {error}"))
            .collect();
        format!("{operation:<41}{all:>4}{}", errors.concat())
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn is_write(call: &CallRecord) -> bool {
    ["Create", "Delete", "Add", "Remove", "Tag", "Untag"]
        .iter()
        .any(|verb| call.operation.starts_with(verb))
}
