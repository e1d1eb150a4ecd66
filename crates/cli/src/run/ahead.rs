//! Scenarios on our gateway, several at a time: as many as there are processors, each on a thread. What came of them is given in
//! their order. None of them has anything in common with another, but the processors.

use std::collections::BTreeMap;
use std::num::NonZero;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;

use firedrill_scenario::{Run, Scenario, run_on_gateway};

/// Runs that are under way. Dropped, it begins no more.
pub(super) struct Ahead {
    runs: Receiver<(usize, Run)>,
    /// Those that came before their turn.
    early: BTreeMap<usize, Run>,
    /// Whose turn it is.
    next: usize,
    shared: Arc<Shared>,
}

struct Shared {
    scenarios: Vec<Arc<Scenario>>,
    seed: Option<u64>,
    begun: AtomicUsize,
    stopped: AtomicBool,
}

impl Ahead {
    /// Runs these, drawing by `seed` or, if that is `None`, by their own.
    pub(super) fn begin(scenarios: Vec<Arc<Scenario>>, seed: Option<u64>) -> Self {
        let threads = thread::available_parallelism().map_or(1, NonZero::get).min(scenarios.len());
        let (begun, stopped) = (AtomicUsize::new(0), AtomicBool::new(false));
        let shared = Arc::new(Shared { scenarios, seed, begun, stopped });
        let (sender, runs) = mpsc::channel();
        for _ in 0..threads {
            let (shared, sender) = (Arc::clone(&shared), sender.clone());
            thread::spawn(move || shared.run(&sender));
        }
        Self { runs, early: BTreeMap::new(), next: 0, shared }
    }

    /// What came of the first of those that this was not yet asked for. Waits for it.
    pub(super) fn next(&mut self) -> Run {
        let turn = self.next;
        self.next += 1;
        loop {
            if let Some(run) = self.early.remove(&turn) {
                return run;
            }
            let (number, run) = self.runs.recv().expect("broken invariant: a run comes of each scenario");
            self.early.insert(number, run);
        }
    }
}

impl Drop for Ahead {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::Relaxed);
    }
}

impl Shared {
    /// Runs what nobody has begun yet, until there is no more.
    fn run(&self, done: &Sender<(usize, Run)>) {
        while !self.stopped.load(Ordering::Relaxed) {
            let number = self.begun.fetch_add(1, Ordering::Relaxed);
            let Some(scenario) = self.scenarios.get(number) else { return };
            if done.send((number, run_on_gateway(scenario, self.seed))).is_err() {
                return;
            }
        }
    }
}
