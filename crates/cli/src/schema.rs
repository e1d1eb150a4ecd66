//! `firedrill schema`: prints the JSON schema of the scenario language, of mock files, or of gateways.

use clap::ValueEnum;

use crate::args::TEMPLATE;
use crate::exit::Ended;
use crate::out::Out;

/// Print the JSON schema of scenarios, mock files or gateways, for editors
#[derive(Debug, clap::Args)]
#[command(help_template = TEMPLATE, before_help = "\
An editor with a YAML language server completes and checks a scenario that \
begins with `# yaml-language-server: $schema=PATH`, as those of `firedrill new` \
do.")]
#[command(after_help = "\
Examples:
  firedrill schema > scenarios/schema.json
  firedrill schema mock > mock.schema.json
  firedrill schema gateway > gateway.schema.json")]
pub(crate) struct Args {
    /// Of what: scenario (default), mock, gateway
    #[arg(default_value = "scenario", hide_possible_values = true, hide_default_value = true)]
    what: What,
}

#[derive(Copy, Clone, Debug, PartialEq, Eq, ValueEnum)]
enum What {
    Scenario,
    Mock,
    Gateway,
}

pub(crate) fn schema(args: &Args, out: &mut Out) -> Ended {
    out.text(&match args.what {
        What::Scenario => firedrill_scenario::schema(),
        What::Mock => firedrill_provider::mock_schema(),
        What::Gateway => firedrill_gateway::gateway_schema(),
    });
    Ended::Well
}
