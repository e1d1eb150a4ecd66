//! A scenario that was checked: every name is resolved, every number in range. What a target is asked and what is
//! expected of it, and nothing of how it was written but the places.

use std::collections::BTreeMap;
use std::sync::Arc;

use firedrill_failover::{Attempt, Config, Duration, Instant, Status};
use firedrill_provider::{Dialect, Upstream};
use firedrill_yaml::{Place, Problem, Source, Spanned};

use crate::always::Invariant;
use crate::calls::Calls;

/// A rehearsal, ready to run.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// What it shows.
    pub name: String,
    /// Why it matters, or where it comes from.
    pub description: Option<String>,
    /// Words to choose it by.
    pub tags: Vec<String>,
    /// What every draw derives from.
    pub seed: u64,
    /// How many workers share the pool; at least 1.
    pub workers: u32,
    /// Whether `advance` fires the ticks that fall due.
    pub ticks_fall_due: bool,
    /// Whether probes wait for a `probe` step instead of being answered by the upstream at once: so it is if the
    /// scenario has one.
    pub answers_probes: bool,
    /// Whose API the provider speaks: the `type` of its block.
    pub kind: Option<String>,
    /// The pool at the start.
    pub config: Config,
    /// How long the upstream may take until the headers of an answer, and between two pieces of its body.
    pub timeout: Duration,
    /// What the provider will do.
    pub upstream: Arc<Upstream>,
    /// What happens, in order.
    pub steps: Vec<Step>,
    /// Keys of the provider block that have nothing to do with failover.
    pub ignored: Vec<Spanned<String>>,
    /// What is worth a look and no error.
    pub warnings: Vec<Problem>,
    /// Where it was read from.
    pub source: Source,
}

impl Scenario {
    /// Whose API the provider speaks: OpenAI's, unless its block says otherwise, as most do that call themselves by another name.
    pub(crate) fn dialect(&self) -> Dialect {
        self.kind.as_deref().and_then(|kind| kind.parse().ok()).unwrap_or(Dialect::OpenAi)
    }
}

/// A step.
#[derive(Clone, Debug)]
pub struct Step {
    /// Where it stands.
    pub place: Place,
    /// Why it is there.
    pub description: Option<String>,
    /// What it is.
    pub kind: StepKind,
}

/// What a step is.
#[derive(Clone, Debug)]
pub enum StepKind {
    /// Something happens, one or more times, and something may be expected of it.
    Act {
        /// What happens.
        action: Action,
        /// How many times; at least 1.
        times: u64,
        /// What should come of it.
        expect: Option<Expectation>,
    },
    /// Several things happen at once, each with what should come of it.
    Concurrently(Vec<(Action, Option<Expectation>)>),
    /// Something is expected of what happened last, or of the pool.
    Expect(Expectation),
    /// Something holds at every version of the log.
    Always(Vec<Invariant>),
}

/// What a target is asked to do. Workers are numbered from 1, tokens are labels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// A client sends a request.
    Request {
        /// Which worker serves it.
        worker: u32,
        /// The tokens to draw, by attempt; past the end, and if empty, whichever the seed says.
        draws: Vec<String>,
        /// Whether the client asks for a stream.
        stream: bool,
    },
    /// A response with a status is reported for a token.
    Outcome {
        /// Which worker heard it.
        worker: u32,
        /// Which token was used.
        token: String,
        /// What was answered.
        status: Status,
        /// Which attempt it was.
        attempt: Attempt,
    },
    /// The oldest probe that is out for a token is answered.
    Probe {
        /// For which token.
        token: String,
        /// What was answered.
        answer: Status,
    },
    /// Time passes.
    Advance(Duration),
    /// The tick runs now.
    Tick {
        /// Whose.
        worker: u32,
    },
    /// The wall clock is set back while time goes on.
    ClockBack(Duration),
    /// A worker loads another configuration.
    Reconfigure {
        /// Which worker.
        worker: u32,
        /// What it loads.
        config: Box<Config>,
        /// The upstream's time for an answer in it, as [`Scenario::timeout`].
        timeout: Duration,
    },
    /// A worker dies.
    Stop {
        /// Which.
        worker: u32,
    },
    /// A worker that was stopped starts again, as a new one.
    Start {
        /// Which.
        worker: u32,
    },
}

/// What should be so. What is `None` is not asked.
#[derive(Clone, Debug)]
pub struct Expectation {
    /// Where it stands.
    pub place: Place,
    /// Whose fold is asked; `None` for that of a worker that has heard everything.
    pub worker: Option<u32>,
    /// The available tokens.
    pub available: Option<TokenList>,
    /// The unavailable tokens.
    pub unavailable: Option<TokenList>,
    /// Failures counted; who is not named has none.
    pub failure_counts: Option<BTreeMap<String, u64>>,
    /// Probe successes counted; who is not named has none.
    pub success_counts: Option<BTreeMap<String, u64>>,
    /// Since when each unavailable token is out; who is not named is available.
    pub unavailable_since: Option<BTreeMap<String, Instant>>,
    /// The status of each answer.
    pub status: Option<Status>,
    /// The tokens drawn, in order.
    pub drawn: Option<Vec<String>>,
    /// Whether each draw was a fallback.
    pub fallback: Option<bool>,
    /// Whether the body of each answer broke off.
    pub broken: Option<bool>,
    /// The probes sent.
    pub probes: Option<Probes>,
    /// How often the provider was called.
    pub calls: Option<Calls>,
    /// What was appended to the log, in order.
    pub events: Option<Vec<String>>,
}

/// A list of tokens that is expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenList {
    /// The labels.
    pub labels: Vec<String>,
    /// Whether the order matters.
    pub ordered: bool,
}

/// The probes that are expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Probes {
    /// So many.
    Count(u64),
    /// For these tokens, in order.
    Tokens(Vec<String>),
}
