//! The thread that writes a log's file: one append after the other, each told to anyone only when it is kept.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use firedrill_failover::wire::{LONGEST_LINE, LONGEST_SNAPSHOT, snapshot_line};
use firedrill_failover::{Append, Appended, Entry, Fold, Founding, Head};
use tokio::sync::oneshot;

use super::disk::Disk;
use super::{Fsync, Shared};
use crate::known::{self, Held, Judged};
use crate::store::StoreError;

/// What a worker wants of the log.
#[derive(Debug)]
pub(super) enum Proposal {
    Append(Append),
    Founding(Founding),
}

/// A proposal, and whom to answer.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) proposal: Proposal,
    pub(super) reply: oneshot::Sender<Result<Appended, StoreError>>,
}

#[derive(Debug)]
pub(super) struct Writer<D> {
    shared: Arc<Shared>,
    disk: D,
    fsync: Fsync,
    /// Of what was written, a line ahead of what is known while that is on its way; `None` for an empty log.
    fold: Option<Fold>,
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
        let fold = shared.known.snapshot().map(Arc::unwrap_or_clone);
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
                Ok(Job { proposal, reply }) => {
                    let answer = match proposal {
                        Proposal::Append(append) => self.append(append),
                        Proposal::Founding(founding) => self.found(founding),
                    };
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
        // Only this thread changes what is known, so that it stays as it is until the append is published.
        match self.shared.known.judge(&append)? {
            Judged::Known => return Ok(Appended::Accepted),
            Judged::Stale(newer) => return Ok(Appended::Refused(newer)),
            Judged::Next => {}
        }
        self.refuse_if_stopped()?;
        let entry = append.into_entry();
        let line = ended(&known::line(self.fold.as_ref(), &entry)?, LONGEST_LINE)?;
        self.fold(&entry)?;
        self.put(&line)?;
        self.shared.known.change(|held| held.admit(entry))?;
        Ok(Appended::Accepted)
    }

    fn found(&mut self, founding: Founding) -> Result<Appended, StoreError> {
        let judged = self.shared.known.lock().judge_founding(&founding)?;
        match judged {
            Judged::Known => return Ok(Appended::Accepted),
            Judged::Stale(newer) => return Ok(Appended::Refused(newer)),
            Judged::Next => {}
        }
        self.refuse_if_stopped()?;
        if founding.over != Head::EMPTY {
            // To take off what is left and to write the snapshot are two steps, and between them nothing would be there.
            return Err(StoreError::NotEmpty { file: self.shared.name.clone(), found: founding.over });
        }
        self.put(&ended(&snapshot_line(&founding.fold), LONGEST_SNAPSHOT)?)?;
        let fold = Arc::unwrap_or_clone(founding.fold);
        self.fold = Some(fold.clone());
        self.shared.known.change(|held| *held = Held::from(Some(fold)));
        Ok(Appended::Accepted)
    }

    fn refuse_if_stopped(&self) -> Result<(), StoreError> {
        match &self.stopped {
            Some(why) => Err(StoreError::Stopped { file: self.shared.name.clone(), why: why.clone() }),
            None => Ok(()),
        }
    }

    /// Folds `entry` if it follows.
    fn fold(&mut self, entry: &Entry) -> Result<(), StoreError> {
        known::follow(&mut self.fold, entry).inspect_err(|_| {
            // The fold is half changed. This is a worker's bug and rare.
            self.fold = self.shared.known.snapshot().map(Arc::unwrap_or_clone);
        })
    }

    /// Writes a line, or stops.
    fn put(&mut self, line: &str) -> Result<(), StoreError> {
        self.write(line).map_err(|error| {
            self.stopped = Some(error.to_string());
            // What is half written is dropped when the file is opened, if it cannot be taken off now.
            let _ = self.disk.cut(self.length);
            StoreError::Unwritten { file: self.shared.name.clone(), why: error }
        })?;
        self.length += line.len() as u64;
        Ok(())
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

/// A line of at most `most` bytes with its check and its end.
fn ended(line: &str, most: usize) -> Result<String, StoreError> {
    let mut line = known::checked(line, most)?;
    line.push('\n');
    Ok(line)
}

#[expect(clippy::disallowed_methods, reason = "how long a disk may lag behind is real time, and no state")]
fn now() -> Instant {
    Instant::now()
}
