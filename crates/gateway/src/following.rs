//! What the gateway does itself about what enters the log: it hears of probes to send, and of when a tick is needed.

use std::sync::Arc;

use firedrill_failover::{
    Config, Duration, Entry, Event, Fingerprint, Founding, Newer, Pool, Start, TokenId, WorkerId,
};
use firedrill_store::Observer;
use tokio::sync::{mpsc, watch};

use crate::flight::{Flight, Kind};

/// A probe that this worker sends.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Probe {
    pub(crate) token: TokenId,
    pub(crate) number: u64,
    /// Finds the secret.
    pub(crate) fingerprint: Fingerprint,
}

/// When ticks are needed.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) struct Beat {
    /// Between two of them.
    pub(crate) interval: Duration,
    /// Whether one could change anything, as far as the log has been heard.
    pub(crate) needed: bool,
}

/// Folds what it is told, and tells another observer.
pub(crate) struct Following<O> {
    inner: O,
    worker: WorkerId,
    founded: Config,
    /// `None` if what was told does not follow from what was told before; until the log is told from a start.
    pool: Option<Pool>,
    probes: mpsc::UnboundedSender<Probe>,
    beat: watch::Sender<Option<Beat>>,
    flight: Arc<Flight>,
}

impl<O> Following<O> {
    pub(crate) fn new(
        inner: O,
        worker: WorkerId,
        founded: &Config,
        flight: Arc<Flight>,
    ) -> (Self, mpsc::UnboundedReceiver<Probe>, watch::Receiver<Option<Beat>>) {
        let (probes, to_send) = mpsc::unbounded_channel();
        let pool = Pool::new(founded);
        let (beat, beats) = watch::channel(beat(&pool, worker));
        let (founded, pool) = (founded.clone(), Some(pool));
        (Self { inner, worker, founded, pool, probes, beat, flight }, to_send, beats)
    }

    fn fold(&mut self, entry: &Entry) {
        self.pool = self.pool.take().and_then(|mut pool| pool.try_apply(entry).is_ok().then_some(pool));
    }

    /// Without a pool every tick may be needed.
    fn tell(&self) {
        let now = match &self.pool {
            Some(pool) => beat(pool, self.worker),
            None => self.beat.borrow().map(|beat| Beat { needed: true, ..beat }),
        };
        self.beat.send_if_modified(|told| std::mem::replace(told, now) != now);
    }
}

/// `None` if failover is off.
fn beat(pool: &Pool, worker: WorkerId) -> Option<Beat> {
    let interval = pool.policy().failover()?.health_check_interval();
    Some(Beat { interval, needed: pool.next_deadline(worker).is_some() })
}

impl<O: Observer> Observer for Following<O> {
    fn accepted(&mut self, entry: &Entry) {
        self.fold(entry);
        for event in &entry.events {
            let Event::ProbeSent { token, probe } = *event else { continue };
            let Some(known) = self.pool.as_ref().and_then(|pool| pool.token(token)) else { continue };
            let probe = Probe { token, number: probe, fingerprint: known.fingerprint };
            // Counted before anybody can hear that the append is settled.
            self.flight.begin(Kind::Probe);
            if self.probes.send(probe).is_err() {
                self.flight.end(Kind::Probe);
            }
        }
        self.inner.accepted(entry);
        self.tell();
    }

    fn heard(&mut self, newer: &Newer) {
        match &newer.start {
            Start::Here => {}
            Start::Beginning => self.pool = Some(Pool::new(&self.founded)),
            Start::Snapshot(fold) => self.pool = Some(fold.pool().clone()),
        }
        for entry in &newer.entries {
            self.fold(entry);
        }
        self.inner.heard(newer);
        self.tell();
    }

    fn founded_anew(&mut self, founding: &Founding) {
        self.pool = Some(founding.fold.pool().clone());
        self.inner.founded_anew(founding);
        self.tell();
    }

    fn decided_alone(&mut self, before: &Pool, entry: &Entry) {
        self.inner.decided_alone(before, entry);
    }
}
