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
    /// How the rules are read.
    pub profile: Profile,
    /// Whether a reload forgets what was known of the tokens.
    pub reload_resets: bool,
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

/// How the rules are read.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub enum Profile {
    /// Our own way.
    #[default]
    Standard,
    /// The reference's way.
    Higress,
}

/// How many faults of each kind a schedule may hold.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// Replies that are lost on their way to a worker.
    pub lost_replies: u32,
    /// Workers that die between two steps.
    pub deaths: u32,
    /// Wall clocks that are set back, each by [`SET_BACK`] milliseconds.
    pub set_back: u32,
    /// Times for which the store answers nobody.
    pub away: u32,
    /// Times that the store forgets its last append, or everything.
    pub forgets: u32,
}

/// By how many milliseconds a wall clock is set back.
pub const SET_BACK: u64 = 5_000;

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
            profile: Profile::Standard,
            reload_resets: false,
            programs,
            moments: Vec::new(),
            ahead: Vec::new(),
            faults: Faults::default(),
            watch: Property::ALL.to_vec(),
        }
    }

    /// What the wall clock of worker `worker` says when the world's is at `now`, if it was set back so often.
    pub(crate) fn clock_of(&self, worker: usize, now: u64, set_back: u32) -> u64 {
        let ahead = self.ahead.get(worker).copied().unwrap_or_default();
        now.saturating_add_signed(ahead).saturating_sub(u64::from(set_back) * SET_BACK)
    }

    /// By how much any two clocks disagree at most, when they were set back so often.
    pub(crate) fn disagreement(&self, set_back: impl Iterator<Item = u32>) -> u64 {
        let mut ahead = self.ahead.iter().copied();
        let (mut most, mut least) = (0u64, 0u64);
        for times in set_back {
            let ahead = ahead.next().unwrap_or_default();
            most = most.max(ahead.max(0).unsigned_abs());
            least = least.max(ahead.min(0).unsigned_abs() + u64::from(times) * SET_BACK);
        }
        most + least
    }

    /// Whether a request that was answered `status` succeeded.
    pub(crate) fn succeeds(&self, status: u16) -> bool {
        match self.profile {
            Profile::Standard => (200..300).contains(&status),
            Profile::Higress => status == 200,
        }
    }

    /// Whether a request that was answered `status` failed, as the default patterns have it: `4.*` and `5.*`.
    pub(crate) fn fails(&self, status: u16) -> bool {
        match self.profile {
            Profile::Standard => (400..600).contains(&status),
            Profile::Higress => !self.succeeds(status) && status.to_string().contains(['4', '5']),
        }
    }
}
