//! Where the file of a log goes wrong, for people.

use std::fmt;

use firedrill_yaml::{Problem, Source};

/// Damage in the file of a log: an error where it stands in [`crate::StoreError`], a warning where it stands in
/// [`crate::Opened`].
#[derive(Clone, Debug)]
pub struct Damage {
    /// What is wrong, with the file, the line and the column.
    pub problem: Problem,
    /// The line it is about.
    pub excerpt: Option<Source>,
}

impl Damage {
    /// The problem with the line under it; see [`Problem::render`].
    pub fn render(&self, color: bool) -> String {
        self.problem.render(self.excerpt.as_ref(), color)
    }
}

/// In one line, without the excerpt.
impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.problem.fmt(f)
    }
}

impl std::error::Error for Damage {}
