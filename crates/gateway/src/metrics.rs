//! What is counted. The request path calls the methods here; each is a few atomic additions and never waits.

mod loading;
mod page;
mod times;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use firedrill_failover::{Duration, Status};

pub use loading::Loading;
pub(crate) use page::{CONTENT_TYPE, page};
use times::Times;

/// An attempt that no answer came of: it was lost below HTTP.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lost {
    /// Upstream could not be connected to.
    Connect,
    /// The head of an answer, or the next piece of its body, did not come in time.
    Timeout,
    /// The connection broke, or what came on it was not HTTP.
    Reset,
}

/// What is counted. Every request that began is answered or aborted once, or still open.
#[derive(Debug, Default)]
pub struct Metrics {
    requests: AtomicU64,
    answers: AtomicU64,
    /// By the class of their status: those of upstream, and the gateway's own.
    classes: [Classes; 2],
    aborts: AtomicU64,
    retries: AtomicU64,
    fallbacks: AtomicU64,
    sent_again: AtomicU64,
    connections: AtomicU64,
    disconnections: AtomicU64,
    turned_away: AtomicU64,
    probes_sent: AtomicU64,
    probes: Classes,
    request_times: Times,
    attempt_times: Times,
    tokens: Mutex<BTreeMap<Box<str>, Arc<TokenCounts>>>,
    loading: Mutex<Loading>,
}

/// What is counted of one token.
#[derive(Debug, Default)]
pub struct TokenCounts {
    label: Box<str>,
    attempts: AtomicU64,
    came: Classes,
    broke_off: [AtomicU64; 2],
}

/// Counts by what came: a class of statuses, or the name of a failure below HTTP. 429 has a count of its own.
#[derive(Debug, Default)]
struct Classes([AtomicU64; CLASSES.len()]);

const CLASSES: [&str; 9] = ["1xx", "2xx", "3xx", "4xx", "429", "5xx", "connect", "timeout", "reset"];

impl Classes {
    fn add(&self, status: Status) {
        let class = status.name().unwrap_or(match status.code() {
            429 => "429",
            100..=199 => "1xx",
            200..=299 => "2xx",
            300..=399 => "3xx",
            400..=499 => "4xx",
            _ => "5xx",
        });
        if let Some(at) = CLASSES.iter().position(|known| *known == class) {
            self.0[at].fetch_add(1, Relaxed);
        }
    }

    /// Those of which there were any, each with its name.
    fn counts(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        let all = CLASSES.iter().zip(&self.0).map(|(class, count)| (*class, count.load(Relaxed)));
        all.filter(|(_, count)| *count > 0)
    }
}

impl Metrics {
    /// The counts of the token with this label, also if it was configured before. Takes a lock: for when a configuration takes
    /// effect, not for each request.
    pub fn token(&self, label: &str) -> Arc<TokenCounts> {
        let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        let counts = || Arc::new(TokenCounts { label: label.into(), ..TokenCounts::default() });
        Arc::clone(tokens.entry(label.into()).or_insert_with(counts))
    }

    /// A client's connection was accepted.
    pub fn connected(&self) {
        self.connections.fetch_add(1, Relaxed);
    }

    /// It is over.
    pub fn disconnected(&self) {
        self.disconnections.fetch_add(1, Relaxed);
    }

    /// A client was told that there is no room.
    pub fn turned_away(&self) {
        self.turned_away.fetch_add(1, Relaxed);
    }

    /// The head of a request is there.
    pub fn began(&self) {
        self.requests.fetch_add(1, Relaxed);
    }

    /// It is answered `status`, `waited` after it began; by the gateway itself if `own`.
    pub fn answered(&self, status: u16, own: bool, waited: Duration) {
        self.answers.fetch_add(1, Relaxed);
        if let Some(status) = Status::new(status) {
            self.classes[usize::from(own)].add(status);
        }
        self.request_times.add(waited);
        let ms = waited.as_millis();
        tracing::debug!(target: "firedrill", status, own, ms, "request answered");
    }

    /// Its client went away before it was answered.
    pub fn aborted(&self) {
        self.aborts.fetch_add(1, Relaxed);
    }

    /// A token was drawn for an attempt.
    pub fn drawn(&self, token: &TokenCounts, fallback: bool, retry: bool) {
        self.fallbacks.fetch_add(u64::from(fallback), Relaxed);
        self.retries.fetch_add(u64::from(retry), Relaxed);
        token.attempts.fetch_add(1, Relaxed);
    }

    /// An attempt or a probe is sent again, for the kept connection that it was sent on was over.
    pub fn sent_again(&self) {
        self.sent_again.fetch_add(1, Relaxed);
        tracing::debug!(target: "firedrill", "the connection was over, sent again on a new one");
    }

    /// The head of an answer came from upstream, or none: how the attempt is reported to the engine.
    pub fn came(&self, token: &TokenCounts, status: Status, lost: Option<Lost>, waited: Duration) {
        token.came.add(status);
        self.attempt_times.add(waited);
        let (token, ms, lost) = (&*token.label, waited.as_millis(), lost.is_some());
        tracing::debug!(target: "firedrill", token, ms, lost, "attempt answered {status}");
    }

    /// The body of an answer that had begun as a success was lost.
    pub fn broke_off(&self, token: &TokenCounts, lost: Lost) {
        token.broke_off[usize::from(lost != Lost::Timeout)].fetch_add(1, Relaxed);
        tracing::debug!(target: "firedrill", token = &*token.label, "answer broke off: {lost:?}");
        let _ = self;
    }

    /// A probe was sent.
    pub fn probed(&self) {
        self.probes_sent.fetch_add(1, Relaxed);
    }

    /// It came to this.
    pub fn probe_came(&self, answer: Status) {
        self.probes.add(answer);
    }

    /// Requests that began.
    pub fn requests(&self) -> u64 {
        self.requests.load(Relaxed)
    }

    /// Requests that were answered, with whatever status.
    pub fn answers(&self) -> u64 {
        self.answers.load(Relaxed)
    }

    /// Requests whose client went away before they were answered.
    pub fn aborts(&self) -> u64 {
        self.aborts.load(Relaxed)
    }

    /// Attempts after the first of a request.
    pub fn retries(&self) -> u64 {
        self.retries.load(Relaxed)
    }
}

impl TokenCounts {
    /// How often it was drawn.
    pub fn attempts(&self) -> u64 {
        self.attempts.load(Relaxed)
    }
}
