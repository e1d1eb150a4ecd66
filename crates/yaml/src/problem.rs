//! What is wrong, where, and what to do about it: the one error type of everything that reads files.
//! It holds no lines of the file; those are asked for when it is rendered.

use std::fmt;

use serde::Serialize;

use crate::wording::presentable;
use crate::{Place, Source};

/// Something wrong in a file, told to the person who wrote it.
///
/// Made by [`Source::parse`] and by checkers; every text given to it is masked by
/// [`redact`](crate::redact) at once, so that no way of printing it shows a key.
///
/// ```
/// use firedrill_yaml::Problem;
///
/// let problem = Problem::new("`draws` names an unknown token")
///     .in_file("outage.yaml")
///     .hint("the pool has: sk-a, sk-b");
/// assert_eq!(
///     problem.to_string(),
///     "outage.yaml: `draws` names an unknown token (the pool has: sk-a, sk-b)"
/// );
/// ```
#[derive(Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Problem(Box<Parts>);

/// Boxed, so that a `Result` is not made large by the error it seldom holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Parts {
    severity: Severity,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    place: Option<Place>,
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    others: Vec<Other>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
}

/// A second place that plays a part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Other {
    /// Where it is.
    pub place: Place,
    /// The words beside its carets.
    pub label: String,
}

/// How bad a [`Problem`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth a look; the file can be used.
    Warning,
    /// The file cannot be used.
    Error,
}

/// Building one.
impl Problem {
    /// An error: `message` is one line, lower case, without a full stop.
    #[must_use]
    pub fn new(message: impl AsRef<str>) -> Problem {
        Problem(Box::new(Parts {
            severity: Severity::Error,
            message: presentable(message.as_ref()),
            file: None,
            place: None,
            label: None,
            others: Vec::new(),
            hint: None,
        }))
    }

    /// A warning, otherwise as [`Problem::new`].
    #[must_use]
    pub fn warning(message: impl AsRef<str>) -> Problem {
        let mut problem = Problem::new(message);
        problem.0.severity = Severity::Warning;
        problem
    }

    /// Where it is. [`Place::UNKNOWN`] leaves it without a place.
    #[must_use]
    pub fn at(mut self, place: Place) -> Problem {
        self.0.place = place.is_known().then_some(place);
        self
    }

    /// In which file, by [the name shown to people](Source::name).
    #[must_use]
    pub fn in_file(mut self, name: impl AsRef<str>) -> Problem {
        self.0.file = Some(presentable(name.as_ref()));
        self
    }

    /// The words beside the carets.
    #[must_use]
    pub fn label(mut self, label: impl AsRef<str>) -> Problem {
        self.0.label = Some(presentable(label.as_ref()));
        self
    }

    /// Another place in the same file that plays a part, such as the first of two duplicates.
    #[must_use]
    pub fn also(mut self, place: Place, label: impl AsRef<str>) -> Problem {
        if place.is_known() {
            self.0.others.push(Other { place, label: presentable(label.as_ref()) });
        }
        self
    }

    /// What to do about it, such as "did you mean `tick`?".
    #[must_use]
    pub fn hint(mut self, hint: impl AsRef<str>) -> Problem {
        self.0.hint = Some(presentable(hint.as_ref()));
        self
    }
}

/// Reading one, for those who print it in a form of their own.
impl Problem {
    /// How bad it is.
    pub fn severity(&self) -> Severity {
        self.0.severity
    }

    /// What is wrong, in a line.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The name of the file, if it is known.
    pub fn file(&self) -> Option<&str> {
        self.0.file.as_deref()
    }

    /// Where it is, if that is known.
    pub fn place(&self) -> Option<Place> {
        self.0.place
    }

    /// The words beside the carets.
    pub fn label_text(&self) -> Option<&str> {
        self.0.label.as_deref()
    }

    /// The other places that play a part, each with its words.
    pub fn others(&self) -> &[Other] {
        &self.0.others
    }

    /// What to do about it.
    pub fn hint_text(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }

    /// As many lines as it takes, with the lines of `source` it is about if that is given, coloured by
    /// ANSI sequences if `color`. It ends without a newline, and no line ends in a space.
    #[must_use]
    pub fn render(&self, source: Option<&Source>, color: bool) -> String {
        crate::render::render(self, source, color)
    }
}

/// One line: `file:line:column: message (hint)`, without what is not known.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = &self.0.file {
            write!(f, "{file}:")?;
        }
        if let Some(Place { line, column, .. }) = self.0.place {
            write!(f, "{line}:{column}:")?;
        }
        if self.0.file.is_some() || self.0.place.is_some() {
            f.write_str(" ")?;
        }
        if self.0.severity == Severity::Warning {
            f.write_str("warning: ")?;
        }
        f.write_str(&self.0.message)?;
        if let Some(hint) = &self.0.hint {
            write!(f, " ({hint})")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Problem {}
