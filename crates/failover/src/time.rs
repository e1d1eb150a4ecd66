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

/// The year 2000, in milliseconds since the Unix epoch.
const MILLENNIUM: u64 = 946_684_800_000;
/// The year 10,000: a date has four digits for its year.
const FAR: u64 = 253_402_300_800_000;

/// Writes a moment as the time since the epoch: `0ms`, `1.099s`. One that is so far from it that the epoch must be Unix's, for
/// only the clock of a machine is, is written as a date: `2026-11-23T10:26:35.424Z`.
impl fmt::Display for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !(MILLENNIUM..FAR).contains(&self.0) {
            return Duration(self.0).fmt(f);
        }
        let (days, millis) = (self.0 / 86_400_000, self.0 % 86_400_000);
        let (year, month, day) = date(days);
        let (hour, minute, second) = (millis / 3_600_000, millis / 60_000 % 60, millis / 1_000 % 60);
        let millis = millis % 1_000;
        write!(f, "{year}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z")
    }
}

/// Year, month and day of the day that is so many days after 1 January 1970, in the Gregorian calendar. By Howard Hinnant's
/// "chrono-compatible low-level date algorithms" (2013): years begin in March, so that the odd day is their last.
const fn date(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let (month, next) =
        if month_from_march < 10 { (month_from_march + 3, 0) } else { (month_from_march - 9, 1) };
    (year_of_era + era * 400 + next, month, day)
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
    fn a_moment_on_the_clock_of_a_machine_is_a_date() {
        let check = |millis, expect: &str| assert_eq!(Instant::from_millis(millis).to_string(), expect);
        check(946_684_799_999, "262967h59m59.999s");
        check(946_684_800_000, "2000-01-01T00:00:00.000Z");
        check(951_782_400_000, "2000-02-29T00:00:00.000Z");
        check(1_709_251_199_999, "2024-02-29T23:59:59.999Z");
        check(1_709_251_200_000, "2024-03-01T00:00:00.000Z");
        check(1_795_429_595_424, "2026-11-23T10:26:35.424Z");
        check(4_107_542_399_000, "2100-02-28T23:59:59.000Z");
        check(4_107_542_400_000, "2100-03-01T00:00:00.000Z");
        check(253_402_300_799_999, "9999-12-31T23:59:59.999Z");
        check(253_402_300_800_000, "70389528h");
    }

    #[test]
    fn the_end_of_time_is_not_passed() {
        let end = Instant::from_millis(u64::MAX);
        assert_eq!(end + Duration::from_millis(1), end);
        assert_eq!(Duration::from_secs(u64::MAX).as_millis(), u64::MAX);
    }
}
