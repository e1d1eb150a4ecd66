//! What is counted. The request path calls the methods here; each is a few atomic additions and never waits.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use firedrill_failover::{Duration, Status};

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
    aborts: AtomicU64,
    retries: AtomicU64,
    tokens: Mutex<BTreeMap<Box<str>, Arc<TokenCounts>>>,
    loading: Mutex<Loading>,
}

/// What is counted of one token.
#[derive(Debug, Default)]
pub struct TokenCounts {
    attempts: AtomicU64,
}

impl Metrics {
    /// The counts of the token with this label, also if it was configured before. Takes a lock: for when a configuration takes
    /// effect, not for each request.
    pub fn token(&self, label: &str) -> Arc<TokenCounts> {
        let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(tokens.entry(label.into()).or_default())
    }

    /// A client's connection was accepted.
    pub fn connected(&self) {}

    /// It is over.
    pub fn disconnected(&self) {}

    /// A client was told that there is no room.
    pub fn turned_away(&self) {}

    /// The head of a request is there.
    pub fn began(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
    }

    /// It is answered `status`, `waited` after it began; by the gateway itself if `own`.
    pub fn answered(&self, status: u16, own: bool, waited: Duration) {
        let _ = (status, own, waited);
        self.answers.fetch_add(1, Ordering::Relaxed);
    }

    /// Its client went away before it was answered.
    pub fn aborted(&self) {
        self.aborts.fetch_add(1, Ordering::Relaxed);
    }

    /// A token was drawn for an attempt.
    pub fn drawn(&self, token: &TokenCounts, fallback: bool, retry: bool) {
        let _ = fallback;
        self.retries.fetch_add(u64::from(retry), Ordering::Relaxed);
        token.attempts.fetch_add(1, Ordering::Relaxed);
    }

    /// The head of an answer came from upstream, or none: how the attempt is reported to the engine.
    pub fn came(&self, token: &TokenCounts, status: Status, lost: Option<Lost>, waited: Duration) {
        let _ = (token, status, lost, waited);
    }

    /// The body of an answer that had begun as a success was lost.
    pub fn broke_off(&self, token: &TokenCounts, lost: Lost) {
        let _ = (token, lost);
    }

    /// A probe was sent.
    pub fn probed(&self) {}

    /// It came to this.
    pub fn probe_came(&self, answer: Status) {
        let _ = answer;
    }

    /// Requests that began.
    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// Requests that were answered, with whatever status.
    pub fn answers(&self) -> u64 {
        self.answers.load(Ordering::Relaxed)
    }

    /// Requests whose client went away before they were answered.
    pub fn aborts(&self) -> u64 {
        self.aborts.load(Ordering::Relaxed)
    }

    /// Attempts after the first of a request.
    pub fn retries(&self) -> u64 {
        self.retries.load(Ordering::Relaxed)
    }
}

impl TokenCounts {
    /// How often it was drawn.
    pub fn attempts(&self) -> u64 {
        self.attempts.load(Ordering::Relaxed)
    }
}

/// When the configuration was read, and what came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Loading {
    /// When the one in force was read, in milliseconds since the Unix epoch; 0 if it was given at the start.
    pub loaded: u64,
    /// How often it was read again and taken on.
    pub reloads: u64,
    /// How often it was read again and refused.
    pub refusals: u64,
    /// When the last reading was refused, and why; `None` if the last one was not.
    pub refused: Option<(u64, String)>,
}

impl Metrics {
    /// The configuration was read at `at`, and has taken effect.
    pub fn loaded(&self, at: u64) {
        let mut loading = self.loading.lock().unwrap_or_else(PoisonError::into_inner);
        *loading = Loading { loaded: at, reloads: loading.reloads + 1, refused: None, ..*loading };
    }

    /// The configuration was read at `at`, and refused.
    pub fn refused(&self, at: u64, why: &str) {
        let mut loading = self.loading.lock().unwrap_or_else(PoisonError::into_inner);
        loading.refusals += 1;
        loading.refused = Some((at, why.to_owned()));
    }

    /// What came of reading the configuration.
    pub fn loading(&self) -> Loading {
        self.loading.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
