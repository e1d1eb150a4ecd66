//! What can be seen of a pool's state from outside: the two lists, the counts and the times.

use core::fmt;
use std::collections::BTreeMap;

use crate::command::Token;
use crate::key::Key;

/// The state of a pool, as far as anyone can see it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct View {
    /// The available tokens, in order.
    pub available: Vec<Token>,
    /// The unavailable tokens, in order.
    pub unavailable: Vec<Token>,
    /// The failure counts that are not zero.
    pub failures: BTreeMap<Token, u32>,
    /// The probe successes that are not zero.
    pub successes: BTreeMap<Token, u32>,
    /// Since when the unavailable tokens are so, in milliseconds.
    pub since: BTreeMap<Token, u64>,
}

impl View {
    /// The failures counted for `token`.
    pub fn failures_of(&self, token: Token) -> u32 {
        self.failures.get(&token).copied().unwrap_or_default()
    }

    /// In how many lists `token` is, and how often: 1 is right.
    pub fn listings(&self, token: Token) -> usize {
        self.available.iter().chain(&self.unavailable).filter(|listed| **listed == token).count()
    }

    /// Tells it to a key.
    pub fn key(&self, key: &mut Key) {
        key.add_tokens(&self.available);
        key.add_tokens(&self.unavailable);
        for counts in [&self.failures, &self.successes] {
            key.add_len(counts.len());
            for (token, count) in counts {
                key.add(token.0.into());
                key.add((*count).into());
            }
        }
        key.add_len(self.since.len());
        for (token, since) in &self.since {
            key.add(token.0.into());
            key.add(*since);
        }
    }
}

/// `available [b], unavailable [a], failures a 2`.
impl fmt::Display for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |tokens: &[Token]| tokens.iter().map(Token::to_string).collect::<Vec<_>>().join(", ");
        write!(f, "available [{}], unavailable [{}]", list(&self.available), list(&self.unavailable))?;
        for (word, counts) in [("failures", &self.failures), ("successes", &self.successes)] {
            counts.iter().try_for_each(|(token, count)| write!(f, ", {word} of {token} {count}"))?;
        }
        Ok(())
    }
}
