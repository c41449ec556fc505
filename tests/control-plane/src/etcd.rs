use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use supervisor::Supervised;

use crate::Error;
use crate::process::{logged, new_log, program, retry_while_port_is_taken, wait_until_ready};
use crate::programs::Programs;

const ETCD: &str = "etcd";

/// The store of one control plane. Ports and data stay the same when it is started again.
#[derive(Debug)]
pub(crate) struct Etcd {
    running: Mutex<Option<Supervised>>,
    program: PathBuf,
    directory: PathBuf,
    client: u16,
    peer: u16,
}

impl Etcd {
    /// Starts it, and waits until it serves.
    pub(crate) fn start(
        programs: &Programs,
        directory: &Path,
        client: u16,
        peer: u16,
    ) -> Result<Self, Error> {
        let etcd = Self {
            running: Mutex::new(None),
            program: programs.find(ETCD)?,
            directory: directory.to_owned(),
            client,
            peer,
        };
        let process = etcd.launch()?;
        *etcd.running() = Some(process);
        Ok(etcd)
    }

    /// Where its clients find it.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.client)
    }

    /// The pid, while it runs.
    pub(crate) fn pid(&self) -> Option<u32> {
        self.running().as_ref().map(Supervised::pid)
    }

    /// SIGKILL.
    pub(crate) fn kill(&self) -> Result<(), Error> {
        let mut running = self.running();
        running.as_ref().ok_or(Error::NotRunning(ETCD))?.kill()?;
        *running = None;
        Ok(())
    }

    /// Starts it again.
    pub(crate) fn start_again(&self) -> Result<(), Error> {
        let mut running = self.running();
        if running.is_some() {
            return Err(Error::AlreadyRunning(ETCD));
        }
        *running = Some(retry_while_port_is_taken(|| self.launch())?);
        Ok(())
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: &str) -> Result<(), Error> {
        let running = self.running();
        let process = running.as_ref().ok_or(Error::NotRunning(ETCD))?;
        Ok(process.signal(signal)?)
    }

    /// Forgets every version of every object but the newest; the answer is the revision up to which all was forgotten.
    pub(crate) fn compact(&self) -> Result<i64, Error> {
        // Any key will do: the head of each answer says the newest revision.
        let answer = self.ask("/v3/kv/range", &json!({"key": "AA=="}))?;
        let newest = answer
            .pointer("/header/revision")
            .and_then(Value::as_str)
            .and_then(|revision| revision.parse().ok())
            .ok_or_else(|| refused("/v3/kv/range", &answer))?;
        let compact = json!({"revision": newest, "physical": true});
        let answer = self.ask("/v3/kv/compaction", &compact)?;
        if answer.pointer("/header").is_none() {
            return Err(refused("/v3/kv/compaction", &answer));
        }
        Ok(newest)
    }

    /// Calls etcd's own HTTP gateway, which spares the tests a client of its gRPC.
    fn ask(&self, path: &str, question: &Value) -> Result<Value, Error> {
        let failed = |source| Error::EtcdUnreachable {
            url: self.url(),
            source,
        };
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.client)).map_err(failed)?;
        stream
            .set_read_timeout(Some(Duration::from_secs(10)))
            .map_err(failed)?;
        let body = question.to_string();
        // Of HTTP 1.0, so that the answer ends with the connection.
        let request = format!(
            "POST {path} HTTP/1.0\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).map_err(failed)?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).map_err(failed)?;
        let (_, body) = answer.split_once("\r\n\r\n").unwrap_or_default();
        serde_json::from_str(body).map_err(|_| refused(path, &Value::String(answer)))
    }

    fn launch(&self) -> Result<Supervised, Error> {
        let peer_url = format!("http://127.0.0.1:{}", self.peer);
        let client_url = self.url();
        let arguments = [
            format!("--data-dir={}", self.directory.join("etcd").display()),
            // The data must survive the end of the process, but no power failure, and disks shared with other tests are slow.
            "--unsafe-no-fsync".to_owned(),
            format!("--listen-client-urls={client_url}"),
            format!("--advertise-client-urls={client_url}"),
            format!("--listen-peer-urls={peer_url}"),
            format!("--initial-advertise-peer-urls={peer_url}"),
            format!("--initial-cluster=default={peer_url}"),
        ];
        let etcd = program(ETCD, self.program.clone(), arguments)
            .spawn(&new_log(&self.directory, ETCD))?;
        // By its own words, because a connection might be answered by another etcd that was quicker to take the port.
        wait_until_ready(&etcd, || logged(&etcd, "ready to serve client requests"))?;
        Ok(etcd)
    }

    fn running(&self) -> MutexGuard<'_, Option<Supervised>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn refused(path: &str, answer: &Value) -> Error {
    Error::EtcdRefused {
        path: path.to_owned(),
        answer: answer.to_string(),
    }
}
