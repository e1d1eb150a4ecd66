//! Finds scenario files.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use firedrill_yaml::Problem;

/// The scenario files that `paths` name: a file is itself, whatever its ending; a folder is every `.yaml` and `.yml` file
/// in it and below, but not in folders whose name begins with a dot or that are links. Each once, by folder in the order
/// of names.
///
/// # Errors
/// If a path does not exist or cannot be read, or a folder has no scenario file.
pub fn find(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Problem> {
    let mut found: Vec<PathBuf> = Vec::new();
    for path in paths {
        let before = found.len();
        if path.is_dir() {
            walk(path, &mut found)?;
            if found.len() == before {
                let hint = "a scenario's file ends in .yaml or .yml; `firedrill new NAME` writes one";
                return Err(Problem::new("there is no scenario in this folder")
                    .in_file(shown(path))
                    .hint(hint));
            }
        } else if path.exists() {
            found.push(path.clone());
        } else {
            return Err(Problem::new("there is no such file or folder").in_file(shown(path)));
        }
    }
    let mut seen = std::collections::BTreeSet::new();
    found.retain(|path| seen.insert(path.clone()));
    Ok(found)
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) -> Result<(), Problem> {
    let unreadable =
        |error: std::io::Error| Problem::new(format!("cannot be read: {error}")).in_file(shown(folder));
    let entries = fs::read_dir(folder).map_err(unreadable)?;
    let mut paths: Vec<PathBuf> =
        entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>().map_err(unreadable)?;
    paths.sort();
    for path in paths {
        let hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        let scenario =
            path.extension().and_then(OsStr::to_str).is_some_and(|end| matches!(end, "yaml" | "yml"));
        // A linked folder may lead back to one above it, and there would be no end.
        if path.is_dir() && !path.is_symlink() && !hidden {
            walk(&path, found)?;
        } else if path.is_file() && scenario && !hidden {
            found.push(path);
        }
    }
    Ok(())
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}
