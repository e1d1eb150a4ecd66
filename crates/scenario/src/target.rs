//! What a scenario runs against. The runner asks, a target answers, and neither knows more of the other.

use std::collections::BTreeMap;

use firedrill_failover::{Event, Instant, Pool, Status, TokenState, Version, WorkerId};
use firedrill_yaml::Problem;
use serde::Serialize;

use crate::always::Invariant;
use crate::answer::Answer;
use crate::scenario::{Action, Expectation};
use crate::schedules::Explored;

/// Something that a scenario can be run against: the engine alone, a gateway over HTTP, a stranger.
pub trait Target {
    /// Its name, as in `--target`.
    fn name(&self) -> &'static str;

    /// Does one thing, and tells what came of it.
    ///
    /// # Errors
    /// [`Refusal::CannotAsk`] if it is a kind of thing that this target cannot be asked: the step is skipped and counted.
    /// [`Refusal::Impossible`] if it could not be done as things are: the scenario fails.
    fn act(&mut self, action: &Action) -> Result<Effect, Refusal>;

    /// Does several things at once, in different workers: all decide before any is heard. One effect each; what was
    /// appended is told with the last.
    ///
    /// # Errors
    /// As [`Target::act`].
    fn concurrently(&mut self, actions: &[Action]) -> Result<Vec<Effect>, Refusal>;

    /// Goes through the schedules in which several things at once can happen, and asks in every one what is `always` so
    /// and what is expected of each; changes nothing. `None` if this target cannot choose schedules.
    ///
    /// # Errors
    /// As [`Target::act`].
    fn schedules(
        &mut self,
        items: &[(Action, Option<Expectation>)],
        always: &[Invariant],
    ) -> Result<Option<Explored>, Refusal> {
        let _ = (items, always);
        Ok(None)
    }

    /// The pool as a worker sees it, or, for `None`, one that has heard everything.
    ///
    /// # Errors
    /// [`Refusal::CannotAsk`] if the target does not tell.
    fn state(&mut self, worker: Option<u32>) -> Result<PoolState, Refusal>;

    /// The log so far.
    ///
    /// # Errors
    /// [`Refusal::CannotAsk`] if the target does not tell.
    fn history(&self) -> Result<&History, Refusal>;

    /// The keys of an expectation that it cannot answer, each with why; `at_once` for one in the list of a `concurrently`.
    fn silent_on(&self, at_once: bool) -> Vec<(&'static str, String)> {
        let _ = at_once;
        Vec::new()
    }

    /// Whether what comes after an action that was skipped can still be asked and judged.
    fn goes_on_after_a_skip(&self) -> bool {
        true
    }

    /// What had happened, for people, a line each.
    fn timeline(&self) -> Vec<String> {
        self.history().map(History::timeline).unwrap_or_default()
    }
}

/// Why a target does not do or tell something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It cannot be asked this, whatever happens. The text says why, for the list of what was skipped.
    CannotAsk(String),
    /// It cannot be done now. The text says why.
    Impossible(String),
    /// It is not as the scenario needs it, so that nothing can be said of it. The problem says what to do about it.
    Unready(Problem),
}

impl Refusal {
    /// Why.
    pub fn reason(&self) -> &str {
        match self {
            Self::CannotAsk(reason) | Self::Impossible(reason) => reason,
            Self::Unready(problem) => problem.message(),
        }
    }
}

/// What came of an action.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Effect {
    /// The statuses that the clients got, in order.
    pub statuses: Vec<Status>,
    /// What became of requests to which no whole answer came, in words.
    pub unanswered: Vec<String>,
    /// Whether the body of each of their answers broke off.
    pub broken: Vec<bool>,
    /// The tokens drawn, in order, each with whether it was a fallback.
    pub draws: Vec<(String, bool)>,
    /// The tokens probed, in order.
    pub probes: Vec<String>,
    /// What was appended to the log, in order: `removed sk-a`, `none_available`, ….
    pub events: Vec<String>,
}

impl Effect {
    /// Adds what a client got.
    pub(crate) fn answered(&mut self, answer: &Answer) {
        self.statuses.push(answer.client());
        self.broken.push(answer.broken);
    }

    /// Adds what came of a later action.
    pub fn extend(&mut self, later: Self) {
        self.statuses.extend(later.statuses);
        self.unanswered.extend(later.unanswered);
        self.broken.extend(later.broken);
        self.draws.extend(later.draws);
        self.probes.extend(later.probes);
        self.events.extend(later.events);
    }
}

/// An event of `pool`'s log as an expectation names it: `removed sk-a`, `none_available`.
pub(crate) fn event_word(pool: &Pool, event: &Event) -> String {
    match event.token().and_then(|token| pool.token(token)) {
        Some(token) => format!("{} {}", event.name(), token.label),
        None => event.name().to_owned(),
    }
}

/// A pool, in labels. Times are since the start of the scenario.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PoolState {
    /// The version of the log it is the fold of.
    pub version: Version,
    /// The available tokens, in order.
    pub available: Vec<String>,
    /// The unavailable tokens, in the order in which they left.
    pub unavailable: Vec<String>,
    /// Failures counted; who has none is absent.
    pub failure_counts: BTreeMap<String, u64>,
    /// Probe successes counted; who has none is absent.
    pub success_counts: BTreeMap<String, u64>,
    /// Since when each unavailable token is out.
    pub unavailable_since: BTreeMap<String, Instant>,
}

impl PoolState {
    /// What `pool` says.
    pub fn of(pool: &Pool) -> Self {
        let label = |id| pool.token(id).map(|token| token.label.to_owned());
        let counts = |count: fn(&TokenState<'_>) -> u32| {
            let counted = pool.tokens().filter(|(_, token)| count(token) > 0);
            counted.map(|(_, token)| (token.label.to_owned(), u64::from(count(&token)))).collect()
        };
        Self {
            version: pool.version(),
            available: pool.available().filter_map(label).collect(),
            unavailable: pool.unavailable().filter_map(label).collect(),
            failure_counts: counts(|token| token.failures),
            success_counts: counts(|token| token.successes),
            unavailable_since: pool
                .tokens()
                .filter_map(|(_, token)| Some((token.label.to_owned(), token.unavailable_since?)))
                .collect(),
        }
    }

    /// The state as lines of text, for people and snapshots.
    pub fn lines(&self) -> Vec<String> {
        let unavailable = self.unavailable.iter().map(|label| match self.unavailable_since.get(label) {
            Some(since) => format!("{label} (since {since})"),
            None => label.clone(),
        });
        let counts = |counts: &BTreeMap<String, u64>| {
            let counts: Vec<String> =
                counts.iter().map(|(label, count)| format!("{label}: {count}")).collect();
            format!("{{{}}}", counts.join(", "))
        };
        vec![
            format!("version        {}", self.version),
            format!("available      [{}]", self.available.join(", ")),
            format!("unavailable    [{}]", unavailable.collect::<Vec<_>>().join(", ")),
            format!("failureCounts  {}", counts(&self.failure_counts)),
            format!("successCounts  {}", counts(&self.success_counts)),
        ]
    }
}

/// A log: for people, and as text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    /// One line an event.
    pub moments: Vec<Moment>,
    /// The log in its wire form, header first, one line an append.
    pub wire: Vec<String>,
}

/// An event of a log, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moment {
    /// The version that its append made.
    pub version: Version,
    /// When.
    pub at: Instant,
    /// By which worker.
    pub by: WorkerId,
    /// What happened, as a sentence.
    pub sentence: String,
}

impl History {
    /// The moments as lines of a table: when, which version, which worker, what.
    pub fn timeline(&self) -> Vec<String> {
        let times: Vec<String> = self.moments.iter().map(|moment| moment.at.to_string()).collect();
        let width = times.iter().map(String::len).max().unwrap_or_default();
        let lines = self.moments.iter().zip(&times);
        lines
            .map(|(Moment { version, by, sentence, .. }, time)| {
                let version = format!("v{version}");
                format!("{time:>width$}  {version:<4}  worker {by}  {sentence}")
            })
            .collect()
    }
}
