//! What a process holds of a log: its newest appends, the folds before and after them, and who waits for more.

use std::collections::VecDeque;
use std::sync::{Arc, PoisonError};

use firedrill_failover::{
    Append, Contradiction, Entry, Event, Fold, Founding, Head, Newer, Start, Version, wire,
};
use tokio::sync::watch;

use crate::store::StoreError;
use crate::sync::{Mutex, MutexGuard};

/// So many of the newest appends are held. A reader that is further behind is given a snapshot instead.
pub const KEPT: usize = 10_000;

/// What is held of a log, for all who read it.
#[derive(Debug)]
pub(crate) struct Known {
    held: Mutex<Held>,
    /// Sent while `held` is locked, so that it is never older than what was read before.
    head: watch::Sender<Head>,
}

/// The newest appends, and the log's fold before the first and after the last of them.
#[derive(Debug, Default)]
pub(crate) struct Held {
    /// `None` if the first is the log's first.
    before: Option<Fold>,
    entries: VecDeque<Entry>,
    /// `None` for an empty log.
    after: Option<Fold>,
}

/// What is to be done with an append.
#[derive(Debug)]
pub(crate) enum Judged {
    /// It was decided on the newest version: it is next.
    Next,
    /// It is in the log.
    Known,
    /// It was decided on another head. This is newer.
    Stale(Newer),
}

impl Known {
    pub(crate) fn new(held: Held) -> Self {
        let sender = watch::Sender::new(held.head());
        Self { held: Mutex::new(held), head: sender }
    }

    /// All that is held, locked.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Held> {
        // A panic while it was locked left it whole, or broke an invariant: then nothing helps.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes what is held, and wakes who waits for it.
    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut Held) -> T) -> T {
        let mut held = self.lock();
        let answer = change(&mut held);
        let newest = held.head();
        self.head.send_if_modified(|known| std::mem::replace(known, newest) != newest);
        answer
    }

    pub(crate) fn judge(&self, append: &Append) -> Result<Judged, StoreError> {
        self.lock().judge(append)
    }

    pub(crate) fn read(&self, after: Head) -> Result<Newer, StoreError> {
        self.lock().newer(after)
    }

    pub(crate) async fn tail(&self, after: Head) -> Result<Newer, StoreError> {
        let mut heads = self.head.subscribe();
        loop {
            let newer = self.read(after)?;
            if !newer.is_empty() {
                return Ok(newer);
            }
            // The sender is `self`'s, so that it cannot be gone.
            let _ = heads.wait_for(|head| *head != after).await;
        }
    }

    pub(crate) fn snapshot(&self) -> Option<Arc<Fold>> {
        self.lock().after.clone().map(Arc::new)
    }
}

impl Held {
    /// What is held of a log that begins with this fold, or with nothing.
    pub(crate) fn from(snapshot: Option<Fold>) -> Self {
        Self { before: snapshot.clone(), entries: VecDeque::new(), after: snapshot }
    }

    pub(crate) fn head(&self) -> Head {
        self.after.as_ref().map_or(Head::EMPTY, Fold::head)
    }

    pub(crate) fn judge(&self, append: &Append) -> Result<Judged, StoreError> {
        let newer = self.newer(append.expected)?;
        if newer.is_empty() {
            return Ok(Judged::Next);
        }
        let own = newer.start == Start::Here
            && newer.entries.first().is_some_and(|first| *first == append.clone().into_entry());
        Ok(if own { Judged::Known } else { Judged::Stale(newer) })
    }

    /// What is newer than `after`.
    pub(crate) fn newer(&self, after: Head) -> Result<Newer, StoreError> {
        let head = self.head();
        if after.version > head.version {
            return Err(StoreError::Behind { expected: after, found: head });
        }
        Ok(match self.place(after) {
            Some(place) => Newer::here(self.entries.range(place..).cloned().collect()),
            None => self.whole(),
        })
    }

    /// Of the entries, the first after `head`; `None` if that is no part of what is held.
    fn place(&self, head: Head) -> Option<usize> {
        let before = self.before.as_ref().map_or(Head::EMPTY, Fold::head);
        let place = head.version.appends().checked_sub(before.version.appends())?;
        let place = usize::try_from(place).ok()?;
        let last = match place.checked_sub(1) {
            None => before,
            Some(last) => self.entries.get(last)?.head(),
        };
        (last == head).then_some(place)
    }

    /// Whether `head` is a part of what is held.
    #[cfg(feature = "redis")]
    pub(crate) fn has(&self, head: Head) -> bool {
        self.place(head).is_some()
    }

    /// The log for one who has heard nothing that is of use.
    fn whole(&self) -> Newer {
        match (&self.before, &self.after) {
            (Some(_), Some(fold)) => {
                Newer { start: Start::Snapshot(Arc::new(fold.clone())), entries: Vec::new() }
            }
            _ => Newer { start: Start::Beginning, entries: self.entries.iter().cloned().collect() },
        }
    }

    /// Takes the next append of the log, if it follows.
    pub(crate) fn admit(&mut self, entry: Entry) -> Result<(), StoreError> {
        if let Err(wrong) = follow(&mut self.after, &entry) {
            // The fold is half changed. This is a worker's bug and rare, so that it may cost a fold of what is held.
            self.after = self.before.clone();
            for entry in &self.entries {
                // What was admitted once is so again.
                if let Ok(fold) = founded(&mut self.after, entry) {
                    fold.apply(entry);
                }
            }
            return Err(wrong);
        }
        self.entries.push_back(entry);
        while self.entries.len() > KEPT
            && let Some(oldest) = self.entries.pop_front()
            && let Ok(fold) = founded(&mut self.before, &oldest)
        {
            fold.apply(&oldest);
        }
        Ok(())
    }

    /// What is to be done with a proposal to found the log anew: it is next if what is left of the log is what it says.
    pub(crate) fn judge_founding(&self, founding: &Founding) -> Result<Judged, StoreError> {
        let head = self.head();
        if founding.replaces(head) {
            return Ok(Judged::Next);
        }
        match self.newer(founding.fold.head()) {
            Ok(Newer { start: Start::Here, .. }) => Ok(Judged::Known),
            // It was cut when the proposal was made, and is wiped now: there is nothing to go on with.
            Err(behind) if head == Head::EMPTY => Err(behind),
            // Also a log that is not as far, for another worker founded it anew that had heard less.
            _ => Ok(Judged::Stale(self.whole())),
        }
    }
}

/// The line of `entry`, which is about to be appended to the log that `fold` is of, if the format can express it.
pub(crate) fn line(fold: Option<&Fold>, entry: &Entry) -> Result<String, StoreError> {
    let founding;
    let before = Version::new(entry.version.appends().saturating_sub(1));
    let wrong = |contradiction| StoreError::Contradiction { before, contradiction };
    let fold = match (fold, entry.events.first()) {
        (Some(fold), _) => fold,
        (None, Some(Event::Configured(configured))) => {
            founding = Fold::new(&configured.config);
            &founding
        }
        (None, _) => return Err(wrong(Contradiction::NotFounded)),
    };
    let unknown = |event: &Event| event.token().is_some_and(|id| fold.pool().token(id).is_none());
    if entry.events.iter().any(unknown) {
        return Err(wrong(Contradiction::UnknownToken));
    }
    Ok(wire::line(fold.pool(), entry))
}

/// Folds `entry`, if it follows on the log that `fold` is of; `None` is the empty log's. On an error the fold is half
/// changed.
pub(crate) fn follow(fold: &mut Option<Fold>, entry: &Entry) -> Result<(), StoreError> {
    let before = fold.as_ref().map_or(Head::EMPTY, Fold::head).version;
    let followed = founded(fold, entry)
        .and_then(|fold| fold.try_apply(entry).map_err(|(_, contradiction)| contradiction));
    followed.map_err(|contradiction| StoreError::Contradiction { before, contradiction })
}

/// The fold that `entry` is to be applied to: one of an empty log with its configuration, if it founds the log.
fn founded<'a>(fold: &'a mut Option<Fold>, entry: &Entry) -> Result<&'a mut Fold, Contradiction> {
    match (fold, entry.events.first()) {
        (Some(fold), _) => Ok(fold),
        (none, Some(Event::Configured(configured))) => Ok(none.insert(Fold::new(&configured.config))),
        (None, _) => Err(Contradiction::NotFounded),
    }
}

/// A line with its check, if it is at most `most` bytes long, so that it can be read again.
pub(crate) fn checked(line: &str, most: usize) -> Result<String, StoreError> {
    let line = wire::with_check(line);
    let length = line.len();
    if length > most { Err(StoreError::TooLong { length, most }) } else { Ok(line) }
}

#[cfg(test)]
mod tests;
