//! What came of an exploration as one JSON document:
//!
//! ```json
//! { "protocol": "log", "runs": 1000, "steps": 33452,
//!   "met": { "conflict": 2673, … }, "vacuous": [], "interrupted": false }
//!
//! { "protocol": "reference", "schedules": "7404", "states": 212, "steps": 422, "gaveUp": false, …,
//!   "broken": { "property": "one-list", "sentence": "always: …", "seen": "…", "seed": 3, "foundIn": 24,
//!               "world": "tokens=a: a429", "schedule": "1b 1g", "steps": ["worker 1: …"], "settled": false,
//!               "again": "firedrill explore --seed 3 …", "replay": "firedrill explore --world …" } }
//! ```
//!
//! `runs` is for seeds and schedules; `schedules` (as text, for it may be larger than any number of JSON), `states` and
//! `gaveUp` are for an exhaustive search. Everything is the same on every machine.

use std::collections::BTreeMap;

use firedrill_sim::{Occasion, Told};
use serde::Serialize;

use super::search::{Broken, Report, Single, Through};
use super::{Args, Protocol};
use crate::json;
use crate::out::Out;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    protocol: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    runs: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    schedules: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    states: Option<u64>,
    steps: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    gave_up: Option<bool>,
    met: BTreeMap<&'static str, u64>,
    vacuous: Vec<&'static str>,
    interrupted: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    single: Option<Taken<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    broken: Option<BrokenJson<'a>>,
}

#[derive(Serialize)]
struct Taken<'a> {
    world: &'a str,
    steps: &'a [String],
    settled: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct BrokenJson<'a> {
    property: &'static str,
    sentence: String,
    seen: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<u64>,
    found_in: usize,
    schedule: &'a str,
    #[serde(flatten)]
    single: Taken<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    again: Option<&'a str>,
    replay: &'a str,
}

pub(super) fn print(args: &Args, report: &Report, out: &mut Out) {
    let Through { runs, steps, every } = report.through;
    let document = Document {
        protocol: match args.protocol {
            Protocol::Log => "log",
            Protocol::Reference => "reference",
        },
        runs: every.is_none().then_some(runs),
        schedules: every.map(|(schedules, _)| schedules.to_string()),
        states: every.map(|(_, states)| states),
        steps,
        gave_up: every.map(|_| report.given_up.is_some()),
        met: Occasion::ALL.map(|occasion| (occasion.name(), report.met.count(occasion))).into(),
        vacuous: report.vacuous.iter().map(|occasion| occasion.name()).collect(),
        interrupted: report.interrupted,
        single: report.single.as_ref().map(steps_of),
        broken: report.broken.as_ref().and_then(broken),
    };
    json::print(out, &document);
}

fn steps_of(Single { world, told: Told { lines, settled, .. } }: &Single) -> Taken<'_> {
    Taken { world, steps: lines, settled: *settled }
}

fn broken(broken: &Broken) -> Option<BrokenJson<'_>> {
    let violation = broken.single.told.violation.as_ref()?;
    Some(BrokenJson {
        property: violation.property.name(),
        sentence: violation.property.to_string(),
        seen: &violation.seen,
        seed: broken.seed,
        found_in: broken.found_in,
        schedule: &broken.schedule,
        single: steps_of(&broken.single),
        again: broken.again.as_deref(),
        replay: &broken.replay,
    })
}
