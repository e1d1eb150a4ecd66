//! Texts that must not be seen, wherever a file says that they are kept: in the environment, in a file of their own, or
//! in the file itself.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use firedrill_yaml::{Place, Problem, Source, Spanned, quoted};

use crate::secret::Secret;

/// A token in a file of its own has at most so many bytes.
const MOST: u64 = 64 << 10;

/// A text that was found.
pub(super) struct Found {
    pub(super) secret: Secret,
    /// What people call it: the name of the variable, or of the file; `None` for one that stands in the file itself.
    pub(super) name: Option<String>,
}

/// Where files are looked for, which of them were looked at, and which places hold what must not be shown.
#[derive(Default)]
pub(super) struct Keeper {
    folder: PathBuf,
    pub(super) files: Vec<PathBuf>,
    pub(super) hidden: Vec<Place>,
}

impl Keeper {
    /// For the file `source`.
    pub(super) fn of(source: &Source) -> Self {
        let folder = Path::new(source.name()).parent().unwrap_or(Path::new("")).to_owned();
        Self { folder, ..Self::default() }
    }

    /// `path` as it is meant: relative to the file.
    pub(super) fn path(&self, path: &str) -> PathBuf {
        self.folder.join(path)
    }

    /// The text that `written` is or names. A line's end after one that is kept elsewhere is no part of it.
    pub(super) fn find(&mut self, written: &Spanned<String>) -> Result<Found, Problem> {
        if let Some(variable) = written.strip_prefix("env:") {
            let wrong = |message: String| Problem::new(message).at(written.place);
            return match std::env::var(variable) {
                Ok(text) => Ok(Found { secret: trimmed(text), name: Some(variable.to_owned()) }),
                Err(std::env::VarError::NotPresent) => {
                    Err(wrong(format!("the environment has no {}", quoted(variable)))
                        .hint("set it before the gateway starts"))
                }
                Err(std::env::VarError::NotUnicode(_)) => {
                    Err(wrong(format!("{} of the environment is not text", quoted(variable))))
                }
            };
        }
        let Some(path) = written.strip_prefix("file:") else {
            self.hidden.push(written.place);
            return Ok(Found { secret: written.value.clone().into(), name: None });
        };
        let whole = self.path(path);
        self.files.push(whole.clone());
        let read = read(&whole).map_err(|why| {
            let message = format!("cannot read {}: {why}", quoted(path));
            Problem::new(message).at(written.place).hint("the path is relative to this file")
        })?;
        let name = Path::new(path).file_name().map_or(path.into(), |name| name.to_string_lossy());
        Ok(Found { secret: trimmed(read), name: Some(name.into_owned()) })
    }
}

fn trimmed(mut text: String) -> Secret {
    text.truncate(text.trim_end_matches(['\r', '\n']).len());
    text.into()
}

fn read(path: &Path) -> Result<String, String> {
    let bytes = bytes(path, MOST)?;
    String::from_utf8(bytes).map_err(|_| "it is not text".to_owned())
}

/// What a file holds, if that is no more than `most` bytes.
pub(super) fn bytes(path: &Path, most: u64) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(most + 1).read_to_end(&mut bytes));
    match read {
        Ok(_) if bytes.len() as u64 > most => Err(format!("it is larger than {} KiB", most >> 10)),
        Ok(_) => Ok(bytes),
        Err(error) => Err(error.to_string()),
    }
}

/// `source` with asterisks in place of what stands at `hidden`, so that its lines can be shown.
pub(super) fn masked(source: &Source, hidden: &[Place]) -> Source {
    let mut text = source.text().to_owned();
    for place in hidden.iter().filter(|place| place.is_known()) {
        let Some(found) = text.get(place.start..place.end) else { continue };
        // As many bytes, so that every place stays where it is.
        let stars: String = found.bytes().map(|byte| if byte == b'\n' { '\n' } else { '*' }).collect();
        text.replace_range(place.start..place.end, &stars);
    }
    Source::new(source.name(), text)
}
