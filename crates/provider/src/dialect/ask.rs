//! What the dialects share in reading a request and in putting a reply together.

use std::borrow::Cow;

use firedrill_failover::Status;
use serde_json::Value;

use super::json::Json;
use crate::exchange::{Body, Incoming, Reply};

/// What stands in a reply where a vendor shows a part of the token.
pub(super) const MASK: &str = "********";

/// Headers of a reply.
pub(super) type Headers = Vec<(Cow<'static, str>, String)>;

/// A status that is written in this crate, or was one already.
pub(super) fn status(code: u16) -> Status {
    Status::new(code).expect("broken invariant: a status of ours is one")
}

/// A reply that is one JSON text.
pub(super) fn whole(code: u16, headers: Headers, body: &Json) -> Reply {
    Reply { status: status(code), headers, body: Body::Whole(body.bytes()) }
}

/// The token of `authorization: Bearer …`.
pub(super) fn bearer(incoming: &Incoming<'_>) -> Option<String> {
    let (scheme, token) = incoming.header("authorization")?.trim().split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then(|| token.to_owned())
}

/// The token that is a header of its own.
pub(super) fn key(incoming: &Incoming<'_>, header: &str) -> Option<String> {
    incoming.header(header).map(str::trim).filter(|token| !token.is_empty()).map(str::to_owned)
}

/// The value of a name in the query, decoded.
pub(super) fn parameter(query: &str, name: &str) -> Option<String> {
    let values = query.split('&').filter_map(|pair| pair.split_once('='));
    values.filter(|(known, _)| *known == name).map(|(_, value)| decoded(&value.replace('+', " "))).next()
}

/// A part of a URL without its percent signs; what is no text then has replacement characters.
pub(crate) fn decoded(part: &str) -> String {
    let mut bytes = Vec::with_capacity(part.len());
    let mut rest = part.as_bytes();
    while let [first, tail @ ..] = rest {
        let digit = |at: usize| tail.get(at).and_then(|byte| char::from(*byte).to_digit(16));
        let byte = match (first, digit(0), digit(1)) {
            (b'%', Some(high), Some(low)) => u8::try_from(high * 16 + low).ok(),
            _ => None,
        };
        bytes.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { &tail[2..] } else { tail };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The JSON object that a body is.
pub(super) fn object(body: &[u8]) -> Option<Value> {
    serde_json::from_slice(body).ok().filter(Value::is_object)
}

/// A text that is there and not empty.
pub(super) fn text(value: &Value) -> Option<&str> {
    value.as_str().filter(|text| !text.is_empty())
}

/// A list that is there and not empty.
pub(super) fn has_entries(value: &Value) -> bool {
    value.as_array().is_some_and(|entries| !entries.is_empty())
}

/// How many bytes of text are in messages, wherever their vendor puts them: texts themselves, and below `content`,
/// `parts`, `text` and the like. Pictures and roles are not counted.
pub(super) fn text_bytes(value: &Value) -> u64 {
    match value {
        Value::String(text) => text.len() as u64,
        Value::Array(values) => values.iter().map(text_bytes).sum(),
        Value::Object(entries) => {
            let said = entries.iter().filter(|(key, _)| matches!(key.as_str(), "content" | "parts" | "text"));
            said.map(|(_, value)| text_bytes(value)).sum()
        }
        _ => 0,
    }
}
