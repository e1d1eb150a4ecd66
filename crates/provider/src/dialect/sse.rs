//! Events of a stream in the framing of server-sent events.
//!
//! What is sent is JSON, which has no line end in it, so that an event is always one `data` line.

use super::json::Json;

/// `data: …`.
pub(super) fn data(json: &Json) -> Vec<u8> {
    format!("data: {}\n\n", json.text()).into_bytes()
}

/// `data: …`, its lines ended as Google ends them.
pub(super) fn data_crlf(json: &Json) -> Vec<u8> {
    format!("data: {}\r\n\r\n", json.text()).into_bytes()
}

/// What ends a stream of OpenAI's.
pub(super) fn done() -> Vec<u8> {
    b"data: [DONE]\n\n".to_vec()
}

/// `event: …`, `data: …`.
pub(super) fn named(event: &str, json: &Json) -> Vec<u8> {
    format!("event: {event}\ndata: {}\n\n", json.text()).into_bytes()
}

/// An event of DashScope's: a number, a name, the status in a comment, and `data:` without a space.
pub(super) fn numbered(number: u64, event: &str, status: u16, json: &Json) -> Vec<u8> {
    format!("id:{number}\nevent:{event}\n:HTTP_STATUS/{status}\ndata:{}\n\n", json.text()).into_bytes()
}
