//! A log as it is recorded under a scenario, whoever keeps it: its fold, its text, and what happened in sentences.

use std::collections::BTreeMap;

use firedrill_block::fingerprint;
use firedrill_failover::{Entry, Event, Pool, TokenId, wire};

use crate::scenario::Scenario;
use crate::target::{History, Moment, Refusal, event_word};

/// A log as far as it was recorded.
#[derive(Debug)]
pub(crate) struct Recording {
    /// The fold of all of it.
    pub(crate) pool: Pool,
    pub(crate) history: History,
    /// The id that each label has, or had last.
    ids: BTreeMap<String, TokenId>,
}

impl Recording {
    /// The empty log of `scenario`.
    pub(crate) fn new(scenario: &Scenario) -> Self {
        let history = History { moments: Vec::new(), wire: vec![wire::header(fingerprint(&scenario.name))] };
        Self { pool: Pool::new(&scenario.config), history, ids: BTreeMap::new() }
    }

    /// How many appends it has.
    pub(crate) fn appends(&self) -> usize {
        self.history.wire.len() - 1
    }

    /// Takes in the next append. Gives what happened, in the words of an expectation.
    pub(crate) fn take(&mut self, entry: &Entry) -> Vec<String> {
        self.history.wire.push(wire::line(&self.pool, entry));
        let Entry { version, at, by, .. } = *entry;
        let mut words = Vec::with_capacity(entry.events.len());
        for event in &entry.events {
            let sentence = event.sentence(&self.pool, at).to_string();
            self.history.moments.push(Moment { version, at, by, sentence });
            words.push(event_word(&self.pool, event));
        }
        self.pool.apply(entry);
        if entry.events.iter().any(|event| matches!(event, Event::Configured(_))) {
            self.ids.extend(self.pool.tokens().map(|(id, token)| (token.label.to_owned(), id)));
        }
        words
    }

    /// The probes that `entry` says are sent: for which token, by its id and its label, and under which number.
    pub(crate) fn probes(&self, entry: &Entry) -> Vec<(TokenId, String, u64)> {
        let sent = entry.events.iter().filter_map(|event| match *event {
            Event::ProbeSent { token, probe } => {
                Some((token, self.pool.token(token)?.label.to_owned(), probe))
            }
            _ => None,
        });
        sent.collect()
    }

    /// The id of the token with this label.
    ///
    /// # Errors
    /// If it was never configured.
    pub(crate) fn id(&self, label: &str) -> Result<TokenId, Refusal> {
        let id = self.ids.get(label).copied();
        id.ok_or_else(|| Refusal::Impossible(format!("the token {label} is not configured yet")))
    }
}
