//! The protocol of a worker with the log: propose, and be accepted or refused with what is newer.
//!
//! A worker has its own fold of the log and shares nothing else. [`Worker::propose`] decides a command on that fold
//! and gives the append to send. The answer comes back by [`Worker::accepted`] or [`Worker::refused`]; a refusal
//! catches up, decides the same command again on the newer state, and gives the next append to send, until one is
//! accepted or there is nothing left to do. There is no limit of tries: every refusal means that another worker got
//! on, and nothing is ever given up.
//!
//! Two things can befall the log itself. It is **away**: nothing is answered, and the worker decides alone for a while
//! ([`Worker::decide_alone`]). Or it was **wiped or cut**: then it is behind the worker, which founds it anew from its fold
//! ([`Worker::found_anew`]); a worker that finds another log than it has heard goes on with that one, and what it had
//! appended to the one that is gone is to be proposed again ([`Worker::take_lost`]).
//!
//! **Architecture invariant:** no I/O, no waiting and no lock is here, so that a simulator can drive every
//! interleaving. [`Worker::perform`] is the loop for a log that answers at once.

mod clock;
mod former;
mod proposed;

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::mem;

use crate::config::Config;
use crate::decide::Command;
use crate::event::{Entry, Event, Head, Version, WorkerId};
use crate::fold::Fold;
use crate::log::{Append, Appended, Founding, Log, Newer, Start};
use crate::pool::Pool;
use crate::time::{Duration, Instant};

use clock::Clock;
use former::Former;
use proposed::{Numbered, Proposed};

/// As many commands go into one append at most.
pub const MOST_TOGETHER: usize = 1024;

/// One worker: its fold of the log, and what it has in flight.
#[derive(Clone, Debug)]
pub struct Worker {
    id: WorkerId,
    fold: Fold,
    clock: Clock,
    proposals: u64,
    in_flight: Option<InFlight>,
    proposed: Proposed,
    former: Former,
    /// What it takes the state to be while it decides alone.
    ahead: Option<Box<Pool>>,
}

#[derive(Clone, Debug)]
enum InFlight {
    Append(Append),
    Founding(Founding),
}

/// What came of a command whose append was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// Decided again on the newer state: send this.
    Again(Append),
    /// On the newer state there is nothing to append. The command is done, or is among [`Worker::take_lost`].
    NothingLeft,
    /// The append is in the log: it had been accepted and the reply was lost. The command is done.
    WasAccepted(Entry),
}

impl Worker {
    /// A worker that has not joined the log yet, made when the wall clock says `wall`. It can select from `config`'s
    /// tokens at once; to take part it performs [`Command::Join`] first. Ids of before joining are good no longer after.
    pub fn new(id: WorkerId, wall: Instant, config: &Config) -> Self {
        Self {
            id,
            fold: Fold::new(config),
            clock: Clock::new(wall),
            proposals: 0,
            in_flight: None,
            proposed: Proposed::default(),
            former: Former::default(),
            ahead: None,
        }
    }

    /// Its id.
    pub fn id(&self) -> WorkerId {
        self.id
    }

    /// The pool as the log has it, up to what this worker has heard.
    pub fn pool(&self) -> &Pool {
        self.fold.pool()
    }

    /// Its fold of the log, up to what it has heard.
    pub fn fold(&self) -> &Fold {
        &self.fold
    }

    /// The newest append that it has heard: what a store is read and tailed after.
    pub fn head(&self) -> Head {
        self.fold.head()
    }

    /// The pool to select from: as the log has it, or, while the worker decides alone, as it would be had the log
    /// accepted that.
    pub fn serving(&self) -> &Pool {
        self.ahead.as_deref().unwrap_or(self.fold.pool())
    }

    /// What the log's time is at an `uptime`, as this worker reads it. [`Pool::next_deadline`] is in this time.
    pub fn time(&self, uptime: Duration) -> Instant {
        let mut clock = self.clock.clone();
        clock.observe(uptime);
        clock.reading()
    }

    /// Whether something is in flight.
    pub fn is_waiting(&self) -> bool {
        self.in_flight.is_some()
    }

    /// The append in flight, to be sent again when nobody knows what came of it.
    pub fn in_flight(&self) -> Option<&Append> {
        match &self.in_flight {
            Some(InFlight::Append(append)) => Some(append),
            _ => None,
        }
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
        self.observe_to_propose(uptime);
        self.decide_one(command)
    }

    /// As [`Worker::propose`], with as many of `waiting` in one append as may go together: from the front, up to
    /// [`MOST_TOGETHER`], and a configuration alone. Takes those off, and those that change nothing. They are decided one
    /// on the other, and accepted or decided again together. `None` if nothing is left to append, nor to wait.
    ///
    /// # Panics
    /// As [`Worker::propose`].
    pub fn propose_together(&mut self, uptime: Duration, waiting: &mut VecDeque<Command>) -> Option<Append> {
        self.observe_to_propose(uptime);
        while let Some(first) = waiting.front() {
            let together = if is_configuration(first) {
                1
            } else {
                let most = waiting.len().min(MOST_TOGETHER);
                waiting.iter().take(most).take_while(|command| !is_configuration(command)).count()
            };
            let commands: Vec<Numbered> = waiting
                .drain(..together)
                .filter_map(|command| Some(Numbered { number: self.proposed.number(&command)?, command }))
                .collect();
            if let Some(append) = self.decide(commands) {
                return Some(append);
            }
        }
        None
    }

    /// The append in flight was accepted: folds it and gives it back. The shell now does what it says (it sends a probe
    /// for every [`crate::Event::ProbeSent`]).
    ///
    /// # Panics
    /// If no append is in flight, or entries that are newer were caught up with: then it cannot have been accepted.
    pub fn accepted(&mut self) -> Entry {
        let Some(InFlight::Append(append)) = self.in_flight.take() else {
            panic!("broken invariant: an append that is not in flight was accepted");
        };
        let entry = append.into_entry();
        self.end_alone();
        self.follow(&entry);
        self.clock.heard_all();
        self.proposed.accepted(entry.proposal);
        entry
    }

    /// What is in flight was refused, because `newer` is in the log: catches up and decides again.
    ///
    /// # Panics
    /// If nothing is in flight, or `newer` is empty or does not follow on what was heard.
    pub fn refused(&mut self, newer: &Newer) -> Refused {
        assert!(!newer.is_empty(), "broken invariant: an append is refused because of something newer");
        let Some(sent) = self.in_flight.take() else {
            panic!("broken invariant: an append that is not in flight was refused");
        };
        let another = self.hear(newer);
        match sent {
            InFlight::Append(append) if self.fold.proposal_of(self.id) >= append.proposal => {
                self.proposed.accepted(append.proposal);
                let own = newer
                    .entries
                    .iter()
                    .find(|entry| entry.by == self.id && entry.proposal == append.proposal);
                Refused::WasAccepted(own.cloned().unwrap_or_else(|| append.into_entry()))
            }
            InFlight::Append(_) if !another => {
                let commands = self.proposed.take_back();
                self.decide(commands).map_or(Refused::NothingLeft, Refused::Again)
            }
            InFlight::Append(_) => Refused::NothingLeft,
            InFlight::Founding(_) => {
                self.proposed.adopt(self.fold.proposal_of(self.id));
                Refused::NothingLeft
            }
        }
    }

    /// Folds what other workers appended. Not while something is in flight: its answer tells what is newer.
    ///
    /// # Panics
    /// If something is in flight, or `newer` does not follow on what this worker has heard.
    pub fn catch_up(&mut self, newer: &Newer) {
        assert!(self.in_flight.is_none(), "broken invariant: the answer to an append tells what is newer");
        self.hear(newer);
    }

    /// The append in flight is refused for good: nothing is in flight any more. Gives its commands, which are not done.
    pub fn withdraw(&mut self) -> Vec<Command> {
        if self.in_flight.take().is_none() {
            return Vec::new();
        }
        self.proposed.take_back().into_iter().map(|numbered| numbered.command).collect()
    }

    /// The log is behind this worker: it was wiped or cut, and `over` is left of it. Gives the proposal to found it anew
    /// from this worker's fold, which is in flight from now on; an append that was in flight is so no longer, and its
    /// commands are to be proposed again. `uptime` as for [`Worker::propose`].
    ///
    /// The answer comes by [`Worker::founded`], or by [`Worker::refused`] if another worker was first.
    ///
    /// # Panics
    /// If this worker has heard nothing: a broken invariant, no log is behind it.
    pub fn found_anew(&mut self, uptime: Duration, over: Head) -> Founding {
        assert!(
            self.head() > Head::EMPTY,
            "broken invariant: no log is behind a worker that has heard nothing"
        );
        self.clock.observe(uptime);
        self.proposals += 1;
        let fold = self.fold.founded_anew(self.clock.reading(), self.id, self.proposals);
        // An append that was in flight is remembered as any other: it may yet turn up in the log of another worker.
        self.proposed.add(self.proposals, Vec::new());
        let founding = Founding { over, fold: Arc::new(fold) };
        self.in_flight = Some(InFlight::Founding(founding.clone()));
        founding
    }

    /// The log was founded anew as this worker proposed. What was in flight before is among [`Worker::take_lost`].
    ///
    /// # Panics
    /// If no such proposal is in flight.
    pub fn founded(&mut self) {
        let Some(InFlight::Founding(founding)) = self.in_flight.take() else {
            panic!("broken invariant: a log was founded anew without a proposal");
        };
        self.end_alone();
        self.fold = Arc::unwrap_or_clone(founding.fold);
        self.clock.follow(self.fold.pool().clock());
        self.proposed.adopt(self.fold.proposal_of(self.id));
    }

    /// Commands of this worker that were settled, or in flight, in a log that is gone, oldest first: propose them again.
    /// Empty but after [`Worker::founded`], or when another log was heard. The last thousand or so of them are remembered, and
    /// those of the last 64 appends, however many they are.
    /// One that turns up in a log after all is known when it is proposed, and nothing comes of it.
    pub fn take_lost(&mut self) -> Vec<Command> {
        self.proposed.take_lost()
    }

    /// Which commands [`Worker::take_lost`] would give: the how-manieth each is of those that this worker proposed, from 1,
    /// counted when it was proposed first.
    pub fn lost(&self) -> Vec<u64> {
        self.proposed.lost()
    }

    /// What it remembers of its proposals, in numbers: two workers that were told the same commands and differ in what will
    /// come of a log that is lost give other numbers. For an explorer, to tell states apart.
    pub fn remembered(&self) -> Vec<u64> {
        self.proposed.numbers()
    }

    /// While the log cannot be reached: decides `command` as if the log accepted whatever this worker decides, and serves
    /// from that ([`Worker::serving`]). Tells whether it changed anything: then the command is to be proposed when the log
    /// is back, and decided again on what the log then is. With the next answer of the log this ends.
    ///
    /// No probe is sent: that needs a lease, and a lease needs the log.
    pub fn decide_alone(&mut self, uptime: Duration, command: &Command) -> bool {
        self.decide_alone_and_tell(uptime, command, |_, _| ())
    }

    /// As [`Worker::decide_alone`], and has `tell` told each entry that it takes to be accepted, with the pool before it: first
    /// the append in flight, if the log was asked for one when it went away. None of them is in the log, and their versions are
    /// what they would be there if nobody else appended anything.
    pub fn decide_alone_and_tell(
        &mut self,
        uptime: Duration,
        command: &Command,
        mut tell: impl FnMut(&Pool, &Entry),
    ) -> bool {
        self.clock.observe(uptime);
        let at = self.clock.reading();
        let ahead = self.ahead.get_or_insert_with(|| {
            let mut pool = self.fold.pool().clone();
            if let Some(InFlight::Append(append)) = &self.in_flight {
                let entry = append.clone().into_entry();
                tell(&pool, &entry);
                pool.apply(&entry);
            }
            Box::new(pool)
        });
        let mut command = command.clone();
        self.former.rename(&mut command, ahead);
        let mut events = ahead.decide(self.id, at, &command);
        events.retain(|event| !matches!(event, Event::LeaseTaken { .. } | Event::ProbeSent { .. }));
        if events.is_empty() {
            return false;
        }
        let version = ahead.version().next();
        let entry = Entry { version, at, by: self.id, proposal: 0, events: events.into() };
        tell(ahead, &entry);
        ahead.apply_as(&entry);
        true
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
        while let Some(append) = self.in_flight() {
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

    fn observe_to_propose(&mut self, uptime: Duration) {
        assert!(self.in_flight.is_none(), "broken invariant: a worker has one append in flight at a time");
        self.clock.observe(uptime);
    }

    /// As [`Worker::decide`], without a list where there is nothing to append.
    fn decide_one(&mut self, mut command: Command) -> Option<Append> {
        let number = self.proposed.number(&command)?;
        let at = self.clock.reading();
        self.former.rename(&mut command, self.pool());
        let events = self.pool().decide(self.id, at, &command);
        if events.is_empty() {
            self.proposed.done(number);
            return None;
        }
        Some(self.send(at, vec![Numbered { number, command }], events))
    }

    /// Decides commands one on the other. Those that change nothing on what was heard are done. Those that change nothing
    /// after others of this append are so only if it is accepted, and are decided again with it if not.
    fn decide(&mut self, commands: Vec<Numbered>) -> Option<Append> {
        let at = self.clock.reading();
        let version = self.pool().version().next();
        // The pool with what was decided so far, from the second command on that needs it.
        let mut ahead: Option<Pool> = None;
        let mut events = Vec::new();
        let mut unfolded = 0;
        let mut together = Vec::with_capacity(commands.len());
        for mut numbered in commands {
            if unfolded < events.len() {
                let ahead = ahead.get_or_insert_with(|| self.fold.pool().clone());
                let decided: &[Event] = &events[unfolded..];
                ahead.apply_as(&Entry { version, at, by: self.id, proposal: 0, events: decided.into() });
                unfolded = events.len();
            }
            let pool = ahead.as_ref().unwrap_or(self.fold.pool());
            self.former.rename(&mut numbered.command, pool);
            let decided = pool.decide(self.id, at, &numbered.command);
            if events.is_empty() && decided.is_empty() {
                self.proposed.done(numbered.number);
            } else {
                events.extend(decided);
                together.push(numbered);
            }
        }
        if events.is_empty() { None } else { Some(self.send(at, together, events)) }
    }

    fn send(&mut self, at: Instant, commands: Vec<Numbered>, events: Vec<Event>) -> Append {
        self.proposals += 1;
        let append = Append {
            expected: self.head(),
            at,
            by: self.id,
            proposal: self.proposals,
            events: Box::from(events),
        };
        self.proposed.add(self.proposals, commands);
        self.in_flight = Some(InFlight::Append(append.clone()));
        append
    }

    /// Folds what is newer. Tells whether it is of another log than was heard.
    fn hear(&mut self, newer: &Newer) -> bool {
        self.end_alone();
        let before = match &newer.start {
            Start::Here => None,
            Start::Beginning => {
                let founding =
                    newer.entries.iter().flat_map(|entry| &entry.events).find_map(|event| match event {
                        Event::Configured(configured) => Some(Fold::new(&configured.config)),
                        _ => None,
                    });
                Some(founding.expect("broken invariant: a log begins with a configuration"))
            }
            Start::Snapshot(fold) => Some((**fold).clone()),
        };
        let heard = before.map(|before| mem::replace(&mut self.fold, before));
        for entry in &newer.entries {
            self.follow(entry);
        }
        self.clock.follow(self.pool().clock());
        self.clock.heard_all();
        let Some(heard) = heard else { return false };
        if heard.head() == Head::EMPTY {
            // It joins.
            return false;
        }
        self.former.leave(heard.pool(), self.fold.pool());
        // What is not in this log was in one that is gone.
        self.proposed.adopt(self.fold.proposal_of(self.id));
        true
    }

    fn follow(&mut self, entry: &Entry) {
        self.fold.apply(entry);
        self.clock.follow(entry.at);
    }

    /// The log has answered: what was decided alone is to be decided again.
    fn end_alone(&mut self) {
        if let Some(ahead) = self.ahead.take()
            && ahead.version() > Version::EMPTY
        {
            self.former.leave(&ahead, self.fold.pool());
        }
    }
}

fn is_configuration(command: &Command) -> bool {
    matches!(command, Command::Join(_) | Command::Reconfigure(_))
}
