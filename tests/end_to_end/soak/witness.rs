//! Looks at AWS all the time: who has what, and which calls give and take.

use std::time::Duration;

use jiff::SignedDuration;

use super::history::{LateCalls, Trouble, Write};
use super::stage::Stage;
use crate::support::{Access, now};

const BETWEEN_LOOKS: Duration = Duration::from_millis(150);
/// Who looks on does next to nothing. If even that takes so long, the machine has too much to do for all.
const STALLED: SignedDuration = SignedDuration::from_secs(2);
/// What it takes afterwards until all that was put off is done.
const AFTERMATH: SignedDuration = SignedDuration::from_secs(10);

/// Looks on until the stage has ended.
pub fn watch(stage: &Stage<'_>) {
    let aws = stage.world().aws();
    let accesses: Vec<Access> = {
        let history = stage.history();
        let accesses = history.accesses.iter();
        accesses.map(|entry| entry.access.clone()).collect()
    };
    let mut last_call = 0;
    let mut last_look = now();
    while !stage.has_ended() {
        let calls = aws.simulator.calls_since(last_call);
        // After the calls, so that each membership that they name was seen before or never stood.
        let looked = now();
        let present = aws.which_stand(&accesses);
        let mut history = stage.history();
        if now().duration_since(last_look) > STALLED {
            history.troubles.push(Trouble {
                what: "machine stalled".to_owned(),
                from: last_look,
                until: Some(now()),
                aftermath: AFTERMATH,
                late_calls: LateCalls::Throughout,
            });
        }
        last_look = now();
        for (entry, present) in history.accesses.iter_mut().zip(present) {
            if entry
                .presence
                .last()
                .is_none_or(|(_, before)| *before != present)
            {
                entry.presence.push((looked, present));
            }
        }
        for call in &calls {
            history.calls += 1;
            last_call = call.sequence;
            for entry in &mut history.accesses {
                if let Some(creates) = aws.gives_or_takes(&entry.access, call) {
                    let time = call.time;
                    entry.writes.push(Write { creates, time });
                }
            }
        }
        drop(history);
        std::thread::sleep(BETWEEN_LOOKS);
    }
}
