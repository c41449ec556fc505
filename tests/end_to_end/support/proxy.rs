//! A network between a controller and the API server that misbehaves on command.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use control_plane::ControlPlane;
use kube::client::ConfigExt as _;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

use super::controller::SERVICE_ACCOUNT;
use super::time::block_on;
use super::world::{Setup, World};

/// What becomes of the bytes of a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Conduct {
    /// They are passed on.
    #[default]
    Pass,
    /// They are held back, and passed on when that is over. Nobody hears that anything is wrong.
    Hang,
    /// What the API server is asked for it does, and its answer is held back.
    HoldAnswers,
    /// The connection is reset, and so is each new one.
    Reset,
    /// What the API server is asked for it does, and the connection is reset instead of its answer.
    LoseAnswers,
    /// Each piece is passed on so much later.
    Delay(Duration),
}

/// What a connection is used for. kube speaks HTTP/1.1, so that each carries one request at a time, and each watch has its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    Read,
    Watch,
    Write,
    /// A write that records something in a ledger entry. Orders about writes are about these too.
    Record,
}

/// Stands between a controller and the API server. It ends with the test process.
pub struct Proxy {
    url: String,
    orders: watch::Sender<Orders>,
    requests: Arc<Mutex<Vec<String>>>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Orders {
    reads: Conduct,
    watches: Conduct,
    writes: Conduct,
    records: Conduct,
    /// Requests to watch that were made before this was counted up are lost.
    lost_watches: u64,
    /// From the record of that number on, counted from one, answers are held back.
    held_from: Option<usize>,
}

/// What a connection carries now.
#[derive(Clone, Copy, Debug)]
struct Carried {
    used: Use,
    /// How many times watches had been lost when it was begun.
    lost_before: u64,
    /// How many records had been sent by then, this one included.
    records: usize,
}

impl Orders {
    fn conduct(self, used: Use) -> Conduct {
        match used {
            Use::Read => self.reads,
            Use::Watch => self.watches,
            Use::Write => self.writes,
            Use::Record => self.records,
        }
    }
}

impl Proxy {
    /// A world whose controller reaches the API server through a proxy.
    pub fn world(setup: Setup) -> (World, Self) {
        let world = World::own(setup.without_controller());
        let proxy = Self::start(&world.control_plane);
        world.start_controller(&world.controller().through(proxy.url()));
        (world, proxy)
    }

    /// In front of this API server. It takes plain HTTP, so that it sees what is asked for, and does the encryption itself.
    fn start(control_plane: &ControlPlane) -> Self {
        let (orders, _) = watch::channel(Orders::default());
        let requests = Arc::default();
        let port = block_on(async {
            let config = control_plane.config(SERVICE_ACCOUNT).await.unwrap();
            let server = format!("127.0.0.1:{}", config.cluster_url.port_u16().unwrap());
            let tls = TlsConnector::from(Arc::new(config.rustls_client_config().unwrap()));
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let port = listener.local_addr().unwrap().port();
            let link = Link {
                server,
                tls,
                orders: orders.subscribe(),
                requests: Arc::clone(&requests),
            };
            tokio::spawn(async move {
                while let Ok((client, _)) = listener.accept().await {
                    tokio::spawn(link.clone().serve(client));
                }
            });
            port
        });
        Self {
            url: format!("http://127.0.0.1:{port}"),
            orders,
            requests,
        }
    }

    /// Where it takes connections for the API server.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// From now on, all connections are treated so, open ones too.
    pub fn conduct(&self, conduct: Conduct) {
        for used in [Use::Read, Use::Watch, Use::Write] {
            self.conduct_of(used, conduct);
        }
    }

    /// From now on, connections that are used so are treated so.
    pub fn conduct_of(&self, used: Use, conduct: Conduct) {
        self.orders.send_modify(|orders| match used {
            Use::Read => orders.reads = conduct,
            Use::Watch => orders.watches = conduct,
            Use::Write => (orders.writes, orders.records) = (conduct, conduct),
            Use::Record => orders.records = conduct,
        });
    }

    /// Resets all watches that there are, with all that was held back for them, and passes new ones on.
    pub fn lose_watches(&self) {
        self.orders.send_modify(|orders| {
            orders.lost_watches += 1;
            orders.watches = Conduct::Pass;
        });
    }

    /// How many records were sent so far.
    pub fn records(&self) -> usize {
        count_records(&locked(&self.requests))
    }

    /// Holds the answers to records back from that one on, counted from one; none: passes them on.
    pub fn hold_records_from(&self, number: Option<usize>) {
        self.orders.send_modify(|orders| orders.held_from = number);
    }

    /// How often all objects of a kind were listed.
    pub fn lists(&self, plural: &str) -> usize {
        let collection = format!("/breakglass.dev/v1alpha1/{plural}?");
        let requests = locked(&self.requests);
        let lists = requests
            .iter()
            .filter(|request| request.contains(&collection) && use_of(request) == Use::Read);
        lists.count()
    }
}

/// Between one client and the API server.
#[derive(Clone)]
struct Link {
    server: String,
    tls: TlsConnector,
    orders: watch::Receiver<Orders>,
    requests: Arc<Mutex<Vec<String>>>,
}

/// The connection is not to be passed on any more.
struct Broken;

impl From<std::io::Error> for Broken {
    fn from(_: std::io::Error) -> Self {
        Self
    }
}

impl Link {
    async fn serve(self, mut client: TcpStream) {
        if self.pass(&mut client).await.is_err() {
            // Without it the client would see an orderly end.
            drop(client.set_zero_linger());
        }
    }

    async fn pass(&self, client: &mut TcpStream) -> Result<(), Broken> {
        let mut orders = self.orders.clone();
        let used = watch::Sender::new(Carried {
            used: Use::Read,
            lost_before: orders.borrow().lost_watches,
            records: 0,
        });
        let mut first = [0; 1];
        // The server is called when the first request is let through: one that hangs is not even connected.
        if client.peek(&mut first).await? == 0 {
            return Ok(());
        }
        let begun = *used.borrow();
        until_passing(&mut orders, begun, Towards::Server).await?;
        let server = TcpStream::connect(&self.server).await?;
        let name = ServerName::from(std::net::IpAddr::from([127, 0, 0, 1]));
        let server = self.tls.connect(name, server).await?;
        let (from_client, to_client) = client.split();
        let (from_server, to_server) = tokio::io::split(server);
        let note = |piece: &[u8]| {
            if let Some(request) = request_line(piece) {
                let mut requests = locked(&self.requests);
                requests.push(request.clone());
                used.send_replace(Carried {
                    used: use_of(&request),
                    lost_before: self.orders.borrow().lost_watches,
                    records: count_records(&requests),
                });
            }
        };
        let (sending, answering) = (
            Pump::new(Towards::Server, &orders, &used),
            Pump::new(Towards::Client, &orders, &used),
        );
        tokio::select! {
            biased;
            () = until_reset(orders, used.subscribe()) => Err(Broken),
            sent = sending.run(from_client, to_server, note) => sent,
            answered = answering.run(from_server, to_client, |_| {}) => answered,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Towards {
    Server,
    Client,
}

/// Passes on what goes in one direction.
struct Pump {
    towards: Towards,
    orders: watch::Receiver<Orders>,
    used: watch::Receiver<Carried>,
}

impl Pump {
    fn new(
        towards: Towards,
        orders: &watch::Receiver<Orders>,
        used: &watch::Sender<Carried>,
    ) -> Self {
        Self {
            towards,
            orders: orders.clone(),
            used: used.subscribe(),
        }
    }

    async fn run(
        mut self,
        mut from: impl AsyncRead + Unpin,
        mut to: impl AsyncWrite + Unpin,
        note: impl Fn(&[u8]),
    ) -> Result<(), Broken> {
        let mut piece = vec![0; 64 * 1024];
        loop {
            let length = from.read(&mut piece).await?;
            if length == 0 {
                return Ok(());
            }
            note(&piece[..length]);
            let used = *self.used.borrow();
            until_passing(&mut self.orders, used, self.towards).await?;
            to.write_all(&piece[..length]).await?;
            to.flush().await?;
        }
    }
}

/// Waits for as long as the orders hold something back.
async fn until_passing(
    orders: &mut watch::Receiver<Orders>,
    carried: Carried,
    towards: Towards,
) -> Result<(), Broken> {
    let used = carried.used;
    let is_held = |orders: &Orders| {
        used == Use::Record && orders.held_from.is_some_and(|from| carried.records >= from)
    };
    let passes = |orders: &Orders| match orders.conduct(used) {
        _ if towards == Towards::Client && is_held(orders) => false,
        Conduct::Hang => false,
        Conduct::HoldAnswers => towards == Towards::Server,
        _ => true,
    };
    let conduct = match orders.wait_for(passes).await {
        Ok(orders) => orders.conduct(used),
        Err(_) => return Err(Broken),
    };
    match conduct {
        Conduct::LoseAnswers if towards == Towards::Client => Err(Broken),
        Conduct::Pass | Conduct::Hang | Conduct::HoldAnswers | Conduct::LoseAnswers => Ok(()),
        Conduct::Reset => Err(Broken),
        Conduct::Delay(by) => {
            tokio::time::sleep(by).await;
            Ok(())
        }
    }
}

/// A connection on which nothing is said is reset too. One that waited in the client's pool may carry a new watch.
async fn until_reset(mut orders: watch::Receiver<Orders>, mut used: watch::Receiver<Carried>) {
    loop {
        let now = *orders.borrow_and_update();
        let carried = *used.borrow_and_update();
        let lost = carried.used == Use::Watch && now.lost_watches > carried.lost_before;
        if lost || now.conduct(carried.used) == Conduct::Reset {
            return;
        }
        let changed = tokio::select! {
            changed = orders.changed() => changed,
            changed = used.changed() => changed,
        };
        if changed.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

fn count_records(requests: &[String]) -> usize {
    let records = requests
        .iter()
        .filter(|request| use_of(request) == Use::Record);
    records.count()
}

/// The first line of a request, if a piece begins with one.
fn request_line(piece: &[u8]) -> Option<String> {
    let line = piece.split(|byte| *byte == b'\r').next()?;
    let line = std::str::from_utf8(line).ok()?;
    line.ends_with(" HTTP/1.1").then(|| line.to_owned())
}

fn use_of(request: &str) -> Use {
    let of_a_status = request
        .split(' ')
        .nth(1)
        .is_some_and(|path| path.contains("/status"));
    if request.starts_with("PUT ") && request.contains("/breakglassaccesses/") && !of_a_status {
        Use::Record
    } else if !request.starts_with("GET ") {
        Use::Write
    } else if request.contains("?watch=") || request.contains("&watch=") {
        Use::Watch
    } else {
        Use::Read
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
