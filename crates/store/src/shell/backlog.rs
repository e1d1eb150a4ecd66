//! What is still to be decided, in bounded memory.
//!
//! Commands are kept as they came, up to a limit. Beyond it the outcomes of a token are summed up: whatever the state is on
//! which they will be decided, what is left leads to the same as all of them would, for a run of failures that reaches the
//! threshold takes the token out, after which its outcomes change nothing, and a success forgets the failures before it.

use std::collections::{BTreeMap, VecDeque};

use firedrill_failover::{Attempt, Command, MOST_TOGETHER, Policy, Pool, Status, TokenId};

/// So many commands are kept as they came.
pub(super) const VERBATIM: usize = 8_192;

/// Commands to be decided, oldest first.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    commands: VecDeque<Command>,
    outcomes: BTreeMap<TokenId, Outcomes>,
    /// The token whose outcomes are becoming commands; what comes later is summed up anew.
    unfolding: Option<(TokenId, Outcomes)>,
    /// The newest configuration that came after the limit was reached.
    configuration: Option<Command>,
    tick: bool,
}

/// The outcomes of a token in order: failures, then perhaps a success, then failures.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
struct Outcomes {
    first: Run,
    success: Option<Status>,
    last: Run,
}

/// Consecutive failures; the status is the newest one's.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
struct Run {
    count: u32,
    status: Option<Status>,
}

impl Backlog {
    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many commands it stands for.
    pub(super) fn len(&self) -> usize {
        let unfolding = self.unfolding.as_ref().map(|(_, outcomes)| outcomes);
        let outcomes = self.outcomes.values().chain(unfolding).map(Outcomes::len).sum::<usize>();
        self.commands.len() + outcomes + usize::from(self.configuration.is_some()) + usize::from(self.tick)
    }

    /// Adds a command. `policy` tells what a status means.
    pub(super) fn push(&mut self, command: Command, policy: &Policy) {
        let full = self.commands.len() >= VERBATIM;
        match command {
            Command::Outcome { token, status, attempt } if full => {
                self.sum_up(token, status, attempt, policy);
            }
            Command::Tick if full => self.tick = true,
            Command::Join(_) | Command::Reconfigure(_) if full => self.configuration = Some(command),
            // No more probes are answered than were sent, and none is sent while the store is away.
            _ => self.commands.push_back(command),
        }
    }

    /// Puts commands before all others.
    pub(super) fn push_front(&mut self, commands: Vec<Command>) {
        for command in commands.into_iter().rev() {
            self.commands.push_front(command);
        }
    }

    /// The next commands; what is summed up becomes commands a few at a time.
    pub(super) fn commands(&mut self) -> &mut VecDeque<Command> {
        while self.commands.len() < MOST_TOGETHER {
            if let Some((token, outcomes)) = &mut self.unfolding {
                match outcomes.next(*token) {
                    Some(command) => self.commands.push_back(command),
                    None => self.unfolding = None,
                }
            } else if let Some(next) = self.outcomes.pop_first() {
                self.unfolding = Some(next);
            } else {
                self.commands.extend(self.configuration.take());
                if std::mem::take(&mut self.tick) {
                    self.commands.push_back(Command::Tick);
                }
                break;
            }
        }
        &mut self.commands
    }

    /// What is kept as it came.
    pub(super) fn verbatim(&self) -> impl Iterator<Item = &Command> {
        self.commands.iter()
    }

    /// Another log is followed: tokens are named by their ids in `to`.
    pub(super) fn carry_over(&mut self, from: &Pool, to: &Pool) {
        let commands = std::mem::take(&mut self.commands);
        self.commands = commands.into_iter().map(|command| command.carried_over(from, to)).collect();
        let outcomes = std::mem::take(&mut self.outcomes);
        self.outcomes =
            outcomes.into_iter().map(|(token, sum)| (token.carried_over(from, to), sum)).collect();
        if let Some((token, _)) = &mut self.unfolding {
            *token = token.carried_over(from, to);
        }
    }

    fn sum_up(&mut self, token: TokenId, status: Status, attempt: Attempt, policy: &Policy) {
        let Some(failover) = policy.failover() else { return };
        if attempt == Attempt::Retry && !policy.counts_retries() {
            return;
        }
        let threshold = failover.failure_threshold().get();
        if policy.is_success(status) {
            self.outcomes.entry(token).or_default().succeed(status, threshold);
        } else if failover.on_status().contains(status) {
            self.outcomes.entry(token).or_default().fail(status, threshold);
        }
    }
}

impl Outcomes {
    fn len(&self) -> usize {
        (self.first.count + self.last.count) as usize + usize::from(self.success.is_some())
    }

    fn fail(&mut self, status: Status, threshold: u32) {
        if self.takes_out(threshold) {
            return;
        }
        let run = if self.success.is_some() { &mut self.last } else { &mut self.first };
        *run = Run { count: run.count + 1, status: Some(status) };
    }

    fn succeed(&mut self, status: Status, threshold: u32) {
        if self.takes_out(threshold) {
            return;
        }
        (self.success, self.last) = (Some(status), Run::default());
    }

    /// Whether the token is unavailable after these, whatever it was before: then nothing more changes anything.
    fn takes_out(&self, threshold: u32) -> bool {
        self.first.count >= threshold || self.last.count >= threshold
    }

    /// The next of them, which is then no longer one of them.
    fn next(&mut self, token: TokenId) -> Option<Command> {
        let status = self.first.next().or_else(|| self.success.take()).or_else(|| self.last.next())?;
        Some(Command::Outcome { token, status, attempt: Attempt::First })
    }
}

impl Run {
    fn next(&mut self) -> Option<Status> {
        self.count = self.count.checked_sub(1)?;
        self.status
    }
}
