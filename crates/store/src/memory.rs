//! The store in the memory of one process, for its threads and tasks. It goes when the process goes.

use std::sync::{Mutex, PoisonError};

use firedrill_failover::{Append, Appended, Entry, Version};

use crate::entries::{Entries, Judged};
use crate::fold::Fold;
use crate::store::{Store, StoreError};

/// A log in memory. Workers share it by an `Arc`. It holds every entry, so that its memory grows with the log.
///
/// No call waits for anything but the few instructions of another; [`Store::tail`] waits for an append.
///
/// ```
/// use std::sync::Arc;
/// use firedrill_failover::Version;
/// use firedrill_store::{MemoryStore, Store};
///
/// async fn follow(store: Arc<MemoryStore>) {
///     let mut heard = Version::EMPTY;
///     while let Ok(newer) = store.tail(heard).await {
///         heard = newer.last().map_or(heard, |entry| entry.version);
///     }
/// }
/// # drop(follow(Arc::new(MemoryStore::new())));
/// ```
#[derive(Debug)]
pub struct MemoryStore {
    entries: Entries,
    /// Who has it appends, and nobody else.
    fold: Mutex<Fold>,
}

impl MemoryStore {
    /// An empty log.
    pub fn new() -> Self {
        Self { entries: Entries::new(Vec::new()), fold: Mutex::default() }
    }

    fn append_now(&self, append: &Append) -> Result<Appended, StoreError> {
        let mut fold = self.fold.lock().unwrap_or_else(PoisonError::into_inner);
        match self.entries.judge(append)? {
            Judged::Known => Ok(Appended::Accepted),
            Judged::Stale(newer) => Ok(Appended::Refused(newer)),
            Judged::Next => {
                let entry = append.clone().into_entry();
                fold.admit(&self.entries.all(), &entry)?;
                self.entries.publish(entry);
                Ok(Appended::Accepted)
            }
        }
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl Store for MemoryStore {
    async fn append(&self, append: &Append) -> Result<Appended, StoreError> {
        self.append_now(append)
    }

    async fn read(&self, after: Version) -> Result<Vec<Entry>, StoreError> {
        self.entries.read(after)
    }

    async fn tail(&self, after: Version) -> Result<Vec<Entry>, StoreError> {
        self.entries.tail(after).await
    }
}
