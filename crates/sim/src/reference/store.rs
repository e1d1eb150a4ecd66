//! The reference's shared store: a few keys, each with a version, and one counter that gives all of them theirs.

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::command::Token;
use crate::view::View;

/// What a key holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    /// Tokens in order.
    List(Vec<Token>),
    /// A number by token; absent is 0.
    Map(BTreeMap<Token, u64>),
    /// The holder of the lease and when it took it, in whole seconds.
    Lease(Option<(usize, u64)>),
}

impl Value {
    pub(super) fn list(&self) -> &[Token] {
        match self {
            Self::List(tokens) => tokens,
            Self::Map(_) | Self::Lease(_) => &[],
        }
    }

    pub(super) fn number(&self, token: Token) -> Option<u64> {
        match self {
            Self::Map(numbers) => numbers.get(&token).copied(),
            Self::List(_) | Self::Lease(_) => None,
        }
    }

    /// The same kind of value with nothing in it.
    pub(super) fn emptied(&self) -> Self {
        match self {
            Self::List(_) => Self::List(Vec::new()),
            Self::Map(_) => Self::Map(BTreeMap::new()),
            Self::Lease(_) => Self::Lease(None),
        }
    }
}

/// The keys.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Name {
    Available,
    Unavailable,
    Failures,
    Successes,
    Since,
    Lease,
}

impl Name {
    pub(super) const ALL: [Self; 6] =
        [Self::Available, Self::Unavailable, Self::Failures, Self::Successes, Self::Since, Self::Lease];

    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Available => "the available list",
            Self::Unavailable => "the unavailable list",
            Self::Failures => "the failure counts",
            Self::Successes => "the success counts",
            Self::Since => "the times",
            Self::Lease => "the lease",
        }
    }
}

/// Every key with its value and version.
#[derive(Clone, Debug)]
pub(super) struct Store {
    keys: [Rc<Value>; 6],
    versions: [u64; 6],
    counter: u64,
}

impl Store {
    /// The store of a pool whose tokens are all available.
    pub(super) fn new(tokens: &[Token]) -> Self {
        let map = || Rc::new(Value::Map(BTreeMap::new()));
        let lists = [tokens.to_vec(), Vec::new()].map(|tokens| Rc::new(Value::List(tokens)));
        let [available, unavailable] = lists;
        let keys = [available, unavailable, map(), map(), map(), Rc::new(Value::Lease(None))];
        Self { keys, versions: [0; 6], counter: 0 }
    }

    pub(super) fn values(&self) -> &[Rc<Value>; 6] {
        &self.keys
    }

    pub(super) fn read(&self, name: Name) -> &Value {
        &self.keys[name as usize]
    }

    pub(super) fn version(&self, name: Name) -> u64 {
        self.versions[name as usize]
    }

    /// Writes if the version is still `expected`; with `None` in any case. Says whether it wrote.
    pub(super) fn write(&mut self, name: Name, value: Value, expected: Option<u64>) -> bool {
        if expected.is_some_and(|expected| expected != self.version(name)) {
            return false;
        }
        self.counter += 1;
        self.keys[name as usize] = Rc::new(value);
        self.versions[name as usize] = self.counter;
        true
    }

    pub(super) fn view(&self) -> View {
        let counts = |name| match self.read(name) {
            Value::Map(numbers) => {
                let count = |number: &u64| u32::try_from(*number).unwrap_or(u32::MAX);
                numbers.iter().map(|(token, number)| (*token, count(number))).collect()
            }
            Value::List(_) | Value::Lease(_) => BTreeMap::new(),
        };
        let since = match self.read(Name::Since) {
            Value::Map(times) => times.clone(),
            Value::List(_) | Value::Lease(_) => BTreeMap::new(),
        };
        View {
            available: self.read(Name::Available).list().to_vec(),
            unavailable: self.read(Name::Unavailable).list().to_vec(),
            failures: counts(Name::Failures),
            successes: counts(Name::Successes),
            since,
        }
    }
}
