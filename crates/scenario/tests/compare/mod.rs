//! What a run came to, to be compared with another.

use std::path::Path;

use firedrill_scenario::{
    Action, Effect, EngineTarget, History, PoolState, Refusal, Run, Scenario, Target, Verdict, run,
};
use firedrill_yaml::Source;

/// A target without its schedules: they are the engine's alone, and other tests go through them.
struct Plain<T>(T);

impl<T: Target> Target for Plain<T> {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn act(&mut self, action: &Action) -> Result<Effect, Refusal> {
        self.0.act(action)
    }

    fn concurrently(&mut self, actions: &[Action]) -> Result<Vec<Effect>, Refusal> {
        self.0.concurrently(actions)
    }

    fn state(&mut self, worker: Option<u32>) -> Result<PoolState, Refusal> {
        self.0.state(worker)
    }

    fn history(&self) -> Result<&History, Refusal> {
        self.0.history()
    }
}

/// The scenario in a file.
pub(crate) fn read(path: &Path) -> Result<Scenario, String> {
    let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
    Scenario::parse(&Source::new(path.display().to_string(), text))
        .map_err(|problems| format!("{problems:?}"))
}

/// Where a run on the engine and one on `target` part, in the words of both. `None` if they come to the same: the verdict, the
/// log to the byte, what was skipped, and the state in the end.
pub(crate) fn difference(scenario: &Scenario, target: &mut dyn Target) -> Option<String> {
    let engine = run(scenario, scenario.seed, &mut Plain(EngineTarget::new(scenario, scenario.seed)));
    let other = run(scenario, scenario.seed, target);
    let (engine, other) = (shown(scenario, &engine), shown(scenario, &other));
    if engine == other {
        return None;
    }
    let same = engine.iter().zip(&other).take_while(|(engine, other)| engine == other).count();
    let (engine, other) = (engine[same..].join("\n"), other[same..].join("\n"));
    Some(format!("from line {} on the engine:\n{engine}\n\nand on the other:\n{other}", same + 1))
}

/// All that a run came to, as lines.
fn shown(scenario: &Scenario, run: &Run) -> Vec<String> {
    let mut lines = run.history.wire.clone();
    lines.extend(run.state.iter().flat_map(PoolState::lines));
    lines.extend(run.skipped.iter().map(|skipped| format!("{skipped:?}")));
    lines.push(match &run.verdict {
        Verdict::Passed => "passed".to_owned(),
        Verdict::Failed(failure) => failure.render(scenario, false),
        other => format!("{other:?}"),
    });
    lines
}
