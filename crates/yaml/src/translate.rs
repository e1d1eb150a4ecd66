//! From what the YAML reader complains of to a [`Problem`] in our words: what was expected, what was
//! found, where. It matches on its kinds of error and never shows its sentences.

use serde_saphyr::localizer::ExternalMessageSource;
use serde_saphyr::{Error, budget::BudgetBreach};

use crate::outline::{Kind, Node, Outline, Role};
use crate::parse::{ALIASES, DEPTH, NODES, REPEATED};
use crate::wording::{given_twice, missing_key, mistyped, unknown_choice_words, unknown_key_words};
use crate::{Place, Problem, custom, quoted, syntax};

/// What went wrong when `text` was read as YAML; `expected` is what should have been in it.
pub(crate) fn yaml_problem(text: &str, error: &Error, expected: &str) -> Problem {
    let outline = Outline::of(text, NODES);
    let reader = Reader { text, outline: &outline, whole: expected };
    let is_syntax = matches!(error.without_snippet(), Error::ExternalMessage { .. });
    if !is_syntax && outline.root().is_none_or(Node::is_nothing) {
        return empty(expected);
    }
    reader.problem(error)
}

pub(crate) fn empty(expected: &str) -> Problem {
    Problem::new(format!("the file is empty, expected {expected}"))
}

struct Reader<'a> {
    text: &'a str,
    outline: &'a Outline,
    /// What should be in the file, with its article.
    whole: &'a str,
}

impl Reader<'_> {
    fn problem(&self, error: &Error) -> Problem {
        let place = error.location().and_then(|location| Place::from_location(self.text, location));
        let place =
            place.or(self.outline.root().map(|root| root.place)).unwrap_or(Place::in_text(self.text, 0, 0));
        match error.without_snippet() {
            Error::Message { msg, .. } | Error::SerdeVariantId { msg, .. } => {
                custom::problem(msg, Some(place))
            }
            Error::ExternalMessage { source, .. } => match &**source {
                ExternalMessageSource::Parser(error) => {
                    syntax::problem(self.text, self.outline, error.kind(), place)
                }
                _ => Problem::new("this is not YAML").at(place),
            },
            Error::AliasError { error, locations, .. } => self.alias(error, *locations, place),
            Error::SerdeUnknownField { field, expected, .. } => {
                worded(place, unknown_key_words(field, expected))
            }
            Error::SerdeUnknownVariant { variant, expected, .. } => {
                let value = self.outline.value_of_key_at(place);
                let value = value.filter(|value| value.text() == Some(variant));
                worded(value.map_or(place, |value| value.place), unknown_choice_words(variant, expected))
            }
            Error::SerdeMissingField { field, .. } => self.missing(field, place),
            Error::DuplicateMappingKey { key, .. } => self.duplicate(key.as_deref(), place),
            Error::SerdeInvalidType { unexpected, expected, .. }
            | Error::SerdeInvalidValue { unexpected, expected, .. } => {
                let node = self.meant(unexpected, place);
                self.mistyped(expected_words(expected), node, place, unexpected)
            }
            Error::SerdeInvalidLength { len, expected, .. } => {
                Problem::new(format!("expected {expected}, found {len}")).at(place)
            }
            Error::InvalidScalar { ty, .. } => self.mistyped(type_words(ty), None, place, ""),
            Error::InvalidBooleanStrict { .. } => self.mistyped("`true` or `false`", None, place, ""),
            Error::NonFiniteFloat { .. } => self.mistyped("a finite number", None, place, ""),
            Error::QuotingRequired { value, .. } => self.unquoted(value, place),
            Error::NullIntoString { .. } => self.mistyped("text", None, place, ""),
            Error::Unexpected { expected, .. } => self.mistyped(node_words(expected), None, place, ""),
            other => worded(place, rare(other)),
        }
    }

    /// A place in the file that repeats another one by an alias: both matter.
    fn alias(&self, error: &Error, locations: serde_saphyr::Locations, place: Place) -> Problem {
        let inner = self.problem(error);
        match Place::from_location(self.text, locations.defined_location) {
            Some(defined) if defined != place => inner.at(place).also(defined, "written here"),
            _ => inner.at(place),
        }
    }

    fn missing(&self, field: &str, place: Place) -> Problem {
        let empty_map = self
            .outline
            .value_of_key_at(place)
            .is_some_and(|value| value.kind == Kind::Map && !self.outline.has_children(value));
        let owner = if empty_map { None } else { self.outline.owner_of_key_at(place) };
        missing_key(field).at(owner.unwrap_or(place)).label(format!("needs {}", quoted(field)))
    }

    fn duplicate(&self, key: Option<&str>, place: Place) -> Problem {
        let key = key.map_or("this key".to_owned(), quoted);
        let problem = Problem::new(given_twice(&key)).at(place);
        match self.outline.earlier_twin(place) {
            Some(first) => problem.label("given again here").also(first.place, "first given here"),
            None => problem,
        }
    }

    /// Serde says what it met and the library says near which key: the node that fits both.
    fn meant(&self, unexpected: &str, place: Place) -> Option<&Node> {
        let kind = match unexpected {
            "map" => Some(Kind::Map),
            "sequence" => Some(Kind::List),
            _ => None,
        };
        let here = self.outline.at(place);
        if here.is_some_and(|here| Some(&here.kind) == kind.as_ref()) {
            return here;
        }
        self.outline.value_of_key_at(place).or(here)
    }

    fn mistyped(&self, expected: &str, node: Option<&Node>, place: Place, unexpected: &str) -> Problem {
        let Some(node) = node.or_else(|| self.outline.at(place)) else {
            let found = if unexpected.is_empty() { "something else" } else { unexpected };
            return mistyped(expected, &found_words(found)).at(place);
        };
        let meaning = self.outline.meaning(node);
        let wanted = if node.role == Role::Root && expected == "a map" { self.whole } else { expected };
        // Nothing is hard to point at: its key is what can be seen.
        let shown = Some(node).filter(|node| node.is_nothing()).and_then(|node| self.outline.key_of(node));
        let problem = mistyped(wanted, &found(meaning)).at(shown.unwrap_or(node).place);
        match self.remedy(expected, meaning) {
            Some(hint) => problem.hint(hint),
            None => problem,
        }
    }

    /// What to do about `node`, where something else was expected.
    fn remedy(&self, expected: &str, node: &Node) -> Option<String> {
        let written = self.text.get(node.place.start..node.place.end).unwrap_or_default();
        let text = match &node.kind {
            Kind::Map if expected == "a list" => {
                let in_braces = self.text.get(node.place.start..)?.starts_with('{');
                let hint =
                    if in_braces { "a list stands in `[` and `]`" } else { "begin each item with `- `" };
                return Some(hint.to_owned());
            }
            Kind::List if self.text.get(node.place.start..)?.starts_with('-') => {
                return Some("take the `-` out".to_owned()).filter(|_| expected == "a map");
            }
            Kind::Plain(text) | Kind::Text(text) => text.as_str(),
            _ => return None,
        };
        let is_plain = matches!(node.kind, Kind::Plain(_));
        let wants_number = expected.contains("number") || expected.contains("status");
        let hint = match text {
            _ if node.is_nothing() => return None,
            _ if is_plain && node.role != Role::Root && written.trim_end().contains('\n') => {
                let before = &self.text[..node.place.start];
                if before.matches(['[', '{']).count() > before.matches([']', '}']).count() {
                    "the line ends without a comma, so the next one goes on with it"
                } else {
                    "the next line is indented so far that it goes on with this one"
                }
            }
            _ if !is_plain && wants_number && is_number(text) => "remove the quotes",
            "true" | "false" if !is_plain && expected.contains("`true`") => "remove the quotes",
            _ if expected == "a list" && text.chars().count() <= SHORT => {
                return Some(format!("write it as `[{}]`", written.trim()));
            }
            _ if !is_plain => return None,
            _ if expected == "a whole number" && is_number(text) && text.contains(['e', 'E']) => {
                "write it in digits alone"
            }
            _ if expected == "a whole number" && is_number_with_unit(text) => {
                "write it in digits alone, without a unit"
            }
            "yes" | "Yes" | "YES" | "on" | "On" | "ON" => "write `true`",
            "no" | "No" | "NO" | "off" | "Off" | "OFF" => "write `false`",
            _ if lacks_space(text) => "write a space after the colon",
            _ => return None,
        };
        Some(hint.to_owned())
    }

    /// Text was wanted, and what stands there without quotes is something else.
    fn unquoted(&self, value: &str, place: Place) -> Problem {
        let node = self.outline.key_at(place).map(|(_, key)| key).or_else(|| self.outline.at(place));
        let problem = self.mistyped("text", node, place, value);
        match node {
            Some(node) if node.is_nothing() => problem,
            _ => problem.hint("put it in quotes"),
        }
    }
}

/// The rest, which needs no more than a sentence.
fn rare(error: &Error) -> (String, String) {
    let (message, hint) = match error {
        Error::Eof { .. } => ("the file ends too soon", ""),
        Error::MultipleDocuments { .. } => {
            ("expected one document, found a second", "remove the `---`, or put it in its own file")
        }
        Error::Budget { breach, .. } => return budget_words(breach),
        Error::AliasReplayLimitExceeded { .. }
        | Error::AliasReplayCounterOverflow { .. }
        | Error::AliasExpansionLimitExceeded { .. }
        | Error::AliasReplayStackDepthExceeded { .. } => {
            return (format!("aliases repeat more than {REPEATED} values"), WRITE_OUT.to_owned());
        }
        Error::UnknownAnchor { .. } => {
            ("this alias names no anchor above it", "text that begins with `*` needs quotes")
        }
        Error::RecursiveReferencesRequireWeakTypes { .. } => ("this alias stands inside its own anchor", ""),
        Error::MergeKeyNotAllowed { .. } | Error::MergeValueNotMapOrSeqOfMaps { .. } => {
            ("merge keys (`<<`) are not read", "write the keys out")
        }
        Error::TaggedEnumMismatch { .. }
        | Error::UnsupportedTag { .. }
        | Error::TaggedStructFieldName { .. }
        | Error::TaggedScalarCannotDeserializeIntoString { .. } => {
            ("tags are not used here", "text that begins with `!` needs quotes")
        }
        Error::UnexpectedValueForUnit { .. } | Error::ExpectedEmptyMappingForUnitStruct { .. } => {
            ("expected nothing here", "")
        }
        Error::InvalidCharNull { .. } | Error::InvalidCharNotSingleScalar { .. } => {
            ("expected one character", "")
        }
        _ => ("this cannot be read", "check the indentation, the quotes and the colons round here"),
    };
    (message.to_owned(), hint.to_owned())
}

const WRITE_OUT: &str = "write the values out instead of repeating them by `*`";

pub(crate) fn worded(place: Place, (message, hint): (String, String)) -> Problem {
    let problem = Problem::new(message).at(place);
    if hint.is_empty() { problem } else { problem.hint(hint) }
}

fn budget_words(breach: &BudgetBreach) -> (String, String) {
    match breach {
        BudgetBreach::Depth { .. } => {
            (format!("lists and maps stand more than {DEPTH} deep in each other"), String::new())
        }
        BudgetBreach::Aliases { .. } | BudgetBreach::Anchors { .. } => {
            (format!("the file has more than {ALIASES} anchors or aliases"), WRITE_OUT.to_owned())
        }
        BudgetBreach::Documents { .. } => {
            ("expected one document, found more".to_owned(), "put each in its own file".to_owned())
        }
        _ => (format!("the file holds more than {NODES} values"), "split it into several files".to_owned()),
    }
}

/// What stands at a node, as one would say it.
fn found(node: &Node) -> String {
    match &node.kind {
        Kind::List => "a list".to_owned(),
        Kind::Map => "a map".to_owned(),
        Kind::Alias(_) => "an alias".to_owned(),
        Kind::Text(text) => format!("the text {}", quoted(text)),
        Kind::Plain(_) if node.is_nothing() => "nothing".to_owned(),
        Kind::Plain(text) => quoted(text),
    }
}

/// Longer text than this is not repeated in a hint, in characters.
const SHORT: usize = 24;

/// Whether `text` is a number with letters after it, such as `10s`.
fn is_number_with_unit(text: &str) -> bool {
    let number = text.trim_end_matches(|c: char| c.is_ascii_alphabetic() || c == ' ');
    number.len() < text.len() && is_number(number)
}

/// Whether `text` is a key and its value with nothing between: `advance:10s`, but no address.
fn lacks_space(text: &str) -> bool {
    text.split_once(':').is_some_and(|(key, value)| {
        !value.starts_with("//") && !key.is_empty() && key.chars().all(|c| c.is_alphanumeric() || c == '_')
    })
}

fn is_number(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.'))
        && text.parse::<f64>().is_ok()
}

/// The library's names for Rust types, in words.
fn type_words(ty: &str) -> &'static str {
    match ty {
        "bool" => "`true` or `false`",
        "f32" | "f64" => "a number",
        "u8" => "a whole number up to 255",
        "u16" => "a whole number up to 65535",
        "u32" => "a whole number up to 4294967295",
        ty if ty.starts_with(['u', 'i']) => "a whole number",
        _ => "another kind of value",
    }
}

/// The library's names for what YAML is made of, in words.
fn node_words(expected: &str) -> &'static str {
    match expected {
        "mapping start" => "a map",
        "sequence start" => "a list",
        "string scalar" => "text",
        _ => "a single value",
    }
}

/// What serde says a type wanted, in words; types of our own say it well already.
pub(crate) fn expected_words(expected: &str) -> &str {
    match expected {
        "a string" | "string" => "text",
        "a boolean" => "`true` or `false`",
        "a sequence" => "a list",
        "a map" | "map" => "a map",
        "unit" => "nothing",
        primitive if matches!(primitive.as_bytes(), [b'u' | b'i' | b'f', b'0'..=b'9', ..]) => {
            type_words(primitive)
        }
        record if record.starts_with("struct ") => "a map",
        list if list.starts_with("tuple ") => "a list",
        choice if choice.starts_with("enum ") || choice.starts_with("variant ") => "a word or a key",
        other => other,
    }
}

/// What serde says it met ("string \"abc\"", "map"), in words.
pub(crate) fn found_words(unexpected: &str) -> String {
    let (kind, value) = unexpected.split_once([' ', '`']).unwrap_or((unexpected, ""));
    let value = value.trim_start_matches("point ").trim_matches(['`', '"']);
    match kind {
        "map" => "a map".to_owned(),
        "sequence" => "a list".to_owned(),
        "null" | "unit" | "Option" => "nothing".to_owned(),
        "string" => format!("the text {}", quoted(value)),
        "integer" | "floating" | "boolean" => quoted(value),
        _ => unexpected.to_owned(),
    }
}
