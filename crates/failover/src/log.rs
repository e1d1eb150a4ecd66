//! The log: what it promises, and the one that lives in memory.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::convert::Infallible;

use crate::event::{Entry, Event, Head, Version, WorkerId};
use crate::fold::Fold;
use crate::time::Instant;

/// A proposal: events that were decided on one version of the log, and that are good on that version only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Append {
    /// The head of the log that they were decided on.
    pub expected: Head,
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
        Entry { version: expected.version.next(), at, by, proposal, events }
    }
}

/// What a log says to an append.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Appended {
    /// It is in the log, directly after the head that it expected.
    Accepted,
    /// The log has another head: this is what is newer than the expected one. Never nothing.
    Refused(Newer),
}

/// What a log holds that a worker has not heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Newer {
    /// From where it goes on.
    pub start: Start,
    /// The appends after that, oldest first, each on the one before.
    pub entries: Vec<Entry>,
}

/// Where what is newer begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Start {
    /// At the head that the worker has heard.
    Here,
    /// At the beginning: what the worker has heard is no part of this log, which was founded anew.
    Beginning,
    /// At this fold: what the worker has heard is no part of this log, or what comes next is trimmed off.
    Snapshot(Arc<Fold>),
}

impl Newer {
    /// These entries, directly after what was heard.
    pub fn here(entries: Vec<Entry>) -> Self {
        Self { start: Start::Here, entries }
    }

    /// Whether there is nothing to hear.
    pub fn is_empty(&self) -> bool {
        self.start == Start::Here && self.entries.is_empty()
    }
}

/// A proposal to found a log anew that was wiped or cut: with a worker's fold in place of what is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Founding {
    /// What is left of the log. It is founded anew only if this is still its head, so that of several workers one does it.
    pub over: Head,
    /// What it begins with.
    pub fold: Arc<Fold>,
}

/// Where a log is kept.
///
/// An implementation promises that an append is accepted only if the log has exactly the expected head, that it is then
/// in the log whole, that what was accepted never changes, and that the same append sent again is accepted again and not
/// written twice.
pub trait Log {
    /// Why the log could not be reached or read.
    type Error;

    /// Appends, if the log has the expected head.
    ///
    /// # Errors
    /// If the log could not be reached, or its reply was lost: then the append may or may not be in it. Also if the log
    /// is behind the expected version, which it never should be: it was wiped or cut.
    fn append(&mut self, append: &Append) -> Result<Appended, Self::Error>;

    /// What is newer than `after`.
    ///
    /// # Errors
    /// If the log could not be reached.
    fn read(&self, after: Head) -> Result<Newer, Self::Error>;
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

    /// What is newer than `after`.
    fn newer(&self, after: Head) -> Newer {
        let heard = usize::try_from(after.version.appends()).unwrap_or(usize::MAX);
        let known = match heard.checked_sub(1) {
            None => after == Head::EMPTY,
            Some(last) => self.0.get(last).is_some_and(|entry| entry.head() == after),
        };
        if known {
            Newer::here(self.0.get(heard..).unwrap_or_default().to_vec())
        } else {
            Newer { start: Start::Beginning, entries: self.0.clone() }
        }
    }
}

/// Append-only by construction, and never out of reach.
impl Log for MemoryLog {
    type Error = Infallible;

    /// # Panics
    /// If the append was decided on a version that this log has never had: a broken invariant, the worker is of another
    /// log.
    fn append(&mut self, append: &Append) -> Result<Appended, Infallible> {
        let expected = append.expected.version;
        assert!(expected <= self.version(), "broken invariant: the append was decided on another log");
        let newer = self.newer(append.expected);
        let entry = append.clone().into_entry();
        if newer.is_empty() {
            self.0.push(entry);
        } else if newer.start != Start::Here || newer.entries.first() != Some(&entry) {
            return Ok(Appended::Refused(newer));
        }
        Ok(Appended::Accepted)
    }

    fn read(&self, after: Head) -> Result<Newer, Infallible> {
        Ok(self.newer(after))
    }
}
