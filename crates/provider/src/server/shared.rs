//! What every connection shares: the providers, the clock, the journal and the limits.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use arc_swap::ArcSwapOption;
use firedrill_clock::Clock;
use firedrill_failover::Instant;
use firedrill_line::{Limits, Phase};
use tokio::sync::watch;

use crate::server::journal::{Entry, Journal};
use crate::server::provider::Provider;

/// Which requests are held.
pub(crate) type Hold = Box<dyn Fn(&Entry) -> bool + Send + Sync>;

/// A port of the mock.
pub(crate) struct Port {
    pub(crate) address: SocketAddr,
    /// Whether somebody listens just now.
    pub(crate) listening: watch::Sender<bool>,
}

pub(crate) struct Shared {
    pub(crate) providers: Vec<Provider>,
    /// Where the providers are. Each knows which is its.
    pub(crate) ports: Vec<Port>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) journal: Journal,
    pub(crate) limits: Arc<Limits>,
    /// Which requests are held until somebody answers them.
    pub(crate) hold: ArcSwapOption<Hold>,
    /// Connections of clients just now.
    pub(crate) connections: AtomicUsize,
    /// Told when a provider begins anew, so that whoever listens looks again.
    pub(crate) begun: watch::Sender<()>,
    /// Whether the server should stop.
    pub(crate) stop: watch::Sender<bool>,
}

/// A connection to a port. What belongs to a request refers to this, not to what all connections share: two threads that
/// count who refers to one thing wait for each other.
pub(crate) struct Connection {
    pub(crate) shared: Arc<Shared>,
    pub(crate) port: usize,
    pub(crate) phase: Phase,
}

impl Shared {
    /// From now on those are held that are so; those that are held already stay so.
    pub(crate) fn hold_those(&self, hold: Hold) {
        self.hold.store(Some(Arc::new(hold)));
    }

    /// Whether nobody listens on a port at `now`.
    pub(crate) fn is_refusing(&self, port: usize, now: Instant) -> bool {
        self.behind(port).any(|provider| provider.is_refusing(now))
    }

    /// When that may change next.
    pub(crate) fn next_change(&self, port: usize, now: Instant) -> Option<Instant> {
        self.behind(port).filter_map(|provider| provider.next_change(now)).min()
    }

    fn behind(&self, port: usize) -> impl Iterator<Item = &Provider> {
        self.providers.iter().filter(move |provider| provider.port == port)
    }

    /// Whether whoever listens has seen what time it is.
    pub(crate) fn is_settled(&self) -> bool {
        let now = self.clock.now();
        let settled =
            |(number, port): (usize, &Port)| *port.listening.borrow() != self.is_refusing(number, now);
        self.ports.iter().enumerate().all(settled)
    }

    /// Waits until whoever listens has seen what time it is.
    pub(crate) async fn settled(&self) {
        let all = async {
            for (number, port) in self.ports.iter().enumerate() {
                let should = |listens: &bool| *listens != self.is_refusing(number, self.clock.now());
                // Who listens is gone only when the server is.
                let _ = port.listening.subscribe().wait_for(should).await;
            }
        };
        // If a port cannot be had again there is nothing to wait for.
        let _ = tokio::time::timeout(std::time::Duration::from_secs(1), all).await;
    }

    /// Begins every provider anew, and the journal.
    pub(crate) async fn reset(&self) {
        for provider in &self.providers {
            // Without another block no name in it can be wrong.
            let _ = provider.begin(self.clock.now(), None);
        }
        self.journal.clear();
        self.begun.send_replace(());
        self.settled().await;
    }
}
