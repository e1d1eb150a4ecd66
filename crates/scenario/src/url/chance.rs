//! Whether a scenario holds whatever is drawn. A scenario's own seed rules no stranger, so what holds by that seed alone says
//! nothing of one.

use crate::engine::EngineTarget;
use crate::run::{Failure, Verdict, run};
use crate::scenario::{Action, Expectation, Scenario};
use crate::target::{Effect, History, PoolState, Refusal, Target};

/// So many seeds are tried.
const SEEDS: u64 = 32;

/// The first seed by which `scenario` does not hold on the engine although it does by its own, and how it fails.
pub(super) fn against(scenario: &Scenario) -> Option<(u64, Failure)> {
    let failed = |seed| match run(scenario, seed, &mut OneSchedule(EngineTarget::new(scenario, seed))).verdict
    {
        Verdict::Failed(failure) => Some((seed, failure)),
        _ => None,
    };
    // One that does not hold on the engine at all was written for another gateway than ours.
    if failed(scenario.seed).is_some() {
        return None;
    }
    (0..SEEDS).find_map(failed)
}

/// The engine, in one of the schedules of what happens at once: of a stranger no other can be chosen either.
struct OneSchedule(EngineTarget);

impl Target for OneSchedule {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn act(&mut self, action: &Action) -> Result<Effect, Refusal> {
        self.0.act(action)
    }

    fn concurrently(&mut self, actions: &[Action]) -> Result<Vec<Effect>, Refusal> {
        self.0.concurrently(actions)
    }

    fn schedules(
        &mut self,
        _: &[(Action, Option<Expectation>)],
        _: &[crate::Invariant],
    ) -> Result<Option<crate::Explored>, Refusal> {
        Ok(None)
    }

    fn state(&mut self, worker: Option<u32>) -> Result<PoolState, Refusal> {
        self.0.state(worker)
    }

    fn history(&self) -> Result<&History, Refusal> {
        self.0.history()
    }
}
