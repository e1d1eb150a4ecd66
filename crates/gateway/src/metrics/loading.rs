//! When the configuration was read, and what came of it.

use std::sync::PoisonError;

use super::Metrics;

/// When the configuration was read, and what came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Loading {
    /// When the one in force was read again, in milliseconds since the Unix epoch; 0 if it is that of the start.
    pub loaded: u64,
    /// How often it was read again and taken on.
    pub reloads: u64,
    /// How often it was read again and refused.
    pub refusals: u64,
    /// When the last reading was refused, and why; `None` if it was not.
    pub refused: Option<(u64, String)>,
}

impl Metrics {
    /// The configuration was read at `at`, and has taken effect.
    pub fn loaded(&self, at: u64) {
        let mut loading = self.loading.lock().unwrap_or_else(PoisonError::into_inner);
        *loading = Loading { loaded: at, reloads: loading.reloads + 1, refused: None, ..*loading };
    }

    /// The configuration was read at `at`, and refused.
    pub fn refused(&self, at: u64, why: &str) {
        let mut loading = self.loading.lock().unwrap_or_else(PoisonError::into_inner);
        loading.refusals += 1;
        loading.refused = Some((at, why.to_owned()));
    }

    /// What came of reading the configuration.
    pub fn loading(&self) -> Loading {
        self.loading.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
