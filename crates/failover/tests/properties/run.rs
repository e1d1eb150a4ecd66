//! A random scenario, and running it on the engine and on the model side by side.

use std::cell::RefCell;
use std::collections::BTreeMap;

use firedrill_failover::{
    Attempt, Command, Config, Entry, Event, Fingerprint, Instant, Order, Pool, Profile, Status, StatusSet,
    Token, TokenId, WorkerId, wire,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use serde_json::json;

use crate::model::{Model, Mutation, Pattern, Rules};
use crate::shown::shown;

const NAMES: [&str; 4] = ["a", "b", "c", "d"];
/// What is usual stands here more often.
const STATUSES: [&str; 21] = [
    "200", "200", "200", "201", "204", "299", "302", "304", "404", "405", "425", "429", "429", "429", "429",
    "500", "500", "503", "connect", "timeout", "reset",
];
const ANSWERS: [&str; 12] =
    ["200", "200", "200", "200", "200", "200", "204", "302", "429", "500", "timeout", "reset"];
const MOMENTS: [u64; 14] = [0, 1, 2, 49, 50, 51, 99, 100, 101, 1_000, 29_999, 30_001, 59_999, 60_000];

/// A configuration and what happens under it.
#[derive(Clone, Debug)]
pub(crate) struct Scenario {
    rules: Rules,
    steps: Vec<Step>,
}

#[derive(Clone, Debug)]
enum Step {
    /// `earlier` takes the id that the token had before it was dropped, if it was.
    Outcome {
        name: &'static str,
        status: &'static str,
        retry: bool,
        earlier: bool,
    },
    Advance(u64),
    ClockBack(u64),
    Tick {
        worker: u64,
    },
    /// An answer to the `which`-latest probe, be it out or not.
    Answer {
        which: usize,
        status: &'static str,
    },
    /// An answer to a probe that was never sent.
    Invented {
        name: &'static str,
        ahead: u64,
    },
    Reconfigure(Rules),
    /// `earlier` as for an outcome.
    Operate {
        name: &'static str,
        order: &'static str,
        earlier: bool,
    },
}

const ORDERS: [(&str, Order); 3] = [("out", Order::TakeOut), ("in", Order::PutBack), ("reset", Order::Reset)];

pub(crate) fn scenario() -> impl Strategy<Value = Scenario> {
    (rules(), vec(step(), 1..60)).prop_map(|(rules, steps)| Scenario { rules, steps })
}

fn rules() -> impl Strategy<Value = Rules> {
    let patterns = select(vec![
        vec![Pattern::Digit('4'), Pattern::Digit('5')],
        vec![Pattern::Text("429")],
        vec![Pattern::Digit('5')],
        vec![Pattern::Text("42"), Pattern::Text("500")],
        vec![Pattern::Digit('2'), Pattern::Digit('4')],
        vec![Pattern::Text("429"), Pattern::Text("timeout")],
        vec![Pattern::Text("503"), Pattern::Text("out")],
        vec![Pattern::Text("504"), Pattern::Text("connect")],
    ]);
    (
        any::<bool>(),
        prop::bool::weighted(0.95),
        select(&[1_u32, 1, 2, 3][..]),
        select(&[1_u32, 1, 2, 3][..]),
        select(&[None, Some(1), Some(50), Some(1_000), Some(70_000)][..]),
        select(&[0_u64, 1, 50, 100, 60_000][..]),
        patterns,
        prop::bool::weighted(0.3),
        subsequence(&NAMES[..], 1..=NAMES.len()).prop_shuffle(),
    )
        .prop_map(
            |(higress, enabled, failures, successes, probe_timeout, cooldown, patterns, reset, tokens)| {
                Rules {
                    higress,
                    enabled,
                    failure_threshold: failures,
                    success_threshold: successes,
                    probe_timeout,
                    // There must be one way back.
                    cooldown: if probe_timeout.is_none() { cooldown.max(1) } else { cooldown },
                    patterns,
                    reset_on_reload: reset,
                    tokens: tokens.into_iter().map(String::from).collect(),
                }
            },
        )
}

fn step() -> impl Strategy<Value = Step> {
    let name = || select(&NAMES[..]);
    let outcome = (name(), select(&STATUSES[..]), prop::bool::weighted(0.1), prop::bool::weighted(0.1));
    let operated = (name(), select(&ORDERS[..]), prop::bool::weighted(0.1));
    prop_oneof![
        20 => outcome.prop_map(|(name, status, retry, earlier)| Step::Outcome { name, status, retry, earlier }),
        8 => select(&MOMENTS[..]).prop_map(Step::Advance),
        1 => select(&MOMENTS[..]).prop_map(Step::ClockBack),
        14 => (1..3_u64).prop_map(|worker| Step::Tick { worker }),
        14 => (0..4_usize, select(&ANSWERS[..])).prop_map(|(which, status)| Step::Answer { which, status }),
        1 => (name(), 0..3_u64).prop_map(|(name, ahead)| Step::Invented { name, ahead }),
        1 => rules().prop_map(Step::Reconfigure),
        4 => operated.prop_map(|(name, (order, _), earlier)| Step::Operate { name, order, earlier }),
    ]
}

/// What the engine calls a token with this name.
fn token(name: &str) -> Token {
    let bits = u64::from(name.as_bytes()[0]) << 32;
    Token { label: name.into(), fingerprint: Fingerprint::new(bits) }
}

/// The configuration that means `rules`. Resolving patterns is slow in a debug build, so they are resolved once each,
/// and the configuration is read from a log, which holds them resolved.
fn config(rules: &Rules) -> Config {
    let tokens: Vec<Token> = rules.tokens.iter().map(|name| token(name)).collect();
    let failover = rules.enabled.then(|| {
        json!({
            "failureThreshold": rules.failure_threshold,
            "successThreshold": rules.success_threshold,
            "healthCheckInterval": 5_000,
            "healthCheckTimeout": rules.probe_timeout,
            "healthCheckModel": rules.probe_timeout.map(|_| "model"),
            "cooldownDuration": (rules.cooldown > 0).then_some(rules.cooldown),
            "failoverOnStatus": resolved(&rules.patterns, rules.higress),
        })
    });
    let policy = json!({
        "profile": if rules.higress { "higress" } else { "standard" },
        "onReload": if rules.reset_on_reload { "reset" } else { "keep" },
        "failover": failover,
    });
    let configured = json!({ "configured": { "reset": true, "tokens": tokens, "policy": policy } });
    let line = json!({ "version": 1, "at": 0, "by": 1, "proposal": 1, "events": [configured] });
    let mut reader = wire::Reader::new();
    reader.read(&wire::header(Fingerprint::new(1))).expect("a header");
    let wire::Line::Append(entry) = reader.read(&line.to_string()).expect("a good line") else {
        panic!("an entry");
    };
    let Event::Configured(configured) = &entry.events[0] else { panic!("another event was read") };
    configured.config.clone()
}

fn resolved(patterns: &[Pattern], higress: bool) -> String {
    thread_local! {
        static RESOLVED: RefCell<BTreeMap<(String, bool), String>> = const { RefCell::new(BTreeMap::new()) };
    }
    let written: Vec<String> = patterns.iter().map(|pattern| pattern.written()).collect();
    let resolve = || {
        let profile = if higress { Profile::Higress } else { Profile::Standard };
        let set = StatusSet::matching(written.iter().map(String::as_str), profile);
        set.expect("good patterns").to_string()
    };
    RESOLVED
        .with_borrow_mut(|known| known.entry((written.join(" "), higress)).or_insert_with(resolve).clone())
}

/// Three digits or a name.
fn status(word: &str) -> Status {
    Status::named(word).unwrap_or_else(|| Status::new(word.parse().expect("a number")).expect("a status"))
}

/// A probe that the engine asked to be sent.
struct Sent {
    number: u64,
    id: TokenId,
    name: String,
    answered: bool,
}

/// The engine and the model, side by side.
struct Pair {
    pool: Pool,
    model: Model,
    entries: Vec<Entry>,
    /// The state at every version, from the empty log on.
    states: Vec<Pool>,
    text: Vec<String>,
    reader: wire::Reader,
    now: u64,
    /// The ids that each name has had.
    ids: BTreeMap<String, Vec<TokenId>>,
    sent: Vec<Sent>,
    /// Counts may be up to this, for a reconfigure has lowered the threshold below them.
    ceiling: u32,
    /// Whether everything is checked, or only whether the model differs.
    thorough: bool,
}

/// Runs `scenario` on the engine and on a model that is `wrong`, or right, and gives the log as text.
///
/// After every command, with a right model:
/// - both have the same lists in the same order, the same counts and the same times, and sent the same probes;
/// - every token is in exactly one list, and every count below its threshold unless a reconfigure lowered that;
/// - deciding twice gives the same and changes nothing;
/// - it is told that no token is available when that comes to be so, and only then;
/// - the line of text gives back the entry, and the fold of the text is the state;
/// - a tick before the deadline would change nothing, and a tick at it would change something.
///
/// In the end the log, cut at any version, folds to the state at that version.
pub(crate) fn run(scenario: &Scenario, wrong: Option<Mutation>) -> Result<String, String> {
    let config = config(&scenario.rules);
    let header = wire::header(Fingerprint::new(77));
    let mut reader = wire::Reader::new();
    reader.read(&header).map_err(|error| format!("the header cannot be read back: {error}"))?;
    let pool = Pool::new(&config);
    let mut pair = Pair {
        states: vec![pool.clone()],
        pool,
        model: Model::new(scenario.rules.clone(), wrong),
        entries: Vec::new(),
        text: vec![header],
        reader,
        now: 100_000,
        ids: BTreeMap::new(),
        sent: Vec::new(),
        ceiling: 0,
        thorough: wrong.is_none(),
    };
    pair.perform(1, &Command::Join(config))?;
    pair.compare("founding")?;
    for step in &scenario.steps {
        pair.step(step).and_then(|()| pair.compare("")).map_err(|why| format!("{step:?}: {why}"))?;
    }
    if wrong.is_none() {
        pair.every_cut_folds()?;
    }
    Ok(pair.text.join("\n"))
}

impl Pair {
    fn at(&self) -> u64 {
        self.now.max(self.pool.clock().as_millis())
    }

    fn step(&mut self, step: &Step) -> Result<(), String> {
        let at = self.at();
        match *step {
            Step::Outcome { name, status: word, retry, earlier } => {
                let Some((token, is_new)) = self.id(name, earlier) else { return Ok(()) };
                let attempt = if retry { Attempt::Retry } else { Attempt::First };
                self.perform(1, &Command::Outcome { token, status: status(word), attempt })?;
                if is_new {
                    self.model.outcome(name, word, retry, at);
                }
            }
            Step::Operate { name, order: word, earlier } => {
                let Some((token, is_new)) = self.id(name, earlier) else { return Ok(()) };
                let order = ORDERS.iter().find(|(known, _)| *known == word).ok_or("an unknown order")?.1;
                self.perform(2, &Command::Operate { token, order })?;
                if is_new && self.model.rules.tokens.iter().any(|known| known == name) {
                    self.model.operate(name, word, at);
                }
            }
            Step::Advance(millis) => self.now += millis,
            Step::ClockBack(millis) => self.now = self.now.saturating_sub(millis),
            Step::Tick { worker } => {
                let events = self.perform(worker, &Command::Tick)?;
                let probes: Vec<(u64, String)> =
                    events.iter().filter_map(|event| self.probe(event)).collect();
                let expect = self.model.tick(worker, at);
                if probes != expect {
                    return Err(format!("the probes are {probes:?}, the model's {expect:?}"));
                }
            }
            Step::Answer { which, status: word } => return self.answer(which, word),
            Step::Invented { name, ahead } => {
                let Some(ids) = self.ids.get(name) else { return Ok(()) };
                let token = ids[ids.len() - 1];
                let probe = self.sent.last().map_or(1, |sent| sent.number + 1) + ahead;
                let answer = status("200");
                self.perform(1, &Command::ProbeAnswered { token, probe, answer })?;
            }
            Step::Reconfigure(ref rules) => {
                self.perform(1, &Command::Reconfigure(config(rules)))?;
                let counts = self.pool.tokens().map(|(_, token)| token.failures.max(token.successes) + 1);
                self.ceiling = counts.max().unwrap_or(0);
                self.model.reconfigure(rules.clone());
            }
        }
        Ok(())
    }

    /// The newest id that the token has had, or, if it had one, the one before; and whether it is the newest.
    fn id(&self, name: &str, earlier: bool) -> Option<(TokenId, bool)> {
        let ids = self.ids.get(name)?;
        let from_the_end = if earlier && ids.len() > 1 { 2 } else { 1 };
        Some((ids[ids.len() - from_the_end], from_the_end == 1))
    }

    fn answer(&mut self, which: usize, word: &str) -> Result<(), String> {
        let Some(place) = self.sent.len().checked_sub(which + 1) else { return Ok(()) };
        let higress = self.model.rules.higress;
        let sent = &mut self.sent[place];
        if sent.answered && higress {
            // There an answer is not told from its repetition; `rules` has a test of its own for that.
            return Ok(());
        }
        sent.answered = true;
        let (number, token, name) = (sent.number, sent.id, sent.name.clone());
        self.perform(2, &Command::ProbeAnswered { token, probe: number, answer: status(word) })?;
        self.model.probe_answered(&name, number, word);
        Ok(())
    }

    fn probe(&self, event: &Event) -> Option<(u64, String)> {
        let &Event::ProbeSent { token, probe } = event else { return None };
        Some((probe, self.pool.token(token)?.label.into()))
    }

    /// Decides `command`, appends what comes of it and folds it.
    fn perform(&mut self, worker: u64, command: &Command) -> Result<Vec<Event>, String> {
        let (by, at) = (WorkerId::new(worker), Instant::from_millis(self.at()));
        let events = self.pool.decide(by, at, command);
        if self.thorough {
            let before = self.pool.clone();
            if self.pool.decide(by, at, command) != events || self.pool != before {
                return Err("deciding is not pure".into());
            }
        }
        if events.is_empty() {
            return Ok(events);
        }
        let version = self.pool.version().next();
        let proposal = self.entries.len() as u64 + 1;
        let entry = Entry { version, at, by, proposal, events: events.clone().into() };
        let before = self.pool.clone();
        self.pool.apply(&entry);
        if self.thorough {
            self.write(&before, &entry)?;
            let had_one = before.policy().failover().is_none() || before.available_len() > 0;
            let none = self.pool.policy().failover().is_some() && self.pool.available_len() == 0;
            if events.contains(&Event::NoneAvailable) != (had_one && none) {
                return Err(format!("that the last one left is told when it is so: {events:?}"));
            }
        }
        for event in &events {
            if let Some((number, name)) = self.probe(event) {
                let id = event.token().ok_or("a probe has no token")?;
                self.sent.push(Sent { number, id, name, answered: false });
            }
        }
        for (id, token) in self.pool.tokens() {
            let ids = self.ids.entry(token.label.into()).or_default();
            if ids.last() != Some(&id) {
                ids.push(id);
            }
        }
        self.entries.push(entry);
        self.states.push(self.pool.clone());
        Ok(events)
    }

    /// Writes `entry`, which was decided on `before`, as a line, and reads it back.
    fn write(&mut self, before: &Pool, entry: &Entry) -> Result<(), String> {
        let line = wire::line(before, entry);
        let read =
            self.reader.read(&line).map_err(|error| format!("{error} at {} of {line}", error.column))?;
        if read != wire::Line::Append(entry.clone()) || self.reader.pool() != Some(&self.pool) {
            return Err(format!("what is read back is not what was written: {line}"));
        }
        self.text.push(line);
        Ok(())
    }

    fn compare(&self, place: &str) -> Result<(), String> {
        let (engine, model) = (shown(&self.pool), self.model.shown());
        if engine != model {
            return Err(format!("{place} the engine has {engine}, the model {model}"));
        }
        if !self.thorough {
            return Ok(());
        }
        let mut ids: Vec<TokenId> = self.pool.available().chain(self.pool.unavailable()).collect();
        ids.sort_unstable();
        ids.dedup();
        if ids.len() != self.pool.len() || self.pool.len() != self.model.rules.tokens.len() {
            return Err(format!("a token is in no list or in two: {engine}"));
        }
        let rules = &self.model.rules;
        for (_, token) in self.pool.tokens().filter(|_| rules.enabled) {
            let below = token.failures < rules.failure_threshold.max(self.ceiling)
                && token.successes < rules.success_threshold.max(self.ceiling);
            if !below {
                return Err(format!("a count is at its threshold: {engine}"));
            }
        }
        [1, 2].into_iter().try_for_each(|worker| self.deadline_holds(WorkerId::new(worker)))
    }

    fn deadline_holds(&self, worker: WorkerId) -> Result<(), String> {
        let clock = self.pool.clock().as_millis();
        let quiet = |at: u64| self.pool.decide(worker, Instant::from_millis(at), &Command::Tick).is_empty();
        let deadline = self.pool.next_deadline(worker).map(Instant::as_millis);
        let holds = match deadline {
            None => quiet(clock) && quiet(clock + 10_000_000),
            Some(at) if at > clock => quiet(clock) && quiet(at - 1) && !quiet(at),
            Some(_) => !quiet(clock),
        };
        if holds {
            Ok(())
        } else {
            Err(format!("the deadline {deadline:?} of worker {worker} does not hold"))
        }
    }

    fn every_cut_folds(&self) -> Result<(), String> {
        let mut fold = self.states[0].clone();
        for (entry, state) in self.entries.iter().zip(&self.states[1..]) {
            fold.try_apply(entry)
                .map_err(|(event, why)| format!("{}, event {event}: {why}", entry.version))?;
            if fold != *state {
                return Err(format!("the log up to {} folds to another state", entry.version));
            }
        }
        Ok(())
    }
}
