//! Requests as the journal keeps them: a word that many of them have is kept once.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use crate::server::journal::{Ended, Entry};

/// A request that is not written down yet.
#[derive(Clone, Debug)]
pub(crate) struct Draft<'a> {
    pub(crate) at: u64,
    /// Empty if there is none.
    pub(crate) provider: &'a str,
    /// Its label, if it has one.
    pub(crate) token: Option<Arc<str>>,
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
    pub(crate) fn entry(&self) -> Entry {
        Entry {
            number: 0,
            at: self.at,
            provider: self.provider.into(),
            token: self.token.as_deref().unwrap_or_default().into(),
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
            provider: words.known(self.provider),
            token: words.known(self.token.as_deref().unwrap_or_default()),
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
    pub(crate) provider: Known,
    pub(crate) token: Known,
    method: Word,
    path: Word,
    model: Word,
    stream: bool,
    pub(crate) status: u16,
    pub(crate) refusal: Option<&'static str>,
    pub(crate) fault: Option<&'static str>,
    pub(crate) ended: Option<Ended>,
    pub(crate) bytes: u64,
}

impl Record {
    /// As it is read.
    pub(crate) fn entry(&self, words: &Words) -> Entry {
        Entry {
            number: self.number,
            at: self.at,
            provider: Arc::clone(words.text(self.provider)),
            token: Arc::clone(words.text(self.token)),
            method: words.of(&self.method).to_owned(),
            path: words.of(&self.path).to_owned(),
            model: words.of(&self.model).to_owned(),
            stream: self.stream,
            status: self.status,
            refusal: self.refusal,
            fault: self.fault,
            ended: self.ended,
            bytes: self.bytes,
        }
    }
}

/// The place of a word among those that are kept once.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Known(u32);

/// A word that a client said.
#[derive(Clone, Debug)]
enum Word {
    Known(Known),
    Own(Box<str>),
}

/// Words that were met. Past so many each later one that a client says is kept by itself, so that a client that makes up words
/// takes no more memory than its requests do.
#[derive(Debug, Default)]
pub(crate) struct Words {
    places: BTreeMap<Arc<str>, Known>,
    texts: Vec<Arc<str>>,
}

const MOST_WORDS: usize = 20_000;

impl Words {
    /// Keeps a word of which there are never too many.
    pub(crate) fn known(&mut self, word: &str) -> Known {
        if let Some(known) = self.places.get(word) {
            return *known;
        }
        let place = u32::try_from(self.texts.len()).expect("broken invariant: there are too many words");
        let (known, word) = (Known(place), Arc::<str>::from(word));
        self.texts.push(Arc::clone(&word));
        self.places.insert(word, known);
        known
    }

    fn word(&mut self, word: &str) -> Word {
        if self.texts.len() >= MOST_WORDS && !self.places.contains_key(word) {
            return Word::Own(word.into());
        }
        Word::Known(self.known(word))
    }

    /// What stands there.
    pub(crate) fn text(&self, known: Known) -> &Arc<str> {
        &self.texts[known.0 as usize]
    }

    fn of<'a>(&'a self, word: &'a Word) -> &'a str {
        match word {
            Word::Known(known) => self.text(*known),
            Word::Own(word) => word,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_kept_once_and_so_many_at_most() {
        let mut words = Words::default();
        for number in 0..2 * MOST_WORDS {
            let number = number.to_string();
            let word = words.word(&number);
            assert_eq!(words.of(&word), number);
        }
        assert_eq!(words.texts.len(), MOST_WORDS);
        for (word, is_known) in [("0", true), ("30000", false)] {
            assert_eq!(matches!(words.word(word), Word::Known(_)), is_known, "{word}");
        }
        assert_eq!(words.known("0"), Known(0));
        let label = words.known("a label");
        assert_eq!(words.known("a label"), label);
        assert_eq!(&**words.text(label), "a label");
    }
}
