//! The store in the memory of one process, for its threads and tasks. It goes when the process goes.

use std::sync::Arc;

use firedrill_failover::{Append, Appended, Fold, Founding, Head, Newer};

use crate::known::{Held, Judged, Known};
use crate::store::{Store, StoreError};

/// A log in memory. Workers share it by an `Arc`. It holds the newest [`KEPT`](crate::KEPT) appends and a fold of the rest.
///
/// No call waits for anything but the few instructions of another; [`Store::tail`] waits for an append.
///
/// ```
/// use std::sync::Arc;
/// use firedrill_failover::Worker;
/// use firedrill_store::{MemoryStore, Store};
///
/// async fn follow(store: Arc<MemoryStore>, mut worker: Worker) {
///     while let Ok(newer) = store.tail(worker.head()).await {
///         worker.catch_up(&newer);
///     }
/// }
/// ```
#[derive(Debug)]
pub struct MemoryStore(Known);

impl MemoryStore {
    /// An empty log.
    pub fn new() -> Self {
        Self(Known::new(Held::default()))
    }

    fn settle(
        &self,
        judge: impl FnOnce(&mut Held) -> Result<Judged, StoreError>,
        next: impl FnOnce(&mut Held) -> Result<(), StoreError>,
    ) -> Result<Appended, StoreError> {
        self.0.change(|held| match judge(held)? {
            Judged::Known => Ok(Appended::Accepted),
            Judged::Stale(newer) => Ok(Appended::Refused(newer)),
            Judged::Next => next(held).map(|()| Appended::Accepted),
        })
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl Store for MemoryStore {
    async fn append(&self, append: &Append) -> Result<Appended, StoreError> {
        self.settle(|held| held.judge(append), |held| held.admit(append.clone().into_entry()))
    }

    async fn read(&self, after: Head) -> Result<Newer, StoreError> {
        self.0.read(after)
    }

    async fn tail(&self, after: Head) -> Result<Newer, StoreError> {
        self.0.tail(after).await
    }

    async fn snapshot(&self) -> Result<Option<Arc<Fold>>, StoreError> {
        Ok(self.0.snapshot())
    }

    async fn found(&self, founding: &Founding) -> Result<Appended, StoreError> {
        self.settle(
            |held| held.judge_founding(founding),
            |held| {
                *held = Held::from(Some((*founding.fold).clone()));
                Ok(())
            },
        )
    }
}
