//! Every file in `scenarios/` is a test of its own, named by its path. It passes, and its log and last state are as
//! they were: a snapshot in `tests/snapshots/`. The first run of a new scenario writes its snapshot.

use std::path::Path;

use firedrill_scenario::{PoolState, Run, Scenario, Verdict, run_on_engine};
use firedrill_yaml::Source;

fn scenario(path: &Path) -> datatest_stable::Result<()> {
    let (scenario, run) = rehearse(path)?;
    if let Verdict::Failed(failure) = &run.verdict {
        return Err(failure.render(&scenario, false).into());
    }
    if !scenario.warnings.is_empty() {
        return Err(format!("warnings: {:?}", scenario.warnings).into());
    }
    let (_, again) = rehearse(path)?;
    assert_eq!(run.history, again.history, "the same seed gives the same bytes");

    let name = shown(path).trim_end_matches(".yaml").trim_end_matches(".yml").replace('/', "__");
    insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!(name, text(&run));
    });
    Ok(())
}

fn rehearse(path: &Path) -> datatest_stable::Result<(Scenario, Run)> {
    let source = Source::new(shown(path), std::fs::read_to_string(path)?);
    let scenario = Scenario::parse(&source).map_err(|problems| {
        problems.iter().map(|problem| problem.render(Some(&source), false)).collect::<Vec<_>>().join("\n\n")
    })?;
    let run = run_on_engine(&scenario, None);
    Ok((scenario, run))
}

fn text(run: &Run) -> String {
    let mut lines = run.history.wire.clone();
    lines.push(String::new());
    lines.extend(run.state.iter().flat_map(PoolState::lines));
    lines.join("\n")
}

/// The path as one types it at the root of the repository.
fn shown(path: &Path) -> String {
    path.display().to_string().replace('\\', "/").trim_start_matches("../").to_owned()
}

datatest_stable::harness! {
    { test = scenario, root = "../../scenarios", pattern = r"\.ya?ml$" },
}
