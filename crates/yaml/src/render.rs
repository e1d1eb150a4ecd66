//! How a problem looks on a terminal: the line it is about, carets, and the hint. It chooses the layout
//! and leaves the drawing to annotate-snippets; the words are not its own.

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};

use crate::place::boundary;
use crate::wording::{is_invisible, presentable};
use crate::{Other, Place, Problem, Severity, Source, redact};

/// Lines of the file are cropped to what fits this many columns.
const WIDTH: usize = 80;

/// What is farther apart than this on one line is not shown together, in columns.
const FAR: usize = 50;

/// No more characters than this get carets, so that what stands before them is seen too.
const MOST_CARETS: usize = 56;

pub(crate) fn render(problem: &Problem, source: Option<&Source>, color: bool) -> String {
    // Lines of another file would mislead.
    let source = source.filter(|source| problem.file().is_none_or(|file| file == presentable(source.name())));
    let shown = source.map(|source| visible(source.text()));
    let level = match problem.severity() {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let own_name = source.map(|source| presentable(source.name()));
    let name = problem.file().or(own_name.as_deref()).unwrap_or("input");

    let message = wrapped(problem.message(), "warning: ".len());
    let far = if shown.is_some() { far_notes(problem) } else { Vec::new() };
    let hint = problem.hint_text().map(|hint| wrapped(hint, "    = help: ".len()));

    let mut group = Group::with_title(level.primary_title(&message));
    match (&shown, problem.place()) {
        (Some(text), Some(place)) => {
            let first_line = source.map_or(1, Source::first_line);
            group = group.element(snippet(problem, place, name, text).line_start(first_line));
        }
        (None, Some(Place { line, column, .. })) => {
            group = group.element(Origin::path(name).line(line).char_column(column));
        }
        (_, None) if problem.file().is_some() => group = group.element(Origin::path(name)),
        _ => {}
    }
    for note in &far {
        group = group.element(Level::NOTE.message(note));
    }
    if let Some(hint) = &hint {
        group = group.element(Level::HELP.message(hint));
    }

    let renderer = if color { Renderer::styled() } else { Renderer::plain() };
    let drawn = renderer.term_width(WIDTH).render(&[group]);
    drawn.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}

fn snippet<'a>(
    problem: &'a Problem,
    place: Place,
    name: &'a str,
    text: &'a str,
) -> Snippet<'a, annotate_snippets::Annotation<'a>> {
    let primary = AnnotationKind::Primary.span(on_one_line(text, place)).label(problem.label_text());
    let others =
        problem.others().iter().filter(|other| !is_far(problem, other)).map(|Other { place, label }| {
            AnnotationKind::Context.span(on_one_line(text, *place)).label(label)
        });
    Snippet::source(text).path(name).fold(true).annotation(primary).annotations(others)
}

/// Whether a second place stands on the same line as the first, but not on the same screen.
fn is_far(problem: &Problem, other: &Other) -> bool {
    problem.place().is_some_and(|place| {
        place.line == other.place.line && place.column.abs_diff(other.place.column) > FAR
    })
}

fn far_notes(problem: &Problem) -> Vec<String> {
    let far = problem.others().iter().filter(|other| is_far(problem, other));
    far.map(|Other { place, label }| format!("{label}, in column {}", place.column)).collect()
}

/// `text` in lines that fit [`WIDTH`] with `indent` before each, broken between words but not in back
/// quotes. Lines are joined by newlines, after which the renderer indents.
fn wrapped(text: &str, indent: usize) -> String {
    let mut lines = String::with_capacity(text.len());
    let mut used = indent;
    let mut in_code = false;
    let words = text.split(|c| {
        in_code ^= c == '`';
        c == ' ' && !in_code
    });
    for word in words {
        let len = word.chars().count();
        if lines.is_empty() {
            used += len;
        } else if used + 1 + len > WIDTH {
            lines.push('\n');
            used = indent + len;
        } else {
            lines.push(' ');
            used += 1 + len;
        }
        lines.push_str(word);
    }
    lines
}

/// The text with keys masked and what would disturb a terminal blotted out, byte for byte, so that
/// places stay true.
fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in redact(text).chars() {
        if is_invisible(c) || (c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
            shown.extend(std::iter::repeat_n('?', c.len_utf8()));
        } else {
            shown.push(c);
        }
    }
    shown
}

/// The bytes to put carets under: inside the text, on one line, and all of what stands there when the
/// place only says where a list or a block of keys begins.
fn on_one_line(text: &str, place: Place) -> std::ops::Range<usize> {
    let start = boundary(text, place.start);
    let rest = text[start..].lines().next().unwrap_or_default();
    let len = match place.end.saturating_sub(place.start) {
        0 => rest.find(" #").unwrap_or(rest.len()),
        1 if rest.starts_with(['[', '{']) => closing(rest),
        len => len.min(rest.len()),
    };
    let len = rest.char_indices().nth(MOST_CARETS).map_or(len, |(most, _)| len.min(most));
    let end = boundary(text, start + len);
    start..start + text[start..end].trim_end().len()
}

/// The length of the bracketed text at the start of `line`, or of all of it if it goes on below.
fn closing(line: &str) -> usize {
    let mut depth = 0_usize;
    for (at, c) in line.char_indices() {
        match c {
            '[' | '{' => depth += 1,
            ']' | '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return at + 1;
        }
    }
    line.len()
}
