//! How a hand-written `Deserialize` says what is wrong in our own words. serde lets an error through as
//! one string only; message, hint and place travel in it between separators that no file can put
//! there, and are taken apart again on the other side. Nobody else knows of them.

use std::fmt::Display;

use serde::de::Error;

use crate::wording::unknown_key_words;
use crate::{Place, Problem, Spanned};

/// Control characters never come through [`quoted`](crate::quoted), so no value can forge one.
const SEPARATOR: char = '\u{1f}';

/// An error for `impl Deserialize`: `message` at the place of the value being read, and `hint` unless it
/// is empty. Pass values of the file through [`quoted`](crate::quoted).
///
/// ```
/// use serde::{Deserialize, Deserializer};
///
/// struct Model(String);
///
/// impl<'de> Deserialize<'de> for Model {
///     fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
///         let name = String::deserialize(deserializer)?;
///         match name.is_empty() {
///             true => Err(firedrill_yaml::custom("a model needs a name", "for example `gpt-4o`")),
///             false => Ok(Model(name)),
///         }
///     }
/// }
///
/// let source = firedrill_yaml::Source::new("a.yaml", "\n  ''");
/// let problem = source.parse::<Model>("a model").err().unwrap();
/// assert_eq!(problem.to_string(), "a.yaml:2:3: a model needs a name (for example `gpt-4o`)");
/// ```
pub fn custom<E: Error>(message: impl Display, hint: impl Display) -> E {
    E::custom(format_args!("{SEPARATOR}{message}{SEPARATOR}{hint}"))
}

/// As [`custom`], at `place`: for what is known to be wrong only once more has been read.
pub fn custom_at<E: Error>(place: Place, message: impl Display, hint: impl Display) -> E {
    let Place { line, column, start, end } = place;
    let places = [line, column, start, end].map(|number| number.to_string()).join(" ");
    E::custom(format_args!("{SEPARATOR}{message}{SEPARATOR}{hint}{SEPARATOR}{places}"))
}

/// The error for a key that a hand-written map visitor does not know, worded as for a derived struct.
pub fn unknown_key<E: Error>(key: &Spanned<String>, expected: &[&str]) -> E {
    let (message, hint) = unknown_key_words(key, expected);
    custom_at(key.place, message, hint)
}

/// The problem that `text` was made from, with the place it names, or at `place`.
pub(crate) fn problem(text: &str, place: Option<Place>) -> Problem {
    let mut parts = text.strip_prefix(SEPARATOR).unwrap_or(text).split(SEPARATOR);
    let message = parts.next().unwrap_or_default();
    let hint = parts.next().filter(|hint| !hint.is_empty());
    let own_place = parts.next().and_then(read_place).filter(|place| place.is_known());

    let mut problem = Problem::new(message);
    if let Some(place) = own_place.or(place) {
        problem = problem.at(place);
    }
    match hint {
        Some(hint) => problem.hint(hint),
        None => problem,
    }
}

fn read_place(text: &str) -> Option<Place> {
    let mut numbers = text.split(' ').map(str::parse);
    let mut next = || numbers.next()?.ok();
    Some(Place { line: next()?, column: next()?, start: next()?, end: next()? })
}
