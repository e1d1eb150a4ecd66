//! A log that keeps its promise or breaks it, and that can be wiped and cut. It knows what every head of its history, and
//! of any other history, has counted.

use std::collections::BTreeMap;
use std::rc::Rc;

use firedrill_failover::{Append, Entry, Event, Fold, Founding, Head, Newer, Start};

/// Who breaks a promise, and which.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Broken {
    Nothing,
    /// The log is founded anew by whoever asks.
    FoundsForAll,
    /// The log goes by versions and not by names.
    KnowsNoNames,
    /// A worker does not propose again what was lost.
    ForgetsLost,
    /// A worker proposes twice what was lost.
    TakesLostTwice,
}

/// What is answered to a worker.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    Accepted,
    Newer(Newer),
    Behind(Head),
}

#[derive(Clone, Debug)]
pub(crate) struct Kept {
    pub(crate) broken: Broken,
    /// Whether it tells snapshots in place of appends.
    pub(crate) trims: bool,
    /// What it began with, if that was a snapshot.
    start: Option<Rc<Fold>>,
    /// The appends after that, each with the fold after it.
    entries: Vec<Rc<(Entry, Fold)>>,
    /// The statuses counted up to each head.
    histories: BTreeMap<Head, Rc<Vec<u16>>>,
    /// How often it was founded anew.
    pub(crate) founded: u32,
}

impl Kept {
    pub(crate) fn new(entry: &Entry, fold: Fold, broken: Broken, trims: bool) -> Self {
        let histories = [(Head::EMPTY, Rc::default()), (entry.head(), Rc::default())].into();
        let entries = vec![Rc::new((entry.clone(), fold))];
        Self { broken, trims, start: None, entries, histories, founded: 0 }
    }

    pub(crate) fn head(&self) -> Head {
        self.fold().map_or(Head::EMPTY, Fold::head)
    }

    pub(crate) fn fold(&self) -> Option<&Fold> {
        self.entries.last().map(|last| &last.1).or(self.start.as_deref())
    }

    /// The statuses that were counted up to its head.
    pub(crate) fn history(&self) -> &[u16] {
        &self.histories[&self.head()]
    }

    /// How many appends can be cut off it.
    pub(crate) fn appends(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn wipe(&mut self) {
        self.entries.clear();
        self.start = None;
    }

    pub(crate) fn cut(&mut self, left: usize) {
        self.entries.truncate(left);
    }

    pub(crate) fn append(&mut self, append: &Append) -> Answer {
        let entry = append.clone().into_entry();
        let newer = match self.read(append.expected) {
            Answer::Newer(newer) => newer,
            other => return other,
        };
        if newer.is_empty() {
            let mut fold = self.fold().expect("a log that workers have joined").clone();
            fold.apply(&entry);
            let mut history = self.history().to_vec();
            history.extend(entry.events.iter().filter_map(|event| match event {
                Event::Failed { status, .. } => Some(status.code()),
                _ => None,
            }));
            self.histories.insert(entry.head(), Rc::new(history));
            self.entries.push(Rc::new((entry, fold)));
            return Answer::Accepted;
        }
        let known = newer.start == Start::Here && newer.entries.first() == Some(&entry);
        if known { Answer::Accepted } else { Answer::Newer(newer) }
    }

    pub(crate) fn read(&self, after: Head) -> Answer {
        if after.version > self.head().version {
            return Answer::Behind(self.head());
        }
        let same = |head: Head| match self.broken {
            Broken::KnowsNoNames => head.version == after.version,
            _ => head == after,
        };
        let start = self.start.as_ref().map_or(Head::EMPTY, |fold| fold.head());
        let heads = [start].into_iter().chain(self.entries.iter().map(|entry| entry.1.head()));
        let here = heads.enumerate().find(|(_, head)| same(*head)).map(|(heard, _)| heard);
        Answer::Newer(match here {
            Some(heard) if !self.trims || heard == self.entries.len() => {
                Newer::here(self.entries[heard..].iter().map(|entry| entry.0.clone()).collect())
            }
            _ => self.whole(),
        })
    }

    fn whole(&self) -> Newer {
        match (&self.start, self.fold()) {
            (None, _) if !self.trims => {
                let entries = self.entries.iter().map(|entry| entry.0.clone()).collect();
                Newer { start: Start::Beginning, entries }
            }
            (_, Some(fold)) => {
                Newer { start: Start::Snapshot(std::sync::Arc::new(fold.clone())), entries: Vec::new() }
            }
            (_, None) => unreachable!("an empty log has nothing to tell"),
        }
    }

    /// `from` is the head that the proposal continues.
    pub(crate) fn found(&mut self, founding: &Founding, from: Head) -> Answer {
        let head = self.head();
        if founding.replaces(head) || self.broken == Broken::FoundsForAll && head == founding.over {
            self.founded += 1;
            self.wipe();
            self.start = Some(Rc::new((*founding.fold).clone()));
            let history = self.histories.get(&from).cloned().unwrap_or_default();
            self.histories.insert(founding.fold.head(), history);
            return Answer::Accepted;
        }
        match self.read(founding.fold.head()) {
            Answer::Newer(Newer { start: Start::Here, .. }) => Answer::Accepted,
            _ if head == Head::EMPTY => Answer::Behind(head),
            _ => Answer::Newer(self.whole()),
        }
    }
}
