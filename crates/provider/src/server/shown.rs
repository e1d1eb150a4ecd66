//! How the journal shows a request: nothing that may be a token, and each refusal and fault in a word.

use std::borrow::Cow;

use firedrill_yaml::presentable;
use hyper::header::HeaderMap;

use crate::behaviour::Refusal;
use crate::fault::Fault;

/// Longer paths and models are cut in the journal, in bytes.
const LONGEST: usize = 256;

/// No key that can be told from a word is shorter, in bytes.
const SHORTEST_KEY: usize = 16;

/// The values of headers that may hold a token.
pub(crate) fn secrets(headers: &HeaderMap) -> Vec<&str> {
    let names = ["authorization", "api-key", "x-api-key", "x-goog-api-key"];
    let values = names.iter().flat_map(|name| headers.get_all(*name)).filter_map(|value| value.to_str().ok());
    values.flat_map(str::split_whitespace).collect()
}

/// The start of `text`, without `secrets` and what else looks like a key, and with nothing in it that steers a terminal.
pub(crate) fn shown<'a>(text: &'a str, secrets: &[&str]) -> Cow<'a, str> {
    let mut text = Cow::Borrowed(text);
    for secret in secrets {
        // What is shorter is a word that a path may have by chance.
        if secret.len() >= 4 && text.contains(secret) {
            text = text.replace(secret, "********").into();
        }
    }
    if is_plain(&text) {
        return text;
    }
    let mut shown = presentable(&text);
    shown.truncate(shown.floor_char_boundary(LONGEST));
    shown.into()
}

/// Whether a text is short, has nothing that needs to be written out, and no word as long as a key: most are.
fn is_plain(text: &str) -> bool {
    let is_in_key = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let has_key = |text: &str| {
        text.as_bytes().chunk_by(|a, b| is_in_key(a) && is_in_key(b)).any(|word| word.len() >= SHORTEST_KEY)
    };
    text.len() <= LONGEST
        && text.bytes().all(|byte| byte.is_ascii_graphic())
        && (text.len() < SHORTEST_KEY || !has_key(text))
}

pub(crate) const fn refusal_word(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::Outage => "outage",
        Refusal::Concurrent => "concurrent",
        Refusal::Quota { .. } => "quota",
        Refusal::Script => "script",
        Refusal::Chance => "chance",
    }
}

pub(crate) const fn fault_word(fault: &Fault) -> &'static str {
    match fault {
        Fault::Refused => "refused",
        Fault::Reset => "reset",
        Fault::ResetAfterHeaders => "resetAfterHeaders",
        Fault::Cut(_) => "cut",
        Fault::Stall => "stall",
        Fault::StallAfter(_) => "stallAfter",
        Fault::Drip(_) => "drip",
        Fault::MalformedChunk => "malformedChunk",
        Fault::InvalidJson => "invalidJson",
        Fault::WrongLength => "wrongLength",
        Fault::ErrorEvent => "errorEvent",
        Fault::Endless => "endless",
    }
}
