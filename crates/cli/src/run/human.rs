//! Verdicts for people: a line each, what went wrong in full, a summary.

use super::{Rehearsal, Report, Word};
use crate::lines::{self, BAD, BOLD, DIM, GOOD, Lines, details, note, plural};
use crate::out::Out;
use crate::stopwatch::Elapsed;
use crate::text::one_line;

/// Prints the line of a scenario that is done.
pub(super) fn line(out: &mut Out, lines: &Lines, rehearsal: &Rehearsal, verbose: bool) {
    let word = match rehearsal.word() {
        Word::Passed => (GOOD, "pass"),
        Word::Failed => (BAD, "fail"),
        Word::CouldNotRun => (BAD, "error"),
        Word::NotJudged => (DIM, "skip"),
        Word::NotRun => (DIM, "-"),
    };
    let skipped = rehearsal.run.as_ref().map_or(0, |run| run.skipped.len());
    let name = match (rehearsal.word(), skipped) {
        (Word::Passed, 1..) => format!("{} ({skipped} skipped)", rehearsal.file.name()),
        _ => rehearsal.file.name(),
    };
    lines.print(out, word, &rehearsal.file.shown, &name);
    if let (true, Ok(scenario)) = (verbose, &rehearsal.file.read) {
        details(out, scenario);
        for (place, explored) in rehearsal.run.iter().flat_map(|run| &run.explored) {
            note(out, &format!("line {}: {}", place.line, explored.in_words()));
        }
        for skipped in rehearsal.run.iter().flat_map(|run| &run.skipped) {
            note(out, &format!("skipped line {}: {}", skipped.place.line, one_line(&skipped.reason)));
        }
    } else if let (Word::NotJudged, Some(run)) = (rehearsal.word(), &rehearsal.run) {
        for skipped in run.skipped.iter().take(1) {
            note(out, &format!("line {}: {}", skipped.place.line, one_line(&skipped.reason)));
        }
    }
    out.show();
}

/// Prints what went wrong, in full, and the summary.
pub(super) fn print(out: &mut Out, report: &Report, verbose: bool, elapsed: Elapsed) {
    for rehearsal in &report.rehearsals {
        if let Some(unusable) = rehearsal.unusable() {
            lines::unusable(out, unusable);
        }
        if let Some((scenario, problem)) = rehearsal.unready() {
            let rendered = problem.render(Some(&scenario.source), out.color());
            out.paragraph(rendered);
        }
        if let (true, Ok(scenario)) = (verbose, &rehearsal.file.read) {
            lines::warnings(out, scenario);
        }
        failure(out, rehearsal);
    }
    let well = report.count(Word::Failed) + report.count(Word::CouldNotRun) == 0;
    let summary = out.paint(if well { GOOD } else { BAD }, &report.summary(elapsed));
    out.paragraph(summary);
    if report.interrupted {
        out.line("interrupted: this is not all of it");
    }
    if !verbose {
        hidden(out, report);
    }
}

fn failure(out: &mut Out, rehearsal: &Rehearsal) {
    let Some((scenario, failure)) = rehearsal.failure() else { return };
    let heading = out.paint(BAD, &format!("failed: {}", rehearsal.file.name()));
    let rendered = failure.render(scenario, out.color());
    out.paragraph(format_args!("{heading}\n{rendered}"));
    if let Some(command) = rehearsal.reproduce() {
        let command = out.paint(BOLD, &command);
        out.paragraph(format_args!("  run it again:\n    {command}"));
    }
}

/// Says what `-v` would show, so that nothing is passed over in silence.
fn hidden(out: &mut Out, report: &Report) {
    let read = report.rehearsals.iter().filter_map(|rehearsal| rehearsal.file.read.as_ref().ok());
    let warnings: usize = read.map(|scenario| scenario.warnings.len()).sum();
    let runs = report.rehearsals.iter().filter_map(|rehearsal| rehearsal.run.as_ref());
    let skipped: usize = runs.map(|run| run.skipped.len()).sum();
    let hidden = [(warnings, "warning"), (skipped, "skipped step")];
    let hidden = hidden.into_iter().filter(|(count, _)| *count > 0).map(|(count, what)| plural(count, what));
    let hidden: Vec<String> = hidden.collect();
    if !hidden.is_empty() {
        out.line(format_args!("{}; -v shows more", hidden.join(", ")));
    }
}
