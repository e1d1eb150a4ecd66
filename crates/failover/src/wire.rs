//! The log as text: JSON lines, one append a line, readable by a person. `docs/log-format.md` describes it.
//!
//! The first line names the format's version and the pool. Tokens are named by their labels; what a label stands for
//! changes with every `configured` event, so a log is read from its start, and a [`Reader`] folds it while it reads:
//! a line that does not follow from the lines before it is refused, with its place. A log whose header has a `check` has
//! one in every line.

mod check;
mod snapshot;

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::admit::Contradiction;
use crate::config::{Config, Policy, Token};
use crate::event::{Configured, Entry, Event, RestoredBy, Version, WorkerId};
use crate::fingerprint::Fingerprint;
use crate::fold::Fold;
use crate::pool::Pool;
use crate::roster::TokenId;
use crate::status::Status;
use crate::time::Instant;

use self::check::Check;
pub use self::check::with_check;
pub use self::snapshot::snapshot_line;

/// The version of the format that this crate writes, and the only one that it reads.
pub const FORMAT: u64 = 1;

/// A longer line than this is no append, in bytes: 16 MiB.
pub const LONGEST_LINE: usize = 16 << 20;

/// A longer line than this is no snapshot, in bytes: 128 MiB. Whatever an append can configure has room in it, with all that is
/// known of its tokens.
pub const LONGEST_SNAPSHOT: usize = 8 * LONGEST_LINE;

/// How long the line with this number may be, from 1, in bytes without its end: the second may be a snapshot.
pub fn longest(line: usize) -> usize {
    if line == 2 { LONGEST_SNAPSHOT } else { LONGEST_LINE }
}

/// The first line of a log of the pool with this fingerprint, without the line's end.
pub fn header(pool: Fingerprint) -> String {
    to_json(&HeaderLine { firedrill_log: FORMAT, pool, check: None })
}

/// An append as a line, without the line's end. `before` is the pool that it was, or is about to be, applied to.
///
/// # Panics
/// If an event names a token that is not configured in `before`: then the entry does not follow on it.
pub fn line(before: &Pool, entry: &Entry) -> String {
    let events = entry.events.iter().map(|event| event_line(before, event)).collect();
    let Entry { version, at, by, proposal, .. } = *entry;
    to_json(&EntryLine::<'_, EventLine<'_>> { version, at, by, proposal, events, check: None })
}

fn to_json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("broken invariant: a log line is plain data")
}

/// Reads a log line by line, folding it as it goes.
#[derive(Clone, Debug, Default)]
pub struct Reader {
    header: Option<Fingerprint>,
    /// Whether the header has a check: then every line has.
    checked: bool,
    fold: Option<Fold>,
    labels: BTreeMap<Box<str>, TokenId>,
}

/// What a line of a log says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// Whose log it is.
    Header,
    /// What came of the appends that no longer stand in it: [`Reader::fold`] is that now.
    Snapshot,
    /// An append.
    Append(Entry),
}

impl Reader {
    /// A reader at the start of a log.
    pub fn new() -> Self {
        Self::default()
    }

    /// A reader behind the header of the log of `pool`, for lines that each have a check: one that goes on from `fold`, or
    /// reads from the start.
    pub fn after(pool: Fingerprint, fold: Option<&Fold>) -> Self {
        let labels = fold.map(|fold| labels(fold.pool())).unwrap_or_default();
        Self { header: Some(pool), checked: true, fold: fold.cloned(), labels }
    }

    /// Reads the next line. A snapshot stands directly after the header, or nowhere.
    ///
    /// # Errors
    /// What is wrong with the line and where. The reader is good for no further line.
    pub fn read(&mut self, line: &str) -> Result<Line, WireError> {
        if self.header.is_none() {
            let HeaderLine { pool, check, .. } = read_header(line)?;
            self.checked = check.is_some();
            self.verify(line, check.as_ref())?;
            self.header = Some(pool);
            return Ok(Line::Header);
        }
        if self.fold.is_none() && snapshot::is_snapshot(line) {
            let parsed = snapshot::parsed(line)?;
            self.verify(line, parsed.check.as_ref())?;
            let fold = parsed.into_fold().map_err(|fault| WireError { column: 1, fault })?;
            self.labels = labels(fold.pool());
            self.fold = Some(fold);
            return Ok(Line::Snapshot);
        }
        let parsed: EntryLine<'_, &RawValue> = parse(line).map_err(|error| self.misplaced(line, error))?;
        self.verify(line, parsed.check.as_ref())?;
        let columns: Vec<usize> = parsed.events.iter().map(|event| column_of(line, event.get())).collect();
        let place = |event: usize| columns.get(event).copied().unwrap_or(1);
        let mut events = Vec::with_capacity(parsed.events.len());
        for (index, event) in parsed.events.iter().enumerate() {
            let event: EventLine<'_> = parse(event.get())
                .map_err(|error| WireError { column: error.column + place(index) - 1, ..error })?;
            let event = self.event(event).map_err(|fault| WireError { column: place(index), fault })?;
            events.push(event);
        }
        let EntryLine { version, at, by, proposal, .. } = parsed;
        let entry = Entry { version, at, by, proposal, events: events.into() };
        self.follow(&entry).map_err(|(event, contradiction)| WireError {
            column: place(event),
            fault: WireFault::Contradiction(contradiction),
        })?;
        Ok(Line::Append(entry))
    }

    /// What to say of a line that is no append, if it is a snapshot at the wrong place.
    fn misplaced(&self, line: &str, error: WireError) -> WireError {
        if self.fold.is_some() && snapshot::is_snapshot(line) {
            WireError { column: 1, fault: WireFault::Snapshot("it stands after appends, or twice".into()) }
        } else {
            error
        }
    }

    /// The fingerprint in the header; `None` before it was read.
    pub fn fingerprint(&self) -> Option<Fingerprint> {
        self.header
    }

    /// The fold of what was read; `None` before the first append or snapshot.
    pub fn fold(&self) -> Option<&Fold> {
        self.fold.as_ref()
    }

    /// Its pool.
    pub fn pool(&self) -> Option<&Pool> {
        self.fold.as_ref().map(Fold::pool)
    }

    fn verify(&self, line: &str, check: Option<&Cow<'_, str>>) -> Result<(), WireError> {
        let wrong = |at: usize| WireError { column: at + 1, fault: WireFault::Check };
        match check {
            Some(_) => check::verify(line).map_err(wrong),
            None if self.checked => Err(wrong(line.len())),
            None => Ok(()),
        }
    }

    fn follow(&mut self, entry: &Entry) -> Result<(), (usize, Contradiction)> {
        let founding = entry.events.iter().find_map(|event| match event {
            Event::Configured(configured) => Some(&configured.config),
            _ => None,
        });
        let fold = match (&mut self.fold, founding) {
            (Some(fold), _) => fold,
            (none, Some(config)) => none.insert(Fold::new(config)),
            (None, None) => return Err((0, Contradiction::NotFounded)),
        };
        fold.try_apply(entry)?;
        if founding.is_some() {
            self.labels = labels(fold.pool());
        }
        Ok(())
    }

    fn event(&self, line: EventLine<'_>) -> Result<Event, WireFault> {
        let token = |label: Cow<'_, str>| {
            self.labels
                .get(&*label)
                .copied()
                .ok_or_else(|| WireFault::UnknownToken(label.into_owned().into()))
        };
        Ok(match line {
            EventLine::Configured { reset, tokens, policy } => {
                let config = Config::from_parts(tokens.into_owned(), policy.into_owned())
                    .map_err(|errors| WireFault::Config(errors.iter().map(ToString::to_string).collect()))?;
                Event::Configured(Box::new(Configured { config, reset }))
            }
            EventLine::Failed { token: label, status, failures } => {
                Event::Failed { token: token(label)?, status, failures }
            }
            EventLine::Removed { token: label, status, failures } => {
                Event::Removed { token: token(label)?, status, failures }
            }
            EventLine::TakenOut { token: label } => Event::TakenOut { token: token(label)? },
            EventLine::NoneAvailable => Event::NoneAvailable,
            EventLine::Succeeded { token: label } => Event::Succeeded { token: token(label)? },
            EventLine::Reset { token: label } => Event::Reset { token: token(label)? },
            EventLine::Restored { token: label, by } => Event::Restored {
                token: token(label)?,
                by: match by {
                    RestoredByLine::Cooldown => RestoredBy::Cooldown,
                    RestoredByLine::HealthCheck { probe } => RestoredBy::HealthCheck { probe },
                    RestoredByLine::Operator => RestoredBy::Operator,
                },
            },
            EventLine::LeaseTaken { until } => Event::LeaseTaken { until },
            EventLine::ProbeSent { token: label, probe } => Event::ProbeSent { token: token(label)?, probe },
            EventLine::ProbePassed { token: label, probe, successes } => {
                Event::ProbePassed { token: token(label)?, probe, successes }
            }
            EventLine::ProbeFailed { token: label, probe, answer, successes } => {
                Event::ProbeFailed { token: token(label)?, probe, answer, successes }
            }
        })
    }
}

/// What is wrong with a line of a log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{fault}")]
pub struct WireError {
    /// Where in the line, in bytes, from 1.
    pub column: usize,
    /// What is wrong there.
    pub fault: WireFault,
}

/// Why a line is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WireFault {
    /// It is not JSON, or not of the form of a log line.
    #[error("{0}")]
    Form(Box<str>),
    /// The line ends too early. Remedy: it was torn; take it off, what stands before it is whole.
    #[error("the line ends too early")]
    Torn,
    /// The line's check is wrong, or missing in a log that has one in every line. Remedy: it was damaged or edited; what
    /// stands before it is whole, the rest is to be had from its source again.
    #[error("this line is not what was written: its `check` is wrong or missing")]
    Check,
    /// The first line is no header.
    #[error("expected the header of a log, such as `{{\"firedrill_log\":1,\"pool\":\"…\"}}`")]
    NoHeader,
    /// The log is of a format that this crate does not know. Remedy: read it with a newer firedrill.
    #[error("expected a log of format {FORMAT}, found format {0}")]
    Format(u64),
    /// A token that is not configured at this point of the log.
    #[error("the token `{0}` is not configured here")]
    UnknownToken(Box<str>),
    /// A configuration that cannot be.
    #[error("{}", .0.join("; "))]
    Config(Vec<String>),
    /// A snapshot that can be of no log. Remedy: have the log from its source again.
    #[error("this snapshot is of no log: {0}")]
    Snapshot(Box<str>),
    /// The line does not follow from the lines before it.
    #[error(transparent)]
    Contradiction(Contradiction),
}

fn read_header(line: &str) -> Result<HeaderLine<'_>, WireError> {
    #[derive(Deserialize)]
    struct Format {
        firedrill_log: u64,
    }
    // The version is read first, on its own: the rest of another version's header may look otherwise.
    let firedrill_log = match serde_json::from_str(line) {
        Ok(Format { firedrill_log }) => firedrill_log,
        Err(error) if error.is_eof() && !line.is_empty() => {
            return Err(WireError { column: error.column().max(1), fault: WireFault::Torn });
        }
        Err(_) => return Err(WireError { column: 1, fault: WireFault::NoHeader }),
    };
    if firedrill_log != FORMAT {
        return Err(WireError { column: 1, fault: WireFault::Format(firedrill_log) });
    }
    parse(line)
}

fn parse<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, WireError> {
    serde_json::from_str(text).map_err(|error| {
        let fault = if error.is_eof() {
            WireFault::Torn
        } else {
            let message = error.to_string();
            // The place is told by the column; the text of the library tells it once more.
            WireFault::Form(message.split(" at line ").next().unwrap_or(&message).into())
        };
        WireError { column: error.column().max(1), fault }
    })
}

/// Each label, and whose it is.
fn labels(pool: &Pool) -> BTreeMap<Box<str>, TokenId> {
    pool.tokens().map(|(id, token)| (token.label.into(), id)).collect()
}

/// The column, from 1, at which `part`, a slice of `line`, begins.
fn column_of(line: &str, part: &str) -> usize {
    (part.as_ptr().addr() - line.as_ptr().addr()) + 1
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct HeaderLine<'a> {
    firedrill_log: u64,
    pool: Fingerprint,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    check: Check<'a>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct EntryLine<'a, E> {
    version: Version,
    at: Instant,
    by: WorkerId,
    proposal: u64,
    events: Vec<E>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    check: Check<'a>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[expect(clippy::large_enum_variant, reason = "one at a time stands on the stack, and most are not kept")]
enum EventLine<'a> {
    Configured {
        reset: bool,
        tokens: Cow<'a, [Token]>,
        policy: Cow<'a, Policy>,
    },
    Failed {
        #[serde(borrow)]
        token: Cow<'a, str>,
        status: Status,
        failures: u32,
    },
    Removed {
        #[serde(borrow)]
        token: Cow<'a, str>,
        status: Status,
        failures: u32,
    },
    TakenOut {
        #[serde(borrow)]
        token: Cow<'a, str>,
    },
    NoneAvailable,
    Succeeded {
        #[serde(borrow)]
        token: Cow<'a, str>,
    },
    Reset {
        #[serde(borrow)]
        token: Cow<'a, str>,
    },
    Restored {
        #[serde(borrow)]
        token: Cow<'a, str>,
        by: RestoredByLine,
    },
    LeaseTaken {
        until: Instant,
    },
    ProbeSent {
        #[serde(borrow)]
        token: Cow<'a, str>,
        probe: u64,
    },
    ProbePassed {
        #[serde(borrow)]
        token: Cow<'a, str>,
        probe: u64,
        successes: u32,
    },
    ProbeFailed {
        #[serde(borrow)]
        token: Cow<'a, str>,
        probe: u64,
        answer: Status,
        successes: u32,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum RestoredByLine {
    Cooldown,
    HealthCheck { probe: u64 },
    Operator,
}

fn event_line<'a>(before: &'a Pool, event: &'a Event) -> EventLine<'a> {
    let token = |id: TokenId| {
        let token = before.roster.token(id);
        Cow::Borrowed(&*token.expect("broken invariant: an event names a token that is not configured").label)
    };
    match *event {
        Event::Configured(ref configured) => EventLine::Configured {
            reset: configured.reset,
            tokens: Cow::Borrowed(configured.config.tokens()),
            policy: Cow::Borrowed(configured.config.policy()),
        },
        Event::Failed { token: id, status, failures } => {
            EventLine::Failed { token: token(id), status, failures }
        }
        Event::Removed { token: id, status, failures } => {
            EventLine::Removed { token: token(id), status, failures }
        }
        Event::TakenOut { token: id } => EventLine::TakenOut { token: token(id) },
        Event::NoneAvailable => EventLine::NoneAvailable,
        Event::Succeeded { token: id } => EventLine::Succeeded { token: token(id) },
        Event::Reset { token: id } => EventLine::Reset { token: token(id) },
        Event::Restored { token: id, by } => EventLine::Restored {
            token: token(id),
            by: match by {
                RestoredBy::Cooldown => RestoredByLine::Cooldown,
                RestoredBy::HealthCheck { probe } => RestoredByLine::HealthCheck { probe },
                RestoredBy::Operator => RestoredByLine::Operator,
            },
        },
        Event::LeaseTaken { until } => EventLine::LeaseTaken { until },
        Event::ProbeSent { token: id, probe } => EventLine::ProbeSent { token: token(id), probe },
        Event::ProbePassed { token: id, probe, successes } => {
            EventLine::ProbePassed { token: token(id), probe, successes }
        }
        Event::ProbeFailed { token: id, probe, answer, successes } => {
            EventLine::ProbeFailed { token: token(id), probe, answer, successes }
        }
    }
}
