//! Runs a scenario against a target and judges what comes of it.

use firedrill_yaml::{Place, Problem};

use crate::account::Wrong;
use crate::always::Invariant;
use crate::engine::EngineTarget;
use crate::judge::{Mismatch, judge};
use crate::scenario::{Action, Expectation, Scenario, Step, StepKind};
use crate::schedules::{Broken, BrokenSchedule, Explored};
use crate::target::{Effect, History, PoolState, Refusal, Target};

/// What came of a run.
#[derive(Clone, Debug)]
pub struct Run {
    /// The verdict.
    pub verdict: Verdict,
    /// The seed that it drew by.
    pub seed: u64,
    /// What could not be asked of the target.
    pub skipped: Vec<Skipped>,
    /// What came of going through the schedules of each `concurrently`, with its place.
    pub explored: Vec<(Place, Explored)>,
    /// The log, as far as the target told.
    pub history: History,
    /// The pool at the end, if the target told.
    pub state: Option<PoolState>,
}

/// Whether a scenario holds.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// Everything that was expected came true.
    Passed,
    /// Something did not.
    Failed(Failure),
}

/// The first step that did not go as expected.
#[derive(Clone, Debug)]
pub struct Failure {
    /// Where, and in a line what.
    pub problem: Problem,
    /// What was expected and what was found.
    pub mismatches: Vec<Mismatch>,
    /// The log up to there, for people; if a schedule broke something, up to the step of which it is one.
    pub timeline: Vec<String>,
    /// The steps of the schedule that broke something, in order; empty if it was no matter of schedules.
    pub schedule: Vec<String>,
}

/// Something that the target could not be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// Where it stands.
    pub place: Place,
    /// Why.
    pub reason: String,
}

/// Runs `scenario` on the engine alone, drawing by `seed` or, if that is `None`, by its own.
pub fn run_on_engine(scenario: &Scenario, seed: Option<u64>) -> Run {
    let seed = seed.unwrap_or(scenario.seed);
    run(scenario, seed, &mut EngineTarget::new(scenario, seed))
}

/// Runs `scenario` against `target`, which was made for it and draws by `seed`.
pub fn run(scenario: &Scenario, seed: u64, target: &mut dyn Target) -> Run {
    let always = scenario.steps.iter().flat_map(invariants).collect();
    let mut runner = Runner {
        scenario,
        target,
        always,
        last: Effect::default(),
        skipped: Vec::new(),
        explored: Vec::new(),
    };
    let verdict = match runner.steps() {
        Ok(()) => Verdict::Passed,
        Err(failure) => Verdict::Failed(failure),
    };
    let (skipped, explored) = (runner.skipped, runner.explored);
    let history = target.history().cloned().unwrap_or_default();
    Run { verdict, seed, skipped, explored, history, state: target.state(None).ok() }
}

struct Runner<'a> {
    scenario: &'a Scenario,
    target: &'a mut dyn Target,
    /// What holds throughout.
    always: Vec<(Place, Invariant)>,
    /// What came of the last step that did something.
    last: Effect,
    skipped: Vec<Skipped>,
    explored: Vec<(Place, Explored)>,
}

impl Runner<'_> {
    fn steps(&mut self) -> Result<(), Failure> {
        for step in &self.scenario.steps {
            self.step(step)?;
            self.check_states()?;
        }
        self.check_log()
    }

    fn step(&mut self, step: &Step) -> Result<(), Failure> {
        match &step.kind {
            StepKind::Act { action, times, expect } => {
                self.last = Effect::default();
                for _ in 0..*times {
                    let effect = self.target.act(action);
                    let Some(effect) = self.done(step.place, effect)? else { return Ok(()) };
                    self.last.extend(effect);
                }
                let effect = self.last.clone();
                expect.as_ref().map_or(Ok(()), |expect| self.judge(expect, &effect))
            }
            StepKind::Concurrently(items) => self.concurrently(step.place, items),
            StepKind::Expect(expect) => {
                let effect = self.last.clone();
                self.judge(expect, &effect)
            }
            StepKind::Always(_) => Ok(()),
        }
    }

    /// Goes through the schedules of `items`, and on from the one in which they stand. What fails in that one is told
    /// first: it is the plainest.
    fn concurrently(&mut self, place: Place, items: &[(Action, Option<Expectation>)]) -> Result<(), Failure> {
        let before = self.target.history().map_or(0, |history| history.moments.len());
        let always: Vec<Invariant> = self.always.iter().map(|(_, invariant)| *invariant).collect();
        let explored = self.target.schedules(items, &always);
        let explored = self.done(place, explored)?.flatten();
        let actions: Vec<Action> = items.iter().map(|(action, _)| action.clone()).collect();
        let effects = self.target.concurrently(&actions);
        let Some(effects) = self.done(place, effects)? else { return Ok(()) };
        self.last = Effect::default();
        for effect in &effects {
            self.last.extend(effect.clone());
        }
        let mut judged =
            items.iter().zip(&effects).filter_map(|((_, expect), effect)| Some((expect.as_ref()?, effect)));
        judged.try_for_each(|(expect, effect)| self.judge(expect, effect))?;
        let Some(explored) = explored else { return Ok(()) };
        let broken = explored.broken.clone();
        self.explored.push((place, explored));
        broken.map_or(Ok(()), |broken| Err(self.broken_schedule(place, broken, before)))
    }

    /// What a schedule of the step at `place` breaks. `before` the step that many events were in the log.
    fn broken_schedule(&self, place: Place, schedule: BrokenSchedule, before: usize) -> Failure {
        let mut failure = match schedule.broken {
            Broken::Always(Wrong { invariant, seen }) => self.broken(place, invariant, &seen),
            Broken::Expected(place, mismatches) => {
                let message = format!("{} not as expected in another schedule", names(&mismatches));
                self.failure(place, &message, mismatches)
            }
            Broken::Impossible(reason) => {
                self.failure(place, &format!("not possible in another schedule: {reason}"), Vec::new())
            }
        };
        failure.timeline.truncate(before);
        Failure { schedule: schedule.steps, ..failure }
    }

    /// What the target did; `None` if it cannot be asked and the step is skipped.
    fn done<T>(&mut self, place: Place, done: Result<T, Refusal>) -> Result<Option<T>, Failure> {
        match done {
            Ok(effect) => Ok(Some(effect)),
            Err(Refusal::CannotAsk(reason)) => {
                self.skipped.push(Skipped { place, reason });
                Ok(None)
            }
            Err(Refusal::Impossible(reason)) => Err(self.failure(place, &reason, Vec::new())),
        }
    }

    fn judge(&mut self, expect: &Expectation, effect: &Effect) -> Result<(), Failure> {
        let state = if expect.asks_of_the_pool() {
            let state = self.target.state(expect.worker);
            self.done(expect.place, state)?
        } else {
            None
        };
        let mismatches = judge(expect, effect, state.as_ref());
        if mismatches.is_empty() {
            return Ok(());
        }
        let message = format!("{} not as expected", names(&mismatches));
        Err(self.failure(expect.place, &message, mismatches))
    }

    fn check_states(&mut self) -> Result<(), Failure> {
        if self.always.is_empty() {
            return Ok(());
        }
        // A worker that was stopped tells nothing any more, and nothing is asked of it.
        let states: Vec<(u32, PoolState)> = (1..=self.scenario.workers)
            .filter_map(|worker| Some((worker, self.target.state(Some(worker)).ok()?)))
            .collect();
        for (place, invariant) in &self.always {
            invariant.check_states(&states).map_err(|wrong| self.broken(*place, *invariant, &wrong))?;
        }
        Ok(())
    }

    fn check_log(&mut self) -> Result<(), Failure> {
        for (place, invariant) in self.always.clone() {
            let checked = self.target.history().map(|history| invariant.check_log(&history.wire));
            if let Some(checked) = self.done(place, checked)? {
                checked.map_err(|wrong| self.broken(place, invariant, &wrong))?;
            }
        }
        Ok(())
    }

    fn broken(&self, place: Place, invariant: Invariant, wrong: &str) -> Failure {
        self.failure(place, &format!("not always so: {}: {wrong}", invariant.sentence()), Vec::new())
    }

    fn failure(&self, place: Place, message: &str, mismatches: Vec<Mismatch>) -> Failure {
        let problem = Problem::new(message).in_file(self.scenario.source.name()).at(place);
        Failure { problem, mismatches, timeline: self.timeline(), schedule: Vec::new() }
    }

    fn timeline(&self) -> Vec<String> {
        self.target.history().map(History::timeline).unwrap_or_default()
    }
}

fn names(mismatches: &[Mismatch]) -> String {
    mismatches.iter().map(|mismatch| mismatch.what).collect::<Vec<_>>().join(", ")
}

fn invariants(step: &Step) -> Vec<(Place, Invariant)> {
    match &step.kind {
        StepKind::Always(invariants) => invariants.iter().map(|invariant| (step.place, *invariant)).collect(),
        _ => Vec::new(),
    }
}

/// Of what had happened, this much is shown: what led to a failure is seldom farther back.
const MOST_LINES: usize = 50;

impl Failure {
    /// The failure for a person to read: where and what, expected and found side by side, and what had happened.
    pub fn render(&self, scenario: &Scenario, color: bool) -> String {
        let mut text = self.problem.render(Some(&scenario.source), color);
        if !self.mismatches.is_empty() {
            text.push_str("\n\n");
            text.push_str(&Mismatch::table(&self.mismatches));
        }
        let mut list = |heading: &str, lines: &[String], hint: &str| {
            if lines.is_empty() {
                return;
            }
            text.push_str("\n\n  ");
            text.push_str(heading);
            let earlier = lines.len().saturating_sub(MOST_LINES);
            let cut = (earlier > 0).then(|| format!("… {earlier} before these; {hint} them all"));
            for line in cut.iter().chain(&lines[earlier..]) {
                text.push_str("\n    ");
                text.push_str(line);
            }
        };
        list("what had happened:", &self.timeline, "`--log DIR` keeps");
        let steps = self.schedule.iter().enumerate();
        let steps: Vec<String> = steps.map(|(number, step)| format!("{:3}. {step}", number + 1)).collect();
        list("the schedule that breaks it:", &steps, "`--format json` prints");
        text
    }
}
