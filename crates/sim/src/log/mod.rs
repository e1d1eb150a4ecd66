//! Our way of sharing state, to be explored: the engine's workers as they are, and one log between them.
//!
//! A worker's command is a few small steps: it decides on its fold and sends an append; the append arrives at the log;
//! the reply arrives at the worker, which folds it and is done or decides again. Between commands it may read. A reply
//! that is lost is an append that is sent again.

mod actor;
mod history;
mod names;

use std::rc::Rc;

use firedrill_failover::{
    Append, Config, Duration, Entry, Event, Fold, Head, Instant, Newer, Pool, Random, Refused, Start,
    Version, Worker, WorkerId,
};

use crate::audit::Audit;
use crate::command::Command;
use crate::key::Key;
use crate::met::Occasion;
use crate::protocol::{Fact, Making, Move, Protocol};
use crate::setting::{BEGINNING, Setting};
use crate::view::View;

use actor::{Actor, AtHand, Reply, Sent, Task};
use history::{History, Judged};
use names::{config, deed, named, names, tokens_in, tokens_of, view};

/// The engine's workers with a log that keeps its promise.
pub type Shared = Log<false>;

/// The engine's workers with a log that accepts whatever arrives, whichever version it was decided on: a canary for the
/// checkers of logs.
pub type Careless = Log<true>;

/// Workers and their log, at one point of a schedule.
#[derive(Clone, Debug)]
pub struct Log<const CARELESS: bool> {
    /// What the world began with.
    config: Rc<Config>,
    history: Rc<History>,
    /// Whether the store answers nobody.
    away: bool,
    /// Whether it may forget.
    forgetful: bool,
    view: Rc<View>,
    actors: Vec<Rc<Actor>>,
    workers: u64,
}

impl<const CARELESS: bool> Protocol for Log<CARELESS> {
    fn new(setting: &Setting) -> Self {
        let config = config(setting, &setting.tokens);
        let mut founder = Worker::new(WorkerId::new(0), Instant::from_millis(BEGINNING), &config);
        let join = firedrill_failover::Command::Join(config.clone());
        let entries: Vec<Entry> =
            founder.propose(Duration::ZERO, join).map(Append::into_entry).into_iter().collect();
        let mut newest = Fold::new(&config);
        for entry in &entries {
            newest.apply(entry);
        }
        let actors = (0..setting.programs.len()).map(|place| {
            let wall = setting.clock_of(place, BEGINNING, 0);
            let mut actor = Actor::new(place as u64 + 1, BEGINNING, wall, 0, &config);
            actor.worker.catch_up(&Newer::here(entries.clone()));
            Rc::new(actor)
        });
        let actors: Vec<_> = actors.collect();
        let workers = actors.len() as u64;
        let view = Rc::new(view(newest.pool()));
        let history = Rc::new(History::new(entries, newest));
        let forgetful = setting.faults.forgets > 0;
        Self { config: Rc::new(config), history, away: false, forgetful, view, actors, workers }
    }

    fn moves(&self, worker: usize, next: Option<&Command>) -> Vec<Move> {
        let actor = &self.actors[worker];
        let begin = next.map(|_| Move::Begin);
        match &actor.at_hand {
            Some(AtHand { reply: Some(_), .. }) => vec![Move::GoOn, Move::Lose],
            // A store that is away answers nothing: the append stays in flight, and the worker decides alone.
            _ if self.away => begin.into_iter().collect(),
            Some(AtHand { reply: None, .. }) => vec![Move::GoOn],
            None => {
                let begin = if actor.again.is_empty() { begin } else { Some(Move::Again) };
                let behind = actor.worker.head() != self.history.head();
                begin.into_iter().chain(behind.then_some(Move::Read)).collect()
            }
        }
    }

    fn make(&mut self, setting: &Setting, worker: usize, made: Move, making: &mut Making<'_>) {
        match made {
            Move::Begin => {
                if let Some(command) = making.next {
                    self.begin(setting, worker, command, making);
                }
            }
            Move::Again => {
                if let Some(task) = self.actor(worker).again.pop_front() {
                    making.say(|| format!("{} again", task.command));
                    making.facts.push(Fact::Met(Occasion::Again));
                    self.propose(worker, task, making);
                }
            }
            Move::Read => self.read(worker, making),
            Move::Lose => {
                making.say(|| "the reply is lost, what it answered is sent again".into());
                if let Some(at_hand) = &mut self.actor(worker).at_hand {
                    at_hand.reply = None;
                }
            }
            Move::GoOn => match &self.actors[worker].at_hand {
                Some(AtHand { reply: Some(_), .. }) => self.hear(worker, making),
                Some(AtHand { sent: Sent::Append(append), .. }) => {
                    let append = append.clone();
                    self.arrive(worker, &append, making);
                }
                Some(AtHand { sent: Sent::Founding(_), .. }) => self.arrive_to_found(worker, making),
                None => {}
            },
        }
    }

    fn is_busy(&self, worker: usize) -> bool {
        self.actors[worker].at_hand.is_some()
    }

    fn owes(&self, worker: usize) -> bool {
        !self.actors[worker].again.is_empty()
    }

    fn at_work<'a>(&'a self, worker: usize, _: Option<&'a Command>) -> Option<&'a Command> {
        let actor = &self.actors[worker];
        match &actor.at_hand {
            Some(AtHand { task, .. }) => task.as_ref().map(|task| &task.command),
            None => None,
        }
    }

    fn to_do(&self, worker: usize) -> Option<Command> {
        self.actors[worker].again.front().map(|task| task.command.clone())
    }

    fn has_store() -> bool {
        true
    }

    fn set_away(&mut self, away: bool) {
        self.away = away;
    }

    fn forget(&mut self, wholly: bool) -> Option<Fact> {
        let log = Rc::make_mut(&mut self.history);
        log.forget(wholly);
        if let Some(fold) = log.newest() {
            self.view = Rc::new(view(fold.pool()));
        }
        Some(Fact::Forgotten { kept: self.history.version() })
    }

    fn forgettable(&self) -> bool {
        self.history.newest().is_some()
    }

    fn view(&self) -> Rc<View> {
        Rc::clone(&self.view)
    }

    fn fold(&self, worker: usize) -> Option<View> {
        Some(view(self.actors[worker].worker.pool()))
    }

    fn number(&self, worker: usize) -> Option<u64> {
        Some(self.actors[worker].worker.id().number())
    }

    fn key(&self, audit: &Audit, key: &mut Key) {
        let version = self.history.version();
        key.add(self.away.into());
        Self::fold_key(
            self.history.epoch,
            version,
            self.history.newest().map(|fold| fold.pool().clock()),
            audit,
            key,
        );
        if self.forgetful {
            key.add_len(self.history.epoch);
            self.head_key(self.history.newest().map(|fold| &**fold), key);
        }
        for actor in &self.actors {
            key.add(actor.worker.id().number());
            key.add(version.wrapping_sub(actor.heard()));
            key.add((actor.worker.head() == self.history.head()).into());
            Self::fold_key(actor.epoch, actor.heard(), Some(actor.worker.pool().clock()), audit, key);
            if self.forgetful {
                key.add_len(actor.epoch);
                self.head_key(Some(actor.worker.fold()), key);
            }
            // The two tell where its clock begins, and what it has read of it.
            key.add(actor.worker.time(Duration::ZERO).as_millis());
            key.add(actor.worker.time(Duration::from_secs(1_000_000)).as_millis());
            key.add_len(actor.probes.len());
            for (token, number) in &actor.probes {
                key.add(token.0.into());
                key.add(*number);
            }
            if self.forgetful {
                actor.worker.remembered().into_iter().for_each(|number| key.add(number));
            }
            for tasks in [actor.proposed.len(), actor.again.len()] {
                key.add_len(tasks);
            }
            for task in actor.proposed.iter().chain(&actor.again) {
                key.add(task.tag.0);
                key.add(task.tag.1);
                key.add(task.probe.unwrap_or_default());
            }
            let Some(AtHand { task, sent, reply }) = &actor.at_hand else {
                key.add(0);
                continue;
            };
            let (number, probe) = task.as_ref().map_or((0, None), |task| (task.tag.1, task.probe));
            key.add(number);
            key.add(probe.unwrap_or_default());
            let proposal = match sent {
                Sent::Append(append) => {
                    key.add(append.at.as_millis());
                    append.proposal
                }
                Sent::Founding(founding) => {
                    key.add(u64::MAX);
                    key.add(founding.over.version.appends());
                    key.add(founding.over.proposal);
                    u64::MAX
                }
            };
            // What was already in the log when the reply was given, or is now, tells how the worker will take it.
            let own = |fold: &Fold| fold.proposal_of(actor.worker.id()) >= proposal;
            match reply {
                None => {
                    key.add(1);
                    key.add(self.history.newest().is_some_and(|fold| own(fold)).into());
                }
                Some(Reply::Accepted(epoch)) => {
                    key.add(2);
                    key.add_len(*epoch);
                }
                Some(Reply::Refused(epoch, newer, version)) => {
                    key.add(3);
                    let in_it = newer
                        .entries
                        .iter()
                        .any(|entry| entry.by == actor.worker.id() && entry.proposal == proposal);
                    let started = match &newer.start {
                        Start::Here => 0,
                        Start::Beginning => 1,
                        Start::Snapshot(fold) => 2 + u64::from(own(fold)),
                    };
                    key.add(in_it.into());
                    key.add(started);
                    key.add(self.history.version().wrapping_sub(*version));
                    Self::fold_key(*epoch, *version, None, audit, key);
                    let clock = newer.entries.last().map(|entry| entry.at);
                    key.add(clock.map_or(0, Instant::as_millis));
                }
                Some(Reply::Behind(head)) => {
                    key.add(4);
                    key.add(head.version.appends());
                    key.add(head.proposal);
                }
            }
        }
    }
}

impl<const CARELESS: bool> Log<CARELESS> {
    /// Tells a key what the fold of a log is up to a version, its clock included.
    fn fold_key(epoch: usize, version: u64, clock: Option<Instant>, audit: &Audit, key: &mut Key) {
        key.add_key(audit.key_at(epoch, version));
        key.add(clock.map_or(0, Instant::as_millis));
    }

    /// Tells a key what a fold knows of who proposed what.
    fn head_key(&self, fold: Option<&Fold>, key: &mut Key) {
        let head = fold.map_or(Head::EMPTY, Fold::head);
        key.add(head.version.appends());
        key.add(head.by.number());
        key.add(head.proposal);
        for number in 0..=self.workers {
            key.add(fold.map_or(0, |fold| fold.proposal_of(WorkerId::new(number))));
        }
    }

    fn actor(&mut self, worker: usize) -> &mut Actor {
        Rc::make_mut(&mut self.actors[worker])
    }

    fn begin(&mut self, setting: &Setting, worker: usize, command: &Command, making: &mut Making<'_>) {
        if *command == Command::Start {
            self.workers += 1;
            let actor = Actor::new(self.workers, making.now, making.wall, self.history.epoch, &self.config);
            self.actors[worker] = Rc::new(actor);
        }
        if *command == Command::Select {
            let pool = self.actors[worker].worker.serving();
            let drawn = pool.select(&mut Random::new(1, 0));
            if drawn.fallback {
                making.facts.push(Fact::Met(Occasion::Fallback));
            }
            let drawn = named(pool, drawn.token);
            making.say(|| drawn.map_or("draws nothing".into(), |token| format!("draws {token}")));
            making.facts.push(Fact::Drew(drawn));
            return;
        }
        let config = Rc::clone(&self.config);
        let away = self.away;
        let actor = self.actor(worker);
        let Some(task) = actor.task(setting, &config, command) else {
            making.say(|| "nothing to do".into());
            return;
        };
        if !away {
            return self.propose(worker, task, making);
        }
        making.facts.push(Fact::Met(Occasion::Alone));
        let uptime = actor.uptime(making.now);
        // A configuration waits for the log.
        let is_configuration = matches!(command, Command::Start | Command::Reconfigure(_));
        let changes = !is_configuration && actor.worker.decide_alone(uptime, &task.told);
        let serving = actor.worker.serving();
        making.facts.push(Fact::Serves { configured: tokens_in(serving), view: view(serving) });
        if is_configuration || changes {
            making.say(|| "the store is away: decides alone, and will propose it".into());
            let tag = task.tag;
            actor.again.push_back(task);
            making.facts.push(Fact::Owed(tag));
        } else {
            making.say(|| "the store is away: decides alone that there is nothing to do".into());
        }
    }

    fn propose(&mut self, worker: usize, task: Task, making: &mut Making<'_>) {
        let forgetful = self.forgetful;
        let actor = self.actor(worker);
        let uptime = actor.uptime(making.now);
        let decided_at = actor.worker.time(uptime).as_millis();
        let task = if forgetful { actor.proposes(task) } else { task };
        if let Some(append) = actor.worker.propose(uptime, task.told.clone()) {
            making
                .say(|| format!("decides {} on version {}", names(&append.events), append.expected.version));
            actor.at_hand = Some(AtHand { task: Some(task), sent: Sent::Append(append), reply: None });
        } else {
            making.say(|| format!("decides nothing on version {}", actor.heard()));
            let (epoch, version) = (actor.epoch, actor.heard());
            making.facts.push(idle(epoch, version, decided_at, task));
        }
    }

    fn read(&mut self, worker: usize, making: &mut Making<'_>) {
        let log = Rc::clone(&self.history);
        let actor = self.actor(worker);
        match log.newer(actor.worker.head()) {
            Ok(newer) => {
                actor.worker.catch_up(&newer);
                actor.epoch = log.epoch;
                making.say(|| format!("reads up to version {}{}", log.version(), from(&newer.start)));
                self.adopted(worker, None, making);
                self.folded(worker, making);
            }
            Err(head) => self.found_anew(worker, head, None, making),
        }
    }

    /// The log is behind `worker`.
    fn found_anew(&mut self, worker: usize, over: Head, task: Option<Task>, making: &mut Making<'_>) {
        let actor = self.actor(worker);
        let founding = actor.worker.found_anew(actor.uptime(making.now), over);
        making.say(|| {
            format!("finds the log behind, at version {}, and proposes to found it anew", over.version)
        });
        actor.at_hand = Some(AtHand { task, sent: Sent::Founding(Rc::new(founding)), reply: None });
    }

    /// The append of `worker` arrives at the log.
    fn arrive(&mut self, worker: usize, append: &Append, making: &mut Making<'_>) {
        let version = self.history.version();
        let judged = if CARELESS { Judged::Next } else { self.history.judge(append) };
        let reply = match judged {
            Judged::Next => {
                self.accept(worker, append, making);
                Reply::Accepted(self.history.epoch)
            }
            Judged::Known => {
                making.say(|| "the append arrives again: it is in the log already".into());
                making.facts.push(Fact::Met(Occasion::FoundInLog));
                Reply::Accepted(self.history.epoch)
            }
            Judged::Stale(newer) => {
                making.say(|| format!("the append arrives and is refused: the log is at version {version}"));
                making.facts.push(Fact::Met(Occasion::Conflict));
                let newest = self.history.newest().map(|fold| fold.pool());
                let [held, holder] = [Some(self.actors[worker].worker.pool()), newest]
                    .map(|pool| pool.and_then(Pool::lease).map(|lease| lease.holder));
                if held == Some(append.by) && holder.is_some_and(|holder| holder != append.by) {
                    making.facts.push(Fact::Met(Occasion::Overslept));
                }
                Reply::Refused(self.history.epoch, Rc::new(newer), version)
            }
            Judged::Behind(head) => {
                making.say(|| format!("the append arrives, and the log is behind it, at version {version}"));
                Reply::Behind(head)
            }
        };
        if let Some(at_hand) = &mut self.actor(worker).at_hand {
            at_hand.reply = Some(reply);
        }
    }

    fn accept(&mut self, worker: usize, append: &Append, making: &mut Making<'_>) {
        let Some(Task { command, probe, tag, .. }) =
            self.actors[worker].at_hand.as_ref().and_then(|at_hand| at_hand.task.clone())
        else {
            return;
        };
        let version = Version::new(self.history.version() + 1);
        let entry = Entry { version, ..append.clone().into_entry() };
        making.say(|| format!("the append arrives and is accepted as version {version}"));
        let before = self.history.newest().cloned();
        Rc::make_mut(&mut self.history).push(entry.clone());
        let Some(after) = self.history.newest() else { return };
        self.view = Rc::new(view(after.pool()));
        // Who founds an empty log says so with ids of its own.
        let named_in = before.as_deref().unwrap_or(after).pool();
        making.facts.push(Fact::Appended {
            epoch: self.history.epoch,
            version: version.appends(),
            decided_on: append.expected.version.appends(),
            at: entry.at.as_millis(),
            by: entry.by.number(),
            command,
            probe,
            tag,
            deeds: entry.events.iter().filter_map(|event| deed(named_in, event)).collect(),
        });
        for event in &entry.events {
            if let Event::Configured(configured) = event {
                making.facts.push(Fact::Configured(tokens_of(&configured.config)));
            }
        }
    }

    /// The proposal of `worker` to found the log anew arrives.
    fn arrive_to_found(&mut self, worker: usize, making: &mut Making<'_>) {
        let Some(AtHand { sent: Sent::Founding(founding), .. }) = &self.actors[worker].at_hand else {
            return;
        };
        let founding = Rc::clone(founding);
        let version = self.history.version();
        let judged = if CARELESS { Judged::Next } else { self.history.judge_founding(&founding) };
        let reply = match judged {
            Judged::Next => {
                let actor = &self.actors[worker];
                let from = (actor.epoch, actor.heard());
                Rc::make_mut(&mut self.history).found(&founding);
                let pool = founding.fold.pool();
                making.say(|| format!("the log is founded anew at version {}", pool.version()));
                self.view = Rc::new(view(pool));
                let configured = tokens_in(pool);
                making.facts.push(Fact::Met(Occasion::FoundedAnew));
                let Head { by, proposal, .. } = founding.fold.head();
                let by = by.number();
                making.facts.push(Fact::FoundedAnew { by, proposal, from, configured });
                Reply::Accepted(self.history.epoch)
            }
            Judged::Known => {
                making.say(|| "the proposal arrives again: the log is founded anew already".into());
                Reply::Accepted(self.history.epoch)
            }
            Judged::Stale(newer) => {
                making.say(|| format!("the proposal is refused: the log is at version {version}"));
                Reply::Refused(self.history.epoch, Rc::new(newer), version)
            }
            Judged::Behind(head) => Reply::Behind(head),
        };
        if let Some(at_hand) = &mut self.actor(worker).at_hand {
            at_hand.reply = Some(reply);
        }
    }

    /// The reply arrives at `worker`.
    fn hear(&mut self, worker: usize, making: &mut Making<'_>) {
        let log = Rc::clone(&self.history);
        let actor = self.actor(worker);
        let Some(AtHand { task, sent, reply: Some(reply) }) = actor.at_hand.take() else { return };
        let (epoch, newer, version) = match reply {
            Reply::Behind(head) => return self.found_anew(worker, head, task, making),
            Reply::Accepted(epoch) => {
                actor.epoch = epoch;
                match sent {
                    Sent::Append(_) => {
                        let entry = actor.worker.accepted();
                        late(entry.version.appends(), &log, making);
                        making.say(|| "hears that it is in the log".into());
                        actor.send_probes(&entry.events);
                    }
                    Sent::Founding(_) => {
                        actor.worker.founded();
                        making.say(|| "hears that the log is founded anew".into());
                        self.adopted(worker, task, making);
                    }
                }
                return self.folded(worker, making);
            }
            Reply::Refused(epoch, newer, version) => (epoch, newer, version),
        };
        late(version, &log, making);
        actor.epoch = epoch;
        let mut open = None;
        match (actor.worker.refused(&newer), sent) {
            (Refused::Again(append), _) => {
                making.say(|| {
                    format!("hears what is newer, decides {} on version {version}", names(&append.events))
                });
                actor.at_hand = Some(AtHand { task, sent: Sent::Append(append), reply: None });
            }
            (Refused::NothingLeft, _) => {
                making.say(|| match newer.start {
                    Start::Here => "hears what is newer, nothing is left to do".into(),
                    _ => format!("hears another log, at version {version}"),
                });
                open = task;
            }
            (Refused::WasAccepted(entry), _) => {
                making.say(|| "hears what is newer, and that it was in the log".into());
                making.facts.push(Fact::Met(Occasion::FoundInLog));
                actor.send_probes(&entry.events);
            }
        }
        self.adopted(worker, open, making);
        self.folded(worker, making);
    }

    /// What `worker` lost by following another log is to be proposed again. With `in_flight`, if that is not among it,
    /// there was nothing to do.
    fn adopted(&mut self, worker: usize, in_flight: Option<Task>, making: &mut Making<'_>) {
        let actor = self.actor(worker);
        let (lost, done) = actor.take_lost(in_flight);
        if lost > 0 {
            making.say(|| format!("{lost} of its commands are to be proposed again"));
        }
        let at = actor.worker.time(Duration::ZERO).as_millis();
        making.facts.extend(done.map(|task| idle(actor.epoch, actor.heard(), at, task)));
    }

    fn folded(&self, worker: usize, making: &mut Making<'_>) {
        let actor = &self.actors[worker];
        making.facts.push(Fact::Folded(actor.epoch, actor.heard(), view(actor.worker.pool())));
    }
}

fn idle(epoch: usize, version: u64, at: u64, task: Task) -> Fact {
    let Task { command, probe, tag, .. } = task;
    Fact::Idle { epoch, version, at, by: tag.0, command, probe, tag }
}

/// A reply of when the log was at `version` arrives.
fn late(version: u64, log: &History, making: &mut Making<'_>) {
    if version < log.version() {
        making.facts.push(Fact::Met(Occasion::LateReply));
    }
}

fn from(start: &Start) -> &'static str {
    match start {
        Start::Here => "",
        Start::Beginning => " of another log",
        Start::Snapshot(_) => " from a snapshot",
    }
}
