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

#[cfg(test)]
mod tests {
    use super::*;

    /// From the test vectors that the AWS SDKs share.
    #[test]
    fn published_messages_are_written() {
        let empty = [0, 0, 0, 0x10, 0, 0, 0, 0, 0x05, 0xc2, 0x48, 0xeb, 0x7d, 0x98, 0xc8, 0xff];
        assert_eq!(message(&[], b""), empty);
        let payload = [
            0, 0, 0, 0x1d, 0, 0, 0, 0, 0xfd, 0x52, 0x8c, 0x5a, 0x7b, 0x27, 0x66, 0x6f, 0x6f, 0x27, 0x3a,
            0x27, 0x62, 0x61, 0x72, 0x27, 0x7d, 0xc3, 0x65, 0x39, 0x36,
        ];
        assert_eq!(message(&[], b"{'foo':'bar'}"), payload);
    }

    /// RFC 4648, section 10.
    #[test]
    fn base64_is_that_of_its_rfc() {
        for (text, expect) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64(text.as_bytes()), expect);
        }
        assert_eq!(base64(&[0xff, 0xef, 0xbe]), "/+++");
    }
}
