//! What keeps a token from coming back: it is looked for in what upstream sends, and overwritten.
//!
//! It is looked for as it is and as it stands in a JSON text or in a URL. It is not seen in a coding (`content-encoding`, which is why
//! upstream is asked for none, and an error in one is not passed), in base64, in HTML, with characters escaped that need not be (`\u0073k-`),
//! and where something else stands between its parts, as when a model says it a syllable at a time.
//!
//! A mask is as long as what it covers, so that no length that was announced becomes wrong. Where nothing is found nothing is
//! copied, and nothing is held back but the few bytes at the end of a piece that a token might begin with.

mod form;

use std::cmp::Reverse;

use hyper::body::Bytes;
use hyper::header::{HeaderMap, HeaderValue};
use memchr::memmem::Finder;

/// What stands where a token stood; stars fill the rest.
const SHOWN: &[u8] = b"[token]";

/// What is shorter is no secret, and a word that a text may have by chance.
const SHORTEST: usize = 4;

/// Of a token this long its halves are looked for too: they are no words.
const HALVED: usize = 16;

/// Looks for one token, in every form that it may come back in.
pub(crate) struct Mask {
    forms: Vec<Form>,
}

/// One form of the token.
struct Form {
    text: Box<[u8]>,
    needles: Vec<Needle>,
}

/// A part of a form, which is searched for.
struct Needle {
    finder: Finder<'static>,
    /// Where in the form it begins.
    at: usize,
}

/// What is known of a body between two of its pieces.
#[derive(Default)]
pub(crate) struct Held {
    /// The end of the last piece, if a part of the token might begin there.
    bytes: Bytes,
    /// So much of each form was found at the very end of the last piece, and may go on; empty if nothing does.
    runs: Vec<usize>,
}

/// Where a part of a form stands, and where in the form that part ends.
struct Found {
    start: usize,
    end: usize,
    form: usize,
    until: usize,
}

impl Mask {
    pub(crate) fn new(token: &str) -> Self {
        let forms = if token.len() < SHORTEST { Vec::new() } else { form::forms(token) };
        // A form is longer than the token. Whether there are halves of it is for the token to say.
        let halved = token.len() >= HALVED;
        Self { forms: forms.into_iter().map(|text| Form::new(text, halved)).collect() }
    }

    /// Overwrites the token in the values of `headers`.
    pub(crate) fn headers(&self, headers: &mut HeaderMap) {
        for value in headers.values_mut() {
            if self.find(value.as_bytes(), 0).is_some() {
                let mut bytes = value.as_bytes().to_vec();
                self.overwrite(&mut bytes);
                *value = HeaderValue::try_from(bytes).unwrap_or(HeaderValue::from_static("[token]"));
            }
        }
    }

    /// The next piece of a body, without what is held back for the piece after it. O(length), and no copy if nothing is found.
    pub(crate) fn pass(&self, held: &mut Held, piece: Bytes) -> Bytes {
        let mut piece = if held.bytes.is_empty() {
            piece
        } else {
            Bytes::from([&*std::mem::take(&mut held.bytes), &*piece].concat())
        };
        if !held.runs.is_empty() {
            piece = self.go_on(held, piece);
        }
        if self.find(&piece, 0).is_some() {
            let mut bytes = piece.to_vec();
            held.runs = self.overwrite(&mut bytes);
            piece = bytes.into();
        }
        held.bytes = piece.split_off(piece.len() - self.begins_at_the_end(&piece));
        piece
    }

    /// Covers what goes on of a token that the piece before ended with.
    fn go_on(&self, held: &mut Held, piece: Bytes) -> Bytes {
        let mut covered = 0;
        for (form, run) in self.forms.iter().zip(&mut held.runs) {
            let rest = if *run == 0 { &[] } else { &form.text[*run..] };
            let more = alike(piece.iter(), rest.iter());
            *run = if more == piece.len() && more < rest.len() { *run + more } else { 0 };
            covered = covered.max(more);
        }
        if held.runs.iter().all(|run| *run == 0) {
            held.runs.clear();
        }
        if covered == 0 {
            return piece;
        }
        let mut bytes = piece.to_vec();
        bytes[..covered].fill(b'*');
        bytes.into()
    }

    /// Overwrites the token wherever it is; gives how much of each form was found at the very end, if it may go on there.
    fn overwrite(&self, bytes: &mut [u8]) -> Vec<usize> {
        let (mut from, mut runs) = (0, Vec::new());
        while let Some(Found { start, end, form, until }) = self.find(bytes, from) {
            let shown = SHOWN.len().min(end - start);
            bytes[start..end].fill(b'*');
            if shown == SHOWN.len() {
                bytes[start..start + shown].copy_from_slice(SHOWN);
            }
            if end == bytes.len() {
                // Forms are alike up to where one is escaped first.
                let found = &self.forms[form].text[..until];
                let run = |form: &Form| {
                    if form.text.len() > until && form.text.starts_with(found) { until } else { 0 }
                };
                runs = self.forms.iter().map(run).collect();
            }
            from = end;
        }
        runs
    }

    /// The first part of the token from `from` on, with what belongs to it on both sides; of two that begin there the longer.
    fn find(&self, bytes: &[u8], from: usize) -> Option<Found> {
        let found = |(form, Form { text, needles }): (usize, &Form)| {
            let found = |needle: &Needle| {
                let at = from + needle.finder.find(&bytes[from..])?;
                let start = at - alike(bytes[from..at].iter().rev(), text[..needle.at].iter().rev());
                let length = needle.finder.needle().len();
                let more = alike(bytes[at + length..].iter(), text[needle.at + length..].iter());
                Some(Found { start, end: at + length + more, form, until: needle.at + length + more })
            };
            needles.iter().filter_map(found).min_by_key(|found| found.start)
        };
        let found = self.forms.iter().enumerate().filter_map(found);
        found.min_by_key(|found| (found.start, Reverse(found.end)))
    }

    /// How many bytes at the end might be the beginning of a part that is searched for.
    fn begins_at_the_end(&self, bytes: &[u8]) -> usize {
        let beginning = |needle: &Needle| {
            let part = needle.finder.needle();
            let tail = &bytes[bytes.len().saturating_sub(part.len() - 1)..];
            let starts = memchr::memchr_iter(part[0], tail);
            let fits = |start: &usize| part.starts_with(&tail[*start..]);
            starts.into_iter().find(fits).map_or(0, |start| tail.len() - start)
        };
        let needles = self.forms.iter().flat_map(|form| &form.needles);
        needles.map(beginning).max().unwrap_or(0)
    }
}

impl Form {
    fn new(text: Box<[u8]>, halved: bool) -> Self {
        let half = text.len().div_ceil(2);
        let parts: Vec<(usize, &[u8])> = if halved {
            vec![(0, &text[..half]), (text.len() - half, &text[text.len() - half..])]
        } else {
            vec![(0, &text)]
        };
        let needle = |(at, part): (usize, &[u8])| Needle { finder: Finder::new(part).into_owned(), at };
        let needles = parts.into_iter().map(needle).collect();
        Self { text, needles }
    }
}

/// How many of both are alike, from the first on.
fn alike<'a>(left: impl Iterator<Item = &'a u8>, right: impl Iterator<Item = &'a u8>) -> usize {
    left.zip(right).take_while(|(left, right)| left == right).count()
}

impl Held {
    /// How many bytes are held back.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// What is held back, when nothing comes after it: it is no token.
    pub(crate) fn rest(&mut self) -> Bytes {
        std::mem::take(&mut self.bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "sk-0123456789abcdef";

    /// What comes of `text`, cut into pieces at `cuts`.
    fn passed(token: &str, text: &str, cuts: &[usize]) -> String {
        let (mask, mut held, mut out) = (Mask::new(token), Held::default(), Vec::new());
        let ends = cuts.iter().copied().chain([text.len()]);
        let mut start = 0;
        for end in ends {
            out.extend_from_slice(
                &mask.pass(&mut held, Bytes::copy_from_slice(&text.as_bytes()[start..end])),
            );
            start = end;
        }
        out.extend_from_slice(&held.rest());
        String::from_utf8(out).expect("text")
    }

    #[track_caller]
    fn check(text: &str, expect: &str) {
        assert_eq!(passed(TOKEN, text, &[]), expect);
        assert_eq!(text.len(), expect.len(), "a mask is as long as what it covers");
    }

    #[test]
    fn a_token_is_covered_whole_or_in_half() {
        check("key sk-0123456789abcdef is bad", "key [token]************ is bad");
        check("sk-0123456789abcdefsk-0123456789abcdef", "[token]************[token]************");
        check("begins sk-0123456789ab...", "begins [token]********...");
        check("ends ...3456789abcdef!", "ends ...[token]******!");
    }

    #[test]
    fn what_is_less_than_half_of_it_is_left_alone() {
        for text in ["sk-012345 and cdef", "", "sk-", "0123456"] {
            check(text, text);
        }
    }

    #[test]
    fn a_short_token_is_covered_whole_alone_and_a_word_never() {
        assert_eq!(passed("sk-a", "bad key sk-a, sk-", &[]), "bad key ****, sk-");
        assert_eq!(passed("abc", "abc", &[]), "abc");
    }

    #[test]
    fn cuts_between_pieces_change_nothing_of_what_is_covered() {
        let text = "sk-sk-0123456789abcdef,sk-0123456789x3456789abcdef.";
        let whole = passed(TOKEN, text, &[]);
        assert!(!whole.contains("0123456789") && !whole.contains("abcdef"), "{whole}");
        for first in 0..=text.len() {
            for second in first..=text.len() {
                let cut = passed(TOKEN, text, &[first, second]);
                assert_eq!(cut.len(), text.len());
                for part in [&TOKEN[..10], &TOKEN[9..]] {
                    assert!(!cut.contains(part), "{first} {second}: {cut}");
                }
                assert!(cut.ends_with('.') && cut.contains(','), "{first} {second}: {cut}");
            }
        }
    }

    /// Of base64, with what is escaped in both of its halves.
    const ESCAPED: &str = "ab/defghij+lmno/qrstuv==";

    #[test]
    fn a_token_is_covered_as_json_and_urls_have_it() {
        for form in form::forms(ESCAPED) {
            let form = String::from_utf8(form.into()).expect("text");
            let text = format!("key {form} is bad");
            let whole = passed(ESCAPED, &text, &[]);
            assert_eq!(whole, format!("key [token]{} is bad", "*".repeat(form.len() - 7)));
            for first in 0..=text.len() {
                for second in first..=text.len() {
                    let cut = passed(ESCAPED, &text, &[first, second]);
                    assert_eq!(cut.len(), text.len());
                    assert!(cut.starts_with("key ") && cut.ends_with(" is bad"), "{first} {second}: {cut}");
                    let left = cut[4..cut.len() - 7].trim_start_matches("[token]").trim_matches('*');
                    assert_eq!(left, "", "{first} {second}: {cut}");
                }
            }
        }
    }

    #[test]
    fn a_token_that_is_escaped_nowhere_is_searched_for_once() {
        assert_eq!(Mask::new(TOKEN).forms.len(), 1);
    }

    #[test]
    fn an_event_without_a_beginning_of_the_token_is_held_back_by_nothing() {
        let (mask, mut held) = (Mask::new(TOKEN), Held::default());
        let event = Bytes::from_static(b"data: {\"text\":\"sky s\"}\n\n");
        let passed = mask.pass(&mut held, event.clone());
        assert_eq!((passed.as_ptr(), passed.len(), held.len()), (event.as_ptr(), event.len(), 0));
    }

    #[test]
    fn a_header_is_covered_too() {
        let mut headers = HeaderMap::new();
        headers.insert("x-echo", HeaderValue::from_static("Bearer sk-0123456789abcdef"));
        headers.insert("x-other", HeaderValue::from_static("sk-other"));
        Mask::new(TOKEN).headers(&mut headers);
        assert_eq!(headers["x-echo"], "Bearer [token]************");
        assert_eq!(headers["x-other"], "sk-other");
    }
}
