//! The journal: every request, what was answered and how it ended. No token is in it, only labels.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;

/// Older entries than this many are forgotten. The counts are not.
pub const MOST_ENTRIES: usize = 100_000;

/// A request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// Its number, from 1, over all providers.
    pub number: u64,
    /// When it had come in, in milliseconds of the mock's clock.
    pub at: u64,
    /// Whose it was; empty if no provider has its path.
    pub provider: Arc<str>,
    /// The label of its token; empty if it had none, or none could be read.
    pub token: Arc<str>,
    /// `POST`.
    pub method: String,
    /// The path that the client sent, without its query, with what looks like a key masked.
    pub path: String,
    /// The model it is for.
    pub model: String,
    /// Whether a stream was asked for.
    pub stream: bool,
    /// What was answered; for what is broken off before that, what would have been.
    pub status: u16,
    /// Why it was refused: `outage`, `concurrent`, `quota`, `script`, `chance`, or `request` for one that is wrong in itself.
    pub refusal: Option<&'static str>,
    /// What went wrong below the status, in the word of the mock file.
    pub fault: Option<&'static str>,
    /// How it ended; `None` while it is being answered.
    pub ended: Option<Ended>,
    /// Bytes of the body that were sent.
    pub bytes: u64,
}

/// How an answer ended.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Ended {
    /// All of it was sent.
    Whole,
    /// The mock broke it off, as its fault says.
    Broken,
    /// The client went away, or read too slowly, or the mock was stopped.
    Gone,
}

/// How often something was answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Count {
    /// By whom.
    pub provider: Arc<str>,
    /// To which token, by its label.
    pub token: Arc<str>,
    /// What.
    pub status: u16,
    /// How often.
    pub count: u64,
}

/// Which entries are wanted.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wanted {
    /// Those of this provider.
    pub(crate) provider: Option<String>,
    /// Those of the token with this label.
    pub(crate) token: Option<String>,
    /// Those with a higher number.
    pub(crate) after: Option<u64>,
}

impl Wanted {
    fn wants(&self, entry: &Entry) -> bool {
        self.provider.as_deref().is_none_or(|provider| *entry.provider == *provider)
            && self.token.as_deref().is_none_or(|token| *entry.token == *token)
    }
}

#[derive(Debug, Default)]
pub(crate) struct Journal(Mutex<Pages>);

#[derive(Debug, Default)]
struct Pages {
    entries: VecDeque<Entry>,
    /// Of the newest entry.
    number: u64,
    counts: BTreeMap<(Arc<str>, Arc<str>, u16), u64>,
}

impl Journal {
    /// Writes a request down. Gives its number.
    pub(crate) fn begin(&self, mut entry: Entry) -> u64 {
        let mut pages = self.pages();
        pages.number += 1;
        entry.number = pages.number;
        *pages
            .counts
            .entry((Arc::clone(&entry.provider), Arc::clone(&entry.token), entry.status))
            .or_default() += 1;
        if pages.entries.len() == MOST_ENTRIES {
            pages.entries.pop_front();
        }
        pages.entries.push_back(entry);
        pages.number
    }

    /// Writes down how it ended, if it is not forgotten yet.
    pub(crate) fn end(&self, number: u64, ended: Ended, bytes: u64) {
        let mut pages = self.pages();
        let Some(first) = pages.entries.front().map(|entry| entry.number) else { return };
        let index = number.checked_sub(first).and_then(|index| usize::try_from(index).ok());
        if let Some(entry) = index.and_then(|index| pages.entries.get_mut(index)) {
            entry.ended = Some(ended);
            entry.bytes = bytes;
        }
    }

    /// The entries that are wanted, at most `most` of them, in the order in which they came in.
    pub(crate) fn entries(&self, wanted: &Wanted, most: usize) -> Vec<Entry> {
        let pages = self.pages();
        let after = wanted.after.unwrap_or(0);
        let from = pages.entries.partition_point(|entry| entry.number <= after);
        pages.entries.range(from..).filter(|entry| wanted.wants(entry)).take(most).cloned().collect()
    }

    pub(crate) fn counts(&self) -> Vec<Count> {
        let pages = self.pages();
        let counts = pages.counts.iter().map(|((provider, token, status), count)| Count {
            provider: Arc::clone(provider),
            token: Arc::clone(token),
            status: *status,
            count: *count,
        });
        counts.collect()
    }

    /// How many requests there were since it was cleared, forgotten ones too.
    pub(crate) fn count(&self) -> u64 {
        self.pages().counts.values().sum()
    }

    /// Forgets all entries and all counts. Numbers go on.
    pub(crate) fn clear(&self) {
        let mut pages = self.pages();
        pages.entries.clear();
        pages.counts.clear();
    }

    /// Nothing that is done under the lock can leave it half done.
    fn pages(&self) -> std::sync::MutexGuard<'_, Pages> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(token: &str) -> Entry {
        Entry {
            number: 0,
            at: 0,
            provider: "openai".into(),
            token: token.into(),
            method: "POST".into(),
            path: "/".into(),
            model: String::new(),
            stream: false,
            status: 200,
            refusal: None,
            fault: None,
            ended: None,
            bytes: 0,
        }
    }

    #[test]
    fn the_oldest_are_forgotten_and_the_counts_are_not() {
        let journal = Journal::default();
        for _ in 0..=MOST_ENTRIES {
            journal.begin(entry("a"));
        }
        journal.end(1, Ended::Whole, 7);
        journal.end(2, Ended::Gone, 8);
        let entries = journal.entries(&Wanted::default(), usize::MAX);
        assert_eq!((entries.len(), entries[0].number), (MOST_ENTRIES, 2));
        assert_eq!((entries[0].ended, entries[0].bytes), (Some(Ended::Gone), 8));
        assert_eq!(journal.count(), MOST_ENTRIES as u64 + 1);
    }

    #[test]
    fn only_what_is_wanted_is_given() {
        let journal = Journal::default();
        for token in ["a", "b", "a", "b"] {
            journal.begin(entry(token));
        }
        let numbers = |wanted: &Wanted, most| {
            journal.entries(wanted, most).iter().map(|entry| entry.number).collect::<Vec<_>>()
        };
        let b = Wanted { token: Some("b".into()), ..Wanted::default() };
        assert_eq!(numbers(&b, 9), [2, 4]);
        assert_eq!(numbers(&Wanted { after: Some(2), ..b.clone() }, 9), [4]);
        assert_eq!(numbers(&Wanted { after: Some(1), ..Wanted::default() }, 2), [2, 3]);
        assert_eq!(numbers(&Wanted { provider: Some("other".into()), ..b }, 9), [0; 0]);
        journal.clear();
        assert_eq!((journal.count(), journal.begin(entry("a"))), (0, 5));
    }
}
