//! The fold of a log: the pool that came of it, and what tells this log from every other.

use alloc::collections::BTreeMap;

use crate::admit::Contradiction;
use crate::config::Config;
use crate::event::{Entry, Head, Version, WorkerId};
use crate::pool::Pool;
use crate::time::Instant;

/// How many workers' last proposals are remembered. Of more, those that have not appended for longest are forgotten:
/// only a worker that slept through the appends of so many others could be mistaken.
pub const WORKERS_REMEMBERED: usize = 1024;

/// A log that is founded anew begins so many versions after what its founder had heard.
const FOUNDED_AHEAD: u64 = 1 << 20;

/// All that a log comes to: what a worker holds of it, and what a snapshot says in place of the appends before it.
///
/// Two folds of one log up to one version are equal, however they came about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fold {
    pub(crate) pool: Pool,
    /// Who made the newest append, and its number; nobody and 0 for the empty log.
    pub(crate) by: WorkerId,
    pub(crate) proposal: u64,
    pub(crate) proposals: BTreeMap<WorkerId, Proposed>,
}

/// The last proposal of a worker that the log accepted.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) struct Proposed {
    pub(crate) proposal: u64,
    /// The version that it made.
    pub(crate) version: Version,
}

impl Fold {
    /// The fold of the empty log, with the pool of `config` before anything has happened.
    pub fn new(config: &Config) -> Self {
        let Head { by, proposal, .. } = Head::EMPTY;
        Self { pool: Pool::new(config), by, proposal, proposals: BTreeMap::new() }
    }

    /// The pool.
    pub fn pool(&self) -> &Pool {
        &self.pool
    }

    /// The newest append that was folded.
    pub fn head(&self) -> Head {
        Head { version: self.pool.version(), by: self.by, proposal: self.proposal }
    }

    /// The number of the last proposal of `worker` that is in the log; 0 if none is, or it is forgotten
    /// ([`WORKERS_REMEMBERED`]).
    pub fn proposal_of(&self, worker: WorkerId) -> u64 {
        self.proposals.get(&worker).map_or(0, |last| last.proposal)
    }

    /// Folds the next append.
    ///
    /// # Panics
    /// As [`Pool::apply`].
    pub fn apply(&mut self, entry: &Entry) {
        self.pool.apply(entry);
        self.remember(entry.version, entry.by, entry.proposal);
    }

    /// Folds an append that may be wrong, as [`Pool::try_apply`] does. On an error the fold is good for nothing but
    /// showing where the log went wrong.
    ///
    /// # Errors
    /// The first contradiction, with the number of its event, from 0.
    pub fn try_apply(&mut self, entry: &Entry) -> Result<(), (usize, Contradiction)> {
        self.pool.try_apply(entry)?;
        self.remember(entry.version, entry.by, entry.proposal);
        Ok(())
    }

    /// The same state as the beginning of another log, so many versions on (`FOUNDED_AHEAD`) that no worker has heard as
    /// many of the log that is gone: a worker that had heard more than this fold follows the new log, and does not take it
    /// for one that was cut.
    pub(crate) fn founded_anew(&self, at: Instant, by: WorkerId, proposal: u64) -> Self {
        let mut fold = self.clone();
        let version = Version::new(fold.pool.version().appends() + FOUNDED_AHEAD);
        fold.pool.move_on(version, at);
        fold.remember(version, by, proposal);
        fold
    }

    fn remember(&mut self, version: Version, by: WorkerId, proposal: u64) {
        (self.by, self.proposal) = (by, proposal);
        let new = self.proposals.insert(by, Proposed { proposal, version }).is_none();
        if new && self.proposals.len() > WORKERS_REMEMBERED {
            let oldest =
                self.proposals.iter().min_by_key(|(_, last)| last.version).map(|(worker, _)| *worker);
            if let Some(worker) = oldest {
                self.proposals.remove(&worker);
            }
        }
    }
}
