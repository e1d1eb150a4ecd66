//! The script that a case is written in. One line a step, `[@time] [worker] what is done => what is so then`:
//!
//! ```text
//! @0   a 429            => b | a@0       ! removed a 1
//! @99  tick             => nothing
//! @100 tick             => b a |
//! ```
//!
//! - `@100` is real time, which every worker's clock shows; without it time stands. `w2` as the next word lets worker 2 do it, else worker 1 does;
//!   it has heard of everything that is in the log by then, and `w2~` has not.
//! - `a 429` is an outcome, and so is `a timeout`; `a 429 retry` is that of a retry; `tick` is one; `probe 1 a 200` and `probe 1 a timeout` are answers; `load <rules>` reconfigures; `join` and `join <rules>` join;
//!   `out a`, `in a` and `reset a` are an operator's orders;
//!   `deadline 100` and `deadline none` ask when a tick is due. `old:a` is the id that `a` had before the last `load`.
//! - `=> b:1 | a@0+2` are the lists: `b` with one failure counted is available, `a` is unavailable since 0 with two
//!   probe successes. `=> nothing` says that nothing was appended.
//! - `! ...` are the events appended.
//!
//! Rules are tokens, then fields by their names: `a b; failureThreshold 2; cooldownDuration 100`. `b=a` is a token
//! labelled `b` that has the fingerprint of `a`.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use firedrill_failover::{
    Attempt, Command, Config, Entry, Event, FailoverSettings, Fingerprint, Instant, Log, MemoryLog, OnReload,
    Order, Pool, Profile, RestoredBy, RetrySettings, Settings, Status, Token, TokenId, Worker, WorkerId,
};

/// Plays `script` under `rules` from a log that worker 1 has founded at 0.
#[track_caller]
pub(crate) fn check(rules: &str, script: &str) {
    let mut scene = Scene::new(rules);
    for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
        if let Err(complaint) = scene.step(line) {
            panic!("rules: {rules}\nscript: {script}\nline: {line}\n{complaint}\n{}", scene.history());
        }
    }
}

/// What `check` says about a script, for the tests of the script itself.
pub(crate) fn complaint(rules: &str, line: &str) -> Option<String> {
    Scene::new(rules).step(line).err()
}

pub(crate) fn config(rules: &str) -> Config {
    let mut parts = rules.split(';').map(str::trim);
    let tokens = parts.next().expect("tokens").split_whitespace().map(token).collect();
    let mut settings = Settings {
        failover: FailoverSettings { enabled: true, ..FailoverSettings::default() },
        retry_on_failure: RetrySettings::default(),
        profile: Profile::Standard,
    };
    let failover = &mut settings.failover;
    for part in parts {
        let (field, value) = part.split_once(' ').unwrap_or((part, ""));
        let number = || value.parse().expect("a number");
        match field {
            "higress" => settings.profile = Profile::Higress,
            "off" => failover.enabled = false,
            "failureThreshold" => failover.failure_threshold = number(),
            "successThreshold" => failover.success_threshold = number(),
            "healthCheckTimeout" => failover.health_check_timeout = number(),
            "healthCheckModel" => failover.health_check_model = value.into(),
            "cooldownDuration" => failover.cooldown_duration = number(),
            "failoverOnStatus" => {
                failover.failover_on_status = value.split_whitespace().map(String::from).collect();
            }
            "onReload" if value == "keep" => failover.on_reload = Some(OnReload::Keep),
            "onReload" if value == "reset" => failover.on_reload = Some(OnReload::Reset),
            _ => panic!("no rule `{part}`"),
        }
    }
    Config::parse(tokens, &settings).expect("good rules")
}

fn token(text: &str) -> Token {
    let (label, secret) = text.split_once('=').unwrap_or((text, text));
    let bits = secret.bytes().fold(7, |bits: u64, byte| bits * 257 + u64::from(byte));
    Token { label: label.into(), fingerprint: Fingerprint::new(bits) }
}

pub(crate) fn status(code: u16) -> Status {
    Status::new(code).expect("a status")
}

/// A number or a name.
fn answered(word: &str) -> Status {
    Status::named(word).unwrap_or_else(|| status(word.parse().expect("a status")))
}

pub(crate) fn instant(millis: u64) -> Instant {
    Instant::from_millis(millis)
}

/// The lists, as a script writes them.
pub(crate) fn lists(pool: &Pool) -> String {
    let available: Vec<String> = pool.available().map(|id| shown(pool, id)).collect();
    let unavailable: Vec<String> = pool.unavailable().map(|id| shown(pool, id)).collect();
    format!("{} | {}", available.join(" "), unavailable.join(" ")).trim().into()
}

fn shown(pool: &Pool, id: TokenId) -> String {
    let token = pool.token(id).expect("a listed token is configured");
    let mut text = String::from(token.label);
    if token.failures > 0 {
        write!(text, ":{}", token.failures).expect("text");
    }
    if let Some(since) = token.unavailable_since {
        write!(text, "@{}", since.as_millis()).expect("text");
    }
    if token.successes > 0 {
        write!(text, "+{}", token.successes).expect("text");
    }
    text
}

/// The events of an append, as a script writes them. `after` is the pool that they made.
fn happened(after: &Pool, entry: &Entry) -> String {
    let label = |id: TokenId| after.token(id).map_or("?", |token| token.label);
    let sentences = entry.events.iter().map(|event| match *event {
        Event::Configured(ref configured) if configured.reset => "configured, reset".into(),
        Event::Configured(_) => "configured".into(),
        Event::Failed { token, failures, .. } => format!("failed {} {failures}", label(token)),
        Event::Removed { token, failures, .. } => format!("removed {} {failures}", label(token)),
        Event::TakenOut { token } => format!("taken out {}", label(token)),
        Event::NoneAvailable => "none available".into(),
        Event::Succeeded { token } => format!("succeeded {}", label(token)),
        Event::Reset { token } => format!("reset {}", label(token)),
        Event::Restored { token, by: RestoredBy::Operator } => format!("put back {}", label(token)),
        Event::Restored { token, by: RestoredBy::Cooldown } => format!("cooled {}", label(token)),
        Event::Restored { token, by: RestoredBy::HealthCheck { probe } } => {
            format!("checked {} by {probe}", label(token))
        }
        Event::LeaseTaken { until } => format!("lease to {}", until.as_millis()),
        Event::ProbeSent { token, probe } => format!("probe {probe} to {}", label(token)),
        Event::ProbePassed { token, probe, successes } => {
            format!("passed {probe} of {} {successes}", label(token))
        }
        Event::ProbeFailed { token, probe, successes, .. } => {
            format!("unpassed {probe} of {} {successes}", label(token))
        }
    });
    sentences.collect::<Vec<String>>().join(", ")
}

struct Scene {
    log: MemoryLog,
    workers: BTreeMap<u64, Worker>,
    /// When each worker was made.
    made: BTreeMap<u64, Instant>,
    now: u64,
    config: Config,
    /// The ids before the last `load`.
    old: BTreeMap<String, TokenId>,
}

impl Scene {
    fn new(rules: &str) -> Self {
        let config = config(rules);
        let mut scene = Self {
            log: MemoryLog::new(),
            workers: BTreeMap::new(),
            made: BTreeMap::new(),
            now: 0,
            config: config.clone(),
            old: BTreeMap::new(),
        };
        scene.perform(1, Command::Join(config));
        scene
    }

    fn worker(&mut self, number: u64) -> &mut Worker {
        let wall = *self.made.entry(number).or_insert(instant(self.now));
        let config = &self.config;
        self.workers.entry(number).or_insert_with(|| Worker::new(WorkerId::new(number), wall, config))
    }

    fn perform(&mut self, number: u64, command: Command) -> Option<Entry> {
        self.worker(number);
        let worker = self.workers.get_mut(&number).expect("made above");
        let uptime = instant(self.now).since(self.made[&number]);
        let appended = worker.perform(&mut self.log, uptime, command);
        appended.expect("memory is always within reach")
    }

    fn step(&mut self, line: &str) -> Result<(), String> {
        let (line, events) =
            line.split_once('!').map_or((line, None), |(line, text)| (line, Some(text.trim())));
        let (done, then) =
            line.split_once("=>").map_or((line, None), |(done, text)| (done, Some(text.trim())));
        let mut words = done.split_whitespace().peekable();
        if let Some(time) = words.next_if(|word| word.starts_with('@')) {
            let now = time[1..].parse().expect("a time");
            assert!(now >= self.now, "time goes on");
            self.now = now;
        }
        let worker = words.next_if(|word| word.starts_with('w') && word.len() <= 3).unwrap_or("w1");
        let number = worker.trim_matches(['w', '~']).parse().expect("a worker");
        let words: Vec<&str> = words.collect();
        if !worker.ends_with('~') && words.first() != Some(&"join") {
            let heard = self.worker(number).head();
            let newer = self.log.read(heard).expect("memory is always within reach");
            self.worker(number).catch_up(&newer);
        }
        let version = self.log.version();
        let appended = if let ["deadline", text] = *words {
            let deadline = self.workers[&number].pool().next_deadline(WorkerId::new(number));
            let found = deadline.map_or("none".into(), |at| at.as_millis().to_string());
            same("the deadline", text, &found)?;
            None
        } else {
            let command = self.command(number, &words);
            self.perform(number, command)
        };
        let pool = self.workers[&number].pool();
        let text = appended.as_ref().map_or(String::new(), |entry| happened(pool, entry));
        if let Some(events) = events {
            same("what happened", &text, events)?;
        }
        match then {
            Some("nothing") if self.log.version() == version => {}
            Some("nothing") => return Err(format!("expected that nothing is appended, found: {text}")),
            Some(then) => same("the lists", &lists(pool), then)?,
            None => {}
        }
        self.always()
    }

    fn command(&mut self, number: u64, words: &[&str]) -> Command {
        match *words {
            ["tick"] => Command::Tick,
            ["probe", probe, label, answer] => {
                let answer = answered(answer);
                let probe = probe.parse().expect("the number of a probe");
                Command::ProbeAnswered { token: self.id(number, label), probe, answer }
            }
            ["load", ..] => {
                let pool = self.worker(number).pool();
                self.old = pool.tokens().map(|(id, token)| (token.label.into(), id)).collect();
                self.config = config(&words[1..].join(" "));
                Command::Reconfigure(self.config.clone())
            }
            ["join"] => Command::Join(self.config.clone()),
            ["join", ..] => {
                self.config = config(&words[1..].join(" "));
                Command::Join(self.config.clone())
            }
            ["out", label] => self.order(number, label, Order::TakeOut),
            ["in", label] => self.order(number, label, Order::PutBack),
            ["reset", label] => self.order(number, label, Order::Reset),
            [label, code] => {
                let status = answered(code);
                Command::Outcome { token: self.id(number, label), status, attempt: Attempt::First }
            }
            [label, code, "retry"] => {
                let status = answered(code);
                Command::Outcome { token: self.id(number, label), status, attempt: Attempt::Retry }
            }
            _ => panic!("no step `{}`", words.join(" ")),
        }
    }

    fn order(&mut self, number: u64, label: &str, order: Order) -> Command {
        Command::Operate { token: self.id(number, label), order }
    }

    fn id(&mut self, number: u64, label: &str) -> TokenId {
        if let Some(old) = label.strip_prefix("old:") {
            return self.old[old];
        }
        self.worker(number).pool().find(label).unwrap_or_else(|| panic!("no token `{label}`"))
    }

    /// What is so after every step: one list for each token, a log that can be read back, and deadlines that hold.
    fn always(&self) -> Result<(), String> {
        let entries = self.log.entries();
        let mut fold = Pool::new(&self.config);
        for entry in entries {
            fold.try_apply(entry).map_err(|why| format!("the log contradicts itself: {why:?}"))?;
        }
        for worker in self.workers.values() {
            let pool = worker.pool();
            let heard = usize::try_from(pool.version().appends()).expect("a short log");
            if heard == entries.len() && *pool != fold {
                return Err(format!("worker {} has another fold of the log", worker.id()));
            }
            exactly_one_list(pool)?;
            deadline_holds(pool, worker.id())?;
        }
        exactly_one_list(&fold)
    }

    fn history(&self) -> String {
        let line = |entry: &Entry| format!("{} at {}: {:?}", entry.version, entry.at, entry.events);
        self.log.entries().iter().map(line).collect::<Vec<String>>().join("\n")
    }
}

fn same(what: &str, found: &str, expect: &str) -> Result<(), String> {
    if found == expect { Ok(()) } else { Err(format!("{what}: expected `{expect}`, found `{found}`")) }
}

fn exactly_one_list(pool: &Pool) -> Result<(), String> {
    let mut listed: Vec<TokenId> = pool.available().chain(pool.unavailable()).collect();
    listed.sort_unstable();
    listed.dedup();
    let twice = pool.available().count() + pool.unavailable().count() != listed.len();
    if twice || listed.len() != pool.len() || pool.available().count() != pool.available_len() {
        return Err(format!("a token is in no list or in two: {}", lists(pool)));
    }
    Ok(())
}

/// A tick before the deadline changes nothing, one at it does, and without a deadline none ever does.
fn deadline_holds(pool: &Pool, worker: WorkerId) -> Result<(), String> {
    let tick = |at: u64| pool.decide(worker, instant(at), &Command::Tick);
    let clock = pool.clock().as_millis();
    let deadline = pool.next_deadline(worker).map(Instant::as_millis);
    let quiet_at = deadline.map_or(Some(clock + 1_000_000_000), |at| at.checked_sub(1));
    if let Some(at) = quiet_at.filter(|at| *at >= clock)
        && !tick(at).is_empty()
    {
        return Err(format!("the deadline is {deadline:?}, and a tick at {at} does {:?}", tick(at)));
    }
    match deadline {
        Some(at) if tick(at.max(clock)).is_empty() => {
            Err(format!("the deadline is {at}, and a tick at {} does nothing", at.max(clock)))
        }
        _ => Ok(()),
    }
}

#[test]
fn a_script_that_is_wrong_is_found_out() {
    let rules = "a b; failureThreshold 1; cooldownDuration 100";
    assert_eq!(complaint(rules, "a 429 => b | a@0 ! removed a 1"), None);
    for wrong in ["a 429 => a b |", "a 429 => nothing", "a 429 => b | a@0 ! failed a 1", "deadline 100"] {
        assert!(complaint(rules, wrong).is_some(), "{wrong}");
    }
}
