//! How the program ends: what came of a command, and the exit code that says so to a script.

use std::io;
use std::process::ExitCode;

use firedrill_yaml::Problem;

use crate::out::Out;

/// What came of a command that did what it was asked to.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// Everything is as it should be: 0.
    Well,
    /// A verdict failed, or a property broke: 1.
    Failed,
    /// Something could not be run, and was told already: 2.
    CouldNotRun,
    /// Ctrl-C: 130, which is 128 and the number of the signal, as a shell has it.
    Interrupted,
}

/// Why a command could not be carried out. Exit code 2.
#[derive(Debug)]
pub(crate) enum Error {
    /// What the user gave cannot be used. Remedy: the problem says it.
    Problem(Problem),
    /// What was to be printed could not be. Remedy: room on the disk, most of the time.
    Output(io::Error),
}

impl From<Problem> for Error {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

/// What the main help says of all this.
pub(crate) const HELP: &str = "\
Exit codes:
  0    passed: every verdict is as it should be
  1    failed: a scenario failed, a trace differs, or a property broke
  2    could not run: a file or the command line is wrong
  130  interrupted by Ctrl-C: once to stop after what is running, twice to stop
       at once

NO_COLOR=1 turns colors off, unless --color asks for them.";

/// Tells what went wrong, if something did, and gives the exit code.
pub(crate) fn code(ended: Result<Ended, Error>, mut out: Out) -> ExitCode {
    let ended = out.finish().map_err(Error::Output).and(ended);
    let ended = ended.unwrap_or_else(|error| {
        out.problem(&match error {
            Error::Problem(problem) => problem,
            Error::Output(error) => Problem::new(format!("cannot write to standard output: {error}")),
        });
        Ended::CouldNotRun
    });
    ExitCode::from(match ended {
        Ended::Well => 0,
        Ended::Failed => 1,
        Ended::CouldNotRun => 2,
        Ended::Interrupted => 130,
    })
}
