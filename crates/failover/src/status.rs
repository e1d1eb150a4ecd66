//! What came of an attempt: the status of an HTTP answer, or the name of a failure below HTTP.

mod set;

use core::fmt;

use serde::{Deserialize, Serialize};

pub use self::set::{NotAStatusSet, PatternError, StatusSet};

/// What came of an attempt: the status of an HTTP answer, 100 to 999, or the name of a failure below HTTP. Ordered by number, the
/// names last.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Status(u16);

impl Status {
    /// The lowest status there is.
    pub const MIN: u16 = 100;
    /// The highest status that three digits can say. HTTP defines up to 599; some vendors go beyond.
    pub const MAX: u16 = 999;

    /// The upstream refused the connection, or could not be reached.
    pub const CONNECT: Self = Self(1000);
    /// There was no answer, or no further piece of it, in time.
    pub const TIMEOUT: Self = Self(1001);
    /// The connection ended before the answer was whole.
    pub const RESET: Self = Self(1002);
    /// The named failures.
    pub(crate) const NAMED: [Self; 3] = [Self::CONNECT, Self::TIMEOUT, Self::RESET];

    /// The status `code`, or `None` if it does not have three digits.
    ///
    /// ```
    /// use firedrill_failover::Status;
    /// assert!(Status::new(429).is_some());
    /// assert!(Status::new(42).is_none());
    /// ```
    pub const fn new(code: u16) -> Option<Self> {
        if code >= Self::MIN && code <= Self::MAX { Some(Self(code)) } else { None }
    }

    /// The named failure `name`, or `None` if there is none of that name.
    ///
    /// ```
    /// use firedrill_failover::Status;
    /// assert_eq!(Status::named("timeout"), Some(Status::TIMEOUT));
    /// assert_eq!(Status::named("late"), None);
    /// ```
    pub fn named(name: &str) -> Option<Self> {
        Self::NAMED.into_iter().find(|status| status.name() == Some(name))
    }

    /// The three-digit number; of a named failure, the one that a client is answered for it: 503, and 504 for a timeout, as
    /// Higress's proxy answers its clients.
    pub const fn code(self) -> u16 {
        match self {
            Self::TIMEOUT => 504,
            Self::CONNECT | Self::RESET => 503,
            Self(code) => code,
        }
    }

    /// The name, if this is a failure below HTTP: `connect`, `timeout` or `reset`.
    pub const fn name(self) -> Option<&'static str> {
        match self {
            Self::CONNECT => Some("connect"),
            Self::TIMEOUT => Some("timeout"),
            Self::RESET => Some("reset"),
            _ => None,
        }
    }
}

impl TryFrom<u16> for Status {
    type Error = NotAStatus;

    fn try_from(code: u16) -> Result<Self, NotAStatus> {
        Self::new(code).ok_or(NotAStatus(code))
    }
}

/// Writes the number, or the name.
impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.pad(name),
            None => self.0.fmt(f),
        }
    }
}

impl Serialize for Status {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.name() {
            Some(name) => serializer.serialize_str(name),
            None => serializer.serialize_u16(self.0),
        }
    }
}

impl<'de> Deserialize<'de> for Status {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StatusVisitor)
    }
}

struct StatusVisitor;

impl serde::de::Visitor<'_> for StatusVisitor {
    type Value = Status;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a status from 100 to 999, \"connect\", \"timeout\" or \"reset\"")
    }

    fn visit_u64<E: serde::de::Error>(self, code: u64) -> Result<Status, E> {
        let status = u16::try_from(code).ok().and_then(Status::new);
        // Whoever writes a number means a status and no name.
        status.ok_or_else(|| E::custom(format_args!("expected a status from 100 to 999, found {code}")))
    }

    fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<Status, E> {
        Status::named(name).ok_or_else(|| E::invalid_value(serde::de::Unexpected::Str(name), &self))
    }
}

/// A number that is no HTTP status. Remedy: write three digits, 100 to 999.
#[derive(Copy, Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a status from 100 to 999, found {0}")]
pub struct NotAStatus(pub u16);

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn a_named_failure_is_its_name_everywhere_but_for_a_client() {
        for (named, name, code) in [
            (Status::CONNECT, "connect", 503),
            (Status::TIMEOUT, "timeout", 504),
            (Status::RESET, "reset", 503),
        ] {
            assert_eq!((named.name(), named.code(), Status::named(name)), (Some(name), code, Some(named)));
            assert_eq!(named.to_string(), name);
            let written = serde_json::to_string(&named).expect("plain data");
            assert_eq!(written, alloc::format!("{name:?}"));
            assert_eq!(serde_json::from_str::<Status>(&written).expect("what was written"), named);
        }
        for code in Status::MIN..=Status::MAX {
            let status = Status::new(code).expect("a status");
            assert_eq!((status.name(), status.code()), (None, code));
            let written = serde_json::to_string(&status).expect("plain data");
            assert_eq!((written.as_str(), status.to_string()), (&*code.to_string(), code.to_string()));
            assert_eq!(serde_json::from_str::<Status>(&written).expect("what was written"), status);
        }
    }

    #[test]
    fn no_other_number_or_word_is_a_status() {
        for wrong in ["99", "1000", "1001", "-1", "429.0", "\"429\"", "\"Timeout\"", "\"\"", "null"] {
            assert!(serde_json::from_str::<Status>(wrong).is_err(), "{wrong}");
        }
        assert!([99, 1000, 1002].into_iter().all(|code| Status::new(code).is_none()));
    }
}
