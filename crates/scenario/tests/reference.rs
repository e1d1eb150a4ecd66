//! Every recorded trace of the reference is a test of its own: the `higress` profile agrees with it, step by step.

use std::path::Path;

use firedrill_scenario::{Mismatch, conform};
use firedrill_yaml::Source;

fn agrees(path: &Path) -> datatest_stable::Result<()> {
    let conformance = conform(&Source::read(path)?)?;
    match conformance.difference {
        None => Ok(()),
        Some(difference) => {
            let table = Mismatch::table(&difference.mismatches);
            Err(format!("step {}, {}:\n{table}", difference.step, difference.what).into())
        }
    }
}

datatest_stable::harness! {
    { test = agrees, root = "../../fixtures/reference", pattern = r"\.json$" },
}
