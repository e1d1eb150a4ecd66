//! Where the draws of a worker come from: the same on every target.

use firedrill_failover::{Random, WorkerId};

/// What the gateway of a worker is given as its seed, to draw by itself what the engine target draws for that worker, request by
/// request. `seed` is that of the run; a worker that starts again is another one.
pub fn seed_of_worker(seed: u64, worker: WorkerId) -> u64 {
    Random::seed_of(seed, worker.number())
}

/// What the requests of a worker draw by.
#[derive(Clone, Debug)]
pub(crate) struct Chance {
    seed: u64,
    requests: u64,
}

impl Chance {
    pub(crate) fn of(seed: u64, worker: WorkerId) -> Self {
        Self { seed: seed_of_worker(seed, worker), requests: 0 }
    }

    /// That of the next request. What it draws is the same whatever others draw meanwhile.
    pub(crate) fn next(&mut self) -> Random {
        let random = Random::nth(self.seed, self.requests);
        self.requests += 1;
        random
    }
}
