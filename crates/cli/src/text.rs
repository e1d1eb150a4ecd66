//! Laying out lines for a terminal: one line of anybody's text, cut or wrapped to a width in columns.

use std::borrow::Cow;
use std::path::Path;

use firedrill_yaml::presentable;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// `text` on one line, with keys masked and nothing in it that steers a terminal.
pub(crate) fn one_line(text: &str) -> String {
    presentable(text.trim()).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// `path` as it is shown.
pub(crate) fn shown(path: &Path) -> String {
    presentable(&path.display().to_string()).replace('\n', "\\n")
}

/// How many columns `text` takes.
pub(crate) fn columns(text: &str) -> usize {
    text.width()
}

/// `text` and as many blanks as make it `width` columns.
pub(crate) fn pad(text: &str, width: usize) -> String {
    format!("{text}{}", " ".repeat(width.saturating_sub(columns(text))))
}

/// `text` cut to `width` columns, with `…` in the last of them if something was cut.
pub(crate) fn cut(text: &str, width: usize) -> String {
    if columns(text) <= width {
        return text.to_owned();
    }
    let mut left = width.saturating_sub(1);
    let mut kept: String = text
        .chars()
        .take_while(|c| {
            let next = left.checked_sub(c.width().unwrap_or(0));
            left = next.unwrap_or(0);
            next.is_some()
        })
        .collect();
    kept.truncate(kept.trim_end().len());
    if width > 0 {
        kept.push('…');
    }
    kept
}

/// `text` in lines of at most `width` columns, broken between words. A longer word has a line of its own.
pub(crate) fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let line =
            lines.last_mut().filter(|line| line.is_empty() || columns(line) + 1 + columns(word) <= width);
        match line {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) => line.extend([" ", word]),
            None => lines.push(word.to_owned()),
        }
    }
    lines
}

/// The shell's reading of `word` is `word`.
pub(crate) fn shell_word(word: &str) -> String {
    // What begins with a dash would be read as an option.
    let word = if word.starts_with('-') { format!("./{word}") } else { word.to_owned() };
    shlex::try_quote(&word).map_or_else(|_| word.clone(), Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_wide_is_cut_by_columns() {
        let check = |text, width, expect| assert_eq!(cut(text, width), expect);
        check("a token", 7, "a token");
        check("a token", 6, "a tok…");
        check("a token", 3, "a…");
        check("限流恢复", 8, "限流恢复");
        check("限流恢复", 7, "限流恢…");
        check("限流恢复", 6, "限流…");
        check("a", 0, "");
    }

    #[test]
    fn lines_break_between_words() {
        let check = |text, width, expect: &[&str]| assert_eq!(wrap(text, width), expect);
        check("one two  three", 7, &["one two", "three"]);
        check("one enormous word", 4, &["one", "enormous", "word"]);
        check("", 4, &[""]);
    }

    #[test]
    fn what_a_shell_would_read_otherwise_is_quoted() {
        let check = |word, expect| assert_eq!(shell_word(word), expect);
        check("scenarios/start/cooldown.yaml", "scenarios/start/cooldown.yaml");
        check("my scenarios/a.yaml", "'my scenarios/a.yaml'");
        check("$HOME.yaml", "'$HOME.yaml'");
        check("-x.yaml", "./-x.yaml");
    }

    #[test]
    fn anybodys_text_is_one_line_and_steers_nothing() {
        assert_eq!(one_line("a\n  b\t\u{1b}[31mred"), "a b\\t\\u{1b}[31mred");
    }
}
