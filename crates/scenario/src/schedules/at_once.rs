//! Several things that happen at once, at one point of a schedule of their small steps: a worker takes a command up,
//! decides it and sends an append; the append arrives at the log; the reply arrives at the worker; in between, a worker
//! that has something left to do may hear what is newer. What is done is checked in `checks.rs`, and told apart in
//! `key.rs`.

use std::rc::Rc;

use firedrill_failover::{
    Append, Command, Entry, Event, Instant, Newer, Order, Policy, Pool, Refused, Status, Version, Worker,
};
use firedrill_sim::Key;

use super::Broken;
use super::fold::{Fold, Folds};
use super::parts::{Actor, AtHand, Beginning, Next, Part, Reply, Task};
use crate::always::Invariant;
use crate::scenario::Expectation;
use crate::target::{Effect, Refusal, event_word};
use crate::trip::{Attempted, Provider};

/// Several things at one point of a schedule.
#[derive(Clone, Debug)]
pub(crate) struct AtOnce {
    pub(super) fixed: Rc<Fixed>,
    /// What was appended since the beginning.
    pub(super) appended: Rc<Vec<Entry>>,
    /// What the log said at the beginning, and after each append.
    pub(super) folds: Rc<Vec<Rc<Fold>>>,
    pub(super) actors: Vec<Rc<Actor>>,
    /// The provider, and the calls to it since the beginning.
    pub(super) provider: Rc<Provider>,
    pub(super) calls: Rc<Vec<String>>,
    /// The events that were appended and the probes that were sent, if anybody asks.
    pub(super) told: Rc<Effect>,
    pub(super) broken: Option<Rc<Broken>>,
}

/// What is the same in every state.
#[derive(Debug)]
pub(super) struct Fixed {
    now: Instant,
    pub(super) expects: Vec<Option<Expectation>>,
    answers_probes: bool,
    pub(super) always: Vec<Invariant>,
    admits: fn(u64, u64) -> bool,
    made: Folds,
    /// The version at the beginning.
    pub(super) version: u64,
    /// Whether a request may be retried, so that draws and answers are yet to come.
    pub(super) retries: bool,
    /// Whether what was appended and sent is asked for.
    pub(super) tells: bool,
}

/// A small step. Actors and tasks are counted from 0.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// A worker takes one of its tasks up.
    Begin(usize, usize),
    /// The append of a worker arrives, or the reply to it.
    GoOn(usize),
    /// A worker hears what is newer.
    Read(usize),
}

impl AtOnce {
    /// Everything begun, nothing decided.
    pub(crate) fn new(beginning: Beginning) -> Self {
        let Beginning { now, parts, begun, expects, provider, answers_probes, .. } = beginning;
        let Beginning { pool, account, always, admits, .. } = beginning;
        let asks = |expect: &Expectation| expect.events.is_some() || expect.probes.is_some();
        let fixed = Fixed {
            now,
            tells: expects.iter().flatten().any(asks),
            expects,
            answers_probes,
            always,
            admits,
            made: Folds::default(),
            version: pool.version().appends(),
            retries: pool.policy().retry().is_some() && begun.iter().any(|begun| begun.trip.is_some()),
        };
        let mut actors: Vec<Actor> = Vec::new();
        for (member, Part { number, worker, uptime }) in parts.into_iter().enumerate() {
            let own = begun.iter().enumerate().filter(|(_, begun)| begun.member == member);
            let tasks: Vec<Task> = own.map(|(item, begun)| Task::new(item, begun)).collect();
            if !tasks.is_empty() {
                let (at_hand, agrees, key) = (None, true, Key::new());
                actors.push(Actor { number, worker, uptime, tasks, at_hand, agrees, key });
            }
        }
        let mut beginning = Self {
            fixed: Rc::new(fixed),
            appended: Rc::default(),
            folds: Rc::new(vec![Rc::new(Fold::new(pool, account, Ok(())))]),
            actors: actors.into_iter().map(Rc::new).collect(),
            provider: Rc::new(provider),
            calls: Rc::default(),
            told: Rc::default(),
            broken: None,
        };
        beginning.check_log();
        for actor in 0..beginning.actors.len() {
            beginning.check_fold(actor);
            beginning.tell_actor(actor);
        }
        beginning
    }

    /// How many of the appends since the beginning a worker has heard.
    pub(super) fn heard(&self, worker: &Worker) -> usize {
        let heard = worker.pool().version().appends().saturating_sub(self.fixed.version);
        usize::try_from(heard).unwrap_or(usize::MAX)
    }

    /// How many things are done at once, and how many tokens there are.
    pub(super) fn size(&self) -> (u64, u64) {
        (self.fixed.expects.len() as u64, self.folds[0].pool.len() as u64)
    }

    /// Every step that can be taken.
    pub(super) fn open_steps(&self) -> Vec<Step> {
        let mut steps = Vec::new();
        if self.broken.is_some() {
            return steps;
        }
        for (actor, at) in self.actors.iter().enumerate() {
            if at.at_hand.is_some() {
                steps.push(Step::GoOn(actor));
                continue;
            }
            let open = at.tasks.iter().enumerate().filter(|(_, task)| task.next.is_some());
            steps.extend(open.map(|(task, _)| Step::Begin(actor, task)));
            // What a worker hears when it is done matters to nobody; in the end all hear everything.
            if self.heard(&at.worker) < self.appended.len() && at.has_more() {
                steps.push(Step::Read(actor));
            }
        }
        steps
    }

    /// Takes a step, and says what it was if `telling`.
    pub(super) fn step(&mut self, step: Step, telling: bool) -> String {
        let (actor, told) = match step {
            Step::Begin(actor, task) => (actor, self.begin(actor, task, telling)),
            Step::GoOn(actor) => {
                let replied = self.actors[actor].at_hand.as_ref().is_some_and(|at| at.reply.is_some());
                (actor, if replied { self.hear(actor, telling) } else { self.arrive(actor) })
            }
            Step::Read(actor) => {
                let appended = Rc::clone(&self.appended);
                let heard = self.heard(&self.actors[actor].worker);
                self.actor(actor).worker.catch_up(&Newer::here(appended[heard..].to_vec()));
                self.check_fold(actor);
                (actor, format!("reads up to version {}", self.newest()))
            }
        };
        // A step changes one worker and its tasks, and the log.
        self.tell_actor(actor);
        if telling { format!("worker {}: {told}", self.actors[actor].number) } else { String::new() }
    }

    pub(super) fn actor(&mut self, actor: usize) -> &mut Actor {
        Rc::make_mut(&mut self.actors[actor])
    }

    fn newest(&self) -> u64 {
        self.fixed.version + self.appended.len() as u64
    }

    /// What a probe is answered, if that is at once.
    fn answer(&mut self, label: &str, policy: &Policy) -> Option<Status> {
        Rc::make_mut(&mut self.calls).push(label.to_owned());
        let provider = Rc::make_mut(&mut self.provider);
        let (status, at, ticket) = provider.probe(label, policy, self.fixed.now);
        provider.ended(ticket);
        (at <= self.fixed.now).then_some(status)
    }

    fn begin(&mut self, actor: usize, place: usize, telling: bool) -> String {
        let command = match self.actor(actor).tasks[place].next.take() {
            Some(Next::Command(command)) => Command::clone(&command),
            Some(Next::Retry) => match self.retry(actor, place) {
                Ok(Some(command)) => command,
                Ok(None) => return "has no token left to try".to_owned(),
                Err(refusal) => return self.impossible(&refusal),
            },
            None => return String::new(),
        };
        let at = self.actor(actor);
        let words =
            if telling { format!("{}: ", in_words(at.worker.pool(), &command)) } else { String::new() };
        if let Some(append) = at.worker.propose(at.uptime, command) {
            let decided = if telling { decided(at.worker.pool(), &append) } else { String::new() };
            at.at_hand = Some(AtHand { task: place, append, reply: None });
            return words + &decided;
        }
        let version = at.worker.pool().version();
        self.end(actor, place);
        format!("{words}decides nothing on version {version}")
    }

    /// The next attempt of a request draws and is answered.
    fn retry(&mut self, actor: usize, place: usize) -> Result<Option<Command>, Refusal> {
        let Actor { worker, tasks, .. } = Rc::make_mut(&mut self.actors[actor]);
        let Task { trip: Some(trip), draws, .. } = &mut tasks[place] else { return Ok(None) };
        let provider = Rc::make_mut(&mut self.provider);
        let Some(Attempted { label, fallback, ticket, command, .. }) =
            trip.attempt(worker.pool(), provider, self.fixed.now)?
        else {
            return trip.end().map(|()| None);
        };
        Rc::make_mut(&mut self.calls).push(label.clone());
        provider.ended(ticket);
        draws.push((label, fallback));
        Ok(Some(command))
    }

    /// What a worker took up is done: a request may be retried.
    fn end(&mut self, actor: usize, place: usize) {
        let Actor { worker, tasks, .. } = &*self.actors[actor];
        let Some(trip) = &tasks[place].trip else { return };
        if trip.goes_on(worker.pool().policy(), self.fixed.now) {
            self.actor(actor).tasks[place].next = Some(Next::Retry);
        } else if let Err(refusal) = trip.end() {
            self.impossible(&refusal);
        }
    }

    fn impossible(&mut self, refusal: &Refusal) -> String {
        let reason = refusal.reason();
        self.broken = Some(Rc::new(Broken::Impossible(reason.to_owned())));
        reason.to_owned()
    }

    /// The append of a worker arrives at the log.
    fn arrive(&mut self, actor: usize) -> String {
        let newest = self.newest();
        let Some(AtHand { append, .. }) = &self.actors[actor].at_hand else { return String::new() };
        let expected = append.expected.version.appends();
        if !(self.fixed.admits)(expected, newest) {
            let length = self.appended.len();
            if let Some(at_hand) = &mut self.actor(actor).at_hand {
                at_hand.reply = Some(Reply::Refused(length));
            }
            return format!("the append arrives and is refused: the log is at version {newest}");
        }
        let entry = Entry { version: Version::new(newest + 1), ..append.clone().into_entry() };
        let before = Rc::clone(&self.folds[self.appended.len()]);
        let fold = self.fixed.made.after(&before, &entry, &self.fixed.always);
        if self.fixed.tells {
            let told = Rc::make_mut(&mut self.told);
            told.events.extend(entry.events.iter().map(|event| event_word(&before.pool, event)));
            let sent = entry.events.iter().filter(|event| matches!(event, Event::ProbeSent { .. }));
            let sent = sent.filter_map(|event| before.pool.token(event.token()?));
            told.probes.extend(sent.map(|token| token.label.to_owned()));
        }
        Rc::make_mut(&mut self.folds).push(fold);
        Rc::make_mut(&mut self.appended).push(entry);
        // A log that admits what is stale has moved on: the worker hears of its own append with the rest.
        let stale = (expected != newest).then_some(Reply::Refused(self.appended.len()));
        if let Some(at_hand) = &mut self.actor(actor).at_hand {
            at_hand.reply = Some(stale.unwrap_or(Reply::Accepted));
        }
        self.check_log();
        format!("the append arrives and is accepted as version {}", newest + 1)
    }

    /// The reply arrives at a worker.
    fn hear(&mut self, actor: usize, telling: bool) -> String {
        let appended = Rc::clone(&self.appended);
        let heard = self.heard(&self.actors[actor].worker);
        let at = self.actor(actor);
        let Some(AtHand { task, reply: Some(reply), .. }) = at.at_hand.take() else { return String::new() };
        let (entry, told) = match reply {
            Reply::Accepted => (Some(at.worker.accepted()), "hears that it is in the log".to_owned()),
            Reply::Refused(length) => match at.worker.refused(&Newer::here(appended[heard..length].to_vec()))
            {
                Refused::Again(append) => {
                    let again = if telling { decided(at.worker.pool(), &append) } else { String::new() };
                    at.at_hand = Some(AtHand { task, append, reply: None });
                    self.check_fold(actor);
                    return format!("hears what is newer, {again}");
                }
                Refused::NothingLeft => (None, "hears what is newer, nothing is left to do".to_owned()),
                Refused::WasAccepted(entry) => {
                    (Some(entry), "hears what is newer, and that it was in the log".to_owned())
                }
            },
        };
        self.check_fold(actor);
        if !self.fixed.answers_probes {
            self.answer_probes(actor, task, entry.as_ref());
        }
        self.end(actor, task);
        told
    }

    /// The provider answers the probes that an append of this worker sends, and the worker is to report that.
    fn answer_probes(&mut self, actor: usize, task: usize, entry: Option<&Entry>) {
        let item = self.actors[actor].tasks[task].item;
        for event in entry.iter().flat_map(|entry| &entry.events) {
            let Event::ProbeSent { token, probe } = *event else { continue };
            let label = self.actors[actor].worker.pool().token(token).map(|token| token.label.to_owned());
            let Some(label) = label else { continue };
            let policy = self.actors[actor].worker.pool().policy().clone();
            // One that takes its time arrives when all of this is over.
            let Some(answer) = self.answer(&label, &policy) else { continue };
            let command = Command::ProbeAnswered { token, probe, answer };
            let next = Some(Next::Command(Rc::new(command)));
            let task = Task { item, next, trip: None, draws: Vec::new(), later: true };
            self.actor(actor).tasks.push(task);
        }
    }
}

fn in_words(pool: &Pool, command: &Command) -> String {
    let label = |token| pool.token(token).map_or("a former token", |token| token.label);
    match command {
        Command::Outcome { token, status, .. } => format!("{status} for {}", label(*token)),
        Command::Tick => "tick".to_owned(),
        Command::ProbeAnswered { token, answer, .. } => {
            format!("probe of {} answers {answer}", label(*token))
        }
        Command::Operate { token, order } => {
            let what = match order {
                Order::TakeOut => "takes out",
                Order::PutBack => "puts back",
                Order::Reset => "resets",
            };
            format!("{what} {} by hand", label(*token))
        }
        Command::Join(_) => "joins".to_owned(),
        Command::Reconfigure(_) => "loads a configuration".to_owned(),
    }
}

fn decided(pool: &Pool, append: &Append) -> String {
    let events: Vec<String> = append.events.iter().map(|event| event_word(pool, event)).collect();
    format!("decides {} on version {}", events.join(", "), append.expected.version)
}
