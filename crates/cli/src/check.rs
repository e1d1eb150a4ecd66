//! `firedrill check`: reads and checks scenarios without running them. As JSON:
//!
//! ```json
//! { "ok": 1, "unusable": 1, "warnings": 1,
//!   "files": [
//!     { "path": "a.yaml", "usable": true, "name": "…", "problems": [{ "severity": "warning", … }] },
//!     { "path": "b.yaml", "usable": false, "problems": [{ "severity": "error", … }] } ] }
//! ```

use std::path::PathBuf;

use firedrill_yaml::Problem;
use serde::Serialize;

use crate::args::{Format, TEMPLATE};
use crate::exit::{Ended, Error};
use crate::json::{self, masked};
use crate::lines::{self, BAD, GOOD, Lines, details, plural};
use crate::load::{self, File, load};
use crate::out::Out;

/// Check scenarios without running them
#[derive(Debug, clap::Args)]
#[command(help_template = TEMPLATE, before_help = "\
Prints everything that is wrong with every file, and what is worth a look, such \
as a token that looks like a real key. Warnings leave the exit code at 0; a file \
that cannot be used makes it 2, as `run` does.")]
#[command(after_help = "\
Examples:
  firedrill check                          everything in scenarios/
  firedrill check my-outage.yaml
  firedrill check --format json            for an editor or a bot")]
pub(crate) struct Args {
    /// Files, or folders with .yaml and .yml files
    #[arg(value_name = "PATH", default_value = load::DEFAULT)]
    paths: Vec<PathBuf>,

    /// How to print it: human (default), json
    #[arg(long, default_value = "human", hide_possible_values = true, hide_default_value = true)]
    format: Format,

    /// Print what is wrong, warnings and the summary only
    #[arg(long, short, conflicts_with = "verbose")]
    quiet: bool,

    /// Print descriptions, tags and ignored keys
    #[arg(long, short)]
    verbose: bool,
}

pub(crate) fn check(args: &Args, out: &mut Out) -> Result<Ended, Error> {
    let files = load(&args.paths)?;
    match args.format {
        Format::Human => print(args, &files, out),
        Format::Json => json::print(out, &Document::of(&files)),
    }
    let well = files.iter().all(|file| file.read.is_ok());
    Ok(if well { Ended::Well } else { Ended::CouldNotRun })
}

fn print(args: &Args, files: &[File], out: &mut Out) {
    let lines = Lines::of(files.iter().map(|file| &*file.shown));
    for file in files.iter().filter(|_| !args.quiet) {
        let word = if file.read.is_ok() { (GOOD, "ok") } else { (BAD, "error") };
        lines.print(out, word, &file.shown, &file.name());
        if let (true, Ok(scenario)) = (args.verbose, &file.read) {
            details(out, scenario);
        }
    }
    for file in files {
        match &file.read {
            Err(unusable) => lines::unusable(out, unusable),
            Ok(scenario) => lines::warnings(out, scenario),
        }
    }
    let Document { ok, unusable, warnings, .. } = Document::of(files);
    let style = if unusable > 0 { BAD } else { GOOD };
    let summary = format!("{ok} ok, {unusable} cannot be used, {}", plural(warnings, "warning"));
    let summary = out.paint(style, &summary);
    out.paragraph(summary);
}

#[derive(Serialize)]
struct Document<'a> {
    ok: usize,
    unusable: usize,
    warnings: usize,
    files: Vec<Checked<'a>>,
}

#[derive(Serialize)]
struct Checked<'a> {
    path: &'a str,
    usable: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tags: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ignored: Option<Vec<String>>,
    problems: &'a [Problem],
}

impl<'a> Document<'a> {
    fn of(files: &'a [File]) -> Self {
        let ok = files.iter().filter(|file| file.read.is_ok()).count();
        let usable = files.iter().filter_map(|file| file.read.as_ref().ok());
        Self {
            ok,
            unusable: files.len() - ok,
            warnings: usable.map(|scenario| scenario.warnings.len()).sum(),
            files: files.iter().map(checked).collect(),
        }
    }
}

fn checked(file: &File) -> Checked<'_> {
    let path = &*file.shown;
    match &file.read {
        Ok(scenario) => Checked {
            path,
            usable: true,
            name: Some(masked(&scenario.name)),
            tags: Some(scenario.tags.iter().map(|tag| masked(tag)).collect()),
            ignored: Some(scenario.ignored.iter().map(|key| masked(key)).collect()),
            problems: &scenario.warnings,
        },
        Err(unusable) => Checked {
            path,
            usable: false,
            name: None,
            tags: None,
            ignored: None,
            problems: &unusable.problems,
        },
    }
}
