//! A file that a person wrote, in memory: its text, and the name it is called by. It is read with care
//! for what may lie at a path, and parsed elsewhere.

use std::fmt;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::Path;

use serde::de::DeserializeOwned;

use crate::{Place, Problem, parse};

/// The text of a file and the name shown to people. Printed for debugging it shows the name only.
#[derive(Clone, PartialEq, Eq)]
pub struct Source {
    name: String,
    text: String,
    first_line: usize,
}

impl Source {
    /// The largest file that is read, in bytes: 1 MiB. A scenario is a few kilobytes.
    pub const LIMIT: u64 = 1 << 20;

    /// A text that is in memory already. A byte order mark at its start is dropped.
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Source {
        let mut text = text.into();
        if text.starts_with('\u{feff}') {
            text.remove(0);
        }
        Source { name: name.into(), text, first_line: 1 }
    }

    /// Lines taken from the middle of a file, the first of which has the number `first_line` there. It serves to
    /// [render](Problem::render) a [`Problem`] about a file that is too large to be held: offsets count from the
    /// start of the excerpt.
    ///
    /// ```
    /// use firedrill_yaml::{Place, Problem, Source};
    ///
    /// let line = Source::excerpt("pool.jsonl", "nonsense", 70_000);
    /// let problem = Problem::new("this is not JSON").at(Place { line: 70_000, column: 1, start: 0, end: 8 });
    /// assert!(problem.render(Some(&line), false).contains("70000 | nonsense"));
    /// ```
    pub fn excerpt(name: impl Into<String>, text: impl Into<String>, first_line: usize) -> Source {
        Source { name: name.into(), text: text.into(), first_line }
    }

    /// Reads the file at `path`, which becomes its name. Never takes more than [`Source::LIMIT`] bytes
    /// into memory, whatever the file system says of the size.
    ///
    /// # Errors
    /// A [`Problem`] if there is no file to read, if it is too large, if it is not UTF-8 (with the place
    /// of the first bad byte), or if it holds NUL bytes.
    pub fn read(path: &Path) -> Result<Source, Problem> {
        let name = path.display().to_string();
        match read_text(path) {
            Ok(text) => Ok(Source::new(name, text)),
            Err(problem) => Err(problem.in_file(name)),
        }
    }

    /// The name shown to people.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The text, without a byte order mark.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The number of the first line of the text in its file; 1 but for an [excerpt](Source::excerpt).
    pub(crate) fn first_line(&self) -> usize {
        self.first_line
    }

    /// The one YAML document in the text, as a `T`.
    ///
    /// `expected` is what should be in the file, with its article ("a scenario"), for whoever left it
    /// empty. Anchors and aliases work; merge keys (`<<`), unquoted numbers where text is wanted, and
    /// booleans other than `true` and `false` do not. A JSON file reads as the YAML that it is. At most 32 levels, 100000 values, 256 aliases and
    /// 10000 values repeated by aliases are read.
    ///
    /// # Errors
    /// The first [`Problem`] in the file.
    pub fn parse<T: DeserializeOwned>(&self, expected: &str) -> Result<T, Problem> {
        parse::yaml(self, expected).map_err(|problem| problem.in_file(&self.name))
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source").field("name", &self.name).finish_non_exhaustive()
    }
}

fn read_text(path: &Path) -> Result<String, Problem> {
    let metadata = std::fs::metadata(path).map_err(|error| unreadable(&error))?;
    if metadata.is_dir() {
        return Err(Problem::new("expected a file, found a directory"));
    }
    if metadata.len() > Source::LIMIT {
        return Err(too_large());
    }
    let mut bytes = Vec::new();
    // A pipe or a growing file may hold more than its size says: one byte past the limit tells.
    File::open(path)
        .and_then(|file| file.take(Source::LIMIT + 1).read_to_end(&mut bytes))
        .map_err(|error| unreadable(&error))?;
    if bytes.len() as u64 > Source::LIMIT {
        return Err(too_large());
    }
    let text = String::from_utf8(bytes).map_err(|error| not_utf8(&error))?;
    match text.find('\0') {
        Some(at) => Err(control(&text, at)),
        None => Ok(text),
    }
}

fn unreadable(error: &std::io::Error) -> Problem {
    match error.kind() {
        ErrorKind::NotFound => Problem::new("no such file"),
        ErrorKind::PermissionDenied => Problem::new("no permission to read this file"),
        kind => Problem::new(format!("cannot read this file: {kind}")),
    }
}

pub(crate) fn too_large() -> Problem {
    Problem::new("the file is larger than 1 MiB").hint("split it into several files")
}

fn not_utf8(error: &std::string::FromUtf8Error) -> Problem {
    let good = error.utf8_error().valid_up_to();
    let bad = error.as_bytes().get(good).copied().unwrap_or_default();
    let before = String::from_utf8_lossy(&error.as_bytes()[..good]);
    Problem::new(format!("expected UTF-8 text, found the byte 0x{bad:02x}"))
        .at(Place::in_text(&before, good, good))
        .hint("save the file as UTF-8")
}

/// The problem with the control character at the byte `at`; all of them are one byte long.
pub(crate) fn control(text: &str, at: usize) -> Problem {
    let message = match text.as_bytes().get(at) {
        Some(0) | None => "expected text, found a NUL byte".to_owned(),
        Some(byte) => format!("expected text, found the control character 0x{byte:02x}"),
    };
    Problem::new(message).at(Place::in_text(text, at, at + 1))
}
