//! The check that a line of a log may end with: how long the line was before it, and its CRC-32
//! (ISO-HDLC's: zlib's, Ethernet's).
//!
//! It is a key like any other, so that a line stays JSON for whatever reads it. It tells damage, not malice.

use alloc::borrow::Cow;
use alloc::format;
use alloc::string::String;

const KEY: &str = ",\"check\":\"";
const END: &str = "\"}";

/// Ends `line`, a header or an append without a check, with one.
///
/// # Panics
/// If `line` is no JSON object: a broken invariant, it is no line of a log.
///
/// ```
/// use firedrill_failover::wire::with_check;
/// assert_eq!(with_check(r#"{"firedrill_log":1}"#), r#"{"firedrill_log":1,"check":"18:2a074333"}"#);
/// ```
pub fn with_check(line: &str) -> String {
    let covered = line.strip_suffix('}').expect("broken invariant: a log line is an object");
    format!("{covered}{KEY}{}{END}", check_of(covered))
}

/// Whether `line` ends with the check that is right for it; if not, the byte at which the check's value begins.
pub(super) fn verify(line: &str) -> Result<(), usize> {
    // A quote within a label is escaped, so nothing but the key looks like the key.
    let at = line.rfind(KEY).ok_or(line.len())?;
    let (covered, rest) = line.split_at(at);
    let found = rest.strip_prefix(KEY).and_then(|rest| rest.strip_suffix(END));
    if found == Some(check_of(covered).as_str()) { Ok(()) } else { Err(at + KEY.len()) }
}

/// The value of a `check`, where a line has one.
pub(super) type Check<'a> = Option<Cow<'a, str>>;

fn check_of(covered: &str) -> String {
    format!("{}:{:08x}", covered.len(), crc32fast::hash(covered.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flipped_bit_is_noticed() {
        let line = with_check(r#"{"version":2,"at":0,"events":["none_available"]}"#);
        assert_eq!(verify(&line), Ok(()));
        for (at, bit) in (0..line.len()).flat_map(|at| (0..8).map(move |bit| (at, bit))) {
            let mut bytes = line.clone().into_bytes();
            bytes[at] ^= 1 << bit;
            if let Ok(text) = core::str::from_utf8(&bytes) {
                assert!(verify(text).is_err(), "bit {bit} of byte {at}");
            }
        }
    }
}
