//! Stores that are known to be wrong, each in one way. The suite must notice every one: a suite that has never failed
//! has proved nothing.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use firedrill_failover::{Append, Appended, Entry, Fold, Founding, Head, Newer, Start};
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
    LooksAtTheVersionOnly,
    FoundsAnewTwice,
    FoundsAnewOverAnything,
    ForgetsTheFoundingsName,
}

/// A store written on its own, with nothing of the real ones, so that without a fault it tests the suite.
struct Wrong {
    fault: Fault,
    log: Mutex<Vec<Entry>>,
    /// What the log was founded anew with.
    anew: Mutex<Option<Arc<Fold>>>,
    version: watch::Sender<usize>,
    one: tokio::sync::Notify,
}

impl Wrong {
    fn new(fault: Fault) -> Self {
        let one = tokio::sync::Notify::new();
        Self { fault, log: Mutex::default(), anew: Mutex::default(), version: watch::Sender::new(0), one }
    }

    fn log(&self) -> MutexGuard<'_, Vec<Entry>> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn anew(&self) -> Option<Arc<Fold>> {
        self.anew.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn head(&self, log: &[Entry]) -> Head {
        let before = self.anew().map_or(Head::EMPTY, |fold| fold.head());
        log.last().map_or(before, Entry::head)
    }

    fn newer(&self, log: &[Entry], after: Head) -> Result<Newer, StoreError> {
        let found = self.head(log);
        if after.version > found.version {
            return match self.fault {
                Fault::HidesThatItIsBehind => Ok(Newer::here(Vec::new())),
                _ => Err(StoreError::Behind { expected: after, found }),
            };
        }
        let first = self.anew().map_or(Head::EMPTY, |fold| fold.head());
        let same = |head: Head| {
            if self.fault == Fault::LooksAtTheVersionOnly {
                head.version == after.version
            } else {
                head == after
            }
        };
        let heads = std::iter::once(first).chain(log.iter().map(Entry::head));
        if let Some(skipped) = heads.into_iter().position(same) {
            return Ok(Newer::here(log[skipped..].to_vec()));
        }
        let start = self.anew().map_or(Start::Beginning, Start::Snapshot);
        Ok(Newer { start, entries: log.to_vec() })
    }

    fn push(&self, log: &mut Vec<Entry>, append: &Append) -> Result<Appended, StoreError> {
        let entry = self.entry(log, append);
        log.push(entry);
        if self.fault != Fault::KeepsContradictions && self.fold(log).is_err() {
            let contradiction = firedrill_failover::Contradiction::NoEvents;
            log.pop();
            return Err(StoreError::Contradiction { before: append.expected.version, contradiction });
        }
        match self.fault {
            Fault::LosesWhatItAccepted if log.len() == 4 => drop(log.pop()),
            Fault::WakesNobody => {}
            Fault::WakesOne => self.one.notify_one(),
            _ => drop(self.version.send_replace(log.len())),
        }
        Ok(Appended::Accepted)
    }

    fn entry(&self, log: &[Entry], append: &Append) -> Entry {
        Entry { version: self.head(log).version.next(), ..append.clone().into_entry() }
    }

    fn fold(&self, log: &[Entry]) -> Result<Option<Arc<Fold>>, String> {
        let Some(anew) = self.anew() else {
            fold(log)?;
            let founding = log.first().map(|entry| {
                let mut fold = Fold::new(&crate::workers::config(3));
                fold.apply(entry);
                for entry in &log[1..] {
                    fold.apply(entry);
                }
                Arc::new(fold)
            });
            return Ok(founding);
        };
        let mut fold = (*anew).clone();
        for entry in log {
            fold.try_apply(entry).map_err(|(_, wrong)| wrong.to_string())?;
        }
        Ok(Some(Arc::new(fold)))
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
        if newer.is_empty() {
            return self.push(&mut log, append);
        }
        let Some(next) = newer.entries.first().filter(|_| newer.start == Start::Here) else {
            return Ok(Appended::Refused(newer));
        };
        let same_name = (next.by, next.proposal) == (append.by, append.proposal);
        let same = same_name && (next.at, &next.events) == (append.at, &append.events);
        match self.fault {
            Fault::TakesAnyOfTheName if same_name => Ok(Appended::Accepted),
            Fault::WritesTwice if same => {
                let again = self.entry(&log, append);
                log.push(again);
                Ok(Appended::Accepted)
            }
            Fault::RefusesAgain if same => Ok(Appended::Refused(newer)),
            _ if same => Ok(Appended::Accepted),
            Fault::AcceptsStale => {
                let entry = self.entry(&log, append);
                log.push(entry);
                Ok(Appended::Accepted)
            }
            Fault::TellsTheNewestOnly => Ok(Appended::Refused(Newer::here(
                newer.entries.into_iter().next_back().into_iter().collect(),
            ))),
            _ => Ok(Appended::Refused(newer)),
        }
    }

    async fn read(&self, after: Head) -> Result<Newer, StoreError> {
        self.newer(&self.log(), after)
    }

    async fn tail(&self, after: Head) -> Result<Newer, StoreError> {
        let mut version = self.version.subscribe();
        loop {
            let newer = self.newer(&self.log(), after)?;
            let hidden = self.fault == Fault::HidesThatItIsBehind && after.version.appends() > 5;
            if !newer.is_empty() || hidden {
                return Ok(newer);
            }
            if self.fault == Fault::WakesOne {
                self.one.notified().await;
            } else {
                version.changed().await.expect("the sender is here");
            }
        }
    }

    async fn snapshot(&self) -> Result<Option<Arc<Fold>>, StoreError> {
        Ok(self.fold(&self.log()).expect("a log that folds"))
    }

    async fn found(&self, founding: &Founding) -> Result<Appended, StoreError> {
        let mut log = self.log();
        let known = self.anew().is_some_and(|fold| fold.head() == founding.fold.head());
        if known && self.fault != Fault::ForgetsTheFoundingsName {
            return Ok(Appended::Accepted);
        }
        let over = match self.fault {
            Fault::FoundsAnewTwice => self.anew().is_some() || self.head(&log) == founding.over,
            Fault::FoundsAnewOverAnything => {
                founding.fold.head().by == firedrill_failover::WorkerId::new(3)
                    || self.head(&log) == founding.over
            }
            _ => self.head(&log) == founding.over,
        };
        if !over {
            return Ok(Appended::Refused(
                self.newer(&log, Head { by: founding.fold.head().by, ..Head::EMPTY })?,
            ));
        }
        log.clear();
        *self.anew.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&founding.fold));
        self.version.send_replace(0);
        Ok(Appended::Accepted)
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
    let anew = "a log that is behind is founded anew, once";
    check(Fault::LooksAtTheVersionOnly, Some("a worker of another log is told this one from its start"));
    check(Fault::FoundsAnewTwice, Some(anew));
    check(Fault::FoundsAnewOverAnything, Some(anew));
    check(Fault::ForgetsTheFoundingsName, Some(anew));
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
