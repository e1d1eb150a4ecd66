//! Quotas: how much a provider grants in a time, counted truly.
//!
//! All arithmetic is in whole numbers. A bucket's content is counted in parts of which `per` milliseconds make a unit, so
//! that what flows in each millisecond is whole: `most` parts.

use firedrill_failover::{Duration, Instant};

/// What a quota counts.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unit {
    /// Requests.
    Requests,
    /// LLM tokens: those of the question and those of the answer.
    LlmTokens,
}

/// Whose a quota is.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Owner {
    /// Each token has its own.
    Token,
    /// The tokens of a domain share one; a token of no domain has its own.
    Domain,
}

/// How what was used is given back.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Window {
    /// All at once, at every multiple of its length since the provider began.
    Fixed,
    /// Continuously, up to `burst` units.
    Bucket {
        /// How much can be had at once; at least 1.
        burst: u64,
    },
}

/// So much in a time.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Quota {
    /// Of what.
    pub unit: Unit,
    /// So much; at least 1.
    pub most: u64,
    /// In this time; at least 1 ms.
    pub per: Duration,
    /// Whose it is.
    pub owner: Owner,
    /// How it comes back.
    pub window: Window,
}

/// What is left of a quota.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meter {
    quota: Quota,
    /// Units used in the window, or parts missing in the bucket.
    used: u128,
    /// The window, or when the bucket was last looked at.
    at: Instant,
}

/// A quota, as headers tell it.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Of what.
    pub unit: Unit,
    /// In what time.
    pub per: Duration,
    /// How much is granted in that time.
    pub limit: u64,
    /// How much can be had now.
    pub remaining: u64,
    /// How long until all of it can be had again; zero if it can now.
    pub reset: Duration,
}

impl Meter {
    /// A quota of which nothing was used, at `began`.
    pub fn new(quota: Quota, began: Instant) -> Self {
        Self { quota, used: 0, at: began }
    }

    /// The quota.
    pub fn quota(&self) -> &Quota {
        &self.quota
    }

    fn per(&self) -> u128 {
        u128::from(self.quota.per.as_millis().max(1))
    }

    /// How many of the counted parts make a unit.
    fn unit(&self) -> u128 {
        match self.quota.window {
            Window::Fixed => 1,
            Window::Bucket { .. } => self.per(),
        }
    }

    /// How many parts can be used at once.
    fn whole(&self) -> u128 {
        match self.quota.window {
            Window::Fixed => u128::from(self.quota.most),
            Window::Bucket { burst } => u128::from(burst) * self.per(),
        }
    }

    /// Gives back what has come back by `now`, which is not before the time before.
    fn look(&mut self, now: Instant) {
        let past = u128::from(now.since(self.at).as_millis());
        match self.quota.window {
            Window::Fixed => {
                let begin = u128::from(now.as_millis()) / self.per() * self.per();
                if begin > u128::from(self.at.as_millis()) {
                    self.used = 0;
                }
            }
            Window::Bucket { .. } => self.used = self.used.saturating_sub(past * u128::from(self.quota.most)),
        }
        self.at = self.at.max(now);
    }

    /// How long after `now` `cost` units can be had: zero if they can now, and `None` if never, for they are more than there
    /// ever are at once.
    pub fn wait(&mut self, now: Instant, cost: u64) -> Option<Duration> {
        self.look(now);
        let cost = u128::from(cost) * self.unit();
        if cost > self.whole() {
            return None;
        }
        let missing = (self.used + cost).saturating_sub(self.whole());
        Some(if missing == 0 { Duration::ZERO } else { self.until_back(missing) })
    }

    /// Uses `cost` units, which can be had.
    pub fn take(&mut self, now: Instant, cost: u64) {
        self.look(now);
        self.used += u128::from(cost) * self.unit();
    }

    /// What is left at `now`.
    pub fn standing(&mut self, now: Instant) -> Standing {
        self.look(now);
        let left = self.whole().saturating_sub(self.used) / self.unit();
        Standing {
            unit: self.quota.unit,
            per: self.quota.per,
            limit: self.quota.most,
            remaining: u64::try_from(left).unwrap_or(u64::MAX),
            reset: if self.used == 0 { Duration::ZERO } else { self.until_back(self.used) },
        }
    }

    /// How long until `parts` of what was used have come back.
    fn until_back(&self, parts: u128) -> Duration {
        let now = u128::from(self.at.as_millis());
        let millis = match self.quota.window {
            Window::Fixed => (now / self.per() + 1) * self.per() - now,
            Window::Bucket { .. } => parts.div_ceil(u128::from(self.quota.most.max(1))),
        };
        Duration::from_millis(u64::try_from(millis).unwrap_or(u64::MAX))
    }
}
