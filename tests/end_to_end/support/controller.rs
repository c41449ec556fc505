//! A `breakglass controller` process.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use control_plane::ControlPlane;
use serde_json::{Value, json};
use supervisor::{Exit, Program, Supervised};

use super::time::{PATIENCE, poll};

/// The user that the controller's service account is to the API server.
pub const SERVICE_ACCOUNT: &str = "system:serviceaccount:breakglass-system:breakglass-controller";
const NAMESPACE: &str = "breakglass-system";

/// What the person who runs the tests has set must not reach the controller.
const FOREIGN_VARIABLES: [&str; 16] = [
    "AWS_PROFILE",
    "AWS_SESSION_TOKEN",
    "AWS_DEFAULT_REGION",
    "AWS_CONFIG_FILE",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_ROLE_ARN",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "http_proxy",
    "https_proxy",
    "KUBERNETES_SERVICE_HOST",
    "RUST_LOG",
    "POD_UID",
];

/// How a controller is to be started.
#[derive(Clone, Debug)]
pub struct Start {
    environment: Vec<(String, Option<String>)>,
    config: Option<String>,
    arguments: Vec<String>,
    listen: Option<String>,
    lease_namespace: String,
    api_server: Option<String>,
}

/// A running controller. It ends when this is dropped.
pub struct Controller {
    process: Supervised,
    port: u16,
    audit: PathBuf,
}

impl Start {
    /// With the protocol's times short, and AWS where these variables say.
    pub fn new(aws: &[(&str, String)], config: &Value) -> Self {
        Self {
            environment: aws
                .iter()
                .map(|(name, value)| ((*name).to_owned(), Some(value.clone())))
                .collect(),
            config: Some(config.to_string()),
            arguments: Vec::new(),
            listen: None,
            lease_namespace: NAMESPACE.to_owned(),
            api_server: None,
        }
    }

    /// With an environment variable.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment
            .push((name.to_owned(), Some(value.to_owned())));
        self
    }

    /// Without an environment variable.
    pub fn without_env(mut self, name: &str) -> Self {
        self.environment.push((name.to_owned(), None));
        self
    }

    /// With this text as its configuration file.
    pub fn config(mut self, text: &str) -> Self {
        self.config = Some(text.to_owned());
        self
    }

    /// Without a configuration file.
    pub fn without_config(mut self) -> Self {
        self.config = None;
        self
    }

    /// On this address instead of a free port.
    pub fn listening_on(mut self, address: &str) -> Self {
        self.listen = Some(address.to_owned());
        self
    }

    /// With its lease in another namespace than the other controllers, so that it leads beside them.
    pub fn lease_in(mut self, namespace: &str) -> Self {
        namespace.clone_into(&mut self.lease_namespace);
        self
    }

    /// With the API server at this address, where a proxy of its own stands.
    pub fn through(mut self, url: &str) -> Self {
        self.api_server = Some(url.to_owned());
        self
    }

    /// With another argument.
    pub fn arg(mut self, argument: &str) -> Self {
        self.arguments.push(argument.to_owned());
        self
    }

    /// In the pod with this uid. Two runs in one pod are the same container, started again.
    pub fn in_pod(self, uid: &str) -> Self {
        self.env("POD_UID", uid)
    }

    /// Starts it against a control plane, as the service account that it has in a cluster.
    pub fn run(&self, control_plane: &ControlPlane) -> Controller {
        let directory = control_plane.directory();
        let port = supervisor::free_port().unwrap();
        let file = |name: &str| directory.join(format!("controller-{port}.{name}"));
        let audit = file("audit");
        let kubeconfig = file("kubeconfig");
        fs::write(&kubeconfig, self.kubeconfig(control_plane).to_string()).unwrap();
        let own = format!("127.0.0.1:{port}");
        let listen = self.listen.as_ref().unwrap_or(&own);
        let mut program = Program::new("breakglass", env!("CARGO_BIN_EXE_breakglass"))
            .arg("controller")
            .args(["--listen", listen])
            .args(["--audit".as_ref(), audit.as_os_str()])
            .args(&self.arguments)
            .env("KUBECONFIG", &kubeconfig)
            .env("HOME", directory.join("home"))
            .env("AWS_EC2_METADATA_DISABLED", "true");
        if let Some(config) = &self.config {
            let path = file("config");
            fs::write(&path, config).unwrap();
            program = program.args(["--config".as_ref(), path.as_os_str()]);
        }
        for name in FOREIGN_VARIABLES {
            program = program.env_remove(name);
        }
        for (name, value) in &self.environment {
            program = match value {
                Some(value) => program.env(name, value),
                None => program.env_remove(name),
            };
        }
        let process = program.spawn(&file("log")).unwrap();
        Controller {
            process,
            port,
            audit,
        }
    }

    /// The control plane's kubeconfig of the service account, with a namespace as a pod has it.
    fn kubeconfig(&self, control_plane: &ControlPlane) -> Value {
        let given = control_plane.kubeconfig(SERVICE_ACCOUNT).unwrap();
        let mut kubeconfig: Value =
            serde_json::from_str(&fs::read_to_string(given).unwrap()).unwrap();
        kubeconfig["contexts"][0]["context"]["namespace"] = json!(self.lease_namespace);
        if let Some(url) = &self.api_server {
            kubeconfig["clusters"][0]["cluster"]["server"] = json!(url);
        }
        kubeconfig
    }
}

impl Controller {
    /// Waits until it has listed everything it watches.
    #[track_caller]
    pub fn wait_until_ready(&self) {
        let ready = poll(PATIENCE, || match self.get("/readyz") {
            Ok((200, _)) => Ok(()),
            Ok((status, body)) => Err(format!("/readyz answers {status} {body}")),
            Err(error) => Err(error.to_string()),
        });
        if let Err(why) = ready {
            panic!(
                "the controller is not ready {why}; its log:\n{}",
                self.log()
            );
        }
    }

    /// What it answers on its own port: status code and body.
    pub fn get(&self, path: &str) -> std::io::Result<(u16, String)> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
        Ok((status.unwrap_or(0), body.to_owned()))
    }

    /// One number of its metrics.
    pub fn metric(&self, name: &str) -> Option<f64> {
        let (_, text) = self.get("/metrics").ok()?;
        let line = text
            .lines()
            .find(|line| line.starts_with(name) && !line.starts_with('#'))?;
        line.rsplit(' ').next()?.parse().ok()
    }

    /// Whether it says that it leads.
    pub fn leads(&self) -> bool {
        self.metric("leader_election_master_status") == Some(1.0)
    }

    /// All that it has printed.
    pub fn log(&self) -> String {
        read(self.process.log_file())
    }

    /// Waits until it has printed this.
    #[track_caller]
    pub fn wait_for_log(&self, text: &str) {
        let seen = poll(PATIENCE, || {
            if self.log().contains(text) {
                Ok(())
            } else {
                Err(format!("its log has no {text:?}"))
            }
        });
        if let Err(why) = seen {
            panic!("{why}; its log:\n{}", self.log());
        }
    }

    /// The lines of its audit file.
    pub fn audit(&self) -> Vec<Value> {
        let text = read(&self.audit);
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// Ends it as a crash would.
    pub fn kill(&self) {
        self.process.kill().unwrap();
    }

    /// Ends it as a deployment would, and tells how it ended.
    pub fn stop(&self) -> Exit {
        self.process.signal("TERM").unwrap();
        self.process.wait(PATIENCE).unwrap()
    }

    /// Freezes it: it neither acts nor answers, and its leases run out.
    pub fn pause(&self) {
        self.process.signal("STOP").unwrap();
    }

    /// Lets a frozen one go on.
    pub fn resume(&self) {
        self.process.signal("CONT").unwrap();
    }

    /// Waits until it has ended by itself.
    #[track_caller]
    pub fn wait_for_exit(&self) -> Exit {
        match self.process.wait(PATIENCE) {
            Ok(exit) => exit,
            Err(error) => panic!("{error:?}"),
        }
    }

    /// Whether it runs no more.
    pub fn has_ended(&self) -> bool {
        self.process.has_exited()
    }
}

fn read(path: &Path) -> String {
    fs::read(path).map_or_else(
        |_| String::new(),
        |bytes| String::from_utf8_lossy(&bytes).into_owned(),
    )
}
