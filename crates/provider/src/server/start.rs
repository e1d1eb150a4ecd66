//! A server of mock providers from its start to its end: its ports, and what stands behind them.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use firedrill_clock::{Clock, Real};
use firedrill_line::{Limits, Phase};
use firedrill_yaml::quoted;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::dialect::Dialect;
use crate::server::file::MockFile;
use crate::server::journal::Journal;
use crate::server::provider::Provider;
use crate::server::serve::Answering;
use crate::server::shared::{Connection, Port, Shared};
use crate::server::{control, listen};

/// Connections to the control API at the same time.
const MOST_CONTROLLERS: usize = 256;

/// How a server is started.
#[derive(Clone)]
pub struct Settings {
    /// Where clients ask for answers. With port 0 any that is free. Providers with a port of their own have it at this
    /// address, too.
    pub address: SocketAddr,
    /// Where the control API is. Whoever reaches it can do with the mock as they please.
    pub control: SocketAddr,
    /// What chance derives from, if not what the file says.
    pub seed: Option<u64>,
    /// The time that the providers live by.
    pub clock: Arc<dyn Clock>,
    /// What clients may take.
    pub limits: Limits,
}

impl Settings {
    /// Any free ports of this machine, only for this machine; real time.
    pub fn local() -> Self {
        let any = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
        Self {
            address: any,
            control: any,
            seed: None,
            clock: Arc::new(Real::start()),
            limits: Limits::default(),
        }
    }
}

/// A provider that is being served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Served<'a> {
    /// What the journal calls it.
    pub name: &'a str,
    /// What it speaks.
    pub dialect: Dialect,
    /// Which requests are for it: the host that they ask for, if it has one, and what their paths begin with.
    pub route: String,
    /// What the addresses of its requests begin with, as if it had no host of its own.
    pub url: String,
    /// The port of its own, if it has one.
    pub address: Option<SocketAddr>,
}

/// Mock providers that are being served. Dropped, it stops at once; [`Server::stop`] lets answers end first.
pub struct Server {
    pub(crate) shared: Arc<Shared>,
    /// The one that providers share, if any does.
    address: Option<SocketAddr>,
    control: SocketAddr,
    tasks: Vec<JoinHandle<()>>,
}

impl Server {
    /// Serves what `file` says, on the runtime that this is called in.
    ///
    /// # Errors
    /// If a port cannot be had.
    ///
    /// # Panics
    /// Outside a runtime of tokio's with I/O and time.
    pub fn start(file: MockFile, settings: Settings) -> io::Result<Self> {
        let bind = |address: SocketAddr, whose: &str| {
            let named = |error: io::Error| {
                let message = format!("cannot listen on {address} for {whose}: {error}");
                io::Error::new(error.kind(), message)
            };
            firedrill_line::listen(address).map_err(named)
        };
        let (mut listeners, mut ports, mut providers) = (Vec::new(), Vec::new(), Vec::new());
        let mut open = |address: SocketAddr, whose: &str| {
            let listener = bind(address, whose)?;
            ports.push(Port { address: listener.local_addr()?, listening: watch::Sender::new(true) });
            listeners.push(listener);
            io::Result::Ok(ports.len() - 1)
        };
        let is_shared = file.providers.iter().any(|specified| specified.port.is_none());
        let for_all = if is_shared { Some(open(settings.address, "the providers")?) } else { None };
        for specified in file.providers {
            let port = match (specified.port, for_all) {
                (None, Some(shared)) => shared,
                (port, _) => {
                    let address = SocketAddr::new(settings.address.ip(), port.unwrap_or(0));
                    open(address, &quoted(&specified.name))?
                }
            };
            let seed = settings.seed.unwrap_or(specified.seed);
            let fixed = (specified.name.into(), specified.dialect, port, specified.route, specified.text);
            let mut provider = Provider::new(fixed, (specified.upstream, specified.tokens), seed);
            provider.cost = specified.cost;
            providers.push(provider);
        }
        let controller = bind(settings.control, "the control API")?;
        let control = controller.local_addr()?;
        let connections = settings.limits.connections;
        let address = for_all.map(|port| ports[port].address);
        let shared = Arc::new(Shared {
            providers,
            ports,
            clock: settings.clock,
            journal: Journal::default(),
            limits: Arc::new(settings.limits),
            hold: ArcSwapOption::empty(),
            connections: 0.into(),
            begun: watch::Sender::new(()),
            stop: watch::Sender::new(false),
        });
        let mut tasks: Vec<JoinHandle<()>> = Vec::new();
        for (port, listener) in listeners.into_iter().enumerate() {
            let for_clients = Arc::clone(&shared);
            let answers = move |phase| {
                let connection = Arc::new(Connection { shared: Arc::clone(&for_clients), port, phase });
                move |request| Answering::new(Arc::clone(&connection), request)
            };
            let clients = listen::accept(Arc::clone(&shared), listener, (Some(port), connections), answers);
            tasks.push(tokio::spawn(clients));
        }
        let for_control = Arc::clone(&shared);
        let answers = move |phase: Phase| {
            let shared = Arc::clone(&for_control);
            move |request| Box::pin(control::answer(Arc::clone(&shared), phase.clone(), request))
        };
        let controllers = listen::accept(Arc::clone(&shared), controller, (None, MOST_CONTROLLERS), answers);
        tasks.push(tokio::spawn(controllers));
        Ok(Self { shared, address, control, tasks })
    }

    /// The address that providers share. `None` if each has a port of its own.
    pub fn address(&self) -> Option<SocketAddr> {
        self.address
    }

    /// Each provider and where it is, in the order of the file.
    pub fn served(&self) -> impl Iterator<Item = Served<'_>> {
        self.shared.providers.iter().map(|provider| {
            let address = self.shared.ports[provider.port].address;
            Served {
                name: &provider.name,
                dialect: provider.dialect,
                route: provider.route.to_string(),
                url: format!("http://{address}{}", provider.route.path),
                address: Some(address).filter(|address| self.address != Some(*address)),
            }
        })
    }

    /// Where the control API is.
    pub fn control(&self) -> SocketAddr {
        self.control
    }

    /// Takes no more connections, lets the answers that are being given end for as long as the limits grant, and stops.
    pub async fn stop(mut self) {
        self.shared.stop.send_replace(true);
        for task in self.tasks.drain(..) {
            // It ends well, or has been broken off: then it is over as well.
            let _ = task.await;
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}
