//! How far an exploration is and how fast: on standard error, if that is a terminal, and gone when it is over. The rate
//! is shown here only: what is printed as a result is the same on every machine.

use indicatif::{ProgressBar, ProgressStyle};

pub(super) struct Progress(ProgressBar);

impl Progress {
    pub(super) fn of_runs(runs: u64) -> Self {
        Self::new(ProgressBar::new(runs), "{bar:24} {human_pos}/{human_len} schedules  {per_sec}")
    }

    pub(super) fn of_states() -> Self {
        Self::new(ProgressBar::no_length(), "{spinner} {human_pos} states  {per_sec}")
    }

    fn new(bar: ProgressBar, template: &str) -> Self {
        // A bar on anything but a terminal draws nothing.
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("=> "));
        }
        Self(bar)
    }

    pub(super) fn at(&self, position: u64) {
        // Asking the bar takes as long as a short schedule.
        if position.is_multiple_of(64) {
            self.0.set_position(position);
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
