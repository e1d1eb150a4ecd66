//! The protocol of a worker with the log: propose, and be accepted or refused with what is newer.
//!
//! A worker has its own fold of the log and shares nothing else. [`Worker::propose`] decides a command on that fold
//! and gives the append to send. The answer comes back by [`Worker::accepted`] or [`Worker::refused`]; a refusal
//! catches up, decides the same command again on the newer state, and gives the next append to send, until one is
//! accepted or there is nothing left to do. There is no limit of tries: every refusal means that another worker got
//! on, and nothing is ever given up.
//!
//! **Architecture invariant:** no I/O, no waiting and no lock is here, so that a simulator can drive every
//! interleaving. [`Worker::perform`] is the loop for a log that answers at once.

use alloc::boxed::Box;

use crate::config::Config;
use crate::decide::Command;
use crate::event::{Entry, WorkerId};
use crate::log::{Append, Appended, Log};
use crate::pool::Pool;
use crate::time::{Duration, Instant};

/// One worker: its fold of the log, and the append it has in flight.
#[derive(Clone, Debug)]
pub struct Worker {
    id: WorkerId,
    pool: Pool,
    clock: Clock,
    proposals: u64,
    in_flight: Option<InFlight>,
}

#[derive(Clone, Debug)]
struct InFlight {
    command: Command,
    append: Append,
}

/// What came of a command whose append was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// Decided again on the newer state: send this.
    Again(Append),
    /// On the newer state there is nothing to append. The command is done.
    NothingLeft,
    /// The append is among the newer entries: it had been accepted and the reply was lost. The command is done.
    WasAccepted(Entry),
}

impl Worker {
    /// A worker that has not joined the log yet. It can select from `config`'s tokens at once; to take part it performs
    /// [`Command::Join`] first.
    pub fn new(id: WorkerId, config: &Config) -> Self {
        Self { id, pool: Pool::new(config), clock: Clock::default(), proposals: 0, in_flight: None }
    }

    /// Its id.
    pub fn id(&self) -> WorkerId {
        self.id
    }

    /// Its fold of the log, up to what it has heard.
    pub fn pool(&self) -> &Pool {
        &self.pool
    }

    /// Whether an append is in flight.
    pub fn is_waiting(&self) -> bool {
        self.in_flight.is_some()
    }

    /// Decides `command` at `now`, by this worker's own clock, and gives the append to send; `None` if there is nothing
    /// to append and the command is done.
    ///
    /// Nothing happens to the fold yet. While an append is in flight another cannot be proposed.
    ///
    /// # Panics
    /// If an append is in flight: a broken invariant of the shell, which must queue commands.
    pub fn propose(&mut self, now: Instant, command: Command) -> Option<Append> {
        assert!(self.in_flight.is_none(), "broken invariant: a worker has one append in flight at a time");
        self.clock.observe(now);
        if let Command::Tick { elapsed } = command {
            self.clock.tick(elapsed);
        }
        self.decide(command)
    }

    /// The append in flight was accepted: folds it and gives it back. The shell now does what it says (it sends a probe
    /// for every [`crate::Event::ProbeSent`]).
    ///
    /// # Panics
    /// If no append is in flight, or entries that are newer were caught up with: then it cannot have been accepted.
    pub fn accepted(&mut self) -> Entry {
        let in_flight =
            self.in_flight.take().expect("broken invariant: an append that is not in flight was accepted");
        let entry = in_flight.append.into_entry();
        self.follow(&entry);
        entry
    }

    /// The append in flight was refused, because `newer` is in the log: catches up and decides again.
    ///
    /// # Panics
    /// If no append is in flight, or `newer` does not follow on the version that the append expected.
    pub fn refused(&mut self, newer: &[Entry]) -> Refused {
        let in_flight =
            self.in_flight.take().expect("broken invariant: an append that is not in flight was refused");
        let mut was_accepted = None;
        for entry in newer {
            self.follow(entry);
            if entry.by == self.id && entry.proposal == in_flight.append.proposal {
                was_accepted = Some(entry.clone());
            }
        }
        match was_accepted {
            Some(entry) => Refused::WasAccepted(entry),
            None => self.decide(in_flight.command).map_or(Refused::NothingLeft, Refused::Again),
        }
    }

    /// Folds entries that other workers appended. Not while an append is in flight: its answer tells what is newer.
    ///
    /// # Panics
    /// If an append is in flight, or the entries do not follow on what this worker has heard.
    pub fn catch_up(&mut self, newer: &[Entry]) {
        assert!(self.in_flight.is_none(), "broken invariant: the answer to an append tells what is newer");
        for entry in newer {
            self.follow(entry);
        }
    }

    /// Proposes `command` to `log` until it is settled, and gives what was appended, if anything was.
    ///
    /// # Errors
    /// If the log could not be reached. Then the append is still in flight, and the log is asked again by
    /// [`Worker::resume`].
    pub fn perform<L: Log>(
        &mut self,
        log: &mut L,
        now: Instant,
        command: Command,
    ) -> Result<Option<Entry>, L::Error> {
        match self.propose(now, command) {
            Some(_) => self.resume(log),
            None => Ok(None),
        }
    }

    /// Sends the append in flight, if there is one, until it is settled, and gives what was appended.
    ///
    /// # Errors
    /// If the log could not be reached. Then the append is still in flight.
    pub fn resume<L: Log>(&mut self, log: &mut L) -> Result<Option<Entry>, L::Error> {
        while let Some(InFlight { append, .. }) = &self.in_flight {
            match log.append(append)? {
                Appended::Accepted => return Ok(Some(self.accepted())),
                Appended::Refused(newer) => match self.refused(&newer) {
                    Refused::Again(_) => {}
                    Refused::NothingLeft => return Ok(None),
                    Refused::WasAccepted(entry) => return Ok(Some(entry)),
                },
            }
        }
        Ok(None)
    }

    fn decide(&mut self, command: Command) -> Option<Append> {
        let at = self.clock.reading();
        let events = self.pool.decide(self.id, at, &command);
        if events.is_empty() {
            return None;
        }
        self.proposals += 1;
        let append = Append {
            expected: self.pool.version(),
            at,
            by: self.id,
            proposal: self.proposals,
            events: Box::from(events),
        };
        self.in_flight = Some(InFlight { command, append: append.clone() });
        Some(append)
    }

    fn follow(&mut self, entry: &Entry) {
        self.pool.apply(entry);
        self.clock.follow(entry.at);
    }
}

/// A worker's reading of the log's time, made from a clock that may step.
///
/// The log's time never runs backwards. When the shell's clock steps back, this one stands still until the next
/// reading and then goes on at the clock's pace, so that no cooldown is shortened or lost. What it missed, at most the
/// time between the last reading before the step and the first one after it, is made up for at the next tick by the
/// timer's word, unless something was appended meanwhile: that would seem older than it is, and a cooldown may be late
/// but never early. An entry of another worker whose clock is ahead moves this one forward.
#[derive(Clone, Debug, Default)]
struct Clock {
    /// What the shell's clock said last; `None` before the first reading.
    last: Option<Instant>,
    /// The log's time then.
    time: Instant,
    /// The log's time at the last tick, if nothing was appended since.
    tick: Option<Instant>,
}

impl Clock {
    fn observe(&mut self, now: Instant) {
        match self.last.replace(now) {
            Some(last) => self.time += now.since(last),
            None => self.time = self.time.max(now),
        }
    }

    /// A tick has come, `elapsed` after the one before.
    fn tick(&mut self, elapsed: Duration) {
        if let Some(before) = self.tick {
            self.time = self.time.max(before + elapsed);
        }
        self.tick = Some(self.time);
    }

    /// Something was appended at `at`.
    fn follow(&mut self, at: Instant) {
        self.time = self.time.max(at);
        self.tick = None;
    }

    fn reading(&self) -> Instant {
        self.time
    }
}
