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
    let mut word = 0;
    text.len() <= LONGEST
        && text.bytes().all(|byte| {
            let kind = KINDS[usize::from(byte)];
            word = if kind == Kind::InKey { word + 1 } else { 0 };
            word < SHORTEST_KEY && kind != Kind::Hidden
        })
}

/// What a byte may be in a path or a model's name.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
enum Kind {
    /// It is not seen as it stands.
    Hidden,
    /// It may be in a key.
    InKey,
    /// It separates words.
    Between,
}

/// The kind of each byte.
const KINDS: [Kind; 256] = {
    let mut kinds = [Kind::Hidden; 256];
    let mut byte = b'!';
    while byte <= b'~' {
        let is_in_key = byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        kinds[byte as usize] = if is_in_key { Kind::InKey } else { Kind::Between };
        byte += 1;
    }
    kinds
};

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
