//! The log: what it promises, and the one that lives in memory.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::convert::Infallible;

use crate::event::{Entry, Event, Version, WorkerId};
use crate::time::Instant;

/// A proposal: events that were decided on one version of the log, and that are good on that version only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Append {
    /// The version they were decided on.
    pub expected: Version,
    /// When, in the log's time.
    pub at: Instant,
    /// By which worker.
    pub by: WorkerId,
    /// The how-manieth proposal of that worker.
    pub proposal: u64,
    /// What should happen, in order; at least one event.
    pub events: Box<[Event]>,
}

impl Append {
    /// The entry that this becomes when it is accepted.
    pub fn into_entry(self) -> Entry {
        let Self { expected, at, by, proposal, events } = self;
        Entry { version: expected.next(), at, by, proposal, events }
    }
}

/// What a log says to an append.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Appended {
    /// It is in the log, as the version after the one it expected.
    Accepted,
    /// The log has moved on: this is what is newer than the expected version. At least one entry.
    Refused(Vec<Entry>),
}

/// Where a log is kept.
///
/// An implementation promises that an append is accepted only if the log has exactly the expected version, that
/// it is then in the log whole, and that what was accepted never changes.
pub trait Log {
    /// Why the log could not be reached or read.
    type Error;

    /// Appends, if the log is at the expected version.
    ///
    /// # Errors
    /// If the log could not be reached, or its reply was lost: then the append may or may not be in it. Also if the log
    /// is behind the expected version, which it never should be: it was wiped or cut.
    fn append(&mut self, append: &Append) -> Result<Appended, Self::Error>;

    /// Every entry after `version`, oldest first.
    ///
    /// # Errors
    /// If the log could not be reached.
    fn read(&self, after: Version) -> Result<Vec<Entry>, Self::Error>;
}

/// A log in the memory of one process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemoryLog(Vec<Entry>);

impl MemoryLog {
    /// An empty log.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Every entry, oldest first.
    pub fn entries(&self) -> &[Entry] {
        &self.0
    }

    /// How many appends there were.
    pub fn version(&self) -> Version {
        Version::new(self.0.len() as u64)
    }

    /// The entries after `version`.
    fn after(&self, version: Version) -> &[Entry] {
        let skipped = usize::try_from(version.appends()).unwrap_or(usize::MAX);
        self.0.get(skipped..).unwrap_or_default()
    }
}

/// Append-only by construction, and never out of reach.
impl Log for MemoryLog {
    type Error = Infallible;

    /// # Panics
    /// If the append was decided on a version that this log has never had: a broken invariant, the worker is of another
    /// log.
    fn append(&mut self, append: &Append) -> Result<Appended, Infallible> {
        assert!(append.expected <= self.version(), "broken invariant: the append was decided on another log");
        if append.expected != self.version() {
            return Ok(Appended::Refused(self.after(append.expected).to_vec()));
        }
        self.0.push(append.clone().into_entry());
        Ok(Appended::Accepted)
    }

    fn read(&self, after: Version) -> Result<Vec<Entry>, Infallible> {
        Ok(self.after(after).to_vec())
    }
}
