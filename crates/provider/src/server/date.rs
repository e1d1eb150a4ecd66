//! The date of an answer: what the mock's clock says, in words that are written once a second.

use std::cell::RefCell;

use hyper::header::HeaderValue;
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimePrinter;

thread_local! {
    /// The last date that was written, and its second.
    static LAST: RefCell<Option<(i64, HeaderValue)>> = const { RefCell::new(None) };
}

/// A time, in ms since the Unix epoch, as the header `date` has it; the last that can be written if it is later.
pub(crate) fn date(wall: u64) -> HeaderValue {
    let second = i64::try_from(wall / 1000).unwrap_or(i64::MAX).min(Timestamp::MAX.as_second());
    LAST.with_borrow_mut(|last| match last {
        Some((of, date)) if *of == second => date.clone(),
        _ => last.insert((second, written(second))).1.clone(),
    })
}

fn written(second: i64) -> HeaderValue {
    let date = Timestamp::from_second(second).unwrap_or(Timestamp::MAX);
    let text = DateTimePrinter::new().timestamp_to_rfc9110_string(&date);
    let text = text.expect("broken invariant: no time has a year of more than four digits");
    HeaderValue::try_from(text).expect("broken invariant: a date is of letters, digits and signs")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_of_its_second_and_the_last_stands_for_all_later_ones() {
        for (wall, expect) in [
            (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
            (1_767_225_600_000, "Thu, 01 Jan 2026 00:00:00 GMT"),
            (1_767_225_600_999, "Thu, 01 Jan 2026 00:00:00 GMT"),
            (1_767_225_601_000, "Thu, 01 Jan 2026 00:00:01 GMT"),
            (1_709_251_199_000, "Thu, 29 Feb 2024 23:59:59 GMT"),
            (253_402_300_800_000, "Thu, 30 Dec 9999 22:00:00 GMT"),
            (u64::MAX, "Thu, 30 Dec 9999 22:00:00 GMT"),
        ] {
            assert_eq!(date(wall), expect, "{wall}");
            assert_eq!(date(wall), expect, "{wall}, known");
        }
    }
}
