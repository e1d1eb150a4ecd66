//! How long something took, in buckets.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use firedrill_failover::Duration;

/// The upper bounds, in milliseconds, each in its bucket.
const BOUNDS: [u64; 13] = [5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 120_000];

/// Lengths of time.
#[derive(Debug, Default)]
pub(super) struct Times {
    /// The last one is for what took longer than every bound.
    buckets: [AtomicU64; BOUNDS.len() + 1],
    millis: AtomicU64,
}

impl Times {
    pub(super) fn add(&self, time: Duration) {
        let at = BOUNDS.partition_point(|bound| *bound < time.as_millis());
        self.buckets[at].fetch_add(1, Relaxed);
        self.millis.fetch_add(time.as_millis(), Relaxed);
    }

    /// Their sum in seconds, how many there were, and how many are between each bound and the one before.
    #[expect(
        clippy::cast_precision_loss,
        reason = "a page of metrics has floats, and nothing is derived from them"
    )]
    pub(super) fn read(&self) -> (f64, u64, Vec<(f64, u64)>) {
        let bounds = BOUNDS.iter().map(|bound| *bound as f64 / 1_000.0).chain([f64::INFINITY]);
        let buckets: Vec<_> = bounds.zip(self.buckets.iter().map(|bucket| bucket.load(Relaxed))).collect();
        let count = buckets.iter().map(|(_, count)| count).sum();
        (self.millis.load(Relaxed) as f64 / 1_000.0, count, buckets)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_on_a_bound_is_below_it() {
        let times = Times::default();
        for millis in [0, 5, 6, 120_000, 120_001] {
            times.add(Duration::from_millis(millis));
        }
        let (_, count, buckets) = times.read();
        let counts: Vec<u64> = buckets.iter().map(|(_, count)| *count).collect();
        assert_eq!((count, counts), (5, vec![2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1]));
    }
}
