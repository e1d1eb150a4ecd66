//! The commands: what should happen, given what is so.
//!
//! **Architecture invariant:** a command changes nothing. It tells the events that should be appended, on the version
//! of the pool it was asked of, and none if nothing should. The rules of `docs/architecture.md` are here and nowhere
//! else.

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;

use crate::config::{Config, HealthCheck, OnReload, Profile};
use crate::event::{Configured, Entry, Event, RestoredBy, Version, WorkerId};
use crate::pool::{Lease, Pool};
use crate::roster::{Slot, TokenId};
use crate::status::Status;
use crate::time::Instant;

/// Which attempt of a request an answer came from.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Attempt {
    /// The first.
    First,
    /// A later one, of `retryOnFailure`. [`Profile::Higress`] does not count its answer.
    Retry,
}

/// Something that a worker was told or asked to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Take part in the log: found it, or follow it; a configuration that differs from the log's takes effect.
    Join(Config),
    /// A request that used `token` was answered `status`.
    Outcome {
        /// Which token it used.
        token: TokenId,
        /// What was answered.
        status: Status,
        /// Which attempt it was.
        attempt: Attempt,
    },
    /// The time of a tick has come.
    Tick,
    /// Probe number `probe` for `token` was answered.
    ProbeAnswered {
        /// For which token.
        token: TokenId,
        /// The number it was sent under.
        probe: u64,
        /// What came of it.
        answer: Status,
    },
    /// A configuration was loaded.
    Reconfigure(Config),
    /// An operator says what is to be with a token. Nothing comes of it with failover off.
    Operate {
        /// Which token.
        token: TokenId,
        /// What the operator says.
        order: Order,
    },
}

/// What an operator may say of a token.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// It is to be unavailable. It returns as any other does, unless it is put back before.
    TakeOut,
    /// It is to be available, with its counts at zero.
    PutBack,
    /// If it is available, its failure count is to be zero.
    Reset,
}

impl Command {
    /// The token it is about, if it is about one.
    pub fn token(&self) -> Option<TokenId> {
        match *self {
            Self::Outcome { token, .. } | Self::ProbeAnswered { token, .. } | Self::Operate { token, .. } => {
                Some(token)
            }
            Self::Join(_) | Self::Tick | Self::Reconfigure(_) => None,
        }
    }

    /// The same, to give the token the id that it has in another pool.
    pub fn token_mut(&mut self) -> Option<&mut TokenId> {
        match self {
            Self::Outcome { token, .. } | Self::ProbeAnswered { token, .. } | Self::Operate { token, .. } => {
                Some(token)
            }
            Self::Join(_) | Self::Tick | Self::Reconfigure(_) => None,
        }
    }
}

impl Pool {
    /// What `command` of `worker` should lead to at `at`, a moment that is not before [`Pool::clock`]. Until a log is
    /// founded, by a configuration, nothing else leads to anything.
    pub fn decide(&self, worker: WorkerId, at: Instant, command: &Command) -> Vec<Event> {
        if self.version() == Version::EMPTY {
            return match command {
                Command::Join(config) | Command::Reconfigure(config) => founding(config),
                Command::Outcome { .. }
                | Command::Tick
                | Command::ProbeAnswered { .. }
                | Command::Operate { .. } => Vec::new(),
            };
        }
        match command {
            Command::Join(config) => self.join(config),
            Command::Outcome { token, status, attempt } => self.outcome(*token, *status, *attempt),
            Command::Tick => self.tick(worker, at),
            Command::ProbeAnswered { token, probe, answer } => self.probe_answered(*token, *probe, *answer),
            Command::Reconfigure(config) => self.reconfigure(config),
            Command::Operate { token, order } => self.operate(*token, *order),
        }
    }

    /// A request that used `token` was answered `status`. No allocation when nothing happens.
    fn outcome(&self, token: TokenId, status: Status, attempt: Attempt) -> Vec<Event> {
        let Some(failover) = self.policy.failover() else { return Vec::new() };
        if attempt == Attempt::Retry && !self.policy.counts_retries() {
            return Vec::new();
        }
        let Some(slot) = self.available_slot(token) else { return Vec::new() };
        if self.policy.is_success(status) {
            return if slot.failures > 0 { vec![Event::Succeeded { token }] } else { Vec::new() };
        }
        if !failover.on_status().contains(status) {
            return Vec::new();
        }
        let failures = slot.failures.saturating_add(1);
        if failures < failover.failure_threshold().get() {
            return vec![Event::Failed { token, status, failures }];
        }
        self.out(Event::Removed { token, status, failures })
    }

    /// `removal`, and the warning if it takes the last available token.
    fn out(&self, removal: Event) -> Vec<Event> {
        if self.roster.available_len() == 1 { vec![removal, Event::NoneAvailable] } else { vec![removal] }
    }

    /// An operator says what is to be with `token`. Nothing happens if it is so already.
    fn operate(&self, token: TokenId, order: Order) -> Vec<Event> {
        let slot = self.roster.slot(token).filter(|_| self.policy.failover().is_some());
        let Some(slot) = slot else { return Vec::new() };
        match (order, self.roster.is_available(slot)) {
            (Order::TakeOut, true) => self.out(Event::TakenOut { token }),
            (Order::PutBack, false) => vec![Event::Restored { token, by: RestoredBy::Operator }],
            (Order::PutBack | Order::Reset, true) if slot.failures > 0 => vec![Event::Reset { token }],
            (Order::TakeOut | Order::Reset, false) | (Order::PutBack | Order::Reset, true) => Vec::new(),
        }
    }

    /// The time of a tick has come: what has cooled down returns, and the rest is probed if that is this worker's to
    /// do. The worker sends a probe for every [`Event::ProbeSent`] once the log has accepted it. O(1) and no
    /// allocation when nothing happens; under [`Profile::Higress`] every tick of the lease's holder sends probes.
    fn tick(&self, worker: WorkerId, at: Instant) -> Vec<Event> {
        let Some(failover) = self.policy.failover() else { return Vec::new() };
        let mut events = Vec::new();
        if let Some(cooldown) = failover.cooldown() {
            // They left in the order of time and share one cooldown, so those who may return stand first.
            for (token, slot) in self.roster.unavailable() {
                if at.since(slot.since) < cooldown {
                    break;
                }
                events.push(Event::Restored { token, by: RestoredBy::Cooldown });
            }
        }
        if let Some(check) = failover.health_check() {
            let returning = events.len();
            self.probe(check, worker, at, returning, &mut events);
        }
        events
    }

    /// Adds the probes that `worker` should send at `at` for the unavailable tokens but the first `returning`.
    fn probe(
        &self,
        check: &HealthCheck,
        worker: WorkerId,
        at: Instant,
        returning: usize,
        events: &mut Vec<Event>,
    ) {
        let lost = |sent: Instant| at.since(sent) >= check.timeout;
        let unprobed = self.roster.len() - self.roster.available_len() > self.probes_out;
        let again = self.policy.profile() == Profile::Higress;
        let worthwhile = again || unprobed || self.oldest_probe().is_some_and(lost);
        let held = self.lease.filter(|lease| at < lease.until);
        if !worthwhile || held.is_some_and(|lease| lease.holder != worker) {
            return;
        }
        let lease_at = events.len();
        let sendable = |slot: &Slot| again || slot.probe.is_none_or(|probe| lost(probe.sent));
        let tokens = self.roster.unavailable().skip(returning).filter(|(_, slot)| sendable(slot));
        events.extend(
            tokens.zip(self.next_probe..).map(|((token, _), probe)| Event::ProbeSent { token, probe }),
        );
        let renew = held.is_none_or(|lease| lease.until.since(at) < Lease::RENEWAL);
        if events.len() > lease_at && renew {
            events.insert(lease_at, Event::LeaseTaken { until: at + Lease::DURATION });
        }
    }

    /// Probe number `probe` for `token` was answered. An answer for a token that is no longer configured changes
    /// nothing; nor, but for the reference's late successes, does one for a token that is available.
    fn probe_answered(&self, token: TokenId, probe: u64, answer: Status) -> Vec<Event> {
        let Some(failover) = self.policy.failover().filter(|failover| failover.health_check().is_some())
        else {
            return Vec::new();
        };
        let Some(slot) = self.roster.slot(token) else { return Vec::new() };
        let higress = self.policy.profile() == Profile::Higress;
        let expected = if higress {
            (self.first_probe..self.next_probe).contains(&probe)
        } else {
            slot.probe.is_some_and(|out| out.number == probe)
        };
        if !expected {
            return Vec::new();
        }
        let out = !self.roster.is_available(slot);
        let passed = self.policy.is_success(answer);
        let threshold = failover.success_threshold().get();
        let successes = slot.successes.saturating_add(1);
        match (out, passed) {
            (true, true) if successes >= threshold => {
                vec![Event::Restored { token, by: RestoredBy::HealthCheck { probe } }]
            }
            (true, true) => vec![Event::ProbePassed { token, probe, successes }],
            (true, false) => {
                let successes = if higress { slot.successes } else { 0 };
                vec![Event::ProbeFailed { token, probe, answer, successes }]
            }
            // Only the reference's profile comes here: a late success still counts, and at the threshold it takes
            // the count back to zero.
            (false, true) => {
                let successes = if successes >= threshold { 0 } else { successes };
                vec![Event::ProbePassed { token, probe, successes }]
            }
            (false, false) => Vec::new(),
        }
    }

    /// A configuration was loaded. Nothing happens if it is the one in force and nothing is to be forgotten.
    fn reconfigure(&self, config: &Config) -> Vec<Event> {
        let reset = self.forgets(config);
        if reset || !self.runs(config) { self.configured(config, reset) } else { Vec::new() }
    }

    /// A worker starts with `config`. If the log has this configuration already nothing happens, under any profile: a
    /// start never wipes another worker's state.
    fn join(&self, config: &Config) -> Vec<Event> {
        if self.runs(config) { Vec::new() } else { self.reconfigure(config) }
    }

    /// Whether loading `config` forgets the state of the tokens that stay: if it says so, or if it reads the rules
    /// otherwise, for counts of the one profile mean nothing in the other.
    pub(crate) fn forgets(&self, config: &Config) -> bool {
        let policy = config.policy();
        policy.on_reload() == OnReload::Reset || policy.profile() != self.policy.profile()
    }

    /// Whether `config` is the configuration in force, the order of its tokens apart.
    fn runs(&self, config: &Config) -> bool {
        let mut wanted: Vec<_> =
            config.tokens().iter().map(|token| (token.fingerprint, &*token.label)).collect();
        let mut present: Vec<_> = self.tokens().map(|(_, token)| (token.fingerprint, token.label)).collect();
        wanted.sort_unstable();
        present.sort_unstable();
        *config.policy() == self.policy && wanted == present
    }

    fn configured(&self, config: &Config, reset: bool) -> Vec<Event> {
        let configured = Event::Configured(Box::new(Configured { config: config.clone(), reset }));
        // Who is left is the fold's to say, so the fold is asked.
        let mut after = self.clone();
        let (version, at, by) = (self.version().next(), self.clock(), WorkerId::new(0));
        after.apply(&Entry { version, at, by, proposal: 0, events: [configured.clone()].into() });
        let had_one = self.policy.failover().is_none() || self.available_len() > 0;
        if had_one && config.policy().failover().is_some() && after.available_len() == 0 {
            return vec![configured, Event::NoneAvailable];
        }
        vec![configured]
    }
}

/// The first event of a log.
fn founding(config: &Config) -> Vec<Event> {
    vec![Event::Configured(Box::new(Configured { config: config.clone(), reset: true }))]
}
