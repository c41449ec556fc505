use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use kube::config::{KubeConfigOptions, Kubeconfig};
use supervisor::Supervised;

use crate::credentials::Credentials;
use crate::directory::Directory;
use crate::etcd::Etcd;
use crate::process::{logged, new_log, program, retry_while_port_is_taken, wait_until_ready};
use crate::programs::{Programs, target};
use crate::{Error, Options, User};

const API_SERVER: &str = "kube-apiserver";
const CONTROLLER_MANAGER: &str = "kube-controller-manager";

/// The API server ends watches after a second (`--shutdown-watch-termination-grace-period`); the rest is for a loaded machine.
const STOPS_WITHIN: Duration = Duration::from_secs(30);

/// A running control plane. Its processes end and its folder goes when this is dropped; when the process that holds it ends in
/// any other way, its processes end as well, and the next [`ControlPlane::start`] removes the folder.
///
/// All methods can be called from several threads at once. Those that start, stop or wait block the thread until that is
/// done, so a control plane that several asynchronous tests share is best started in a `LazyLock`.
#[derive(Debug)]
pub struct ControlPlane {
    api_server: Mutex<Option<Supervised>>,
    controller_manager: Mutex<Option<Supervised>>,
    etcd: Etcd,
    api_server_port: u16,
    api_server_arguments: Vec<String>,
    credentials: Credentials,
    programs: Programs,
    directory: Directory,
}

impl ControlPlane {
    /// Starts etcd and an API server on free ports, and waits until `/readyz` says yes: about 4 seconds.
    pub fn start(options: Options) -> Result<Self, Error> {
        Self::start_on(options, supervisor::free_port)
    }

    fn start_on(
        options: Options,
        mut port: impl FnMut() -> Result<u16, supervisor::Error>,
    ) -> Result<Self, Error> {
        let programs = Programs::from_environment();
        let directory = Directory::create(&target().join("run"))?;
        let home = directory.path().join("home");
        fs::create_dir(&home).map_err(Error::file("create", home))?;
        let users = [User::admin()].into_iter().chain(options.users).collect();
        let credentials = Credentials::create(directory.path(), users)?;
        let etcd = retry_while_port_is_taken(|| {
            Etcd::start(&programs, directory.path(), port()?, port()?)
        })?;
        let etcd_url = etcd.url();

        let mut control_plane = Self {
            api_server: Mutex::new(None),
            controller_manager: Mutex::new(None),
            etcd,
            api_server_port: 0,
            api_server_arguments: api_server_arguments(
                &etcd_url,
                &directory,
                &credentials,
                options.api_server_arguments,
            ),
            credentials,
            programs,
            directory,
        };
        retry_while_port_is_taken(|| {
            control_plane.api_server_port = port()?;
            let (url, authority) = (control_plane.url(), control_plane.certificate_authority());
            control_plane
                .credentials
                .write_kubeconfigs(&url, &authority)?;
            control_plane
                .launch_api_server()
                .map(|server| *locked(&control_plane.api_server) = Some(server))
        })?;
        Ok(control_plane)
    }

    /// The API server's address, `https://127.0.0.1:PORT`. It stays the same when the server is started again.
    pub fn url(&self) -> String {
        format!("https://127.0.0.1:{}", self.api_server_port)
    }

    /// The file with the certificate authority that the API server made for itself.
    pub fn certificate_authority(&self) -> PathBuf {
        // The server writes its certificate and that of its authority into one file.
        self.directory
            .path()
            .join("certificates")
            .join("apiserver.crt")
    }

    /// A kubeconfig file for a user.
    pub fn kubeconfig(&self, user: &str) -> Result<PathBuf, Error> {
        self.credentials.kubeconfig(user)
    }

    /// What [`kube`] needs to act as a user.
    pub async fn config(&self, user: &str) -> Result<kube::Config, Error> {
        let path = self.kubeconfig(user)?;
        let refused = |source| Error::Kubeconfig {
            path: path.clone(),
            source: Box::new(source),
        };
        let kubeconfig = Kubeconfig::read_from(&path).map_err(refused)?;
        let options = KubeConfigOptions::default();
        let mut config = kube::Config::from_custom_kubeconfig(kubeconfig, &options)
            .await
            .map_err(refused)?;
        // kube takes a proxy from the environment; there is none on the way to loopback.
        config.proxy_url = None;
        Ok(config)
    }

    /// A client that acts as a user. It belongs to the tokio runtime in which it is made.
    pub async fn client(&self, user: &str) -> Result<kube::Client, Error> {
        let config = self.config(user).await?;
        kube::Client::try_from(config).map_err(|source| Error::Client {
            url: self.url(),
            source: Box::new(source),
        })
    }

    /// kubectl, acting as a user. Its caches go into the control plane's folder, not into the person's home.
    pub fn kubectl(&self, user: &str) -> Result<Command, Error> {
        let mut kubectl = Command::new(self.programs.find("kubectl")?);
        kubectl
            .env("KUBECONFIG", self.kubeconfig(user)?)
            .env("HOME", self.directory.path().join("home"));
        Ok(kubectl)
    }

    /// Ends the API server as an upgrade would: SIGTERM, open requests are answered, watches are closed.
    pub fn stop_api_server(&self) -> Result<(), Error> {
        let mut running = locked(&self.api_server);
        let server = running.as_ref().ok_or(Error::NotRunning(API_SERVER))?;
        server.signal("TERM")?;
        server.wait(STOPS_WITHIN)?;
        *running = None;
        Ok(())
    }

    /// Ends the API server as a crash would: SIGKILL.
    pub fn kill_api_server(&self) -> Result<(), Error> {
        let mut running = locked(&self.api_server);
        running
            .as_ref()
            .ok_or(Error::NotRunning(API_SERVER))?
            .kill()?;
        *running = None;
        Ok(())
    }

    /// Starts the API server again, on the same port and data, and waits until it is ready.
    pub fn start_api_server(&self) -> Result<(), Error> {
        let mut running = locked(&self.api_server);
        if running.is_some() {
            return Err(Error::AlreadyRunning(API_SERVER));
        }
        *running = Some(retry_while_port_is_taken(|| self.launch_api_server())?);
        Ok(())
    }

    /// Freezes the API server: connections stay open and new ones are accepted, but nothing is answered.
    pub fn pause_api_server(&self) -> Result<(), Error> {
        Ok(locked(&self.api_server)
            .as_ref()
            .ok_or(Error::NotRunning(API_SERVER))?
            .signal("STOP")?)
    }

    /// Lets a frozen API server go on.
    pub fn resume_api_server(&self) -> Result<(), Error> {
        Ok(locked(&self.api_server)
            .as_ref()
            .ok_or(Error::NotRunning(API_SERVER))?
            .signal("CONT")?)
    }

    /// Ends etcd as a crash would: SIGKILL. The API server runs on, and can neither read nor write.
    pub fn kill_etcd(&self) -> Result<(), Error> {
        self.etcd.kill()
    }

    /// Starts etcd again, on the same ports and data. Waits until the API server, if there is one, is ready again.
    pub fn start_etcd(&self) -> Result<(), Error> {
        self.etcd.start_again()?;
        self.wait_for_api_server()
    }

    /// Freezes etcd: what the API server asks of it stays unanswered.
    pub fn pause_etcd(&self) -> Result<(), Error> {
        self.etcd.signal("STOP")
    }

    /// Lets a frozen etcd go on.
    pub fn resume_etcd(&self) -> Result<(), Error> {
        self.etcd.signal("CONT")?;
        self.wait_for_api_server()
    }

    /// Has etcd forget all versions of all objects but the newest, as the API server itself does every five minutes. The answer is
    /// the last version that watches can't begin at any more.
    pub fn compact_etcd(&self) -> Result<i64, Error> {
        self.etcd.compact()
    }

    /// Starts the controllers that finish the deletion of namespaces, collect garbage and fill aggregated cluster roles. Without them
    /// a deleted namespace stays Terminating, objects outlive their owners, and the roles `view`, `edit` and `admin` allow nothing.
    pub fn start_controller_manager(&self) -> Result<(), Error> {
        let mut running = locked(&self.controller_manager);
        if running.is_some() {
            return Err(Error::AlreadyRunning(CONTROLLER_MANAGER));
        }
        let mut kubeconfig = std::ffi::OsString::from("--kubeconfig=");
        kubeconfig.push(self.kubeconfig("admin")?);
        let arguments = [
            kubeconfig,
            "--controllers=namespace-controller,garbage-collector-controller,clusterrole-aggregation-controller".into(),
            "--leader-elect=false".into(),
            "--bind-address=127.0.0.1".into(),
            "--secure-port=0".into(),
        ];
        let manager = program(
            CONTROLLER_MANAGER,
            self.programs.find(CONTROLLER_MANAGER)?,
            arguments,
        )
        .spawn(&new_log(self.directory.path(), CONTROLLER_MANAGER))?;
        wait_until_ready(&manager, || {
            logged(&manager, "Starting namespace controller")
        })?;
        *running = Some(manager);
        Ok(())
    }

    /// The ends of all logs, for the message of a failed test.
    pub fn logs(&self) -> String {
        let mut paths: Vec<PathBuf> = fs::read_dir(self.directory.path())
            .map(|entries| entries.flatten().map(|entry| entry.path()).collect())
            .unwrap_or_default();
        paths.retain(|path| path.extension().is_some_and(|extension| extension == "log"));
        paths.sort();
        let ends: Vec<String> = paths
            .iter()
            .map(|path| format!("==> {} <==\n{}", path.display(), supervisor::tail(path)))
            .collect();
        ends.join("\n\n")
    }

    /// The pids of its processes, for a look at them from outside.
    pub fn pids(&self) -> Vec<u32> {
        let (manager, server) = (locked(&self.controller_manager), locked(&self.api_server));
        [manager.as_ref(), server.as_ref()]
            .into_iter()
            .flatten()
            .map(Supervised::pid)
            .chain(self.etcd.pid())
            .collect()
    }

    /// The folder with data, logs and credentials.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    fn launch_api_server(&self) -> Result<Supervised, Error> {
        let arguments = self
            .api_server_arguments
            .iter()
            .cloned()
            .chain([format!("--secure-port={}", self.api_server_port)]);
        let server = program(API_SERVER, self.programs.find(API_SERVER)?, arguments)
            .spawn(&new_log(self.directory.path(), API_SERVER))?;
        wait_until_ready(&server, || self.readyz())?;
        Ok(server)
    }

    fn wait_for_api_server(&self) -> Result<(), Error> {
        locked(&self.api_server)
            .as_ref()
            .map_or(Ok(()), |server| wait_until_ready(server, || self.readyz()))
    }

    /// Asks with the token and the authority of this control plane, so that no other server can answer in its place.
    fn readyz(&self) -> Result<(), String> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.api_server_port));
        // Cheaper than a kubectl that can't connect.
        TcpStream::connect_timeout(&address, Duration::from_secs(1))
            .map_err(|error| error.to_string())?;
        let mut kubectl = self.kubectl("admin").map_err(|error| error.to_string())?;
        let output = kubectl
            .args(["get", "--raw=/readyz", "--request-timeout=5s"])
            .stdin(Stdio::null())
            .output()
            .map_err(|error| error.to_string())?;
        if output.status.success() {
            Ok(())
        } else {
            Err(String::from_utf8_lossy(&output.stderr).trim().to_owned())
        }
    }
}

impl Drop for ControlPlane {
    fn drop(&mut self) {
        // Nothing of it is used again, so it need not end in order. Errors leave nothing to try: dropping each process, which
        // comes next, ends it in any case.
        let running = [
            locked(&self.controller_manager).take(),
            locked(&self.api_server).take(),
        ];
        for process in running.iter().flatten() {
            drop(process.kill());
        }
        drop(self.etcd.kill());
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn api_server_arguments(
    etcd: &str,
    directory: &Directory,
    credentials: &Credentials,
    more: Vec<String>,
) -> Vec<String> {
    let certificates = directory.path().join("certificates");
    // The server makes this key for its own certificate before it reads the keys for service accounts.
    let key = certificates.join("apiserver.key");
    [
        format!("--etcd-servers={etcd}"),
        format!("--cert-dir={}", certificates.display()),
        "--bind-address=127.0.0.1".to_owned(),
        "--advertise-address=127.0.0.1".to_owned(),
        // Loopback is no address that an Endpoints object may hold.
        "--endpoint-reconciler-type=none".to_owned(),
        "--service-account-issuer=https://kubernetes.default.svc".to_owned(),
        format!("--service-account-key-file={}", key.display()),
        format!("--service-account-signing-key-file={}", key.display()),
        "--service-cluster-ip-range=10.0.0.0/24".to_owned(),
        format!("--token-auth-file={}", credentials.token_file().display()),
        "--authorization-mode=RBAC".to_owned(),
        // No controller makes the service accounts that it asks for.
        "--disable-admission-plugins=ServiceAccount".to_owned(),
        // Without it a server with open watches takes a minute to stop.
        "--shutdown-watch-termination-grace-period=1s".to_owned(),
    ]
    .into_iter()
    .chain(more)
    .collect()
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    /// Between the choice of a port and the start of its server, another test may take it.
    #[test]
    fn a_port_that_is_taken_meanwhile_is_replaced_by_another() {
        let taken = supervisor::free_port().unwrap();
        let _listener = TcpListener::bind((Ipv4Addr::LOCALHOST, taken)).unwrap();
        let mut asked = 0;
        // The first port is that of etcd's clients, the third, after another two, that of the API server.
        let control_plane = ControlPlane::start_on(Options::default(), || {
            asked += 1;
            if asked == 1 || asked == 5 {
                Ok(taken)
            } else {
                supervisor::free_port()
            }
        })
        .unwrap();
        assert_eq!(asked, 6, "each server is started a second time");
        assert_ne!(control_plane.api_server_port, taken);
        assert_eq!(control_plane.pids().len(), 2);
    }
}
