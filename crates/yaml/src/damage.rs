//! A problem of a file that is too long to be a [`Source`]: it carries the one line that it is about.

use std::fmt;

use crate::{Problem, Source};

/// Where a long file, such as a log, goes wrong.
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
