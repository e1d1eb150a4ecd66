//! `firedrill replay`: folds an event log and tells what happened. It reads line by line, so that a log may be larger
//! than memory. As JSON:
//!
//! ```json
//! { "log": "a.jsonl",
//!   "timeline": [
//!     { "version": 2, "at": 0, "by": 1, "events": [
//!       { "event": "removed", "token": "sk-a", "sentence": "…" } ] } ],
//!   "pool": "b7f2a17268e81b79",
//!   "state": { "version": 3, "available": ["sk-b"], "unavailable": ["sk-a"], … },
//!   "problem": null }
//! ```
//!
//! `pool` and `state` are null if the log goes wrong before them; `problem` is where it does.

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

use firedrill_failover::{Instant, Version};
use firedrill_scenario::{PoolState, Replay, Replayed, Until};
use firedrill_yaml::{Damage, Problem, presentable};
use serde::ser::{SerializeSeq, SerializeStruct};
use serde::{Serialize, Serializer};

use crate::args::{Format, TEMPLATE, span};
use crate::exit::{Ended, Error};
use crate::json::{self, masked, masked_state};
use crate::lines::{BOLD, DIM};
use crate::out::Out;
use crate::text::{columns, shown, wrap};

/// Tell what an event log says happened
#[derive(Debug, clap::Args)]
#[command(help_template = TEMPLATE, before_help = "\
Prints every append with its time, version and worker, then the state at the \
end. A log that goes wrong is told up to there, and the exit code is 2. An append \
may be 16 MiB long, a snapshot 128, a log as long as it likes.")]
#[command(after_help = "\
Examples:
  firedrill run scenarios/start --log logs
  firedrill replay logs/scenarios/start/cooldown.yaml.jsonl
  firedrill replay pool.jsonl --at 12s     as it was 12 s after the start
  tail -c +1 pool.jsonl | firedrill replay - --format json")]
pub(crate) struct Args {
    /// The log, in JSON lines; `-` is standard input
    #[arg(value_name = "LOG")]
    log: PathBuf,

    /// Up to this time of the log, such as 12s, 1m 30s or 2026-11-23T10:00:00Z
    #[arg(long, value_name = "TIME", value_parser = moment, conflicts_with = "version")]
    at: Option<Instant>,

    /// Up to this version of the log
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    version: Option<u64>,

    /// How to print it: human (default), json
    #[arg(long, default_value = "human", hide_possible_values = true, hide_default_value = true)]
    format: Format,
}

type Input = Box<dyn BufRead>;

pub(crate) fn replay(args: &Args, out: &mut Out) -> Result<Ended, Error> {
    let (name, input) = open(&args.log)?;
    let until = match (args.at, args.version) {
        (Some(at), _) => Until::At(at),
        (None, Some(version)) => Until::Version(Version::new(version)),
        (None, None) => Until::End,
    };
    let replay = Replay::new(&name, input, until);
    let damage = match args.format {
        Format::Human => tell(replay, until, out),
        Format::Json => document(name, replay, out),
    };
    Ok(match damage {
        None => Ended::Well,
        Some(damage) => {
            let rendered = damage.render(out.color_of_problems());
            out.complain(&rendered);
            Ended::CouldNotRun
        }
    })
}

fn open(path: &Path) -> Result<(String, Input), Problem> {
    if path == Path::new("-") {
        return Ok(("standard input".to_owned(), Box::new(io::stdin().lock())));
    }
    let name = shown(path);
    match File::open(path) {
        Ok(file) => Ok((name, Box::new(BufReader::with_capacity(1 << 16, file)))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(Problem::new("no such file").in_file(name).hint("`firedrill run --log DIR` writes logs"))
        }
        Err(error) => Err(Problem::new(format!("cannot read this file: {error}")).in_file(name)),
    }
}

/// Reads `--at`: a date, or a time since the log's epoch in the words that a scenario uses for it.
fn moment(text: &str) -> Result<Instant, String> {
    if let Ok(date) = text.parse::<jiff::Timestamp>() {
        let millis = u64::try_from(date.as_millisecond());
        return millis.map(Instant::from_millis).map_err(|_| "expected a date after 1970".to_owned());
    }
    span(text).map(|span| Instant::ZERO + span)
}

/// Prints the story, and gives what is wrong with it.
fn tell(mut replay: Replay<Input>, until: Until, out: &mut Out) -> Option<Damage> {
    let mut columns = Columns::default();
    let damage = loop {
        match replay.next_append() {
            Ok(Some(append)) => columns.print(out, &append),
            Ok(None) => break None,
            Err(damage) => break Some(damage),
        }
        if out.is_closed() {
            return None;
        }
    };
    let Some(state) = replay.state() else {
        if damage.is_none() {
            out.line("nothing had happened");
        }
        return damage;
    };
    let heading = match until {
        _ if damage.is_some() => "before it goes wrong:".to_owned(),
        Until::At(at) => format!("at {at}:"),
        Until::Version(version) => format!("at version {version}:"),
        Until::End => "at the end:".to_owned(),
    };
    let heading = out.paint(BOLD, &heading);
    out.paragraph(heading);
    for line in state.lines() {
        out.line(format_args!("  {}", presentable(&line)));
    }
    if damage.is_some() && out.width().is_some() {
        // What is wrong follows, on the same terminal.
        out.line("");
    }
    damage
}

/// How wide the columns have become: nobody knows what the rest of a log holds.
#[derive(Default)]
struct Columns {
    time: usize,
    version: usize,
    worker: usize,
}

impl Columns {
    /// `   5s  v3    worker 1  cooldown recovery: …`; the further events of an append stand below its first.
    fn print(&mut self, out: &mut Out, append: &Replayed) {
        let Replayed { version, at, by, events } = append;
        let (time, version, worker) = (at.to_string(), format!("v{version}"), format!("worker {by}"));
        self.time = self.time.max(time.len()).max(6);
        self.version = self.version.max(version.len()).max(4);
        self.worker = self.worker.max(worker.len());
        let (wide, v, w) = (self.time, self.version, self.worker);
        let mut prefix = format!("{time:>wide$}  {version:<v$}  {worker:<w$}  ");
        for event in events {
            let indent = columns(&prefix);
            // The lines of a terminal are broken between words, those of a pipe not at all.
            let width = out.width().map_or(usize::MAX, |width| width.saturating_sub(indent).max(30));
            for line in wrap(&presentable(&event.sentence), width) {
                let start = out.paint(DIM, &prefix);
                out.line(format_args!("{start}{line}"));
                prefix = " ".repeat(indent);
            }
        }
    }
}

/// Prints the story as a document, written while it is read, and gives what is wrong with it.
fn document(name: String, replay: Replay<Input>, out: &mut Out) -> Option<Damage> {
    let document = Document { log: name, replay: RefCell::new(replay), damage: RefCell::default() };
    json::print(out, &document);
    document.damage.into_inner()
}

struct Document {
    log: String,
    replay: RefCell<Replay<Input>>,
    damage: RefCell<Option<Damage>>,
}

/// The timeline of a document, which is read as it is written.
struct Timeline<'a>(&'a Document);

#[derive(Serialize)]
struct AppendJson {
    version: Version,
    at: Instant,
    by: u64,
    events: Vec<EventJson>,
}

#[derive(Serialize)]
struct EventJson {
    event: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
    sentence: String,
}

impl Serialize for Document {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut document = serializer.serialize_struct("Document", 5)?;
        document.serialize_field("log", &self.log)?;
        document.serialize_field("timeline", &Timeline(self))?;
        let (replay, damage) = (self.replay.borrow(), self.damage.borrow());
        document.serialize_field("pool", &replay.fingerprint())?;
        let state: Option<PoolState> = replay.state().map(masked_state);
        document.serialize_field("state", &state)?;
        document.serialize_field("problem", &damage.as_ref().map(|damage| &damage.problem))?;
        document.end()
    }
}

impl Serialize for Timeline<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(Document { replay, damage, .. }) = self;
        let mut timeline = serializer.serialize_seq(None)?;
        loop {
            match replay.borrow_mut().next_append() {
                Ok(Some(append)) => timeline.serialize_element(&told(append))?,
                Ok(None) => break,
                Err(found) => {
                    damage.replace(Some(found));
                    break;
                }
            }
        }
        timeline.end()
    }
}

fn told(append: Replayed) -> AppendJson {
    let Replayed { version, at, by, events } = append;
    let events = events.into_iter().map(|event| EventJson {
        event: event.name,
        token: event.token.as_deref().map(masked),
        sentence: masked(&event.sentence),
    });
    AppendJson { version, at, by: by.number(), events: events.collect() }
}
