//! Ctrl-C: the first one asks to stop after the scenario or schedule that is running, the second one stops at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

#[derive(Clone, Debug, Default)]
pub(crate) struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Listens from now on. Where that is not possible Ctrl-C ends the program as it always did.
    pub(crate) fn listen() -> Self {
        let interrupt = Self::default();
        let heard = interrupt.clone();
        let _ = ctrlc::set_handler(move || {
            if heard.0.swap(true, Ordering::Relaxed) {
                std::process::exit(130);
            }
        });
        interrupt
    }

    /// Whether it was asked to stop.
    pub(crate) fn heard(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
