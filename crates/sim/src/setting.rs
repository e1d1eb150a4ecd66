//! A world before anything has happened: the rules of its pool, the programs of its workers, its clock and its faults.

use crate::command::{Command, Token};
use crate::property::Property;

/// What a world is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// The tokens it begins with.
    pub tokens: Vec<Token>,
    /// Consecutive failures that take a token out; at least 1.
    pub failure_threshold: u32,
    /// Probe successes that bring a token back; at least 1.
    pub success_threshold: u32,
    /// `cooldownDuration` in milliseconds; 0 for none.
    pub cooldown: u64,
    /// Whether unavailable tokens are probed.
    pub health_check: bool,
    /// What each worker does, in order.
    pub programs: Vec<Vec<Command>>,
    /// The moments that the clock goes on to, ascending, in milliseconds after the beginning; anything may happen before
    /// and after each.
    pub moments: Vec<u64>,
    /// By how many milliseconds each worker's clock is ahead of the world's; nothing said is 0.
    pub ahead: Vec<i64>,
    /// The faults that may happen.
    pub faults: Faults,
    /// What is checked.
    pub watch: Vec<Property>,
}

/// How many faults of each kind a schedule may hold.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// Replies that are lost on their way to a worker.
    pub lost_replies: u32,
    /// Workers that die between two steps.
    pub deaths: u32,
}

/// How many milliseconds after the zero of its time a world begins, so that a clock can be behind.
pub(crate) const BEGINNING: u64 = 1_000_000;

impl Setting {
    /// `tokens` tokens, thresholds of one, a cooldown of 100 ms and no faults, with these programs; everything is watched.
    pub fn new(tokens: u8, programs: Vec<Vec<Command>>) -> Self {
        Self {
            tokens: Token::first(tokens),
            failure_threshold: 1,
            success_threshold: 1,
            cooldown: 100,
            health_check: false,
            programs,
            moments: Vec::new(),
            ahead: Vec::new(),
            faults: Faults::default(),
            watch: Property::ALL.to_vec(),
        }
    }

    /// The clock of worker `worker` when the world's is at `now`.
    pub(crate) fn clock_of(&self, worker: usize, now: u64) -> u64 {
        now.saturating_add_signed(self.ahead.get(worker).copied().unwrap_or_default())
    }

    /// By how much any two clocks disagree at most.
    pub(crate) fn disagreement(&self) -> u64 {
        let most = self.ahead.iter().copied().max().unwrap_or_default().max(0);
        let least = self.ahead.iter().copied().min().unwrap_or_default().min(0);
        most.abs_diff(least)
    }
}
