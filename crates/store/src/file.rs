//! The store in a file: JSON lines that a person and `firedrill replay` can read, each ended by a check of its own.
//!
//! One thread writes, and it alone: no async task ever waits for a disk on its executor's thread. The newest appends are
//! also held in memory, where readers find them. The file keeps them all: it is the audit trail.

mod disk;
mod read;
mod writer;

#[cfg(test)]
mod faults;

use std::path::Path;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use firedrill_failover::{Append, Appended, Fingerprint, Fold, Founding, Head, Newer};
use firedrill_yaml::Damage;
use tokio::sync::oneshot;

use crate::known::{Held, Judged, Known};
use crate::store::{Store, StoreError};
use disk::Disk;
use writer::{Job, Proposal, Writer};

/// When what was written is made to reach the disk. Whatever is chosen, an append is answered only after it is in the
/// file, so that no `kill -9` of this process loses one that was accepted; the choice is about the machine going down.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub enum Fsync {
    /// Before an append is answered: nothing that was accepted is ever lost. An append costs a round trip to the disk.
    /// The default, for appends are rare: a success that changes no count appends nothing.
    #[default]
    Always,
    /// At most this much time after an append, and when the store is dropped: a machine that goes down loses that much at
    /// most.
    Within(Duration),
    /// When the operating system sees fit. For tests, and for a log that may go when the machine goes.
    Never,
}

/// A log in a file, for the workers of one process; another process is kept out by a lock on the file. Workers share it
/// by an `Arc`. The file grows with its log; in memory are the newest [`KEPT`](crate::KEPT) appends and a fold of the rest.
///
/// When the file cannot be written (the disk is full, or failed) the store stops: it takes no further append and says
/// why, and all that was accepted is still there to read. It goes on after it was opened again.
///
/// To drop it waits until what was sent to it is written.
#[derive(Debug)]
pub struct FileStore {
    shared: Arc<Shared>,
    /// `None` while it is dropped.
    jobs: Option<mpsc::Sender<Job>>,
    writer: Option<JoinHandle<()>>,
}

/// What the writer and the readers share.
#[derive(Debug)]
struct Shared {
    name: String,
    known: Known,
}

/// A store that was opened.
#[derive(Debug)]
#[must_use]
pub struct Opened {
    /// The store.
    pub store: FileStore,
    /// A warning: the last line was torn, by a crash in the middle of a write, and was dropped. It had not been accepted
    /// by anyone, if nothing but the crash has changed the file.
    pub torn: Option<Damage>,
}

impl FileStore {
    /// Opens the log of `pool` in the file at `path`, or begins an empty one if there is no file. Reads it from start to
    /// end and blocks meanwhile: call it before the executor runs, or on a thread for what blocks.
    ///
    /// # Errors
    /// If the file cannot be opened, read or written, another process has it, it is no log with checks or that of another
    /// pool, or it is damaged anywhere but in a last line that has no end. The file is then as it was.
    pub fn open(path: &Path, pool: Fingerprint, fsync: Fsync) -> Result<Opened, StoreError> {
        let name = path.display().to_string();
        let (file, found) = read::open(path, &name, pool, fsync)?;
        let read::Found { held, length, torn } = found;
        let store = Self::start(name, file, held, length, fsync)?;
        Ok(Opened { store, torn })
    }

    /// Goes on with what is held of the log on a disk, in `length` bytes.
    fn start<D: Disk>(
        name: String,
        disk: D,
        held: Held,
        length: u64,
        fsync: Fsync,
    ) -> Result<Self, StoreError> {
        let shared = Arc::new(Shared { name, known: Known::new(held) });
        let (sender, jobs) = mpsc::channel();
        let writer = Writer::new(Arc::clone(&shared), disk, length, fsync);
        let spawned =
            std::thread::Builder::new().name("firedrill log".to_owned()).spawn(move || writer.run(&jobs));
        let writer =
            spawned.map_err(|error| StoreError::io(&shared.name, "start a thread to write", error))?;
        Ok(Self { shared, jobs: Some(sender), writer: Some(writer) })
    }

    async fn send(&self, proposal: Proposal) -> Result<Appended, StoreError> {
        let (reply, answer) = oneshot::channel();
        let sent = self.jobs.as_ref().map(|jobs| jobs.send(Job { proposal, reply }));
        match sent {
            Some(Ok(())) => answer.await.unwrap_or_else(|_| Err(self.shared.gone())),
            _ => Err(self.shared.gone()),
        }
    }
}

impl Shared {
    fn gone(&self) -> StoreError {
        StoreError::Stopped { file: self.name.clone(), why: "the thread that writes it is gone".to_owned() }
    }
}

impl Store for FileStore {
    async fn append(&self, append: &Append) -> Result<Appended, StoreError> {
        // What has moved on already needs no writer.
        match self.shared.known.judge(append)? {
            Judged::Known => Ok(Appended::Accepted),
            Judged::Stale(newer) => Ok(Appended::Refused(newer)),
            Judged::Next => self.send(Proposal::Append(append.clone())).await,
        }
    }

    async fn read(&self, after: Head) -> Result<Newer, StoreError> {
        self.shared.known.read(after)
    }

    async fn tail(&self, after: Head) -> Result<Newer, StoreError> {
        self.shared.known.tail(after).await
    }

    async fn snapshot(&self) -> Result<Option<Arc<Fold>>, StoreError> {
        Ok(self.shared.known.snapshot())
    }

    async fn found(&self, founding: &Founding) -> Result<Appended, StoreError> {
        self.send(Proposal::Founding(founding.clone())).await
    }
}

impl Drop for FileStore {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(writer) = self.writer.take() {
            // A panic of the writer was told to those who waited for it.
            let _ = writer.join();
        }
    }
}
