//! Replays a recorded run of another implementation and tells the first step at which the engine does otherwise.
//!
//! The format is that of `fixtures/reference/`: a provider block, and steps with the state that was seen after each.
//! A trace is of one worker and is replayed under the `higress` profile.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use firedrill_failover::{
    Attempt, Command, Config, Duration, Event, Failover, Instant, MemoryLog, Pool, Profile, Random, Status,
    Token, TokenId, Worker, WorkerId,
};
use firedrill_yaml::{Problem, Source, Spanned, redact};
use serde::Deserialize;

use crate::judge::Mismatch;
use firedrill_block::fingerprint;
use firedrill_block::{self as block, ProviderBlock};

/// What came of a trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conformance {
    /// Its name.
    pub trace: String,
    /// How many steps it has.
    pub steps: usize,
    /// The first step that differs; `None` if all agree.
    pub difference: Option<Difference>,
}

/// A step at which the engine does otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Which, from 1.
    pub step: usize,
    /// What happened in it.
    pub what: String,
    /// What the recorder noted.
    pub note: Option<String>,
    /// What was recorded (expected) and what the engine does (found).
    pub mismatches: Vec<Mismatch>,
}

/// Replays the trace in `source`.
///
/// # Errors
/// If it is not a trace, or its provider block is not a configuration.
pub fn conform(source: &Source) -> Result<Conformance, Problem> {
    let trace: Trace = source.parse("a recorded trace")?;
    let wrong = |problem: Problem| problem.in_file(source.name());
    let mut replay = Replay::new(&trace.provider).map_err(wrong)?;
    let mut difference = None;
    for (index, step) in trace.steps.iter().enumerate() {
        let mismatches = replay.step(step).map_err(wrong)?;
        if !mismatches.is_empty() {
            difference =
                Some(Difference { step: index + 1, what: step.text(), note: step.note.clone(), mismatches });
            break;
        }
    }
    Ok(Conformance { trace: trace.name, steps: trace.steps.len(), difference })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Trace {
    #[serde(rename = "trace")]
    name: String,
    provider: Spanned<ProviderBlock>,
    steps: Vec<Step>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    r#do: Deed,
    at: Instant,
    token: Option<String>,
    status: Option<u16>,
    ms: Option<Duration>,
    provider: Option<Spanned<ProviderBlock>>,
    #[serde(default)]
    probes: Vec<String>,
    drawn: Option<BTreeSet<String>>,
    then: Option<State>,
    note: Option<String>,
}

#[derive(Copy, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Deed {
    Start,
    Outcome,
    Advance,
    Tick,
    Probe,
    Reconfigure,
    Select,
}

/// The state that was seen, as the reference keeps it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct State {
    available: Vec<String>,
    unavailable: Vec<String>,
    failure_counts: BTreeMap<String, u32>,
    success_counts: BTreeMap<String, u32>,
    unavailable_since: BTreeMap<String, u64>,
}

impl Step {
    fn text(&self) -> String {
        let token = self.token.as_deref().unwrap_or_default();
        let status = self.status.unwrap_or_default();
        redact(&match self.r#do {
            Deed::Start => "start".to_owned(),
            Deed::Outcome => format!("outcome {status} for {token}"),
            Deed::Advance => format!("advance {}", self.ms.unwrap_or_default()),
            Deed::Tick => "tick".to_owned(),
            Deed::Probe => format!("probe of {token} answers {status}"),
            Deed::Reconfigure => "reconfigure".to_owned(),
            Deed::Select => "select".to_owned(),
        })
        .into_owned()
    }

    /// A field that this kind of step has.
    fn needs<T>(&self, field: Option<T>, name: &str) -> Result<T, Problem> {
        field
            .ok_or_else(|| Problem::new(format!("the step `{}` at {} has no `{name}`", self.text(), self.at)))
    }
}

/// Draws for each token of a pool; the chance that one of them is never drawn is below one in 10^27.
const DRAWS: usize = 64;

struct Replay {
    worker: Worker,
    log: MemoryLog,
    time: Instant,
    random: Random,
    /// Probes that are out, by token, oldest first.
    out: BTreeMap<String, VecDeque<(TokenId, u64)>>,
    expected: State,
}

impl Replay {
    fn new(provider: &Spanned<ProviderBlock>) -> Result<Self, Problem> {
        let config = config(provider)?;
        let mut replay = Self {
            worker: Worker::new(WorkerId::new(1), Instant::ZERO, &config),
            log: MemoryLog::new(),
            time: Instant::ZERO,
            random: Random::new(0, 0),
            out: BTreeMap::new(),
            expected: State::default(),
        };
        replay.perform(Command::Join(config));
        Ok(replay)
    }

    fn perform(&mut self, command: Command) -> Vec<Event> {
        let Ok(entry) = self.worker.perform(&mut self.log, self.time.since(Instant::ZERO), command);
        entry.map(|entry| entry.events.into_vec()).unwrap_or_default()
    }

    fn step(&mut self, step: &Step) -> Result<Vec<Mismatch>, Problem> {
        let mut mismatches = Vec::new();
        let mut compare = |what, expected: String, found: String| {
            if expected != found {
                let shown = |text: &str| redact(text).into_owned();
                mismatches.push(Mismatch { what, expected: shown(&expected), found: shown(&found) });
            }
        };
        match step.r#do {
            Deed::Start => {}
            Deed::Outcome => {
                let (token, status) =
                    (step.needs(step.token.as_ref(), "token")?, step.needs(step.status, "status")?);
                let status = Status::try_from(status).map_err(|error| Problem::new(error.to_string()))?;
                // An answer for a token that is not configured is one that was in flight: it changes nothing.
                if let Some(token) = self.worker.pool().find(token) {
                    self.perform(Command::Outcome { token, status, attempt: Attempt::First });
                }
            }
            Deed::Advance => self.time += step.needs(step.ms, "ms")?,
            Deed::Tick => {
                let mut probed = Vec::new();
                for event in self.perform(Command::Tick) {
                    let Event::ProbeSent { token, probe } = event else { continue };
                    let label = label(self.worker.pool(), token);
                    self.out.entry(label.clone()).or_default().push_back((token, probe));
                    probed.push(label);
                }
                compare("probes", format!("{:?}", step.probes), format!("{probed:?}"));
            }
            Deed::Probe => {
                let (token, status) =
                    (step.needs(step.token.as_ref(), "token")?, step.needs(step.status, "status")?);
                let answer = Status::new(status).unwrap_or(Status::TIMEOUT);
                match self.out.get_mut(token).and_then(VecDeque::pop_front) {
                    Some((token, probe)) => {
                        self.perform(Command::ProbeAnswered { token, probe, answer });
                    }
                    None => compare("probe", format!("one is out for {token}"), "none is out".to_owned()),
                }
            }
            Deed::Reconfigure => {
                let provider = step.needs(step.provider.as_ref(), "provider")?;
                self.perform(Command::Reconfigure(config(provider)?));
                self.out.clear();
            }
            Deed::Select => {
                let pool = self.worker.pool();
                let found: BTreeSet<String> = (0..pool.len() * DRAWS)
                    .map(|_| label(pool, pool.select(&mut self.random).token))
                    .collect();
                let expected = step.needs(step.drawn.as_ref(), "drawn")?;
                compare("drawn", format!("{expected:?}"), format!("{found:?}"));
            }
        }
        compare("at", step.at.to_string(), self.time.to_string());
        if let Some(then) = &step.then {
            self.expected = then.clone();
        }
        let (expected, found) = (&self.expected, state(self.worker.pool()));
        compare("available", format!("{:?}", expected.available), format!("{:?}", found.available));
        compare("unavailable", format!("{:?}", expected.unavailable), format!("{:?}", found.unavailable));
        compare(
            "failureCounts",
            format!("{:?}", expected.failure_counts),
            format!("{:?}", found.failure_counts),
        );
        compare(
            "successCounts",
            format!("{:?}", expected.success_counts),
            format!("{:?}", found.success_counts),
        );
        let (wanted, since) = (&expected.unavailable_since, &found.unavailable_since);
        compare("unavailableSince", format!("{wanted:?}"), format!("{since:?}"));
        Ok(mismatches)
    }
}

fn config(provider: &Spanned<ProviderBlock>) -> Result<Config, Problem> {
    let token = |written: &str| Token { label: written.into(), fingerprint: fingerprint(written) };
    block::parse(provider, Profile::Higress, token).map_err(|mut problems| problems.swap_remove(0))
}

fn label(pool: &Pool, id: TokenId) -> String {
    pool.token(id).map(|token| token.label.to_owned()).unwrap_or_default()
}

/// What the reference would show: with failover off it keeps no state, and a time only if there is a cooldown.
fn state(pool: &Pool) -> State {
    let Some(failover) = pool.policy().failover() else { return State::default() };
    let mut state = State {
        available: pool.available().map(|id| label(pool, id)).collect(),
        unavailable: pool.unavailable().map(|id| label(pool, id)).collect(),
        ..State::default()
    };
    let has_cooldown = Failover::cooldown(failover).is_some();
    for (_, token) in pool.tokens() {
        let name = || token.label.to_owned();
        if token.failures > 0 {
            state.failure_counts.insert(name(), token.failures);
        }
        if token.successes > 0 {
            state.success_counts.insert(name(), token.successes);
        }
        if let Some(since) = token.unavailable_since.filter(|_| has_cooldown) {
            state.unavailable_since.insert(name(), since.as_millis());
        }
    }
    state
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A trace in which the reference did something else at the step `with` says.
    #[track_caller]
    fn check(with: (&str, &str), expect: Option<(usize, &str)>) {
        let text = include_str!("../../../fixtures/reference/t10_single.json");
        let (right, wrong) = with;
        assert!(text.contains(right), "the trace says {right}");
        let source = Source::new("trace.json", text.replacen(right, wrong, 1));
        let conformance = conform(&source).expect("a trace");
        let found = conformance.difference.map(|difference| {
            let what = difference.mismatches.iter().map(|mismatch| mismatch.what).collect::<Vec<_>>();
            (difference.step, what.join(" "))
        });
        assert_eq!(found, expect.map(|(step, what)| (step, what.to_owned())));
    }

    #[test]
    fn a_trace_that_says_otherwise_is_found_at_its_step() {
        check(("t10_single", "anything"), None);
        check(
            (r#""failureThreshold": 1"#, r#""failureThreshold": 2"#),
            Some((2, "available unavailable failureCounts unavailableSince")),
        );
        check((r#""ms": 1000"#, r#""ms": 999"#), Some((4, "at")));
        check((r#""drawn": ["sk-a"]"#, r#""drawn": []"#), Some((3, "drawn")));
        check((r#"{"do": "tick", "#, r#"{"do": "tick", "probes": ["sk-a"], "#), Some((5, "probes")));
        check(
            (r#""unavailableSince": {"sk-a": 0}"#, r#""unavailableSince": {"sk-a": 1}"#),
            Some((2, "unavailableSince")),
        );
    }
}
