//! Every file in `scenarios/` on the engine alone and on our gateway over HTTP: the same verdict, the same log to the byte, the
//! same state in the end, and nothing skipped on one that the other is asked.

mod compare;

use std::path::Path;

use firedrill_scenario::GatewayTarget;

fn both(path: &Path) -> datatest_stable::Result<()> {
    let scenario = compare::read(path)?;
    let difference = compare::difference(&scenario, &mut GatewayTarget::new(&scenario, scenario.seed)?);
    assert!(difference.is_none(), "the targets differ {}", difference.unwrap_or_default());
    Ok(())
}

datatest_stable::harness! {
    { test = both, root = "../../scenarios", pattern = r"\.ya?ml$" },
}
