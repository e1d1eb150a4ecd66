//! A gateway from its start to its end.

use std::hash::{BuildHasher, RandomState};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use arc_swap::{ArcSwap, ArcSwapOption};
use firedrill_clock::{Clock, Real};
use firedrill_failover::{Command, Config, Duration, Instant, Worker, WorkerId};
use firedrill_store::{MemoryStore, Observer, Quiet, Shell, Store};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::task::{AbortHandle, JoinHandle};

use crate::admin::{self, Admin};
use crate::flight::{Flight, InFlight};
use crate::following::Following;
use crate::metrics::Metrics;
use crate::rehearsal::Rehearsal;
use crate::secret::Secrets;
use crate::settings::Settings;
use crate::shared::{Chance, Credentials, Shared};
use crate::telling::{self, Story, Telling};
use crate::{probing, proxy, ticking, upstream};

/// A gateway that is running. Dropped, it stops at once and breaks off what is being answered; [`Gateway::stop`] lets it end.
pub struct Gateway {
    shared: Arc<Shared>,
    address: SocketAddr,
    admin: Option<SocketAddr>,
    /// Ends when it was asked to stop and its clients have their answers.
    serving: JoinHandle<()>,
    others: Vec<AbortHandle>,
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
    /// An authority's certificate is of no use. Remedy: as it says.
    #[error("cannot trust a certificate: {0}")]
    Root(rustls::Error),
    /// Others reach the admin. Remedy: a token for it, or an address of this machine alone.
    #[error("expected a token that guards the admin at {0}, found none")]
    Unguarded(SocketAddr),
    /// A port could not be had. Remedy: another, or end who has it.
    #[error("cannot listen on {address}: {why}")]
    Port {
        /// Where.
        address: SocketAddr,
        /// Why not.
        why: io::Error,
    },
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

    /// Who it is in the log: one that no other ever was. Default: by chance.
    pub fn worker(mut self, worker: WorkerId) -> Self {
        self.worker = Some(worker);
        self
    }

    /// What chance derives from. Default: who it is in the log.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Who steers which tokens are drawn, and when what is done.
    pub fn rehearsal(mut self, rehearsal: impl Rehearsal) -> Self {
        self.rehearsal = Some(Arc::new(rehearsal));
        self
    }

    /// Starts it on the runtime that this is awaited in. When it comes back its port is open; it serves at once, from its own
    /// configuration until the log is heard.
    ///
    /// # Errors
    /// As [`StartError`] says.
    #[expect(clippy::unused_async, reason = "it needs a runtime, and this says so")]
    pub async fn start(self) -> Result<Gateway, StartError> {
        let Self { settings, clock, store, observer, worker, seed, rehearsal } = self;
        if let Some(label) = settings.secrets.lacks(&settings.pool) {
            return Err(StartError::NoSecret(label.to_owned()));
        }
        let client = upstream::client(&settings.roots, &settings.upstream).map_err(StartError::Root)?;
        if let Some(admin) = settings.admin
            && !admin.ip().is_loopback()
            && settings.admin_token.is_none()
        {
            return Err(StartError::Unguarded(admin));
        }
        let (listener, address) = listen(settings.listen)?;
        let admin = settings.admin.map(listen).transpose()?;
        let wall = clock.wall();
        let id = worker.unwrap_or_else(|| WorkerId::new(stranger(wall)));
        let flight = Arc::new(Flight::default());
        let story = admin.is_some().then(|| Arc::new(Story::new()));
        let observer = Telling::new(observer, &settings.pool, story.clone());
        let (observer, probes, beats) = Following::new(observer, id, &settings.pool, Arc::clone(&flight));
        let began = clock.now();
        let uptime = {
            let clock = Arc::clone(&clock);
            move || clock.now().since(began)
        };
        let log_time = Instant::from_millis(wall.saturating_sub(settings.log_zero));
        let store = Arc::new(store);
        let remembered = (Arc::clone(&store), settings.pool.clone());
        let (shell, driver) = Shell::new(store, Worker::new(id, log_time, &settings.pool), uptime, observer);
        shell.perform(Command::Join(settings.pool));
        let metrics = Arc::new(Metrics::default());
        let (rehearsed, ticks) = (rehearsal.is_some(), rehearsal.clone());
        let shared = Arc::new(Shared {
            credentials: ArcSwap::from_pointee(Credentials::new(settings.secrets, settings.vendor, &metrics)),
            shell: shell.clone(),
            client,
            route: settings.upstream,
            vendor: settings.vendor,
            probe_path: settings.probe_path,
            timeout: settings.timeout.as_millis().into(),
            clock: Arc::clone(&clock),
            limits: Arc::new(settings.limits),
            metrics,
            flight,
            rehearsal,
            last_good: ArcSwapOption::empty(),
            chance: Chance::new(seed.unwrap_or(id.number())),
            stop: watch::Sender::new(false),
        });
        let mut others = vec![
            tokio::spawn(telling::standing(shell.clone())).abort_handle(),
            tokio::spawn(if rehearsed { driver.one_by_one() } else { driver }.run()).abort_handle(),
            tokio::spawn(probing::probe(Arc::clone(&shared), probes)).abort_handle(),
            tokio::spawn(ticking::tick(shell, clock, ticks, beats)).abort_handle(),
        ];
        let admin_address = admin.as_ref().map(|(_, address)| *address);
        if let (Some((listener, _)), Some(story)) = (admin, story) {
            let token = settings.admin_token;
            let shared = Arc::clone(&shared);
            let streams = Arc::new(Semaphore::new(Admin::STREAMS));
            let (store, configured) = remembered;
            let remember = telling::remember(store, Arc::clone(&story), shared.shell.clone(), configured);
            others.push(tokio::spawn(remember).abort_handle());
            let admin = Admin { shared, story, worker: id, token, log_zero: settings.log_zero, streams };
            others.push(tokio::spawn(admin::serve(Arc::new(admin), listener)).abort_handle());
        }
        let serving = tokio::spawn(proxy::accept(Arc::clone(&shared), listener));
        Ok(Gateway { shared, address, admin: admin_address, serving, others })
    }
}

fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), StartError> {
    let listening = firedrill_line::listen(address).and_then(|listener| {
        let address = listener.local_addr()?;
        Ok((listener, address))
    });
    listening.map_err(|why| StartError::Port { address, why })
}

/// A number that no other process has, most likely: two may begin at one moment with one number, in containers of their own.
fn stranger(wall: u64) -> u64 {
    // What is more than 53 bits is not the same number to everybody who reads JSON.
    RandomState::new().hash_one((wall, std::process::id())) >> 11
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
        &self.shared.shell
    }

    /// What it has counted.
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.shared.metrics
    }

    /// Has another configuration take effect, and sends its secrets from now on. Requests in flight keep theirs. What is not in
    /// it any more is sent only for as long as the pool draws nothing else; [`Shell::settled`] tells when it has taken effect.
    ///
    /// # Errors
    /// [`StartError::NoSecret`], and then nothing has changed.
    pub fn reconfigure(&self, pool: Config, secrets: Secrets) -> Result<(), StartError> {
        if let Some(label) = secrets.lacks(&pool) {
            return Err(StartError::NoSecret(label.to_owned()));
        }
        let shared = &self.shared;
        let fresh = Credentials::new(secrets, shared.vendor, &shared.metrics);
        let former = shared.credentials.load();
        let fresh = Arc::new(fresh.after(&former));
        shared.credentials.store(Arc::clone(&fresh));
        shared.shell.perform(Command::Reconfigure(pool));
        let shared = Arc::clone(shared);
        tokio::spawn(async move {
            if shared.shell.settled().await.is_ok() {
                // Unless another took its place meanwhile.
                shared.credentials.compare_and_swap(&fresh, Arc::new(fresh.alone()));
            }
        });
        Ok(())
    }

    /// How long upstream may take from now on, as [`Settings::timeout`] says it.
    pub fn set_timeout(&self, timeout: Duration) {
        self.shared.timeout.store(timeout.as_millis(), Ordering::Relaxed);
    }

    /// What it is about just now.
    pub fn in_flight(&self) -> InFlight {
        self.shared.flight.now()
    }

    /// Waits until no request is in flight, every probe that was not answered waits for upstream, and all that was reported
    /// is settled and can be seen in [`Shell::look`]. While the store is away it never is.
    pub async fn idle(&self) {
        self.at_rest(|flight| flight.requests == 0 && flight.probes == flight.probes_waiting).await;
    }

    /// As [`Gateway::idle`], but requests may be in flight that wait for upstream: what a virtual clock is moved after. What
    /// upstream has on its way is for upstream to tell: [`InFlight::sent`] is how often it was asked.
    pub async fn resting(&self) {
        let rests = |flight: &InFlight| {
            flight.requests == flight.requests_waiting && flight.probes == flight.probes_waiting
        };
        self.at_rest(rests).await;
    }

    async fn at_rest(&self, such: impl Fn(&InFlight) -> bool) {
        loop {
            self.shared.flight.until(&such).await;
            let before = self.in_flight();
            // Without a driver nothing will ever change.
            if self.shared.shell.settled().await.is_err() || self.in_flight() == before {
                return;
            }
        }
    }

    /// Takes no more connections, lets the answers that are being given end for as long as [`firedrill_line::Limits::grace`]
    /// grants, settles what was reported if the store can be reached, and stops.
    pub async fn stop(mut self) {
        self.shared.stop.send_replace(true);
        // It ends well, or has been broken off: then it is over as well.
        let _ = (&mut self.serving).await;
        let _ = tokio::time::timeout(self.shared.limits.grace, self.shared.shell.settled()).await;
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.serving.abort();
        for task in &self.others {
            task.abort();
        }
    }
}
