//! Our way of sharing state, to be explored: the engine's workers as they are, and one log between them.
//!
//! A worker's command is a few small steps: it decides on its fold and sends an append; the append arrives at the log;
//! the reply arrives at the worker, which folds it and is done or decides again. Between commands it may read. A reply
//! that is lost is an append that is sent again.

mod names;

use std::rc::Rc;

use firedrill_failover::{
    Answer, Append, Attempt, Config, Duration, Entry, Event, Instant, Newer, Pool, Random, Refused, Status,
    Worker, WorkerId,
};

use crate::audit::Audit;
use crate::command::{Command, Token};
use crate::key::Key;
use crate::met::Occasion;
use crate::protocol::{Fact, Making, Move, Protocol};
use crate::setting::{BEGINNING, Setting};
use crate::view::View;

use names::{config, deed, named, names, tokens_of, view};

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
    entries: Rc<Vec<Entry>>,
    newest: Rc<Pool>,
    view: Rc<View>,
    actors: Vec<Rc<Actor>>,
    workers: u64,
}

/// A worker with what it is at.
#[derive(Clone, Debug)]
struct Actor {
    worker: Worker,
    /// When it was made, by the world's clock.
    born: u64,
    at_hand: Option<AtHand>,
    /// The probes that it has out, oldest first.
    probes: Vec<(Token, u64)>,
}

/// A command that is not done.
#[derive(Clone, Debug)]
struct AtHand {
    command: Command,
    probe: Option<u64>,
    append: Append,
    reply: Option<Reply>,
}

/// A reply on its way.
#[derive(Copy, Clone, Debug)]
enum Reply {
    Accepted,
    /// With what was newer up to this length of the log.
    Refused(usize),
}

impl<const CARELESS: bool> Protocol for Log<CARELESS> {
    fn new(setting: &Setting) -> Self {
        let config = config(setting, &setting.tokens);
        let mut founder = Worker::new(WorkerId::new(0), Instant::from_millis(BEGINNING), &config);
        let join = firedrill_failover::Command::Join(config.clone());
        let entries: Vec<Entry> =
            founder.propose(Duration::ZERO, join).map(Append::into_entry).into_iter().collect();
        let mut newest = Pool::new(&config);
        for entry in &entries {
            newest.apply(entry);
        }
        let actors = (0..setting.programs.len()).map(|place| {
            let wall = setting.clock_of(place, BEGINNING, 0);
            let mut actor = Actor::new(place as u64 + 1, BEGINNING, wall, &config);
            actor.worker.catch_up(&Newer::here(entries.clone()));
            Rc::new(actor)
        });
        let actors: Vec<_> = actors.collect();
        let workers = actors.len() as u64;
        let view = Rc::new(view(&newest));
        let (config, entries, newest) = (Rc::new(config), Rc::new(entries), Rc::new(newest));
        Self { config, entries, newest, view, actors, workers }
    }

    fn moves(&self, worker: usize, next: Option<&Command>) -> Vec<Move> {
        let actor = &self.actors[worker];
        match &actor.at_hand {
            Some(AtHand { reply: Some(_), .. }) => vec![Move::GoOn, Move::Lose],
            Some(AtHand { reply: None, .. }) => vec![Move::GoOn],
            None => {
                let behind = actor.heard() < self.entries.len();
                let begin = next.map(|_| Move::Begin);
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
            Move::Read => {
                let entries = Rc::clone(&self.entries);
                let actor = self.actor(worker);
                actor.worker.catch_up(&Newer::here(entries[actor.heard()..].to_vec()));
                making.say(|| format!("reads up to version {}", entries.len()));
                self.folded(worker, making);
            }
            Move::Lose => {
                making.say(|| "the reply is lost, the append is sent again".into());
                if let Some(at_hand) = &mut self.actor(worker).at_hand {
                    at_hand.reply = None;
                }
            }
            Move::GoOn => {
                if self.actors[worker].at_hand.as_ref().is_some_and(|at_hand| at_hand.reply.is_some()) {
                    self.hear(worker, making);
                } else {
                    self.arrive(worker, making);
                }
            }
        }
    }

    fn is_busy(&self, worker: usize) -> bool {
        self.actors[worker].at_hand.is_some()
    }

    fn view(&self) -> Rc<View> {
        Rc::clone(&self.view)
    }

    fn fold(&self, worker: usize) -> Option<View> {
        Some(view(self.actors[worker].worker.pool()))
    }

    fn key(&self, audit: &Audit, key: &mut Key) {
        self.fold_key(self.entries.len(), audit, key);
        for actor in &self.actors {
            key.add(actor.worker.id().number());
            key.add_len(self.entries.len() - actor.heard().min(self.entries.len()));
            self.fold_key(actor.heard(), audit, key);
            // The two tell where its clock begins, and what it has read of it.
            key.add(actor.worker.time(Duration::ZERO).as_millis());
            key.add(actor.worker.time(Duration::from_secs(1_000_000)).as_millis());
            key.add_len(actor.probes.len());
            for (token, number) in &actor.probes {
                key.add(token.0.into());
                key.add(*number);
            }
            let Some(AtHand { append, reply, probe, .. }) = &actor.at_hand else {
                key.add(0);
                continue;
            };
            key.add(probe.unwrap_or_default());
            key.add(append.at.as_millis());
            // What was already in the log when the reply was given, or is now, tells how the worker will take it.
            let length = match *reply {
                None => {
                    key.add(1);
                    self.entries.len()
                }
                Some(Reply::Accepted) => {
                    key.add(2);
                    continue;
                }
                Some(Reply::Refused(length)) => {
                    key.add(3);
                    length
                }
            };
            let own = |entry: &Entry| entry.by == append.by && entry.proposal == append.proposal;
            key.add(self.entries[..length].iter().any(own).into());
            key.add_len(self.entries.len() - length);
            self.fold_key(length, audit, key);
        }
    }
}

impl<const CARELESS: bool> Log<CARELESS> {
    /// Tells a key what the fold of the first `length` entries is, its clock included.
    fn fold_key(&self, length: usize, audit: &Audit, key: &mut Key) {
        key.add_key(audit.key_at(length as u64));
        let last = length.checked_sub(1).and_then(|last| self.entries.get(last));
        key.add(last.map_or(0, |entry| entry.at.as_millis()));
    }

    fn actor(&mut self, worker: usize) -> &mut Actor {
        Rc::make_mut(&mut self.actors[worker])
    }

    fn begin(&mut self, setting: &Setting, worker: usize, command: &Command, making: &mut Making<'_>) {
        if *command == Command::Start {
            self.workers += 1;
            let actor = Actor::new(self.workers, making.now, making.wall, &self.config);
            self.actors[worker] = Rc::new(actor);
        }
        if *command == Command::Select {
            let pool = self.actors[worker].worker.pool();
            let drawn = pool.select(&mut Random::new(1, 0));
            if drawn.fallback {
                making.facts.push(Fact::Met(Occasion::Fallback));
            }
            making.facts.push(Fact::Drew(named(pool, drawn.token)));
            making.say(|| "draws".into());
            return;
        }
        let config = Rc::clone(&self.config);
        let actor = self.actor(worker);
        let Some((told, probe)) = actor.told(setting, &config, command) else {
            making.say(|| "nothing to do".into());
            return;
        };
        let uptime = Duration::from_millis(making.now - actor.born);
        let decided_at = actor.worker.time(uptime).as_millis();
        let command = command.clone();
        if let Some(append) = actor.worker.propose(uptime, told) {
            making
                .say(|| format!("decides {} on version {}", names(&append.events), append.expected.version));
            actor.at_hand = Some(AtHand { command, probe, append, reply: None });
        } else {
            making.say(|| format!("decides nothing on version {}", actor.heard()));
            let (version, by) = (actor.heard() as u64, actor.worker.id().number());
            making.facts.push(Fact::Idle { version, at: decided_at, by, command, probe });
        }
    }

    /// The append of `worker` arrives at the log.
    fn arrive(&mut self, worker: usize, making: &mut Making<'_>) {
        let Some(AtHand { append, command, probe, .. }) = self.actors[worker].at_hand.clone() else { return };
        let length = self.entries.len();
        let reply = if CARELESS || append.expected.version.appends() == length as u64 {
            let entry = Entry {
                version: firedrill_failover::Version::new(length as u64 + 1),
                ..append.clone().into_entry()
            };
            making.say(|| format!("the append arrives and is accepted as version {}", entry.version));
            let before = Rc::clone(&self.newest);
            // A careless log may hold what does not follow; then the fold stays where it was.
            let mut after = (*before).clone();
            if after.try_apply(&entry).is_ok() {
                self.view = Rc::new(view(&after));
                self.newest = Rc::new(after);
            }
            making.facts.push(Fact::Appended {
                version: entry.version.appends(),
                decided_on: append.expected.version.appends(),
                at: entry.at.as_millis(),
                by: entry.by.number(),
                command,
                probe,
                deeds: entry.events.iter().filter_map(|event| deed(&before, event)).collect(),
            });
            for event in &entry.events {
                if let Event::Configured(configured) = event {
                    making.facts.push(Fact::Configured(tokens_of(&configured.config)));
                }
            }
            Rc::make_mut(&mut self.entries).push(entry);
            Reply::Accepted
        } else {
            making.say(|| format!("the append arrives and is refused: the log is at version {length}"));
            making.facts.push(Fact::Met(Occasion::Conflict));
            let [held, holder] = [self.actors[worker].worker.pool(), &self.newest]
                .map(|pool| pool.lease().map(|lease| lease.holder));
            if held == Some(append.by) && holder.is_some_and(|holder| holder != append.by) {
                making.facts.push(Fact::Met(Occasion::Overslept));
            }
            Reply::Refused(length)
        };
        if let Some(at_hand) = &mut self.actor(worker).at_hand {
            at_hand.reply = Some(reply);
        }
    }

    /// The reply arrives at `worker`.
    fn hear(&mut self, worker: usize, making: &mut Making<'_>) {
        let entries = Rc::clone(&self.entries);
        let actor = self.actor(worker);
        let Some(AtHand { command, probe, append, reply: Some(reply) }) = actor.at_hand.take() else {
            return;
        };
        let answered = match reply {
            Reply::Accepted => append.expected.version.appends() + 1,
            Reply::Refused(length) => length as u64,
        };
        if answered < entries.len() as u64 {
            making.facts.push(Fact::Met(Occasion::LateReply));
        }
        let entry = match reply {
            Reply::Accepted => {
                making.say(|| "hears that it is in the log".into());
                Some(actor.worker.accepted())
            }
            Reply::Refused(length) => match actor
                .worker
                .refused(&Newer::here(entries[actor.heard()..length].to_vec()))
            {
                Refused::Again(append) => {
                    making.say(|| {
                        format!("hears what is newer, decides {} on version {length}", names(&append.events))
                    });
                    actor.at_hand = Some(AtHand { command, probe, append, reply: None });
                    None
                }
                Refused::NothingLeft => {
                    making.say(|| "hears what is newer, nothing is left to do".into());
                    let (version, by) = (length as u64, actor.worker.id().number());
                    let at = actor.worker.time(Duration::ZERO).as_millis();
                    making.facts.push(Fact::Idle { version, at, by, command, probe });
                    None
                }
                Refused::WasAccepted(entry) => {
                    making.say(|| "hears what is newer, and that it was in the log".into());
                    making.facts.push(Fact::Met(Occasion::FoundInLog));
                    Some(entry)
                }
            },
        };
        for event in entry.iter().flat_map(|entry| &entry.events) {
            if let Event::ProbeSent { token, probe } = *event {
                let token = named(actor.worker.pool(), token);
                actor.probes.extend(token.map(|token| (token, probe)));
            }
        }
        self.folded(worker, making);
    }

    fn folded(&self, worker: usize, making: &mut Making<'_>) {
        let actor = &self.actors[worker];
        making.facts.push(Fact::Folded(actor.heard() as u64, view(actor.worker.pool())));
    }
}

impl Actor {
    fn new(number: u64, now: u64, wall: u64, config: &Config) -> Self {
        let worker = Worker::new(WorkerId::new(number), Instant::from_millis(wall), config);
        Self { worker, born: now, at_hand: None, probes: Vec::new() }
    }

    /// How many entries it has heard.
    fn heard(&self) -> usize {
        usize::try_from(self.worker.pool().version().appends()).unwrap_or(usize::MAX)
    }

    /// A command in the engine's terms, with the number of the probe that it answers; `None` if there is nothing to tell.
    fn told(
        &mut self,
        setting: &Setting,
        start: &Config,
        command: &Command,
    ) -> Option<(firedrill_failover::Command, Option<u64>)> {
        let pool = self.worker.pool();
        let told = match command {
            Command::Select => return None,
            Command::Outcome(token, status) => firedrill_failover::Command::Outcome {
                token: pool.find(&token.to_string())?,
                status: Status::new(*status)?,
                attempt: Attempt::First,
            },
            Command::Tick => firedrill_failover::Command::Tick,
            Command::ProbeAnswered(token, status) => {
                let place = self.probes.iter().position(|(probed, _)| probed == token)?;
                let (_, probe) = self.probes.remove(place);
                let token = self.worker.pool().find(&token.to_string())?;
                let answer = Answer::Status(Status::new(*status)?);
                let told = firedrill_failover::Command::ProbeAnswered { token, probe, answer };
                return Some((told, Some(probe)));
            }
            Command::Reconfigure(tokens) => firedrill_failover::Command::Reconfigure(config(setting, tokens)),
            Command::Start => firedrill_failover::Command::Join(start.clone()),
        };
        Some((told, None))
    }
}
