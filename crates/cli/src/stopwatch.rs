//! The one clock of this crate: how long a run took, for its summary. No verdict depends on it.

use std::fmt;
use std::time::{Duration, Instant};

pub(crate) struct Stopwatch(Instant);

impl Stopwatch {
    #[expect(clippy::disallowed_methods, reason = "the edge: the time in the summary, and nothing else")]
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    pub(crate) fn elapsed(&self) -> Elapsed {
        Elapsed(self.0.elapsed())
    }
}

/// How long something took: `3 ms`, `1.2 s`.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Elapsed(pub(crate) Duration);

impl Elapsed {
    /// Whole milliseconds, as JSON has it.
    pub(crate) fn millis(self) -> u64 {
        u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX)
    }
}

impl fmt::Display for Elapsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.millis() {
            millis @ ..1_000 => write!(f, "{millis} ms"),
            millis => write!(f, "{}.{} s", millis / 1_000, millis % 1_000 / 100),
        }
    }
}
