//! Events of a stream in the framing of server-sent events.
//!
//! What is sent is JSON, which has no line end in it, so that an event is always one `data` line.

use super::json::{Json, Object};

/// `data: …`.
pub(super) fn data(json: &Json, to: &mut Vec<u8>) {
    framed(b"data: ", json, b"\n\n", to);
}

/// The same, of an object that is written entry by entry.
pub(super) fn object(to: &mut Vec<u8>, entries: impl FnOnce(&mut Object<'_>)) {
    to.extend_from_slice(b"data: ");
    Object::write(to, entries);
    to.extend_from_slice(b"\n\n");
}

/// `data: …`, its lines ended as Google ends them.
pub(super) fn data_crlf(json: &Json, to: &mut Vec<u8>) {
    framed(b"data: ", json, b"\r\n\r\n", to);
}

/// What ends a stream of OpenAI's.
pub(super) fn done(to: &mut Vec<u8>) {
    to.extend_from_slice(b"data: [DONE]\n\n");
}

/// `event: …`, `data: …`.
pub(super) fn named(event: &str, json: &Json, to: &mut Vec<u8>) {
    for part in ["event: ", event, "\n"] {
        to.extend_from_slice(part.as_bytes());
    }
    data(json, to);
}

/// An event of DashScope's: a number, a name, the status in a comment, and `data:` without a space.
pub(super) fn numbered(number: u64, event: &str, status: u16, json: &Json, to: &mut Vec<u8>) {
    to.extend_from_slice(format!("id:{number}\nevent:{event}\n:HTTP_STATUS/{status}\n").as_bytes());
    framed(b"data:", json, b"\n\n", to);
}

/// An event by itself.
pub(super) fn alone(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut event = Vec::new();
    write(&mut event);
    event
}

fn framed(before: &[u8], json: &Json, after: &[u8], to: &mut Vec<u8>) {
    to.extend_from_slice(before);
    json.write(to);
    to.extend_from_slice(after);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_breaks_out_of_its_line() {
        let json = Json::from("a\n\ndata: b\r\n\u{0}\"".to_owned());
        let line = r#""a\n\ndata: b\r\n\u0000\"""#;
        let check = |write: &dyn Fn(&mut Vec<u8>), expect: String| {
            assert_eq!(String::from_utf8(alone(write)), Ok(expect));
        };
        check(&|to| data(&json, to), format!("data: {line}\n\n"));
        check(&|to| data_crlf(&json, to), format!("data: {line}\r\n\r\n"));
        check(&|to| named("error", &json, to), format!("event: error\ndata: {line}\n\n"));
        let expect = format!("id:2\nevent:result\n:HTTP_STATUS/200\ndata:{line}\n\n");
        check(&|to| numbered(2, "result", 200, &json, to), expect);
    }
}
