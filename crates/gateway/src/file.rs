//! The file of a gateway: everything it is started with, read and checked, and every error with its place.

mod check;
mod fixed;
mod kept;
mod kinds;
mod server;
mod written;

use std::path::PathBuf;

use firedrill_failover::Fingerprint;
use firedrill_store::{Fsync, RedisOptions};
use firedrill_yaml::{Problem, Source};

use crate::secret::Secret;
use crate::settings::Settings;
use check::Checker;
use kept::{Keeper, masked};
use written::Written;
pub use written::{LogFormat, gateway_schema};

/// A file of a gateway that can be run.
#[derive(Debug)]
pub struct GatewayFile {
    /// What the gateway is started with.
    pub settings: Settings,
    /// What the pool is called.
    pub name: String,
    /// Which log is the pool's.
    pub pool: Fingerprint,
    /// Where the log is kept.
    pub store: StoreSetting,
    /// How log lines are printed.
    pub log: LogFormat,
    /// Files that tokens were read from, to be looked at for changes.
    pub files: Vec<PathBuf>,
    /// What is worth a look.
    pub warnings: Vec<Problem>,
    /// The file as it may be shown.
    pub shown: Source,
    fixed: Vec<(&'static str, Fingerprint)>,
}

/// Where a gateway's log is kept.
#[derive(Clone, Debug)]
pub enum StoreSetting {
    /// In memory.
    Memory,
    /// In a file.
    File {
        /// Which.
        path: PathBuf,
        /// When an append reaches the disk.
        fsync: Fsync,
    },
    /// On a Redis or Valkey server.
    Redis {
        /// Where it is. It may hold a password.
        url: Secret,
        /// What the URL does not say.
        options: RedisOptions,
    },
}

/// A file that no gateway can be run with. It shows no secret.
#[derive(Debug)]
pub struct Unusable {
    /// What is wrong with it; at least one problem.
    pub problems: Vec<Problem>,
    /// The file as it may be shown.
    pub shown: Source,
    /// Files that were looked at for tokens, whether they are there or not.
    pub files: Vec<PathBuf>,
}

impl Unusable {
    /// Every problem with the lines it is about, coloured if `color`.
    pub fn render(&self, color: bool) -> String {
        let rendered = self.problems.iter().map(|problem| problem.render(Some(&self.shown), color));
        rendered.collect::<Vec<_>>().join("\n\n")
    }
}

impl GatewayFile {
    /// Reads a gateway's file, and the environment and the files that its tokens are kept in; a path is relative to the file.
    ///
    /// # Errors
    /// Everything that is wrong with it, each with its place.
    pub fn parse(source: &Source) -> Result<Self, Unusable> {
        let written: Written = source.parse("the file of a gateway").map_err(|problem| Unusable {
            problems: vec![problem],
            shown: source.clone(),
            files: Vec::new(),
        })?;
        let mut checker = Checker { keeper: Keeper::of(source), errors: Vec::new(), warnings: Vec::new() };
        let file = checker.file(written, source);
        let Checker { keeper, mut errors, warnings } = checker;
        let shown = masked(source, &keeper.hidden);
        let in_file = |problem: Problem| problem.in_file(source.name());
        let files = keeper.files;
        if let Some(file) = file.filter(|_| errors.is_empty()) {
            let warnings = warnings.into_iter().map(in_file).collect();
            return Ok(Self { files, warnings, shown, ..file });
        }
        errors.sort_by_key(Problem::place);
        Err(Unusable { problems: errors.into_iter().map(in_file).collect(), shown, files })
    }

    /// The keys that say something else in `other` and take effect at a start only.
    pub fn differs_at_start<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = &'static str> + 'a {
        let differs = self.fixed.iter().filter(|fixed| !other.fixed.contains(fixed));
        differs.map(|(key, _)| *key)
    }
}
