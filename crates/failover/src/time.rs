//! The engine's own time: whole milliseconds on a line whose zero the shell chose.
//!
//! `std::time::Instant` has no epoch and cannot be made up in a test, so it is not used here.
//!
//! **Architecture invariant:** nothing in this crate reads a clock. A shell passes `now`, and it is a value like
//! any other.

use core::fmt;
use core::ops::{Add, AddAssign};

use serde::{Deserialize, Serialize};

/// A moment: milliseconds since an epoch that the shell chose once for the log (a gateway takes the Unix epoch,
/// a test takes 0).
///
/// ```
/// use firedrill_failover::{Duration, Instant};
/// let removed = Instant::from_millis(1_000);
/// let later = removed + Duration::from_secs(2);
/// assert_eq!(later.since(removed), Duration::from_millis(2_000));
/// assert_eq!(removed.since(later), Duration::ZERO, "never negative");
/// ```
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Instant(u64);

impl Instant {
    /// The epoch.
    pub const ZERO: Self = Self(0);

    /// The moment `millis` milliseconds after the epoch.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the epoch.
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// How long after `earlier` this is; zero if it is not after it.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Instant {
    type Output = Self;

    /// Saturates at the end of time, some 584 million years after the epoch.
    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(duration.0))
    }
}

impl AddAssign<Duration> for Instant {
    fn add_assign(&mut self, duration: Duration) {
        *self = *self + duration;
    }
}

/// A length of time in whole milliseconds, the unit of every duration in a provider block.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Duration(u64);

impl Duration {
    /// No time at all.
    pub const ZERO: Self = Self(0);

    /// `millis` milliseconds.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// `secs` seconds, saturating.
    pub const fn from_secs(secs: u64) -> Self {
        Self(secs.saturating_mul(1_000))
    }

    /// Milliseconds.
    pub const fn as_millis(self) -> u64 {
        self.0
    }
}

/// Writes a duration as a person reads it: `250ms`, `5s`, `1.5s`, `2m3s`, `1h`.
impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (hours, minutes) = (self.0 / 3_600_000, self.0 / 60_000 % 60);
        let (seconds, millis) = (self.0 / 1_000 % 60, self.0 % 1_000);
        if self.0 < 1_000 {
            return write!(f, "{millis}ms");
        }
        if hours > 0 {
            write!(f, "{hours}h")?;
        }
        if minutes > 0 {
            write!(f, "{minutes}m")?;
        }
        match (seconds, millis) {
            (0, 0) => Ok(()),
            (_, 0) => write!(f, "{seconds}s"),
            _ => {
                let fraction = format_args!("{millis:03}");
                // At most three digits, and never a trailing zero.
                let text = alloc::format!("{seconds}.{fraction}");
                write!(f, "{}s", text.trim_end_matches('0'))
            }
        }
    }
}

/// Writes a moment as the time since the epoch: `0ms`, `1.099s`.
impl fmt::Display for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Duration(self.0).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[track_caller]
    fn check(millis: u64, expect: &str) {
        assert_eq!(Duration::from_millis(millis).to_string(), expect);
    }

    #[test]
    fn durations_read_as_a_person_writes_them() {
        check(0, "0ms");
        check(999, "999ms");
        check(1_000, "1s");
        check(1_099, "1.099s");
        check(1_500, "1.5s");
        check(61_010, "1m1.01s");
        check(123_000, "2m3s");
        check(3_600_000, "1h");
        check(3_660_000, "1h1m");
    }

    #[test]
    fn the_end_of_time_is_not_passed() {
        let end = Instant::from_millis(u64::MAX);
        assert_eq!(end + Duration::from_millis(1), end);
        assert_eq!(Duration::from_secs(u64::MAX).as_millis(), u64::MAX);
    }
}
