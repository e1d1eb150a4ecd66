//! `firedrill run`: runs scenarios and prints the verdicts. The loop stands here; how a verdict looks is
//! in `run/human.rs`, `run/json.rs` and `run/junit.rs`, where a log goes in `run/log.rs`, and what they are run against in
//! `run/target.rs`.

mod ahead;
mod human;
mod json;
mod junit;
mod log;
mod progress;
mod target;

use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

use clap::ValueEnum;
use firedrill_scenario::{Failure, History, Run, Scenario, Verdict};
use firedrill_yaml::Problem;

use crate::args::TEMPLATE;
use crate::exit::{Ended, Error};
use crate::interrupt::Interrupt;
use crate::lines::{Lines, plural};
use crate::load::{self, File, Unusable, load};
use crate::out::Out;
use crate::stopwatch::{Elapsed, Stopwatch};
use crate::text::shell_word;
use log::LogFolder;
use progress::Progress;
use target::TargetArgs;

/// Run scenarios and say which hold
#[derive(Debug, clap::Args)]
#[command(help_template = TEMPLATE, before_help = "\
Prints a line for each scenario, then every failure in full: what was expected \
and found, what had happened, and the command that runs it again.")]
#[command(after_help = "\
Examples:
  firedrill run                            everything in scenarios/
  firedrill run scenarios/start -v         one folder, with descriptions
  firedrill run --tag cooldown --fail-fast
  firedrill run --format junit > firedrill.xml
  firedrill run cooldown.yaml --log logs   then: firedrill replay logs/...
  firedrill run scenarios/anywhere --target http://127.0.0.1:8080 \\
    --mock-listen 127.0.0.1:4141           a gateway whose upstream is there

A file that cannot be used counts as `could not run`; the others run.
A filter or tag that leaves nothing to run is an error.

What a gateway at a URL cannot be asked is skipped with the reason, and counted.
If nothing was judged at all, that could not run.")]
pub(crate) struct Args {
    /// Files, or folders with .yaml and .yml files
    #[arg(value_name = "PATH", default_value = load::DEFAULT)]
    paths: Vec<PathBuf>,

    /// How to print it: human (default), json, junit
    #[arg(long, default_value = "human", hide_possible_values = true, hide_default_value = true)]
    format: Format,

    /// Run those only that have this in their path or name
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,

    /// Run those only that have this tag; repeat it for any of several
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<String>,

    /// Draw by this seed, not by the scenario's own
    #[arg(long, value_name = "N")]
    seed: Option<u64>,

    /// Stop at the first that fails or cannot run
    #[arg(long)]
    fail_fast: bool,

    /// Write the event log of each to DIR/PATH.jsonl
    #[arg(long, value_name = "DIR")]
    log: Option<PathBuf>,

    /// Print what went wrong and the summary only
    #[arg(long, short, conflicts_with = "verbose")]
    quiet: bool,

    /// Print descriptions, warnings, skipped steps and ignored keys
    #[arg(long, short)]
    verbose: bool,

    #[command(flatten)]
    target: TargetArgs,
}

/// How to print verdicts.
#[derive(Copy, Clone, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    Human,
    Json,
    Junit,
}

/// What came of all of them.
#[derive(Default)]
struct Report {
    rehearsals: Vec<Rehearsal>,
    /// How many a filter or a tag left out.
    left_out: usize,
    interrupted: bool,
}

/// What came of one of them.
struct Rehearsal {
    file: File,
    /// Whether its turn came.
    reached: bool,
    /// `None` also for a file that cannot be used.
    run: Option<Run>,
    /// The options that say again what it was run against.
    again: Rc<str>,
}

/// What came of one of them, in a word.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
enum Word {
    Passed,
    Failed,
    CouldNotRun,
    NotJudged,
    NotRun,
}

pub(crate) fn run(args: &Args, out: &mut Out) -> Result<Ended, Error> {
    let stopwatch = Stopwatch::start();
    let logs = args.log.as_deref().map(LogFolder::new).transpose()?;
    if logs.is_some() && !args.target.tells_its_log() {
        let problem =
            Problem::new("`--log` needs a target that tells its log, and a gateway at a URL does not");
        return Err(problem.hint("`--format json` has everything that was seen").into());
    }
    let (files, left_out) = args.choose(load(&args.paths)?)?;
    let interrupt = Interrupt::listen();
    let lines = Lines::of(files.iter().map(|file| &*file.shown));
    let progress = Progress::new(files.len());
    let readable = || files.iter().filter_map(|file| file.read.as_ref().ok()).map(Arc::clone).collect();
    let mut target = args.target.ready(readable, args.seed, &interrupt, &progress)?;
    let again: Rc<str> = args.target.again().into();

    let mut report = Report { left_out, ..Report::default() };
    let mut stopped = false;
    for file in files {
        report.interrupted |= !stopped && interrupt.heard();
        stopped |= report.interrupted;
        let run = match &file.read {
            Ok(scenario) if !stopped => {
                progress.begin(&file.shown);
                let mut run = target.run(scenario, args.seed);
                if let Some(logs) = &logs {
                    logs.write(&file.path, &run.history)?;
                }
                // The longest part of a run, and nothing asks for it any more.
                run.history = History::default();
                Some(run)
            }
            _ => None,
        };
        // One that was interrupted in its middle was not run.
        let broken_off =
            matches!(&run, Some(Run { verdict: Verdict::CouldNotRun(_), .. })) && interrupt.heard();
        report.interrupted |= broken_off;
        stopped |= broken_off;
        let run = run.filter(|_| !broken_off);
        let rehearsal = Rehearsal { file, reached: !stopped, run, again: Rc::clone(&again) };
        let word = rehearsal.word();
        if !stopped && args.format == Format::Human && !args.quiet {
            progress.aside(|| human::line(out, &lines, &rehearsal, args.verbose));
        }
        stopped |= args.fail_fast && matches!(word, Word::Failed | Word::CouldNotRun);
        report.rehearsals.push(rehearsal);
        progress.done();
    }
    progress.end();

    match args.format {
        Format::Human => human::print(out, &report, args.verbose, stopwatch.elapsed()),
        Format::Json => json::print(out, &report, stopwatch.elapsed()),
        Format::Junit => junit::print(out, &report, stopwatch.elapsed()),
    }
    Ok(report.ended())
}

impl Args {
    /// Those that were asked for, and how many were not.
    fn choose(&self, mut files: Vec<File>) -> Result<(Vec<File>, usize), Problem> {
        let found = files.len();
        files.retain(|file| self.asks_for(file));
        let left_out = found - files.len();
        if files.is_empty() {
            let message =
                format!("`--filter` and `--tag` leave nothing to run, of {}", plural(found, "scenario"));
            return Err(Problem::new(message));
        }
        Ok((files, left_out))
    }

    /// A file that cannot be used has neither name nor tags: it is left out only if its path is not asked for.
    fn asks_for(&self, file: &File) -> bool {
        let by_text = self.filter.as_ref().is_none_or(|text| {
            file.path.to_string_lossy().contains(text)
                || file.read.as_ref().is_ok_and(|scenario| scenario.name.contains(text))
        });
        let by_tag = self.tags.is_empty()
            || file
                .read
                .as_ref()
                .map_or(true, |scenario| scenario.tags.iter().any(|tag| self.tags.contains(tag)));
        by_text && by_tag
    }
}

impl Rehearsal {
    fn word(&self) -> Word {
        match &self.run {
            _ if !self.reached => Word::NotRun,
            None | Some(Run { verdict: Verdict::CouldNotRun(_), .. }) => Word::CouldNotRun,
            Some(Run { verdict: Verdict::Passed, .. }) => Word::Passed,
            Some(Run { verdict: Verdict::Failed(_), .. }) => Word::Failed,
            Some(Run { verdict: Verdict::NotJudged, .. }) => Word::NotJudged,
        }
    }

    /// Why its file cannot be used, if its turn came and it cannot.
    fn unusable(&self) -> Option<&Unusable> {
        self.file.read.as_ref().err().filter(|_| self.reached)
    }

    /// Why the target is not as its scenario needs it, if it is not.
    fn unready(&self) -> Option<(&Scenario, &Problem)> {
        match (&self.file.read, &self.run) {
            (Ok(scenario), Some(Run { verdict: Verdict::CouldNotRun(problem), .. })) if self.reached => {
                Some((scenario, problem))
            }
            _ => None,
        }
    }

    fn failure(&self) -> Option<(&Scenario, &Failure)> {
        match (&self.file.read, &self.run) {
            (Ok(scenario), Some(Run { verdict: Verdict::Failed(failure), .. })) => Some((scenario, failure)),
            _ => None,
        }
    }

    /// The command that runs it again just so.
    fn reproduce(&self) -> Option<String> {
        let Run { seed, .. } = self.run.as_ref()?;
        Some(format!("firedrill run {} --seed {seed}{}", shell_word(&self.file.shown), self.again))
    }
}

impl Report {
    fn count(&self, word: Word) -> usize {
        self.rehearsals.iter().filter(|rehearsal| rehearsal.word() == word).count()
    }

    fn ended(&self) -> Ended {
        if self.interrupted {
            Ended::Interrupted
        } else if self.count(Word::CouldNotRun) > 0 {
            Ended::CouldNotRun
        } else if self.count(Word::Failed) > 0 {
            Ended::Failed
        } else if self.count(Word::Passed) == 0 && self.count(Word::NotJudged) > 0 {
            Ended::CouldNotRun
        } else {
            Ended::Well
        }
    }

    /// `2 passed, 0 failed, 0 could not run in 3 ms`
    fn summary(&self, elapsed: Elapsed) -> String {
        let count = |word| self.count(word);
        let always =
            [(Word::Passed, "passed"), (Word::Failed, "failed"), (Word::CouldNotRun, "could not run")];
        let always = always.map(|(word, what)| (count(word), what));
        let others = [
            (count(Word::NotJudged), "not judged"),
            (count(Word::NotRun), "not run"),
            (self.left_out, "left out"),
        ];
        let others = others.into_iter().filter(|(count, _)| *count > 0);
        let parts: Vec<String> =
            always.into_iter().chain(others).map(|(count, what)| format!("{count} {what}")).collect();
        format!("{} in {elapsed}", parts.join(", "))
    }
}
