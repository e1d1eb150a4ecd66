//! What the dialects share in reading a request and in putting a reply together.

use std::borrow::Cow;

use super::json::Json;
use super::value::Value;
use crate::exchange::{Body, Incoming, Reply};
use firedrill_failover::Status;

/// Headers of a reply.
pub(super) type Headers = Vec<(Cow<'static, str>, Cow<'static, str>)>;

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

/// A text that is there and not empty.
pub(super) fn text<'a>(value: &'a Value<'_>) -> Option<&'a str> {
    value.as_str().filter(|text| !text.is_empty())
}

/// A list that is there and not empty.
pub(super) fn has_entries(value: &Value<'_>) -> bool {
    value.as_list().is_some_and(|list| list.entries > 0)
}

/// The most LLM tokens that the answer may have, under the first of `keys` that has something. `Err` is the key whose value
/// is no whole number of at least 1.
pub(super) fn most(asked: &Value<'_>, keys: &[&'static str]) -> Result<Option<u64>, &'static str> {
    let Some(key) = keys.iter().find(|key| !asked[**key].is_null()) else { return Ok(None) };
    asked[*key].as_u64().filter(|most| *most > 0).map(Some).ok_or(*key)
}

/// An id in the form of a UUID.
pub(super) fn uuid(serial: u64) -> String {
    let mut id = String::with_capacity(36);
    id.push_str("00000000-0000-4000-");
    push_hex(&mut id, serial >> 48, 4);
    id.push('-');
    push_hex(&mut id, serial & 0xffff_ffff_ffff, 12);
    id
}

/// An id that is a number in so many hexadecimal digits after some letters.
pub(super) fn hex(letters: &str, number: u64, digits: usize) -> String {
    let mut id = String::with_capacity(letters.len() + digits);
    id.push_str(letters);
    push_hex(&mut id, number, digits);
    id
}

/// Writes as many of its last digits as are asked for, with zeros before the first.
fn push_hex(to: &mut String, number: u64, digits: usize) {
    let known = (u64::BITS - number.leading_zeros()).div_ceil(4) as usize;
    let known = known.min(digits);
    to.extend(std::iter::repeat_n("0000000000000000", (digits - known) / 16));
    to.push_str(&"0000000000000000"[..(digits - known) % 16]);
    for place in (0..known).rev() {
        to.push(char::from_digit((number >> (4 * place) & 0xf) as u32, 16).unwrap_or('0'));
    }
}

/// A name as a header can have it: letters, digits and signs of ASCII, and not too many.
pub(super) fn safe(name: &str) -> String {
    name.chars().filter(char::is_ascii_graphic).take(128).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_a_url_is_decoded_where_it_can_be() {
        for (part, expect) in [
            ("", ""),
            ("a-b", "a-b"),
            ("a%3Ab%2fc", "a:b/c"),
            ("%", "%"),
            ("%4", "%4"),
            ("%zz", "%zz"),
            ("%%41", "%A"),
            ("%c3%a9", "\u{e9}"),
            ("%ff", "\u{fffd}"),
            ("\u{1f525}%20", "\u{1f525} "),
        ] {
            assert_eq!(decoded(part), expect, "{part:?}");
        }
    }

    #[test]
    fn the_first_of_a_name_in_the_query_is_taken() {
        assert_eq!(parameter("alt=sse&key=a+b%26c&key=d", "key").as_deref(), Some("a b&c"));
        assert_eq!(parameter("monkey=1&key", "key"), None);
        assert_eq!(parameter("", "key"), None);
    }

    #[test]
    fn an_id_is_its_number_in_as_many_digits_as_its_vendor_has() {
        for number in [0, 1, 0xf, 0x10, 0x1234_5678_9abc_def0, u64::MAX] {
            assert_eq!(hex("id-", number, 16), format!("id-{number:016x}"));
            assert_eq!(hex("", number, 29), format!("{number:029x}"));
            let expect =
                format!("00000000-0000-4000-{:04x}-{:012x}", number >> 48, number & 0xffff_ffff_ffff);
            assert_eq!(uuid(number), expect);
        }
    }

    #[test]
    fn a_name_in_a_header_is_of_signs_that_a_header_can_have() {
        assert_eq!(safe("Throttling.RateQuota"), "Throttling.RateQuota");
        assert_eq!(safe("a b\r\nset-cookie: x\u{e9}"), "abset-cookie:x");
    }
}
