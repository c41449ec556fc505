//! What becomes of the machines, the lines between them, and the cluster.

use super::{CALM, HOUR, MINUTE, moment};
use crate::cast::NAMESPACES;
use crate::entropy::Random;
use crate::story::{Api, Aws, Calls, Deed, Second, Setting, Trouble};

/// What becomes of the machines and the lines between them.
pub(super) fn machines(random: &mut Random, setting: &Setting, deeds: &mut Vec<(Second, Deed)>) {
    let replicas = setting.replicas as u64;
    let one = |random: &mut Random| usize::try_from(random.below(replicas)).unwrap_or(0);
    for _ in 0..random.below(6) {
        let replica = one(random);
        let down = random.pick(&[1, 20, 5 * MINUTE, HOUR, 3 * HOUR]);
        let at = moment(random, deeds, down);
        deeds.push((
            at,
            if random.chance(0.3) {
                Deed::Stop { replica, down }
            } else {
                Deed::Kill {
                    replica,
                    down,
                    same_pod: random.chance(0.5),
                }
            },
        ));
    }
    for _ in 0..random.below(3) {
        let replica = one(random);
        let lasts = random.pick(&[9, 45, 4 * MINUTE, 30 * MINUTE]);
        let at = moment(random, deeds, lasts);
        deeds.push((at, Deed::Freeze(replica, lasts)));
    }
    for _ in 0..random.below(6) {
        let late = random.between(1, 50);
        let forbidden = random.pick(&["breakglassgrants", "breakglasspolicies"]);
        let kind = random.pick(&[
            Api::Refused(500),
            Api::Refused(503),
            Api::Refused(429),
            Api::Forbidden,
            Api::NoRights(forbidden),
            Api::Page(404),
            Api::Page(502),
            Api::Truncated,
            Api::DoneAndRefused,
            Api::Dropped,
            Api::Conflict,
            Api::StatusConflict,
            Api::Lost,
            Api::Unanswered,
            Api::Late(late),
            Api::Hang,
            Api::EventLost,
            Api::EventTwice,
            Api::EventLate(late),
            Api::WatchSilent,
            Api::WatchExpired,
            Api::NoLease,
            Api::LeaseFails,
            Api::LeaseHangs,
            Api::Foreign,
        ]);
        let new = trouble(random, setting, deeds, kind, Deed::ApiTrouble);
        deeds.push(new);
    }
    for _ in 0..random.below(6) {
        let late = random.between(1, 240);
        let kind = random.pick(&[
            Aws::ServerError,
            Aws::Throttled,
            Aws::TooManyRequests,
            Aws::Conflict,
            Aws::Fails,
            Aws::Lost,
            Aws::Unanswered,
            Aws::Late(late),
            Aws::Hang,
            Aws::Html,
            Aws::Portal,
            Aws::Truncated,
            Aws::Denied,
            Aws::Expired,
            Aws::IamDown,
            Aws::IdentityCenterDown,
        ]);
        let new = trouble(random, setting, deeds, kind, Deed::AwsTrouble);
        deeds.push(new);
    }
    let replica = one(random);
    clocks(random, replica, deeds);
    if random.chance(0.1) {
        let at = random.below(CALM - 2 * HOUR);
        let back = at + random.between(MINUTE, 2 * HOUR);
        deeds.push((at, Deed::Backup));
        deeds.push((
            back,
            Deed::Restore {
                bump: random.chance(0.5),
            },
        ));
    }
    for deed in [Deed::Compact, Deed::EndWatches] {
        if random.chance(0.2) {
            deeds.push((random.below(CALM), deed));
        }
    }
}

/// A clock is set wrong for a while: that of one machine, or the one that AWS answers by. Not both: where two of three
/// agree on a wrong time nobody can tell.
fn clocks(random: &mut Random, replica: usize, deeds: &mut Vec<(Second, Deed)>) {
    if random.chance(0.2) {
        let off = random.pick(&[-3600, -20, 20, 3600]);
        let at = moment(random, deeds, 2 * HOUR);
        deeds.push((at, Deed::SetClock(replica, off)));
        let back = at + random.between(MINUTE, 2 * HOUR);
        deeds.push((back, Deed::SetClock(replica, 0)));
    } else if random.chance(0.1) {
        // One witness alone is not believed.
        let (at, off) = (
            random.below(CALM - 2 * HOUR),
            random.pick(&[-3600, -20, 20, 3600]),
        );
        deeds.push((at, Deed::SetAwsDate(off)));
        let back = at + random.between(MINUTE, 2 * HOUR);
        deeds.push((back, Deed::SetAwsDate(0)));
    }
}

/// Two controllers that can't take turns, for hours.
pub(super) fn two_leaders(
    random: &mut Random,
    setting: &mut Setting,
    deeds: &mut Vec<(Second, Deed)>,
) {
    if !random.chance(0.1) {
        return;
    }
    setting.replicas = 2;
    let refused = Trouble::new(Api::NoLease, random.between(2 * HOUR, 12 * HOUR));
    let at = moment(random, deeds, refused.lasts);
    deeds.push((at, Deed::ApiTrouble(refused)));
}

fn trouble<K>(
    random: &mut Random,
    setting: &Setting,
    deeds: &[(Second, Deed)],
    kind: K,
    deed: impl Fn(Trouble<K>) -> Deed,
) -> (Second, Deed) {
    let lasts = random.pick(&[30, 5 * MINUTE, 20 * MINUTE, 2 * HOUR]);
    let replica = random
        .chance(0.3)
        .then(|| usize::try_from(random.below(setting.replicas as u64)).unwrap_or(0));
    let trouble = Trouble {
        kind,
        lasts,
        replica,
        percent: random.pick(&[5, 30, 100]),
        calls: if random.chance(0.4) {
            Calls::Writes
        } else {
            Calls::All
        },
    };
    (moment(random, deeds, lasts), deed(trouble))
}

/// What administrators do to the cluster, or fail to prevent.
pub(super) fn administration(random: &mut Random, deeds: &mut Vec<(Second, Deed)>) {
    if random.chance(0.15) {
        let namespace = random.pick(&NAMESPACES);
        deeds.push((random.below(CALM), Deed::DeleteNamespace(namespace)));
    }
    if random.chance(0.15) {
        let deed = match random.below(3) {
            0 => Deed::DeleteLedger,
            1 => Deed::LoseLedger { by_force: true },
            _ => Deed::LoseLedger { by_force: false },
        };
        deeds.push((random.below(CALM), deed));
    }
    if random.chance(0.1) {
        let lasts = random.pick(&[1, 5 * MINUTE, HOUR]);
        deeds.push((moment(random, deeds, lasts), Deed::HoldLease(lasts)));
    }
    if random.chance(0.3) {
        let at = random.below(CALM - HOUR);
        let lasts = random.pick(&[2, 20, 3 * MINUTE]);
        let initializing = Trouble {
            percent: random.pick(&[50, 100]),
            ..Trouble::new(Api::Initializing, lasts)
        };
        deeds.push((at, Deed::EndWatches));
        deeds.push((at, Deed::ApiTrouble(initializing)));
    }
}
