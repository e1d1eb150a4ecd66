//! How a worker stands with its store, for a state page and metrics.

use firedrill_failover::{Duration, Head};

/// How a worker stands with its store. Counts are of its whole life.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Whether the store can be reached.
    pub reach: Reach,
    /// The newest append that the worker has heard.
    pub head: Head,
    /// Commands that are neither in the log nor known to change nothing. While the store is away: those that it is to
    /// decide again.
    pub waiting: usize,
    /// Appends that were accepted.
    pub appends: u64,
    /// Appends that were refused because the log had moved on, and decided again.
    pub conflicts: u64,
    /// How often the store was away.
    pub outages: u64,
    /// How often this worker founded anew a log that was wiped or cut.
    pub founded_anew: u64,
    /// How often another log than the one it had heard was followed: one founded anew by another worker, or one of which
    /// the next appends were trimmed off.
    pub started_over: u64,
    /// Why a command was last given up: the store refused it for good. `None` if none was.
    pub given_up: Option<String>,
}

/// Whether the store can be reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Nothing was heard of it yet.
    Beginning,
    /// It answers.
    Connected,
    /// It does not answer: the worker decides alone.
    Away {
        /// Since this uptime of the worker.
        since: Duration,
        /// What it said last.
        why: String,
    },
}

impl Standing {
    pub(super) fn new() -> Self {
        Self {
            reach: Reach::Beginning,
            head: Head::EMPTY,
            waiting: 0,
            appends: 0,
            conflicts: 0,
            outages: 0,
            founded_anew: 0,
            started_over: 0,
            given_up: None,
        }
    }
}
