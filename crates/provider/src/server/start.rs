//! A server of mock providers from its start to its end: two ports, and what stands behind them.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use firedrill_clock::{Clock, Real};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::server::date::Dates;
use crate::server::file::MockFile;
use crate::server::journal::Journal;
use crate::server::provider::Provider;
use crate::server::shared::Shared;
use crate::server::{control, listen, serve};

/// Connections to the control API at the same time.
const MOST_CONTROLLERS: usize = 256;

/// How a server is started.
#[derive(Clone)]
pub struct Settings {
    /// Where clients ask for answers. With port 0 any that is free.
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

/// Mock providers that are being served. Dropped, it stops at once; [`Server::stop`] lets answers end first.
pub struct Server {
    pub(crate) shared: Arc<Shared>,
    address: SocketAddr,
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
        let named = |address: SocketAddr| {
            move |error: io::Error| {
                io::Error::new(error.kind(), format!("cannot listen on {address}: {error}"))
            }
        };
        let listener = listen::listen(settings.address).map_err(named(settings.address))?;
        let controller = listen::listen(settings.control).map_err(named(settings.control))?;
        let (address, control) = (listener.local_addr()?, controller.local_addr()?);
        let providers = file.providers.into_iter().map(|specified| {
            let seed = settings.seed.unwrap_or(specified.seed);
            let fixed = (specified.name.into(), specified.dialect, specified.route, specified.text);
            let mut provider = Provider::new(fixed, (specified.upstream, specified.tokens), seed);
            provider.cost = specified.cost;
            provider
        });
        let connections = settings.limits.connections;
        let shared = Arc::new(Shared {
            providers: providers.collect(),
            clock: settings.clock,
            journal: Journal::default(),
            dates: Dates::default(),
            limits: Arc::new(settings.limits),
            hold: None.into(),
            connections: 0.into(),
            begun: watch::Sender::new(()),
            listening: watch::Sender::new(true),
            stop: watch::Sender::new(false),
        });
        let (for_clients, for_control) = (Arc::clone(&shared), Arc::clone(&shared));
        let clients =
            listen::accept(Arc::clone(&shared), listener, (true, connections), move |phase, request| {
                serve::answer(Arc::clone(&for_clients), phase, request)
            });
        let controllers = listen::accept(
            Arc::clone(&shared),
            controller,
            (false, MOST_CONTROLLERS),
            move |phase, request| control::answer(Arc::clone(&for_control), phase, request),
        );
        let tasks = vec![tokio::spawn(clients), tokio::spawn(controllers)];
        Ok(Self { shared, address, control, tasks })
    }

    /// Where clients ask for answers.
    pub fn address(&self) -> SocketAddr {
        self.address
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
use firedrill_line::Limits;
