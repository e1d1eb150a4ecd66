//! Folding a log from elsewhere, which may be wrong.
//!
//! What this crate decided itself is folded by [`Pool::apply`] without a question. A log that was read from a file or
//! came over a network is folded by [`Pool::try_apply`]: every event must follow from the state before it.

use crate::config::{Failover, Profile};
use crate::event::{Entry, Event, RestoredBy, Version, WorkerId};
use crate::pool::{Lease, Pool};
use crate::roster::{Slot, TokenId};
use crate::status::Status;
use crate::time::Instant;

/// Why an append does not follow from the state before it. Remedy: the log was damaged, edited or mixed with another;
/// read it up to the version before, or have it from its source again.
#[derive(Copy, Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Contradiction {
    /// An append is missing, doubled or out of order.
    #[error("expected version {expected}, found {found}")]
    Version {
        /// The version after the state's.
        expected: Version,
        /// The entry's.
        found: Version,
    },
    /// The log's time never runs backwards.
    #[error("time goes backwards, from {before} to {found}")]
    Time {
        /// The time of the append before.
        before: Instant,
        /// The entry's.
        found: Instant,
    },
    /// An append has at least one event.
    #[error("expected at least one event, found none")]
    NoEvents,
    /// Before anything else a log is founded.
    #[error("expected `configured` as the first event of the log")]
    NotFounded,
    /// The token is not configured.
    #[error("the token is not configured")]
    UnknownToken,
    /// Failover is off, or has no health check, or counts otherwise.
    #[error("the configuration in force does not allow it")]
    NotConfigured,
    /// Only an available token fails, succeeds, is removed, taken out or reset.
    #[error("the token is unavailable already")]
    AlreadyUnavailable,
    /// Only an unavailable token is probed or restored.
    #[error("the token is available already")]
    AlreadyAvailable,
    /// A count that does not follow.
    #[error("expected the count {expected}, found {found}")]
    Count {
        /// What follows from the state.
        expected: u32,
        /// What the event says.
        found: u32,
    },
    /// A count at the threshold without the change it brings, or the change without the count.
    #[error("the count is {found}, the threshold {threshold}")]
    Threshold {
        /// What the event says.
        found: u32,
        /// What the configuration says.
        threshold: u32,
    },
    /// The status is a success, or matches no pattern.
    #[error("the status {0} is not a failure")]
    NotAFailure(Status),
    /// There was no failure to forget.
    #[error("the token has no failures counted")]
    NothingToReset,
    /// A return before its time.
    #[error("the token returns before its cooldown is over, at {due}")]
    TooEarly {
        /// When it may return.
        due: Instant,
    },
    /// Tokens are available.
    #[error("still available: {0}")]
    SomeAvailable(u32),
    /// Another worker holds the lease.
    #[error("the lease is worker {0}'s")]
    LeaseHeld(WorkerId),
    /// A lease that is longer or shorter than leases are.
    #[error("the lease does not last {}", Lease::DURATION)]
    LeaseLength,
    /// Probes need a lease.
    #[error("the worker holds no lease")]
    NoLease,
    /// A probe that was not sent, or is forgotten. Under [`Profile::Standard`] also one that is out no longer, or out for
    /// another token; under [`Profile::Higress`] the worker's word is taken for both.
    #[error("probe {0} is not out")]
    NoSuchProbe(u64),
    /// A probe number out of order.
    #[error("expected probe {expected}, found {found}")]
    ProbeNumber {
        /// The next number.
        expected: u64,
        /// What the event says.
        found: u64,
    },
    /// A second probe where one is out.
    #[error("probe {0} is still out")]
    ProbeOut(u64),
}

impl Pool {
    /// Folds an append that may be wrong. On an error the state is half changed: it is good for nothing but showing
    /// where the log went wrong.
    ///
    /// # Errors
    /// The first contradiction, with the number of its event, from 0.
    pub fn try_apply(&mut self, entry: &Entry) -> Result<(), (usize, Contradiction)> {
        let expected = self.version().next();
        if entry.version != expected {
            return Err((0, Contradiction::Version { expected, found: entry.version }));
        }
        if entry.at < self.clock() {
            return Err((0, Contradiction::Time { before: self.clock(), found: entry.at }));
        }
        let Some(first) = entry.events.first() else { return Err((0, Contradiction::NoEvents)) };
        if self.version() == Version::EMPTY && !matches!(first, Event::Configured(_)) {
            return Err((0, Contradiction::NotFounded));
        }
        self.open(entry);
        for (index, event) in entry.events.iter().enumerate() {
            self.check(entry, event).map_err(|contradiction| (index, contradiction))?;
            self.apply_event(entry, event);
        }
        Ok(())
    }

    fn check(&self, entry: &Entry, event: &Event) -> Result<(), Contradiction> {
        match *event {
            Event::Configured(ref configured) => {
                let founding = entry.version == Version::EMPTY.next();
                let reset = founding || self.forgets(&configured.config);
                if configured.reset == reset { Ok(()) } else { Err(Contradiction::NotConfigured) }
            }
            Event::Failed { token, status, failures } => {
                let threshold = self.check_failure(token, status, failures)?;
                below(failures, threshold)
            }
            Event::Removed { token, status, failures } => {
                let threshold = self.check_failure(token, status, failures)?;
                at_least(failures, threshold)
            }
            Event::NoneAvailable => match self.roster.available_len() {
                0 => Ok(()),
                some => Err(Contradiction::SomeAvailable(some)),
            },
            Event::TakenOut { token } => {
                self.rules()?;
                self.available_to_check(token).map(|_| ())
            }
            Event::Succeeded { token } | Event::Reset { token } => {
                self.rules()?;
                let slot = self.available_to_check(token)?;
                if slot.failures > 0 { Ok(()) } else { Err(Contradiction::NothingToReset) }
            }
            Event::Restored { token, by } => self.check_return(entry, token, by),
            Event::LeaseTaken { until } => {
                self.rules()?;
                if until != entry.at + Lease::DURATION {
                    return Err(Contradiction::LeaseLength);
                }
                match self.lease() {
                    Some(lease) if lease.holder != entry.by && entry.at < lease.until => {
                        Err(Contradiction::LeaseHeld(lease.holder))
                    }
                    _ => Ok(()),
                }
            }
            Event::ProbeSent { token, probe } => self.check_probe(entry, token, probe),
            Event::ProbePassed { token, probe, successes } => {
                let before = self.check_answer(token, probe)?;
                let threshold = self.rules()?.success_threshold().get();
                let expected = before.saturating_add(1);
                let late = self.available_slot(token).is_some();
                // A late success, which only the reference's profile counts, falls to zero at the threshold.
                count(if late && expected >= threshold { 0 } else { expected }, successes)?;
                below(successes, threshold)
            }
            Event::ProbeFailed { token, probe, answer, successes } => {
                let before = self.check_answer(token, probe)?;
                if self.available_slot(token).is_some() {
                    return Err(Contradiction::AlreadyAvailable);
                }
                if self.policy().is_success(answer) {
                    return Err(Contradiction::NotAFailure(answer));
                }
                count(if self.policy().profile() == Profile::Higress { before } else { 0 }, successes)
            }
        }
    }

    fn rules(&self) -> Result<&Failover, Contradiction> {
        self.policy().failover().ok_or(Contradiction::NotConfigured)
    }

    fn slot_to_check(&self, token: TokenId) -> Result<&Slot, Contradiction> {
        self.roster.slot(token).ok_or(Contradiction::UnknownToken)
    }

    fn available_to_check(&self, token: TokenId) -> Result<&Slot, Contradiction> {
        let slot = self.slot_to_check(token)?;
        if self.roster.is_available(slot) { Ok(slot) } else { Err(Contradiction::AlreadyUnavailable) }
    }

    fn unavailable_to_check(&self, token: TokenId) -> Result<&Slot, Contradiction> {
        let slot = self.slot_to_check(token)?;
        if self.roster.is_available(slot) { Err(Contradiction::AlreadyAvailable) } else { Ok(slot) }
    }

    /// Gives the failure threshold.
    fn check_failure(&self, token: TokenId, status: Status, failures: u32) -> Result<u32, Contradiction> {
        let failover = self.rules()?;
        let slot = self.available_to_check(token)?;
        if self.policy().is_success(status) || !failover.on_status().contains(status) {
            return Err(Contradiction::NotAFailure(status));
        }
        count(slot.failures.saturating_add(1), failures)?;
        Ok(failover.failure_threshold().get())
    }

    fn check_return(&self, entry: &Entry, token: TokenId, by: RestoredBy) -> Result<(), Contradiction> {
        let failover = self.rules()?;
        let slot = self.unavailable_to_check(token)?;
        match by {
            RestoredBy::Cooldown => {
                let due = slot.since + failover.cooldown().ok_or(Contradiction::NotConfigured)?;
                if entry.at < due { Err(Contradiction::TooEarly { due }) } else { Ok(()) }
            }
            RestoredBy::Operator => Ok(()),
            RestoredBy::HealthCheck { probe } => {
                let before = self.check_answer(token, probe)?;
                at_least(before.saturating_add(1), failover.success_threshold().get())
            }
        }
    }

    fn check_probe(&self, entry: &Entry, token: TokenId, probe: u64) -> Result<(), Contradiction> {
        let check = self.rules()?.health_check().ok_or(Contradiction::NotConfigured)?;
        let slot = self.unavailable_to_check(token)?;
        if !self.lease().is_some_and(|lease| lease.holder == entry.by && entry.at < lease.until) {
            return Err(Contradiction::NoLease);
        }
        if probe != self.next_probe {
            return Err(Contradiction::ProbeNumber { expected: self.next_probe, found: probe });
        }
        match slot.probe {
            Some(out)
                if self.policy().profile() == Profile::Standard
                    && entry.at.since(out.sent) < check.timeout =>
            {
                Err(Contradiction::ProbeOut(out.number))
            }
            _ => Ok(()),
        }
    }

    /// Gives the successes that the token has counted.
    fn check_answer(&self, token: TokenId, probe: u64) -> Result<u32, Contradiction> {
        self.rules()?.health_check().ok_or(Contradiction::NotConfigured)?;
        let slot = self.slot_to_check(token)?;
        let out = match self.policy().profile() {
            Profile::Higress => (self.first_probe..self.next_probe).contains(&probe),
            Profile::Standard => slot.probe.is_some_and(|out| out.number == probe),
        };
        if out { Ok(slot.successes) } else { Err(Contradiction::NoSuchProbe(probe)) }
    }
}

fn count(expected: u32, found: u32) -> Result<(), Contradiction> {
    if expected == found { Ok(()) } else { Err(Contradiction::Count { expected, found }) }
}

fn below(found: u32, threshold: u32) -> Result<(), Contradiction> {
    if found < threshold { Ok(()) } else { Err(Contradiction::Threshold { found, threshold }) }
}

fn at_least(found: u32, threshold: u32) -> Result<(), Contradiction> {
    if found >= threshold { Ok(()) } else { Err(Contradiction::Threshold { found, threshold }) }
}
