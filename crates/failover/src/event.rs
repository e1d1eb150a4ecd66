//! What can happen to a pool: the events of its log, and how each reads as a sentence.

use alloc::boxed::Box;
use core::fmt;

use serde::{Deserialize, Serialize};

use crate::config::Config;
use crate::pool::Pool;
use crate::roster::TokenId;
use crate::status::Status;
use crate::time::Instant;

/// How many appends a log has: 0 is the empty log, and every append adds one.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Version(u64);

impl Version {
    /// The empty log.
    pub const EMPTY: Self = Self(0);

    /// The version after `appends` appends.
    pub const fn new(appends: u64) -> Self {
        Self(appends)
    }

    /// How many appends.
    pub const fn appends(self) -> u64 {
        self.0
    }

    /// The version that one more append makes.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A worker: one process or thread with its own fold of the log. No two that ever wrote to one log share an id:
/// a process that starts again takes a new one.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WorkerId(u64);

impl WorkerId {
    /// The worker with this number.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number.
    pub const fn number(self) -> u64 {
        self.0
    }
}

impl fmt::Display for WorkerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The newest append of a log: its version, and the name that its worker gave it.
///
/// An append is accepted only on the head that it was decided on, and no two proposals share a name, so that two logs with
/// one head have one history. A version alone does not tell: a log that was wiped comes by the same versions again.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Head {
    /// Which version the append made.
    pub version: Version,
    /// The worker that appended it.
    pub by: WorkerId,
    /// The how-manieth proposal of that worker it was.
    pub proposal: u64,
}

impl Head {
    /// That of the empty log.
    pub const EMPTY: Self = Self { version: Version::EMPTY, by: WorkerId(0), proposal: 0 };
}

/// The version and the name: `105 by worker 3 (17)`.
impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { version, by, proposal } = self;
        if *self == Self::EMPTY {
            f.write_str("0")
        } else {
            write!(f, "{version} by worker {by} ({proposal})")
        }
    }
}

/// One append: events that happened together, all or none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The version of the log that this append made; it was decided on the one before.
    pub version: Version,
    /// When it was decided, in the log's time, which never runs backwards.
    pub at: Instant,
    /// The worker that appended it.
    pub by: WorkerId,
    /// The how-manieth proposal of that worker it was: what tells a worker that an append whose reply was lost
    /// is in the log after all.
    pub proposal: u64,
    /// What happened, in order; at least one event.
    pub events: Box<[Event]>,
}

impl Entry {
    /// The head of the log when this was its newest append.
    pub fn head(&self) -> Head {
        Head { version: self.version, by: self.by, proposal: self.proposal }
    }
}

/// Something that happened to a pool.
///
/// Every event says what came of it, so that folding it asks no rule again: a count stands there as it is
/// afterwards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A configuration took effect. The first event of every log, and of every reconfigure.
    Configured(Box<Configured>),
    /// An available token failed and stays below the threshold.
    Failed {
        /// Which.
        token: TokenId,
        /// The status that counted as a failure.
        status: Status,
        /// Its consecutive failures, this one included.
        failures: u32,
    },
    /// An available token failed, reached the threshold and became unavailable.
    Removed {
        /// Which.
        token: TokenId,
        /// The status that counted as a failure.
        status: Status,
        /// The failures that took it out, this one included.
        failures: u32,
    },
    /// An operator took an available token out: it is unavailable now.
    TakenOut {
        /// Which.
        token: TokenId,
    },
    /// No token is available any more: requests draw a fallback from now on. A warning to whoever reads the log.
    NoneAvailable,
    /// A token with failures counted succeeded; its count is zero.
    Succeeded {
        /// Which.
        token: TokenId,
    },
    /// An operator set the failure count of an available token, which was not zero, to zero.
    Reset {
        /// Which.
        token: TokenId,
    },
    /// An unavailable token is available again.
    Restored {
        /// Which.
        token: TokenId,
        /// What brought it back.
        by: RestoredBy,
    },
    /// The worker that appended this may send probes, and no other.
    LeaseTaken {
        /// Up to this moment.
        until: Instant,
    },
    /// A probe is on its way. The worker that appended this sends it.
    ProbeSent {
        /// For which token.
        token: TokenId,
        /// The number of the probe, from 1, in the life of the pool.
        probe: u64,
    },
    /// A probe succeeded and brings nothing back yet.
    ProbePassed {
        /// For which token.
        token: TokenId,
        /// Which probe.
        probe: u64,
        /// The token's probe successes afterwards.
        successes: u32,
    },
    /// A probe failed or timed out.
    ProbeFailed {
        /// For which token.
        token: TokenId,
        /// Which probe.
        probe: u64,
        /// What it was answered.
        answer: Status,
        /// The token's probe successes afterwards.
        successes: u32,
    },
}

/// A configuration that took effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Configured {
    /// The configuration.
    pub config: Config,
    /// Whether the state of the tokens that stay was forgotten.
    pub reset: bool,
}

/// What brought a token back.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum RestoredBy {
    /// A tick at or past its cooldown.
    Cooldown,
    /// The success of this probe.
    HealthCheck {
        /// Which probe.
        probe: u64,
    },
    /// An operator.
    Operator,
}

impl Event {
    /// The token it is about, if it is about one.
    pub fn token(&self) -> Option<TokenId> {
        match *self {
            Self::Configured(_) | Self::NoneAvailable | Self::LeaseTaken { .. } => None,
            Self::Failed { token, .. }
            | Self::Removed { token, .. }
            | Self::TakenOut { token }
            | Self::Succeeded { token }
            | Self::Reset { token }
            | Self::Restored { token, .. }
            | Self::ProbeSent { token, .. }
            | Self::ProbePassed { token, .. }
            | Self::ProbeFailed { token, .. } => Some(token),
        }
    }

    /// The name it has in the log's wire form.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Configured(_) => "configured",
            Self::Failed { .. } => "failed",
            Self::Removed { .. } => "removed",
            Self::TakenOut { .. } => "taken_out",
            Self::NoneAvailable => "none_available",
            Self::Succeeded { .. } => "succeeded",
            Self::Reset { .. } => "reset",
            Self::Restored { .. } => "restored",
            Self::LeaseTaken { .. } => "lease_taken",
            Self::ProbeSent { .. } => "probe_sent",
            Self::ProbePassed { .. } => "probe_passed",
            Self::ProbeFailed { .. } => "probe_failed",
        }
    }

    /// The event as a sentence for an operator. `before` is the pool that it happened to and `at` when.
    pub fn sentence<'a>(&'a self, before: &'a Pool, at: Instant) -> impl fmt::Display + 'a {
        fmt::from_fn(move |f| {
            let failover = before.policy().failover();
            let failure_threshold = failover.map_or(0, |failover| failover.failure_threshold().get());
            let success_threshold = failover.map_or(0, |failover| failover.success_threshold().get());
            let token = self.token().and_then(|id| before.token(id));
            let label = token.as_ref().map_or("?", |token| token.label);
            match self {
                Self::Configured(configured) => {
                    let tokens = configured.config.tokens().len();
                    let plural = if tokens == 1 { "" } else { "s" };
                    let verb = if before.version() == Version::EMPTY { "founded" } else { "configured" };
                    write!(f, "{verb}: {tokens} token{plural}")?;
                    let forgotten = configured.reset && before.version() != Version::EMPTY;
                    if forgotten { f.write_str(", all state forgotten") } else { Ok(()) }
                }
                Self::Failed { status, failures, .. } => {
                    write!(f, "token {label} failed with {status} ({failures} of {failure_threshold})")
                }
                Self::Removed { status, failures, .. } => write!(
                    f,
                    "failover: token {label} is unavailable now ({status}, failure {failures} of \
                     {failure_threshold})"
                ),
                Self::TakenOut { .. } => {
                    write!(f, "failover: token {label} is unavailable now (taken out by hand)")
                }
                Self::NoneAvailable => {
                    f.write_str("warning: no token is available, requests draw a fallback")
                }
                Self::Succeeded { .. } => write!(f, "token {label} succeeded, its failure count is zero"),
                Self::Reset { .. } => write!(f, "token {label} was reset by hand, its failure count is zero"),
                Self::Restored { by: RestoredBy::Operator, .. } => {
                    write!(f, "token {label} was put back by hand, restored")
                }
                Self::Restored { by: RestoredBy::Cooldown, .. } => {
                    let since = token.and_then(|token| token.unavailable_since).unwrap_or(at);
                    let out = at.since(since).as_millis();
                    write!(f, "cooldown recovery: token {label} has cooled down for {out} ms, restored")
                }
                Self::Restored { by: RestoredBy::HealthCheck { probe }, .. } => write!(
                    f,
                    "health check recovery: token {label} passed probe {probe} ({success_threshold} of \
                     {success_threshold}), restored"
                ),
                Self::LeaseTaken { until } => write!(f, "lease: this worker sends the probes until {until}"),
                Self::ProbeSent { probe, .. } => write!(f, "probe {probe} sent for token {label}"),
                Self::ProbePassed { probe, successes, .. } => write!(
                    f,
                    "probe {probe} succeeded for token {label} ({successes} of {success_threshold})"
                ),
                Self::ProbeFailed { probe, answer, .. } => {
                    write!(f, "probe {probe} failed for token {label} ({answer})")
                }
            }
        })
    }
}
