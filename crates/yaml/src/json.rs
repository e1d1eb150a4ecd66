//! From what the JSON reader complains of to a [`Problem`] in the same words as for YAML. It knows less:
//! one sentence, and how far the reader had come.

use crate::place::boundary;
use crate::translate::{empty, expected_words, found_words, worded};
use crate::wording::{given_twice, missing_key, mistyped, unknown_choice_words, unknown_key_words};
use crate::{Place, Problem, custom, quoted};

/// What went wrong when `text` was read as JSON; `expected` is what should have been in it.
pub(crate) fn problem(text: &str, error: &serde_json::Error, expected: &str) -> Problem {
    if text.trim().is_empty() {
        return empty(expected);
    }
    let place = place_of(text, error.line(), error.column());
    let said = error.to_string();
    let said = said.rsplit_once(" at line ").map_or(said.as_str(), |(said, _)| said);
    match error.classify() {
        serde_json::error::Category::Data => data_problem(said, place),
        serde_json::error::Category::Eof => Problem::new("the file ends too soon").at(place),
        _ => Problem::new("this is not JSON").at(place).hint(said),
    }
}

/// serde_json gives one sentence; serde's own sentences are known and stable, so they are read back.
fn data_problem(said: &str, place: Place) -> Problem {
    let mut names = said.split('`').skip(1).step_by(2);
    let first = names.next().unwrap_or_default();
    let rest: Vec<&str> = names.collect();
    if said.starts_with("unknown field") {
        worded(place, unknown_key_words(first, &rest))
    } else if said.starts_with("unknown variant") {
        worded(place, unknown_choice_words(first, &rest))
    } else if said.starts_with("missing field") {
        missing_key(first).at(place)
    } else if said.starts_with("duplicate field") {
        Problem::new(given_twice(&quoted(first))).at(place)
    } else if let Some((unexpected, expected)) = said
        .strip_prefix("invalid type: ")
        .or_else(|| said.strip_prefix("invalid value: "))
        .and_then(|said| said.rsplit_once(", expected "))
    {
        mistyped(expected_words(expected), &found_words(unexpected)).at(place)
    } else {
        custom::problem(said, Some(place))
    }
}

/// serde_json counts columns in bytes, and says how far it has read.
fn place_of(text: &str, line: usize, column: usize) -> Place {
    let line_start: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    let start = boundary(text, line_start + column.saturating_sub(1));
    let len = text[start..].chars().next().map_or(0, char::len_utf8);
    Place::in_text(text, start, start + len)
}
