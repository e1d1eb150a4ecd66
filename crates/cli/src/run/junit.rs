//! Verdicts as JUnit XML, for CI: a suite a folder, a case a scenario.

use std::collections::BTreeMap;
use std::path::Path;

use quick_junit::{NonSuccessKind, Report as Xml, TestCase, TestCaseStatus, TestSuite};

use super::{Rehearsal, Report, Word};
use crate::json::masked;
use crate::out::Out;
use crate::stopwatch::Elapsed;
use crate::text::shown;

pub(super) fn print(out: &mut Out, report: &Report, elapsed: Elapsed) {
    let mut suites: BTreeMap<String, TestSuite> = BTreeMap::new();
    for rehearsal in &report.rehearsals {
        let folder = rehearsal.file.path.parent().filter(|folder| *folder != Path::new(""));
        let folder = folder.map_or_else(|| ".".to_owned(), shown);
        let suite = suites.entry(folder).or_insert_with_key(|folder| TestSuite::new(folder));
        suite.add_test_case(case(rehearsal));
    }
    let mut xml = Xml::new("firedrill");
    xml.set_time(elapsed.0);
    xml.add_test_suites(suites.into_values());
    // What fails to be written is told at the end.
    let _ = xml.serialize(&mut *out);
}

fn case(rehearsal: &Rehearsal) -> TestCase {
    let file = &rehearsal.file;
    let mut status = match rehearsal.word() {
        Word::Passed => TestCaseStatus::success(),
        Word::NotJudged | Word::NotRun => TestCaseStatus::skipped(),
        Word::Failed => TestCaseStatus::non_success(NonSuccessKind::Failure),
        Word::CouldNotRun => TestCaseStatus::non_success(NonSuccessKind::Error),
    };
    if let Some((scenario, failure)) = rehearsal.failure() {
        let again = rehearsal.reproduce().unwrap_or_default();
        status.set_type("failed").set_message(failure.problem.to_string());
        status.set_description(format!("{}\n\n{again}", failure.render(scenario, false)));
    }
    if let Some(unusable) = rehearsal.unusable() {
        let first = unusable.problems.first().map(ToString::to_string).unwrap_or_default();
        status.set_type("could not run").set_message(first).set_description(unusable.render(false));
    }
    if let Some((scenario, problem)) = rehearsal.unready() {
        status.set_type("could not run").set_message(problem.to_string());
        status.set_description(problem.render(Some(&scenario.source), false));
    }
    if let (Word::NotJudged, Some(run)) = (rehearsal.word(), &rehearsal.run) {
        let reasons =
            run.skipped.iter().map(|skipped| format!("line {}: {}", skipped.place.line, skipped.reason));
        status.set_message("not judged").set_description(masked(&reasons.collect::<Vec<_>>().join("\n")));
    }
    let name = if file.read.is_ok() { file.name() } else { file.shown.clone() };
    let mut case = TestCase::new(name, status);
    case.set_classname(&*file.shown);
    case
}
