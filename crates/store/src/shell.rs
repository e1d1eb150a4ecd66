//! The shell round a worker for programs that answer requests: nobody waits for the store.
//!
//! [`Shell`] is what the threads of a program share. [`Shell::select`] draws from a published pool without a lock, and
//! [`Shell::report`] queues what came of it. A [`Driver`], one task, does the rest: it proposes what is queued, as much as
//! goes into one append, follows what other workers append, and publishes the pool that comes of both.
//!
//! So a selection may be stale: by what this process has reported and not yet decided, by what is in flight, and by what
//! other workers have appended that is on its way here. `docs/performance.md` says how long that takes.
//!
//! **When the store is away** the worker decides alone: a token that fails is taken out here, and returns after its cooldown
//! here. What changed anything is kept, in bounded memory, and decided again on the newest state when the
//! store is back. [`Shell::standing`] says so. **When its log was wiped or cut**, it is founded anew from this worker's fold,
//! or from that of another worker that was first.

mod backlog;
mod deciding;
mod driver;
mod standing;
mod summed;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

use arc_swap::ArcSwap;
use firedrill_failover::{
    Attempt, Command, Fingerprint, NotSelectable, Pool, Random, Selection, Status, TokenId, Version, Worker,
    WorkerId,
};
use tokio::sync::{mpsc, oneshot, watch};

use crate::store::Store;
pub use driver::{Driver, Observer, Quiet};
pub use standing::{Reach, Standing};

/// A worker at work, for the threads that serve requests. Clones share it.
#[derive(Clone, Debug)]
pub struct Shell {
    shared: Arc<Shared>,
    queue: mpsc::UnboundedSender<Item>,
}

#[derive(Debug)]
struct Shared {
    published: ArcSwap<Published>,
    /// How many items were queued.
    queued: AtomicU64,
    /// How many of them the published pool shows, if it shows all that this worker knows; or [`UNSETTLED`].
    settled: AtomicU64,
    standing: watch::Sender<Standing>,
}

/// The published pool may not show all that this worker knows.
const UNSETTLED: u64 = u64::MAX;

/// A pool to select from.
#[derive(Debug)]
struct Published {
    pool: Pool,
    /// Changes when ids do not mean what they meant before: on joining, and when another log is followed.
    era: u64,
}

/// A token that was drawn for a request: what a report needs to know of it.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Drawn {
    selection: Selection,
    fingerprint: Fingerprint,
    era: u64,
}

impl Drawn {
    /// What tells the token from others: the secret is found by it.
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// Whether it is an unavailable one, drawn because none is available.
    pub fn is_fallback(&self) -> bool {
        self.selection.fallback
    }
}

/// What is queued for the driver.
#[derive(Debug)]
enum Item {
    Outcome {
        drawn: Drawn,
        status: Status,
        attempt: Attempt,
    },
    Command(Box<Command>),
    /// To be answered when all that was queued before is settled.
    Settled(oneshot::Sender<()>),
}

impl Shell {
    /// A shell round `worker`, which has not joined yet, and the driver to be spawned for it. `uptime` is as for
    /// [`Worker::propose`]. The first command should be [`Command::Join`]; a tick follows it by itself.
    pub fn new<S, U, O>(store: S, worker: Worker, uptime: U, observer: O) -> (Self, Driver<S, U, O>)
    where
        S: Store,
        U: Fn() -> firedrill_failover::Duration + Send,
        O: Observer,
    {
        let (queue, items) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared {
            published: ArcSwap::from_pointee(Published { pool: worker.pool().clone(), era: 0 }),
            queued: AtomicU64::new(0),
            settled: AtomicU64::new(UNSETTLED),
            standing: watch::Sender::new(Standing::new()),
        });
        let driver = Driver::new(Arc::clone(&shared), items, store, worker, uptime, observer);
        (Self { shared, queue }, driver)
    }

    /// Draws a token for a request, as [`Pool::select`] does. Takes no lock and waits for nothing.
    pub fn select(&self, random: &mut Random) -> Drawn {
        let published = self.shared.published.load();
        let selection = published.pool.select(random);
        published.drawn(selection)
    }

    /// Draws a token for a retry, as [`Pool::select_another`] does. A token that was tried and is no longer known is no
    /// other token.
    pub fn select_another(&self, random: &mut Random, tried: &[Drawn]) -> Option<Drawn> {
        let published = self.shared.published.load();
        let tried: Vec<TokenId> = tried.iter().filter_map(|drawn| published.id_of(drawn)).collect();
        published.pool.select_another(random, &tried).map(|selection| published.drawn(selection))
    }

    /// Draws the token with this label, if [`Shell::select`] or, after others were tried, [`Shell::select_another`] could draw it
    /// now. For a rehearsal, which says what chance comes to. O(tokens).
    ///
    /// # Errors
    /// Why it cannot be drawn.
    pub fn select_this(&self, label: &str, tried: &[Drawn]) -> Result<Drawn, NotSelectable> {
        let published = self.shared.published.load();
        let tried: Vec<TokenId> = tried.iter().filter_map(|drawn| published.id_of(drawn)).collect();
        published.pool.select_this(label, &tried).map(|selection| published.drawn(selection))
    }

    /// The request that used `drawn` was answered `status`. Never waits. A success that changes nothing, as nearly every
    /// one, wakes nobody.
    pub fn report(&self, drawn: Drawn, status: Status, attempt: Attempt) {
        if !self.changes_nothing(&drawn, status, attempt) {
            self.send(Item::Outcome { drawn, status, attempt });
        }
    }

    /// Has the worker perform something else: a tick, the answer to a probe, a configuration. Never waits.
    pub fn perform(&self, command: Command) {
        self.send(Item::Command(Box::new(command)));
    }

    /// Waits until all that was reported and performed before is settled: in the log, nothing to append, or given
    /// up ([`Standing::given_up`]). Then [`Shell::look`] and [`Shell::standing`] show it. While the store
    /// is away nothing is. An error if the driver has ended before.
    ///
    /// # Errors
    /// [`Ended`] if the driver is gone.
    pub async fn settled(&self) -> Result<(), Ended> {
        let (done, settled) = oneshot::channel();
        self.send(Item::Settled(done));
        settled.await.map_err(|_| Ended)
    }

    /// Looks at the pool that selections are drawn from.
    pub fn look<T>(&self, look: impl FnOnce(&Pool) -> T) -> T {
        look(&self.shared.published.load().pool)
    }

    /// How the worker stands with its store.
    pub fn standing(&self) -> Standing {
        self.shared.standing.borrow().clone()
    }

    /// As [`Shell::standing`], to wait for changes of it.
    pub fn watch(&self) -> watch::Receiver<Standing> {
        self.shared.standing.subscribe()
    }

    /// Whether it is a success, and the worker would decide that nothing comes of it. Not known while anything else is still
    /// to be decided: a success makes up for a failure that is queued.
    fn changes_nothing(&self, drawn: &Drawn, status: Status, attempt: Attempt) -> bool {
        let shared = &self.shared;
        if shared.settled.load(SeqCst) != shared.queued.load(SeqCst) {
            return false;
        }
        // Not older than what is settled.
        let published = shared.published.load();
        let (pool, token) = (&published.pool, drawn.selection.token);
        let outcome = Command::Outcome { token, status, attempt };
        // Until a log is founded nothing is known of what it will say. Who decides an outcome, and when, is the same to it.
        pool.policy().is_success(status)
            && pool.version() > Version::EMPTY
            && published.era == drawn.era
            && pool.decide(WorkerId::new(0), pool.clock(), &outcome).is_empty()
    }

    fn send(&self, item: Item) {
        // Before it can be taken.
        self.shared.queued.fetch_add(1, SeqCst);
        // Without a driver nothing is decided any more; who cares asks `settled`.
        let _ = self.queue.send(item);
    }
}

/// The driver has ended: nothing is settled any more.
#[derive(Copy, Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the worker's driver has ended, so that nothing is settled any more")]
pub struct Ended;

impl Published {
    /// What this pool has drawn, to be reported on.
    fn drawn(&self, selection: Selection) -> Drawn {
        let token = self.pool.token(selection.token);
        let fingerprint = token.expect("broken invariant: a pool draws one of its own tokens").fingerprint;
        Drawn { selection, fingerprint, era: self.era }
    }

    /// The id that what was drawn has here.
    fn id_of(&self, drawn: &Drawn) -> Option<TokenId> {
        if drawn.era == self.era {
            return Some(drawn.selection.token);
        }
        self.pool.find_fingerprint(drawn.fingerprint)
    }
}
