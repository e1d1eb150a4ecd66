//! Opening a log's file: the lock, every line read and checked, and a torn last line taken off.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::Path;

use firedrill_failover::wire::{self, Line, Reader, WireError, WireFault};
use firedrill_failover::{Fingerprint, Version};
use firedrill_yaml::{Damage, Place, Problem, Source};

use super::Fsync;
use crate::known::Held;
use crate::store::StoreError;

/// What was found in the file.
pub(super) struct Found {
    pub(super) held: Held,
    /// How many bytes of it are whole lines.
    pub(super) length: u64,
    pub(super) torn: Option<Damage>,
}

/// The locked file, positioned at its end, which is the end of its last whole line.
pub(super) fn open(
    path: &Path,
    name: &str,
    pool: Fingerprint,
    fsync: Fsync,
) -> Result<(File, Found), StoreError> {
    let opened = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path);
    let mut file = opened.map_err(|error| StoreError::io(name, "open", error))?;
    let kind = file.metadata().map_err(|error| StoreError::io(name, "open", error))?;
    if !kind.is_file() {
        // To read a pipe to its end would take for ever.
        let error = io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file");
        return Err(StoreError::io(name, "keep a log in", error));
    }
    file.try_lock().map_err(|error| match error {
        TryLockError::WouldBlock => StoreError::Locked { file: name.to_owned() },
        TryLockError::Error(error) => StoreError::io(name, "lock", error),
    })?;
    let mut scan = Scan::new(name, pool);
    scan.lines(BufReader::new(&file))?;
    let Scan { header, held, length, torn, mend, .. } = scan;
    let mut found = Found { held, length, torn };
    mend_end(&mut file, &mut found, mend, &header).map_err(|error| StoreError::io(name, "write", error))?;
    if fsync != Fsync::Never {
        // Also what an earlier process wrote may still be on its way, and is about to be told.
        let synced = file.sync_all().and_then(|()| sync_folder(path));
        synced.map_err(|error| StoreError::io(name, "sync", error))?;
    }
    Ok((file, found))
}

/// What the end of the file needs.
#[derive(Copy, Clone, PartialEq, Eq)]
enum Mend {
    Nothing,
    /// The last line lacks only its line feed.
    LineFeed,
    /// There is not even a header.
    Header,
}

fn mend_end(file: &mut File, found: &mut Found, mend: Mend, header: &str) -> io::Result<()> {
    if found.torn.is_some() {
        file.set_len(found.length)?;
    }
    file.seek(SeekFrom::Start(found.length))?;
    let missing = match mend {
        Mend::Nothing => return Ok(()),
        Mend::LineFeed => "\n".to_owned(),
        Mend::Header => format!("{header}\n"),
    };
    file.write_all(missing.as_bytes())?;
    found.length += missing.len() as u64;
    Ok(())
}

/// Makes a file that is new findable after a crash of the machine.
#[cfg(unix)]
fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

/// A folder is no file here, and what it holds is synced with it.
#[cfg(not(unix))]
fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

/// A log's file, read up to some line.
struct Scan<'a> {
    name: &'a str,
    header: String,
    reader: Reader,
    held: Held,
    length: u64,
    torn: Option<Damage>,
    mend: Mend,
    /// The number of the line being read, from 1.
    line: usize,
}

impl<'a> Scan<'a> {
    fn new(name: &'a str, pool: Fingerprint) -> Self {
        Self {
            name,
            header: wire::with_check(&wire::header(pool)),
            reader: Reader::new(),
            held: Held::default(),
            length: 0,
            torn: None,
            mend: Mend::Header,
            line: 0,
        }
    }

    fn lines(&mut self, mut input: impl BufRead) -> Result<(), StoreError> {
        let mut buffer = Vec::new();
        loop {
            buffer.clear();
            let longest = wire::longest(self.line + 1);
            let taken = input.by_ref().take(longest as u64 + 1).read_until(b'\n', &mut buffer);
            let taken = taken.map_err(|error| StoreError::io(self.name, "read", error))?;
            if taken == 0 {
                return Ok(());
            }
            self.line += 1;
            let ended = buffer.pop_if(|last| *last == b'\n').is_some();
            let read = if buffer.len() > longest {
                let message = format!("this line is longer than {} MiB, so it is no append", longest >> 20);
                Err(Wrong { at: 0, message, torn: false })
            } else if self.line == 1 {
                self.read_header(&buffer, ended)
            } else {
                self.read_append(&buffer)
            };
            match read {
                Ok(()) => {}
                Err(wrong) if wrong.torn && !ended => {
                    let problem = Problem::warning("the last line was torn by a crash and is dropped");
                    self.torn = Some(self.damage(problem, &buffer, wrong.at));
                    return Ok(());
                }
                Err(wrong) => {
                    let problem = Problem::new(&wrong.message);
                    return Err(StoreError::Damaged(Box::new(self.damage(problem, &buffer, wrong.at))));
                }
            }
            self.length += taken as u64;
            self.mend = if ended { Mend::Nothing } else { Mend::LineFeed };
        }
    }

    /// Without an end it is taken for a torn header only if it is the start of the one that belongs here: else it is a
    /// file of somebody else's, and not ours to cut.
    fn read_header(&mut self, bytes: &[u8], ended: bool) -> Result<(), Wrong> {
        if !ended && self.header.as_bytes().starts_with(bytes) {
            return Err(Wrong { at: bytes.len(), message: String::new(), torn: true });
        }
        let whole = |wrong| Wrong { torn: false, ..wrong };
        self.read_line(bytes).map_err(whole)?;
        if bytes == self.header.as_bytes() {
            return Ok(());
        }
        let mut expected = Reader::new();
        let _ = expected.read(&self.header);
        let message = match (self.reader.fingerprint(), expected.fingerprint()) {
            (Some(found), Some(expected)) if found != expected => {
                format!("expected the log of the pool {expected}, found that of the pool {found}")
            }
            _ => "expected a log with a `check` in every line".to_owned(),
        };
        Err(Wrong { at: 0, message, torn: false })
    }

    fn read_append(&mut self, bytes: &[u8]) -> Result<(), Wrong> {
        match self.read_line(bytes)? {
            Line::Header => {}
            Line::Snapshot => self.held = Held::from(self.reader.fold().cloned()),
            Line::Append(entry) => {
                let whole = |error: StoreError| Wrong { at: 0, message: error.to_string(), torn: false };
                self.held.admit(entry).map_err(whole)?;
            }
        }
        Ok(())
    }

    fn read_line(&mut self, bytes: &[u8]) -> Result<Line, Wrong> {
        let text = std::str::from_utf8(bytes).map_err(|error| {
            let at = error.valid_up_to();
            let byte = bytes.get(at).copied().unwrap_or_default();
            let message = format!("expected UTF-8 text, found the byte 0x{byte:02x}");
            Wrong { at, message, torn: true }
        })?;
        self.reader.read(text).map_err(|WireError { column, fault }| {
            // Whatever the check has passed was written so, and no crash explains it.
            let torn = matches!(fault, WireFault::Torn | WireFault::Form(_) | WireFault::Check);
            let message = match &fault {
                WireFault::Form(said) => format!("this is no append: {said}"),
                _ => fault.to_string(),
            };
            Wrong { at: column.saturating_sub(1), message, torn }
        })
    }

    fn damage(&self, problem: Problem, bytes: &[u8], at: usize) -> Damage {
        let text = String::from_utf8_lossy(bytes);
        let at = (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        let column = text[..at].chars().count() + 1;
        let width = text[at..].chars().next().map_or(0, char::len_utf8);
        let place = Place { line: self.line, column, start: at, end: at + width };
        Damage {
            problem: problem.in_file(self.name).at(place).hint(self.left()),
            excerpt: Some(Source::excerpt(self.name, text, self.line)),
        }
    }

    fn left(&self) -> String {
        match self.held.head().version {
            Version::EMPTY => "nothing is before it".to_owned(),
            version => format!("everything up to version {version} is whole"),
        }
    }
}

/// What is wrong with a line.
struct Wrong {
    /// The byte at which.
    at: usize,
    message: String,
    /// Whether a crash in the middle of its writing could have left it so.
    torn: bool,
}
