//! What is in flight: requests and probes, counted, so that whoever moves a virtual clock knows when nothing more can happen.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst};

use tokio::sync::Notify;

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
    /// Answers that nobody wants, and that are read so that their connections can be used again.
    pub draining: usize,
    /// Attempts and probes that were sent upstream since the gateway began.
    pub sent: u64,
}

/// The counts behind an [`InFlight`].
#[derive(Debug, Default)]
pub(crate) struct Flight {
    requests: Count,
    probes: Count,
    draining: AtomicUsize,
    sent: AtomicU64,
    /// How many want to be told of changes: without any nobody is.
    watchers: AtomicUsize,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Count {
    all: AtomicUsize,
    waiting: AtomicUsize,
}

/// Which of the two counts.
#[derive(Copy, Clone, Debug)]
pub(crate) enum Kind {
    Request,
    Probe,
}

impl Flight {
    fn of(&self, kind: Kind) -> &Count {
        match kind {
            Kind::Request => &self.requests,
            Kind::Probe => &self.probes,
        }
    }

    pub(crate) fn begin(&self, kind: Kind) {
        self.of(kind).all.fetch_add(1, SeqCst);
    }

    pub(crate) fn end(&self, kind: Kind) {
        self.of(kind).all.fetch_sub(1, SeqCst);
        self.tell();
    }

    /// Counts an answer that nobody wants, until what this gives is dropped.
    pub(crate) fn drain(self: &Arc<Self>) -> Draining {
        self.draining.fetch_add(1, SeqCst);
        Draining(Arc::clone(self))
    }

    /// Something is sent upstream.
    pub(crate) fn send(&self) {
        self.sent.fetch_add(1, SeqCst);
    }

    /// Counts one that waits for upstream, until what this gives is dropped.
    pub(crate) fn wait(&self, kind: Kind) -> Waiting<'_> {
        self.begin_to_wait(kind);
        Waiting { flight: self, kind }
    }

    pub(crate) fn begin_to_wait(&self, kind: Kind) {
        self.of(kind).waiting.fetch_add(1, SeqCst);
        self.tell();
    }

    pub(crate) fn end_to_wait(&self, kind: Kind) {
        self.of(kind).waiting.fetch_sub(1, SeqCst);
    }

    fn tell(&self) {
        if self.watchers.load(SeqCst) > 0 {
            self.changed.notify_waiters();
        }
    }

    pub(crate) fn now(&self) -> InFlight {
        InFlight {
            requests: self.requests.all.load(SeqCst),
            requests_waiting: self.requests.waiting.load(SeqCst),
            probes: self.probes.all.load(SeqCst),
            probes_waiting: self.probes.waiting.load(SeqCst),
            draining: self.draining.load(SeqCst),
            sent: self.sent.load(SeqCst),
        }
    }

    /// Waits until what is in flight is `such`.
    pub(crate) async fn until(&self, such: impl Fn(&InFlight) -> bool) {
        self.watchers.fetch_add(1, SeqCst);
        let _watching = Watching(self);
        loop {
            let changed = self.changed.notified();
            if such(&self.now()) {
                return;
            }
            changed.await;
        }
    }
}

struct Watching<'a>(&'a Flight);

impl Drop for Watching<'_> {
    fn drop(&mut self) {
        self.0.watchers.fetch_sub(1, SeqCst);
    }
}

/// An answer that nobody wants.
pub(crate) struct Draining(Arc<Flight>);

impl Drop for Draining {
    fn drop(&mut self) {
        self.0.draining.fetch_sub(1, SeqCst);
    }
}

/// One that waits for upstream.
pub(crate) struct Waiting<'a> {
    flight: &'a Flight,
    kind: Kind,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.flight.end_to_wait(self.kind);
    }
}
