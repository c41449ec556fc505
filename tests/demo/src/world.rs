//! What the show is played on: a control plane, a simulated AWS, and the controller.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use aws_simulator::{Clock, Seed, Simulator};
use control_plane::{ControlPlane, Options, User};
use jiff::Timestamp;
use supervisor::{Program, Supervised};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::grants::NAMESPACE;
use crate::screen;

/// The user that the controller is to the API server: the service account of deploy/kustomize.
const SERVICE_ACCOUNT: &str = "system:serviceaccount:breakglass-system:breakglass-controller";

/// For what takes moments on an idle machine.
const PATIENCE: Duration = Duration::from_mins(1);

const BETWEEN_TRIES: Duration = Duration::from_millis(200);

/// The controller, and what it works on. All of it ends when this is dropped, or when this process ends.
#[derive(Debug)]
pub struct World {
    controller: Supervised,
    control_plane: ControlPlane,
    /// AWS.
    pub simulator: Simulator,
    aws: Vec<(&'static str, String)>,
}

impl World {
    /// Starts everything.
    pub async fn start() -> anyhow::Result<Self> {
        screen::heading("A control plane, an AWS and the controller");
        screen::say("Starting etcd and kube-apiserver on loopback.");
        let options = Options::default().user(User::service_account(
            "breakglass-system",
            "breakglass-controller",
        ));
        let control_plane = tokio::task::spawn_blocking(|| ControlPlane::start(options)).await??;

        screen::say("Starting the simulated AWS; it takes 2 s to carry out an assignment.");
        let seed: Seed = serde_saphyr::from_str(include_str!("../world.yaml"))
            .map_err(|error| anyhow!("world.yaml is wrong: {error}"))?;
        let simulator = Simulator::new(&seed, Clock::system())?;
        let url = simulator.clone().spawn().await?;
        let aws = vec![
            ("AWS_ENDPOINT_URL", url),
            ("AWS_REGION", "us-east-1".to_owned()),
            (
                "AWS_ACCESS_KEY_ID",
                format!("AKIA{}DEMO", seed.management_account),
            ),
            ("AWS_SECRET_ACCESS_KEY", "demo".to_owned()),
        ];

        install(&control_plane).await?;
        screen::say(
            "Starting `breakglass controller --config tests/demo/controller.yaml` with the rights of its service account.\n\
             In that file the settle windows are 2 s instead of 1 and 3 minutes, so that the demo is short.",
        );
        let (controller, port) = start_controller(&control_plane, &aws)?;
        let world = Self {
            controller,
            control_plane,
            simulator,
            aws,
        };
        world.until_ready(port).await?;
        Ok(world)
    }

    /// The time of day.
    pub fn now(&self) -> Timestamp {
        self.simulator.now()
    }

    /// A client that may do anything.
    pub async fn client(&self) -> anyhow::Result<kube::Client> {
        Ok(self.control_plane.client("admin").await?)
    }

    /// Runs kubectl as an administrator.
    pub async fn kubectl(&self, arguments: &[&str]) -> anyhow::Result<String> {
        kubectl(&self.control_plane, arguments).await
    }

    /// Writes a file next to the control plane's data.
    pub fn write(&self, name: &str, content: &str) -> anyhow::Result<PathBuf> {
        let path = self.control_plane.directory().join(name);
        std::fs::write(&path, content)
            .with_context(|| format!("cannot write {}", path.display()))?;
        Ok(path)
    }

    /// Fails when the controller has ended.
    pub fn check_controller(&self) -> anyhow::Result<()> {
        match self.controller.try_wait()? {
            None => Ok(()),
            Some(exit) => bail!(
                "the controller has ended {exit}; end of its log:\n{}",
                self.controller.log_tail()
            ),
        }
    }

    /// Comes true when the controller has ended, which it should not.
    pub async fn controller_ended(&self) -> anyhow::Error {
        loop {
            if let Err(ended) = self.check_controller() {
                return ended;
            }
            tokio::time::sleep(BETWEEN_TRIES).await;
        }
    }

    /// Where the controller's log is.
    pub fn log(&self) -> &Path {
        self.controller.log_file()
    }

    /// Where the controller's audit trail is.
    pub fn audit(&self) -> PathBuf {
        audit(&self.control_plane)
    }

    /// What a shell needs to work with this world.
    pub fn exports(&self) -> anyhow::Result<Vec<(&'static str, String)>> {
        let kubeconfig = self.control_plane.kubeconfig("admin")?;
        let mut exports = vec![("KUBECONFIG", kubeconfig.display().to_string())];
        exports.extend(self.aws.iter().cloned());
        let kubectl = self.control_plane.kubectl("admin")?;
        if let Some(folder) = Path::new(kubectl.get_program()).parent() {
            exports.push(("PATH", format!("{}:$PATH", folder.display())));
        }
        Ok(exports)
    }

    /// Keeps the controller's log beyond the life of this world. The answer is its path.
    pub fn save_log(&self) -> String {
        let kept = target().join("demo-controller.log");
        match std::fs::copy(self.log(), &kept) {
            Ok(_) => kept.display().to_string(),
            Err(error) => format!("lost ({error})"),
        }
    }

    async fn until_ready(&self, port: u16) -> anyhow::Result<()> {
        let began = tokio::time::Instant::now();
        while let Err(error) = readyz(port).await {
            self.check_controller()?;
            if began.elapsed() > PATIENCE {
                let log = self.controller.log_tail();
                bail!(
                    "the controller was not ready within {PATIENCE:?} ({error:#}); end of its log:\n{log}"
                );
            }
            tokio::time::sleep(BETWEEN_TRIES).await;
        }
        Ok(())
    }
}

/// Installs what a cluster needs, as the README says.
async fn install(control_plane: &ControlPlane) -> anyhow::Result<()> {
    let command = "kubectl apply --server-side -k deploy/kustomize";
    let base = repository().join("deploy/kustomize").display().to_string();
    let began = tokio::time::Instant::now();
    // What is made by the first objects may not be served yet when the last ones need it.
    let output = loop {
        match kubectl(control_plane, &["apply", "--server-side", "-k", &base]).await {
            Ok(output) => break output,
            Err(error) if began.elapsed() > PATIENCE => return Err(error),
            Err(_) => tokio::time::sleep(BETWEEN_TRIES).await,
        }
    };
    screen::command(command, &output);
    screen::say(
        "(No node runs here, so the Deployment starts no pod: the demo runs the controller itself.)\n",
    );
    let crds = [
        "breakglassgrants",
        "breakglassaccesses",
        "breakglasspolicies",
    ];
    for crd in crds {
        let crd = format!("crd/{crd}.breakglass.dev");
        kubectl(
            control_plane,
            &["wait", "--for=condition=Established", "--timeout=60s", &crd],
        )
        .await?;
    }
    kubectl(control_plane, &["create", "namespace", NAMESPACE]).await?;
    Ok(())
}

fn start_controller(
    control_plane: &ControlPlane,
    aws: &[(&'static str, String)],
) -> anyhow::Result<(Supervised, u16)> {
    let program = std::env::current_exe()?.with_file_name("breakglass");
    if !program.is_file() {
        bail!(
            "{} is missing: run the demo by `make demo`",
            program.display()
        );
    }
    let port = supervisor::free_port()?;
    let directory = control_plane.directory();
    let config = repository().join("tests/demo/controller.yaml");
    let mut program = Program::new("breakglass", program)
        .arg("controller")
        .args([OsString::from("--config"), config.into()])
        .args(["--listen", &format!("127.0.0.1:{port}")])
        .args([OsString::from("--audit"), audit(control_plane).into()]);
    for (name, _) in std::env::vars_os() {
        if is_foreign(&name.to_string_lossy()) {
            program = program.env_remove(name);
        }
    }
    for (name, value) in aws {
        program = program.env(name, value);
    }
    let controller = program
        .env("KUBECONFIG", kubeconfig(control_plane)?)
        .env("HOME", directory.join("home"))
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .spawn(&directory.join("breakglass.log"))?;
    Ok((controller, port))
}

/// The controller's credentials. Its lease goes into the namespace of the context, as it would into that of its pod.
fn kubeconfig(control_plane: &ControlPlane) -> anyhow::Result<PathBuf> {
    let given = control_plane.kubeconfig(SERVICE_ACCOUNT)?;
    let text = std::fs::read_to_string(&given)
        .with_context(|| format!("cannot read {}", given.display()))?;
    let mut kubeconfig: serde_json::Value = serde_json::from_str(&text)?;
    if let Some(context) = kubeconfig.pointer_mut("/contexts/0/context") {
        context["namespace"] = "breakglass-system".into();
    }
    let path = control_plane.directory().join("breakglass.kubeconfig");
    std::fs::write(&path, kubeconfig.to_string())
        .with_context(|| format!("cannot write {}", path.display()))?;
    Ok(path)
}

/// Whether a variable of the person who runs the demo would reach AWS, a cluster or a proxy of theirs.
fn is_foreign(variable: &str) -> bool {
    let name = variable.to_ascii_uppercase();
    name.starts_with("AWS_")
        || name.starts_with("BREAKGLASS_")
        || name.starts_with("KUBERNETES_")
        || name.ends_with("_PROXY")
        || name == "RUST_LOG"
        || name == "POD_UID"
}

async fn kubectl(control_plane: &ControlPlane, arguments: &[&str]) -> anyhow::Result<String> {
    let command = control_plane.kubectl("admin")?;
    let mut command = tokio::process::Command::from(command);
    let output = command
        .args(arguments)
        .stdin(std::process::Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .context("kubectl can't be run")?;
    if !output.status.success() {
        let reason = String::from_utf8_lossy(&output.stderr);
        bail!(
            "`kubectl {}` failed: {}",
            arguments.join(" "),
            reason.trim()
        );
    }
    Ok(String::from_utf8_lossy(&output.stdout)
        .trim_end()
        .to_owned())
}

async fn readyz(port: u16) -> anyhow::Result<()> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
    stream
        .write_all(b"GET /readyz HTTP/1.0\r\nHost: localhost\r\n\r\n")
        .await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_default();
    match head.split_whitespace().nth(1) {
        Some("200") => Ok(()),
        _ => bail!("{}", body.trim()),
    }
}

fn audit(control_plane: &ControlPlane) -> PathBuf {
    control_plane.directory().join("audit.jsonl")
}

/// The root of the repository.
fn repository() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here)
}

fn target() -> PathBuf {
    repository().join("target")
}
