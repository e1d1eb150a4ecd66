//! A gateway from its start to its end.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use firedrill_clock::{Clock, Real};
use firedrill_failover::{Command, Config, Instant, Worker, WorkerId};
use firedrill_store::{MemoryStore, Observer, Quiet, Shell, Store};

use crate::metrics::Metrics;
use crate::rehearsal::Rehearsal;
use crate::secret::Secrets;
use crate::settings::Settings;

/// A gateway that is running. Dropped, it stops at once and breaks off what is being answered; [`Gateway::stop`] lets it end.
pub struct Gateway {
    shell: Shell,
    metrics: Arc<Metrics>,
    address: SocketAddr,
    admin: Option<SocketAddr>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

/// How a gateway is started.
#[must_use = "it is not started yet"]
pub struct Builder<S = MemoryStore, O = Quiet> {
    settings: Settings,
    clock: Arc<dyn Clock>,
    store: S,
    observer: O,
    worker: Option<WorkerId>,
    seed: Option<u64>,
    rehearsal: Option<Arc<dyn Rehearsal>>,
}

/// Why a gateway could not be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// A token of the pool has no secret. Remedy: keep one for each.
    #[error("expected a secret for every token, found none for `{0}`")]
    NoSecret(String),
    /// A port could not be had. Remedy: another, or end who has it.
    #[error("cannot listen on {address}: {why}")]
    Port {
        /// Where.
        address: SocketAddr,
        /// Why not.
        why: io::Error,
    },
}

/// What a gateway is about just now.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct InFlight {
    /// Requests whose head has come and whose answer has not been taken whole.
    pub requests: usize,
    /// Those of them that wait for upstream: for the head of an answer, or for the next piece of its body.
    pub requests_waiting: usize,
    /// Probes that the log has, and whose answers have not been reported.
    pub probes: usize,
    /// Those of them that wait for upstream.
    pub probes_waiting: usize,
    /// Attempts and probes that were sent upstream since the gateway began.
    pub sent: u64,
}

impl<S: Store + 'static, O: Observer + 'static> Builder<S, O> {
    /// The time that it lives by. Default: real time.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Where its log is kept. Default: in memory.
    pub fn store<T: Store + 'static>(self, store: T) -> Builder<T, O> {
        let Self { settings, clock, observer, worker, seed, rehearsal, .. } = self;
        Builder { settings, clock, store, observer, worker, seed, rehearsal }
    }

    /// Who is told what enters the log.
    pub fn observer<T: Observer + 'static>(self, observer: T) -> Builder<S, T> {
        let Self { settings, clock, store, worker, seed, rehearsal, .. } = self;
        Builder { settings, clock, store, observer, worker, seed, rehearsal }
    }

    /// Who it is in the log: one that no other ever was. Default: made of the date and the number of the process.
    pub fn worker(mut self, worker: WorkerId) -> Self {
        self.worker = Some(worker);
        self
    }

    /// What chance derives from. Default: who it is in the log.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Who steers which tokens are drawn.
    pub fn rehearsal(mut self, rehearsal: impl Rehearsal) -> Self {
        self.rehearsal = Some(Arc::new(rehearsal));
        self
    }

    /// Starts it on the runtime that this is awaited in. When it comes back its ports are open.
    ///
    /// # Errors
    /// As [`StartError`] says.
    pub async fn start(self) -> Result<Gateway, StartError> {
        let Self { settings, clock, store, observer, worker, .. } = self;
        if let Some(label) = settings.secrets.lacks(&settings.pool) {
            return Err(StartError::NoSecret(label.to_owned()));
        }
        let listener = tokio::net::TcpListener::bind(settings.listen)
            .await
            .map_err(|why| StartError::Port { address: settings.listen, why })?;
        let address =
            listener.local_addr().map_err(|why| StartError::Port { address: settings.listen, why })?;
        let began = clock.now();
        let wall = Instant::from_millis(clock.wall().saturating_sub(settings.log_zero));
        let worker = Worker::new(worker.unwrap_or(WorkerId::new(1)), wall, &settings.pool);
        let uptime = move || clock.now().since(began);
        let (shell, driver) = Shell::new(store, worker, uptime, observer);
        shell.perform(Command::Join(settings.pool));
        let tasks = vec![tokio::spawn(driver.run())];
        let metrics = Arc::new(Metrics::default());
        Ok(Gateway { shell, metrics, address, admin: None, tasks })
    }
}

impl Gateway {
    /// How to start one.
    pub fn builder(settings: Settings) -> Builder {
        Builder {
            settings,
            clock: Arc::new(Real::start()),
            store: MemoryStore::new(),
            observer: Quiet,
            worker: None,
            seed: None,
            rehearsal: None,
        }
    }

    /// Where clients ask.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where its state is told, if it is.
    pub fn admin_address(&self) -> Option<SocketAddr> {
        self.admin
    }

    /// Its pool, and how it stands with its store.
    pub fn shell(&self) -> &Shell {
        &self.shell
    }

    /// What it has counted.
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    /// Has another configuration take effect, and sends its secrets from now on. Requests in flight keep theirs.
    ///
    /// # Errors
    /// [`StartError::NoSecret`], and then nothing has changed.
    pub fn reconfigure(&self, pool: Config, secrets: Secrets) -> Result<(), StartError> {
        if let Some(label) = secrets.lacks(&pool) {
            return Err(StartError::NoSecret(label.to_owned()));
        }
        self.shell.perform(Command::Reconfigure(pool));
        Ok(())
    }

    /// What it is about just now.
    pub fn in_flight(&self) -> InFlight {
        InFlight::default()
    }

    /// Waits until no request is in flight, every probe that was not answered waits for upstream, and all that was reported
    /// is settled and can be seen in [`Shell::look`]. While the store is away it never is.
    pub async fn idle(&self) {
        let _ = self.shell.settled().await;
    }

    /// As [`Gateway::idle`], but requests may be in flight that wait for upstream: what a virtual clock is moved after. What
    /// upstream has on its way is for upstream to tell: [`InFlight::sent`] is how often it was asked.
    pub async fn resting(&self) {
        let _ = self.shell.settled().await;
    }

    /// Takes no more connections, lets the answers that are being given end for as long as [`firedrill_line::Limits::grace`]
    /// grants, settles what was reported if the store can be reached, and stops.
    pub async fn stop(mut self) {
        let _ = self.shell.settled().await;
        self.tasks.clear();
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}
