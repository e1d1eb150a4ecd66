//! `firedrill conform`: replays recorded traces of another implementation and tells where the engine differs. As JSON:
//!
//! ```json
//! { "agree": 1, "differ": 1, "unusable": 1,
//!   "traces": [
//!     { "path": "a.json", "trace": "t1", "steps": 12, "agrees": true },
//!     { "path": "b.json", "trace": "t2", "steps": 30, "agrees": false, "difference": {
//!         "step": 4, "what": "…", "note": "…",
//!         "mismatches": [{ "what": "available", "expected": "[a]", "found": "[a, b]" }] } },
//!     { "path": "c.json", "problem": { "severity": "error", … } } ] }
//! ```

use std::fs;
use std::path::{Path, PathBuf};

use firedrill_scenario::{Conformance, Difference, Mismatch, conform as replay};
use firedrill_yaml::{Problem, Source, presentable};
use serde::Serialize;

use crate::args::{Format, TEMPLATE};
use crate::exit::{Ended, Error};
use crate::json::{self, MismatchJson, masked, mismatches};
use crate::lines::{BAD, GOOD, Lines, plural};
use crate::out::Out;
use crate::text::{one_line, shown};

/// Compare the engine with recorded traces of another gateway
#[derive(Debug, clap::Args)]
#[command(help_template = TEMPLATE, before_help = "\
A trace is a JSON file: a provider block, and steps with the state that was seen \
after each. It is replayed under `profile: higress`. Of a trace that differs the \
first such step is shown, expected and found side by side.")]
#[command(after_help = "\
Examples:
  firedrill conform fixtures/reference
  firedrill conform my-trace.json --format json")]
pub(crate) struct Args {
    /// Traces, or folders with .json files
    #[arg(value_name = "TRACE", required = true)]
    paths: Vec<PathBuf>,

    /// How to print it: human (default), json
    #[arg(long, default_value = "human", hide_possible_values = true, hide_default_value = true)]
    format: Format,

    /// Print differences and the summary only
    #[arg(long, short)]
    quiet: bool,
}

/// A trace file and what came of it.
struct Replayed {
    shown: String,
    source: Option<Source>,
    result: Result<Conformance, Problem>,
}

pub(crate) fn conform(args: &Args, out: &mut Out) -> Result<Ended, Error> {
    let replayed: Vec<Replayed> = find(&args.paths)?.iter().map(|path| replayed(path)).collect();
    let document = Document::of(&replayed);
    match args.format {
        Format::Human => print(args, &replayed, &document, out),
        Format::Json => json::print(out, &document),
    }
    Ok(match document {
        Document { unusable: 1.., .. } => Ended::CouldNotRun,
        Document { differ: 1.., .. } => Ended::Failed,
        Document { .. } => Ended::Well,
    })
}

fn replayed(path: &Path) -> Replayed {
    let shown = shown(path);
    match Source::read(path) {
        Err(problem) => Replayed { shown, source: None, result: Err(problem) },
        Ok(source) => Replayed { shown, result: replay(&source), source: Some(source) },
    }
}

/// The traces that `paths` name: a file is itself; a folder is every `.json` file in it and below, in the order of
/// names, but nothing whose name begins with a dot.
fn find(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Problem> {
    let mut found = Vec::new();
    for path in paths {
        if path.is_dir() {
            let before = found.len();
            walk(path, &mut found)?;
            if found.len() == before {
                let problem = Problem::new("there is no trace in this folder").in_file(shown(path));
                return Err(problem.hint("a trace's file ends in .json"));
            }
        } else if path.exists() {
            found.push(path.clone());
        } else {
            return Err(Problem::new("there is no such file or folder").in_file(shown(path)));
        }
    }
    Ok(found)
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) -> Result<(), Problem> {
    let wrong = |error: std::io::Error| {
        Problem::new(format!("cannot read this folder: {error}")).in_file(shown(folder))
    };
    let entries = fs::read_dir(folder).map_err(wrong)?.collect::<Result<Vec<_>, _>>().map_err(wrong)?;
    let mut entries: Vec<_> =
        entries.iter().filter(|entry| !entry.file_name().as_encoded_bytes().starts_with(b".")).collect();
    entries.sort_by_key(|entry| entry.file_name());
    for entry in entries {
        let path = entry.path();
        // A folder that is linked to is not entered: it may hold this one.
        if entry.file_type().map_err(wrong)?.is_dir() {
            walk(&path, found)?;
        } else if path.extension().is_some_and(|end| end == "json") && path.is_file() {
            found.push(path);
        }
    }
    Ok(())
}

fn print(args: &Args, replayed: &[Replayed], document: &Document<'_>, out: &mut Out) {
    let lines = Lines::of(replayed.iter().map(|replayed| &*replayed.shown));
    for Replayed { shown, result, .. } in replayed.iter().filter(|_| !args.quiet) {
        match result {
            Ok(Conformance { steps, difference: None, .. }) => {
                lines.print(out, (GOOD, "agree"), shown, &plural(*steps, "step"));
            }
            Ok(Conformance { steps, difference: Some(difference), .. }) => {
                let rest = format!("at step {} of {steps}", difference.step);
                lines.print(out, (BAD, "differ"), shown, &rest);
            }
            Err(_) => lines.print(out, (BAD, "error"), shown, ""),
        }
    }
    for Replayed { shown, source, result } in replayed {
        match result {
            Ok(Conformance { difference: None, .. }) => {}
            Ok(Conformance { trace, steps, difference: Some(difference) }) => {
                let heading = out.paint(BAD, &format!("differs: {}", one_line(trace)));
                let Difference { step, what, note, mismatches } = difference;
                out.paragraph(heading);
                out.line(format_args!("  {shown}, step {step} of {steps}: {}", one_line(what)));
                if let Some(note) = note {
                    out.line(format_args!("  recorded with the note: {}", one_line(note)));
                }
                out.paragraph(presentable(&Mismatch::table(mismatches)));
            }
            Err(problem) => {
                let rendered = problem.render(source.as_ref(), out.color());
                out.paragraph(rendered);
            }
        }
    }
    let Document { agree, differ, unusable, .. } = document;
    let style = if differ + unusable > 0 { BAD } else { GOOD };
    let summary = out.paint(style, &format!("{agree} agree, {differ} differ, {unusable} cannot be used"));
    out.paragraph(summary);
}

#[derive(Serialize)]
struct Document<'a> {
    agree: usize,
    differ: usize,
    unusable: usize,
    traces: Vec<Entry<'a>>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Entry<'a> {
    Replayed {
        path: &'a str,
        trace: String,
        steps: usize,
        agrees: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        difference: Option<DifferenceJson<'a>>,
    },
    Unusable {
        path: &'a str,
        problem: &'a Problem,
    },
}

#[derive(Serialize)]
struct DifferenceJson<'a> {
    step: usize,
    what: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
    mismatches: Vec<MismatchJson<'a>>,
}

impl<'a> Document<'a> {
    fn of(replayed: &'a [Replayed]) -> Self {
        let count = |wanted: fn(&Conformance) -> bool| {
            replayed
                .iter()
                .filter_map(|replayed| replayed.result.as_ref().ok())
                .filter(|found| wanted(found))
                .count()
        };
        let agree = count(|found| found.difference.is_none());
        let differ = count(|found| found.difference.is_some());
        Self {
            agree,
            differ,
            unusable: replayed.len() - agree - differ,
            traces: replayed.iter().map(entry).collect(),
        }
    }
}

fn entry(Replayed { shown: path, result, .. }: &Replayed) -> Entry<'_> {
    match result {
        Ok(Conformance { trace, steps, difference }) => Entry::Replayed {
            path,
            trace: masked(trace),
            steps: *steps,
            agrees: difference.is_none(),
            difference: difference.as_ref().map(|difference| DifferenceJson {
                step: difference.step,
                what: masked(&difference.what),
                note: difference.note.as_deref().map(masked),
                mismatches: mismatches(&difference.mismatches),
            }),
        },
        Err(problem) => Entry::Unusable { path, problem },
    }
}
