//! A command of a worker of the reference, as the reads and writes of single keys that it consists of.

use std::collections::VecDeque;
use std::fmt::Write as _;

use super::store::Name;
use super::{Store, Value};
use crate::command::{Command, Token};
use crate::key::Key;
use crate::met::Occasion;
use crate::protocol::{Fact, Making};
use crate::setting::{BEGINNING, Setting};

/// How often a write is tried before it is given up.
const TRIES: u32 = 10;

/// After more than so many seconds another worker may take the lease.
const LEASE_SECONDS: u64 = 60;

/// What is left of a command.
#[derive(Clone, Debug)]
pub(super) struct Task {
    left: VecDeque<Op>,
    /// The version that the change at hand has read, if it has.
    read: Option<u64>,
    tries: u32,
}

/// One read, or one change of one key: a read and a write.
#[derive(Clone, Debug)]
enum Op {
    /// A failure: the counts are read.
    Failed(Token),
    /// The available list is read, and the failures that were read are compared.
    Compare(Token, u64),
    /// A success: the counts are read.
    Succeeded(Token),
    Draw,
    DrawFallback,
    /// A tick: the unavailable list is read.
    Due,
    /// The times of these are read.
    Times(Vec<Token>),
    Lease,
    TakeLease,
    Probe,
    /// A probe succeeded: the success counts are read.
    Probed(Token),
    Change(Name, Edit),
    /// A key is overwritten with nothing.
    Wipe(Name),
    /// The version of the available list is read, and then these are written.
    Found(Vec<Token>),
}

/// What a change does to its key.
#[derive(Copy, Clone, Debug)]
enum Edit {
    /// Takes the token from a list.
    Drop(Token),
    /// Adds the token to the end of a list, if it is not in it.
    Put(Token),
    /// Adds one to a count.
    Count(Token),
    /// Takes a count or a time away.
    Clear(Token),
    /// Writes the time.
    Stamp(Token),
}

impl Task {
    /// What `command` consists of; `None` if of nothing.
    pub(super) fn new(setting: &Setting, command: &Command, probes: &mut Vec<Token>) -> Option<Self> {
        let left: VecDeque<Op> = match command {
            Command::Outcome(token, status) if setting.fails(*status) => [Op::Failed(*token)].into(),
            Command::Outcome(token, status) if setting.succeeds(*status) => [Op::Succeeded(*token)].into(),
            // Nobody operates it.
            Command::Outcome(..) | Command::Operate(..) => return None,
            Command::Select => [Op::Draw].into(),
            Command::Tick if setting.cooldown > 0 => {
                let health = if setting.health_check { Some(Op::Lease) } else { None };
                [Op::Due].into_iter().chain(health).collect()
            }
            Command::Tick => [Op::Lease].into(),
            Command::ProbeAnswered(token, status) => {
                let place = probes.iter().position(|probed| probed == token)?;
                probes.remove(place);
                if !setting.succeeds(*status) {
                    return None;
                }
                [Op::Probed(*token)].into()
            }
            Command::Reconfigure(tokens) => founding(tokens),
            Command::Start => {
                probes.clear();
                founding(&setting.tokens)
            }
        };
        Some(Self { left, read: None, tries: 0 })
    }

    pub(super) fn is_done(&self) -> bool {
        self.left.is_empty()
    }

    pub(super) fn key(&self, store: &Store, key: &mut Key) {
        // Writing to a key does not fail.
        let _ = write!(key, "{:?}", self.left);
        key.add(self.tries.into());
        // What was read is what is there, or the write will be refused whatever it was.
        let fresh =
            self.read.map(|version| self.at_hand().is_some_and(|name| store.version(name) == version));
        key.add(fresh.map_or(2, u64::from));
    }

    fn at_hand(&self) -> Option<Name> {
        match self.left.front()? {
            Op::Change(name, _) => Some(*name),
            Op::TakeLease => Some(Name::Lease),
            Op::Found(_) => Some(Name::Available),
            _ => None,
        }
    }

    /// Takes the next small step: one read or one write.
    pub(super) fn go_on(
        &mut self,
        setting: &Setting,
        worker: usize,
        store: &mut Store,
        probes: &mut Vec<Token>,
        making: &mut Making<'_>,
    ) {
        let now = making.wall;
        let Some(op) = self.left.front().cloned() else { return };
        match op {
            Op::Change(name, edit) => return self.change(name, edit, now, store, making),
            Op::Found(tokens) => return self.found(&tokens, store, making),
            _ => self.left.pop_front(),
        };
        match op {
            Op::Failed(token) => {
                let failures = read(store, Name::Failures, making).number(token).unwrap_or_default();
                self.left.push_back(Op::Compare(token, failures));
            }
            Op::Compare(token, failures) => {
                if !read(store, Name::Available, making).list().contains(&token) {
                    return;
                }
                if failures + 1 >= u64::from(setting.failure_threshold) {
                    self.left.extend([
                        Op::Change(Name::Available, Edit::Drop(token)),
                        Op::Change(Name::Unavailable, Edit::Put(token)),
                        Op::Change(Name::Failures, Edit::Clear(token)),
                        Op::Change(Name::Since, Edit::Stamp(token)),
                    ]);
                } else {
                    self.left.push_back(Op::Change(Name::Failures, Edit::Count(token)));
                }
            }
            Op::Succeeded(token) => {
                if read(store, Name::Failures, making).number(token).is_some() {
                    self.left.push_back(Op::Change(Name::Failures, Edit::Clear(token)));
                }
            }
            Op::Draw => match read(store, Name::Available, making).list().first() {
                Some(token) => making.facts.push(Fact::Drew(Some(*token))),
                None => self.left.push_back(Op::DrawFallback),
            },
            Op::DrawFallback => {
                let drawn = read(store, Name::Unavailable, making).list().first().copied();
                making.say(|| drawn.map_or("draws nothing".into(), |token| format!("draws {token}")));
                making.facts.extend([Fact::Drew(drawn), Fact::Met(Occasion::Fallback)]);
            }
            Op::Due => {
                let out = read(store, Name::Unavailable, making).list().to_vec();
                if !out.is_empty() {
                    self.left.push_front(Op::Times(out));
                }
            }
            Op::Times(out) => {
                let times = read(store, Name::Since, making);
                let due = |token: &Token| {
                    times.number(*token).is_some_and(|since| now.saturating_sub(since) >= setting.cooldown)
                };
                for token in out.into_iter().rev().filter(due) {
                    for change in [
                        Op::Change(Name::Failures, Edit::Clear(token)),
                        Op::Change(Name::Since, Edit::Clear(token)),
                        Op::Change(Name::Available, Edit::Put(token)),
                        Op::Change(Name::Unavailable, Edit::Drop(token)),
                    ] {
                        self.left.push_front(change);
                    }
                }
            }
            Op::Lease => self.lease(worker, now, store, making),
            Op::TakeLease => {
                let lease = Value::Lease(Some((worker, now / 1_000)));
                if written(store, Name::Lease, lease, self.read.take(), making) {
                    self.left.push_back(Op::Probe);
                }
            }
            Op::Probe => {
                let out = read(store, Name::Unavailable, making).list();
                making.say(|| "sends a probe for each".into());
                probes.extend(out);
            }
            Op::Probed(token) => {
                let successes = read(store, Name::Successes, making).number(token).unwrap_or_default();
                if successes + 1 >= u64::from(setting.success_threshold) {
                    self.left.extend([
                        Op::Change(Name::Unavailable, Edit::Drop(token)),
                        Op::Change(Name::Available, Edit::Put(token)),
                        Op::Change(Name::Successes, Edit::Clear(token)),
                    ]);
                } else {
                    self.left.push_back(Op::Change(Name::Successes, Edit::Count(token)));
                }
            }
            Op::Wipe(name) => {
                let nothing = store.read(name).emptied();
                written(store, name, nothing, None, making);
            }
            Op::Change(..) | Op::Found(_) => {}
        }
    }

    /// The lease is read, and may be this worker's to take.
    fn lease(&mut self, worker: usize, now: u64, store: &Store, making: &mut Making<'_>) {
        let Value::Lease(lease) = *read(store, Name::Lease, making) else { return };
        let free = |(holder, taken): (usize, u64)| {
            holder == worker || (now / 1_000).saturating_sub(taken) > LEASE_SECONDS
        };
        if lease.is_none_or(free) {
            self.read = Some(store.version(Name::Lease));
            self.left.push_back(Op::TakeLease);
        }
    }

    fn change(&mut self, name: Name, edit: Edit, now: u64, store: &mut Store, making: &mut Making<'_>) {
        let value = edit.of(store.read(name), now);
        let Some(version) = self.read.take() else {
            read(store, name, making);
            match value {
                Some(_) => self.read = Some(store.version(name)),
                None => self.next(),
            }
            return;
        };
        // If the key has another version now, this value was never worked out; and it is not written either.
        if written(store, name, value.unwrap_or_else(|| store.read(name).clone()), Some(version), making) {
            return self.next();
        }
        self.tries += 1;
        if self.tries == TRIES {
            making.say(|| format!("gives up after {TRIES} tries"));
            self.next();
        }
    }

    fn found(&mut self, tokens: &[Token], store: &mut Store, making: &mut Making<'_>) {
        let Some(version) = self.read.take() else {
            read(store, Name::Available, making);
            self.read = Some(store.version(Name::Available));
            return;
        };
        if written(store, Name::Available, Value::List(tokens.to_vec()), Some(version), making) {
            making.facts.push(Fact::Configured(tokens.to_vec()));
        }
        self.next();
    }

    fn next(&mut self) {
        self.left.pop_front();
        self.tries = 0;
    }
}

impl Edit {
    /// What it makes of a value; `None` if there is nothing to change.
    fn of(self, value: &Value, now: u64) -> Option<Value> {
        match (self, value.clone()) {
            (Self::Drop(token), Value::List(mut tokens)) => {
                let place = tokens.iter().position(|listed| *listed == token)?;
                tokens.remove(place);
                Some(Value::List(tokens))
            }
            (Self::Put(token), Value::List(mut tokens)) => {
                if tokens.contains(&token) {
                    return None;
                }
                tokens.push(token);
                Some(Value::List(tokens))
            }
            (Self::Count(token), Value::Map(mut counts)) => {
                *counts.entry(token).or_default() += 1;
                Some(Value::Map(counts))
            }
            (Self::Clear(token), Value::Map(mut counts)) => {
                counts.remove(&token)?;
                Some(Value::Map(counts))
            }
            (Self::Stamp(token), Value::Map(mut times)) => {
                times.insert(token, now);
                Some(Value::Map(times))
            }
            _ => None,
        }
    }
}

fn founding(tokens: &[Token]) -> VecDeque<Op> {
    Name::ALL.map(Op::Wipe).into_iter().chain([Op::Found(tokens.to_vec())]).collect()
}

fn read<'a>(store: &'a Store, name: Name, making: &mut Making<'_>) -> &'a Value {
    making.say(|| format!("reads {}: {}", name.words(), shown(name, store.read(name))));
    store.read(name)
}

fn written(
    store: &mut Store,
    name: Name,
    value: Value,
    expected: Option<u64>,
    making: &mut Making<'_>,
) -> bool {
    let words = shown(name, &value);
    let wrote = store.write(name, value, expected);
    if wrote {
        making.say(|| format!("writes {}: {words}", name.words()));
    } else {
        making.facts.push(Fact::Met(Occasion::Conflict));
        making.say(|| format!("writes {}: refused, it has changed", name.words()));
    }
    wrote
}

fn shown(name: Name, value: &Value) -> String {
    let zero = if name == Name::Since { BEGINNING } else { 0 };
    let words: Vec<String> = match value {
        Value::List(tokens) => tokens.iter().map(ToString::to_string).collect(),
        Value::Map(numbers) => {
            let pair = |(token, number): (&Token, &u64)| format!("{token} {}", number.saturating_sub(zero));
            numbers.iter().map(pair).collect()
        }
        Value::Lease(lease) => lease.iter().map(|(worker, _)| format!("worker {}", worker + 1)).collect(),
    };
    if words.is_empty() { "nothing".into() } else { words.join(", ") }
}
