//! What can go wrong, one thing at a time and for certain. The random stories mix all of it.
//!
//! A line `Fault 7. R3.` above a test puts it into `tests/FAULTS.md`.

mod api_server;
mod aws;
mod controller;
mod ledger;
mod people;

use simulation::cast::Target;
use simulation::lives::{ASSIGNMENT, Life, grant, life};
use simulation::report::Report;
use simulation::stage::Direction;
use simulation::story::{Api, Aws, Calls, Deed, Name, Second, Trouble};

const MINUTE: Second = 60;
const HOUR: Second = 60 * MINUTE;
const ALICE: &str = "alice@example.com";

fn kept(life: &Life) -> Report {
    crate::kept(life, &Direction::default())
}

/// The same, with every step told.
fn traced(life: &Life) -> Report {
    let direction = Direction {
        trace: true,
        ..Direction::default()
    };
    crate::kept(life, &direction)
}

/// A grant of five minutes, from second 10 on.
fn first(target: Target) -> (Second, Deed) {
    (10, Deed::Apply(grant("first", target, None, 5 * MINUTE)))
}

fn second(at: Second, start: Option<Second>, expiry: Second) -> (Second, Deed) {
    let grant = grant("second", ASSIGNMENT, start, expiry);
    (at, Deed::Apply(grant))
}

fn name() -> Name {
    grant("first", ASSIGNMENT, None, 0).name
}

fn api(at: Second, kind: Api, lasts: Second) -> (Second, Deed) {
    (at, Deed::ApiTrouble(Trouble::new(kind, lasts)))
}

fn aws(at: Second, kind: Aws, lasts: Second) -> (Second, Deed) {
    (at, Deed::AwsTrouble(Trouble::new(kind, lasts)))
}

/// The same, of some calls only.
fn aws_calls(calls: Calls, at: Second, kind: Aws, lasts: Second) -> (Second, Deed) {
    let trouble = Trouble::new(kind, lasts);
    (at, Deed::AwsTrouble(Trouble { calls, ..trouble }))
}

fn aws_writes(at: Second, kind: Aws, lasts: Second) -> (Second, Deed) {
    aws_calls(Calls::Writes, at, kind, lasts)
}

fn kill(at: Second, down: Second) -> (Second, Deed) {
    let (replica, same_pod) = (0, false);
    (
        at,
        Deed::Kill {
            replica,
            down,
            same_pod,
        },
    )
}

// What AWS as a whole does.

/// A life that is calm only much later, so that what stays undone must be told in the meantime.
fn long(name: &'static str, deeds: Vec<(Second, Deed)>) -> Life {
    let mut life = life(name, deeds);
    life.story.calm = 40 * MINUTE;
    life
}
