//! Why a turn came to nothing, in the words of conditions.

use super::super::cluster::Error as ClusterError;
use super::super::memory::Trouble;
use crate::aws::error::Error as AwsError;
use crate::decide::access::Waiting;
use crate::telemetry::chain;

pub(super) fn of_waiting(waiting: &Waiting) -> Trouble {
    let (reason, message, stalled) = match waiting {
        Waiting::Identity(what) => (
            "IdentityChanged",
            format!("{what}. Nothing is given; make a new grant"),
            true,
        ),
        Waiting::Policies(why) => ("PolicyUnreadable", why.clone(), true),
        Waiting::Management => (
            "ManagementAccountUnknown",
            "a policy admits this by its star, which does not cover the management account, and AWS has not said yet which account that is"
                .to_owned(),
            false,
        ),
        Waiting::Grants => (
            "GrantUnreadable",
            "no grant of this access can be read".to_owned(),
            false,
        ),
        Waiting::Clock => (
            "ClockWrong",
            "AWS and the API server agree that the clock of the controller's machine is wrong, so nothing is given until it is set right; access is taken away on time by their clocks"
                .to_owned(),
            true,
        ),
        Waiting::Origin => (
            "LedgerDamaged",
            "the ledger does not say whether the access is ours, so it is left alone".to_owned(),
            true,
        ),
        Waiting::Nothing | Waiting::Until(_) => ("Waiting", String::new(), false),
    };
    Trouble {
        reason,
        message,
        stalled,
        class: None,
    }
}

pub(super) fn of_aws(error: &AwsError) -> Trouble {
    Trouble {
        reason: error.class.reason(),
        message: error.to_string(),
        stalled: error.class.needs_person(),
        class: Some(error.class),
    }
}

pub(super) fn of_ledger(error: &ClusterError) -> Trouble {
    Trouble {
        reason: "LedgerUnavailable",
        message: chain(error),
        stalled: false,
        class: None,
    }
}

pub(super) fn still_there() -> Trouble {
    Trouble {
        reason: "StillPresent",
        message: "AWS called the removal done and goes on showing the access, so it is taken away again: its listings are behind, or somebody gives it each time (CloudTrail tells who)"
            .to_owned(),
        stalled: false,
        class: None,
    }
}

pub(super) fn not_sent() -> Trouble {
    Trouble {
        reason: "Busy",
        message: "AWS could not be called in time: too many calls wait, or its answers take long"
            .to_owned(),
        stalled: false,
        class: None,
    }
}
