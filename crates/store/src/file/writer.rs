//! The thread that writes a log's file: one append after the other, each told to anyone only when it is kept.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use firedrill_failover::wire::{LONGEST_LINE, with_check};
use firedrill_failover::{Append, Appended, Entry};
use tokio::sync::oneshot;

use super::disk::Disk;
use super::{Fsync, Shared};
use crate::entries::Judged;
use crate::fold::Fold;
use crate::store::StoreError;

/// An append, and whom to answer.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) append: Append,
    pub(super) reply: oneshot::Sender<Result<Appended, StoreError>>,
}

#[derive(Debug)]
pub(super) struct Writer<D> {
    shared: Arc<Shared>,
    disk: D,
    fsync: Fsync,
    fold: Fold,
    /// How many bytes of the disk are whole lines that were told.
    length: u64,
    /// When the first append was written that has not been synced, under [`Fsync::Within`].
    unsynced: Option<Instant>,
    /// Why nothing is written any more. After an error nobody knows what of the file is on the disk, and a second sync
    /// that succeeds does not tell, so that only reading it again helps.
    stopped: Option<String>,
}

impl<D: Disk> Writer<D> {
    pub(super) fn new(shared: Arc<Shared>, disk: D, length: u64, fsync: Fsync) -> Self {
        let fold = Fold::of(&shared.entries.all());
        Self { shared, disk, fsync, fold, length, unsynced: None, stopped: None }
    }

    /// Writes until nobody can send any more.
    pub(super) fn run(mut self, jobs: &Receiver<Job>) {
        loop {
            let job = match self.left() {
                None => jobs.recv().map_err(RecvTimeoutError::from),
                Some(Duration::ZERO) => Err(RecvTimeoutError::Timeout),
                Some(left) => jobs.recv_timeout(left),
            };
            match job {
                Ok(Job { append, reply }) => {
                    let answer = self.append(append);
                    // Who asked may have gone; the log is what counts.
                    let _ = reply.send(answer);
                }
                Err(RecvTimeoutError::Timeout) => self.sync_late(),
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        if self.unsynced.is_some() {
            self.sync_late();
        }
    }

    fn append(&mut self, append: Append) -> Result<Appended, StoreError> {
        // Only this thread changes the entries, so that they stay as they are until the append is published.
        match self.shared.entries.judge(&append)? {
            Judged::Known => return Ok(Appended::Accepted),
            Judged::Stale(newer) => return Ok(Appended::Refused(newer)),
            Judged::Next => {}
        }
        if let Some(why) = &self.stopped {
            return Err(StoreError::Stopped { file: self.shared.name.clone(), why: why.clone() });
        }
        let entry = append.into_entry();
        let line = self.line(&entry)?;
        self.write(&line).map_err(|error| {
            self.stopped = Some(error.to_string());
            // What is half written is dropped when the file is opened, if it cannot be taken off now.
            let _ = self.disk.cut(self.length);
            StoreError::Unwritten { file: self.shared.name.clone(), why: error }
        })?;
        self.length += line.len() as u64;
        self.shared.entries.publish(entry);
        Ok(Appended::Accepted)
    }

    /// The line of `entry` with its end. The entry is folded if it follows.
    fn line(&mut self, entry: &Entry) -> Result<String, StoreError> {
        let mut line = with_check(&self.fold.line(entry)?);
        if line.len() > LONGEST_LINE {
            return Err(StoreError::TooLong { length: line.len(), most: LONGEST_LINE });
        }
        line.push('\n');
        self.fold.admit(&self.shared.entries.all(), entry)?;
        Ok(line)
    }

    fn write(&mut self, line: &str) -> io::Result<()> {
        self.disk.write(line.as_bytes())?;
        match self.fsync {
            Fsync::Always => self.disk.sync()?,
            Fsync::Within(_) => self.unsynced = self.unsynced.or_else(|| Some(now())),
            Fsync::Never => {}
        }
        Ok(())
    }

    /// How long until what was written must be synced.
    fn left(&self) -> Option<Duration> {
        let Fsync::Within(most) = self.fsync else { return None };
        Some(most.saturating_sub(now().duration_since(self.unsynced?)))
    }

    fn sync_late(&mut self) {
        self.unsynced = None;
        if let Err(error) = self.disk.sync() {
            self.stopped.get_or_insert_with(|| error.to_string());
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "how long a disk may lag behind is real time, and no state")]
fn now() -> Instant {
    Instant::now()
}
