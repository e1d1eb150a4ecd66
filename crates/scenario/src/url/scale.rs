//! How much real time a length of time in a scenario takes.

use std::fmt;
use std::str::FromStr;

use firedrill_failover::Duration;
use firedrill_yaml::quoted;

/// A share of the times of a scenario: `0.1` makes ten seconds of it one. Exact, so that the same is waited everywhere.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct TimeScale {
    /// In thousandths; at least 1.
    thousandths: u64,
}

/// A thousand times as long is more than anybody waits.
const MOST: u64 = 1_000_000;

impl Default for TimeScale {
    /// As long as the scenario says.
    fn default() -> Self {
        Self { thousandths: 1_000 }
    }
}

impl TimeScale {
    /// What becomes of `time`; never nothing, unless it is nothing.
    pub fn of(self, time: Duration) -> Duration {
        let millis = u128::from(time.as_millis()) * u128::from(self.thousandths);
        Duration::from_millis(u64::try_from(millis.div_ceil(1_000)).unwrap_or(u64::MAX))
    }
}

/// As it is read.
impl fmt::Display for TimeScale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, rest) = (self.thousandths / 1_000, self.thousandths % 1_000);
        if rest == 0 {
            return whole.fmt(f);
        }
        write!(f, "{whole}.{}", format!("{rest:03}").trim_end_matches('0'))
    }
}

impl FromStr for TimeScale {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (whole, rest) = text.split_once('.').unwrap_or((text, ""));
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let thousandths = if digits(whole) && digits(rest) && rest.len() <= 3 && text.len() > rest.len() {
            let whole = if whole.is_empty() { Some(0) } else { whole.parse::<u64>().ok() };
            let rest = format!("{rest:0<3}").parse::<u64>().ok();
            whole.zip(rest).and_then(|(whole, rest)| whole.checked_mul(1_000)?.checked_add(rest))
        } else {
            None
        };
        match thousandths {
            Some(thousandths @ 1..=MOST) => Ok(Self { thousandths }),
            _ => Err(format!("expected a share from `0.001` to `1000`, found {}", quoted(text))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_exact_and_never_makes_nothing_of_something() {
        let check = |scale: &str, millis, expect| {
            let read: TimeScale = scale.parse().expect("a good share");
            assert_eq!(read.of(Duration::from_millis(millis)).as_millis(), expect, "{scale}");
            assert_eq!(read.to_string().parse(), Ok(read));
        };
        check("0.1", 10_000, 1_000);
        check("0.1", 1, 1);
        check("0.1", 0, 0);
        check(".25", 10, 3);
        check("1", 7, 7);
        check("1000", u64::MAX, u64::MAX);
        check("2.5", 10, 25);
        assert_eq!(TimeScale::default().to_string(), "1");
        assert_eq!("0.050".parse::<TimeScale>().expect("a good share").to_string(), "0.05");
    }

    #[test]
    fn what_is_no_share_is_refused() {
        for wrong in ["", ".", "0", "0.0001", "-1", "1e3", "1000.001", "1,5", "99999999999999999999", "0.+1"]
        {
            let refused = wrong.parse::<TimeScale>().expect_err(wrong);
            assert!(refused.starts_with("expected a share from `0.001` to `1000`, found "), "{refused}");
        }
    }
}
