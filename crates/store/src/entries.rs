//! The entries of a log in memory: what they say to an append, and who waits for more. Whether its events follow is not
//! asked here.

use std::sync::{Mutex, MutexGuard, PoisonError};

use firedrill_failover::{Append, Entry, Version};
use tokio::sync::watch;

use crate::store::StoreError;

/// Every entry that was told, oldest first: the entry at index i made version i + 1.
#[derive(Debug)]
pub(crate) struct Entries {
    all: Mutex<Vec<Entry>>,
    /// Sent while the entries are locked, so that it never goes back.
    version: watch::Sender<Version>,
}

/// What is to be done with an append.
#[derive(Debug)]
pub(crate) enum Judged {
    /// It was decided on the newest version: it is next.
    Next,
    /// It is in the log.
    Known,
    /// It was decided on an older version. This is newer.
    Stale(Vec<Entry>),
}

impl Entries {
    pub(crate) fn new(all: Vec<Entry>) -> Self {
        let version = watch::Sender::new(version_of(&all));
        Self { all: Mutex::new(all), version }
    }

    pub(crate) fn judge(&self, append: &Append) -> Result<Judged, StoreError> {
        let all = self.all();
        let newer = after(&all, append.expected)?;
        Ok(match newer.first() {
            None => Judged::Next,
            Some(next) if is_of(append, next) => Judged::Known,
            Some(_) => Judged::Stale(newer.to_vec()),
        })
    }

    /// Tells `entry`, which is next, to everyone.
    pub(crate) fn publish(&self, entry: Entry) {
        let mut all = self.all();
        all.push(entry);
        self.version.send_replace(version_of(&all));
    }

    pub(crate) fn read(&self, version: Version) -> Result<Vec<Entry>, StoreError> {
        after(&self.all(), version).map(<[Entry]>::to_vec)
    }

    pub(crate) async fn tail(&self, version: Version) -> Result<Vec<Entry>, StoreError> {
        let mut versions = self.version.subscribe();
        loop {
            let newer = self.read(version)?;
            if !newer.is_empty() {
                return Ok(newer);
            }
            // The sender is `self`'s, so that it cannot be gone.
            let _ = versions.wait_for(|newest| *newest > version).await;
        }
    }

    /// All of them, locked.
    pub(crate) fn all(&self) -> MutexGuard<'_, Vec<Entry>> {
        // A panic while they were locked left them whole: an entry is pushed in one step.
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn version_of(all: &[Entry]) -> Version {
    Version::new(all.len() as u64)
}

/// The entries after `version`, if the log has got there.
fn after(all: &[Entry], version: Version) -> Result<&[Entry], StoreError> {
    let after = usize::try_from(version.appends()).ok().and_then(|skipped| all.get(skipped..));
    after.ok_or(StoreError::Behind { expected: version, found: version_of(all) })
}

/// Whether `entry`, of the version that `append` would make, is what became of it. Not only the worker and the number
/// are compared: if two workers were given one id, neither may take the other's append for its own.
fn is_of(append: &Append, entry: &Entry) -> bool {
    let Append { expected: _, at, by, proposal, events } = append;
    (entry.by, entry.proposal, entry.at) == (*by, *proposal, *at) && entry.events == *events
}
