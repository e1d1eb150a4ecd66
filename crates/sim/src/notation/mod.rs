//! Worlds and schedules as words of a command line, there and back.
//!
//! A world is its rules, a colon, and a program for each worker, as in
//! `tokens=ab failure-threshold=2: a429 tick | b429`; a schedule is its steps, as in `1b 2b 1g c 2l`.

mod schedule;
mod world;

use core::fmt;
use core::ops::Range;

pub use schedule::{parse_schedule, schedule_words};

/// Why a text is no world or no schedule. Remedy: its hint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misread {
    /// What was expected, and what was found.
    pub message: String,
    /// Where it stands, in bytes.
    pub place: Range<usize>,
    /// What to do about it.
    pub hint: String,
}

impl fmt::Display for Misread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {} ({})", self.message, self.place.start, self.hint)
    }
}

impl core::error::Error for Misread {}

/// A part of a text and where it stands.
#[derive(Copy, Clone, Debug)]
struct Part<'a> {
    text: &'a str,
    at: usize,
}

impl Part<'_> {
    fn misread(self, expected: &str, hint: impl Into<String>) -> Misread {
        self.wrong(format!("expected {expected}, found `{}`", self.text), hint)
    }

    fn wrong(self, message: String, hint: impl Into<String>) -> Misread {
        Misread { message, place: self.at..self.at + self.text.len(), hint: hint.into() }
    }

    /// The parts between the characters of which `separates` is true, which are of one byte each.
    fn split(self, separates: fn(char) -> bool) -> impl Iterator<Item = Self> {
        let mut at = self.at;
        self.text.split(separates).map(move |text| {
            let part = Part { text, at };
            at += text.len() + 1;
            part
        })
    }

    /// What stands between blanks.
    fn words(self) -> impl Iterator<Item = Self> {
        self.split(|c| c.is_ascii_whitespace()).filter(|word| !word.text.is_empty())
    }

    /// What stands between commas.
    fn items(self) -> impl Iterator<Item = Self> {
        self.split(|c| c == ',')
    }

    /// What stands before and after the first `separator`, a character of one byte.
    fn cut(self, separator: char) -> Option<(Self, Self)> {
        let (before, after) = self.text.split_once(separator)?;
        Some((Part { text: before, at: self.at }, Part { text: after, at: self.at + before.len() + 1 }))
    }

    fn after(self, prefix: &str) -> Option<Self> {
        let text = self.text.strip_prefix(prefix)?;
        Some(Part { text, at: self.at + prefix.len() })
    }

    /// A whole number from `least` to `most`, as digits.
    fn number(self, least: u64, most: u64) -> Result<u64, Misread> {
        let digits = !self.text.is_empty() && self.text.bytes().all(|byte| byte.is_ascii_digit());
        let number = self.text.parse().ok().filter(|number| digits && (least..=most).contains(number));
        number.ok_or_else(|| self.misread("a whole number", format!("from {least} to {most}")))
    }
}
