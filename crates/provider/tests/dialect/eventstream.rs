//! The frames of AWS event streams, read back by a decoder of its own, with a CRC of its own.

use firedrill_provider::{Body, Dialect};
use serde_json::Value;

use crate::cases::{self, CONTEXT};

/// CRC-32 bit by bit: reflected, polynomial 0xEDB88320.
fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
    !bytes.iter().fold(!0, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), |crc, _| step(crc)))
}

/// The headers of a message, and its payload.
type Message = (Vec<(String, String)>, Vec<u8>);

/// The headers and the payload of a message, or what is wrong with it.
fn decode(message: &[u8]) -> Result<Message, &'static str> {
    let number = |at: usize| {
        let bytes = message.get(at..at + 4).ok_or("too short")?;
        Ok::<_, &str>(u32::from_be_bytes(bytes.try_into().expect("four bytes")))
    };
    let (length, headers_length) = (number(0)? as usize, number(4)? as usize);
    if length != message.len() || headers_length + 16 > length {
        return Err("wrong length");
    }
    if number(8)? != crc32(&message[..8]) || number(length - 4)? != crc32(&message[..length - 4]) {
        return Err("wrong CRC");
    }
    let (mut block, payload) = message[12..length - 4].split_at(headers_length);
    let mut headers = Vec::new();
    while let [name_length, rest @ ..] = block {
        let (name, rest) = rest.split_at(usize::from(*name_length));
        let [7, high, low, rest @ ..] = rest else { return Err("a header that is no text") };
        let (value, rest) = rest.split_at(usize::from(u16::from_be_bytes([*high, *low])));
        headers.push((String::from_utf8_lossy(name).into(), String::from_utf8_lossy(value).into()));
        block = rest;
    }
    Ok((headers, payload.to_vec()))
}

/// What a message says; a `chunk` says it in base64.
#[track_caller]
pub(crate) fn payload(message: &[u8]) -> Value {
    let (_, payload) = decode(message).expect("a message");
    let value: Value = serde_json::from_slice(&payload).expect("JSON");
    match value["bytes"].as_str() {
        Some(bytes) => serde_json::from_slice(&unwrapped(bytes)).expect("JSON"),
        None => value,
    }
}

/// Base64, backwards.
fn unwrapped(text: &str) -> Vec<u8> {
    assert_eq!(text.len() % 4, 0, "{text:?}");
    let digits = text.trim_end_matches('=').bytes().map(|digit| match digit {
        b'A'..=b'Z' => digit - b'A',
        b'a'..=b'z' => digit - b'a' + 26,
        b'0'..=b'9' => digit - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => panic!("{text:?} is no base64"),
    });
    let bits: Vec<bool> =
        digits.flat_map(|digit| (0..6).rev().map(move |bit| digit >> bit & 1 == 1)).collect();
    bits.chunks_exact(8).map(|byte| byte.iter().fold(0, |byte, bit| byte << 1 | u8::from(*bit))).collect()
}

/// The name of a message.
fn name(message: &[u8], header: &str) -> Option<String> {
    let (headers, _) = decode(message).expect("a message");
    headers.into_iter().find(|(name, _)| name == header).map(|(_, value)| value)
}

#[test]
fn the_crc_is_the_published_one() {
    assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
}

#[test]
fn a_published_message_is_read() {
    // From the test vectors of the AWS SDKs: no headers, no payload.
    let empty = [0, 0, 0, 0x10, 0, 0, 0, 0, 0x05, 0xc2, 0x48, 0xeb, 0x7d, 0x98, 0xc8, 0xff];
    assert_eq!(decode(&empty), Ok((vec![], vec![])));
    let mut broken = empty;
    broken[15] ^= 1;
    assert_eq!(decode(&broken), Err("wrong CRC"));
}

#[test]
fn a_stream_of_converse_has_the_events_in_order() {
    let question = cases::question(Dialect::Bedrock, "stream");
    let reply = Dialect::Bedrock.reply(&question, &cases::with_quotas(), &CONTEXT);
    let Body::Events(events) = reply.body else { panic!("no stream") };
    let mut names: Vec<String> =
        events.iter().map(|event| name(event, ":event-type").expect("an event")).collect();
    names.dedup();
    assert_eq!(names, ["messageStart", "contentBlockDelta", "contentBlockStop", "messageStop", "metadata"]);
}

#[test]
fn an_exception_is_one_and_is_called_as_in_a_refusal() {
    let question = cases::question(Dialect::Bedrock, "stream");
    for (error, called) in [
        (None, "serviceUnavailableException"),
        (Some("ThrottlingException"), "throttlingException"),
        (Some("ModelStreamErrorException"), "modelStreamErrorException"),
    ] {
        let event = Dialect::Bedrock.error_event(&question, &cases::inside(error), &CONTEXT);
        assert_eq!(name(&event, ":message-type").as_deref(), Some("exception"));
        assert_eq!(name(&event, ":exception-type").as_deref(), Some(called));
    }
    let event =
        Dialect::Bedrock.error_event(&question, &cases::inside(Some(&"\u{e9}x".repeat(99_999))), &CONTEXT);
    assert_eq!(name(&event, ":exception-type").map(|name| name.len()), Some(128));
}

#[test]
fn what_invoke_wraps_is_unwrapped() {
    for text in ["", "f", "fo", "foo", "foob", "fooba", "foobar"] {
        let context = firedrill_provider::Context { text, ..CONTEXT };
        let question = cases::question(Dialect::Bedrock, "invoke-stream");
        let reply = Dialect::Bedrock.reply(&question, &cases::with_quotas(), &context);
        let Body::Events(events) = reply.body else { panic!("no stream") };
        assert_eq!(payload(events.iter().last().expect("an event"))["type"], "message_stop");
        let said: Vec<String> = events
            .iter()
            .filter_map(|event| Some(payload(event)["delta"]["text"].as_str()?.to_owned()))
            .collect();
        assert_eq!(said.concat(), text);
    }
}
