//! `firedrill completions`: prints a completion script for a shell.

use clap_complete::Shell;

use crate::args::{self, TEMPLATE};
use crate::exit::Ended;
use crate::out::Out;

/// Print a completion script for your shell
#[derive(Debug, clap::Args)]
#[command(help_template = TEMPLATE)]
#[command(after_help = "\
Examples:
  source <(firedrill completions bash)     in ~/.bashrc
  source <(firedrill completions zsh)      in ~/.zshrc, after compinit
  firedrill completions fish > ~/.config/fish/completions/firedrill.fish")]
pub(crate) struct Args {
    /// Which shell
    shell: Shell,
}

pub(crate) fn completions(args: &Args, out: &mut Out) -> Ended {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut args::command(), "firedrill", &mut script);
    out.text(&String::from_utf8_lossy(&script));
    Ended::Well
}
