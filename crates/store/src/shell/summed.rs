//! Outcomes, summed up by token: what is left leads to the same as all of them would.

use std::collections::BTreeMap;

use firedrill_failover::{Attempt, Command, Fingerprint, Policy, Status, TokenId};

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
            self.change((fingerprint, token), |outcomes| outcomes.succeed(status, threshold));
        } else if failover.on_status().contains(status) {
            self.change((fingerprint, token), |outcomes| outcomes.fail(Run::of(1, status), threshold));
        }
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
                outcomes.fail(added.first, threshold);
                if let Some(status) = added.success {
                    outcomes.succeed(status, threshold);
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
            if let Some(status) = outcomes.next() {
                let command = Command::Outcome { token: *token, status, attempt: Attempt::First };
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
        self.first.count as usize + self.last.count as usize + usize::from(self.success.is_some())
    }

    fn fail(&mut self, failures: Run, threshold: u32) {
        if self.takes_out(threshold) || failures.count == 0 {
            return;
        }
        let run = if self.success.is_some() { &mut self.last } else { &mut self.first };
        run.count = run.count.saturating_add(failures.count).min(threshold);
        run.status = failures.status;
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
    fn next(&mut self) -> Option<Status> {
        self.first.next().or_else(|| self.success.take()).or_else(|| self.last.next())
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
