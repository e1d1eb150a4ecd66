//! Stores that are known to be wrong, each in one way. The suite must notice every one: a suite that has never failed
//! has proved nothing.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, MutexGuard, PoisonError};

use firedrill_failover::{Append, Appended, Entry, Version};
use firedrill_store::{Store, StoreError};
use tokio::sync::watch;

use crate::conformance::{Broken, checks, conforms, contention};
use crate::workers::fold;

#[derive(Copy, Clone, Debug, PartialEq, Eq)]
enum Fault {
    None,
    AcceptsStale,
    WritesTwice,
    RefusesAgain,
    TakesAnyOfTheName,
    TellsTheNewestOnly,
    WakesNobody,
    WakesOne,
    HidesThatItIsBehind,
    KeepsContradictions,
    LosesWhatItAccepted,
    LooksFirstAndWritesLater,
}

/// A store written on its own, with nothing of the real ones, so that without a fault it tests the suite.
struct Wrong {
    fault: Fault,
    log: Mutex<Vec<Entry>>,
    version: watch::Sender<usize>,
    one: tokio::sync::Notify,
}

impl Wrong {
    fn new(fault: Fault) -> Self {
        let one = tokio::sync::Notify::new();
        Self { fault, log: Mutex::default(), version: watch::Sender::new(0), one }
    }

    fn log(&self) -> MutexGuard<'_, Vec<Entry>> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn newer(&self, log: &[Entry], after: Version) -> Result<Vec<Entry>, StoreError> {
        let skipped = usize::try_from(after.appends()).expect("a small log");
        match log.get(skipped..) {
            Some(newer) => Ok(newer.to_vec()),
            None if self.fault == Fault::HidesThatItIsBehind => Ok(Vec::new()),
            None => Err(StoreError::Behind { expected: after, found: Version::new(log.len() as u64) }),
        }
    }

    fn push(&self, log: &mut Vec<Entry>, append: &Append) -> Result<Appended, StoreError> {
        let mut entry = append.clone().into_entry();
        entry.version = Version::new(log.len() as u64 + 1);
        log.push(entry);
        if self.fault != Fault::KeepsContradictions && fold(log).is_err() {
            let contradiction = firedrill_failover::Contradiction::NoEvents;
            log.pop();
            return Err(StoreError::Contradiction { before: append.expected, contradiction });
        }
        match self.fault {
            Fault::LosesWhatItAccepted if log.len() == 4 => drop(log.pop()),
            Fault::WakesNobody => {}
            Fault::WakesOne => self.one.notify_one(),
            _ => drop(self.version.send_replace(log.len())),
        }
        Ok(Appended::Accepted)
    }
}

impl Store for Wrong {
    async fn append(&self, append: &Append) -> Result<Appended, StoreError> {
        let mut log = self.log();
        let newer = self.newer(&log, append.expected)?;
        if self.fault == Fault::LooksFirstAndWritesLater {
            drop(log);
            std::thread::yield_now();
            log = self.log();
        }
        let Some(next) = newer.first() else { return self.push(&mut log, append) };
        let same_name = (next.by, next.proposal) == (append.by, append.proposal);
        let same = same_name && (next.at, &next.events) == (append.at, &append.events);
        match self.fault {
            Fault::TakesAnyOfTheName if same_name => Ok(Appended::Accepted),
            Fault::WritesTwice if same => {
                let mut again = append.clone().into_entry();
                again.version = Version::new(log.len() as u64 + 1);
                log.push(again);
                Ok(Appended::Accepted)
            }
            Fault::RefusesAgain if same => Ok(Appended::Refused(newer)),
            _ if same => Ok(Appended::Accepted),
            Fault::AcceptsStale => {
                let mut entry = append.clone().into_entry();
                entry.version = Version::new(log.len() as u64 + 1);
                log.push(entry);
                Ok(Appended::Accepted)
            }
            Fault::TellsTheNewestOnly => {
                Ok(Appended::Refused(newer.into_iter().next_back().into_iter().collect()))
            }
            _ => Ok(Appended::Refused(newer)),
        }
    }

    async fn read(&self, after: Version) -> Result<Vec<Entry>, StoreError> {
        self.newer(&self.log(), after)
    }

    async fn tail(&self, after: Version) -> Result<Vec<Entry>, StoreError> {
        let mut version = self.version.subscribe();
        loop {
            let newer = self.newer(&self.log(), after)?;
            if !newer.is_empty() || self.fault == Fault::HidesThatItIsBehind && after.appends() > 5 {
                return Ok(newer);
            }
            if self.fault == Fault::WakesOne {
                self.one.notified().await;
            } else {
                version.changed().await.expect("the sender is here");
            }
        }
    }
}

/// The promise that a store with `fault` is found to break first.
#[track_caller]
fn check(fault: Fault, expect: Option<&str>) {
    let run = |check: fn(&Wrong) -> Result<(), Broken>| {
        // Some faults break the worker's own invariants: that is noticed too.
        let run = AssertUnwindSafe(|| check(&Wrong::new(fault)));
        !matches!(catch_unwind(run), Ok(Ok(())))
    };
    let broken = checks().into_iter().find(|(_, check)| run(*check)).map(|(promise, _)| promise);
    assert_eq!(broken, expect, "{fault:?}");
}

#[test]
fn a_right_store_of_another_make_conforms() {
    conforms(|| Wrong::new(Fault::None));
    contention(&Wrong::new(Fault::None), 4, 20);
}

#[test]
fn every_wrong_store_is_noticed() {
    let accepted = "an append on the newest version is accepted and read back";
    let stale = "an append on an older version is refused with all that is newer";
    let again = "an append that is sent again is accepted and not written twice";
    let woken = "a tail waits, and is woken by an append";
    check(Fault::None, None);
    check(Fault::LosesWhatItAccepted, Some(accepted));
    check(Fault::AcceptsStale, Some(stale));
    check(Fault::TellsTheNewestOnly, Some(stale));
    check(Fault::WritesTwice, Some(again));
    check(Fault::RefusesAgain, Some(again));
    check(Fault::TakesAnyOfTheName, Some("another's append is never taken for one's own"));
    check(Fault::HidesThatItIsBehind, Some("a log that is behind says so"));
    check(Fault::KeepsContradictions, Some("an append that does not follow is not in the log"));
    check(Fault::WakesNobody, Some(woken));
    check(Fault::WakesOne, Some(woken));
}

#[test]
fn a_store_that_looks_first_and_writes_later_is_noticed() {
    let caught = (0..50).any(|_| {
        let store = Wrong::new(Fault::LooksFirstAndWritesLater);
        let run = AssertUnwindSafe(|| contention(&store, 8, 20));
        catch_unwind(run).is_err()
    });
    assert!(caught, "fifty runs of eight threads never met the gap");
}
