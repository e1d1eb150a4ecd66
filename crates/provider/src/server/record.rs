//! Requests as the journal keeps them: words that many of them have are kept once.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use crate::server::journal::{Ended, Entry};

/// A request that is not written down yet.
#[derive(Clone, Debug)]
pub(crate) struct Draft<'a> {
    pub(crate) at: u64,
    pub(crate) provider: Arc<str>,
    pub(crate) token: Arc<str>,
    pub(crate) method: &'a str,
    pub(crate) path: Cow<'a, str>,
    pub(crate) model: Cow<'a, str>,
    pub(crate) stream: bool,
    pub(crate) status: u16,
    pub(crate) refusal: Option<&'static str>,
    pub(crate) fault: Option<&'static str>,
}

impl Draft<'_> {
    /// As it will be read.
    pub(crate) fn entry(&self, number: u64) -> Entry {
        Entry {
            number,
            at: self.at,
            provider: Arc::clone(&self.provider),
            token: Arc::clone(&self.token),
            method: self.method.to_owned(),
            path: self.path.clone().into_owned(),
            model: self.model.clone().into_owned(),
            stream: self.stream,
            status: self.status,
            refusal: self.refusal,
            fault: self.fault,
            ended: None,
            bytes: 0,
        }
    }

    /// As it is kept.
    pub(crate) fn record(self, number: u64, words: &mut Words) -> Record {
        Record {
            number,
            at: self.at,
            provider: self.provider,
            token: self.token,
            method: words.word(self.method),
            path: words.word(&self.path),
            model: words.word(&self.model),
            stream: self.stream,
            status: self.status,
            refusal: self.refusal,
            fault: self.fault,
            ended: None,
            bytes: 0,
        }
    }
}

/// A request that is written down; see [`Entry`].
#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) number: u64,
    at: u64,
    pub(crate) provider: Arc<str>,
    pub(crate) token: Arc<str>,
    method: Arc<str>,
    path: Arc<str>,
    model: Arc<str>,
    stream: bool,
    pub(crate) status: u16,
    pub(crate) refusal: Option<&'static str>,
    pub(crate) fault: Option<&'static str>,
    pub(crate) ended: Option<Ended>,
    pub(crate) bytes: u64,
}

impl Record {
    /// As it is read.
    pub(crate) fn entry(&self) -> Entry {
        Entry {
            number: self.number,
            at: self.at,
            provider: Arc::clone(&self.provider),
            token: Arc::clone(&self.token),
            method: (*self.method).to_owned(),
            path: (*self.path).to_owned(),
            model: (*self.model).to_owned(),
            stream: self.stream,
            status: self.status,
            refusal: self.refusal,
            fault: self.fault,
            ended: self.ended,
            bytes: self.bytes,
        }
    }
}

/// Words that were met. Past so many each later one is kept by itself, so that a client that makes up words takes no more
/// memory than its requests do.
#[derive(Debug, Default)]
pub(crate) struct Words(BTreeSet<Arc<str>>);

const MOST_WORDS: usize = 1_000;

impl Words {
    fn word(&mut self, word: &str) -> Arc<str> {
        if let Some(known) = self.0.get(word) {
            return Arc::clone(known);
        }
        let new: Arc<str> = word.into();
        if self.0.len() < MOST_WORDS {
            self.0.insert(Arc::clone(&new));
        }
        new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_kept_once_and_so_many_at_most() {
        let mut words = Words::default();
        let first = words.word("0");
        for number in 0..2 * MOST_WORDS {
            let number = number.to_string();
            assert_eq!(&*words.word(&number), number);
        }
        assert!(Arc::ptr_eq(&first, &words.word("0")));
        assert_eq!(words.0.len(), MOST_WORDS);
    }
}
