//! The binary framing of AWS event streams, `application/vnd.amazon.eventstream`.
//!
//! A message is: its length and that of its headers (each 4 bytes, big endian), the CRC-32 of these 8 bytes, the headers,
//! the payload, and the CRC-32 of all before it. A header is the length of its name (1 byte), the name, its type (7: text),
//! the length of its value (2 bytes), and the value.

use super::json::Json;

/// The type of a header that is text.
const TEXT: u8 = 7;
/// What stands round the headers and the payload.
const FRAME: usize = 16;

/// An event: `:event-type` is what it is called.
pub(super) fn event(name: &str, payload: &Json) -> Vec<u8> {
    let headers = [(":event-type", name), (":content-type", "application/json"), (":message-type", "event")];
    message(&headers, &payload.bytes())
}

/// An error inside the stream: `:exception-type` is what it is called.
pub(super) fn exception(name: &str, payload: &Json) -> Vec<u8> {
    let headers =
        [(":exception-type", name), (":content-type", "application/json"), (":message-type", "exception")];
    message(&headers, &payload.bytes())
}

/// A message. Names and values of headers are ours, and short.
fn message(headers: &[(&str, &str)], payload: &[u8]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in headers {
        block.push(u8::try_from(name.len()).expect("broken invariant: the name of a header is short"));
        block.extend(name.as_bytes());
        block.push(TEXT);
        let length = u16::try_from(value.len()).expect("broken invariant: the value of a header is short");
        block.extend(length.to_be_bytes());
        block.extend(value.as_bytes());
    }
    let mut message = Vec::with_capacity(FRAME + block.len() + payload.len());
    message.extend(length(FRAME + block.len() + payload.len()));
    message.extend(length(block.len()));
    message.extend(crc32fast::hash(&message).to_be_bytes());
    message.extend(block);
    message.extend(payload);
    message.extend(crc32fast::hash(&message).to_be_bytes());
    message
}

fn length(bytes: usize) -> [u8; 4] {
    u32::try_from(bytes).expect("broken invariant: a message is shorter than 4 GiB").to_be_bytes()
}

/// Base64 with the usual alphabet and padding (RFC 4648, section 4), in which `invoke` wraps what the model says.
pub(super) fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let at = |index: usize| u32::from(chunk.get(index).copied().unwrap_or(0));
        let bits = at(0) << 16 | at(1) << 8 | at(2);
        for index in 0..4 {
            let digit = ALPHABET[(bits >> (18 - 6 * index) & 63) as usize];
            text.push(if index <= chunk.len() { char::from(digit) } else { '=' });
        }
    }
    text
}
