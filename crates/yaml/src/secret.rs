//! Which words look like a real API key, and how they are kept off the screen. It goes by shape alone:
//! it can be wrong both ways, so scenario files should hold made-up names in any case.

use std::borrow::Cow;
use std::collections::BTreeSet;

/// How the keys of well-known providers begin. The longer of two that fit stands first.
const PREFIXES: [&str; 14] = [
    "sk-proj-", "sk-ant-", "sk-", "pk-", "AIza", "gsk_", "xai-", "hf_", "AKIA", "ghp_", "r8_", "pplx-",
    "nvapi-", "eyJ",
];

/// What follows a known prefix is at least this long in a real key.
const AFTER_PREFIX: usize = 16;

/// A word without a known prefix has to be at least this long.
const BARE: usize = 32;

/// A run this long with fewer different characters was typed by holding a key down.
const VARIETY: usize = 8;

/// Whether a person would take `word` for a real API key.
///
/// It is either a known beginning (`sk-`, `AIza`, `eyJ`, ...) with 16 or more characters of a key after
/// it, or 32 or more letters and digits mixed, with many different ones. Names made of words, such as
/// `sk-primary` or `backup-token-eu-west-1`, and placeholders, such as `sk-aaaaaaaaaaaaaaaaaaaaaaaa`, are
/// not. Linear in the length.
pub fn looks_secret(word: &str) -> bool {
    let word = word.trim();
    if word.starts_with("eyJ") && word.contains('.') {
        return word.split('.').any(looks_secret);
    }
    if word.is_empty() || !word.bytes().all(is_key_byte) {
        return false;
    }
    let after_prefix = PREFIXES.iter().find_map(|prefix| word.strip_prefix(prefix));
    after_prefix.is_some_and(|rest| rest.len() >= AFTER_PREFIX && looks_random(rest, AFTER_PREFIX))
        || (word.len() >= BARE && mixes_letters_and_digits(word) && looks_random(word, BARE))
}

/// `text` with every word that [`looks_secret`] overwritten by as many `*`, so that columns and byte
/// offsets stay what they were. Linear in the length.
pub fn redact(text: &str) -> Cow<'_, str> {
    let mut masked = String::new();
    let mut kept = 0;
    for (start, end) in words(text) {
        if looks_secret(&text[start..end]) {
            masked.push_str(&text[kept..start]);
            masked.extend(std::iter::repeat_n('*', end - start));
            kept = end;
        }
    }
    if kept == 0 {
        return Cow::Borrowed(text);
    }
    masked.push_str(&text[kept..]);
    Cow::Owned(masked)
}

/// The byte ranges of the runs that could be keys. Dots join the three parts of a web token only.
fn words(text: &str) -> impl Iterator<Item = (usize, usize)> {
    let bytes = text.as_bytes();
    let mut next = 0;
    std::iter::from_fn(move || {
        let start = next + bytes[next..].iter().position(|&byte| is_key_byte(byte))?;
        let dotted = bytes[start..].starts_with(b"eyJ");
        let len = bytes[start..]
            .iter()
            .position(|&byte| !(is_key_byte(byte) || dotted && byte == b'.'))
            .unwrap_or(bytes.len() - start);
        next = start + len;
        Some((start, next))
    })
}

fn is_key_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

/// Whether a machine made this up: one unbroken run of `unbroken` characters, or pieces that change
/// between capitals, small letters and digits over and over, and in either case many different ones.
fn looks_random(text: &str, unbroken: usize) -> bool {
    let variety = text.bytes().collect::<BTreeSet<u8>>().len();
    let longest = text.split(['-', '_']).map(str::len).max().unwrap_or(0);
    variety >= VARIETY && (longest >= unbroken || changes(text) * 4 >= text.len())
}

fn mixes_letters_and_digits(text: &str) -> bool {
    text.bytes().any(|byte| byte.is_ascii_alphabetic()) && text.bytes().any(|byte| byte.is_ascii_digit())
}

/// How often the kind of character changes inside the pieces between `-` and `_`. The capital that
/// begins a word is no change.
fn changes(text: &str) -> usize {
    let kind = |byte: u8| (byte.is_ascii_digit(), byte.is_ascii_uppercase());
    text.split(['-', '_'])
        .map(|piece| {
            let kinds: Vec<_> = piece.bytes().map(kind).collect();
            kinds.windows(2).enumerate().filter(|(at, pair)| *at > 0 && pair[0] != pair[1]).count()
        })
        .sum()
}
