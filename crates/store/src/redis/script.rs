//! The scripts, and what the server answers to them. What comes from a server is read as what a stranger wrote.

use firedrill_failover::{Head, Version, WorkerId};
use redis::aio::MultiplexedConnection;
use redis::{RedisResult, Script, ScriptInvocation, Value};

use super::settings::Keys;

/// At most so many entries in one answer, and none after the one that fills so many bytes: the server does nothing else
/// while it collects them.
const MOST: usize = 1_000;
const MOST_BYTES: usize = 1 << 20;

macro_rules! script {
    ($file:literal) => {
        Script::new(concat!(include_str!("lua/log.lua"), include_str!($file)))
    };
}

/// One script for each thing that is done on the server: atomic, and one round trip.
#[derive(Debug)]
pub(super) struct Scripts {
    newer: Script,
    append: Script,
    compact: Script,
    found: Script,
    keys: Keys,
}

/// What the server says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// It is in the log.
    Accepted,
    /// It is not, for the log has another head than was said.
    Refused,
    /// The log is behind the head that was asked for.
    Behind(Head),
    /// This is newer.
    Newer(Page),
}

/// A part of what is newer than a head, oldest first.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Page {
    pub(super) start: PageStart,
    /// Of the log. If the last line is not of this, more is to be asked for.
    pub(super) head: Head,
    pub(super) lines: Vec<Line>,
}

/// Where a page begins.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum PageStart {
    /// After the head that was asked for.
    Here,
    /// With the first entry of the log.
    Beginning,
    /// After a snapshot with this line.
    Snapshot(Head, String),
}

/// An entry as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) head: Head,
    /// The name of what it was decided on.
    pub(super) before: String,
    pub(super) text: String,
}

/// An answer, or an entry, of a form that nothing of ours has.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Garbage {
    /// Which part of it.
    pub(super) place: String,
    pub(super) why: String,
}

impl Garbage {
    fn of(why: String) -> Self {
        Self { place: "an answer".to_owned(), why }
    }
}

impl Scripts {
    pub(super) fn new(keys: Keys) -> Self {
        Self {
            newer: script!("lua/newer.lua"),
            append: script!("lua/append.lua"),
            compact: script!("lua/compact.lua"),
            found: script!("lua/found.lua"),
            keys,
        }
    }

    /// What is newer than `after`.
    pub(super) async fn newer(&self, on: &mut MultiplexedConnection, after: Head) -> RedisResult<Value> {
        self.of(&self.newer)
            .arg(after.version.appends())
            .arg(name(after))
            .arg(MOST)
            .arg(MOST_BYTES)
            .invoke_async(on)
            .await
    }

    /// Appends `line`, of the entry with the head `own`, if the log is at `expected`.
    pub(super) async fn append(
        &self,
        on: &mut MultiplexedConnection,
        expected: Head,
        own: Head,
        line: &str,
    ) -> RedisResult<Value> {
        let mut call = self.of(&self.append);
        call.arg(expected.version.appends()).arg(name(expected));
        call.arg(own.version.appends()).arg(name(own)).arg(line).arg(MOST).arg(MOST_BYTES);
        call.invoke_async(on).await
    }

    /// Keeps the snapshot `line` of the fold at `head`, and the `kept` entries before it.
    pub(super) async fn compact(
        &self,
        on: &mut MultiplexedConnection,
        head: Head,
        line: &str,
        kept: u64,
    ) -> RedisResult<Value> {
        let version = head.version.appends();
        let stays = format!("{}-0", version.saturating_sub(kept) + 1);
        self.of(&self.compact).arg(version).arg(name(head)).arg(line).arg(stays).invoke_async(on).await
    }

    /// Begins the log anew with the snapshot `line` of the fold at `head`, if `over` still is its head.
    pub(super) async fn found(
        &self,
        on: &mut MultiplexedConnection,
        over: Head,
        head: Head,
        line: &str,
    ) -> RedisResult<Value> {
        let mut call = self.of(&self.found);
        call.arg(over.version.appends()).arg(name(over));
        call.arg(head.version.appends()).arg(name(head)).arg(line);
        call.invoke_async(on).await
    }

    /// Waits up to `milliseconds` for entries after `after`. Nil if there are none.
    pub(super) async fn wait(
        &self,
        on: &mut MultiplexedConnection,
        after: Version,
        milliseconds: u64,
    ) -> RedisResult<Value> {
        let mut read = redis::cmd("XREAD");
        read.arg("COUNT").arg(MOST).arg("BLOCK").arg(milliseconds);
        read.arg("STREAMS").arg(&self.keys.log).arg(format!("{after}-0")).query_async(on).await
    }

    fn of<'a>(&self, script: &'a Script) -> ScriptInvocation<'a> {
        let mut call = script.prepare_invoke();
        call.key(&self.keys.log).key(&self.keys.snapshot);
        call
    }
}

impl Answer {
    pub(super) fn read(value: Value) -> Result<Self, Garbage> {
        let Value::Array(values) = value else { return Err(strange("an answer", &value)) };
        let mut values = values.into_iter();
        let mut next = || values.next().unwrap_or_default();
        let kind = text(next())?;
        match kind.as_str() {
            "accepted" => return Ok(Self::Accepted),
            "refused" => return Ok(Self::Refused),
            _ => {}
        }
        let of = |place: &str| {
            let place = place.to_owned();
            move |garbage| Garbage { place, ..garbage }
        };
        let head = head_of(&text(next())?, &text(next())?).map_err(of("the newest entry"))?;
        if kind == "behind" {
            return Ok(Self::Behind(head));
        }
        let lines = lines(next())?;
        let start = match kind.as_str() {
            "here" => PageStart::Here,
            "beginning" => PageStart::Beginning,
            "snapshot" => {
                let head = head_of(&text(next())?, &text(next())?).map_err(of("the snapshot"))?;
                PageStart::Snapshot(head, text(next()).map_err(of("the snapshot"))?)
            }
            _ => return Err(Garbage::of(format!("expected an answer, found `{}`", brief(&kind)))),
        };
        Ok(Self::Newer(Page { start, head, lines }))
    }
}

/// What `XREAD` answers, of one stream.
pub(super) fn read_lines(value: Value) -> Result<Vec<Line>, Garbage> {
    let Value::Array(streams) = value else {
        return if value == Value::Nil { Ok(Vec::new()) } else { Err(strange("a list of streams", &value)) };
    };
    let Some(Value::Array(stream)) = streams.into_iter().next() else { return Ok(Vec::new()) };
    lines(stream.into_iter().nth(1).unwrap_or_default())
}

/// How a head's name stands on the server.
pub(super) fn name(head: Head) -> String {
    format!("{}-{}", head.by, head.proposal)
}

fn lines(value: Value) -> Result<Vec<Line>, Garbage> {
    let Value::Array(entries) = value else { return Err(strange("a list of entries", &value)) };
    entries.into_iter().map(line).collect()
}

fn line(value: Value) -> Result<Line, Garbage> {
    let Value::Array(parts) = value else { return Err(strange("an entry", &value)) };
    let mut parts = parts.into_iter();
    let id = text(parts.next().unwrap_or_default())?;
    let of_it = |garbage: Garbage| Garbage { place: format!("the entry {}", brief(&id)), ..garbage };
    let fields = match parts.next() {
        Some(Value::Array(fields)) => fields.into_iter().map(text).collect::<Result<Vec<_>, _>>(),
        other => Err(strange("the fields of an entry", &other.unwrap_or_default())),
    };
    let fields = fields.map_err(of_it)?;
    let mut fields = fields.into_iter();
    let wrong = |why: &str| of_it(Garbage::of(why.to_owned()));
    let mut field = |key: &str| match (fields.next(), fields.next()) {
        (Some(found), Some(value)) if found == key => Ok(value),
        _ => Err(wrong(&format!("expected the fields n, p and e in this order, `{key}` is missing"))),
    };
    let (own, before, text) = (field("n")?, field("p")?, field("e")?);
    if fields.next().is_some() {
        return Err(wrong("expected the fields n, p and e, found more"));
    }
    let version = id.strip_suffix("-0").ok_or_else(|| wrong("expected an id that ends with -0"))?;
    let head = head_of(version, &own).map_err(of_it)?;
    Ok(Line { head, before, text })
}

fn head_of(version: &str, name: &str) -> Result<Head, Garbage> {
    let parsed = name.split_once('-').and_then(|(by, proposal)| {
        let version = Version::new(version.parse().ok()?);
        Some(Head { version, by: WorkerId::new(by.parse().ok()?), proposal: proposal.parse().ok()? })
    });
    parsed.ok_or_else(|| {
        let (version, name) = (brief(version), brief(name));
        Garbage::of(format!("expected a version and a name such as 1-1, found `{version}` and `{name}`"))
    })
}

/// The start of what may be long.
fn brief(text: &str) -> String {
    text.chars().take(40).collect()
}

fn text(value: Value) -> Result<String, Garbage> {
    match value {
        Value::BulkString(bytes) => {
            String::from_utf8(bytes).map_err(|error| Garbage::of(format!("expected UTF-8 text, {error}")))
        }
        Value::SimpleString(text) => Ok(text),
        Value::Int(number) => Ok(number.to_string()),
        other => Err(strange("a text", &other)),
    }
}

/// Only the kind of what was found: it may be long.
fn strange(expected: &str, found: &Value) -> Garbage {
    let found = match found {
        Value::Nil => "nothing",
        Value::Array(_) => "a list",
        Value::Int(_) => "a number",
        Value::BulkString(_) | Value::SimpleString(_) => "a text",
        _ => "something else",
    };
    Garbage::of(format!("expected {expected}, found {found}"))
}
