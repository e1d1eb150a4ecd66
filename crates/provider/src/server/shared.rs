//! What every connection shares: the providers, the clock, the journal and the limits.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use firedrill_failover::Instant;
use tokio::sync::watch;

use crate::server::journal::Journal;
use crate::server::provider::Provider;
use firedrill_clock::Clock;
use firedrill_line::Limits;

pub(crate) struct Shared {
    pub(crate) providers: Vec<Provider>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) journal: Journal,
    pub(crate) limits: Arc<Limits>,
    /// Connections of clients just now.
    pub(crate) connections: AtomicUsize,
    /// Told when a provider begins anew, so that whoever listens looks again.
    pub(crate) begun: watch::Sender<()>,
    /// Whether somebody listens just now.
    pub(crate) listening: watch::Sender<bool>,
    /// Whether the server should stop.
    pub(crate) stop: watch::Sender<bool>,
}

impl Shared {
    /// Whether nobody listens at `now`.
    pub(crate) fn is_refusing(&self, now: Instant) -> bool {
        self.providers.iter().any(|provider| provider.is_refusing(now))
    }

    /// When that may change next.
    pub(crate) fn next_change(&self, now: Instant) -> Option<Instant> {
        self.providers.iter().filter_map(|provider| provider.next_change(now)).min()
    }

    /// Waits until whoever listens has seen what time it is.
    pub(crate) async fn settled(&self) {
        let mut listening = self.listening.subscribe();
        let should = |listens: &bool| *listens != self.is_refusing(self.clock.now());
        // If the port cannot be had again there is nothing to wait for.
        let _ = tokio::time::timeout(std::time::Duration::from_secs(1), listening.wait_for(should)).await;
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
