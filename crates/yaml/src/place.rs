//! Where in a file something stands. It holds numbers only: no text, and no name of a file.

use serde::Serialize;

/// A range of characters in one file.
///
/// Places of one file sort in reading order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Place {
    /// Line of the first character, from 1; 0 if unknown.
    pub line: usize,
    /// Column of the first character, from 1, in characters (not bytes); 0 if unknown.
    pub column: usize,
    /// Offset of the first byte in the text of the [`Source`](crate::Source).
    pub start: usize,
    /// Offset just past the last byte. Equal to `start` for what has no characters of its own: a value
    /// that was left out, or a block of keys as a whole.
    pub end: usize,
}

impl Place {
    /// The place of what has none: values buffered by serde on their way.
    pub const UNKNOWN: Place = Place { line: 0, column: 0, start: 0, end: 0 };

    /// Whether this is a real place.
    pub fn is_known(self) -> bool {
        self.line > 0
    }

    /// The place of `start..end` in `text`; offsets past the end, or inside a character, are moved back
    /// to where a character begins. Linear in `start`.
    pub fn in_text(text: &str, start: usize, end: usize) -> Place {
        let start = boundary(text, start);
        let end = boundary(text, end).max(start);
        let before = &text[..start];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line = 1 + before.bytes().filter(|&byte| byte == b'\n').count();
        let column = 1 + before[line_start..].chars().count();
        Place { line, column, start, end }
    }

    /// What the YAML library says, with the bytes looked up when it gives characters only.
    pub(crate) fn from_location(text: &str, location: serde_saphyr::Location) -> Option<Place> {
        let span = location.span();
        let as_index = |number: u64| usize::try_from(number).ok();
        let (start, len) = if let (Some(start), Some(len)) = (span.byte_offset(), span.byte_len()) {
            (as_index(start)?, as_index(len)?)
        } else {
            let skipped = as_index(span.offset())?;
            let start = text.char_indices().nth(skipped).map_or(text.len(), |(start, _)| start);
            (start, text[start..].chars().next().map_or(0, char::len_utf8))
        };
        (location.line() > 0).then(|| Place::in_text(text, start, start.saturating_add(len)))
    }
}

/// Where a value begins and ends, as the YAML library marks a [`Spanned`](crate::Spanned) value.
impl From<serde_saphyr::Location> for Place {
    fn from(location: serde_saphyr::Location) -> Place {
        let number = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        let span = location.span();
        let start = number(span.byte_offset().unwrap_or(0));
        let end = start.saturating_add(number(span.byte_len().unwrap_or(0)));
        Place { line: number(location.line()), column: number(location.column()), start, end }
    }
}

/// The last offset up to `at` where a character of `text` begins or the text ends.
pub(crate) fn boundary(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0)
}
