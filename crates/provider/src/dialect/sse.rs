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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_breaks_out_of_its_line() {
        let json = Json::from("a\n\ndata: b\r\n\u{0}\"".to_owned());
        let line = r#""a\n\ndata: b\r\n\u0000\"""#;
        assert_eq!(String::from_utf8(data(&json)), Ok(format!("data: {line}\n\n")));
        assert_eq!(String::from_utf8(data_crlf(&json)), Ok(format!("data: {line}\r\n\r\n")));
        assert_eq!(String::from_utf8(named("error", &json)), Ok(format!("event: error\ndata: {line}\n\n")));
        let numbered = String::from_utf8(numbered(2, "result", 200, &json));
        assert_eq!(numbered, Ok(format!("id:2\nevent:result\n:HTTP_STATUS/200\ndata:{line}\n\n")));
    }
}
