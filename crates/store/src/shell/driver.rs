//! The task that drives a worker: it sends what is queued to the store, and hears what is newer.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::pin::pin;
use std::sync::Arc;
use std::time;

use firedrill_failover::{
    Append, Appended, Command, Duration, Entry, Event, Founding, Head, Newer, Refused, Start, Version, Worker,
};
use tokio::sync::{mpsc, oneshot};

use super::backlog::Backlog;
use super::standing::Reach;
use super::{Item, Published, Shared, Standing, id_of};
use crate::store::{Store, StoreError};

/// So many items are taken from the queue at once.
const AT_ONCE: usize = 1_024;

/// A store that is away is asked again after this, then after twice as long, and so on.
const FIRST_PAUSE: time::Duration = time::Duration::from_millis(10);

/// It is asked at least this often.
const LONGEST_PAUSE: time::Duration = time::Duration::from_secs(1);

/// Who is told what enters the log. Called on the driver's task, which waits for it.
pub trait Observer: Send {
    /// This worker appended it. Whoever performs what a worker decides sends a probe now for every
    /// [`Event::ProbeSent`] in it.
    fn accepted(&mut self, entry: &Entry);

    /// Others appended it, or this worker had before and hears so now.
    fn heard(&mut self, newer: &Newer);

    /// The log was founded anew from this worker's fold.
    fn founded_anew(&mut self, founding: &Founding);
}

/// An observer that does nothing.
#[derive(Copy, Clone, Debug, Default)]
pub struct Quiet;

impl Observer for Quiet {
    fn accepted(&mut self, _: &Entry) {}

    fn heard(&mut self, _: &Newer) {}

    fn founded_anew(&mut self, _: &Founding) {}
}

/// The task that drives a worker. [`Driver::run`] it: without that nothing is ever decided.
#[derive(Debug)]
#[must_use = "a driver that is not run decides nothing"]
pub struct Driver<S, U, O> {
    store: S,
    items: mpsc::UnboundedReceiver<Item>,
    core: Core<U, O>,
}

/// All of a driver but what it waits for.
#[derive(Debug)]
struct Core<U, O> {
    shared: Arc<Shared>,
    worker: Worker,
    uptime: U,
    observer: O,
    backlog: Backlog,
    /// How many commands were added to the backlog.
    added: u64,
    /// How many of them are settled.
    settled: u64,
    /// How many are in flight.
    in_flight: u64,
    /// Who waits until how many are settled.
    marks: VecDeque<(u64, oneshot::Sender<()>)>,
    era: u64,
    standing: Standing,
    /// Whether the pool has changed since it was published.
    changed: bool,
    /// Whether a configuration was decided alone: then the log may give its tokens other ids.
    configured_alone: bool,
    pause: time::Duration,
}

/// What is in flight.
enum Sent {
    Append(Append),
    Founding(Founding),
}

impl<S: Store, U: Fn() -> Duration + Send, O: Observer> Driver<S, U, O> {
    pub(super) fn new(
        shared: Arc<Shared>,
        items: mpsc::UnboundedReceiver<Item>,
        store: S,
        worker: Worker,
        uptime: U,
        observer: O,
    ) -> Self {
        let standing = shared.standing.borrow().clone();
        let core = Core {
            shared,
            worker,
            uptime,
            observer,
            backlog: Backlog::default(),
            added: 0,
            settled: 0,
            in_flight: 0,
            marks: VecDeque::new(),
            era: 0,
            standing,
            changed: false,
            configured_alone: false,
            pause: FIRST_PAUSE,
        };
        Self { store, items, core }
    }

    /// Drives the worker until every [`super::Shell`] is dropped and, if the store can be reached, all is settled. Needs a
    /// tokio runtime with its timer.
    pub async fn run(mut self) {
        let mut ended = self.begin().await;
        let mut items = Vec::new();
        while ended.is_continue() {
            // A store that always has news keeps nobody from reporting.
            for _ in 0..AT_ONCE {
                let Ok(item) = self.items.try_recv() else { break };
                self.core.take_in(item);
            }
            while ended.is_continue()
                && let Some(append) = self.core.propose()
            {
                ended = self.settle(Sent::Append(append)).await;
            }
            if ended.is_break() {
                return;
            }
            self.core.rest();
            let head = self.core.worker.head();
            tokio::select! {
                biased;
                newer = self.store.tail(head) => match newer {
                    Ok(newer) => self.core.hear(&newer),
                    Err(StoreError::Behind { found, .. }) => {
                        let founding = self.core.found_anew(found);
                        ended = self.settle(Sent::Founding(founding)).await;
                    }
                    Err(error) => ended = self.wait(&error).await,
                },
                taken = self.items.recv_many(&mut items, AT_ONCE) => {
                    if taken == 0 {
                        return;
                    }
                    for item in items.drain(..) {
                        self.core.take_in(item);
                    }
                }
            }
        }
    }

    /// Hears what the log comes to.
    async fn begin(&mut self) -> ControlFlow<()> {
        loop {
            match self.store.snapshot().await {
                Ok(fold) => {
                    if let Some(fold) = fold {
                        self.core.hear(&Newer { start: Start::Snapshot(fold), entries: Vec::new() });
                    }
                    return ControlFlow::Continue(());
                }
                Err(error) => self.wait(&error).await?,
            }
        }
    }

    /// Asks the store until it has answered for good. Breaks off if it is away and nobody is there any more who could wait.
    async fn settle(&mut self, mut sent: Sent) -> ControlFlow<()> {
        loop {
            match self.ask(&sent).await {
                Ok(Appended::Accepted) => self.core.accepted(&sent),
                Ok(Appended::Refused(newer)) => {
                    if matches!(sent, Sent::Append(_)) {
                        self.core.standing.conflicts += 1;
                    }
                    if let Some(again) = self.core.refused(&newer) {
                        sent = Sent::Append(again);
                        continue;
                    }
                }
                Err(StoreError::Behind { found, .. }) => {
                    sent = Sent::Founding(self.core.found_anew(found));
                    continue;
                }
                Err(error @ (StoreError::Contradiction { .. } | StoreError::TooLong { .. })) => {
                    self.core.give_up(&error);
                    if let Ok(Some(fold)) = self.store.snapshot().await {
                        self.core.hear(&Newer { start: Start::Snapshot(fold), entries: Vec::new() });
                    }
                }
                Err(error) => {
                    self.wait(&error).await?;
                    continue;
                }
            }
            return ControlFlow::Continue(());
        }
    }

    /// Asks the store, and takes in what is reported meanwhile.
    async fn ask(&mut self, sent: &Sent) -> Result<Appended, StoreError> {
        let Self { store, items, core } = self;
        core.tell();
        let mut asked = pin!(async {
            match sent {
                Sent::Append(append) => store.append(append).await,
                Sent::Founding(founding) => store.found(founding).await,
            }
        });
        loop {
            tokio::select! {
                biased;
                answer = &mut asked => return answer,
                Some(item) = items.recv() => core.take_in(item),
            }
        }
    }

    /// The store is away: waits a little, and decides alone what is reported meanwhile. Breaks off if nobody is there any
    /// more: nobody knows when the store comes back.
    async fn wait(&mut self, error: &StoreError) -> ControlFlow<()> {
        self.core.is_away(error);
        let mut pause = pin!(tokio::time::sleep(self.core.next_pause()));
        loop {
            tokio::select! {
                biased;
                item = self.items.recv() => match item {
                    Some(item) => self.core.take_in(item),
                    None => return ControlFlow::Break(()),
                },
                () = &mut pause => return ControlFlow::Continue(()),
            }
        }
    }
}

impl<U: Fn() -> Duration + Send, O: Observer> Core<U, O> {
    fn uptime(&self) -> Duration {
        (self.uptime)()
    }

    fn is_alone(&self) -> bool {
        matches!(self.standing.reach, Reach::Away { .. })
    }

    /// Queues what was reported; decides it alone while the store is away.
    fn take_in(&mut self, item: Item) {
        let command = match item {
            Item::Command(command) => *command,
            Item::Outcome { drawn, status, attempt } => {
                // A token that is known no longer is nobody's business.
                let Some(token) = id_of(self.worker.serving(), self.era, &drawn) else { return };
                Command::Outcome { token, status, attempt }
            }
            Item::Settled(done) => return self.marks.push_back((self.added, done)),
        };
        if self.is_alone() {
            let changed = self.decide_alone(&command);
            let kept = match command {
                // There will be another when the store is back.
                Command::Tick => false,
                Command::ProbeAnswered { .. } => true,
                Command::Join(_) | Command::Outcome { .. } | Command::Reconfigure(_) => changed,
            };
            if !kept {
                return;
            }
        }
        self.queue(command);
    }

    fn queue(&mut self, command: Command) {
        let before = self.backlog.len() as u64;
        self.backlog.push(command, self.worker.serving().policy());
        // What is summed up may be fewer than before.
        self.added = (self.added + self.backlog.len() as u64).saturating_sub(before);
    }

    fn decide_alone(&mut self, command: &Command) -> bool {
        let changed = self.worker.decide_alone(self.uptime(), command);
        if changed {
            self.changed = true;
            let configures = matches!(command, Command::Join(_) | Command::Reconfigure(_));
            self.configured_alone |= configures;
            let published = self.shared.published.load();
            if configures || published.pool.available_len() != self.worker.serving().available_len() {
                drop(published);
                self.publish(false);
            }
        }
        changed
    }

    /// Takes the next commands from the backlog; gives the append to send.
    fn propose(&mut self) -> Option<Append> {
        if self.backlog.is_empty() {
            return None;
        }
        let before = self.backlog.len();
        let append = loop {
            let waiting = self.backlog.commands();
            if waiting.is_empty() {
                break None;
            }
            let append = self.worker.propose_together((self.uptime)(), waiting);
            if append.is_some() {
                break append;
            }
        };
        let taken = (before - self.backlog.len()) as u64;
        if append.is_some() {
            self.in_flight = taken;
        } else {
            self.settled += taken;
            self.answer_marks();
        }
        append
    }

    fn accepted(&mut self, sent: &Sent) {
        self.is_back();
        match sent {
            Sent::Append(_) => {
                let began = self.worker.head().version == Version::EMPTY;
                let entry = self.worker.accepted();
                self.observer.accepted(&entry);
                self.standing.appends += 1;
                self.settle_flight();
                self.has_changed(began, &entry.events);
                self.tick_after_joining(began);
            }
            Sent::Founding(founding) => {
                self.worker.founded();
                self.observer.founded_anew(founding);
                self.standing.founded_anew += 1;
                self.propose_lost_again();
                self.has_changed(false, &[]);
            }
        }
    }

    /// Gives the append to send next, if the same commands are decided again.
    fn refused(&mut self, newer: &Newer) -> Option<Append> {
        self.is_back();
        let began = self.worker.head().version == Version::EMPTY;
        let refused = self.worker.refused(newer);
        self.observer.heard(newer);
        let again = match refused {
            Refused::Again(append) => Some(append),
            Refused::NothingLeft => None,
            Refused::WasAccepted(entry) => {
                self.observer.accepted(&entry);
                self.standing.appends += 1;
                None
            }
        };
        if again.is_none() {
            self.settle_flight();
        }
        self.has_heard(began, newer);
        again
    }

    fn hear(&mut self, newer: &Newer) {
        self.is_back();
        let began = self.worker.head().version == Version::EMPTY;
        self.worker.catch_up(newer);
        self.observer.heard(newer);
        self.has_heard(began, newer);
    }

    fn has_heard(&mut self, began: bool, newer: &Newer) {
        let started_over = newer.start != Start::Here;
        if started_over && !began {
            self.standing.started_over += 1;
        }
        self.propose_lost_again();
        let events: Vec<&Event> = newer.entries.iter().flat_map(|entry| &entry.events).collect();
        self.has_changed(began || started_over, events);
        self.tick_after_joining(began);
    }

    /// A worker moves up to the log's time at its first command after joining, and what came due before is done at once.
    fn tick_after_joining(&mut self, began: bool) {
        if began {
            self.queue(Command::Tick);
        }
    }

    fn found_anew(&mut self, over: Head) -> Founding {
        self.worker.found_anew(self.uptime(), over)
    }

    /// What was settled in a log that is gone, or on its way there, comes before all else.
    fn propose_lost_again(&mut self) {
        let lost = self.worker.take_lost();
        let count = lost.len() as u64;
        self.added += count;
        for (mark, _) in &mut self.marks {
            *mark += count;
        }
        self.backlog.push_front(lost);
    }

    fn give_up(&mut self, error: &StoreError) {
        self.worker.withdraw();
        self.standing.given_up = Some(error.to_string());
        self.settle_flight();
    }

    fn settle_flight(&mut self) {
        self.settled += std::mem::take(&mut self.in_flight);
        self.answer_marks();
    }

    fn answer_marks(&mut self) {
        let all = self.backlog.is_empty() && self.in_flight == 0;
        while let Some((_, done)) = self.marks.pop_front_if(|(mark, _)| all || *mark <= self.settled) {
            // Who asked may have gone.
            let _ = done.send(());
        }
    }

    /// The fold has changed by `events`; with `other_ids` its tokens are named otherwise than before.
    fn has_changed<'a>(&mut self, other_ids: bool, events: impl IntoIterator<Item = &'a Event>) {
        self.changed = true;
        let lists = events.into_iter().any(|event| {
            matches!(event, Event::Removed { .. } | Event::Restored { .. } | Event::Configured(_))
        });
        let other_ids = other_ids || std::mem::take(&mut self.configured_alone);
        if other_ids || lists {
            self.publish(other_ids);
        }
        self.tell();
    }

    /// Nothing is to be done just now.
    fn rest(&mut self) {
        if self.changed {
            self.publish(false);
        }
        self.answer_marks();
        self.tell();
    }

    fn publish(&mut self, other_ids: bool) {
        let pool = self.worker.serving();
        let published = self.shared.published.load();
        let founded = published.pool.version() == Version::EMPTY && pool.version() > Version::EMPTY;
        if other_ids || founded {
            self.era += 1;
            self.backlog.carry_over(&published.pool, pool);
        }
        drop(published);
        self.shared.published.store(Arc::new(Published { pool: pool.clone(), era: self.era }));
        self.changed = false;
    }

    fn is_away(&mut self, error: &StoreError) {
        let why = error.to_string();
        if self.is_alone() {
            if let Reach::Away { why: said, .. } = &mut self.standing.reach {
                *said = why;
            }
            return self.tell();
        }
        self.standing.reach = Reach::Away { since: self.uptime(), why };
        self.standing.outages += 1;
        let uptime = self.uptime();
        for command in self.backlog.verbatim() {
            self.changed |= self.worker.decide_alone(uptime, command);
        }
        self.publish(false);
        self.tell();
    }

    fn is_back(&mut self) {
        self.pause = FIRST_PAUSE;
        let was_alone = self.is_alone();
        self.standing.reach = Reach::Connected;
        if was_alone {
            // What came due meanwhile.
            self.queue(Command::Tick);
        }
    }

    fn next_pause(&mut self) -> time::Duration {
        let pause = self.pause;
        self.pause = (pause * 2).min(LONGEST_PAUSE);
        pause
    }

    fn tell(&mut self) {
        self.standing.head = self.worker.head();
        self.standing.waiting = self.backlog.len() + usize::try_from(self.in_flight).unwrap_or(usize::MAX);
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
