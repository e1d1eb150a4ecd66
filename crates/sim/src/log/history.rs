//! The log of a world: what a store holds, with the promises of one; and a store that forgets.

use std::rc::Rc;
use std::sync::Arc;

use firedrill_failover::{Append, Entry, Fold, Founding, Head, Newer, Start};

/// What the store holds.
#[derive(Clone, Debug)]
pub(super) struct History {
    /// What it was founded anew with, if it was.
    before: Option<Rc<Fold>>,
    entries: Rc<Vec<Entry>>,
    /// What it comes to; `None` if it is empty.
    newest: Option<Rc<Fold>>,
    /// How often it forgot or was founded: a log with another history has another number.
    pub(super) epoch: usize,
}

/// What the log says to an append.
#[derive(Debug)]
pub(super) enum Judged {
    /// It is the next.
    Next,
    /// It is in the log already, as the newest.
    Known,
    /// This is newer.
    Stale(Newer),
    /// The log has never been as far: this is its head.
    Behind(Head),
}

impl History {
    pub(super) fn new(entries: Vec<Entry>, newest: Fold) -> Self {
        Self { before: None, entries: Rc::new(entries), newest: Some(Rc::new(newest)), epoch: 0 }
    }

    /// The fold of all of it; `None` if it is empty.
    pub(super) fn newest(&self) -> Option<&Rc<Fold>> {
        self.newest.as_ref()
    }

    /// How many appends it stands for.
    pub(super) fn version(&self) -> u64 {
        self.head().version.appends()
    }

    pub(super) fn head(&self) -> Head {
        self.newest.as_ref().map_or(Head::EMPTY, |fold| fold.head())
    }

    /// What is newer than `after`, or the head that is behind it.
    pub(super) fn newer(&self, after: Head) -> Result<Newer, Head> {
        let head = self.head();
        if after.version > head.version {
            return Err(head);
        }
        let before = self.before.as_ref().map_or(Head::EMPTY, |fold| fold.head());
        let heard = after.version.appends().checked_sub(before.version.appends());
        let heard = heard.and_then(|heard| usize::try_from(heard).ok()).filter(|heard| {
            let last = heard.checked_sub(1).and_then(|last| self.entries.get(last));
            last.map_or(before, Entry::head) == after
        });
        Ok(match heard {
            Some(heard) => Newer::here(self.entries[heard..].to_vec()),
            None => self.whole(),
        })
    }

    /// The log for one who has heard nothing that is of use.
    fn whole(&self) -> Newer {
        match (&self.before, &self.newest) {
            (Some(_), Some(fold)) => {
                Newer { start: Start::Snapshot(Arc::new((**fold).clone())), entries: Vec::new() }
            }
            _ => Newer { start: Start::Beginning, entries: self.entries.to_vec() },
        }
    }

    pub(super) fn judge(&self, append: &Append) -> Judged {
        match self.newer(append.expected) {
            Err(head) => Judged::Behind(head),
            Ok(newer) if newer.is_empty() => Judged::Next,
            Ok(newer) if newer.start != Start::Here => Judged::Stale(newer),
            Ok(newer) => match &newer.entries[..] {
                [own] if *own == append.clone().into_entry() => Judged::Known,
                // A store may have trimmed what is newer by now: then the worker finds its append in a snapshot.
                [own, ..] if *own == append.clone().into_entry() => match &self.newest {
                    Some(fold) => {
                        let start = Start::Snapshot(Arc::new((**fold).clone()));
                        Judged::Stale(Newer { start, entries: Vec::new() })
                    }
                    None => Judged::Stale(newer),
                },
                _ => Judged::Stale(newer),
            },
        }
    }

    pub(super) fn judge_founding(&self, founding: &Founding) -> Judged {
        if founding.replaces(self.head()) {
            return Judged::Next;
        }
        match self.newer(founding.fold.head()) {
            Ok(Newer { start: Start::Here, .. }) => Judged::Known,
            // It has forgotten once more, and there is nothing to follow.
            Err(head) if self.newest.is_none() => Judged::Behind(head),
            _ => Judged::Stale(self.whole()),
        }
    }

    /// Takes the next append. A log that takes anything may come to hold what does not follow: its fold stays.
    pub(super) fn push(&mut self, entry: Entry) {
        let mut after = match &self.newest {
            Some(fold) => (**fold).clone(),
            None => match entry.events.first() {
                Some(firedrill_failover::Event::Configured(configured)) => Fold::new(&configured.config),
                _ => return,
            },
        };
        if after.try_apply(&entry).is_ok() {
            self.newest = Some(Rc::new(after));
        }
        Rc::make_mut(&mut self.entries).push(entry);
    }

    /// Is founded anew.
    pub(super) fn found(&mut self, founding: &Founding) {
        let fold = Rc::new((*founding.fold).clone());
        let epoch = self.epoch + 1;
        *self = Self { before: Some(Rc::clone(&fold)), entries: Rc::default(), newest: Some(fold), epoch };
    }

    /// Loses its last append, or with `wholly` everything.
    pub(super) fn forget(&mut self, wholly: bool) {
        self.epoch += 1;
        let keeps = self.entries.len().saturating_sub(1);
        if wholly || self.entries.is_empty() {
            (self.before, self.newest, self.entries) = (None, None, Rc::default());
            return;
        }
        let kept: Vec<Entry> = self.entries[..keeps].to_vec();
        let mut log = Self {
            before: self.before.clone(),
            entries: Rc::default(),
            newest: self.before.clone(),
            epoch: self.epoch,
        };
        for entry in kept {
            log.push(entry);
        }
        *self = log;
    }
}
