//! AWS as it is on bad days: slow, stale, throttling, failing, and at times nearly out of order.

use aws_simulator::{Action, Delay, Fault, Seed, Service, Staleness};
use fastrand::Rng;
use jiff::SignedDuration;

use super::history::LateCalls;
use super::stage::Stage;
use crate::support::world::organization;
use crate::support::{now, seconds};

const SERVICES: [Service; 3] = [Service::SsoAdmin, Service::IdentityStore, Service::Iam];

/// What it takes after a storm until all that failed was tried again.
const AFTERMATH: i64 = 8;

/// An organization whose AWS is never quite well.
pub fn climate(seed: u64) -> Seed {
    let between = |min, max| Delay {
        min: SignedDuration::from_millis(min),
        max: SignedDuration::from_millis(max),
    };
    let mut aws = Seed {
        random_seed: seed,
        ..organization()
    };
    let limits = Seed::default().settings;
    let settings = &mut aws.settings;
    settings.sso_admin_rate = limits.sso_admin_rate;
    settings.identity_store_rate = limits.identity_store_rate;
    settings.assignment_delay = between(200, 3_000);
    settings.latency = between(0, 80);
    settings.short_pages = true;
    settings.staleness = Staleness {
        sso_admin: SignedDuration::from_millis(800),
        identity_store: SignedDuration::from_millis(800),
        iam: SignedDuration::from_millis(1_500),
    };
    aws.faults = faults();
    aws
}

fn throttled(service: Service) -> Action {
    let code = if service == Service::Iam {
        "Throttling"
    } else {
        "ThrottlingException"
    };
    Action::error(code, "Rate exceeded")
}

fn sometimes(action: Action, probability: f64) -> Fault {
    Fault {
        probability,
        ..Fault::new(action)
    }
}

fn faults() -> Vec<Fault> {
    let mut faults = Vec::new();
    for service in SERVICES {
        let slow = Action::Delay(seconds(3));
        let common = [
            sometimes(slow, 0.02),
            sometimes(throttled(service), 0.03),
            sometimes(Action::HtmlPage(503), 0.01),
            sometimes(Action::Reset, 0.01),
            sometimes(Action::Reset, 0.01).after_effect(),
            sometimes(Action::Hang, 0.003),
        ];
        faults.extend(common.map(|fault| fault.on_service(service)));
    }
    for operation in ["CreateAccountAssignment", "DeleteAccountAssignment"] {
        let fails = Action::FailOperation("Internal failure".to_owned());
        faults.push(sometimes(fails, 0.03).on(Service::SsoAdmin, operation));
    }
    faults
}

/// Sends storms until the stage closes: for a while a service refuses most calls.
pub fn storms(stage: &Stage<'_>, mut rng: Rng) {
    let simulator = &stage.world().aws().simulator;
    while stage.wait_until(now() + seconds(rng.i64(40..120))) {
        let service = SERVICES[rng.usize(..SERVICES.len())];
        let action = if rng.bool() {
            throttled(service)
        } else {
            Action::HtmlPage(503)
        };
        let trouble = stage.trouble(
            &format!("storm over {service:?}"),
            AFTERMATH,
            LateCalls::Never,
        );
        let fault = simulator.add_fault(sometimes(action, 0.6).on_service(service));
        stage.wait_until(now() + seconds(rng.i64(5..20)));
        simulator.remove_fault(fault);
        stage.trouble_ends(trouble);
    }
}
