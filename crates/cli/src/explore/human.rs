//! What came of an exploration, for people: what was met, what broke with the shortest way to it, a summary.

use firedrill_sim::Occasion;

use super::Args;
use super::search::{Broken, Report, Single, Through};
use crate::lines::{BAD, BOLD, GOOD, plural};
use crate::out::Out;

pub(super) fn print(args: &Args, report: &Report, out: &mut Out) {
    if let Some(single) = &report.single {
        steps(out, single);
    }
    if let Some(broken) = &report.broken {
        print_broken(out, broken);
    } else if !args.quiet {
        met(out, report);
    }
    for occasion in &report.vacuous {
        let word = out.paint(BAD, "vacuous");
        out.paragraph(format_args!("{word}: there never was {occasion}, so nothing is proved of it"));
    }
    let well = report.broken.is_none() && report.vacuous.is_empty() && report.given_up.is_none();
    let summary = out.paint(if well { GOOD } else { BAD }, &summary(report));
    out.paragraph(summary);
    if let Some(states) = report.given_up {
        out.line(format_args!(
            "given up after {states} states: make the world smaller, or allow more by --states"
        ));
    }
    if report.interrupted {
        out.line("interrupted: this is not all of it");
    }
}

/// `1000 runs, 33452 steps: nothing broke`
fn summary(report: &Report) -> String {
    let Through { runs, steps, every } = report.through;
    let through = match every {
        Some(_) if report.broken.is_some() => format!("{steps} steps"),
        Some((schedules, states)) => format!("{schedules} schedules through {states} states, {steps} steps"),
        None => format!("{}, {steps} steps", plural(usize::try_from(runs).unwrap_or(usize::MAX), "run")),
    };
    let verdict = if report.broken.is_some() {
        "1 broke a property"
    } else if report.vacuous.is_empty() {
        "nothing broke"
    } else {
        "nothing broke, and too little was met"
    };
    format!("{through}: {verdict}")
}

/// How often each was met, a line each.
fn met(out: &mut Out, report: &Report) {
    // What one schedule does not meet says nothing.
    let told = |occasion: &Occasion| report.through.runs != 1 || report.met.count(*occasion) > 0;
    let counts: Vec<(u64, Occasion)> = Occasion::ALL
        .into_iter()
        .filter(told)
        .map(|occasion| (report.met.count(occasion), occasion))
        .collect();
    if counts.is_empty() {
        return;
    }
    let width = counts.iter().map(|(count, _)| count.to_string().len()).max().unwrap_or_default();
    let lines = counts.iter().map(|(count, occasion)| format!("  {count:>width$}  {occasion}"));
    let lines: Vec<String> = lines.collect();
    out.paragraph(format_args!("met on the way:\n{}", lines.join("\n")));
}

/// The world and the steps.
fn steps(out: &mut Out, Single { world, told }: &Single) {
    out.paragraph(format_args!("  {world}\n"));
    for (number, line) in told.lines.iter().enumerate() {
        out.line(format_args!("{:5}. {line}", number + 1));
    }
    if told.settled {
        out.line("       faults stop, every command ends, the cooldown passes, every worker ticks");
    }
}

fn print_broken(out: &mut Out, broken: &Broken) {
    let Some(violation) = &broken.single.told.violation else { return };
    let heading = out.paint(BAD, &format!("broken: {}", violation.property));
    out.paragraph(format_args!("{heading}\n  seen: {}", violation.seen));
    let left = broken.single.told.lines.len();
    match (broken.seed, &broken.again) {
        (Some(seed), Some(_)) => {
            out.line(format_args!("  seed {seed}, shortened from {} steps to {left}:", broken.found_in));
        }
        (None, Some(_)) => out.line(format_args!("  shortened from {} steps to {left}:", broken.found_in)),
        (_, None) => {}
    }
    steps(out, &broken.single);
    if let Some(again) = &broken.again {
        let again = out.paint(BOLD, again);
        out.paragraph(format_args!("  find it again:\n    {again}"));
    }
    let replay = out.paint(BOLD, &broken.replay);
    out.paragraph(format_args!("  replay these steps:\n    {replay}"));
}
