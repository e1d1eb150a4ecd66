//! The command line as a whole. What a subcommand takes stands with the subcommand.

use std::ffi::OsString;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};
use firedrill_block::Span;
use firedrill_failover::Duration;
use firedrill_yaml::Source;

use crate::exit::{self, Ended, Error};
use crate::out::Out;
use crate::{check, completions, conform, explore, gateway, mock, new, replay, run, schema};

/// Rehearse API-key failures before they happen
#[derive(Debug, Parser)]
#[command(name = "firedrill", version, max_term_width = 80, arg_required_else_help = true)]
#[command(help_template = TEMPLATE, before_help = "\
A scenario is a YAML file: a pool of API tokens, what the provider will answer, \
and what should come of it. It is replayed in virtual time, takes milliseconds, \
and passes or fails.

  firedrill new my-outage     write a scenario to start from
  firedrill run my-outage.yaml")]
pub(crate) struct Args {
    /// Use colors: auto (default), always, never
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto", display_order = 900)]
    #[arg(hide_possible_values = true, hide_default_value = true)]
    pub(crate) color: Color,

    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What a help says, in which order: the subcommand in a line, what it is for, how to call it, examples. One text for
/// `-h` and `--help`.
pub(crate) const TEMPLATE: &str =
    "{about-with-newline}\n{before-help}{usage-heading} {usage}\n\n{all-args}{after-help}";

/// When to use colours.
#[derive(Copy, Clone, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal, unless `NO_COLOR` is set.
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Run(run::Args),
    Check(check::Args),
    New(new::Args),
    Replay(replay::Args),
    Conform(conform::Args),
    Explore(explore::Args),
    Mock(mock::Args),
    Gateway(gateway::Args),
    Schema(schema::Args),
    Completions(completions::Args),
}

impl Command {
    pub(crate) fn run(self, out: &mut Out) -> Result<Ended, Error> {
        match self {
            Self::Run(args) => run::run(&args, out),
            Self::Check(args) => check::check(&args, out),
            Self::New(args) => new::new(&args, out),
            Self::Replay(args) => replay::replay(&args, out),
            Self::Conform(args) => conform::conform(&args, out),
            Self::Explore(args) => explore::explore(&args, out),
            Self::Mock(args) => mock::mock(&args, out),
            Self::Gateway(args) => gateway::gateway(&args, out),
            Self::Schema(args) => Ok(schema::schema(&args, out)),
            Self::Completions(args) => Ok(completions::completions(&args, out)),
        }
    }
}

/// Reads the command line of this process. Does not come back if it is wrong, or asks for help: clap has answered.
pub(crate) fn parse() -> Args {
    let given: Vec<OsString> = std::env::args_os().collect();
    let color = match color(&given) {
        Some("always") => clap::ColorChoice::Always,
        Some("never") => clap::ColorChoice::Never,
        _ => clap::ColorChoice::Auto,
    };
    let command = command().color(color);
    let parsed = command.try_get_matches_from(given).and_then(|matches| Args::from_arg_matches(&matches));
    parsed.unwrap_or_else(|error| error.exit())
}

/// The command as clap knows it.
pub(crate) fn command() -> clap::Command {
    Args::command().after_help(exit::HELP)
}

/// What `--color` says, looked up by hand: clap colours its own messages before it has read it.
fn color(given: &[OsString]) -> Option<&str> {
    let words: Vec<&str> =
        given.iter().map_while(|word| word.to_str()).take_while(|word| *word != "--").collect();
    let at = words.iter().rposition(|word| *word == "--color" || word.starts_with("--color="))?;
    words[at].strip_prefix("--color=").or_else(|| words.get(at + 1).copied())
}

/// Reads a length of time, in the words that a scenario uses for it.
pub(crate) fn span(text: &str) -> Result<Duration, String> {
    let Span(span) = Source::new("option", text).parse("a length of time").map_err(|problem| {
        let hint = problem.hint_text().map(|hint| format!("; {hint}"));
        format!("{}{}", problem.message(), hint.unwrap_or_default())
    })?;
    Ok(span)
}

/// How to print what was found.
#[derive(Copy, Clone, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    Human,
    /// One JSON document
    Json,
}
