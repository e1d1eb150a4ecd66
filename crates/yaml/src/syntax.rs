//! What is wrong with a text that is not YAML at all, for somebody who has never read the standard. One
//! line for each slip that people make; the rest is said in general words.

use serde_saphyr::granit_parser::ErrorKind;

use crate::outline::Outline;
use crate::translate::worded;
use crate::{Place, Problem, quoted};

/// The problem for a syntax error that the parser noticed at `place`; what it is about may stand
/// elsewhere, which is looked for here.
pub(crate) fn problem(text: &str, outline: &Outline, kind: &ErrorKind, place: Place) -> Problem {
    let (message, hint) = words(kind);
    let said = worded(place, (message, hint.to_owned()));
    if let Some(mark) = merge_mark(text, place) {
        return Problem::new("a merge left its marks here")
            .at(mark)
            .hint("keep one of the two versions, and take the marked lines out");
    }
    match kind {
        ErrorKind::TabNotAllowed
        | ErrorKind::TabInBlockIndentation
        | ErrorKind::TabAtBlockScalarStart
        | ErrorKind::TabInIndentation
        | ErrorKind::TabInPlainScalar => said.at(tab_near(text, place).unwrap_or(place)),
        ErrorKind::InvalidColonPlacement
        | ErrorKind::MappingValueNotAllowed
        | ErrorKind::BlockEntryInFlowCollection
        | ErrorKind::BlockSequenceEntryNotAllowed
        | ErrorKind::ExpectedFlowMappingSeparator
        | ErrorKind::ExpectedFlowSequenceSeparator => match bracket_open_before(text, outline, place) {
            Some(problem) => problem,
            None if *kind == ErrorKind::InvalidColonPlacement
                || *kind == ErrorKind::MappingValueNotAllowed =>
            {
                colon(text, place)
            }
            None => said,
        },
        ErrorKind::UnexpectedEofFlowSequence
        | ErrorKind::UnexpectedEofFlowMapping
        | ErrorKind::UnexpectedEofImplicitFlowMapping => match line_at(text, place).chars().next() {
            Some(found) if !found.is_whitespace() => {
                Problem::new(format!("expected a value, found {}", quoted(&found.to_string()))).at(place)
            }
            _ => said,
        },
        ErrorKind::InvalidTrailingSingleQuotedScalar | ErrorKind::InvalidTrailingDoubleQuotedScalar => {
            match quote_open_before(text, outline, place) {
                Some(open) => Problem::new("this quote is never closed").at(open).also(place, "noticed here"),
                None => said,
            }
        }
        ErrorKind::ExpectedBlockMappingKey | ErrorKind::SimpleKeyExpected => {
            let line = line_at(text, place);
            let hint = if line.starts_with('-') && !line.starts_with("- ") {
                "a list item needs a space after its dash"
            } else if line.contains(':') {
                let (message, _) = words(&ErrorKind::InvalidIndentation);
                return worded(place, (message, INDENT_ALIKE.to_owned()));
            } else {
                return said;
            };
            said.hint(hint)
        }
        _ => said,
    }
}

/// A bracket that stands open on a line before `place`, if no other closes it: then it is what is wrong.
fn bracket_open_before(text: &str, outline: &Outline, place: Place) -> Option<Problem> {
    let open = outline.unclosed()?.place;
    let bracket = opening(text, open)?;
    if open.line >= place.line {
        return None;
    }
    let closed = closing(&text[open.start..]);
    Some(match closed {
        Some(_) => Problem::new("expected `,` or a closing bracket").at(place).also(open, "opened here"),
        None => Problem::new(format!("`{bracket}` is never closed")).at(open).also(place, "noticed here"),
    })
}

/// The length of what the bracket at the start of `text` holds, if it is closed. Quotes are taken as they come.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    text.char_indices().find_map(|(at, c)| {
        match c {
            '[' | '{' => depth += 1,
            ']' | '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        (depth == 0).then_some(at + 1)
    })
}

/// The quote that was open when a line before `place` ended.
fn quote_open_before(text: &str, outline: &Outline, place: Place) -> Option<Place> {
    let read = outline.last()?.place.end;
    let rest = text.get(read..place.start)?;
    let at = read + rest.find(['"', '\''])?;
    let open = Place::in_text(text, at, at + 1);
    (open.line < place.line).then_some(open)
}

/// The mark of a merge conflict at the start of the line of `place`, or of the one before it.
fn merge_mark(text: &str, place: Place) -> Option<Place> {
    const MARKS: [&str; 3] = ["<<<<<<< ", "=======", ">>>>>>> "];
    let before = text.get(..place.start)?;
    let starts = before.match_indices('\n').map(|(newline, _)| newline + 1);
    let nearest: Vec<usize> = std::iter::once(0).chain(starts).collect();
    nearest.iter().rev().take(2).find_map(|&start| {
        let mark = MARKS.iter().find(|mark| text[start..].starts_with(**mark))?;
        Some(Place::in_text(text, start, start + mark.trim_end().len()))
    })
}

const INDENT_ALIKE: &str = "indent it like the keys it belongs to";

/// The rest of the line from `place` on.
fn line_at(text: &str, place: Place) -> &str {
    text.get(place.start..).and_then(|rest| rest.lines().next()).unwrap_or_default()
}

/// A colon where none can be: a second one on the line, or a line that stands too far in.
fn colon(text: &str, place: Place) -> Problem {
    let line_start = text[..place.start].rfind('\n').map_or(0, |newline| newline + 1);
    let before = &text[line_start..place.start];
    if before.contains(": ") {
        return Problem::new("a second colon on one line")
            .at(place)
            .hint("text that holds `: ` needs quotes");
    }
    let indent = before.len() - before.trim_start_matches([' ', '-']).len();
    Problem::new("a key cannot stand here")
        .at(Place::in_text(text, line_start + indent, place.start))
        .hint(INDENT_ALIKE)
}

/// The first tab in the indentation of the line of `place` or of the next one.
fn tab_near(text: &str, place: Place) -> Option<Place> {
    let line_start = text[..place.start].rfind('\n').map_or(0, |newline| newline + 1);
    let mut start = line_start;
    for line in text[line_start..].split_inclusive('\n').take(2) {
        let indentation = line.len() - line.trim_start_matches([' ', '\t']).len();
        if let Some(tab) = line[..indentation].find('\t') {
            return Some(Place::in_text(text, start + tab, start + tab + 1));
        }
        start += line.len();
    }
    None
}

/// The bracket at `place`, if one is there.
fn opening(text: &str, place: Place) -> Option<char> {
    text.get(place.start..)?.chars().next().filter(|bracket| matches!(bracket, '[' | '{'))
}

/// The message and the hint for a syntax error; an empty hint is none.
fn words(kind: &ErrorKind) -> (String, &'static str) {
    let (message, hint) = match kind {
        ErrorKind::TabNotAllowed
        | ErrorKind::TabInBlockIndentation
        | ErrorKind::TabAtBlockScalarStart
        | ErrorKind::TabInIndentation
        | ErrorKind::TabInPlainScalar => ("found a tab in the indentation", "indent with spaces"),
        ErrorKind::UnclosedFlowCollection { open } => {
            return (format!("`{open}` is never closed"), "close it, or check the brackets inside it");
        }
        ErrorKind::MismatchedFlowCollectionEnd { open, close } => {
            return (format!("`{open}` is closed by `{close}`"), "");
        }
        ErrorKind::UnexpectedEofFlowSequence => ("`[` is never closed", "add `]`"),
        ErrorKind::UnexpectedEofFlowMapping | ErrorKind::UnexpectedEofImplicitFlowMapping => {
            ("`{` is never closed", "add `}`")
        }
        ErrorKind::MisplacedFlowCollectionEnd => ("this bracket closes nothing", ""),
        ErrorKind::ExpectedFlowMappingSeparator | ErrorKind::ExpectedFlowSequenceSeparator => {
            ("expected `,` or a closing bracket", "text that holds a bracket needs quotes")
        }
        ErrorKind::UnclosedQuotedScalar => ("this quote is never closed", ""),
        ErrorKind::DocumentIndicatorInQuotedScalar => ("a quote is still open here", ""),
        ErrorKind::InvalidTrailingSingleQuotedScalar | ErrorKind::InvalidTrailingDoubleQuotedScalar => {
            ("nothing may follow the closing quote", "put all of the text inside the quotes")
        }
        ErrorKind::UnknownQuotedScalarEscape | ErrorKind::InvalidQuotedScalarHexEscape => {
            ("unknown escape in double quotes", "write `\\\\` for a backslash, or use single quotes")
        }
        ErrorKind::MappingValueNotAllowed | ErrorKind::InvalidColonPlacement => (
            "a key cannot stand here",
            "check the indentation and the line above; text that holds `: ` needs quotes",
        ),
        ErrorKind::SimpleKeyExpected | ErrorKind::ExpectedBlockMappingKey => {
            ("expected a key and a colon", "write `key: value`, with a space after the colon")
        }
        ErrorKind::InvalidSimpleKey | ErrorKind::MappingKeyNotAllowed => ("a key cannot stand here", ""),
        ErrorKind::BlockSequenceEntryNotAllowed
        | ErrorKind::BlockEntryInFlowCollection
        | ErrorKind::ExpectedBlockSequenceEntry => {
            ("a list item cannot stand here", "put each `- item` on its own line, indented alike")
        }
        ErrorKind::InvalidIndentation
        | ErrorKind::InvalidQuotedScalarIndent
        | ErrorKind::InvalidFlowScalarIndent
        | ErrorKind::InvalidBlockScalarIndent => {
            ("the indentation fits nothing above", "indent with the same number of spaces as its siblings")
        }
        ErrorKind::UnexpectedCharacter { character } => {
            let shown = quoted(&character.to_string());
            return (format!("{shown} cannot begin a value"), "put the text in quotes");
        }
        ErrorKind::CommentNotSeparated => ("a comment needs a space before its `#`", ""),
        ErrorKind::RecursionLimitExceeded => ("lists and maps stand too deep in each other", ""),
        ErrorKind::UnexpectedEof
        | ErrorKind::UnexpectedEofBlockSequence
        | ErrorKind::UnexpectedEofBlockMapping
        | ErrorKind::UnexpectedEndOfPlainScalar => ("the file ends too soon", ""),
        ErrorKind::UndeclaredTagHandle | ErrorKind::ExpectedTagBang | ErrorKind::InvalidTagTerminator => {
            ("tags are not used here", "text that begins with `!` needs quotes")
        }
        ErrorKind::MissingAnchorOrAliasName => {
            ("`&` and `*` need a name", "text that begins with `&` or `*` needs quotes")
        }
        _ => ("this is not YAML", "check the indentation, the quotes and the colons round here"),
    };
    (message.to_owned(), hint)
}
