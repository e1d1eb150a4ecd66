//! Good requests, and what becomes of them when someone means ill.

use std::fs;
use std::path::Path;

use proptest::prelude::*;
use proptest::sample::{Index, select};

use crate::strict::{self, End};

/// What `fuzz/seeds` has for a target: the name of each, and its bytes.
///
/// # Panics
/// If there is none.
pub(crate) fn seeds(target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds").join(target);
    let mut seeds: Vec<_> = fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| {
            let entry = entry.expect("an entry");
            (entry.file_name().to_string_lossy().into_owned(), fs::read(entry.path()).expect("a file"))
        })
        .collect();
    seeds.sort();
    assert!(!seeds.is_empty(), "there are seeds for `{target}`");
    seeds
}

/// Those of `seeds` that are one request: what others are made of.
pub(crate) fn templates(target: &str) -> Vec<Vec<u8>> {
    let is_one = |bytes: &[u8]| matches!(strict::requests(bytes), (asked, End::Clean) if asked.len() == 1);
    seeds(target).into_iter().map(|(_, bytes)| bytes).filter(|bytes| is_one(bytes)).collect()
}

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
pub(crate) fn strategy(templates: Vec<Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
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
        let mut bytes = whole.concat();
        for change in &changes {
            change.make(&mut bytes);
        }
        bytes
    })
}
