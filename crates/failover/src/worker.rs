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
    /// A worker that has not joined the log yet, made when the wall clock says `wall`. It can select from `config`'s
    /// tokens at once; to take part it performs [`Command::Join`] first. Ids of before joining are good no longer after.
    pub fn new(id: WorkerId, wall: Instant, config: &Config) -> Self {
        Self { id, pool: Pool::new(config), clock: Clock::new(wall), proposals: 0, in_flight: None }
    }

    /// Its id.
    pub fn id(&self) -> WorkerId {
        self.id
    }

    /// Its fold of the log, up to what it has heard.
    pub fn pool(&self) -> &Pool {
        &self.pool
    }

    /// What the log's time is at an `uptime`, as this worker reads it. [`Pool::next_deadline`] is in this time.
    pub fn time(&self, uptime: Duration) -> Instant {
        let mut clock = self.clock.clone();
        clock.observe(uptime);
        clock.reading()
    }

    /// Whether an append is in flight.
    pub fn is_waiting(&self) -> bool {
        self.in_flight.is_some()
    }

    /// Decides `command`, and gives the append to send; `None` if there is nothing to append and the command is done.
    /// `uptime` is how long ago the worker was made, by a clock that is never set (`std::time::Instant`), read for this
    /// call.
    ///
    /// Nothing happens to the fold yet. While an append is in flight another cannot be proposed.
    ///
    /// The command is judged on what this worker has heard. If it changes nothing there it is done, as if it had come
    /// just before whatever is still to be heard: so a success costs nothing, and a worker should catch up often.
    ///
    /// # Panics
    /// If an append is in flight: a broken invariant of the shell, which must queue commands.
    pub fn propose(&mut self, uptime: Duration, command: Command) -> Option<Append> {
        assert!(self.in_flight.is_none(), "broken invariant: a worker has one append in flight at a time");
        self.clock.observe(uptime);
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
        self.clock.heard_all();
        entry
    }

    /// The append in flight was refused, because `newer` is in the log: catches up and decides again.
    ///
    /// # Panics
    /// If no append is in flight, or `newer` is empty or does not follow on the version that the append expected.
    pub fn refused(&mut self, newer: &[Entry]) -> Refused {
        assert!(!newer.is_empty(), "broken invariant: an append is refused because of something newer");
        let in_flight =
            self.in_flight.take().expect("broken invariant: an append that is not in flight was refused");
        let mut was_accepted = None;
        for entry in newer {
            self.follow(entry);
            if entry.by == self.id && entry.proposal == in_flight.append.proposal {
                was_accepted = Some(entry.clone());
            }
        }
        self.clock.heard_all();
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
        self.clock.heard_all();
    }

    /// Proposes `command` to `log` until it is settled, and gives what was appended, if anything was.
    ///
    /// # Errors
    /// If the log could not be reached. Then the append is still in flight, and the log is asked again by
    /// [`Worker::resume`].
    pub fn perform<L: Log>(
        &mut self,
        log: &mut L,
        uptime: Duration,
        command: Command,
    ) -> Result<Option<Entry>, L::Error> {
        match self.propose(uptime, command) {
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

/// A worker's reading of the log's time.
///
/// It is the wall clock once, when the worker is made, and from then on the worker's own steady clock: a wall clock that
/// is set while the worker runs does not move it, so no cooldown is shortened, lost or late by that. It never runs
/// backwards, also when threads bring their readings out of order, and it is never before anything that was heard.
///
/// Workers compare times of each other only as well as their wall clocks agreed when they were made: a cooldown that
/// another worker began may end early or late by as much as they differ. A worker that is made after the wall clock was
/// set back hears of appends that lie ahead of it when it joins, and moves up to them once, at its next command: a shell
/// performs a tick right after joining.
#[derive(Clone, Debug)]
struct Clock {
    /// The log's time at an uptime of zero.
    start: Instant,
    /// The longest uptime that was read.
    uptime: Duration,
    /// The latest append that was heard of.
    heard: Option<Instant>,
    /// The latest append that was heard of at joining; what comes after it comes in step with this worker's own clock.
    joined: Option<Instant>,
    /// Whether it was moved up to that, if it was needed.
    moved_up: bool,
}

impl Clock {
    fn new(wall: Instant) -> Self {
        Self { start: wall, uptime: Duration::ZERO, heard: None, joined: None, moved_up: false }
    }

    fn observe(&mut self, uptime: Duration) {
        self.uptime = self.uptime.max(uptime);
        // Only once, and only with the first reading after the log was heard: a reading that is older than what was heard
        // would make time run fast.
        if let Some(joined) = self.joined
            && !self.moved_up
        {
            self.start += joined.since(self.start + self.uptime);
            self.moved_up = true;
        }
    }

    fn follow(&mut self, at: Instant) {
        self.heard = self.heard.max(Some(at));
    }

    /// What was heard together ends here.
    fn heard_all(&mut self) {
        self.joined = self.joined.or(self.heard);
    }

    fn reading(&self) -> Instant {
        (self.start + self.uptime).max(self.heard.unwrap_or_default())
    }
}
