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

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(millis: u64, as_go: &str, as_proto: &str, seconds: u64) {
        let duration = Duration::from_millis(millis);
        assert_eq!(go(duration), as_go);
        assert_eq!(proto(duration), as_proto);
        assert_eq!(whole_seconds(duration), seconds);
    }

    #[test]
    fn lengths_of_time_are_written_as_their_vendors_write_them() {
        check(0, "0s", "0s", 0);
        check(1, "1ms", "0.001s", 1);
        check(999, "999ms", "0.999s", 1);
        check(1_000, "1s", "1s", 1);
        check(8_640, "8.64s", "8.640s", 9);
        check(60_000, "1m0s", "60s", 60);
        check(360_000, "6m0s", "360s", 360);
        check(3_600_000, "1h0m0s", "3600s", 3_600);
        check(86_400_000, "24h0m0s", "86400s", 86_400);
        check(5_025_006, "1h23m45.006s", "5025.006s", 5_026);
        check(u64::MAX, "5124095576030h25m51.615s", "18446744073709551.615s", 18_446_744_073_709_552);
    }

    #[test]
    fn a_time_is_rounded_up_to_whole_seconds() {
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00Z");
        assert_eq!(rfc3339(1), "1970-01-01T00:00:01Z");
        assert_eq!(rfc3339(1_709_164_799_000), "2024-02-28T23:59:59Z");
        assert_eq!(rfc3339(1_709_164_799_001), "2024-02-29T00:00:00Z");
        assert_eq!(rfc3339(4_102_444_800_000), "2100-01-01T00:00:00Z");
    }

    #[test]
    fn a_time_past_all_times_is_the_last_one() {
        assert_eq!(
            rfc3339(u64::MAX),
            Timestamp::from_second(Timestamp::MAX.as_second()).unwrap().to_string()
        );
    }
}
