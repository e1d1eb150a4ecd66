//! Sets of statuses, and the patterns that Higress writes for them.
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

use super::Status;
use crate::config::Profile;

/// A set of statuses: one bit each, so that asking costs one load.
///
/// **Architecture invariant:** with the status that a client is answered for a named failure the failure is in the set too, so a
/// pattern that was written for statuses counts what its client would have seen. On its own a named failure may be in it as well.
#[derive(Clone, PartialEq, Eq)]
pub struct StatusSet([u64; 16]);

impl StatusSet {
    /// The empty set.
    pub const EMPTY: Self = Self([0; 16]);

    /// Adds `status`, and with 503 or 504 the named failures that a client is answered it for.
    pub const fn insert(&mut self, status: Status) {
        self.set(status);
        let mut place = 0;
        while place < Status::NAMED.len() {
            let named = Status::NAMED[place];
            if named.code() == status.0 {
                self.set(named);
            }
            place += 1;
        }
    }

    const fn set(&mut self, status: Status) {
        self.0[(status.0 / 64) as usize] |= 1 << (status.0 % 64);
    }

    /// Whether `status` is in the set.
    pub const fn contains(&self, status: Status) -> bool {
        self.0[(status.0 / 64) as usize] & (1 << (status.0 % 64)) != 0
    }

    /// Every status in the set, ascending, and then the named failures in it.
    pub fn iter(&self) -> impl Iterator<Item = Status> {
        self.codes().chain(Status::NAMED).filter(|status| self.contains(*status))
    }

    /// The statuses of HTTP in the set, ascending.
    fn codes(&self) -> impl Iterator<Item = Status> {
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
    /// [`Profile::Higress`], the whole of it for [`Profile::Standard`]. A named failure is matched by its name or by the status
    /// that a client is answered for it.
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
            for status in (Status::MIN..=Status::MAX).map(Status).chain(Status::NAMED) {
                if matcher.is_match(&mut cache, status.to_string().as_str()) {
                    set.insert(status);
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

/// Writes the set as ascending ranges, `204,304,400-599`, and after them those named failures that are not in it by a status
/// already: `429,timeout`.
impl fmt::Display for StatusSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut codes = self.codes().map(Status::code).peekable();
        let mut separator = "";
        while let Some(first) = codes.next() {
            let mut last = first;
            while let Some(next) = codes.next_if(|next| *next == last + 1) {
                last = next;
            }
            if first == last {
                write!(f, "{separator}{first}")?;
            } else {
                write!(f, "{separator}{first}-{last}")?;
            }
            separator = ",";
        }
        for named in Status::NAMED {
            if self.contains(named) && !self.contains(Status(named.code())) {
                write!(f, "{separator}{named}")?;
                separator = ",";
            }
        }
        Ok(())
    }
}

impl fmt::Debug for StatusSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StatusSet({self})")
    }
}

/// Text that is not the `Display` form of a [`StatusSet`]. Remedy: write ascending ranges and the names of
/// failures, `204,400-599` or `429,timeout`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected statuses such as `204,400-599` or `429,timeout`, found `{0}`")]
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
            if let Some(named) = Status::named(range) {
                set.insert(named);
                continue;
            }
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
    fn a_named_failure_is_matched_by_its_name_or_by_what_a_client_is_answered() {
        for (patterns, written, expect) in [
            (&["4.*", "5.*"][..], "400-599", &Status::NAMED[..]),
            (&["429"], "429", &[]),
            (&["429", "timeout"], "429,timeout", &[Status::TIMEOUT]),
            (&["503"], "503", &[Status::CONNECT, Status::RESET]),
            (&["504"], "504", &[Status::TIMEOUT]),
            (&["503", "connect", "timeout"], "503,timeout", &Status::NAMED),
            (&["(connect|reset)"], "connect,reset", &[Status::CONNECT, Status::RESET]),
            (&["time", "out"], "", &[]),
        ] {
            check(Profile::Standard, patterns, written);
            let set = StatusSet::matching(patterns.iter().copied(), Profile::Standard).expect("good ones");
            let named: alloc::vec::Vec<Status> =
                set.iter().filter(|status| status.name().is_some()).collect();
            assert_eq!(named, expect, "{patterns:?}");
        }
        check(Profile::Higress, &["out"], "timeout");
        check(Profile::Higress, &["t$"], "connect,timeout,reset");
        check(Profile::Higress, &["[a-z]"], "connect,timeout,reset");
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
