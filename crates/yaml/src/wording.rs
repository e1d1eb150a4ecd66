//! The words of our errors, in one place, so that YAML and hand-written types say the same thing
//! the same way. It decides nothing about where an error is.

use crate::{Problem, closest, redact};

/// Longer values are cut when they are quoted in a message, in characters.
const LONGEST_QUOTE: usize = 40;

/// More alternatives than this are counted, not listed.
const MOST_ALTERNATIVES: usize = 16;

/// `text` for a message: masked by [`redact`], without control characters, cut after 40 characters, and
/// in back quotes.
///
/// ```
/// assert_eq!(firedrill_yaml::quoted("tik"), "`tik`");
/// assert_eq!(firedrill_yaml::quoted("a\tb"), "`a\\tb`");
/// ```
pub fn quoted(text: &str) -> String {
    let text = presentable(text).replace('\n', "\\n");
    match text.char_indices().nth(LONGEST_QUOTE) {
        Some((cut, _)) => format!("`{}...`", &text[..cut]),
        None => format!("`{text}`"),
    }
}

/// `text` as it may be shown on a terminal: keys masked by [`redact`], and what would steer the terminal or hide in
/// the text written out, newlines excepted.
///
/// ```
/// assert_eq!(firedrill_yaml::presentable("a \u{1b}[31mred\u{1b}[0m word"), "a \\u{1b}[31mred\\u{1b}[0m word");
/// ```
pub fn presentable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in redact(text).chars() {
        if c != '\n' && (c.is_control() || is_invisible(c)) {
            shown.extend(c.escape_default());
        } else {
            shown.push(c);
        }
    }
    shown
}

/// Characters that turn the text round or hide in it.
pub(crate) fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

pub(crate) fn mistyped(expected: &str, found: &str) -> Problem {
    Problem::new(format!("expected {expected}, found {found}"))
}

pub(crate) fn unknown_key_words(key: &str, expected: &[&str]) -> (String, String) {
    (format!("unknown key {}", quoted(key)), alternatives(key, expected))
}

pub(crate) fn unknown_choice_words(choice: &str, expected: &[&str]) -> (String, String) {
    (format!("unknown word {}", quoted(choice)), alternatives(choice, expected))
}

pub(crate) fn missing_key(key: &str) -> Problem {
    Problem::new(format!("missing key {}", quoted(key)))
}

pub(crate) fn given_twice(key: &str) -> String {
    format!("{key} is given twice")
}

/// "did you mean ...?", or what there is to choose from, or nothing if there is nothing.
fn alternatives(word: &str, expected: &[&str]) -> String {
    if let Some(near) = closest(word, expected.iter().copied()) {
        return format!("did you mean `{near}`?");
    }
    match expected {
        [] => "nothing is expected here".to_owned(),
        [one] => format!("expected `{one}`"),
        many => {
            let shown = many.iter().take(MOST_ALTERNATIVES).copied().collect::<Vec<_>>().join(", ");
            let more = many.len().saturating_sub(MOST_ALTERNATIVES);
            let rest = if more == 0 { String::new() } else { format!(" and {more} more") };
            format!("expected one of: {shown}{rest}")
        }
    }
}
