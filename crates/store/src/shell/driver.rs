//! The task that drives a worker: it sends what is queued to the store, and hears what is newer.
//!
//! **Architecture invariant:** only this file waits for the store. What comes of an answer is in `deciding.rs`.

use std::future::Future;
use std::ops::ControlFlow;
use std::pin::pin;
use std::sync::Arc;
use std::time;

use firedrill_failover::{Appended, Duration, Entry, Founding, Newer, Pool, Start, Worker};
use tokio::sync::mpsc;

use super::deciding::{Core, Sent};
use super::{Item, Shared};
use crate::store::{Store, StoreError};

/// So many items are taken from the queue at once.
const AT_ONCE: usize = 1_024;

/// A store that has not answered for this long is away. It is asked again, and given twice as long.
const PATIENCE: time::Duration = time::Duration::from_secs(2);

/// It is given at most this long.
const MOST_PATIENCE: time::Duration = time::Duration::from_secs(64);

/// Who is told what enters the log. Called on the driver's task, which waits for it. What it is told is in the order of the
/// log, and each append is told once.
pub trait Observer: Send {
    /// This worker appended it. Whoever performs what a worker decides sends a probe now for every
    /// [`firedrill_failover::Event::ProbeSent`] in it. Of an append whose reply was lost together with its log this may not be
    /// told: what it says is in the fold all the same.
    fn accepted(&mut self, entry: &Entry);

    /// Others appended it. Where it does not start at what was heard before, it is in place of that.
    fn heard(&mut self, newer: &Newer);

    /// The log was founded anew from this worker's fold.
    fn founded_anew(&mut self, founding: &Founding);

    /// The store is away, and the worker decides alone, for as long as that lasts: this, on what `before` is. It is told when it
    /// is decided, once an outage; nothing of it is in the log, and its version is none of the log's. When the store is back
    /// it is decided again, and what then comes of it is told as all else. Nobody need care.
    fn decided_alone(&mut self, before: &Pool, entry: &Entry) {
        let _ = (before, entry);
    }
}

/// An observer that does nothing.
#[derive(Copy, Clone, Debug, Default)]
pub struct Quiet;

impl Observer for Quiet {
    fn accepted(&mut self, _: &Entry) {}

    fn heard(&mut self, _: &Newer) {}

    fn founded_anew(&mut self, _: &Founding) {}
}

/// The task that drives a worker. [`Driver::run`] it: without that nothing is ever decided.
#[derive(Debug)]
#[must_use = "a driver that is not run decides nothing"]
pub struct Driver<S, U, O> {
    store: S,
    queue: Queue,
    core: Core<U, O>,
    patience: Patience,
    one_by_one: bool,
}

/// How long a store may take to answer.
#[derive(Debug)]
struct Patience {
    now: time::Duration,
    least: time::Duration,
}

/// What is queued, and room for what is taken from it.
#[derive(Debug)]
struct Queue {
    items: mpsc::UnboundedReceiver<Item>,
    taken: Vec<Item>,
}

impl<S: Store, U: Fn() -> Duration + Send, O: Observer> Driver<S, U, O> {
    pub(super) fn new(
        shared: Arc<Shared>,
        items: mpsc::UnboundedReceiver<Item>,
        store: S,
        worker: Worker,
        uptime: U,
        observer: O,
    ) -> Self {
        let core = Core::new(shared, worker, uptime, observer);
        let patience = Patience { now: PATIENCE, least: PATIENCE };
        Self { store, queue: Queue { items, taken: Vec::new() }, core, patience, one_by_one: false }
    }

    /// For a rehearsal, whose store says when what is done: the store is asked what is newer before each command, every command
    /// goes into an append of its own, no tick follows on joining, and the store is away only when it says so.
    pub fn one_by_one(mut self) -> Self {
        self.one_by_one = true;
        self.core.decide_one_by_one();
        self.patience = Patience { now: time::Duration::MAX, least: time::Duration::MAX };
        self
    }

    /// Drives the worker until every [`super::Shell`] is dropped and, if the store can be reached, all is settled. Needs a
    /// tokio runtime with its timer.
    pub async fn run(mut self) {
        let mut ended = self.begin().await;
        while ended.is_continue() {
            // A store that always has news keeps nobody from reporting.
            let last = self.queue.is_over();
            self.queue.take_in_some(&mut self.core);
            if self.core.is_alone() {
                ended = self.look().await;
                continue;
            }
            while ended.is_continue() && self.core.has_commands() {
                if self.one_by_one {
                    ended = self.look().await;
                }
                if ended.is_continue()
                    && let Some(append) = self.core.propose()
                {
                    ended = self.settle(Sent::Append(append)).await;
                }
            }
            if ended.is_break() || last {
                return;
            }
            ended = self.rest().await;
        }
    }

    /// Hears what the log comes to.
    async fn begin(&mut self) -> ControlFlow<()> {
        loop {
            let asked = self.store.snapshot();
            match ask(asked, &mut self.patience, &mut self.queue, &mut self.core).await {
                Ok(fold) => {
                    self.core.is_reached();
                    if let Some(fold) = fold {
                        self.core.hear(&Newer { start: Start::Snapshot(fold), entries: Vec::new() });
                    }
                    return ControlFlow::Continue(());
                }
                Err(error) => self.wait(&error).await?,
            }
        }
    }

    /// Nothing is to be done just now: waits for what is newer or reported.
    async fn rest(&mut self) -> ControlFlow<()> {
        self.core.rest();
        let newer = tokio::select! {
            biased;
            newer = self.store.tail(self.core.head()) => newer,
            () = self.queue.take_in(&mut self.core) => return ControlFlow::Continue(()),
        };
        self.heard(newer).await
    }

    /// The store was away: looks whether it is back.
    async fn look(&mut self) -> ControlFlow<()> {
        let asked = self.store.read(self.core.head());
        let newer = ask(asked, &mut self.patience, &mut self.queue, &mut self.core).await;
        self.heard(newer).await
    }

    async fn heard(&mut self, newer: Result<Newer, StoreError>) -> ControlFlow<()> {
        match newer {
            Ok(newer) => {
                self.core.hear(&newer);
                ControlFlow::Continue(())
            }
            Err(StoreError::Behind { found, .. }) => {
                let founding = self.core.found_anew(found);
                self.settle(Sent::Founding(founding)).await
            }
            Err(error) => self.wait(&error).await,
        }
    }

    /// Asks the store until it has answered for good. Breaks off if it is away and nobody is there any more who could wait.
    async fn settle(&mut self, mut sent: Sent) -> ControlFlow<()> {
        loop {
            match self.send(&sent).await {
                Ok(Appended::Accepted) => self.core.accepted(&sent),
                Ok(Appended::Refused(newer)) => {
                    if let Some(again) = self.core.refused(&newer) {
                        sent = Sent::Append(again);
                        continue;
                    }
                }
                Err(StoreError::Behind { found, .. }) => {
                    sent = Sent::Founding(self.core.found_anew(found));
                    continue;
                }
                Err(error @ (StoreError::Contradiction { .. } | StoreError::TooLong { .. }))
                    if matches!(sent, Sent::Append(_)) =>
                {
                    self.core.give_up(&error);
                    if matches!(error, StoreError::Contradiction { .. }) {
                        // What this worker has folded may not be what the log comes to.
                        return self.begin().await;
                    }
                }
                Err(error) => {
                    self.wait(&error).await?;
                    continue;
                }
            }
            return ControlFlow::Continue(());
        }
    }

    async fn send(&mut self, sent: &Sent) -> Result<Appended, StoreError> {
        let store = &self.store;
        let asked = async {
            match sent {
                Sent::Append(append) => store.append(append).await,
                Sent::Founding(founding) => store.found(founding).await,
            }
        };
        ask(asked, &mut self.patience, &mut self.queue, &mut self.core).await
    }

    /// The store is away: waits a little, and decides alone what is reported meanwhile. Breaks off if nobody is there any
    /// more: nobody knows when the store comes back.
    async fn wait(&mut self, error: &StoreError) -> ControlFlow<()> {
        self.core.is_away(error);
        let mut pause = pin!(tokio::time::sleep(self.core.next_pause()));
        loop {
            tokio::select! {
                biased;
                // First, for those who report may never pause.
                () = &mut pause => return ControlFlow::Continue(()),
                () = self.queue.take_in(&mut self.core) => {
                    if self.queue.is_over() {
                        return ControlFlow::Break(());
                    }
                }
            }
        }
    }
}

impl Queue {
    /// Whether every shell is dropped and all that they reported is taken in.
    fn is_over(&self) -> bool {
        self.items.is_closed() && self.items.is_empty()
    }

    /// Takes in what is there.
    fn take_in_some<U: Fn() -> Duration + Send, O: Observer>(&mut self, core: &mut Core<U, O>) {
        for _ in 0..AT_ONCE {
            let Ok(item) = self.items.try_recv() else { break };
            core.take_in(item);
        }
    }

    /// Waits for something, and takes it in. Ready at once if every shell is dropped.
    async fn take_in<U: Fn() -> Duration + Send, O: Observer>(&mut self, core: &mut Core<U, O>) {
        self.items.recv_many(&mut self.taken, AT_ONCE).await;
        for item in self.taken.drain(..) {
            core.take_in(item);
        }
        core.tell();
    }
}

/// Waits for what the store says, and takes in what is reported meanwhile. One that does not answer is away: what it was
/// asked is dropped, which a store allows, and is to be asked again.
async fn ask<T, U: Fn() -> Duration + Send, O: Observer>(
    asked: impl Future<Output = Result<T, StoreError>>,
    patience: &mut Patience,
    queue: &mut Queue,
    core: &mut Core<U, O>,
) -> Result<T, StoreError> {
    core.tell();
    let mut asked = pin!(asked);
    let mut lapse = pin!(tokio::time::sleep(patience.now));
    loop {
        // Nobody waits for the answer of a store that is away.
        let nobody = queue.is_over();
        if nobody && core.is_alone() {
            return Err(StoreError::Unanswered { why: "it was not waited for".to_owned() });
        }
        tokio::select! {
            biased;
            answer = &mut asked => {
                patience.now = patience.least;
                return answer;
            }
            () = &mut lapse => {
                let why = format!("nothing for {} s", patience.now.as_secs());
                patience.now = (patience.now * 2).min(MOST_PATIENCE);
                return Err(StoreError::Unanswered { why });
            }
            () = queue.take_in(core), if !nobody => {}
        }
    }
}
