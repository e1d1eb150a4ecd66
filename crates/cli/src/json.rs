//! The pieces that every JSON document here is made of: problems, mismatches, states. Times are whole milliseconds,
//! no number is a fraction, and fields keep the order they have here. Real keys are masked.

use std::collections::BTreeMap;

use firedrill_scenario::{Mismatch, PoolState};
use firedrill_yaml::redact;
use serde::Serialize;

use crate::out::Out;

/// Prints `document`, indented.
pub(crate) fn print(out: &mut Out, document: &impl Serialize) {
    // Plain data does not fail, and what fails to be written is told at the end.
    let _ = serde_json::to_writer_pretty(&mut *out, document);
    out.line("");
}

/// What was expected and what was found.
#[derive(Serialize)]
pub(crate) struct MismatchJson<'a> {
    what: &'a str,
    expected: String,
    found: String,
}

pub(crate) fn mismatches(mismatches: &[Mismatch]) -> Vec<MismatchJson<'_>> {
    let each = mismatches.iter().map(|mismatch| MismatchJson {
        what: mismatch.what,
        expected: masked(&mismatch.expected),
        found: masked(&mismatch.found),
    });
    each.collect()
}

pub(crate) fn masked(text: &str) -> String {
    redact(text).into_owned()
}

/// `state` as it may be shown: a label of a log from elsewhere may be anything.
pub(crate) fn masked_state(state: PoolState) -> PoolState {
    fn keys<T>(map: BTreeMap<String, T>) -> BTreeMap<String, T> {
        map.into_iter().map(|(label, value)| (masked(&label), value)).collect()
    }
    let list = |labels: Vec<String>| labels.iter().map(|label| masked(label)).collect();
    PoolState {
        version: state.version,
        available: list(state.available),
        unavailable: list(state.unavailable),
        failure_counts: keys(state.failure_counts),
        success_counts: keys(state.success_counts),
        unavailable_since: keys(state.unavailable_since),
    }
}
