//! The schedules of what happens at once: every one of them, or, if they have too many states, some that are drawn.

mod at_once;
mod checks;
mod fold;
mod key;
mod parts;
#[cfg(test)]
mod tests;

use firedrill_failover::Random;
use firedrill_sim::Key;
use firedrill_sim::schedule::{Found, Scheduled, exhaust, fewest, follow, run, without_steps};
use firedrill_yaml::Place;

use crate::account::Wrong;
use crate::judge::Mismatch;

pub(crate) use at_once::{AtOnce, Step};
pub(crate) use parts::{Beginning, Begun, Part};

/// As many states are gone through at most, where at most [`FEW`] things are done at once and the pool has at most
/// [`SMALL`] tokens. Where there are more, a state costs more, and fewer are gone through, in proportion.
const MOST_STATES: u64 = 8_000;
const FEW: u64 = 4;
const SMALL: u64 = 16;

/// As many schedules are drawn where there are more states and at most [`MANY`] things are done at once; fewer where there
/// are more, for then a schedule is longer.
const DRAWN: u64 = 20;
const MANY: u64 = 12;

/// Streams of random numbers before this one are the workers'.
const STREAM: u64 = 1 << 32;

/// What came of going through the schedules of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explored {
    /// All different states that were gone through, each held against everything that is asked.
    pub states: u64,
    /// Every schedule, or, if there are too many states, as many as were drawn.
    pub schedules: u128,
    /// Whether these are all schedules, and nothing breaks in any.
    pub all: bool,
    /// The shortest schedule that was found to break something.
    pub broken: Option<BrokenSchedule>,
}

impl Explored {
    /// How far it went, in a few words.
    pub fn in_words(&self) -> String {
        let Self { states, schedules, .. } = self;
        if self.broken.is_some() {
            format!("a schedule breaks it, after {states} states")
        } else if self.all {
            format!("every schedule holds, {schedules} through {states} states")
        } else {
            format!(
                "too many schedules to go through all: {states} states hold, and {schedules} schedules drawn"
            )
        }
    }
}

/// A schedule that breaks something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokenSchedule {
    /// Its steps, in order: `worker 1: tick: decides restored sk-a on version 4`.
    pub steps: Vec<String>,
    pub(crate) broken: Broken,
}

/// Something that a schedule breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Broken {
    /// What should always be so.
    Always(Wrong),
    /// What is expected, at this place.
    Expected(Place, Vec<Mismatch>),
    /// What was asked for cannot be done.
    Impossible(String),
}

impl Scheduled for AtOnce {
    type Step = Step;
    type Violation = Broken;

    fn steps(&self) -> Vec<Step> {
        self.open_steps()
    }

    fn take(&mut self, step: &Step) {
        self.step(*step, false);
    }

    fn key(&self) -> Key {
        self.told_apart()
    }

    fn broken(&self) -> Option<Broken> {
        self.broken.as_deref().cloned()
    }

    fn broken_in_the_end(&self) -> Option<Broken> {
        if self.steps().is_empty() { self.judged() } else { None }
    }
}

/// Goes through the schedules from `beginning` on; draws by `seed` where there are too many states.
pub(crate) fn explore(beginning: &AtOnce, seed: u64) -> Explored {
    let (things, tokens) = beginning.size();
    let most = (MOST_STATES * FEW / things.max(FEW) * SMALL / tokens.max(SMALL)).max(1);
    let draws = (DRAWN * MANY / things.max(MANY) * SMALL / tokens.max(SMALL)).max(1);
    let exhausted = exhaust(beginning, |states| states < most, |_| ());
    let mut explored = Explored {
        states: exhausted.states,
        schedules: exhausted.schedules,
        all: !exhausted.stopped,
        broken: None,
    };
    let mut found = exhausted.found;
    if exhausted.stopped {
        explored.schedules = draws.into();
        found = (0..draws).find_map(|number| drawn(beginning, seed, number));
    }
    if let Some(found) = found {
        explored.all = false;
        explored.broken = Some(shortest(beginning, found, most));
    }
    explored
}

fn found(schedule: Vec<Step>, violation: Broken) -> Found<Step, Broken> {
    Found { schedule, violation }
}

/// A schedule that is drawn, if it breaks something.
fn drawn(beginning: &AtOnce, seed: u64, number: u64) -> Option<Found<Step, Broken>> {
    let mut random = Random::new(seed, STREAM + number);
    let draw = |steps: &[Step]| {
        let count = u32::try_from(steps.len()).ok().filter(|count| *count > 0)?;
        steps.get(random.below(count) as usize).copied()
    };
    let (schedule, end) = run(beginning, draw, |_| ());
    end.broken().or_else(|| end.broken_in_the_end()).map(|broken| found(schedule, broken))
}

/// The schedule with the fewest steps, if it is among the first `most` states; otherwise `known`, made shorter.
fn shortest(beginning: &AtOnce, mut known: Found<Step, Broken>, most: u64) -> BrokenSchedule {
    if let Some(fewest) = fewest(beginning, usize::try_from(most).unwrap_or(usize::MAX)) {
        known = fewest;
    } else {
        without_steps(&mut known, |shorter| {
            let mut state = beginning.clone();
            let schedule = follow(&mut state, shorter);
            state.broken().or_else(|| state.broken_in_the_end()).map(|broken| found(schedule, broken))
        });
    }
    let mut state = beginning.clone();
    let steps = known.schedule.iter().map(|step| state.step(*step, true)).collect();
    BrokenSchedule { steps, broken: known.violation }
}
