//! What a process holds of a log: its newest appends, the folds before and after them, and who waits for more.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use firedrill_failover::{
    Append, Contradiction, Entry, Event, Fold, Founding, Head, Newer, Start, Version, wire,
};
use tokio::sync::watch;

use crate::store::StoreError;

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
        let head = watch::Sender::new(held.head());
        Self { held: Mutex::new(held), head }
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
        let head = held.head();
        self.head.send_if_modified(|known| std::mem::replace(known, head) != head);
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
        let before = self.before.as_ref().map_or(Head::EMPTY, Fold::head);
        let heard = after.version.appends().checked_sub(before.version.appends());
        let heard = heard.and_then(|heard| usize::try_from(heard).ok()).filter(|heard| {
            let last = heard.checked_sub(1).and_then(|last| self.entries.get(last));
            last.map_or(before, Entry::head) == after
        });
        Ok(match heard {
            Some(heard) => Newer::here(self.entries.range(heard..).cloned().collect()),
            None => self.whole(),
        })
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
        let before = self.head().version;
        let contradiction = |contradiction| StoreError::Contradiction { before, contradiction };
        let fold = founded(&mut self.after, &entry).map_err(contradiction)?;
        if let Err((_, wrong)) = fold.try_apply(&entry) {
            // The fold is half changed. This is a worker's bug and rare, so that it may cost a fold of what is held.
            self.after = self.before.clone();
            for entry in &self.entries {
                if let Ok(fold) = founded(&mut self.after, entry) {
                    fold.apply(entry);
                }
            }
            return Err(contradiction(wrong));
        }
        self.entries.push_back(entry);
        while self.entries.len() > KEPT
            && let Some(oldest) = self.entries.pop_front()
        {
            founded(&mut self.before, &oldest).map_err(contradiction)?.apply(&oldest);
        }
        Ok(())
    }

    /// Begins the log anew, if what is left of it is what the proposal says.
    pub(crate) fn found(&mut self, founding: &Founding) -> Result<Judged, StoreError> {
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

/// The fold that `entry` is to be applied to: one of an empty log with its configuration, if it founds the log.
pub(crate) fn founded<'a>(fold: &'a mut Option<Fold>, entry: &Entry) -> Result<&'a mut Fold, Contradiction> {
    match (fold, entry.events.first()) {
        (Some(fold), _) => Ok(fold),
        (none, Some(Event::Configured(configured))) => Ok(none.insert(Fold::new(&configured.config))),
        (None, _) => Err(Contradiction::NotFounded),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::sync::Arc;

    use firedrill_failover::{
        Append, Attempt, Command, Config, Duration, FailoverSettings, Fingerprint, Head, Instant, Newer,
        Random, Settings, Start, Status, Token, Version, Worker, WorkerId,
    };

    use super::*;

    fn worker(number: u64) -> (Worker, Command) {
        let failover = FailoverSettings {
            enabled: true,
            failure_threshold: 1_000_000,
            cooldown_duration: 1,
            ..FailoverSettings::default()
        };
        let token = Token { label: "a".into(), fingerprint: Fingerprint::new(1) };
        let config =
            Config::parse(vec![token], &Settings { failover, ..Settings::default() }).expect("good rules");
        (Worker::new(WorkerId::new(number), Instant::ZERO, &config), Command::Join(config))
    }

    fn failure(worker: &Worker) -> Command {
        let token = worker.pool().find("a").expect("a token");
        Command::Outcome { token, status: Status::new(429).expect("a status"), attempt: Attempt::First }
    }

    /// All of a log: every append, and the fold after it.
    #[derive(Default)]
    struct Whole {
        /// What it was founded anew with.
        start: Option<Fold>,
        log: Vec<(Entry, Fold)>,
    }

    impl Whole {
        fn fold(&self) -> Option<&Fold> {
            self.log.last().map(|(_, fold)| fold).or(self.start.as_ref())
        }

        /// What one is told who has heard up to `after`, if the newest [`KEPT`] appends are held.
        fn told(&self, after: Head) -> Result<Newer, ()> {
            let head = self.fold().map_or(Head::EMPTY, Fold::head);
            if after.version > head.version {
                return Err(());
            }
            let start = self.start.as_ref().map_or(Head::EMPTY, Fold::head);
            let heads = [start].into_iter().chain(self.log.iter().map(|(entry, _)| entry.head()));
            let trimmed = self.log.len().saturating_sub(KEPT);
            let place = heads.enumerate().skip(trimmed).find(|(_, head)| *head == after);
            let entries = |from: usize| self.log[from..].iter().map(|(entry, _)| entry.clone()).collect();
            Ok(match (place, self.fold()) {
                (Some((heard, _)), _) => Newer::here(entries(heard)),
                (None, Some(fold)) if trimmed > 0 || self.start.is_some() => {
                    Newer { start: Start::Snapshot(Arc::new(fold.clone())), entries: Vec::new() }
                }
                (None, _) => Newer { start: Start::Beginning, entries: entries(0) },
            })
        }
    }

    fn agree(held: &Held, whole: &Whole, after: Head) {
        let told = held.newer(after).map_err(|error| assert!(matches!(error, StoreError::Behind { .. })));
        let expect = whole.told(after);
        assert!(told == expect, "after {after}: {:?} entries", told.map(|newer| newer.entries.len()));
    }

    /// Heads round the border of what is held, with their names and with others.
    fn heads(whole: &Whole, random: &mut Random) -> Vec<Head> {
        let known = |place: usize| whole.log.get(place).map(|(entry, _)| entry.head());
        let trimmed = whole.log.len().saturating_sub(KEPT);
        let last = whole.log.len().saturating_sub(1);
        let any = random.below(u32::try_from(whole.log.len().max(1)).expect("a short log")) as usize;
        let near =
            [0, 1, trimmed.saturating_sub(2), trimmed.saturating_sub(1), trimmed, trimmed + 1, any, last];
        let named: Vec<Head> = near.into_iter().filter_map(known).collect();
        let others = named.iter().flat_map(|head| {
            [
                Head { proposal: head.proposal + 7_000_000, ..*head },
                Head { by: WorkerId::new(77), ..*head },
                Head { version: head.version.next(), ..*head },
                Head { version: Version::new(head.version.appends() - 1), ..*head },
            ]
        });
        let start = whole.start.as_ref().map(Fold::head);
        [Head::EMPTY].into_iter().chain(start).chain(named.iter().copied()).chain(others).collect()
    }

    #[test]
    fn what_is_held_tells_what_the_whole_log_would() {
        let (mut worker, join) = worker(1);
        let (mut held, mut whole) = (Held::default(), Whole::default());
        let mut random = Random::new(1, 1);
        let mut waiting = VecDeque::from([join]);
        for round in 0..KEPT + 40 {
            let append = worker.propose_together(Duration::ZERO, &mut waiting).expect("news");
            assert!(matches!(held.judge(&append), Ok(Judged::Next)), "round {round}");
            let entry = worker.accepted();
            held.admit(entry.clone()).expect("it follows");
            assert!(matches!(held.judge(&append), Ok(Judged::Known)), "asked again, round {round}");
            whole.log.push((entry, worker.fold().clone()));
            if round < 4 || round + 4 > KEPT && round < KEPT + 4 || round == KEPT + 39 {
                for head in heads(&whole, &mut random) {
                    agree(&held, &whole, head);
                }
                let stale = Append { proposal: 9_000_000, ..append };
                assert!(matches!(held.judge(&stale), Ok(Judged::Stale(_))), "another one, round {round}");
            }
            waiting.push_back(failure(&worker));
        }
        assert_eq!(held.entries.len(), KEPT);
        assert_eq!(held.before.as_ref(), Some(&whole.log[39].1), "the fold before the first that is held");
    }

    #[test]
    fn a_log_is_founded_over_what_the_proposal_says_and_over_nothing_else() {
        let (mut one, join) = worker(1);
        let mut waiting = VecDeque::from([join]);
        let mut log = Vec::new();
        for _ in 0..4 {
            one.propose_together(Duration::ZERO, &mut waiting).expect("news");
            log.push(one.accepted());
            waiting.push_back(failure(&one));
        }
        let cut = |left: usize| {
            let mut held = Held::default();
            log[..left].iter().for_each(|entry| held.admit(entry.clone()).expect("it follows"));
            held
        };
        let over = log[1].head();
        let founding = one.clone().found_anew(Duration::ZERO, over);
        assert!(matches!(cut(2).found(&founding), Ok(Judged::Next)));
        assert!(matches!(cut(1).found(&founding), Ok(Judged::Stale(_))), "it was cut again");
        assert!(matches!(cut(4).found(&founding), Ok(Judged::Stale(_))), "it is back");
        assert!(
            matches!(cut(0).found(&founding), Err(StoreError::Behind { found: Head::EMPTY, .. })),
            "an empty log has nothing to go on with"
        );
        let mut held = Held::from(Some((*founding.fold).clone()));
        assert!(matches!(held.found(&founding), Ok(Judged::Known)));
        let whole = Whole { start: Some((*founding.fold).clone()), log: Vec::new() };
        for entry in &log {
            agree(&held, &whole, entry.head());
        }
        agree(&held, &whole, founding.fold.head());
        // One that had heard more comes late.
        let (mut two, _) = worker(2);
        two.catch_up(&Newer::here(log.clone()));
        for number in 0..2 {
            let command = failure(&two);
            two.propose(Duration::from_millis(number), command).expect("news");
            two.accepted();
        }
        let late = two.found_anew(Duration::ZERO, held.head());
        assert!(matches!(held.found(&late), Ok(Judged::Stale(_))), "it was founded anew already");
    }
}
