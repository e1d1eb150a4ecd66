//! Workers and a log that they share: every order in which their proposals and appends can fall, replies that get lost
//! included. What comes out is held against the model, given the same commands in the order of the log. Two logs that
//! break their promise stand by, and must be found out.

mod model;
mod shown;

use std::collections::BTreeSet;
use std::rc::Rc;

use firedrill_failover::{
    Append, Appended, Attempt, Command, Config, Duration, Entry, FailoverSettings, Fingerprint, Head,
    Instant, Log, MemoryLog, Newer, Pool, Refused, Settings, Status, Token, TokenId, Version, Worker,
    WorkerId,
};

use model::{Model, Pattern, Rules};
use shown::shown;

const COOLDOWN: u64 = 100;

fn rules(failure_threshold: u32, tokens: &[&str]) -> Rules {
    Rules {
        higress: false,
        enabled: true,
        failure_threshold,
        success_threshold: 1,
        probe_timeout: None,
        cooldown: COOLDOWN,
        patterns: vec![Pattern::Digit('4')],
        reset_on_reload: false,
        tokens: tokens.iter().map(|name| (*name).into()).collect(),
    }
}

fn config(rules: &Rules) -> Config {
    let failover = FailoverSettings {
        enabled: true,
        failure_threshold: rules.failure_threshold.into(),
        cooldown_duration: rules.cooldown,
        failover_on_status: rules.patterns.iter().map(|pattern| pattern.written()).collect(),
        ..FailoverSettings::default()
    };
    let token = |name: &String| Token {
        label: name.as_str().into(),
        fingerprint: Fingerprint::new(name.bytes().map(u64::from).sum()),
    };
    let settings = Settings { failover, ..Settings::default() };
    Config::parse(rules.tokens.iter().map(token).collect(), &settings).expect("good rules")
}

/// What a worker is told to do, in names.
#[derive(Clone, Debug)]
enum Order {
    Answered(&'static str, u16),
    /// A tick at this time.
    Tick(u64),
    Load(Rc<(Rules, Config)>),
}

use Order::{Answered, Load, Tick};

fn load(rules: Rules) -> Order {
    let config = config(&rules);
    Load(Rc::new((rules, config)))
}

/// A log that keeps its promise, or one that breaks it.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
enum Kind {
    Honest,
    /// Accepts an append whatever version it was decided on.
    AcceptsStale,
    /// Refuses an append whose version is taken, and keeps it nevertheless.
    KeepsWhatItRefuses,
    /// Loses what it has accepted, every other time.
    Forgets,
}

#[derive(Clone)]
struct Shared {
    kind: Kind,
    log: Vec<Rc<Entry>>,
    accepted: usize,
}

impl Shared {
    fn append(&mut self, append: &Append) -> Appended {
        let version = self.log.len() as u64;
        let expected = append.expected.version.appends();
        if expected != version && self.kind != Kind::AcceptsStale {
            let heard = usize::try_from(expected).expect("a short log").min(self.log.len());
            let newer = self.log[heard..].iter().map(|entry| (**entry).clone()).collect();
            if self.kind == Kind::KeepsWhatItRefuses {
                self.keep(append);
            }
            return Appended::Refused(Newer::here(newer));
        }
        self.accepted += 1;
        if self.kind != Kind::Forgets || self.accepted.is_multiple_of(2) {
            self.keep(append);
        }
        Appended::Accepted
    }

    fn keep(&mut self, append: &Append) {
        let version = Version::new(self.log.len() as u64 + 1);
        self.log.push(Rc::new(Entry { version, ..append.clone().into_entry() }));
    }
}

/// A worker with what it has still to do.
#[derive(Clone)]
struct Actor {
    worker: Worker,
    orders: Vec<Order>,
    /// The append that it sends next, if it has one.
    append: Option<Append>,
    /// The reply that is on its way to it.
    reply: Option<Appended>,
}

/// A world at one point of one interleaving.
#[derive(Clone)]
struct World {
    shared: Shared,
    actors: Vec<Rc<Actor>>,
    /// What is done: with the version of the log that it made, or that it changed nothing on; whether it changed
    /// nothing; what; and when.
    done: Vec<(u64, bool, Order, u64)>,
    replies_to_lose: u32,
    rules: Rules,
    /// The pool before anything happened.
    empty: Pool,
    /// Set by a log that tells a worker what does not follow.
    broken: Option<String>,
}

/// What an exploration has found.
#[derive(Debug, Default)]
struct Found {
    interleavings: u64,
    refusals: u64,
    was_accepted: u64,
    nothing_left: u64,
    violations: BTreeSet<String>,
}

fn explore(kind: Kind, rules: &Rules, orders: &[&[Order]], replies_to_lose: u32) -> Found {
    let config = config(rules);
    let mut founder = Worker::new(WorkerId::new(9), Instant::ZERO, &config);
    let mut log = MemoryLog::new();
    founder.perform(&mut log, Duration::ZERO, Command::Join(config.clone())).expect("memory");
    let actors = orders.iter().zip(1..).map(|(orders, number)| {
        let mut worker = Worker::new(WorkerId::new(number), Instant::ZERO, &config);
        worker.catch_up(&all(&log));
        let orders = orders.iter().rev().cloned().collect();
        Rc::new(Actor { worker, orders, append: None, reply: None })
    });
    let world = World {
        shared: Shared { kind, log: log.entries().iter().cloned().map(Rc::new).collect(), accepted: 0 },
        actors: actors.collect(),
        done: Vec::new(),
        replies_to_lose,
        rules: rules.clone(),
        empty: Pool::new(&config),
        broken: None,
    };
    let mut found = Found::default();
    world.go_on(&mut found);
    found
}

impl World {
    /// Every way on from here.
    fn go_on(&self, found: &mut Found) {
        if self.broken.is_some() || self.actors.iter().all(|actor| actor.is_done()) {
            found.interleavings += 1;
            found.violations.extend(self.broken.clone().or_else(|| self.violation()));
            return;
        }
        // A log that breaks its promise is found out long before every order is tried.
        if found.violations.len() > 3 {
            return;
        }
        for actor in 0..self.actors.len() {
            let mut next = self.clone();
            if next.actors[actor].reply.is_some() {
                if next.replies_to_lose > 0 {
                    // The reply is lost: the append is sent again.
                    let mut lossy = self.clone();
                    lossy.replies_to_lose -= 1;
                    lossy.actor(actor).reply = None;
                    lossy.go_on(found);
                }
                next.hear(actor, found);
            } else if next.actors[actor].append.is_some() {
                next.send(actor);
            } else if next.actors[actor].orders.last().is_some() {
                next.propose(actor);
            } else {
                continue;
            }
            next.go_on(found);
        }
    }

    fn actor(&mut self, actor: usize) -> &mut Actor {
        Rc::make_mut(&mut self.actors[actor])
    }

    fn propose(&mut self, actor: usize) {
        let Actor { worker, orders, append, .. } = Rc::make_mut(&mut self.actors[actor]);
        let order = orders.last().expect("an order is left").clone();
        let (at, command) = command(&order, worker.pool());
        *append = command.and_then(|command| worker.propose(Duration::from_millis(at), command));
        if append.is_none() {
            let version = worker.pool().version().appends();
            self.settled(actor, version, true, at);
        }
    }

    fn send(&mut self, actor: usize) {
        let append = self.actors[actor].append.as_ref().expect("an append to send");
        let reply = self.shared.append(append);
        self.actor(actor).reply = Some(reply);
    }

    fn hear(&mut self, actor: usize, found: &mut Found) {
        let Actor { worker, append, reply, .. } = Rc::make_mut(&mut self.actors[actor]);
        let sent = append.take().expect("a reply is to an append");
        let entry = match reply.take().expect("a reply to hear") {
            Appended::Accepted => Some(worker.accepted()),
            Appended::Refused(newer) => {
                found.refusals += 1;
                if newer.is_empty() || newer.entries[0].version != sent.expected.version.next() {
                    self.broken = Some("a refusal tells nothing that is newer".into());
                    return;
                }
                let mut told = worker.pool().clone();
                if let Some((_, why)) = newer.entries.iter().find_map(|entry| told.try_apply(entry).err()) {
                    self.broken = Some(format!("a refusal tells what does not follow: {why}"));
                    return;
                }
                match worker.refused(&newer) {
                    Refused::Again(again) => {
                        assert_eq!(again.expected, worker.head(), "it was decided on what is newest");
                        assert!(again.proposal > sent.proposal, "it is another proposal");
                        *append = Some(again);
                        return;
                    }
                    Refused::NothingLeft => {
                        found.nothing_left += 1;
                        None
                    }
                    Refused::WasAccepted(entry) => {
                        found.was_accepted += 1;
                        Some(entry)
                    }
                }
            }
        };
        let idle = entry.is_none();
        let (version, at) = entry.map_or((worker.pool().version().appends(), sent.at.as_millis()), |entry| {
            (entry.version.appends(), entry.at.as_millis())
        });
        self.settled(actor, version, idle, at);
    }

    /// The order of `actor` took effect with `version` of the log, or was found to have none on it.
    fn settled(&mut self, actor: usize, version: u64, idle: bool, at: u64) {
        let order = self.actor(actor).orders.pop().expect("the order that was worked on");
        self.done.push((version, idle, order, at));
    }

    fn violation(&self) -> Option<String> {
        let mut fold = self.empty.clone();
        for entry in &self.shared.log {
            if let Err((_, why)) = fold.try_apply(entry) {
                return Some(format!("the log contradicts itself: {why}"));
            }
            let listed: BTreeSet<TokenId> = fold.available().chain(fold.unavailable()).collect();
            if listed.len() != fold.len()
                || fold.available().count() + fold.unavailable().count() != fold.len()
            {
                return Some("a token is in no list, or in two".into());
            }
        }
        for actor in &self.actors {
            let mut pool = actor.worker.pool().clone();
            let heard = usize::try_from(pool.version().appends()).expect("a short log");
            for entry in self.shared.log.get(heard..).unwrap_or_default() {
                if let Err((_, why)) = pool.try_apply(entry) {
                    return Some(format!("a worker's fold contradicts the log: {why}"));
                }
            }
            if pool != fold {
                return Some("a worker's fold is another than the log's".into());
            }
        }
        // The model takes the commands in the order of the log; one that had no effect stands where it had none.
        let mut done = self.done.clone();
        done.sort_by_key(|(version, idle, ..)| (*version, *idle));
        let mut model = Model::new(self.rules.clone(), None);
        for (_, _, order, at) in done {
            match order {
                Answered(name, status) => model.outcome(name, &status.to_string(), false, at),
                Tick(_) => drop(model.tick(1, at)),
                Load(load) => model.reconfigure(load.0.clone()),
            }
        }
        let (engine, model) = (shown(&fold), model.shown());
        (engine != model).then(|| format!("the engine has {engine}, the model {model}"))
    }
}

impl Actor {
    fn is_done(&self) -> bool {
        self.orders.is_empty() && self.append.is_none() && self.reply.is_none()
    }
}

/// `None` if the token is not configured as far as this worker knows: then no request draws it.
fn command(order: &Order, pool: &Pool) -> (u64, Option<Command>) {
    match *order {
        Answered(name, code) => {
            let status = Status::new(code).expect("a status");
            let attempt = Attempt::First;
            (0, pool.find(name).map(|token| Command::Outcome { token, status, attempt }))
        }
        Tick(at) => (at, Some(Command::Tick)),
        Load(ref load) => (0, Some(Command::Reconfigure(load.1.clone()))),
    }
}

#[track_caller]
fn check(rules: &Rules, orders: &[&[Order]], replies_to_lose: u32) -> Found {
    let found = explore(Kind::Honest, rules, orders, replies_to_lose);
    assert_eq!(found.violations, BTreeSet::new(), "{} interleavings", found.interleavings);
    assert!(found.refusals > 0, "workers got in each other's way");
    assert_eq!(found.was_accepted > 0, replies_to_lose > 0, "a lost reply was recognised");
    found
}

#[test]
fn two_workers_count_the_same_outage_exactly() {
    let failing = [Answered("a", 429), Answered("a", 429)];
    let found = check(&rules(3, &["a", "b"]), &[&failing, &failing], 0);
    assert!(found.nothing_left > 0, "sometimes the fourth failure finds the token out");
    assert!(found.interleavings > 900, "{}", found.interleavings);
}

#[test]
fn two_workers_with_a_lost_reply_count_exactly() {
    let failing = [Answered("a", 429), Answered("a", 429)];
    check(&rules(3, &["a", "b"]), &[&failing[..1], &failing[..1]], 2);
    check(&rules(2, &["a", "b"]), &[&failing, &failing[..1]], 1);
}

#[test]
fn successes_and_failures_fall_in_any_order() {
    let one = [Answered("a", 429), Answered("a", 200)];
    let two = [Answered("a", 429), Answered("b", 429)];
    check(&rules(2, &["a", "b"]), &[&one, &two], 1);
}

#[test]
fn two_removals_and_two_recoveries_fall_in_any_order() {
    let one = [Answered("a", 429), Tick(COOLDOWN)];
    let two = [Answered("b", 429), Tick(COOLDOWN)];
    check(&rules(1, &["a", "b"]), &[&one, &two], 0);
    check(&rules(1, &["a", "b"]), &[&one, &two[..1]], 1);
}

#[test]
fn a_reload_falls_between_anything() {
    let one = [Answered("a", 429), Answered("b", 429)];
    let two = [load(rules(1, &["b", "c"]))];
    check(&rules(1, &["a", "b"]), &[&one, &two], 1);
    // Two reloads that disagree: the later one of the log holds.
    let three = [load(rules(1, &["a", "c"])), Answered("a", 429)];
    check(&rules(1, &["a", "b"]), &[&two, &three], 1);
}

#[test]
fn three_workers_fall_in_any_order() {
    let (fails, succeeds) = ([Answered("a", 429)], [Answered("a", 200)]);
    check(&rules(2, &["a", "b"]), &[&fails, &fails, &succeeds], 0);
    let found = check(&rules(2, &["a", "b"]), &[&fails, &fails, &fails], 0);
    assert!(found.interleavings > 1_000, "{}", found.interleavings);
}

#[test]
fn a_log_that_breaks_its_promise_is_found_out() {
    let failing = [Answered("a", 429), Answered("a", 429), Answered("a", 429)];
    for kind in [Kind::AcceptsStale, Kind::KeepsWhatItRefuses, Kind::Forgets] {
        let found = explore(kind, &rules(2, &["a", "b"]), &[&failing, &failing], 0);
        assert!(
            !found.violations.is_empty(),
            "{kind:?} went unnoticed in {} interleavings",
            found.interleavings
        );
    }
}

/// Two workers that have joined one log.
fn pair(rules: &Rules) -> (MemoryLog, Worker, Worker) {
    let config = config(rules);
    let mut log = MemoryLog::new();
    let mut workers = [1, 2].map(|number| Worker::new(WorkerId::new(number), Instant::ZERO, &config));
    for worker in &mut workers {
        worker.perform(&mut log, Duration::ZERO, Command::Join(config.clone())).expect("memory");
    }
    let [one, two] = workers;
    (log, one, two)
}

fn failure(worker: &Worker, name: &str) -> Command {
    let token = worker.pool().find(name).expect("a token");
    Command::Outcome { token, status: Status::new(429).expect("a status"), attempt: Attempt::First }
}

/// A log, to one who has heard nothing.
fn all(log: &MemoryLog) -> Newer {
    Newer::here(log.entries().to_vec())
}

fn send(log: &mut MemoryLog, append: &Append) -> Appended {
    let Ok(reply) = log.append(append);
    reply
}

#[test]
fn two_failures_at_once_reach_a_threshold_of_two() {
    let (mut log, mut one, mut two) = pair(&rules(2, &["a", "b"]));
    let first = one.propose(Duration::ZERO, failure(&one, "a")).expect("a failure is news");
    let second = two.propose(Duration::ZERO, failure(&two, "a")).expect("a failure is news");
    assert_eq!(first.expected, second.expected);
    assert_eq!(send(&mut log, &first), Appended::Accepted);
    one.accepted();
    let Appended::Refused(newer) = send(&mut log, &second) else { panic!("a stale append was accepted") };
    let Refused::Again(again) = two.refused(&newer) else { panic!("the second failure was lost") };
    assert_eq!(send(&mut log, &again), Appended::Accepted);
    two.accepted();
    assert_eq!(shown(two.pool()), "[b 0 0 -] [a 0 0 0]");
    assert_eq!(log.version(), Version::new(3));
}

#[test]
fn a_third_failure_at_once_finds_nothing_left_to_do() {
    let (mut log, mut one, mut two) = pair(&rules(1, &["a", "b"]));
    let first = one.propose(Duration::ZERO, failure(&one, "a")).expect("a failure is news");
    let second = two.propose(Duration::ZERO, failure(&two, "a")).expect("a failure is news");
    send(&mut log, &first);
    one.accepted();
    let Appended::Refused(newer) = send(&mut log, &second) else { panic!("a stale append was accepted") };
    assert_eq!(two.refused(&newer), Refused::NothingLeft);
    assert!(!two.is_waiting());
    assert_eq!(one.pool(), two.pool());
}

#[test]
fn a_lost_reply_is_recognised_and_not_done_again() {
    let (mut log, mut one, mut two) = pair(&rules(9, &["a"]));
    let append = one.propose(Duration::ZERO, failure(&one, "a")).expect("a failure is news");
    assert_eq!(send(&mut log, &append), Appended::Accepted);
    // The reply is lost, and another worker goes on.
    let newer = log.read(two.head()).expect("memory");
    two.catch_up(&newer);
    let command = failure(&two, "a");
    two.perform(&mut log, Duration::ZERO, command).expect("memory");
    let again = one.resume(&mut log).expect("memory").expect("it was appended");
    assert_eq!((again.by, again.version), (WorkerId::new(1), append.expected.version.next()));
    assert_eq!(log.version(), Version::new(3));
    one.catch_up(&log.read(one.head()).expect("memory"));
    assert_eq!(shown(one.pool()), "[a 2 0 -] []");
    assert_eq!(one.pool(), two.pool());
}

/// A log that cannot be reached for a while, and before that loses a reply.
struct Far {
    log: MemoryLog,
    lost: u32,
    asked: u32,
}

impl Log for Far {
    type Error = &'static str;

    fn append(&mut self, append: &Append) -> Result<Appended, &'static str> {
        self.asked += 1;
        let Ok(reply) = self.log.append(append);
        if self.asked > self.lost { Ok(reply) } else { Err("the reply was lost") }
    }

    fn read(&self, after: Head) -> Result<Newer, &'static str> {
        let Ok(newer) = self.log.read(after);
        Ok(newer)
    }
}

#[test]
fn a_log_out_of_reach_is_asked_again_until_it_answers() {
    let rules = rules(9, &["a"]);
    let config = config(&rules);
    let mut far = Far { log: MemoryLog::new(), lost: 3, asked: 0 };
    let mut worker = Worker::new(WorkerId::new(1), Instant::ZERO, &config);
    assert_eq!(worker.perform(&mut far, Duration::ZERO, Command::Join(config)), Err("the reply was lost"));
    assert!(worker.is_waiting());
    assert_eq!(worker.resume(&mut far), Err("the reply was lost"));
    assert_eq!(worker.resume(&mut far), Err("the reply was lost"));
    assert!(worker.resume(&mut far).expect("within reach").is_some());
    assert_eq!((far.log.version(), worker.pool().version()), (Version::new(1), Version::new(1)));
    assert_eq!(worker.resume(&mut far), Ok(None));
}

#[test]
fn nothing_is_given_up_after_many_refusals() {
    let (mut log, mut one, mut two) = pair(&rules(1_000, &["a"]));
    let mut append = one.propose(Duration::ZERO, failure(&one, "a")).expect("a failure is news");
    for _ in 0..500 {
        let command = failure(&two, "a");
        two.perform(&mut log, Duration::ZERO, command).expect("memory");
        let Appended::Refused(newer) = send(&mut log, &append) else { panic!("a stale append was accepted") };
        let Refused::Again(again) = one.refused(&newer) else { panic!("a failure was given up") };
        append = again;
    }
    assert_eq!(send(&mut log, &append), Appended::Accepted);
    one.accepted();
    assert_eq!(shown(one.pool()), "[a 501 0 -] []");
}

#[test]
#[should_panic = "broken invariant: the append was decided on another log"]
fn an_append_from_beyond_the_end_of_a_log_in_memory_is_a_broken_invariant() {
    let (_, mut one, _) = pair(&rules(9, &["a"]));
    let command = failure(&one, "a");
    drop(one.perform(&mut MemoryLog::new(), Duration::ZERO, command));
}

/// A log that was emptied: it refuses what it should take, and has nothing newer to tell.
struct Emptied {
    asked: u32,
}

impl Log for Emptied {
    type Error = &'static str;

    fn append(&mut self, _: &Append) -> Result<Appended, &'static str> {
        self.asked += 1;
        if self.asked > 100 {
            Err("asked a hundred times")
        } else {
            Ok(Appended::Refused(Newer::here(Vec::new())))
        }
    }

    fn read(&self, _: Head) -> Result<Newer, &'static str> {
        Ok(Newer::here(Vec::new()))
    }
}

#[test]
#[should_panic = "broken invariant: an append is refused because of something newer"]
fn a_log_that_was_emptied_is_not_asked_for_ever() {
    let (_, mut one, _) = pair(&rules(9, &["a"]));
    let command = failure(&one, "a");
    drop(one.perform(&mut Emptied { asked: 0 }, Duration::ZERO, command));
}

#[test]
#[should_panic = "broken invariant: an append is refused because of something newer"]
fn a_refusal_with_nothing_newer_is_a_broken_invariant() {
    let (_, mut one, _) = pair(&rules(9, &["a"]));
    let command = failure(&one, "a");
    one.propose(Duration::ZERO, command);
    one.refused(&Newer::here(Vec::new()));
}

#[test]
#[should_panic = "broken invariant: version 3 was applied to a fold of version 1"]
fn a_refusal_that_leaves_an_entry_out_is_a_broken_invariant() {
    let (mut log, mut one, mut two) = pair(&rules(9, &["a"]));
    let command = failure(&one, "a");
    one.propose(Duration::ZERO, command);
    for _ in 0..2 {
        let command = failure(&two, "a");
        two.perform(&mut log, Duration::ZERO, command).expect("memory");
    }
    one.refused(&Newer::here(log.entries()[2..].to_vec()));
}

#[test]
#[should_panic = "an append that is not in flight was refused"]
fn a_refusal_of_nothing_is_a_broken_invariant() {
    let (log, mut one, _) = pair(&rules(9, &["a"]));
    one.refused(&all(&log));
}

#[test]
#[should_panic = "a worker has one append in flight at a time"]
fn a_second_proposal_while_one_is_in_flight_is_a_broken_invariant() {
    let (_, mut one, _) = pair(&rules(9, &["a"]));
    let command = failure(&one, "a");
    one.propose(Duration::ZERO, command.clone());
    one.propose(Duration::ZERO, command);
}

#[test]
#[should_panic = "an append that is not in flight was accepted"]
fn a_reply_to_nothing_is_a_broken_invariant() {
    pair(&rules(9, &["a"])).1.accepted();
}

#[test]
#[should_panic = "the answer to an append tells what is newer"]
fn catching_up_while_an_append_is_in_flight_is_a_broken_invariant() {
    let (_, mut one, _) = pair(&rules(9, &["a"]));
    let command = failure(&one, "a");
    one.propose(Duration::ZERO, command);
    one.catch_up(&Newer::here(Vec::new()));
}
