//! HTTP statuses, sets of them, and the patterns that Higress writes for them.
//!
//! **Architecture invariant:** patterns are resolved here, when a configuration is parsed, to a [`StatusSet`];
//! past that point the engine holds no regular expression.

use alloc::string::{String, ToString};
use core::fmt;
use core::ops::Range;

use regex_automata::nfa::thompson::pikevm::PikeVM;
use regex_automata::nfa::thompson::{Compiler, Config as NfaConfig};
use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Hir, Look};
use serde::{Deserialize, Serialize};

use crate::config::Profile;

/// The status of an HTTP answer, 100 to 999.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u16", into = "u16")]
pub struct Status(u16);

impl Status {
    /// The lowest status there is.
    pub const MIN: u16 = 100;
    /// The highest status that three digits can say. HTTP defines up to 599; some vendors go beyond.
    pub const MAX: u16 = 999;

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

    /// The three-digit number.
    pub const fn code(self) -> u16 {
        self.0
    }
}

impl TryFrom<u16> for Status {
    type Error = NotAStatus;

    fn try_from(code: u16) -> Result<Self, NotAStatus> {
        Self::new(code).ok_or(NotAStatus(code))
    }
}

impl From<Status> for u16 {
    fn from(status: Status) -> Self {
        status.0
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A number that is no HTTP status. Remedy: write three digits, 100 to 999.
#[derive(Copy, Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a status from 100 to 999, found {0}")]
pub struct NotAStatus(pub u16);

/// What came of a probe: a status, or no answer within `healthCheckTimeout`.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The provider answered with this status.
    Status(Status),
    /// It did not answer in time.
    Timeout,
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status) => status.fmt(f),
            Self::Timeout => f.write_str("timeout"),
        }
    }
}

/// A set of statuses: one bit each, so that asking costs one load.
#[derive(Clone, PartialEq, Eq)]
pub struct StatusSet([u64; 16]);

impl StatusSet {
    /// The empty set.
    pub const EMPTY: Self = Self([0; 16]);

    /// Adds `status`.
    pub const fn insert(&mut self, status: Status) {
        self.0[(status.0 / 64) as usize] |= 1 << (status.0 % 64);
    }

    /// Whether `status` is in the set.
    pub const fn contains(&self, status: Status) -> bool {
        self.0[(status.0 / 64) as usize] & (1 << (status.0 % 64)) != 0
    }

    /// Every status in the set, ascending.
    pub fn iter(&self) -> impl Iterator<Item = Status> {
        (Status::MIN..=Status::MAX).map(Status).filter(|status| self.contains(*status))
    }

    /// What the default patterns, `4.*` and `5.*`, match by the rule of `profile`: worked out beforehand, because nearly
    /// every configuration has them.
    pub(crate) fn default_for(profile: Profile) -> Self {
        const HIGRESS: StatusSet = StatusSet::with_4_or_5(true);
        const STANDARD: StatusSet = StatusSet::with_4_or_5(false);
        match profile {
            Profile::Higress => HIGRESS,
            Profile::Standard => STANDARD,
        }
    }

    /// Every status with a 4 or a 5 in it, `anywhere` or as its first digit.
    const fn with_4_or_5(anywhere: bool) -> Self {
        let mut set = Self::EMPTY;
        let mut code = Status::MIN;
        while code <= Status::MAX {
            let rest = matches!(code / 10 % 10, 4 | 5) || matches!(code % 10, 4 | 5);
            if matches!(code / 100, 4 | 5) || (anywhere && rest) {
                set.insert(Status(code));
            }
            code += 1;
        }
        set
    }

    /// The statuses that any of `patterns` matches, by the rule of `profile`: anywhere in the status for
    /// [`Profile::Higress`], the whole of it for [`Profile::Standard`].
    ///
    /// # Errors
    /// The first pattern that is not a regular expression, with the place in it.
    pub fn matching<'a>(
        patterns: impl IntoIterator<Item = &'a str>,
        profile: Profile,
    ) -> Result<Self, PatternError> {
        let mut set = Self::EMPTY;
        for (index, pattern) in patterns.into_iter().enumerate() {
            let matcher = compile(pattern, profile).map_err(|fault| PatternError { index, ..fault })?;
            let mut cache = matcher.create_cache();
            for code in Status::MIN..=Status::MAX {
                if matcher.is_match(&mut cache, code.to_string().as_str()) {
                    set.insert(Status(code));
                }
            }
        }
        Ok(set)
    }
}

/// A pattern may grow to this many bytes as an automaton. One that needs more is no pattern for three digits.
const AUTOMATON_LIMIT: usize = 1 << 18;

fn compile(pattern: &str, profile: Profile) -> Result<PikeVM, PatternError> {
    // Statuses are ASCII, so Unicode's tables are left out: `\d` is ten digits.
    let mut parser = ParserBuilder::new().unicode(false).utf8(false).build();
    let parsed = parser.parse(pattern).map_err(|error| PatternError::syntax(pattern, &error))?;
    // The anchors are added to the parsed form: in the text, `4|5` and `(?x)4 # four` would swallow them.
    let whole = match profile {
        Profile::Higress => parsed,
        Profile::Standard => Hir::concat([Hir::look(Look::Start), parsed, Hir::look(Look::End)].into()),
    };
    let automaton = Compiler::new()
        .configure(NfaConfig::new().nfa_size_limit(Some(AUTOMATON_LIMIT)).utf8(false))
        .build_from_hir(&whole)
        .map_err(|_| PatternError::too_large(pattern))?;
    PikeVM::new_from_nfa(automaton).map_err(|_| PatternError::too_large(pattern))
}

/// A pattern that is not a regular expression. Remedy: mend it at the place named.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason} (character {} of `{pattern}`)", self.character())]
pub struct PatternError {
    /// Which of the patterns, from 0.
    pub index: usize,
    /// The pattern as it was written.
    pub pattern: String,
    /// Where in the pattern, in bytes.
    pub at: Range<usize>,
    /// What is wrong there.
    pub reason: String,
}

impl PatternError {
    /// Where in the pattern, in characters, from 1.
    pub fn character(&self) -> usize {
        self.pattern[..self.at.start].chars().count() + 1
    }

    fn syntax(pattern: &str, error: &regex_syntax::Error) -> Self {
        let (at, reason) = match error {
            regex_syntax::Error::Parse(error) => {
                (error.span().start.offset..error.span().end.offset, error.kind().to_string())
            }
            regex_syntax::Error::Translate(error) => {
                (error.span().start.offset..error.span().end.offset, error.kind().to_string())
            }
            _ => (0..pattern.len(), "not a regular expression".to_string()),
        };
        Self { index: 0, pattern: pattern.to_string(), at, reason }
    }

    fn too_large(pattern: &str) -> Self {
        let reason = "needs too much memory for a pattern of three digits".to_string();
        Self { index: 0, pattern: pattern.to_string(), at: 0..pattern.len(), reason }
    }
}

/// Writes the set as ascending ranges: `204,304,400-599`.
impl fmt::Display for StatusSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut statuses = self.iter().map(Status::code).peekable();
        let mut separator = "";
        while let Some(first) = statuses.next() {
            let mut last = first;
            while let Some(next) = statuses.next_if(|next| *next == last + 1) {
                last = next;
            }
            if first == last {
                write!(f, "{separator}{first}")?;
            } else {
                write!(f, "{separator}{first}-{last}")?;
            }
            separator = ",";
        }
        Ok(())
    }
}

impl fmt::Debug for StatusSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StatusSet({self})")
    }
}

/// Text that is not the `Display` form of a [`StatusSet`]. Remedy: write ascending ranges, `204,400-599`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected statuses such as `204,400-599`, found `{0}`")]
pub struct NotAStatusSet(String);

impl core::str::FromStr for StatusSet {
    type Err = NotAStatusSet;

    fn from_str(text: &str) -> Result<Self, NotAStatusSet> {
        let fault = || NotAStatusSet(text.to_string());
        let digits = |text: &str| text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_digit());
        let status = |text: &str| {
            let code = text.parse().ok().filter(|_| digits(text));
            code.and_then(Status::new).ok_or_else(fault)
        };
        let mut set = Self::EMPTY;
        for range in text.split(',').filter(|_| !text.is_empty()) {
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            let (first, last) = (status(first)?, status(last)?);
            if first > last {
                return Err(fault());
            }
            (first.0..=last.0).for_each(|code| set.insert(Status(code)));
        }
        Ok(set)
    }
}

impl Serialize for StatusSet {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for StatusSet {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Failover;

    #[track_caller]
    fn check(profile: Profile, patterns: &[&str], expect: &str) {
        let set = StatusSet::matching(patterns.iter().copied(), profile).expect("a good pattern");
        assert_eq!(set.to_string(), expect);
        assert_eq!(set.to_string().parse::<StatusSet>(), Ok(set), "what is written can be read");
    }

    #[track_caller]
    fn check_refused(pattern: &str, at: Range<usize>, message: &str) {
        let error = StatusSet::matching(["429", pattern], Profile::Standard).expect_err("a bad pattern");
        assert_eq!((error.index, error.at.clone()), (1, at));
        assert_eq!(error.to_string(), message);
    }

    #[test]
    fn the_defaults_are_what_the_default_patterns_match() {
        for profile in [Profile::Standard, Profile::Higress] {
            let matched = StatusSet::matching(Failover::DEFAULT_ON_STATUS, profile).expect("good patterns");
            assert_eq!(StatusSet::default_for(profile), matched);
        }
    }

    #[test]
    fn standard_patterns_match_the_whole_status() {
        check(Profile::Standard, &["4.*", "5.*"], "400-599");
        check(Profile::Standard, &["429"], "429");
        check(Profile::Standard, &["4|429"], "429");
        check(Profile::Standard, &["50[023]"], "500,502-503");
        check(Profile::Standard, &[r"(?x) 5 \d \d # five hundreds"], "500-599");
        check(Profile::Standard, &[], "");
        check(Profile::Standard, &["4"], "");
    }

    #[test]
    fn higress_patterns_match_anywhere_in_the_status() {
        check(Profile::Higress, &["^4..$"], "400-499");
        check(Profile::Higress, &["429"], "429");
        check(Profile::Higress, &["99"], "199,299,399,499,599,699,799,899,990-999");
        let defaults = StatusSet::matching(["4.*", "5.*"], Profile::Higress).expect("the defaults");
        for code in [204, 205, 304, 405, 429, 503] {
            assert!(defaults.contains(Status(code)), "{code} has a 4 or a 5 somewhere");
        }
        for code in [200, 201, 302, 301] {
            assert!(!defaults.contains(Status(code)), "{code} has neither");
        }
    }

    #[test]
    fn a_bad_pattern_is_refused_with_its_place() {
        check_refused("4(2", 1..2, "unclosed group (character 2 of `4(2`)");
        check_refused(
            "[z-a]",
            1..4,
            "invalid character class range, the start must be <= the end (character 2 of `[z-a]`)",
        );
        check_refused("*", 0..0, "repetition operator missing expression (character 1 of `*`)");
        check_refused(
            "((4{1000}){1000}){1000}",
            0..23,
            "needs too much memory for a pattern of three digits (character 1 of `((4{1000}){1000}){1000}`)",
        );
    }
}
