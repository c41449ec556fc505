//! A control plane, an AWS and a controller, wired together.

use std::sync::{Arc, Condvar, LazyLock, Mutex, MutexGuard, Once, PoisonError};

use aws_simulator::{Delay, Seed, SeedAccount, SeedInstance};
use control_plane::{ControlPlane, Options, User};
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::cloud::{
    Cloud, MANAGEMENT, PAYMENTS, PRODUCTION, PROTECTED, SHIPPING, STAGING, Simulated, UNREACHABLE,
};
use super::controller::{Controller, Start};
use super::install::{install, remove_guard};
use super::kubernetes::{Kubernetes, kubectl};
use super::moto::Moto;
use super::time::block_on;

/// A control plane takes 300 MB and, while it starts, a processor. Later most tests wait.
const OWN_WORLDS_AT_ONCE: usize = 6;

static OWN_WORLDS: (Mutex<usize>, Condvar) = (Mutex::new(0), Condvar::new());

/// For the tests that leave the controller alone. They differ by namespace, users, permission sets and groups.
static SHARED: LazyLock<World> = LazyLock::new(|| World::start(Setup::default(), None));

/// The same with moto behind it.
static WITH_MOTO: LazyLock<World> = LazyLock::new(|| {
    let setup = Setup {
        // moto makes its own world, and its one IAM account is the default.
        config: json!({"settings": short_times()}),
        ..Setup::default()
    };
    let moto = Cloud::Moto(Box::new(Moto::start()));
    World::build(setup, moto, None)
});

/// A control plane, an AWS and its controllers. The processes end when this is dropped.
pub struct World {
    controllers: Mutex<Vec<Arc<Controller>>>,
    controller_manager: Once,
    pub kubernetes: Kubernetes,
    pub cloud: Cloud,
    config: Value,
    pub control_plane: ControlPlane,
    _place: Option<Place>,
}

/// What a world is made of.
#[derive(Clone, Debug)]
pub struct Setup {
    /// AWS to begin with.
    pub seed: Seed,
    /// The controller's configuration.
    pub config: Value,
    /// Whether the guard policy is installed.
    pub guarded: bool,
    /// Whether a controller is started.
    pub controller: bool,
    /// How else the API server is started.
    pub api_server_arguments: Vec<String>,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            seed: organization(),
            config: configuration(),
            guarded: true,
            controller: true,
            api_server_arguments: Vec::new(),
        }
    }
}

impl Setup {
    /// Without a controller: the test starts its own.
    pub fn without_controller(mut self) -> Self {
        self.controller = false;
        self
    }

    /// AWS takes its time, so that there is always something under way.
    pub fn slow_aws(self) -> Self {
        self.aws(|seed| {
            seed.settings.assignment_delay = Delay::exactly(SignedDuration::from_secs(2));
        })
    }

    /// With another value of one of the settings.
    pub fn setting(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.config["settings"][name] = value.into();
        self
    }

    /// With another argument for the API server.
    pub fn api_server_argument(mut self, argument: &str) -> Self {
        self.api_server_arguments.push(argument.to_owned());
        self
    }

    /// With another AWS.
    pub fn aws(mut self, change: impl FnOnce(&mut Seed)) -> Self {
        change(&mut self.seed);
        self
    }
}

impl World {
    /// The world that most tests share.
    pub fn shared() -> &'static Self {
        &SHARED
    }

    /// The world with moto behind it.
    pub fn with_moto() -> &'static Self {
        &WITH_MOTO
    }

    /// A world for one test, that it may break.
    pub fn own(setup: Setup) -> Self {
        let place = Place::take();
        Self::start(setup, Some(place))
    }

    fn start(setup: Setup, place: Option<Place>) -> Self {
        let cloud = Cloud::simulator(&setup.seed);
        Self::build(setup, cloud, place)
    }

    fn build(setup: Setup, cloud: Cloud, place: Option<Place>) -> Self {
        let mut options = Options::default()
            .user(User::service_account(
                "breakglass-system",
                "breakglass-controller",
            ))
            .user(User::new("dev", ["developers"]))
            .user(User::new("mallory", ["developers"]));
        for argument in &setup.api_server_arguments {
            options = options.api_server_argument(argument);
        }
        let control_plane = ControlPlane::start(options).unwrap();
        install(&control_plane);
        if !setup.guarded {
            remove_guard(&control_plane);
        }
        let client = block_on(control_plane.client("admin")).unwrap();
        let world = Self {
            controllers: Mutex::default(),
            controller_manager: Once::new(),
            kubernetes: Kubernetes::new(client),
            cloud,
            config: setup.config,
            control_plane,
            _place: place,
        };
        if setup.controller {
            world.start_controller(&world.controller());
        }
        world
    }

    /// The simulator behind it.
    pub fn aws(&self) -> &Simulated {
        self.cloud.simulated()
    }

    /// How a controller of this world is started.
    pub fn controller(&self) -> Start {
        Start::new(&self.cloud.environment(), &self.config)
    }

    /// Starts a controller, and waits until it is ready.
    #[track_caller]
    pub fn start_controller(&self, start: &Start) -> Arc<Controller> {
        let controller = self.run_controller(start);
        controller.wait_until_ready();
        controller
    }

    /// Starts a controller, which need not become ready.
    pub fn run_controller(&self, start: &Start) -> Arc<Controller> {
        let controller = Arc::new(start.run(&self.control_plane));
        self.controllers().push(Arc::clone(&controller));
        controller
    }

    /// The controller that was started first.
    pub fn first_controller(&self) -> Arc<Controller> {
        Arc::clone(&self.controllers()[0])
    }

    /// Starts the controllers of Kubernetes that finish the deletion of namespaces, once.
    pub fn start_controller_manager(&self) {
        self.controller_manager
            .call_once(|| self.control_plane.start_controller_manager().unwrap());
    }

    /// What kubectl prints for an administrator.
    #[track_caller]
    pub fn kubectl(&self, arguments: &[&str]) -> String {
        match kubectl(&self.control_plane, "admin", arguments) {
            Ok(printed) => printed,
            Err(why) => panic!("kubectl {}: {why}", arguments.join(" ")),
        }
    }

    /// The lines of all controllers' logs that have one of these words.
    pub fn log_about(&self, words: &[&str]) -> String {
        let logs: String = self
            .controllers()
            .iter()
            .map(|controller| controller.log())
            .collect();
        let about = |line: &&str| words.iter().any(|word| line.contains(word));
        logs.lines().filter(about).collect::<Vec<_>>().join("\n")
    }

    fn controllers(&self) -> MutexGuard<'_, Vec<Arc<Controller>>> {
        self.controllers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// One of the places for worlds of their own.
struct Place;

impl Place {
    fn take() -> Self {
        let (taken, freed) = &OWN_WORLDS;
        let taken = taken.lock().unwrap_or_else(PoisonError::into_inner);
        let mut taken = freed
            .wait_while(taken, |taken| *taken >= OWN_WORLDS_AT_ONCE)
            .unwrap_or_else(PoisonError::into_inner);
        *taken += 1;
        Self
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        *OWN_WORLDS.0.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        OWN_WORLDS.1.notify_one();
    }
}

/// The controller's configuration in the simulator's organization.
pub fn configuration() -> Value {
    let roles = |account: &str| {
        json!({
            "account": account,
            "granterRoleArn": format!("arn:aws:iam::{account}:role/breakglass-granter"),
            "reaperRoleArn": format!("arn:aws:iam::{account}:role/breakglass-reaper"),
        })
    };
    json!({
        "iamAccounts": [roles(PRODUCTION), roles(STAGING), roles(UNREACHABLE)],
        "protectedAccounts": [PROTECTED],
        "settings": short_times(),
    })
}

/// The times of the protocol, short enough for tests.
pub fn short_times() -> Value {
    json!({
        "settleWindow": "1s",
        "iamSettleWindow": "1s",
        "sendWindow": "2s",
        "unknownOutcome": "3s",
        "offlineAuthority": "20s",
        "claimLead": "5s",
        "overdue": "3s",
        "finalizerBound": "4s",
        "retryCap": "2s",
        "driftInterval": "2s",
        "relistInterval": "20s",
        "callsPerSecond": 100,
    })
}

/// An organization with one Identity Center instance, fast and without limits on calls.
pub fn organization() -> Seed {
    let account = |id: &str| SeedAccount {
        id: id.to_owned(),
        ..SeedAccount::default()
    };
    let managed = |id: &str| SeedAccount {
        roles: vec![
            "breakglass-granter".to_owned(),
            "breakglass-reaper".to_owned(),
        ],
        ..account(id)
    };
    let mut seed = Seed {
        management_account: MANAGEMENT.to_owned(),
        accounts: vec![
            account(PAYMENTS),
            account(SHIPPING),
            account(PROTECTED),
            managed(PRODUCTION),
            managed(STAGING),
            account(UNREACHABLE),
        ],
        instances: vec![SeedInstance::default()],
        ..Seed::default()
    };
    seed.settings.assignment_delay = Delay::exactly(SignedDuration::from_millis(400));
    seed.settings.sso_admin_rate = None;
    seed.settings.identity_store_rate = None;
    seed
}
