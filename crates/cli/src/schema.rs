//! `firedrill schema`: prints the JSON schema of the scenario language.

use crate::args::TEMPLATE;
use crate::exit::Ended;
use crate::out::Out;

/// Print the JSON schema of scenarios, for editors
#[derive(Debug, clap::Args)]
#[command(help_template = TEMPLATE, before_help = "\
An editor with a YAML language server completes and checks a scenario that \
begins with `# yaml-language-server: $schema=PATH`, as those of `firedrill new` \
do.")]
#[command(after_help = "\
Examples:
  firedrill schema > scenarios/schema.json")]
pub(crate) struct Args {}

pub(crate) fn schema(Args {}: &Args, out: &mut Out) -> Ended {
    out.text(&firedrill_scenario::schema());
    Ended::Well
}
