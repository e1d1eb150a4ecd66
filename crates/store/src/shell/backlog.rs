//! What is still to be decided, in bounded memory.
//!
//! Commands are kept as they came, up to a limit. Beyond it the outcomes of a token are summed up: whatever the state is on
//! which they will be decided, what is left leads to the same as all of them would, for a run of failures that reaches the
//! threshold takes the token out, after which its outcomes change nothing, a success forgets the failures before it, and an
//! operator's order makes up for all that was before it.
//!
//! A token is named by its id and its fingerprint, for the id may mean another token, or none, in the log that is decided
//! on in the end.

use std::collections::VecDeque;

use firedrill_failover::{Command, Fingerprint, MOST_TOGETHER, Policy, Pool};
use tokio::sync::oneshot;

use super::summed::Summed;

/// So many commands are kept as they came.
pub(super) const VERBATIM: usize = 8_192;

/// Commands to be decided, oldest first, and who waits for them.
#[derive(Debug)]
pub(super) struct Backlog {
    /// As they came.
    kept: VecDeque<Kept>,
    /// What came after those. At most three: one that is being taken, one that ends with a configuration, and the newest.
    summed: VecDeque<Summed>,
    /// How many commands are in `kept`.
    verbatim: usize,
    /// How many of those are kept at most.
    most: usize,
}

/// Who is told when all that was queued before is settled.
pub(super) type Mark = oneshot::Sender<()>;

#[derive(Debug)]
enum Kept {
    Waiting(Waiting),
    Mark(Mark),
}

/// A command, and what tells its token from others, if it has one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Waiting {
    pub(super) command: Command,
    pub(super) fingerprint: Option<Fingerprint>,
}

/// Commands that are proposed together.
#[derive(Debug, Default)]
pub(super) struct Batch {
    /// Without those of tokens that are no longer known: they change nothing.
    pub(super) commands: VecDeque<Command>,
    /// How many it is of, with those.
    pub(super) taken: usize,
    /// Who is told when these are settled.
    pub(super) marks: Vec<Mark>,
}

impl Batch {
    pub(super) fn is_empty(&self) -> bool {
        self.taken == 0 && self.marks.is_empty()
    }
}

impl Waiting {
    /// `command`, whose token is named as in `pool`. `None` if it is none of its tokens: then it changes nothing.
    pub(super) fn named(command: Command, pool: &Pool) -> Option<Self> {
        let fingerprint = match command.token() {
            Some(token) => Some(pool.token(token)?.fingerprint),
            None => None,
        };
        Some(Self { command, fingerprint })
    }

    /// A command that the worker has proposed before: it knows by itself whose token that is.
    pub(super) fn proposed(command: Command) -> Self {
        Self { command, fingerprint: None }
    }

    /// The command for `pool`, with the id that its token has there. `None` if it has none: then it changes nothing.
    pub(super) fn for_pool(mut self, pool: &Pool) -> Option<Command> {
        if let (Some(token), Some(fingerprint)) = (self.command.token_mut(), self.fingerprint)
            && pool.token(*token).is_none_or(|named| named.fingerprint != fingerprint)
        {
            *token = pool.find_fingerprint(fingerprint)?;
        }
        Some(self.command)
    }

    fn configures(&self) -> bool {
        configures(&self.command)
    }
}

/// Whether it changes which tokens there are.
pub(super) fn configures(command: &Command) -> bool {
    matches!(command, Command::Join(_) | Command::Reconfigure(_))
}

impl Backlog {
    pub(super) fn new() -> Self {
        Self::keeping(VERBATIM)
    }

    fn keeping(most: usize) -> Self {
        Self { kept: VecDeque::new(), summed: VecDeque::new(), verbatim: 0, most }
    }

    /// How many commands it stands for.
    pub(super) fn len(&self) -> usize {
        self.verbatim + self.summed.iter().map(Summed::len).sum::<usize>()
    }

    /// Whether nothing is left, nor anybody who waits.
    pub(super) fn is_empty(&self) -> bool {
        self.kept.is_empty() && self.summed.is_empty()
    }

    /// Adds a command. `policy` tells what a status means.
    pub(super) fn push(&mut self, waiting: Waiting, policy: &Policy) {
        // What is summed up came before.
        let full = self.verbatim >= self.most || !self.summed.is_empty();
        match waiting.command {
            // No more probes are answered than were sent, and none is sent while the store is away.
            Command::ProbeAnswered { .. } => self.keep(waiting),
            _ if !full => self.keep(waiting),
            Command::Join(_) | Command::Reconfigure(_) => {
                self.open().end(waiting.command);
                self.join_ended(policy);
            }
            Command::Tick => self.open().tick(),
            Command::Outcome { token, status, attempt } => {
                if let Some(fingerprint) = waiting.fingerprint {
                    self.open().outcome((fingerprint, token), status, attempt, policy);
                }
            }
            Command::Operate { token, order } => {
                if let Some(fingerprint) = waiting.fingerprint {
                    self.open().order((fingerprint, token), order, policy);
                }
            }
        }
    }

    /// Has `mark` told when all that was pushed before is settled.
    pub(super) fn mark(&mut self, mark: Mark) {
        match self.summed.back_mut() {
            None => self.kept.push_back(Kept::Mark(mark)),
            // Perhaps a little late: when all of this is.
            Some(last) => last.marks.push(mark),
        }
    }

    /// Puts commands before all others, and then `marks`.
    pub(super) fn push_front(&mut self, waiting: Vec<Waiting>, marks: Vec<Mark>) {
        for mark in marks.into_iter().rev() {
            self.kept.push_front(Kept::Mark(mark));
        }
        self.verbatim += waiting.len();
        for waiting in waiting.into_iter().rev() {
            self.kept.push_front(Kept::Waiting(waiting));
        }
    }

    /// Takes the next commands, to be decided on `pool`: `most` or [`MOST_TOGETHER`], and a configuration alone, for it
    /// changes the ids of those after it.
    pub(super) fn take(&mut self, pool: &Pool, most: usize) -> Batch {
        let mut batch = Batch::default();
        while batch.taken < most.min(MOST_TOGETHER) {
            if batch.taken > 0 && self.configures_next() {
                break;
            }
            match self.next() {
                None => break,
                Some(Kept::Mark(mark)) => batch.marks.push(mark),
                Some(Kept::Waiting(waiting)) => {
                    batch.taken += 1;
                    let configures = waiting.configures();
                    batch.commands.extend(waiting.for_pool(pool));
                    if configures {
                        break;
                    }
                }
            }
        }
        // Who waits for no more than these is told with them.
        while let Some(Kept::Mark(mark)) = self.kept.pop_front_if(|next| matches!(next, Kept::Mark(_))) {
            batch.marks.push(mark);
        }
        batch
    }

    /// Everything, oldest first.
    pub(super) fn waiting(&self) -> impl Iterator<Item = Waiting> {
        let kept = self.kept.iter().filter_map(|kept| match kept {
            Kept::Waiting(waiting) => Some(waiting.clone()),
            Kept::Mark(_) => None,
        });
        kept.chain(self.summed.iter().flat_map(Summed::waiting))
    }

    fn keep(&mut self, waiting: Waiting) {
        self.verbatim += 1;
        self.kept.push_back(Kept::Waiting(waiting));
    }

    fn next(&mut self) -> Option<Kept> {
        if let Some(kept) = self.kept.pop_front() {
            self.verbatim -= usize::from(matches!(kept, Kept::Waiting(_)));
            return Some(kept);
        }
        loop {
            let summed = self.summed.front_mut()?;
            if let Some(waiting) = summed.next() {
                return Some(Kept::Waiting(waiting));
            }
            if let Some(mark) = summed.marks.pop() {
                return Some(Kept::Mark(mark));
            }
            self.summed.pop_front();
        }
    }

    fn configures_next(&self) -> bool {
        match (self.kept.front(), self.summed.front()) {
            (Some(Kept::Waiting(waiting)), _) => waiting.configures(),
            (Some(Kept::Mark(_)), _) | (None, None) => false,
            (None, Some(summed)) => summed.ends_next(),
        }
    }

    /// Where the next outcomes are summed up.
    fn open(&mut self) -> &mut Summed {
        if self.summed.back().is_none_or(|last| !last.is_open()) {
            self.summed.push_back(Summed::default());
        }
        self.summed.back_mut().expect("broken invariant: one was pushed")
    }

    /// Of configurations that wait beyond the limit only the newest is kept.
    fn join_ended(&mut self, policy: &Policy) {
        if let [.., before, last] = self.summed.make_contiguous()
            && before.is_ended()
        {
            before.join(std::mem::take(last), policy);
            self.summed.pop_back();
        }
    }
}

#[cfg(test)]
mod tests;
