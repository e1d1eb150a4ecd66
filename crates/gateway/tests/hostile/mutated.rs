//! Good requests, and what becomes of them when someone means ill.

use proptest::prelude::*;
use proptest::sample::{Index, select};

/// Each is one request.
pub(crate) const REQUESTS: &[&str] = &[
    "POST /v1/chat/completions HTTP/1.1\r\nhost: g\r\nauthorization: Bearer sk-of-the-client\r\nx-api-key: sk-of-the-client\r\n\
     api-key: sk-of-the-client\r\nx-goog-api-key: sk-of-the-client\r\ncookie: a=b\r\ncontent-length: 11\r\n\r\nhello world",
    "POST /v1/chunks HTTP/1.1\r\nHost: g\r\nTransfer-Encoding: chunked\r\ntrailer: x-t\r\n\r\n6;ext=\"a\"\r\nhello \r\n5\r\nworld\r\n0\r\n\
     x-t: 1\r\n\r\n",
    "GET http://other.example/v1/models?key=a&b=c HTTP/1.1\r\nhost: other.example\r\naccept: */*\r\n\r\n",
    "HEAD /v1/models HTTP/1.1\r\nhost: g\r\nte: trailers\r\n\r\n",
    "GET /old HTTP/1.0\r\nconnection: keep-alive\r\n\r\n",
    "PUT /v1/expects HTTP/1.1\r\nhost: g\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\nhi",
    "DELETE /v1/hops HTTP/1.1\r\nhost: g\r\nconnection: x-hop, keep-alive\r\nx-hop: 1\r\nkeep-alive: 5\r\n\
     proxy-authorization: Basic a\r\nx-stays: 1\r\nx-stays: 2\r\n\r\n",
];

/// Each is one request, some of them of someone who may ask.
pub(crate) const ADMIN: &[&str] = &[
    "GET /state HTTP/1.1\r\nhost: localhost\r\n\r\n",
    "GET /state HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer admin-3Xc5vB7nM9kJ2hG4fD6sA8pQ\r\n\r\n",
    "GET /metrics HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer admin-3Xc5vB7nM9kJ2hG4fD6sA8pQ\r\n\r\n",
    "GET / HTTP/1.1\r\nhost: localhost\r\naccept: text/html\r\nauthorization: Bearer admin-3Xc5vB7nM9kJ2hG4fD6sA8pQ\r\n\r\n",
    "GET /metrics HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer wrong\r\n\r\n",
    "POST /state HTTP/1.1\r\nhost: localhost\r\ncontent-length: 2\r\n\r\n{}",
    "GET /readyz HTTP/1.1\r\nhost: localhost\r\n\r\n",
];

/// What is put where it does not belong.
const PIECES: &[&str] = &[
    "\r\n",
    "\n",
    "\r",
    "\0",
    " ",
    "\t",
    ":",
    "#",
    "?",
    "/../",
    "/%2e%2e/",
    "//",
    "\u{e9}",
    "0\r\n\r\n",
    "0",
    "f",
    "+",
    "-",
    ";",
    ",",
    "%0d%0a",
    "Content-Length: 5\r\n",
    "content-length: 0\r\n",
    "content-length : 5\r\n",
    "Transfer-Encoding: chunked\r\n",
    "transfer-encoding: identity\r\n",
    "transfer-encoding: gzip, chunked\r\n",
    "Transfer-Encoding:\x0bchunked\r\n",
    "transfer-encoding\t: chunked\r\n",
    "host: h\r\n",
    "connection: close\r\n",
    "connection: host, authorization, content-length\r\n",
    "connection: transfer-encoding\r\n",
    "upgrade: websocket\r\n",
    "expect: 100-continue\r\n",
    "authorization: Bearer sk-other\r\n",
    " folded\r\n",
    "HTTP/1.0",
    "HTTP/1.1",
    "CONNECT g:80 HTTP/1.1\r\nhost: g\r\n\r\n",
    "GET /smuggled HTTP/1.1\r\nhost: g\r\n\r\n",
    "POST /smuggled HTTP/1.1\r\nhost: g\r\ncontent-length: 3\r\n\r\nabc",
];

#[derive(Clone, Debug)]
enum Change {
    Insert(Index, &'static str),
    /// A line begins with it.
    Line(Index, &'static str),
    Remove(Index, usize),
    Replace(Index, u8),
    Repeat(Index, usize),
    CutOff(Index),
}

impl Change {
    fn make(&self, bytes: &mut Vec<u8>) {
        if bytes.is_empty() {
            return;
        }
        match self {
            Self::Insert(at, piece) => {
                let at = at.index(bytes.len());
                drop(bytes.splice(at..at, piece.bytes()));
            }
            Self::Line(at, piece) => {
                let ends = (0..bytes.len()).filter(|at| bytes[*at] == b'\n').map(|at| at + 1);
                let starts: Vec<usize> = [0].into_iter().chain(ends).collect();
                let at = starts[at.index(starts.len())];
                drop(bytes.splice(at..at, piece.bytes()));
            }
            Self::Remove(at, length) => {
                let at = at.index(bytes.len());
                bytes.drain(at..(at + length).min(bytes.len()));
            }
            Self::Replace(at, byte) => {
                let at = at.index(bytes.len());
                bytes[at] = *byte;
            }
            Self::Repeat(at, length) => {
                let at = at.index(bytes.len());
                let again = bytes[at..(at + length).min(bytes.len())].to_vec();
                drop(bytes.splice(at..at, again));
            }
            Self::CutOff(at) => bytes.truncate(at.index(bytes.len())),
        }
    }
}

/// Some of `templates` one after another, with some changes.
pub(crate) fn strategy(templates: &'static [&'static str]) -> impl Strategy<Value = Vec<u8>> {
    let change = prop_oneof![
        3 => (any::<Index>(), select(PIECES)).prop_map(|(at, piece)| Change::Insert(at, piece)),
        3 => (any::<Index>(), select(PIECES)).prop_map(|(at, piece)| Change::Line(at, piece)),
        2 => (any::<Index>(), 1..4_usize).prop_map(|(at, length)| Change::Remove(at, length)),
        2 => (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| Change::Replace(at, byte)),
        1 => (any::<Index>(), 1..40_usize).prop_map(|(at, length)| Change::Repeat(at, length)),
        1 => any::<Index>().prop_map(Change::CutOff),
    ];
    let whole = prop::collection::vec(select(templates), 1..4);
    (whole, prop::collection::vec(change, 0..5)).prop_map(|(whole, changes)| {
        let mut bytes = whole.concat().into_bytes();
        for change in &changes {
            change.make(&mut bytes);
        }
        bytes
    })
}
