//! The log of a rehearsal's gateways, in memory, with a gate before it: closed, each worker decides and appends only when it is
//! let, and hears no more than it may.
//!
//! It tells nobody anything that is not so. What it holds back, any store might.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use firedrill_failover::{Append, Appended, Entry, Fold, Founding, Head, Newer};
use firedrill_store::{MemoryStore, Store, StoreError};
use tokio::sync::watch;

/// The log, and the gate before it.
#[derive(Debug)]
pub(super) struct Gate {
    log: MemoryStore,
    state: Mutex<State>,
    changed: watch::Sender<()>,
}

#[derive(Debug, Default)]
struct State {
    closed: bool,
    /// While it is closed, so many appends may be heard.
    heard: usize,
    entries: Vec<Entry>,
    doors: Vec<Door>,
}

/// Where a worker is.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum At {
    /// On its way.
    #[default]
    Busy,
    /// It has a command, and would decide it.
    Deciding,
    /// It has decided, and would append.
    Appending,
    /// It has nothing to do, and listens.
    Resting,
}

/// The door of one worker.
#[derive(Copy, Clone, Debug, Default)]
struct Door {
    at: At,
    /// Whether it may decide the next command.
    turn: bool,
    /// Whether it may append until that command is done.
    pass: bool,
}

impl Gate {
    /// An empty log for so many workers, closed.
    pub(super) fn closed(workers: usize) -> Arc<Self> {
        let state = State { closed: true, doors: vec![Door::default(); workers], ..State::default() };
        Arc::new(Self { log: MemoryStore::new(), state: state.into(), changed: watch::Sender::new(()) })
    }

    /// The store for the worker that is the how-manieth, from 0.
    pub(super) fn door(self: &Arc<Self>, worker: usize) -> Through {
        self.change(|state| state.doors[worker] = Door::default());
        Through { gate: Arc::clone(self), worker }
    }

    /// From now on nobody decides, appends or hears anything unless it is let.
    pub(super) fn close(&self) {
        self.change(|state| (state.closed, state.heard) = (true, state.entries.len()));
    }

    /// From now on everybody does as they please.
    pub(super) fn open(&self) {
        self.change(|state| state.closed = false);
    }

    /// Lets everybody hear what was appended so far.
    pub(super) fn let_hear(&self) {
        self.change(|state| state.heard = state.entries.len());
    }

    /// Lets a worker decide its next command.
    pub(super) fn let_decide(&self, worker: usize) {
        self.change(|state| state.doors[worker].turn = true);
    }

    /// Lets a worker append, and decide and append again, until the command is done.
    pub(super) fn let_append(&self, worker: usize) {
        self.change(|state| state.doors[worker].pass = true);
    }

    /// Where a worker is, and whether it waits there to be let.
    pub(super) fn at(&self, worker: usize) -> At {
        self.state().doors[worker].at
    }

    /// Whether it is closed.
    pub(super) fn is_closed(&self) -> bool {
        self.state().closed
    }

    /// The newest append there is.
    pub(super) fn head(&self) -> Head {
        self.state().entries.last().map_or(Head::EMPTY, Entry::head)
    }

    /// The appends after the first `known`.
    pub(super) fn since(&self, known: usize) -> Vec<Entry> {
        self.state().entries[known..].to_vec()
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state());
        self.changed.send_replace(());
    }

    /// Nothing that is done under the lock can leave it half done.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// What a worker that has heard up to `after` may hear.
    fn newer(&self, after: Head) -> Newer {
        let known = usize::try_from(after.version.appends()).unwrap_or(usize::MAX);
        let most = if self.closed { self.heard } else { self.entries.len() };
        Newer::here(self.entries.get(known..most).unwrap_or_default().to_vec())
    }
}

/// The store of one worker.
#[derive(Debug)]
pub(super) struct Through {
    gate: Arc<Gate>,
    worker: usize,
}

impl Through {
    /// Waits at its door as `at` until it `may` go on.
    async fn wait(&self, at: At, may: impl Fn(&State, Door) -> bool) {
        let mut changed = self.gate.changed.subscribe();
        let here = Here(self);
        self.gate.state().doors[self.worker].at = at;
        loop {
            {
                let state = self.gate.state();
                if may(&state, state.doors[self.worker]) {
                    break;
                }
            }
            // The gate is there as long as its doors.
            let _ = changed.changed().await;
        }
        drop(here);
    }
}

/// A worker that waits at its door, until this is dropped.
struct Here<'a>(&'a Through);

impl Drop for Here<'_> {
    fn drop(&mut self) {
        let Through { gate, worker } = self.0;
        gate.state().doors[*worker].at = At::Busy;
    }
}

impl Store for Through {
    async fn append(&self, append: &Append) -> Result<Appended, StoreError> {
        self.wait(At::Appending, |state, door| !state.closed || door.pass).await;
        let appended = self.gate.log.append(append).await?;
        if appended == Appended::Accepted {
            self.gate.change(|state| {
                // The same again, because its reply was lost, is there already.
                if append.expected.version.appends() == state.entries.len() as u64 {
                    state.entries.push(append.clone().into_entry());
                }
            });
        }
        Ok(appended)
    }

    /// A worker that decides one by one asks before each command.
    async fn read(&self, after: Head) -> Result<Newer, StoreError> {
        self.gate.state().doors[self.worker].pass = false;
        self.wait(At::Deciding, |state, door| !state.closed || door.turn).await;
        let mut state = self.gate.state();
        state.doors[self.worker].turn = false;
        Ok(state.newer(after))
    }

    async fn tail(&self, after: Head) -> Result<Newer, StoreError> {
        self.gate.state().doors[self.worker].pass = false;
        self.wait(At::Resting, |state, _| !state.newer(after).is_empty()).await;
        Ok(self.gate.state().newer(after))
    }

    async fn snapshot(&self) -> Result<Option<Arc<Fold>>, StoreError> {
        self.gate.log.snapshot().await
    }

    async fn found(&self, founding: &Founding) -> Result<Appended, StoreError> {
        self.gate.log.found(founding).await
    }
}
