//! Reads a log back, line by line, and tells it as a story: what happened at each append, and the state it left.
//!
//! A log may be larger than memory: one line at a time is held, and the fold. What is wrong with a line is told as it
//! is for any other file, with the line under it; everything before that line stands.

use std::io::{BufRead, Read};

use firedrill_failover::wire::{self, FORMAT, Reader, WireError, WireFault};
use firedrill_failover::{Contradiction, Entry, Event, Fingerprint, Instant, Pool, Version, WorkerId};
use firedrill_yaml::{Damage, Place, Problem, Source};
use serde::de::IgnoredAny;

use crate::target::PoolState;

/// Up to where a log is told.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub enum Until {
    /// To its end.
    #[default]
    End,
    /// Up to this moment, inclusive.
    At(Instant),
    /// Up to this version, inclusive. A log that ends before it is an error.
    Version(Version),
}

/// A log being read. Ask it for [`Replay::next_append`] until there is none; [`Replay::state`] is then the last.
#[derive(Debug)]
pub struct Replay<R> {
    input: R,
    name: String,
    until: Until,
    reader: Reader,
    /// The fold of what was told: the reader's own is half changed when a line turns out to be wrong.
    told: Option<Pool>,
    buffer: Vec<u8>,
    /// The number of the line in the buffer, from 1; 0 before the first.
    line: usize,
    over: bool,
}

/// An append, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replayed {
    /// The version that it made.
    pub version: Version,
    /// When.
    pub at: Instant,
    /// By which worker.
    pub by: WorkerId,
    /// What happened, in order; at least one event.
    pub events: Vec<ReplayedEvent>,
}

/// An event, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplayedEvent {
    /// Its name in the wire form.
    pub name: &'static str,
    /// The label of the token it is about, if it is about one.
    pub token: Option<String>,
    /// What happened, as a sentence.
    pub sentence: String,
}

/// A line, and whether it is the last.
enum Line {
    Whole { last: bool },
    TooLong,
    End,
}

impl<R: BufRead> Replay<R> {
    /// The log that `input` holds, called `name`.
    pub fn new(name: impl Into<String>, input: R, until: Until) -> Self {
        Self {
            input,
            name: name.into(),
            until,
            reader: Reader::new(),
            told: None,
            buffer: Vec::new(),
            line: 0,
            over: false,
        }
    }

    /// The fingerprint of the pool; `None` before the first append was read.
    pub fn fingerprint(&self) -> Option<Fingerprint> {
        self.reader.fingerprint()
    }

    /// The version of the last append that was told.
    pub fn version(&self) -> Version {
        self.told.as_ref().map_or(Version::EMPTY, Pool::version)
    }

    /// The state after the last append that was told; `None` before the first.
    pub fn state(&self) -> Option<PoolState> {
        self.told.as_ref().map(PoolState::of)
    }

    /// The next append; `None` at the end, be it that of the log or the one that was asked for.
    ///
    /// # Errors
    /// Where the log goes wrong. Nothing comes after it.
    pub fn next_append(&mut self) -> Result<Option<Replayed>, Damage> {
        if self.over || self.until == Until::Version(self.version()) {
            return Ok(None);
        }
        let next = self.read_append();
        self.over = !matches!(next, Ok(Some(_)));
        next
    }

    fn read_append(&mut self) -> Result<Option<Replayed>, Damage> {
        loop {
            let last = match self.read_line()? {
                Line::Whole { last } => last,
                Line::TooLong => return Err(self.too_long()),
                Line::End => return self.end(),
            };
            let text = std::str::from_utf8(&self.buffer).map_err(|error| self.not_utf8(error, last))?;
            let read = self.reader.read(text).map_err(|error| self.wrong(text, &error, last))?;
            match (read, self.until) {
                (wire::Line::Header, _) => {}
                (wire::Line::Snapshot, _) => return self.begin().map(Some),
                (wire::Line::Append(entry), Until::At(end)) if entry.at > end => return Ok(None),
                (wire::Line::Append(entry), _) => return Ok(Some(self.tell(&entry))),
            }
        }
    }

    /// Puts the next line into the buffer, without its end.
    fn read_line(&mut self) -> Result<Line, Damage> {
        let unreadable = |name: &str, error: &std::io::Error| {
            let problem = match error.kind() {
                std::io::ErrorKind::IsADirectory => Problem::new("expected a log, found a folder"),
                _ => Problem::new(format!("cannot read this file: {error}")),
            };
            Damage { problem: problem.in_file(name), excerpt: None }
        };
        self.buffer.clear();
        let longest = wire::longest(self.line + 1);
        (&mut self.input)
            .take(longest as u64 + 1)
            .read_until(b'\n', &mut self.buffer)
            .map_err(|error| unreadable(&self.name, &error))?;
        if self.buffer.is_empty() {
            return Ok(Line::End);
        }
        self.line += 1;
        if self.buffer.last() == Some(&b'\n') {
            self.buffer.pop();
        } else if self.buffer.len() > longest {
            return Ok(Line::TooLong);
        }
        if self.line == 1 && self.buffer.starts_with("\u{feff}".as_bytes()) {
            self.buffer.drain(.."\u{feff}".len());
        }
        let rest = self.input.fill_buf().map_err(|error| unreadable(&self.name, &error))?;
        Ok(Line::Whole { last: rest.is_empty() })
    }

    /// The snapshot that the log begins with, told as the append that it stands for.
    fn begin(&mut self) -> Result<Replayed, Damage> {
        let fold = self.reader.fold().expect("broken invariant: a snapshot is the fold of what was read");
        let (head, pool) = (fold.head(), fold.pool().clone());
        let (version, at) = (head.version, pool.clock());
        let gone = match self.until {
            Until::Version(wanted) if wanted < version => Some(format!("there is no version {wanted}")),
            Until::At(end) if end < at => Some(format!("there is nothing at {end}")),
            _ => None,
        };
        if let Some(gone) = gone {
            let problem =
                Problem::new(format!("{gone}: the log begins with a snapshot of version {version}, at {at}"))
                    .hint("what led to a snapshot is not in its log");
            return Err(Damage { problem: problem.in_file(&self.name), excerpt: None });
        }
        let (tokens, available) = (pool.len(), pool.available_len());
        let plural = if tokens == 1 { "" } else { "s" };
        let sentence = format!("snapshot: {tokens} token{plural}, {available} available");
        self.told = Some(pool);
        Ok(Replayed {
            version,
            at,
            by: head.by,
            events: vec![ReplayedEvent { name: "snapshot", token: None, sentence }],
        })
    }

    /// What `entry` says, which is then folded: it was found to follow.
    fn tell(&mut self, entry: &Entry) -> Replayed {
        let founding = entry.events.iter().find_map(|event| match event {
            Event::Configured(configured) => Some(&configured.config),
            _ => None,
        });
        let Entry { version, at, by, .. } = *entry;
        let mut events = Vec::with_capacity(entry.events.len());
        if self.told.is_none() {
            self.told = founding.map(Pool::new);
        }
        if let Some(pool) = &mut self.told {
            events.extend(entry.events.iter().map(|event| ReplayedEvent {
                name: event.name(),
                token: event.token().and_then(|id| pool.token(id)).map(|token| token.label.to_owned()),
                sentence: event.sentence(pool, at).to_string(),
            }));
            pool.apply(entry);
        }
        Replayed { version, at, by, events }
    }

    fn end(&self) -> Result<Option<Replayed>, Damage> {
        let problem = match self.until {
            _ if self.line == 0 => Problem::new("expected a log, found an empty file").hint(WHENCE),
            Until::Version(wanted) => {
                let hint = "`--version` counts appends, from 1";
                Problem::new(format!("there is no version {wanted}: the log ends at {}", self.version()))
                    .hint(hint)
            }
            Until::End | Until::At(_) => return Ok(None),
        };
        Err(Damage { problem: problem.in_file(&self.name), excerpt: None })
    }

    fn too_long(&self) -> Damage {
        let most = wire::longest(self.line) >> 20;
        let message = format!("this line is longer than {most} MiB, so it is no append");
        let problem = Problem::new(message).hint(self.whole_so_far());
        let place = Place { line: self.line, column: 1, start: 0, end: 0 };
        Damage { problem: problem.in_file(&self.name).at(place), excerpt: None }
    }

    fn not_utf8(&self, error: std::str::Utf8Error, last: bool) -> Damage {
        let good = error.valid_up_to();
        let text = String::from_utf8_lossy(&self.buffer);
        if last && error.error_len().is_none() {
            // The tear went through a character.
            return self.damage(Problem::new(TORN).hint(self.take_it_off()), &text, good);
        }
        let bad = self.buffer.get(good).copied().unwrap_or_default();
        let problem = Problem::new(format!("expected UTF-8 text, found the byte 0x{bad:02x}"));
        self.damage(problem.hint(self.remedy(last)), &text, good)
    }

    fn wrong(&self, text: &str, error: &WireError, last: bool) -> Damage {
        let WireError { column, fault } = error;
        let remedy = || self.remedy(last);
        let problem = match fault {
            WireFault::Torn | WireFault::Form(_) if text.trim().is_empty() => {
                Problem::new("expected an append, found an empty line").hint(remedy())
            }
            WireFault::Torn if last => Problem::new(TORN).hint(self.take_it_off()),
            WireFault::Torn => Problem::new("this line ends too early").hint(remedy()),
            WireFault::Form(_) if serde_json::from_str::<IgnoredAny>(text).is_err() => {
                Problem::new("this is not JSON").hint(remedy())
            }
            WireFault::Form(said) => Problem::new(format!("this is no append: {said}")).hint(remedy()),
            WireFault::Format(found) if *found > FORMAT => {
                Problem::new(fault.to_string()).hint("a newer firedrill wrote it, and reads it")
            }
            WireFault::NoHeader | WireFault::Format(_) => Problem::new(fault.to_string()).hint(WHENCE),
            WireFault::UnknownToken(_) | WireFault::Check | WireFault::Snapshot(_) => {
                Problem::new(fault.to_string()).hint(remedy())
            }
            WireFault::Config(_) => {
                Problem::new(format!("this cannot be configured: {fault}")).hint(remedy())
            }
            WireFault::Contradiction(contradiction) => {
                let before = self.version();
                Problem::new(format!("this does not follow from version {before}: {contradiction}"))
                    .hint(format!("the log was damaged, edited or mixed with another; {}", remedy()))
            }
        };
        let value_of = |key: &str| text.find(key).map(|at| at + key.len());
        let at = match fault {
            WireFault::Torn => Some(text.len()),
            WireFault::Contradiction(Contradiction::Version { .. }) => value_of("\"version\":"),
            WireFault::Contradiction(Contradiction::Time { .. }) => value_of("\"at\":"),
            _ => None,
        };
        let at = at.unwrap_or(column.saturating_sub(1));
        self.damage(problem, text, at)
    }

    /// The problem at the byte `at` of the line, which is `text`.
    fn damage(&self, problem: Problem, text: &str, at: usize) -> Damage {
        let at = (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        let column = text[..at].chars().count() + 1;
        // One character, or the line as a whole.
        let width = if at == 0 { 0 } else { text[at..].chars().next().map_or(0, char::len_utf8) };
        let place = Place { line: self.line, column, start: at, end: at + width };
        Damage {
            problem: problem.in_file(&self.name).at(place),
            excerpt: Some(Source::excerpt(&self.name, text, self.line)),
        }
    }

    fn remedy(&self, last: bool) -> String {
        if last { self.take_it_off() } else { self.whole_so_far() }
    }

    fn whole_so_far(&self) -> String {
        match self.version() {
            Version::EMPTY => "nothing before it can be used: have the log from its source again".to_owned(),
            version => format!("everything up to version {version} is whole"),
        }
    }

    fn take_it_off(&self) -> String {
        match self.version() {
            Version::EMPTY => self.whole_so_far(),
            _ => format!("{}: take the last line off", self.whole_so_far()),
        }
    }
}

const TORN: &str = "the last line ends too early";

/// Where logs come from, for who gave something else.
const WHENCE: &str = "`firedrill run --log DIR` writes logs";

#[cfg(test)]
mod tests {
    use firedrill_failover::wire::with_check;

    use super::*;
    use crate::{History, Scenario, run_on_engine};

    fn history() -> History {
        let text = "
scenario: a token leaves and returns
provider:
  apiTokens: [sk-a, sk-b]
  failover: { enabled: true, failureThreshold: 1, cooldownDuration: 100 }
upstream: { sk-a: [429] }
steps: [request: { draws: sk-a }, advance: 10s]
";
        let scenario = Scenario::parse(&Source::new("s.yaml", text)).expect("a good scenario");
        run_on_engine(&scenario, None).history
    }

    fn log() -> Vec<String> {
        history().wire
    }

    /// Replays `bytes`: the sentences, the version at the end, and what is wrong in one line.
    fn replay(bytes: &[u8], until: Until) -> (Vec<String>, u64, Option<String>) {
        let mut replay = Replay::new("log", bytes, until);
        let mut sentences = Vec::new();
        let problem = loop {
            match replay.next_append() {
                Ok(Some(append)) => sentences.extend(append.events.into_iter().map(|event| event.sentence)),
                Ok(None) => break None,
                Err(damage) => break Some(damage.problem.to_string()),
            }
        };
        assert!(matches!(replay.next_append(), Ok(None)), "nothing comes after the end");
        assert_eq!(replay.state().map_or(0, |state| state.version.appends()), replay.version().appends());
        (sentences, replay.version().appends(), problem)
    }

    #[track_caller]
    fn check_wrong(bytes: &[u8], version: u64, expect: &str) {
        let (_, found, problem) = replay(bytes, Until::End);
        assert_eq!((found, problem.as_deref()), (version, Some(expect)));
    }

    #[test]
    fn a_log_is_told_as_the_run_told_it() {
        let History { wire, moments } = history();
        let (sentences, version, problem) = replay(wire.join("\n").as_bytes(), Until::End);
        assert_eq!((version, problem), (3, None));
        let told: Vec<String> = moments.into_iter().map(|moment| moment.sentence).collect();
        assert_eq!(sentences, told);
    }

    #[test]
    fn it_stops_where_it_was_asked_to() {
        let text = log().join("\n");
        let version = |until| {
            let (_, version, problem) = replay(text.as_bytes(), until);
            assert_eq!(problem, None);
            version
        };
        assert_eq!(version(Until::Version(Version::new(2))), 2);
        assert_eq!(version(Until::At(Instant::ZERO)), 2);
        assert_eq!(version(Until::At(Instant::from_millis(4_999))), 2);
        assert_eq!(version(Until::At(Instant::from_millis(5_000))), 3);
        let (_, end, problem) = replay(text.as_bytes(), Until::Version(Version::new(9)));
        let expect = "log: there is no version 9: the log ends at 3 (`--version` counts appends, from 1)";
        assert_eq!((end, problem.as_deref()), (3, Some(expect)));
    }

    #[test]
    fn every_way_of_cutting_a_log_short_is_told_and_costs_one_append_at_most() {
        let text = log().join("\n");
        for cut in 1..text.len() {
            let whole = text[..cut].matches('\n').count().saturating_sub(1) as u64;
            let (_, version, problem) = replay(&text.as_bytes()[..cut], Until::End);
            let at_an_end = text.as_bytes()[cut] == b'\n' || text.as_bytes()[cut - 1] == b'\n';
            assert_eq!(problem.is_none(), at_an_end, "cut at {cut}");
            assert!(version == whole || at_an_end && version == whole + 1, "cut at {cut}");
        }
    }

    #[test]
    fn a_log_with_checks_is_told_as_one_without_and_every_check_counts() {
        let plain = log();
        let checked: Vec<String> = plain.iter().map(|line| with_check(line)).collect();
        let told = |lines: &[String]| replay(lines.join("\n").as_bytes(), Until::End);
        assert_eq!(told(&checked), told(&plain));
        let wrong = |index: usize, line: String| {
            let mut lines = checked.clone();
            lines[index] = line;
            let (_, version, problem) = told(&lines);
            (version, problem.unwrap_or_default())
        };
        let is = "this line is not what was written: its `check` is wrong or missing";
        let whole = "(everything up to version 1 is whole)";
        let (edited, edited_at) = (checked[2].replace("429", "500"), plain[2].len() + 10);
        assert_eq!(wrong(2, edited), (1, format!("log:3:{edited_at}: {is} {whole}")));
        let bare_at = plain[2].len() + 1;
        assert_eq!(wrong(2, plain[2].clone()), (1, format!("log:3:{bare_at}: {is} {whole}")));
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place_and_what_is_left() {
        let lines = log();
        let (header, first, second, third) = (&lines[0], &lines[1], &lines[2], &lines[3]);
        check_wrong(
            b"",
            0,
            "log: expected a log, found an empty file (`firedrill run --log DIR` writes logs)",
        );
        check_wrong(
            first.as_bytes(),
            0,
            "log:1:1: expected the header of a log, such as `{\"firedrill_log\":1,\"pool\":\"…\"}` \
             (`firedrill run --log DIR` writes logs)",
        );
        check_wrong(
            header.replace(":1,", ":2,").as_bytes(),
            0,
            "log:1:1: expected a log of format 1, found format 2 (a newer firedrill wrote it, and reads it)",
        );
        check_wrong(
            format!("{header}\n{first}\n{}", &second[..30]).as_bytes(),
            1,
            "log:3:31: the last line ends too early (everything up to version 1 is whole: take the last line \
             off)",
        );
        check_wrong(
            format!("{header}\n{first}\n{}\n{third}\n", &second[..30]).as_bytes(),
            1,
            "log:3:31: this line ends too early (everything up to version 1 is whole)",
        );
        check_wrong(
            format!("{header}\n{first}\nnonsense\n{second}\n").as_bytes(),
            1,
            "log:3:2: this is not JSON (everything up to version 1 is whole)",
        );
        check_wrong(
            format!("{header}\n{first}\n{}\n{third}\n", second.replace("429", "42")).as_bytes(),
            1,
            "log:3:88: this is no append: expected a status from 100 to 999, found 42 (everything up to version 1 is \
             whole)",
        );
        check_wrong(
            format!("{header}\n{first}\n\n{second}\n").as_bytes(),
            1,
            "log:3:1: expected an append, found an empty line (everything up to version 1 is whole)",
        );
        check_wrong(
            format!("{header}\n{first}\n{third}\n").as_bytes(),
            1,
            "log:3:12: this does not follow from version 1: expected version 2, found 3 (the log was damaged, \
             edited or mixed with another; everything up to version 1 is whole: take the last line off)",
        );
        check_wrong(
            format!("{header}\n{first}\n{}\n{third}\n", second.replace("sk-a", "sk-x")).as_bytes(),
            1,
            "log:3:51: the token `sk-x` is not configured here (everything up to version 1 is whole)",
        );
        let bytes = format!("{header}\n{first}\n").into_bytes();
        check_wrong(
            &[&bytes[..], b"{\"version\":\xff}\n{}\n"].concat(),
            1,
            "log:3:12: expected UTF-8 text, found the byte 0xff (everything up to version 1 is whole)",
        );
        check_wrong(
            &[&bytes[..], &vec![b' '; wire::LONGEST_LINE + 1]].concat(),
            1,
            "log:3:1: this line is longer than 16 MiB, so it is no append (everything up to version 1 is whole)",
        );
    }
}
