//! The lines that tell of files, one each, and what may stand under them. Shared by the subcommands that go through
//! many files, so that they look alike; readable without colour.

use anstyle::{AnsiColor, Style};
use firedrill_scenario::Scenario;

use crate::load::Unusable;
use crate::out::Out;
use crate::text::{columns, cut, one_line, pad, wrap};

pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
pub(crate) const BAD: Style = AnsiColor::Red.on_default().bold();
pub(crate) const DIM: Style = Style::new().dimmed();
pub(crate) const BOLD: Style = Style::new().bold();

/// Paths up to this width stand in a column; longer ones push what follows to the right.
const WIDEST: usize = 40;
/// What stands under a line begins here.
const INDENT: usize = 8;

/// How the lines of one command are laid out.
pub(crate) struct Lines {
    path: usize,
}

impl Lines {
    /// For these paths, as they are shown.
    pub(crate) fn of<'a>(paths: impl Iterator<Item = &'a str>) -> Self {
        Self { path: paths.map(columns).filter(|width| *width <= WIDEST).max().unwrap_or(0) }
    }

    /// `  pass  scenarios/start/cooldown.yaml  a rate-limited token comes back after its cooldown`
    pub(crate) fn print(&self, out: &mut Out, (style, word): (Style, &str), path: &str, rest: &str) {
        let path = pad(path, self.path);
        let word = " ".repeat((INDENT - 2).saturating_sub(columns(word))) + &out.paint(style, word);
        let left = out.width().map(|width| width.saturating_sub(INDENT + columns(&path) + 2));
        let rest = left.map_or_else(|| rest.to_owned(), |left| cut(rest, left));
        out.line(format!("{word}  {path}  {rest}").trim_end());
    }
}

/// What a file says of its scenario.
pub(crate) fn details(out: &mut Out, scenario: &Scenario) {
    if let Some(description) = &scenario.description {
        note(out, &one_line(description));
    }
    if !scenario.tags.is_empty() {
        note(out, &format!("tags: {}", one_line(&scenario.tags.join(", "))));
    }
    if !scenario.ignored.is_empty() {
        let keys: Vec<&str> = scenario.ignored.iter().map(|key| key.as_str()).collect();
        note(out, &format!("ignored provider keys: {}", one_line(&keys.join(", "))));
    }
}

/// Prints a paragraph under a line.
pub(crate) fn note(out: &mut Out, text: &str) {
    let width = out.width().unwrap_or(80).saturating_sub(INDENT).max(20);
    for line in wrap(text, width) {
        let line = out.paint(DIM, &line);
        out.line(format_args!("{:INDENT$}{line}", ""));
    }
}

/// Prints the problems of a file that cannot be used.
pub(crate) fn unusable(out: &mut Out, unusable: &Unusable) {
    let rendered = unusable.render(out.color());
    out.paragraph(rendered);
}

/// Prints what is worth a look in a scenario.
pub(crate) fn warnings(out: &mut Out, scenario: &Scenario) {
    for warning in &scenario.warnings {
        let rendered = warning.render(Some(&scenario.source), out.color());
        out.paragraph(rendered);
    }
}

/// `1 warning`, `2 warnings`.
pub(crate) fn plural(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}
