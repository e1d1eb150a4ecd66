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
    /// Nothing that was expected could be asked of the target.
    NotJudged,
    /// The target is not as the scenario needs it.
    CouldNotRun(Problem),
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
    // Where nothing makes up for a step, one that there is not is like one that was skipped.
    let last = target.goes_on_after_a_skip().then(Effect::default);
    let mut runner = Runner {
        scenario,
        target,
        always,
        last,
        judged: 0,
        lost: None,
        skipped: Vec::new(),
        explored: Vec::new(),
    };
    let verdict = match runner.steps() {
        Ok(()) if runner.judged == 0 && !runner.skipped.is_empty() => Verdict::NotJudged,
        Ok(()) => Verdict::Passed,
        Err(Stopped::Failed(failure)) => Verdict::Failed(*failure),
        Err(Stopped::Unready(problem)) => Verdict::CouldNotRun(problem),
    };
    let (skipped, explored) = (runner.skipped, runner.explored);
    let history = target.history().cloned().unwrap_or_default();
    Run { verdict, seed, skipped, explored, history, state: target.state(None).ok() }
}

/// Why a run goes no further.
enum Stopped {
    Failed(Box<Failure>),
    Unready(Problem),
}

impl From<Failure> for Stopped {
    fn from(failure: Failure) -> Self {
        Self::Failed(Box::new(failure))
    }
}

struct Runner<'a> {
    scenario: &'a Scenario,
    target: &'a mut dyn Target,
    /// What holds throughout.
    always: Vec<(Place, Invariant)>,
    /// What came of the last step that did something; `None` if it was skipped.
    last: Option<Effect>,
    /// How many of the things that were expected were judged.
    judged: usize,
    /// The step that was skipped and after which nothing can be asked any more.
    lost: Option<Place>,
    skipped: Vec<Skipped>,
    explored: Vec<(Place, Explored)>,
}

impl Runner<'_> {
    fn steps(&mut self) -> Result<(), Stopped> {
        for step in &self.scenario.steps {
            if let (Some(lost), false) = (self.lost, matches!(step.kind, StepKind::Always(_))) {
                let reason = format!("it comes after line {}, which was skipped", lost.line);
                self.skipped.push(Skipped { place: step.place, reason });
                continue;
            }
            self.step(step)?;
            self.check_states()?;
        }
        self.check_log()
    }

    fn step(&mut self, step: &Step) -> Result<(), Stopped> {
        match &step.kind {
            StepKind::Act { action, times, expect } => {
                self.last = None;
                let mut effect = Effect::default();
                for _ in 0..*times {
                    let done = self.target.act(action);
                    let Some(done) = self.acted(step.place, done)? else { return Ok(()) };
                    effect.extend(done);
                }
                self.last = Some(effect.clone());
                expect.as_ref().map_or(Ok(()), |expect| self.judge(expect, Some(&effect), false))
            }
            StepKind::Concurrently(items) => self.concurrently(step.place, items),
            StepKind::Expect(expect) => {
                let effect = self.last.clone();
                self.judge(expect, effect.as_ref(), false)
            }
            StepKind::Always(_) => Ok(()),
        }
    }

    /// Goes through the schedules of `items`, and on from the one in which they stand. What fails in that one is told
    /// first: it is the plainest.
    fn concurrently(&mut self, place: Place, items: &[(Action, Option<Expectation>)]) -> Result<(), Stopped> {
        let before = self.target.history().map_or(0, |history| history.moments.len());
        let always: Vec<Invariant> = self.always.iter().map(|(_, invariant)| *invariant).collect();
        let explored = self.target.schedules(items, &always);
        let explored = self.done(place, explored)?.flatten();
        let actions: Vec<Action> = items.iter().map(|(action, _)| action.clone()).collect();
        self.last = None;
        let effects = self.target.concurrently(&actions);
        let Some(effects) = self.acted(place, effects)? else { return Ok(()) };
        let mut last = Effect::default();
        for effect in &effects {
            last.extend(effect.clone());
        }
        self.last = Some(last);
        let mut judged =
            items.iter().zip(&effects).filter_map(|((_, expect), effect)| Some((expect.as_ref()?, effect)));
        judged.try_for_each(|(expect, effect)| self.judge(expect, Some(effect), true))?;
        let Some(explored) = explored else { return Ok(()) };
        let broken = explored.broken.clone();
        self.explored.push((place, explored));
        broken.map_or(Ok(()), |broken| Err(self.broken_schedule(place, broken, before).into()))
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
    fn done<T>(&mut self, place: Place, done: Result<T, Refusal>) -> Result<Option<T>, Stopped> {
        match done {
            Ok(effect) => Ok(Some(effect)),
            Err(Refusal::CannotAsk(reason)) => {
                self.skipped.push(Skipped { place, reason });
                Ok(None)
            }
            Err(Refusal::Impossible(reason)) => Err(self.failure(place, &reason, Vec::new()).into()),
            Err(Refusal::Unready(problem)) => {
                Err(Stopped::Unready(problem.in_file(self.scenario.source.name()).at(place)))
            }
        }
    }

    /// As [`Runner::done`], for what changes something: where nothing makes up for it, it is the last thing that is asked.
    fn acted<T>(&mut self, place: Place, done: Result<T, Refusal>) -> Result<Option<T>, Stopped> {
        let done = self.done(place, done)?;
        if done.is_none() && !self.target.goes_on_after_a_skip() {
            self.lost = Some(place);
        }
        Ok(done)
    }

    /// Judges what `expect` says of the pool, and of `effect` unless the step that it speaks of was skipped.
    fn judge(&mut self, expect: &Expectation, effect: Option<&Effect>, at_once: bool) -> Result<(), Stopped> {
        let (of_the_pool, of_the_step) = (expect.keys_of_the_pool(), expect.keys_of_the_step());
        let state = if of_the_pool.is_empty() {
            None
        } else {
            let state = self.target.state(expect.worker);
            self.done(expect.place, state)?
        };
        let mut unknown: Vec<&str> = Vec::new();
        if effect.is_none() && !of_the_step.is_empty() {
            unknown.clone_from(&of_the_step);
            let reason = "there is no step that it speaks of, or it was skipped".to_owned();
            self.skipped.push(Skipped { place: expect.place, reason });
        } else {
            for (key, reason) in self.target.silent_on(at_once) {
                if of_the_step.contains(&key) && !unknown.contains(&key) {
                    unknown.push(key);
                    let reason = format!("`{key}`: {reason}");
                    self.skipped.push(Skipped { place: expect.place, reason });
                }
            }
        }
        self.judged += of_the_step.len() - unknown.len();
        self.judged += if state.is_some() { of_the_pool.len() } else { 0 };
        let mut mismatches = judge(expect, effect.unwrap_or(&Effect::default()), state.as_ref());
        mismatches.retain(|mismatch| !unknown.contains(&mismatch.what));
        if mismatches.is_empty() {
            return Ok(());
        }
        let message = format!("{} not as expected", names(&mismatches));
        Err(self.failure(expect.place, &message, mismatches).into())
    }

    fn check_states(&mut self) -> Result<(), Stopped> {
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

    fn check_log(&mut self) -> Result<(), Stopped> {
        for (place, invariant) in self.always.clone() {
            let checked = self.target.history().map(|history| invariant.check_log(&history.wire));
            if let Some(checked) = self.done(place, checked)? {
                self.judged += 1;
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
        self.target.timeline()
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
        list("what had happened:", &self.timeline, "`--format json` prints");
        let steps = self.schedule.iter().enumerate();
        let steps: Vec<String> = steps.map(|(number, step)| format!("{:3}. {step}", number + 1)).collect();
        list("the schedule that breaks it:", &steps, "`--format json` prints");
        text
    }
}
