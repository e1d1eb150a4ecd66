//! The progress bar: on standard error, if that is a terminal, and gone when the run is over.

use indicatif::{ProgressBar, ProgressStyle};

use crate::text::cut;

/// Clones are one bar.
#[derive(Clone)]
pub(super) struct Progress(ProgressBar);

impl Progress {
    pub(super) fn new(scenarios: usize) -> Self {
        // A bar on anything but a terminal draws nothing.
        let bar = ProgressBar::new(scenarios as u64);
        if let Ok(style) = ProgressStyle::with_template("{bar:24} {pos}/{len}  {msg}") {
            bar.set_style(style.progress_chars("=> "));
        }
        Self(bar)
    }

    /// A scenario begins. The bar does not fill the line: what Ctrl-C leaves on it goes with it.
    pub(super) fn begin(&self, shown: &str) {
        self.0.set_message(cut(shown, 36));
    }

    /// The scenario is done.
    pub(super) fn done(&self) {
        self.0.inc(1);
    }

    /// The run is over.
    pub(super) fn end(&self) {
        self.0.finish_and_clear();
    }

    /// Prints something while the bar is out of the way.
    pub(super) fn aside(&self, print: impl FnOnce()) {
        self.0.suspend(print);
    }
}
