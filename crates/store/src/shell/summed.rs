//! Outcomes and an operator's orders, summed up by token: what is left leads to the same as all of them would.

use std::collections::BTreeMap;

use firedrill_failover::{Attempt, Command, Fingerprint, Order, Policy, Status, TokenId};

use super::backlog::{Mark, Waiting};

/// Outcomes by token, then a tick, then a configuration. Once it is being taken nothing is added to it.
#[derive(Debug, Default)]
pub(super) struct Summed {
    outcomes: BTreeMap<Fingerprint, (TokenId, Outcomes)>,
    ticks: bool,
    configuration: Option<Command>,
    /// Of the three, how many commands they stand for.
    len: usize,
    taken_from: bool,
    /// Who is told when all of it is settled.
    pub(super) marks: Vec<Mark>,
}

/// What came for a token, in order: perhaps an order that makes up for all that was before it, failures, then perhaps
/// what forgets them, then failures.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
struct Outcomes {
    /// It is to be out, or to be back.
    order: Option<Order>,
    first: Run,
    forgets: Option<Forgets>,
    last: Run,
}

/// What takes a token's failure count to zero.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
enum Forgets {
    Success(Status),
    Reset,
}

/// Consecutive failures; the status is the newest one's.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
struct Run {
    count: u32,
    status: Option<Status>,
}

impl Summed {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Whether more can be added.
    pub(super) fn is_open(&self) -> bool {
        !self.taken_from && self.configuration.is_none()
    }

    /// Whether it ends with a configuration, and nothing was taken from it.
    pub(super) fn is_ended(&self) -> bool {
        !self.taken_from && self.configuration.is_some()
    }

    /// Whether only its configuration is left.
    pub(super) fn ends_next(&self) -> bool {
        self.outcomes.is_empty() && !self.ticks && self.configuration.is_some()
    }

    pub(super) fn outcome(
        &mut self,
        (fingerprint, token): (Fingerprint, TokenId),
        status: Status,
        attempt: Attempt,
        policy: &Policy,
    ) {
        let Some(failover) = policy.failover() else { return };
        if attempt == Attempt::Retry && !policy.counts_retries() {
            return;
        }
        let threshold = failover.failure_threshold().get();
        if policy.is_success(status) {
            self.change((fingerprint, token), |outcomes| {
                outcomes.forget(Forgets::Success(status), threshold);
            });
        } else if failover.on_status().contains(status) {
            self.change((fingerprint, token), |outcomes| outcomes.fail(Run::of(1, status), threshold));
        }
    }

    pub(super) fn order(&mut self, whose: (Fingerprint, TokenId), order: Order, policy: &Policy) {
        let Some(failover) = policy.failover() else { return };
        let threshold = failover.failure_threshold().get();
        self.change(whose, |outcomes| match order {
            Order::TakeOut | Order::PutBack => {
                *outcomes = Outcomes { order: Some(order), ..Outcomes::default() };
            }
            Order::Reset => outcomes.forget(Forgets::Reset, threshold),
        });
    }

    pub(super) fn tick(&mut self) {
        self.len += usize::from(!std::mem::replace(&mut self.ticks, true));
    }

    pub(super) fn end(&mut self, configuration: Command) {
        self.len += usize::from(self.configuration.replace(configuration).is_none());
    }

    /// Adds what came after this; the configuration between them is forgotten.
    pub(super) fn join(&mut self, later: Self, policy: &Policy) {
        let threshold = policy.failover().map_or(u32::MAX, |failover| failover.failure_threshold().get());
        for (fingerprint, (token, added)) in later.outcomes {
            self.change((fingerprint, token), |outcomes| {
                if added.order.is_some() {
                    *outcomes = added;
                    return;
                }
                outcomes.fail(added.first, threshold);
                if let Some(forgets) = added.forgets {
                    outcomes.forget(forgets, threshold);
                    outcomes.fail(added.last, threshold);
                }
            });
        }
        if later.ticks {
            self.tick();
        }
        if let Some(configuration) = later.configuration {
            self.end(configuration);
        }
        self.marks.extend(later.marks);
    }

    /// The next command, which is then no longer in it.
    pub(super) fn next(&mut self) -> Option<Waiting> {
        self.taken_from = true;
        let next = self.next_outcome().or_else(|| {
            let tick = std::mem::take(&mut self.ticks).then_some(Command::Tick);
            let command = tick.or_else(|| self.configuration.take())?;
            Some(Waiting { command, fingerprint: None })
        })?;
        self.len -= 1;
        Some(next)
    }

    /// All of it, to look at.
    pub(super) fn waiting(&self) -> impl Iterator<Item = Waiting> {
        let (ticks, configuration, len) = (self.ticks, self.configuration.clone(), self.len);
        let mut copy = Self { outcomes: self.outcomes.clone(), ticks, configuration, len, ..Self::default() };
        std::iter::from_fn(move || copy.next())
    }

    fn change(&mut self, (fingerprint, token): (Fingerprint, TokenId), change: impl FnOnce(&mut Outcomes)) {
        let (named, outcomes) = self.outcomes.entry(fingerprint).or_insert((token, Outcomes::default()));
        *named = token;
        let before = outcomes.len();
        change(outcomes);
        self.len = self.len - before + outcomes.len();
    }

    fn next_outcome(&mut self) -> Option<Waiting> {
        while let Some(mut first) = self.outcomes.first_entry() {
            let fingerprint = *first.key();
            let (token, outcomes) = first.get_mut();
            if let Some(command) = outcomes.next(*token) {
                if outcomes.len() == 0 {
                    first.remove();
                }
                return Some(Waiting { command, fingerprint: Some(fingerprint) });
            }
            first.remove();
        }
        None
    }
}

impl Outcomes {
    fn len(&self) -> usize {
        let others = usize::from(self.order.is_some()) + usize::from(self.forgets.is_some());
        self.first.count as usize + self.last.count as usize + others
    }

    fn fail(&mut self, failures: Run, threshold: u32) {
        if self.takes_out(threshold) || failures.count == 0 {
            return;
        }
        let run = if self.forgets.is_some() { &mut self.last } else { &mut self.first };
        run.count = run.count.saturating_add(failures.count).min(threshold);
        run.status = failures.status;
    }

    fn forget(&mut self, forgets: Forgets, threshold: u32) {
        if self.takes_out(threshold) {
            return;
        }
        (self.forgets, self.last) = (Some(forgets), Run::default());
    }

    /// Whether the token is unavailable after these, whatever it was before: then nothing more changes anything, but that
    /// it is put back.
    fn takes_out(&self, threshold: u32) -> bool {
        self.order == Some(Order::TakeOut) || self.first.count >= threshold || self.last.count >= threshold
    }

    /// The next of them, which is then no longer one of them.
    fn next(&mut self, token: TokenId) -> Option<Command> {
        let outcome = |status| Command::Outcome { token, status, attempt: Attempt::First };
        if let Some(order) = self.order.take() {
            return Some(Command::Operate { token, order });
        }
        let command = self.first.next().map(outcome).or_else(|| {
            Some(match self.forgets.take()? {
                Forgets::Success(status) => outcome(status),
                Forgets::Reset => Command::Operate { token, order: Order::Reset },
            })
        });
        command.or_else(|| self.last.next().map(outcome))
    }
}

impl Run {
    fn of(count: u32, status: Status) -> Self {
        Self { count, status: Some(status) }
    }

    fn next(&mut self) -> Option<Status> {
        self.count = self.count.checked_sub(1)?;
        self.status
    }
}
