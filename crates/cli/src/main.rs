//! The `firedrill` command. It reads the command line, hands it to the subcommand, and turns what comes of it into an
//! exit code; what a scenario means and how it runs is known elsewhere.

#![forbid(unsafe_code)]

mod args;
mod check;
mod completions;
mod conform;
mod exit;
mod explore;
mod gateway;
mod interrupt;
mod json;
mod lines;
mod load;
mod mock;
mod new;
mod out;
mod replay;
mod run;
mod schema;
mod stopwatch;
mod text;

use std::process::ExitCode;

fn main() -> ExitCode {
    let args = args::parse();
    let mut out = out::Out::new(args.color);
    let ended = args.command.run(&mut out);
    exit::code(ended, out)
}
