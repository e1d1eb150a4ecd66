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
