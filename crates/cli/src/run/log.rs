//! Where event logs are written: one file a scenario, in a folder that mirrors where the scenarios stand.
//!
//! `scenarios/start/cooldown.yaml` becomes `DIR/scenarios/start/cooldown.yaml.jsonl`; what does not stand below the
//! current folder goes, with its whole path, below `DIR/%root`. So no two scenarios share a log, and the same scenario
//! has the same one however its path was written.

use std::ffi::OsString;
use std::fs;
use std::path::{Component, Path, PathBuf};

use firedrill_scenario::History;
use firedrill_yaml::Problem;

use crate::text::shown;

/// Holds what does not stand below the current folder. A folder of the same name is written with one `%` more.
const ROOT: &str = "%root";

pub(super) struct LogFolder {
    folder: PathBuf,
    /// The current folder, without links and dots.
    here: PathBuf,
}

impl LogFolder {
    /// Makes sure that `folder` is there.
    pub(super) fn new(folder: &Path) -> Result<Self, Problem> {
        fs::create_dir_all(folder).map_err(|error| {
            Problem::new(format!("cannot make this folder for logs: {error}")).in_file(shown(folder))
        })?;
        let here = fs::canonicalize(".").unwrap_or_default();
        Ok(Self { folder: folder.to_owned(), here })
    }

    /// Writes the log of the scenario at `path`, over one that is there.
    pub(super) fn write(&self, path: &Path, history: &History) -> Result<(), Problem> {
        if history.wire.is_empty() {
            // The target does not tell.
            return Ok(());
        }
        let file = self.file(&fs::canonicalize(path).unwrap_or_else(|_| path.to_owned()));
        let wrong = |error: std::io::Error| {
            Problem::new(format!("cannot write this log: {error}")).in_file(shown(&file))
        };
        fs::create_dir_all(file.parent().unwrap_or(&self.folder)).map_err(wrong)?;
        let mut text = history.wire.join("\n");
        text.push('\n');
        fs::write(&file, text).map_err(wrong)
    }

    /// Where the log of the scenario at `whole`, a path from the root, goes.
    fn file(&self, whole: &Path) -> PathBuf {
        let (below, outside) = match whole.strip_prefix(&self.here) {
            Ok(below) => (below, false),
            Err(_) => (whole, true),
        };
        let mut file = self.folder.clone();
        if outside {
            file.push(ROOT);
        }
        for (index, component) in below.components().enumerate() {
            match component {
                Component::Normal(name) if index == 0 && name.as_encoded_bytes().starts_with(b"%") => {
                    file.push([OsString::from("%"), name.to_owned()].into_iter().collect::<OsString>());
                }
                Component::Normal(name) => file.push(name),
                Component::Prefix(prefix) => {
                    file.push(prefix.as_os_str().to_string_lossy().replace(['\\', ':', '?'], "_"));
                }
                Component::RootDir | Component::CurDir | Component::ParentDir => {}
            }
        }
        file.as_mut_os_string().push(".jsonl");
        file
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(unix)]
    fn no_two_scenarios_share_a_log() {
        let logs = LogFolder { folder: "logs".into(), here: "/home/ada".into() };
        let check = |path: &str, expect: &str| assert_eq!(logs.file(path.as_ref()), Path::new(expect));
        check("/home/ada/a.yaml", "logs/a.yaml.jsonl");
        check("/home/ada/a.yml", "logs/a.yml.jsonl");
        check("/home/ada/start/a.yaml", "logs/start/a.yaml.jsonl");
        check("/srv/a.yaml", "logs/%root/srv/a.yaml.jsonl");
        check("/home/ada/%root/srv/a.yaml", "logs/%%root/srv/a.yaml.jsonl");
    }
}
