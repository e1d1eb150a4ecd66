//! What a driver knows and does at once: all of it but waiting.

use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::time;

use firedrill_failover::{
    Append, Command, Duration, Event, Founding, Head, Newer, Refused, Start, Version, Worker,
};

use super::backlog::{Backlog, Mark, Waiting, configures};
use super::driver::Observer;
use super::standing::Reach;
use super::{Item, Published, Shared, Standing, UNSETTLED};
use crate::store::StoreError;

/// A store that is away is asked again after this, then after twice as long, and so on.
const FIRST_PAUSE: time::Duration = time::Duration::from_millis(10);

/// It is asked at least this often.
const LONGEST_PAUSE: time::Duration = time::Duration::from_secs(1);

/// All of a driver but what it waits for.
#[derive(Debug)]
pub(super) struct Core<U, O> {
    shared: Arc<Shared>,
    worker: Worker,
    uptime: U,
    observer: O,
    backlog: Backlog,
    flight: Flight,
    /// So many commands go one by one: one of them cannot be appended.
    singly: usize,
    /// Whether all do, and nothing but what is queued is performed.
    one_by_one: bool,
    era: u64,
    /// How many items were taken in.
    taken: u64,
    standing: Standing,
    /// Whether the pool has changed since it was published.
    changed: bool,
    /// Whether the worker has decided alone since the log was heard: then the log may give its tokens other ids.
    was_alone: bool,
    pause: time::Duration,
}

/// Of what is in flight, how many commands, and who is told when they are settled.
#[derive(Debug, Default)]
struct Flight {
    commands: usize,
    marks: Vec<Mark>,
}

/// What is in flight.
pub(super) enum Sent {
    Append(Append),
    Founding(Founding),
}

impl<U: Fn() -> Duration + Send, O: Observer> Core<U, O> {
    pub(super) fn new(shared: Arc<Shared>, worker: Worker, uptime: U, observer: O) -> Self {
        let standing = shared.standing.borrow().clone();
        Self {
            shared,
            worker,
            uptime,
            observer,
            backlog: Backlog::new(),
            flight: Flight::default(),
            singly: 0,
            one_by_one: false,
            era: 0,
            taken: 0,
            standing,
            changed: false,
            was_alone: false,
            pause: FIRST_PAUSE,
        }
    }

    pub(super) fn decide_one_by_one(&mut self) {
        self.one_by_one = true;
    }

    pub(super) fn has_commands(&self) -> bool {
        !self.backlog.is_empty()
    }

    pub(super) fn head(&self) -> Head {
        self.worker.head()
    }

    pub(super) fn is_alone(&self) -> bool {
        matches!(self.standing.reach, Reach::Away { .. })
    }

    /// Queues what was reported; decides it alone while the store is away.
    pub(super) fn take_in(&mut self, item: Item) {
        self.taken += 1;
        let serving = self.worker.serving();
        let waiting = match item {
            Item::Settled(done) => return self.backlog.mark(done),
            Item::Command(command) => Waiting::named(*command, serving),
            Item::Outcome { drawn, status, attempt } => {
                let command = Command::Outcome { token: drawn.selection.token, status, attempt };
                let fingerprint = Some(drawn.fingerprint);
                // One that was dropped since is nobody's business. One of another era may be waiting for its configuration.
                let known = drawn.era != self.era || serving.token(drawn.selection.token).is_some();
                known.then_some(Waiting { command, fingerprint })
            }
        };
        let Some(waiting) = waiting else { return };
        if self.is_alone() {
            let changed = self.decide_alone(&waiting);
            let kept = match waiting.command {
                // There will be another when the store is back.
                Command::Tick => false,
                Command::ProbeAnswered { .. } => true,
                Command::Join(_)
                | Command::Outcome { .. }
                | Command::Reconfigure(_)
                | Command::Operate { .. } => changed,
            };
            if !kept {
                return;
            }
        }
        self.queue(waiting);
    }

    fn queue(&mut self, waiting: Waiting) {
        self.backlog.push(waiting, self.worker.serving().policy());
    }

    fn queue_tick(&mut self) {
        self.queue(Waiting { command: Command::Tick, fingerprint: None });
    }

    fn decide_alone(&mut self, waiting: &Waiting) -> bool {
        let Some(command) = waiting.clone().for_pool(self.worker.serving()) else { return false };
        let changed = self.perform_alone((self.uptime)(), &command);
        if changed {
            self.changed = true;
            let published = self.shared.published.load();
            let lists = published.pool.available_len() != self.worker.serving().available_len();
            drop(published);
            if lists || configures(&command) {
                self.publish(false);
            }
        }
        changed
    }

    fn perform_alone(&mut self, uptime: Duration, command: &Command) -> bool {
        let Self { worker, observer, .. } = self;
        worker.decide_alone_and_tell(uptime, command, |before, entry| observer.decided_alone(before, entry))
    }

    /// Takes the next commands from the backlog; gives the append to send.
    pub(super) fn propose(&mut self) -> Option<Append> {
        loop {
            let most = if self.singly > 0 || self.one_by_one { 1 } else { usize::MAX };
            let mut batch = self.backlog.take(self.worker.pool(), most);
            if batch.is_empty() {
                return None;
            }
            self.singly = self.singly.saturating_sub(batch.taken);
            self.flight = Flight { commands: batch.taken, marks: batch.marks };
            let append = self.worker.propose_together((self.uptime)(), &mut batch.commands);
            if append.is_some() {
                return append;
            }
            self.settle_flight();
            if self.one_by_one {
                return None;
            }
        }
    }

    pub(super) fn accepted(&mut self, sent: &Sent) {
        self.is_reached();
        match sent {
            Sent::Append(_) => {
                let began = self.worker.head().version == Version::EMPTY;
                let entry = self.worker.accepted();
                self.observer.accepted(&entry);
                self.standing.appends += 1;
                self.has_changed(began, &entry.events);
                self.settle_flight();
                self.tick_after_joining(began);
            }
            Sent::Founding(founding) => {
                self.worker.founded();
                self.observer.founded_anew(founding);
                self.standing.founded_anew += 1;
                self.has_changed(false, &[]);
                self.propose_lost_again();
            }
        }
    }

    /// Gives the append to send next, if the same commands are decided again.
    pub(super) fn refused(&mut self, newer: &Newer) -> Option<Append> {
        self.is_reached();
        let began = self.worker.head().version == Version::EMPTY;
        let again = match self.worker.refused(newer) {
            Refused::Again(append) => {
                self.standing.conflicts += 1;
                self.observer.heard(newer);
                Some(append)
            }
            Refused::NothingLeft => {
                self.standing.conflicts += u64::from(newer.start == Start::Here);
                self.observer.heard(newer);
                None
            }
            Refused::WasAccepted(own) => {
                // It stands before all that is newer.
                self.observer.accepted(&own);
                self.standing.appends += 1;
                let mut rest = newer.clone();
                if rest.start == Start::Here {
                    rest.entries.retain(|entry| *entry != own);
                }
                if !rest.is_empty() {
                    self.observer.heard(&rest);
                }
                None
            }
        };
        self.has_heard(began, newer, again.is_some());
        again
    }

    pub(super) fn hear(&mut self, newer: &Newer) {
        self.is_reached();
        let began = self.worker.head().version == Version::EMPTY;
        if began && newer.is_empty() {
            return;
        }
        // Also if it is nothing: the worker decides alone no longer.
        self.worker.catch_up(newer);
        if !newer.is_empty() {
            self.observer.heard(newer);
        }
        self.has_heard(began, newer, false);
    }

    fn has_heard(&mut self, began: bool, newer: &Newer, in_flight: bool) {
        self.unsettle();
        let started_over = newer.start != Start::Here;
        if started_over && !began {
            self.standing.started_over += 1;
        }
        let events: Vec<&Event> = newer.entries.iter().flat_map(|entry| &entry.events).collect();
        self.has_changed(began || started_over, events);
        if !in_flight {
            self.propose_lost_again();
        }
        self.tick_after_joining(began);
    }

    /// A worker moves up to the log's time at its first command after joining, and what came due before is done at once.
    fn tick_after_joining(&mut self, began: bool) {
        if began && !self.one_by_one {
            self.queue_tick();
        }
    }

    pub(super) fn found_anew(&mut self, over: Head) -> Founding {
        self.unsettle();
        self.worker.found_anew((self.uptime)(), over)
    }

    /// Nothing is in flight any more. What was settled in a log that is gone, or on its way there, comes before all else;
    /// who waits for what was on its way goes on waiting.
    fn propose_lost_again(&mut self) {
        let lost = self.worker.take_lost();
        if lost.is_empty() {
            return self.settle_flight();
        }
        let lost = lost.into_iter().map(Waiting::proposed).collect();
        self.backlog.push_front(lost, std::mem::take(&mut self.flight).marks);
    }

    /// What is in flight cannot be appended. If it is several commands, they are tried one by one.
    pub(super) fn give_up(&mut self, error: &StoreError) {
        let commands = self.worker.withdraw();
        if commands.len() > 1 {
            self.singly = commands.len();
            let again = commands.into_iter().map(Waiting::proposed).collect();
            self.backlog.push_front(again, std::mem::take(&mut self.flight).marks);
        } else {
            self.standing.given_up = Some(error.to_string());
            self.settle_flight();
        }
    }

    /// Nothing is in flight any more. Who waits for that finds it done wherever they look.
    fn settle_flight(&mut self) {
        let flight = std::mem::take(&mut self.flight);
        if flight.marks.is_empty() {
            return;
        }
        if self.changed {
            self.publish(false);
        }
        self.tell();
        for done in flight.marks {
            // Who asked may have gone.
            let _ = done.send(());
        }
    }

    /// The fold has changed by `events`; with `other_ids` its tokens are named otherwise than before.
    fn has_changed<'a>(&mut self, other_ids: bool, events: impl IntoIterator<Item = &'a Event>) {
        self.changed = true;
        let lists = events.into_iter().any(|event| {
            matches!(
                event,
                Event::Removed { .. }
                    | Event::TakenOut { .. }
                    | Event::Restored { .. }
                    | Event::Configured(_)
            )
        });
        let other_ids = other_ids || std::mem::take(&mut self.was_alone);
        if other_ids || lists {
            self.publish(other_ids);
        }
        self.tell();
    }

    /// Nothing is to be done just now.
    pub(super) fn rest(&mut self) {
        if self.changed {
            self.publish(false);
        }
        // One by one, everything that is reported has its turn.
        if !self.one_by_one && self.backlog.is_empty() {
            self.shared.settled.store(self.taken, SeqCst);
        }
        self.tell();
    }

    /// What was settled may have to be decided again.
    fn unsettle(&self) {
        self.shared.settled.store(UNSETTLED, SeqCst);
    }

    fn publish(&mut self, other_ids: bool) {
        let pool = self.worker.serving();
        let before = self.shared.published.load().pool.version();
        let founded = before == Version::EMPTY && pool.version() > Version::EMPTY;
        self.era += u64::from(other_ids || founded);
        self.shared.published.store(Arc::new(Published { pool: pool.clone(), era: self.era }));
        self.changed = false;
    }

    pub(super) fn is_away(&mut self, error: &StoreError) {
        self.unsettle();
        let why = error.to_string();
        if let Reach::Away { why: said, .. } = &mut self.standing.reach {
            *said = why;
            return self.tell();
        }
        let uptime = (self.uptime)();
        self.standing.reach = Reach::Away { since: uptime, why };
        self.standing.outages += 1;
        self.was_alone = true;
        // First what came due: also for this the worker takes what is in flight to be accepted.
        self.perform_alone(uptime, &Command::Tick);
        let Self { worker, observer, backlog, .. } = self;
        for waiting in backlog.waiting() {
            if let Some(command) = waiting.for_pool(worker.serving()) {
                let tell = |before: &_, entry: &_| observer.decided_alone(before, entry);
                worker.decide_alone_and_tell(uptime, &command, tell);
            }
        }
        self.publish(false);
        self.tell();
    }

    /// The store has answered.
    pub(super) fn is_reached(&mut self) {
        self.pause = FIRST_PAUSE;
        let was_alone = self.is_alone();
        self.standing.reach = Reach::Connected;
        if was_alone {
            // What came due meanwhile.
            self.queue_tick();
        }
    }

    pub(super) fn next_pause(&mut self) -> time::Duration {
        let pause = self.pause;
        self.pause = (pause * 2).min(LONGEST_PAUSE);
        pause
    }

    pub(super) fn tell(&mut self) {
        self.standing.head = self.worker.head();
        self.standing.waiting = self.backlog.len() + self.flight.commands;
        let standing = &self.standing;
        self.shared.standing.send_if_modified(|told| {
            let news = told != standing;
            if news {
                told.clone_from(standing);
            }
            news
        });
    }
}
