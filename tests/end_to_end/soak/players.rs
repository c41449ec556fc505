//! People who ask for access, change their minds, and look at what they are told.

use fastrand::Rng;
use jiff::Timestamp;
use kube::core::Status;
use serde_json::{Value, json};

use super::history::{Asked, EarlyEnd, GrantHistory};
use super::stage::Stage;
use crate::support::kubernetes::Resource;
use crate::support::live_grant::condition;
use crate::support::time::{BETWEEN_LOOKS, full_second_in};
use crate::support::{Grant, now, seconds};

/// What an ended grant's status may take to be true while everything works.
const TOLD_WITHIN: i64 = 45;

/// What becomes of a grant before it expires.
#[derive(Clone, Copy, Debug)]
enum Twist {
    Nothing,
    Revoke,
    Annotate,
    Delete,
    DeleteByForce,
    Longer,
    Shorter,
    TakenByHand,
}

/// Asks for one access after the other until the stage closes.
pub fn play(stage: &Stage<'_>, player: usize, mut rng: Rng) {
    let mut number = 0;
    while !stage.is_closing() {
        number += 1;
        let pool = if rng.u8(..100) < 85 {
            &stage.ours
        } else {
            &stage.standing
        };
        let place = pool[rng.usize(..pool.len())];
        let start = rng.bool().then(|| rng.i64(2..15));
        let twist = match rng.u8(..100) {
            0..40 => Twist::Nothing,
            40..52 => Twist::Revoke,
            52..58 => Twist::Annotate,
            58..68 => Twist::Delete,
            68..76 => Twist::DeleteByForce,
            76..84 => Twist::Longer,
            84..92 => Twist::Shorter,
            _ => Twist::TakenByHand,
        };
        let wanted = Wanted {
            place,
            start,
            lasting: rng.i64(10..45),
            twist,
            twist_at: rng.f64(),
            kept: rng.u8(..100) < 30,
        };
        let pause = rng.i64(0..5);
        follow(stage, &format!("player-{player}-{number}"), &wanted);
        stage.wait_until(now() + seconds(pause));
    }
}

/// Gives access by hand, and asks for the same access with and without that, in turn.
pub fn shift(stage: &Stage<'_>, mut rng: Rng) {
    let mut number = 0;
    while !stage.is_closing() {
        for place in stage.shifting.clone() {
            number += 1;
            let mut ask = |by| {
                let wanted = Wanted {
                    place,
                    start: None,
                    lasting: rng.i64(6..15),
                    twist: Twist::Nothing,
                    twist_at: 0.0,
                    kept: false,
                };
                follow(stage, &format!("shift-{number}-{by}"), &wanted);
                wait_until_closed(stage, place);
            };
            stage.given_by_others(place);
            // A listing that is older than that would show the access as free.
            stage.wait_until(now() + super::stage::SEEN_BY_ALL);
            if stage.is_closing() {
                return;
            }
            ask("theirs");
            stage.taken_by_others(place);
            stage.wait_until(now() + super::stage::SEEN_BY_ALL);
            ask("ours");
        }
    }
}

/// What the ledger holds of an access must be over before others give it: until then it counts as ours.
fn wait_until_closed(stage: &Stage<'_>, place: usize) {
    let access = stage.access(place);
    let kubernetes = &stage.world().kubernetes;
    loop {
        let listed = stage.insist(
            "list accesses",
            || kubernetes.list(Resource::Access, None),
            |_| None,
        );
        let Some((ledgers, _)) = listed else {
            return;
        };
        let own = ledgers.iter().filter(|ledger| {
            ledger["spec"]["user"] == access.user.as_str()
                && ledger["spec"]["targetSummary"] == access.summary()
        });
        if own
            .into_iter()
            .all(|ledger| ledger["spec"]["state"] == "Closed")
        {
            return;
        }
        std::thread::sleep(BETWEEN_LOOKS * 5);
    }
}

/// A grant that a player has in mind.
struct Wanted {
    place: usize,
    start: Option<i64>,
    lasting: i64,
    twist: Twist,
    /// When the twist comes, as a part of the grant's life.
    twist_at: f64,
    /// Whether the object is left for the end of the day.
    kept: bool,
}

/// One grant's life, from its making until its end is told truly.
fn follow(stage: &Stage<'_>, name: &str, wanted: &Wanted) {
    let access = stage.access(wanted.place);
    let begins = now() + seconds(wanted.start.unwrap_or(0));
    let expiry = full_second_in(seconds(wanted.start.unwrap_or(0) + wanted.lasting));
    let mut grant = Grant::of(&access).named(name).expires(expiry);
    let start = wanted.start.map(|start| full_second_in(seconds(start)));
    if let Some(start) = start {
        grant = grant.starts(start);
    }
    let object = grant.object(&stage.scenario.name);
    let index = {
        let grants = &mut stage.history().grants;
        grants.push(GrantHistory {
            name: name.to_owned(),
            access: wanted.place,
            created: now(),
            start,
            expiry,
            edit: None,
            early_end: None,
            active: None,
            outcome: None,
        });
        grants.len() - 1
    };
    let live = Live { stage, name, index };
    let kubernetes = &stage.world().kubernetes;
    let made = stage.insist(
        &format!("make {name}"),
        || kubernetes.create(Resource::Grant, &object).map(drop),
        |status| status.is_already_exists().then_some(()),
    );
    if made.is_none() {
        return;
    }
    let lasting = f64::from(i32::try_from(wanted.lasting).unwrap_or(i32::MAX));
    let twist_at = begins + jiff::SignedDuration::from_secs_f64(lasting * wanted.twist_at);
    live.watch_until(twist_at);
    if now() < expiry {
        live.twist(wanted.twist, wanted.place);
    }
    live.watch_until(live.ends());
    live.expect_the_truth();
    if !wanted.kept {
        live.delete();
    }
}

/// A grant that was made.
struct Live<'a> {
    stage: &'a Stage<'a>,
    name: &'a str,
    index: usize,
}

impl Live<'_> {
    fn record<T>(&self, change: impl FnOnce(&mut GrantHistory) -> T) -> T {
        change(&mut self.stage.history().grants[self.index])
    }

    fn ends(&self) -> Timestamp {
        self.record(|grant| grant.ends())
    }

    fn object(&self) -> Result<Option<Value>, kube::Error> {
        let namespace = Some(self.stage.scenario.name.as_str());
        let kubernetes = &self.stage.world().kubernetes;
        kubernetes.get(Resource::Grant, namespace, self.name)
    }

    fn watch_until(&self, time: Timestamp) {
        while now() < time {
            let active = |grant: &Value| grant["status"]["state"] == "Active";
            let found = self.object().ok().flatten();
            if found.is_some_and(|grant| active(&grant)) {
                self.record(|grant| grant.active.get_or_insert_with(now).to_owned());
            }
            std::thread::sleep(BETWEEN_LOOKS * 7);
        }
    }

    fn twist(&self, twist: Twist, place: usize) {
        let expiry = self.record(|grant| grant.expiry);
        match twist {
            Twist::Revoke => self.end_early(EarlyEnd::Revoked, || {
                self.patch(&json!({"spec": {"revoked": true}}))
            }),
            Twist::Annotate => self.end_early(EarlyEnd::Revoked, || {
                let why = json!({"breakglass.dev/revoke": "no longer needed"});
                self.patch(&json!({"metadata": {"annotations": why}}))
            }),
            Twist::Delete => self.end_early(EarlyEnd::Deleted, || self.delete()),
            Twist::DeleteByForce => {
                self.end_early(EarlyEnd::DeletedByForce, || self.delete());
                self.patch(&json!({"metadata": {"finalizers": null}}));
            }
            Twist::Longer => self.move_expiry(expiry + seconds(12)),
            Twist::Shorter if now() + seconds(4) < expiry => {
                self.move_expiry(full_second_in(seconds(3)));
            }
            Twist::Nothing | Twist::Shorter => {}
            Twist::TakenByHand => {
                let stage = self.stage;
                let access = stage.access(place);
                if stage.ours.contains(&place) {
                    stage.world().aws().take_if_there(&access);
                }
            }
        }
    }

    fn end_early(&self, how: EarlyEnd, ask: impl FnOnce() -> Option<Asked>) {
        self.record(|grant| grant.early_end = Some((Asked::from_now_on(), how)));
        if let Some(asked) = ask() {
            self.record(|grant| grant.early_end = Some((asked, how)));
        }
    }

    fn move_expiry(&self, expiry: Timestamp) {
        self.record(|grant| grant.edit = Some((Asked::from_now_on(), expiry)));
        let asked = self.patch(&json!({"spec": {"expiryTime": expiry.to_string()}}));
        if let Some(asked) = asked {
            self.record(|grant| grant.edit = Some((asked, expiry)));
        }
    }

    fn patch(&self, patch: &Value) -> Option<Asked> {
        let namespace = Some(self.stage.scenario.name.as_str());
        let kubernetes = &self.stage.world().kubernetes;
        let change = || {
            let changed = kubernetes.patch(Resource::Grant, namespace, self.name, patch);
            changed.map(drop)
        };
        let gone = |status: &Status| status.is_not_found().then_some(());
        let asked = self
            .stage
            .insist(&format!("change {}", self.name), change, gone);
        asked.map(|((), asked)| asked)
    }

    fn delete(&self) -> Option<Asked> {
        let namespace = Some(self.stage.scenario.name.as_str());
        let kubernetes = &self.stage.world().kubernetes;
        let delete = || kubernetes.delete(Resource::Grant, namespace, self.name);
        let asked = self
            .stage
            .insist(&format!("delete {}", self.name), delete, |_| None);
        asked.map(|((), asked)| asked)
    }

    /// Waits until the grant's end is told as it is.
    fn expect_the_truth(&self) {
        let ended = self.ends();
        loop {
            let Err(why) = self.told_truly() else {
                return;
            };
            if self.stage.calm_since(ended) > seconds(TOLD_WITHIN) {
                let name = self.name;
                self.record(|grant| grant.outcome = Some("untrue".to_owned()));
                self.stage.complain(format!(
                    "{name} ended at {ended}, and {TOLD_WITHIN} s of calm later: {why}"
                ));
                return;
            }
            std::thread::sleep(BETWEEN_LOOKS * 7);
        }
    }

    fn told_truly(&self) -> Result<(), String> {
        let found = self.object().map_err(|error| error.to_string())?;
        let early = self.record(|grant| grant.early_end);
        let outcome = match (early, &found) {
            (Some((_, how @ (EarlyEnd::Deleted | EarlyEnd::DeletedByForce))), None) => {
                format!("{how:?}")
            }
            (Some((_, EarlyEnd::Deleted | EarlyEnd::DeletedByForce)), Some(_)) => {
                return Err("it is deleted and still there".to_owned());
            }
            (_, None) => return Err("it is gone, and nobody deleted it".to_owned()),
            (_, Some(object)) => self.record(|grant| end_of(grant, object))?,
        };
        self.record(|grant| grant.outcome = Some(outcome));
        Ok(())
    }
}

/// How an ended grant ended by its status, if that says so and fits what people did.
pub fn end_of(grant: &GrantHistory, object: &Value) -> Result<String, String> {
    let status = &object["status"];
    let state = status["state"].as_str().unwrap_or_default();
    let revoked = grant.early_end.filter(|(_, how)| *how == EarlyEnd::Revoked);
    let fits = match revoked {
        // It may have expired before the request got through.
        Some((asked, _)) => {
            state == "Revoked" || (state == "Expired" && asked.until >= grant.surely_lasts_until())
        }
        None => state == "Expired",
    };
    if !fits {
        return Err(format!("its state is {state:?}"));
    }
    let is = |kind: &str| condition(object, kind).and_then(|found| found["status"].as_str());
    // An edit that came too late asks for more than an ended grant can give.
    let too_late = grant.edit.is_some() && is("Stalled") == Some("True");
    if is("Ready") != Some("True") && !too_late {
        return Err(format!("Ready is {:?}", is("Ready")));
    }
    if is("Granted") != Some("False") {
        return Err(format!("Granted is {:?}", is("Granted")));
    }
    if let Some(kind) = ["Reconciling", "RevokeOverdue"]
        .into_iter()
        .find(|kind| is(kind).is_some())
    {
        return Err(format!("{kind} is {:?}", is(kind)));
    }
    let given = !status["grantedTime"].is_null();
    if given && (status["endedTime"].is_null() || status["revokedTime"].is_null()) {
        return Err("it was given and has no end".to_owned());
    }
    if grant.active.is_some() && !given {
        return Err("it was active and does not know it".to_owned());
    }
    if object["metadata"]["finalizers"].is_array() {
        return Err("its finalizer stays".to_owned());
    }
    let what = if given { "" } else { ", never given" };
    Ok(format!("{state}{what}"))
}
