//! What this process has heard of the log: every line was checked and folded before anyone is told.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use firedrill_failover::wire::{self, LONGEST_LINE, Reader};
use firedrill_failover::{Append, Entry, Fingerprint, Fold, Founding, Head, Newer, Version};

use super::script::{Line, PageStart, name};
use crate::known::{self, Held, Judged, Known};
use crate::store::StoreError;

/// Up to so many a number in a script is exact.
const MOST_APPENDS: u64 = 1 << 53;

/// A log as it was heard.
#[derive(Debug)]
pub(super) struct Mirror {
    pool: Fingerprint,
    /// Where it is at; `None` after a line that does not follow, until the log is heard from its start again. Locked before
    /// what is known.
    reader: Mutex<Option<Reader>>,
    known: Known,
}

/// What came of hearing some lines.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// All of them are known now.
    All,
    /// They follow on something that is not known, or there is another log where this one was.
    Elsewhere,
}

/// What is kept is not what was written there.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Damage {
    pub(super) version: Version,
    pub(super) why: String,
}

impl Mirror {
    pub(super) fn new(pool: Fingerprint) -> Self {
        let reader = Mutex::new(Some(Reader::after(pool, None)));
        Self { pool, reader, known: Known::new(Held::default()) }
    }

    pub(super) fn head(&self) -> Head {
        self.known.lock().head()
    }

    /// Whether it can go on only from the start of the log.
    pub(super) fn is_broken(&self) -> bool {
        self.reader().is_none()
    }

    pub(super) fn read(&self, after: Head) -> Result<Newer, StoreError> {
        self.known.read(after)
    }

    pub(super) fn snapshot(&self) -> Option<Arc<Fold>> {
        self.known.snapshot()
    }

    pub(super) fn judge(&self, append: &Append) -> Result<Judged, StoreError> {
        self.known.judge(append)
    }

    pub(super) fn judge_founding(&self, founding: &Founding) -> Result<Judged, StoreError> {
        self.known.lock().judge_founding(founding)
    }

    /// The line of an append that is next.
    ///
    /// # Errors
    /// If it does not follow, or is too long. `None` if it is next no longer.
    pub(super) fn line(&self, append: &Append) -> Result<Option<Line>, StoreError> {
        let reader = self.reader();
        let fold = reader.as_ref().and_then(Reader::fold);
        if fold.map_or(Head::EMPTY, Fold::head) != append.expected {
            return Ok(None);
        }
        let mut fold = fold.cloned();
        drop(reader);
        let entry = append.clone().into_entry();
        let text = known::checked(&known::line(fold.as_ref(), &entry)?, LONGEST_LINE)?;
        known::follow(&mut fold, &entry)?;
        Ok(Some(Line { head: entry.head(), before: name(append.expected), text }))
    }

    /// Hears `lines`, oldest first, which begin at `start`. Those that are known are passed over.
    ///
    /// # Errors
    /// If a line is not what was written, or does not follow on the one before.
    pub(super) fn hear(&self, start: PageStart, lines: &[Line]) -> Result<Heard, Damage> {
        let mut slot = self.reader();
        self.known.change(|held| {
            let mut reader = match (start, slot.take()) {
                (PageStart::Here, None) => return Ok(Heard::Elsewhere),
                (PageStart::Here, Some(reader)) => reader,
                (PageStart::Beginning, _) => {
                    *held = Held::default();
                    Reader::after(self.pool, None)
                }
                (PageStart::Snapshot(head, line), _) => {
                    let (reader, fold) = self.begin(head, &line)?;
                    *held = Held::from(Some(fold));
                    reader
                }
            };
            for line in lines {
                if line.head.version <= held.head().version {
                    if held.has(line.head) {
                        continue;
                    }
                    *slot = Some(reader);
                    return Ok(Heard::Elsewhere);
                }
                if line.head.version != held.head().version.next() || line.before != name(held.head()) {
                    *slot = Some(reader);
                    return Ok(Heard::Elsewhere);
                }
                let damaged = |why: String| Damage { version: line.head.version, why };
                let entry = read(&mut reader, line).map_err(damaged)?;
                held.admit(entry).map_err(|error| damaged(error.to_string()))?;
            }
            *slot = Some(reader);
            Ok(Heard::All)
        })
    }

    /// What is wrong with `lines`, which are of this log and lead nowhere.
    pub(super) fn hole(&self, lines: &[Line]) -> Damage {
        let head = self.head();
        let found = lines.iter().find(|line| line.head.version > head.version);
        let why = match found {
            Some(line) => format!(
                "expected version {}, decided on `{}`; found version {}, decided on `{}`",
                head.version.next(),
                name(head),
                line.head.version,
                line.before
            ),
            None => format!("expected version {}, found nothing", head.version.next()),
        };
        Damage { version: head.version.next(), why }
    }

    fn begin(&self, head: Head, line: &str) -> Result<(Reader, Fold), Damage> {
        let damaged = |why: String| Damage { version: head.version, why: format!("the snapshot: {why}") };
        if head.version.appends() > MOST_APPENDS {
            return Err(damaged("no log has so many appends".to_owned()));
        }
        let mut reader = Reader::after(self.pool, None);
        match reader.read(line) {
            Ok(wire::Line::Snapshot) => {}
            Ok(_) => return Err(damaged("expected a snapshot, found an append".to_owned())),
            Err(wrong) => return Err(damaged(format!("{wrong}, column {}", wrong.column))),
        }
        match reader.fold().cloned() {
            Some(fold) if fold.head() == head => Ok((reader, fold)),
            _ => Err(damaged(format!("expected one of `{}`, found another", name(head)))),
        }
    }

    fn reader(&self) -> MutexGuard<'_, Option<Reader>> {
        // It is taken out while it reads, so that a panic leaves none.
        self.reader.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The entry of a line that is next.
fn read(reader: &mut Reader, line: &Line) -> Result<Entry, String> {
    if line.text.len() > LONGEST_LINE {
        return Err(format!("this line is longer than {} MiB, so it is no append", LONGEST_LINE >> 20));
    }
    match reader.read(&line.text) {
        Ok(wire::Line::Append(entry)) if entry.head() == line.head => Ok(entry),
        Ok(wire::Line::Append(entry)) => {
            Err(format!("expected the line of `{}`, found that of `{}`", name(line.head), name(entry.head())))
        }
        Ok(_) => Err("expected an append, found a snapshot".to_owned()),
        Err(wrong) => Err(format!("{wrong}, column {}", wrong.column)),
    }
}

#[cfg(test)]
mod tests {
    use firedrill_failover::{
        Attempt, Command, Config, Duration, FailoverSettings, Instant, Settings, Status, Token, Worker,
        WorkerId,
    };

    use super::*;

    const POOL: Fingerprint = Fingerprint::new(1);

    /// The log of a worker that has joined and told of failures, and the worker.
    fn log(id: u64, failures: usize) -> (Vec<Line>, Worker) {
        let failover = FailoverSettings {
            enabled: true,
            failure_threshold: 100,
            cooldown_duration: 9,
            ..FailoverSettings::default()
        };
        let tokens = vec![Token { label: "a".into(), fingerprint: Fingerprint::new(1) }];
        let config =
            Config::parse(tokens, &Settings { failover, ..Settings::default() }).expect("a good one");
        let (mirror, mut worker) =
            (Mirror::new(POOL), Worker::new(WorkerId::new(id), Instant::ZERO, &config));
        let mut lines = Vec::new();
        for count in 0..=failures {
            let failure = || {
                let token = worker.pool().find("a").expect("a token");
                Command::Outcome { token, status: Status::new(500).expect("one"), attempt: Attempt::First }
            };
            let command = if count == 0 { Command::Join(config.clone()) } else { failure() };
            let append = worker.propose(Duration::ZERO, command).expect("something to append");
            let line = mirror.line(&append).expect("follows").expect("is next");
            assert_eq!(mirror.hear(PageStart::Here, std::slice::from_ref(&line)), Ok(Heard::All));
            worker.accepted();
            lines.push(line);
        }
        (lines, worker)
    }

    fn heard(lines: &[Line]) -> Mirror {
        let mirror = Mirror::new(POOL);
        assert_eq!(mirror.hear(PageStart::Here, lines), Ok(Heard::All));
        mirror
    }

    #[test]
    fn lines_that_are_known_are_passed_over_and_those_of_another_log_are_not() {
        let (lines, worker) = log(1, 4);
        let (other, _) = log(2, 4);
        let mirror = heard(&lines[..4]);
        assert_eq!(mirror.hear(PageStart::Here, &lines[1..]), Ok(Heard::All));
        assert_eq!(mirror.head(), worker.head());
        // Also where they end before anything new would tell.
        for foreign in [&other[..], &other[1..3], &other[4..]] {
            assert_eq!(mirror.hear(PageStart::Here, foreign), Ok(Heard::Elsewhere));
            assert_eq!(*mirror.snapshot().expect("a fold"), *worker.fold());
        }
        assert_eq!(mirror.hear(PageStart::Here, &[]), Ok(Heard::All));
    }

    #[test]
    fn a_gap_is_not_heard_over() {
        let (lines, _) = log(1, 4);
        let mirror = heard(&lines[..2]);
        assert_eq!(mirror.hear(PageStart::Here, &lines[3..]), Ok(Heard::Elsewhere));
        assert_eq!(mirror.head(), lines[1].head);
        assert_eq!(mirror.hole(&lines[3..]).version, lines[2].head.version);
    }

    #[test]
    fn after_a_damaged_line_nothing_is_heard_but_the_log_from_its_start() {
        let (lines, worker) = log(1, 4);
        let mirror = heard(&lines[..2]);
        let mut damaged = lines[2].clone();
        damaged.text = damaged.text.replace("500", "501");
        let damage = mirror.hear(PageStart::Here, &[damaged]).expect_err("its check is wrong");
        assert_eq!(damage.version, lines[2].head.version);
        assert!(mirror.is_broken());
        assert_eq!(mirror.hear(PageStart::Here, &lines[2..]), Ok(Heard::Elsewhere));
        assert_eq!(mirror.hear(PageStart::Beginning, &lines), Ok(Heard::All));
        assert!(!mirror.is_broken());
        assert_eq!(*mirror.snapshot().expect("a fold"), *worker.fold());
        // Or from a snapshot.
        let half = heard(&lines[..3]).snapshot().expect("a fold");
        let begin = PageStart::Snapshot(half.head(), wire::with_check(&wire::snapshot_line(&half)));
        assert_eq!(mirror.hear(begin, &lines[3..]), Ok(Heard::All));
        assert_eq!(*mirror.snapshot().expect("a fold"), *worker.fold());
    }
}
