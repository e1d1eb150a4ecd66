//! Finds scenario files and reads them, for those subcommands that do something with each.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use firedrill_scenario::{Scenario, find};
use firedrill_yaml::{Problem, Source};

use crate::text::{one_line, shown};

/// Where scenarios are looked for if nobody says where.
pub(crate) const DEFAULT: &str = "scenarios";

/// A scenario file.
pub(crate) struct File {
    pub(crate) path: PathBuf,
    /// The path as it is shown.
    pub(crate) shown: String,
    pub(crate) read: Result<Arc<Scenario>, Unusable>,
}

/// Why a file is no scenario.
pub(crate) struct Unusable {
    /// At least one.
    pub(crate) problems: Vec<Problem>,
    /// What they are about; `None` if it could not even be read.
    pub(crate) source: Option<Source>,
}

impl File {
    /// What the scenario shows; nothing if the file is none.
    pub(crate) fn name(&self) -> String {
        self.read.as_ref().map_or_else(|_| String::new(), |scenario| one_line(&scenario.name))
    }
}

impl Unusable {
    /// Every problem with the lines it is about.
    pub(crate) fn render(&self, color: bool) -> String {
        let rendered = self.problems.iter().map(|problem| problem.render(self.source.as_ref(), color));
        rendered.collect::<Vec<_>>().join("\n\n")
    }
}

/// Every scenario file that `paths` name, read.
///
/// # Errors
/// If a path names nothing.
pub(crate) fn load(paths: &[PathBuf]) -> Result<Vec<File>, Problem> {
    let by_default = paths.len() == 1 && paths[0] == Path::new(DEFAULT);
    let found = find(paths).map_err(|problem| match problem.hint_text() {
        None if by_default => {
            problem.hint("name a file or a folder; `firedrill new NAME` writes a first scenario")
        }
        _ => problem,
    })?;
    Ok(found.into_iter().map(file).collect())
}

fn file(path: PathBuf) -> File {
    let read = match Source::read(&path) {
        Err(problem) => Err(Unusable { problems: vec![problem], source: None }),
        Ok(source) => Scenario::parse(&source)
            .map(Arc::new)
            .map_err(|problems| Unusable { problems, source: Some(source) }),
    };
    File { shown: shown(&path), path, read }
}
