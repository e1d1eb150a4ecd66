//! The head of a request as bytes, before hyper reads it: whether it can be understood in one way only.
//!
//! hyper forgives what RFC 9112 lets a server forgive: a line that ends with a line feed alone, two content lengths that agree,
//! a content length beside chunks, a coding under the chunks; and a fragment in a target, or letters that are not ASCII. A
//! gateway in front of this one may have understood those otherwise, and so may upstream. So they are refused here, whatever
//! hyper would make of them.

use memchr::{memchr, memchr2};

/// What is known of a head whose end has not come yet. It goes on at the line that it stopped in.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scan {
    /// Where the next line begins.
    at: usize,
    lines: usize,
    hosts: usize,
    length: Option<u64>,
    chunked: bool,
}

/// What comes after a head.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum After {
    /// So many bytes of a body.
    Length(u64),
    /// Chunks.
    Chunks,
}

/// A head that can be understood in two ways, or in none.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ambiguous;

impl Scan {
    /// Goes on with `head`, which begins with all that was scanned before: where the head ends and what comes after it, or `None` if
    /// its end has not come. O(bytes that are new, and the last line).
    pub(crate) fn go_on(&mut self, head: &[u8]) -> Result<Option<(usize, After)>, Ambiguous> {
        while let Some(end) = memchr(b'\n', &head[self.at..]).map(|end| self.at + end) {
            let line = head[self.at..end].strip_suffix(b"\r").ok_or(Ambiguous)?;
            self.at = end + 1;
            if memchr2(b'\r', 0, line).is_some() {
                return Err(Ambiguous);
            }
            if !line.is_empty() {
                self.line(line)?;
            } else if self.lines > 0 {
                return Ok(Some((self.at, self.after())));
            }
        }
        Ok(None)
    }

    fn line(&mut self, line: &[u8]) -> Result<(), Ambiguous> {
        self.lines += 1;
        if self.lines == 1 {
            // hyper would cut off what looks like a fragment, and hand on what is not ASCII as it is.
            let is_plain = |byte: &u8| matches!(byte, b' '..=b'~') && *byte != b'#';
            return if line.iter().all(is_plain) { Ok(()) } else { Err(Ambiguous) };
        }
        // One that begins with a space goes on the line before.
        let colon = memchr(b':', line).ok_or(Ambiguous)?;
        let (name, value) = (&line[..colon], &line[colon + 1..]);
        if name.is_empty() || name.iter().any(|byte| !byte.is_ascii_graphic()) {
            return Err(Ambiguous);
        }
        let value = value.trim_ascii();
        match name.len() {
            4 if name.eq_ignore_ascii_case(b"host") => {
                self.hosts += 1;
                if self.hosts > 1 { Err(Ambiguous) } else { Ok(()) }
            }
            14 if name.eq_ignore_ascii_case(b"content-length") => {
                let once = self.length.replace(length(value)?).is_none();
                if once && !self.chunked { Ok(()) } else { Err(Ambiguous) }
            }
            17 if name.eq_ignore_ascii_case(b"transfer-encoding") => {
                let once = !std::mem::replace(&mut self.chunked, true);
                let alone = value.eq_ignore_ascii_case(b"chunked") && self.length.is_none();
                if once && alone { Ok(()) } else { Err(Ambiguous) }
            }
            _ => Ok(()),
        }
    }

    fn after(&self) -> After {
        if self.chunked { After::Chunks } else { After::Length(self.length.unwrap_or(0)) }
    }
}

/// The number that digits alone write.
fn length(digits: &[u8]) -> Result<u64, Ambiguous> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err(Ambiguous);
    }
    let add = |sum: u64, digit: &u8| sum.checked_mul(10)?.checked_add(u64::from(digit - b'0'));
    digits.iter().try_fold(0, add).ok_or(Ambiguous)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(head: &str, expect: Result<Option<(usize, After)>, Ambiguous>) {
        assert_eq!(Scan::default().go_on(head.as_bytes()), expect, "{head:?}");
        // Byte by byte it comes to the same.
        let mut scan = Scan::default();
        let bit_by_bit = (1..=head.len()).map(|end| scan.go_on(&head.as_bytes()[..end]));
        let first = bit_by_bit.into_iter().find(|scanned| *scanned != Ok(None)).unwrap_or(Ok(None));
        assert_eq!(first, expect, "{head:?}, byte by byte");
    }

    #[test]
    fn a_plain_head_ends_at_its_empty_line() {
        let head = "POST / HTTP/1.1\r\nhost: a\r\nContent-Length: 12 \r\n\r\n";
        check(head, Ok(Some((head.len(), After::Length(12)))));
        let head = "\r\nPOST / HTTP/1.1\r\nTransfer-encoding:chunked\r\n\r\n";
        check(head, Ok(Some((head.len(), After::Chunks))));
        let head = "GET / HTTP/1.1\r\n\r\n";
        check(head, Ok(Some((head.len(), After::Length(0)))));
        check("GET / HTTP/1.1\r\nhost: a\r\n", Ok(None));
    }

    #[test]
    fn what_can_be_understood_in_two_ways_is_refused() {
        let fields = [
            "content-length: 3\r\ntransfer-encoding: chunked",
            "transfer-encoding: chunked\r\ncontent-length: 3",
            "content-length: 3\r\ncontent-length: 3",
            "content-length: 3, 3",
            "content-length: +3",
            "content-length: 0x3",
            "content-length:",
            "content-length: 99999999999999999999",
            "transfer-encoding: xchunked",
            "transfer-encoding: gzip, chunked",
            "transfer-encoding: chunked, chunked",
            "transfer-encoding: chunked\r\ntransfer-encoding: chunked",
            "transfer-encoding: identity",
            "transfer-encoding : chunked",
            "transfer-encoding\t: chunked",
            "x: 1\r\n folded: 2",
            "x: 1\r\n\tfolded",
            "x: 1\ny: 2",
            "x: 1\ry: 2",
            "x: \0",
            "no colon",
            ": no name",
            "host: a\r\nhost: b",
        ];
        for field in fields {
            check(&format!("POST / HTTP/1.1\r\n{field}\r\n\r\n"), Err(Ambiguous));
        }
        check("GET / HTTP/1.1\n\n", Err(Ambiguous));
        for target in ["/a#b", "/\u{e9}", "/\tb"] {
            check(&format!("GET {target} HTTP/1.1\r\nhost: a\r\n\r\n"), Err(Ambiguous));
        }
        check("\nGET / HTTP/1.1\r\n\r\n", Err(Ambiguous));
    }
}
