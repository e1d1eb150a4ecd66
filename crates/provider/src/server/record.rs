//! Requests as the journal keeps them: a word that many of them have is kept once.

use std::borrow::Cow;
use std::collections::{BTreeMap, VecDeque};
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

    /// As it is kept, for the request with this number, after the one before it: most say what that said.
    pub(crate) fn record(self, number: u64, words: &mut Words, before: Option<&Record>) -> Record {
        let token = self.token.as_deref().unwrap_or_default();
        Record {
            at: self.at,
            bytes: 0,
            provider: words.again(before.map(|it| it.provider), self.provider),
            token: words.again(before.map(|it| it.token), token),
            method: words.said(number, before.map(|it| it.method), self.method),
            path: words.said(number, before.map(|it| it.path), &self.path),
            model: words.said(number, before.map(|it| it.model), &self.model),
            status: self.status,
            refusal: words.cause(self.refusal),
            fault: words.cause(self.fault),
            stream: self.stream,
            ended: None,
        }
    }
}

/// A request that is written down; see [`Entry`]. Its number is told by its place. Each is written to memory that was not looked
/// at for long, so it is small.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Record {
    at: u64,
    pub(crate) bytes: u64,
    pub(crate) provider: Known,
    pub(crate) token: Known,
    method: Said,
    path: Said,
    model: Said,
    pub(crate) status: u16,
    pub(crate) refusal: Cause,
    pub(crate) fault: Cause,
    stream: bool,
    pub(crate) ended: Option<Ended>,
}

impl Record {
    /// As it is read.
    pub(crate) fn entry(&self, number: u64, words: &Words) -> Entry {
        Entry {
            number,
            at: self.at,
            provider: Arc::clone(words.text(self.provider)),
            token: Arc::clone(words.text(self.token)),
            method: words.of(self.method).to_owned(),
            path: words.of(self.path).to_owned(),
            model: words.of(self.model).to_owned(),
            stream: self.stream,
            status: self.status,
            refusal: words.caused(self.refusal),
            fault: words.caused(self.fault),
            ended: self.ended,
            bytes: self.bytes,
        }
    }
}

/// The place of a word among those that are kept once.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Known(u32);

/// Where a word is that a client said.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
enum Said {
    Known(Known),
    /// The how-manieth it is of those that are kept for one request alone; begins again when it has run out.
    Own(u32),
}

/// Where a refusal's or a fault's word is; 0 if there is none.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cause(u8);

/// Words that were met. Past so many each later one that a client says is kept for its request alone, so that a client that
/// makes up words takes no more memory than its requests do.
#[derive(Debug, Default)]
pub(crate) struct Words {
    places: BTreeMap<Arc<str>, Known>,
    texts: Vec<Arc<str>>,
    /// Each with the number of its request, in their order.
    own: VecDeque<(u64, Box<str>)>,
    /// How many of those were forgotten.
    forgotten: u32,
    causes: Vec<&'static str>,
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

    /// The same, with a guess which word it is.
    fn again(&mut self, guess: Option<Known>, word: &str) -> Known {
        guess.filter(|guess| **self.text(*guess) == *word).unwrap_or_else(|| self.known(word))
    }

    /// Keeps a word of the request with this number, which is not before any other, with a guess which word it is.
    fn said(&mut self, number: u64, guess: Option<Said>, word: &str) -> Said {
        if let Some(guess @ Said::Known(known)) = guess
            && **self.text(known) == *word
        {
            return guess;
        }
        if self.texts.len() < MOST_WORDS || self.places.contains_key(word) {
            return Said::Known(self.known(word));
        }
        let own = u32::try_from(self.own.len()).expect("broken invariant: a request has few words");
        self.own.push_back((number, word.into()));
        Said::Own(self.forgotten.wrapping_add(own))
    }

    /// The requests up to this number are forgotten.
    pub(crate) fn forget(&mut self, number: u64) {
        while self.own.pop_front_if(|(own, _)| *own <= number).is_some() {
            self.forgotten = self.forgotten.wrapping_add(1);
        }
    }

    /// Keeps the word for a refusal or a fault, of which there are few.
    pub(crate) fn cause(&mut self, word: Option<&'static str>) -> Cause {
        let Some(word) = word else { return Cause(0) };
        let place = self.causes.iter().position(|cause| *cause == word).unwrap_or_else(|| {
            self.causes.push(word);
            self.causes.len() - 1
        });
        Cause(u8::try_from(place + 1).expect("broken invariant: there are too many causes"))
    }

    /// What stands there.
    pub(crate) fn text(&self, known: Known) -> &Arc<str> {
        &self.texts[known.0 as usize]
    }

    fn of(&self, said: Said) -> &str {
        match said {
            Said::Known(known) => self.text(known),
            Said::Own(own) => &self.own[own.wrapping_sub(self.forgotten) as usize].1,
        }
    }

    fn caused(&self, cause: Cause) -> Option<&'static str> {
        let place = cause.0.checked_sub(1)?;
        Some(self.causes[usize::from(place)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_kept_once_and_so_many_at_most() {
        let mut words = Words::default();
        for number in 0..2 * MOST_WORDS as u64 {
            let text = number.to_string();
            let said = words.said(number, None, &text);
            assert_eq!(words.of(said), text);
        }
        assert_eq!((words.texts.len(), words.own.len()), (MOST_WORDS, MOST_WORDS));
        for (word, is_known) in [("0", true), ("30000", false)] {
            assert_eq!(matches!(words.said(40_000, None, word), Said::Known(_)), is_known, "{word}");
        }
        assert_eq!(words.known("0"), Known(0));
        let label = words.known("a label");
        assert_eq!(words.known("a label"), label);
        assert_eq!(&**words.text(label), "a label");
    }

    #[test]
    fn what_is_kept_for_a_request_alone_is_forgotten_with_it() {
        let mut words = Words { forgotten: u32::MAX - 2, ..Words::default() };
        for number in 0..MOST_WORDS {
            words.known(&number.to_string());
        }
        let said =
            [(1, "a"), (1, "b"), (2, "c"), (4, "d"), (5, "e")].map(|(at, word)| words.said(at, None, word));
        let all = |words: &Words, from: usize| {
            said[from..].iter().map(|said| words.of(*said).to_owned()).collect::<String>()
        };
        assert_eq!(all(&words, 0), "abcde");
        words.forget(1);
        assert_eq!((all(&words, 2), words.own.len()), ("cde".to_owned(), 3));
        words.forget(3);
        assert_eq!(all(&words, 3), "de");
        words.forget(9);
        assert!(words.own.is_empty());
    }

    #[test]
    fn each_cause_has_its_word_and_none_has_none() {
        let mut words = Words::default();
        let causes = [None, Some("quota"), Some("cut"), Some("quota")].map(|word| words.cause(word));
        assert_eq!(
            causes.map(|cause| words.caused(cause)),
            [None, Some("quota"), Some("cut"), Some("quota")]
        );
        assert_eq!(words.causes.len(), 2);
    }

    #[test]
    fn a_record_is_less_than_a_line_of_the_cache() {
        assert!(size_of::<Record>() < 64, "{}", size_of::<Record>());
    }
}
