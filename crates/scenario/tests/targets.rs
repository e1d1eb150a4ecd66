//! Every file in `scenarios/` on the engine alone and on our gateway over HTTP: the same verdict, the same log to the byte, the
//! same state in the end, and nothing skipped on one that the other is asked.

use std::path::Path;

use firedrill_scenario::{
    Action, Effect, EngineTarget, GatewayTarget, History, PoolState, Refusal, Run, Scenario, Target, Verdict,
    run,
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

fn both(path: &Path) -> datatest_stable::Result<()> {
    let source = Source::new(path.display().to_string(), std::fs::read_to_string(path)?);
    let scenario = Scenario::parse(&source).map_err(|problems| format!("{problems:?}"))?;
    let engine = run(&scenario, scenario.seed, &mut Plain(EngineTarget::new(&scenario, scenario.seed)));
    let gateway = run(&scenario, scenario.seed, &mut GatewayTarget::new(&scenario, scenario.seed)?);
    let (engine, gateway) = (shown(&scenario, &engine), shown(&scenario, &gateway));
    if engine == gateway {
        return Ok(());
    }
    let differ = engine.iter().zip(&gateway).position(|(engine, gateway)| engine != gateway);
    let differ = differ.unwrap_or(engine.len().min(gateway.len()));
    let (engine, gateway) = (engine[differ..].join("\n"), gateway[differ..].join("\n"));
    println!("from line {differ} on the engine:\n{engine}\n\nand on the gateway:\n{gateway}");
    Err("the targets differ".into())
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

datatest_stable::harness! {
    { test = both, root = "../../scenarios", pattern = r"\.ya?ml$" },
}
