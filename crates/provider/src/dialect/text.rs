//! The text of an answer: how many LLM tokens it has, where it is cut, and the pieces in which a stream says it.
//!
//! LLM tokens are counted the same everywhere: four bytes are one, and a last one may be shorter. No vendor counts so
//! exactly; it is near enough for English, and a person can check it by hand.

/// Bytes in an LLM token.
const BYTES: u64 = 4;

/// About how many LLM tokens this many bytes of text are.
pub(crate) fn llm_tokens(bytes: u64) -> u64 {
    bytes.div_ceil(BYTES)
}

/// What is said of a text, and in how many LLM tokens.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) struct Said<'a> {
    pub(super) text: &'a str,
    pub(super) llm_tokens: u64,
    /// Whether it ends before its end, because no more was asked for.
    pub(super) cut: bool,
}

/// Says `text` in at most so many LLM tokens; it is cut between two characters.
pub(super) fn say(text: &str, most_llm_tokens: Option<u64>) -> Said<'_> {
    let most = most_llm_tokens.map_or(u64::MAX, |most| most.saturating_mul(BYTES));
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    let said = &text[..text.floor_char_boundary(most)];
    Said { text: said, llm_tokens: llm_tokens(said.len() as u64), cut: said.len() < text.len() }
}

impl<'a> Said<'a> {
    /// Its words, each with the white space after it: what one event of a stream says.
    pub(super) fn words(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.text.split_inclusive(char::is_whitespace)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_bytes_are_an_llm_token_and_a_last_one_may_be_shorter() {
        let counted: Vec<u64> = [0, 1, 4, 5, 8, u64::MAX].map(llm_tokens).to_vec();
        assert_eq!(counted, [0, 1, 1, 2, 2, u64::MAX / 4 + 1]);
    }

    #[track_caller]
    fn check(text: &str, most: Option<u64>, expect: (&str, u64, bool)) {
        let said = say(text, most);
        assert_eq!((said.text, said.llm_tokens, said.cut), expect);
    }

    #[test]
    fn a_text_is_cut_between_two_characters() {
        check("12345678", None, ("12345678", 2, false));
        check("12345678", Some(2), ("12345678", 2, false));
        check("123456789", Some(2), ("12345678", 2, true));
        check("1234567\u{e9}", Some(2), ("1234567", 2, true));
        check("\u{1f525}\u{1f525}", Some(1), ("\u{1f525}", 1, true));
        check("x", Some(0), ("", 0, true));
        check("", Some(1), ("", 0, false));
        check("x", Some(u64::MAX), ("x", 1, false));
    }

    #[test]
    fn the_words_are_the_text() {
        for text in ["", " ", "one", " one  two\nthree ", "no-break\u{a0}space"] {
            assert_eq!(say(text, None).words().collect::<String>(), text);
        }
        assert_eq!(say("one two", None).words().collect::<Vec<_>>(), ["one ", "two"]);
    }
}
