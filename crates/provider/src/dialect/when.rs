//! Lengths of time and times as vendors write them in headers, in whole numbers.

use firedrill_failover::Duration;
use jiff::Timestamp;

/// Whole seconds, rounded up, as `retry-after` has them.
pub(super) fn whole_seconds(duration: Duration) -> u64 {
    duration.as_millis().div_ceil(1000)
}

/// `20ms`, `8.64s`, `6m0s`, `24h0m0s`: as Go writes it, and OpenAI.
pub(super) fn go(duration: Duration) -> String {
    let millis = duration.as_millis();
    if millis > 0 && millis < 1000 {
        return format!("{millis}ms");
    }
    let (seconds, millis) = (millis / 1000, millis % 1000);
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let seconds = decimal(seconds, millis);
    match (hours, minutes) {
        (0, 0) => format!("{seconds}s"),
        (0, _) => format!("{minutes}m{seconds}s"),
        _ => format!("{hours}h{minutes}m{seconds}s"),
    }
}

/// `34s`, `8.64s`: as protocol buffers write it in JSON, and Gemini.
pub(super) fn proto(duration: Duration) -> String {
    let millis = duration.as_millis();
    match millis % 1000 {
        0 => format!("{}s", millis / 1000),
        part => format!("{}.{part:03}s", millis / 1000),
    }
}

/// Seconds with what is needed of their fraction.
fn decimal(seconds: u64, millis: u64) -> String {
    if millis == 0 {
        return seconds.to_string();
    }
    format!("{seconds}.{}", format!("{millis:03}").trim_end_matches('0'))
}

/// A time, in ms since the Unix epoch, in RFC 3339, rounded up to whole seconds; the last that can be written if it is
/// later.
pub(super) fn rfc3339(wall: u64) -> String {
    let seconds = i64::try_from(wall.div_ceil(1000)).unwrap_or(i64::MAX);
    Timestamp::from_second(seconds.min(Timestamp::MAX.as_second())).unwrap_or(Timestamp::MAX).to_string()
}
