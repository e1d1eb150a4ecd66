//! Verdicts as one JSON document:
//!
//! ```json
//! {
//!   "passed": 1, "failed": 1, "couldNotRun": 1, "notJudged": 0, "notRun": 0, "leftOut": 0,
//!   "interrupted": false, "milliseconds": 3,
//!   "scenarios": [
//!     { "path": "a.yaml", "verdict": "passed", "name": "…", "description": "…", "tags": [], "seed": 0,
//!       "warnings": [], "ignored": ["protocol"], "skipped": [],
//!       "explored": [{ "line": 9, "column": 5, "states": 38, "schedules": 42, "all": true }],
//!       "state": { "version": 3, … } },
//!     { "path": "b.yaml", "verdict": "failed", …, "failure": {
//!         "problem": { "severity": "error", "message": "…", "file": "b.yaml", "place": { "line": 9, … } },
//!         "mismatches": [{ "what": "available", "expected": "[a]", "found": "[a, b]" }],
//!         "timeline": ["…"], "schedule": ["…"], "reproduce": "firedrill run b.yaml --seed 0" } },
//!     { "path": "c.yaml", "verdict": "couldNotRun", "problems": [ … ] },
//!     { "path": "d.yaml", "verdict": "notJudged", …, "skipped": [{ "line": 9, "column": 5, "reason": "…" }] },
//!     { "path": "e.yaml", "verdict": "notRun", "name": "…" }
//!   ]
//! }
//! ```
//!
//! What a scenario does not have is left out. `milliseconds` is the one field that differs from run to run.

use firedrill_scenario::{PoolState, Run, Scenario, Skipped};
use firedrill_yaml::Problem;
use serde::Serialize;

use super::{Rehearsal, Report, Word};
use crate::json::{self, MismatchJson, masked, masked_state, mismatches};
use crate::out::Out;
use crate::stopwatch::Elapsed;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    passed: usize,
    failed: usize,
    could_not_run: usize,
    not_judged: usize,
    not_run: usize,
    left_out: usize,
    interrupted: bool,
    milliseconds: u64,
    scenarios: Vec<Entry<'a>>,
}

#[derive(Serialize)]
struct Entry<'a> {
    path: &'a str,
    verdict: &'static str,
    #[serde(flatten)]
    about: Option<About<'a>>,
    #[serde(flatten)]
    ran: Option<Ran>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<FailureJson<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    problems: Option<&'a [Problem]>,
}

/// What the file says.
#[derive(Serialize)]
struct About<'a> {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    tags: Vec<String>,
    warnings: &'a [Problem],
    ignored: Vec<String>,
}

/// What came of it.
#[derive(Serialize)]
struct Ran {
    seed: u64,
    skipped: Vec<SkippedJson>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    explored: Vec<ExploredJson>,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<PoolState>,
}

/// The schedules of a `concurrently`.
#[derive(Serialize)]
struct ExploredJson {
    line: usize,
    column: usize,
    states: u64,
    /// At most 2⁶⁴ - 1, and that much if there are more.
    schedules: u64,
    all: bool,
}

#[derive(Serialize)]
struct SkippedJson {
    line: usize,
    column: usize,
    reason: String,
}

#[derive(Serialize)]
struct FailureJson<'a> {
    problem: &'a Problem,
    mismatches: Vec<MismatchJson<'a>>,
    timeline: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    schedule: Vec<String>,
    reproduce: Option<String>,
}

pub(super) fn print(out: &mut Out, report: &Report, elapsed: Elapsed) {
    json::print(
        out,
        &Document {
            passed: report.count(Word::Passed),
            failed: report.count(Word::Failed),
            could_not_run: report.count(Word::CouldNotRun),
            not_judged: report.count(Word::NotJudged),
            not_run: report.count(Word::NotRun),
            left_out: report.left_out,
            interrupted: report.interrupted,
            milliseconds: elapsed.millis(),
            scenarios: report.rehearsals.iter().map(entry).collect(),
        },
    );
}

fn entry(rehearsal: &Rehearsal) -> Entry<'_> {
    Entry {
        path: &rehearsal.file.shown,
        verdict: match rehearsal.word() {
            Word::Passed => "passed",
            Word::Failed => "failed",
            Word::CouldNotRun => "couldNotRun",
            Word::NotJudged => "notJudged",
            Word::NotRun => "notRun",
        },
        about: rehearsal.file.read.as_deref().ok().map(about),
        ran: rehearsal.run.as_ref().map(ran),
        failure: rehearsal.failure().map(|(_, failure)| FailureJson {
            problem: &failure.problem,
            mismatches: mismatches(&failure.mismatches),
            timeline: failure.timeline.iter().map(|line| masked(line)).collect(),
            schedule: failure.schedule.iter().map(|step| masked(step)).collect(),
            reproduce: rehearsal.reproduce(),
        }),
        problems: rehearsal
            .unusable()
            .map(|unusable| &*unusable.problems)
            .or_else(|| rehearsal.unready().map(|(_, problem)| std::slice::from_ref(problem))),
    }
}

fn about(scenario: &Scenario) -> About<'_> {
    About {
        name: masked(&scenario.name),
        description: scenario.description.as_deref().map(|text| masked(text.trim())),
        tags: scenario.tags.iter().map(|tag| masked(tag)).collect(),
        warnings: &scenario.warnings,
        ignored: scenario.ignored.iter().map(|key| masked(key)).collect(),
    }
}

fn ran(run: &Run) -> Ran {
    let skipped = run.skipped.iter().map(|Skipped { place, reason }| SkippedJson {
        line: place.line,
        column: place.column,
        reason: masked(reason),
    });
    let explored = run.explored.iter().map(|(place, explored)| ExploredJson {
        line: place.line,
        column: place.column,
        states: explored.states,
        schedules: u64::try_from(explored.schedules).unwrap_or(u64::MAX),
        all: explored.all,
    });
    Ran {
        seed: run.seed,
        skipped: skipped.collect(),
        explored: explored.collect(),
        state: run.state.clone().map(masked_state),
    }
}
