//! Reading a gateway's file again while it serves: when it has changed, or when somebody asks for it.
//!
//! What is looked at is what the files hold, every second, and not what the file system tells: editors put another file in
//! place, a mounted ConfigMap is a symbolic link that moves, and a network's file system tells nothing. They are small.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use firedrill_failover::Fingerprint;
use firedrill_yaml::Source;

use crate::file::GatewayFile;
use crate::gateway::Gateway;

/// The file of a gateway that is running, and the files that its tokens are kept in.
#[derive(Debug)]
pub struct Watch {
    path: PathBuf,
    running: GatewayFile,
    /// Those that were looked at last, also by a file that was refused.
    files: Vec<PathBuf>,
    /// What they held.
    seen: Fingerprint,
    every: Duration,
}

impl Watch {
    /// How often the files are looked at, unless something else is said.
    pub const EVERY: Duration = Duration::from_secs(1);

    /// Of the file at `path`, which was read as `running`.
    pub fn new(path: &Path, running: GatewayFile) -> Self {
        let files = running.files.clone();
        let seen = held(path, &files);
        Self { path: path.to_owned(), running, files, seen, every: Self::EVERY }
    }

    /// Looks at the files as often as this, which is not zero.
    #[must_use]
    pub fn every(self, every: Duration) -> Self {
        Self { every, ..self }
    }

    /// Waits until a file holds something else than before, twice in a row: one that is being written is left alone. Reads
    /// them on a thread for what blocks. Safe to be dropped and called again.
    pub async fn changed(&mut self) {
        let mut before = self.seen;
        let mut often = tokio::time::interval(self.every);
        often.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            often.tick().await;
            let (path, files) = (self.path.clone(), self.files.clone());
            let Ok(now) = tokio::task::spawn_blocking(move || held(&path, &files)).await else { continue };
            if now != self.seen && now == before {
                return;
            }
            before = now;
        }
    }

    /// Reads the file again. If it is good `gateway` takes on its tokens and rules, all at once; what takes effect at a start
    /// only is said. If it is not, the one before goes on. What came of it is logged and counted, at `at`, in milliseconds
    /// since the Unix epoch.
    pub fn reload(&mut self, gateway: &Gateway, at: u64) {
        self.seen = held(&self.path, &self.files);
        let read = Source::read(&self.path).map_err(|problem| (vec![problem], Vec::new()));
        let parsed = read.and_then(|source| {
            GatewayFile::parse(&source).map_err(|unusable| (unusable.problems, unusable.files))
        });
        let file = match parsed {
            Ok(file) => file,
            Err((problems, files)) => {
                self.look_at(self.running.files.iter().cloned().chain(files).collect());
                let why: Vec<String> = problems.iter().map(ToString::to_string).collect();
                return refuse(gateway, at, &why.join("; "));
            }
        };
        let (pool, secrets) = (file.settings.pool.clone(), file.settings.secrets.clone());
        if let Err(error) = gateway.reconfigure(pool, secrets) {
            return refuse(gateway, at, &error.to_string());
        }
        gateway.set_timeout(file.settings.timeout);
        for warning in &file.warnings {
            let line = warning.place().map_or(0, |place| place.line);
            tracing::warn!(line, "{}", warning.message());
        }
        let later: Vec<&str> = file.differs_at_start(&self.running).collect();
        if !later.is_empty() {
            let later = later.join(", ");
            tracing::warn!(keys = later, "changed in the file, and takes effect at the next start: {later}");
        }
        let tokens = file.settings.pool.tokens().len();
        tracing::info!(tokens, "configuration loaded again");
        gateway.metrics().loaded(at);
        self.look_at(file.files.clone());
        // What takes effect at a start only is still what it was started with.
        let GatewayFile { settings, files, .. } = file;
        self.running.settings = settings;
        self.running.files = files;
    }

    fn look_at(&mut self, files: Vec<PathBuf>) {
        self.files = files;
        self.seen = held(&self.path, &self.files);
    }
}

fn refuse(gateway: &Gateway, at: u64, why: &str) {
    tracing::error!("configuration refused, the one before goes on: {why}");
    gateway.metrics().refused(at, why);
}

/// What stands for all that the files hold. One that cannot be read counts with the reason.
fn held(path: &Path, files: &[PathBuf]) -> Fingerprint {
    let mut all = String::new();
    for path in std::iter::once(path).chain(files.iter().map(PathBuf::as_path)) {
        let held = match Source::read(path) {
            Ok(source) => firedrill_block::fingerprint(source.text()).to_string(),
            Err(problem) => problem.message().to_owned(),
        };
        // Writing to a string cannot fail.
        let _ = writeln!(all, "{} {held}", path.display());
    }
    firedrill_block::fingerprint(&all)
}
