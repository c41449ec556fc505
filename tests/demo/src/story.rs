//! The show: what is expected to happen, step by step, and what it means.

use std::collections::BTreeSet;

use anyhow::Context as _;
use jiff::{SignedDuration, Timestamp};

use crate::cloud::{self, Holding};
use crate::grants::{self, ALICE, ALICE_LONGER, BOB, DAVE, Grant, MALLORY, MEMBER, NAMESPACE};
use crate::picture::Picture;
use crate::screen::{self, clock};
use crate::summary;
use crate::watch::Watch;
use crate::world::World;

/// How long after an expiry the grant may take to be over: AWS's 2 s, two readings 2 s apart, and a busy machine.
const ENDS_WITHIN: SignedDuration = SignedDuration::from_secs(20);

/// What stands at the beginning of each line that tells a change.
const LEGEND: &str = "What happens now (grant: its state; access: the controller's ledger; AWS: what is really there):";

/// A moment that must come.
struct Step<'a> {
    /// What has come to pass.
    title: &'a str,
    /// What it means.
    meaning: &'a str,
    /// By when at the latest.
    deadline: Timestamp,
    /// Grants and the states that they must be in.
    grants: &'a [(Grant, &'a str)],
    /// The grants whose access AWS must show; that of all others it must not.
    in_aws: &'a [Grant],
    /// The grant whose end is waited for.
    ends: Option<Grant>,
    /// Whether the grants' own words are shown.
    says_why: bool,
}

/// Plays the show. An error says which part of it did not happen.
pub async fn tell(world: &World) -> anyhow::Result<()> {
    let before = cloud::holdings(&world.simulator.truth());
    let mut watch = Watch::start(world).await?;
    apply_policies(world).await?;
    let start = apply_grants(world).await?;
    for step in &steps(start) {
        let wanted: BTreeSet<Holding> = step
            .in_aws
            .iter()
            .map(Holding::of)
            .chain(before.iter().cloned())
            .collect();
        screen::say("");
        screen::say(&match step.ends {
            None => LEGEND.to_owned(),
            Some(grant) => format!(
                "Waiting for {}, when {} ends.",
                clock(grant.expiry(start)),
                grant.name
            ),
        });
        watch
            .until(step.deadline, |picture| missing(step, &wanted, picture))
            .await
            .with_context(|| format!("`{}` did not happen in time", step.title))?;
        screen::heading(&format!("{}  {}", clock(world.now()), step.title));
        screen::say(step.meaning);
        show_tables(world, &watch.picture().aws, &before).await?;
        if step.says_why {
            show_messages(world).await?;
        }
    }
    screen::say("");
    let deadline = later(world.now(), ENDS_WITHIN);
    watch
        .until(deadline, |picture| clean(&before, picture))
        .await
        .context("AWS was not left clean")?;
    screen::heading(&format!("{}  AWS is as it was found", clock(world.now())));
    screen::say(
        "Every access was seen to be gone twice, 2 s apart, and its entry in the ledger is closed.\n\
         The standing access of carol was never touched. Grants stay as a record until somebody deletes them.",
    );
    show_tables(world, &watch.picture().aws, &before).await?;
    summary::print(world, start)
}

fn steps(start: Timestamp) -> Vec<Step<'static>> {
    let after = |grant: Grant| later(grant.expiry(start), ENDS_WITHIN);
    vec![
        Step {
            title: "The grants have been acted on",
            meaning: "Alice, bob and member01 have what their grants ask for; alice has it by two grants, which share one access.\n\
                      Mallory is refused by the policy left-the-company, and dave's time was over before he asked.",
            deadline: ALICE.expiry(start),
            grants: &[
                (ALICE, "Active"),
                (ALICE_LONGER, "Active"),
                (BOB, "Active"),
                (MEMBER, "Active"),
                (MALLORY, "Denied"),
                (DAVE, "Expired"),
            ],
            in_aws: &[ALICE, BOB, MEMBER],
            ends: None,
            says_why: true,
        },
        Step {
            title: "alice-payments has ended; alice keeps her access",
            meaning: "The grant alice-longer still covers the same access, so nothing is taken away yet.",
            deadline: after(ALICE),
            grants: &[(ALICE, "Expired"), (ALICE_LONGER, "Active")],
            in_aws: &[ALICE, BOB, MEMBER],
            ends: Some(ALICE),
            says_why: false,
        },
        Step {
            title: "bob-operators has ended",
            meaning: "Bob is no longer in the Identity Center group.",
            deadline: after(BOB),
            grants: &[
                (BOB, "Expired"),
                (ALICE_LONGER, "Active"),
                (MEMBER, "Active"),
            ],
            in_aws: &[ALICE, MEMBER],
            ends: Some(BOB),
            says_why: false,
        },
        Step {
            title: "member01-work has ended",
            meaning: "The IAM user member01 is no longer in the IAM group.",
            deadline: after(MEMBER),
            grants: &[(MEMBER, "Expired"), (ALICE_LONGER, "Active")],
            in_aws: &[ALICE],
            ends: Some(MEMBER),
            says_why: false,
        },
        Step {
            title: "alice-longer has ended, the last grant for that access",
            meaning: "Nothing covers alice's access any more, so her assignment was deleted; AWS took 2 s for that.",
            deadline: after(ALICE_LONGER),
            grants: &[(ALICE_LONGER, "Expired")],
            in_aws: &[],
            ends: Some(ALICE_LONGER),
            says_why: false,
        },
    ]
}

/// What of a step is still to come.
fn missing(step: &Step<'_>, wanted: &BTreeSet<Holding>, picture: &Picture) -> Result<(), String> {
    for (grant, state) in step.grants {
        match picture.grants.get(grant.name) {
            Some(seen) if seen == state => {}
            Some(seen) => {
                return Err(format!(
                    "the grant {} is {seen} and should be {state}",
                    grant.name
                ));
            }
            None => return Err(format!("the grant {} is not there", grant.name)),
        }
    }
    same(wanted, &picture.aws)
}

/// What is not yet as it was before.
fn clean(before: &BTreeSet<Holding>, picture: &Picture) -> Result<(), String> {
    same(before, &picture.aws)?;
    match picture
        .accesses
        .values()
        .find(|access| access.state != "Closed")
    {
        None => Ok(()),
        Some(access) => Err(format!(
            "the ledger entry of {} is {} and should be Closed",
            access.tuple, access.state
        )),
    }
}

fn same(wanted: &BTreeSet<Holding>, seen: &BTreeSet<Holding>) -> Result<(), String> {
    if let Some(held) = seen.difference(wanted).next() {
        return Err(format!("in AWS {held}, and should not"));
    }
    match wanted.difference(seen).next() {
        None => Ok(()),
        Some(held) => Err(format!(
            "in AWS {} does not have {}, and should",
            held.person, held.entitlement
        )),
    }
}

async fn apply_policies(world: &World) -> anyhow::Result<()> {
    let policies = include_str!("../policies.yaml");
    screen::heading("Policies say who may get what; without one nobody gets anything");
    screen::block("policies.yaml", policies.trim_end());
    let file = world.write("policies.yaml", policies)?;
    let output = world
        .kubectl(&["apply", "-f", &file.display().to_string()])
        .await?;
    screen::command("kubectl apply -f policies.yaml", &output);
    Ok(())
}

/// Applies the grants; the answer is when that began.
async fn apply_grants(world: &World) -> anyhow::Result<Timestamp> {
    let start = world.now();
    let text = grants::ALL.map(|grant| grant.yaml(start)).join("---\n");
    let file = world.write("grants.yaml", &text)?;
    screen::heading("A pull request with grants is merged");
    screen::block(
        &format!("grants.yaml, the first of {}", grants::ALL.len()),
        ALICE.yaml(start).trim_end(),
    );
    let lines = grants::ALL.map(|grant| {
        let (expiry, target) = (clock(grant.expiry(start)), grant.target.summary());
        format!(
            "{:<18}{:<38} until {expiry}   {}",
            grant.name, target, grant.about
        )
    });
    screen::block("All of them", &lines.join("\n"));
    let output = world
        .kubectl(&["apply", "-f", &file.display().to_string()])
        .await?;
    screen::command("kubectl apply -f grants.yaml", &output);
    Ok(start)
}

/// The sentence that each grant has for people.
async fn show_messages(world: &World) -> anyhow::Result<()> {
    let columns = r#"custom-columns=NAME:.metadata.name,MESSAGE:.status.conditions[?(@.type=="Ready")].message"#;
    let arguments = [
        "get",
        "breakglassgrants",
        "--namespace",
        NAMESPACE,
        "--output",
        columns,
    ];
    let command =
        format!("kubectl get breakglassgrants --namespace {NAMESPACE} --output '{columns}'");
    screen::command(&command, &world.kubectl(&arguments).await?);
    Ok(())
}

/// What a person would type, and what AWS says at the same moment.
async fn show_tables(
    world: &World,
    aws: &BTreeSet<Holding>,
    before: &BTreeSet<Holding>,
) -> anyhow::Result<()> {
    let grants = world
        .kubectl(&["get", "breakglassgrants", "--namespace", NAMESPACE])
        .await?;
    screen::command(
        &format!("kubectl get breakglassgrants --namespace {NAMESPACE}"),
        &grants,
    );
    let accesses = world.kubectl(&["get", "breakglassaccesses"]).await?;
    screen::command("kubectl get breakglassaccesses", &accesses);
    screen::block("What AWS says", &cloud::table(aws, before));
    Ok(())
}

fn later(time: Timestamp, by: SignedDuration) -> Timestamp {
    time.saturating_add(by).unwrap_or(time)
}
