//! What a process has: files, and memory by what was allocated and by what the system says.

use std::alloc::System;
use std::fmt;
use std::time::Duration;

use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// By so much the heap may grow from the first half to the second, in bytes: what connections hold that are kept for later, and
/// what doubles when it is full, in a short run once.
const HEAP: i64 = 512 << 10;

/// And by so much for each request between the two: far less than any request has.
const HEAP_EACH: i64 = 16;

/// By so much what is resident may grow, in bytes: what was freed in pieces is not given back at once.
const RESIDENT: i64 = 8 << 20;

/// How many files this process has open.
pub(crate) fn files() -> usize {
    std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count)
}

/// Waits until no more than `files` are open.
pub(crate) async fn back_to(files: usize) {
    let closed = async {
        while self::files() > files {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let open = tokio::time::timeout(Duration::from_secs(10), closed).await;
    assert!(open.is_ok(), "{} files are open, and {files} were", self::files());
}

/// What was allocated and not freed, in bytes.
fn heap() -> i64 {
    let stats = ALLOCATOR.stats();
    i64::try_from(stats.bytes_allocated.saturating_sub(stats.bytes_deallocated))
        .expect("less than all there is")
}

/// What is in memory, in bytes; 0 if the system does not say.
fn resident() -> i64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<i64>().ok()).unwrap_or(0) << 10
}

/// What there was while nothing was done.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Sample {
    /// So many requests had been asked.
    pub(crate) asked: u64,
    pub(crate) heap: i64,
    pub(crate) resident: i64,
}

/// One after each round.
#[derive(Debug, Default)]
pub(crate) struct Samples(Vec<Sample>);

impl From<Vec<Sample>> for Samples {
    fn from(samples: Vec<Sample>) -> Self {
        Self(samples)
    }
}

impl Samples {
    pub(crate) fn take(&mut self, asked: u64) {
        self.0.push(Sample { asked, heap: heap(), resident: resident() });
    }

    /// Has what is resident grow from one to the next.
    pub(crate) fn grow_by(&mut self, each: i64) {
        for (times, sample) in (0..).zip(&mut self.0) {
            sample.resident += times * each;
        }
    }

    /// The least of each half, without the first rounds, in which what is kept comes to its size.
    fn halves(&self) -> [Sample; 2] {
        let settled = &self.0[self.0.len() / 5 + 1..];
        let (first, second) = settled.split_at(settled.len() / 2);
        [first, second].map(|half| {
            let least = |of: fn(&Sample) -> i64| half.iter().map(of).min().unwrap_or(0);
            let middle = half[half.len() / 2].asked;
            Sample {
                asked: middle,
                heap: least(|sample| sample.heap),
                resident: least(|sample| sample.resident),
            }
        })
    }

    /// What has grown from one half to the other, if it is more than there is a reason for.
    pub(crate) fn growth(&self) -> Option<String> {
        let [first, second] = self.halves();
        let asked = i64::try_from(second.asked - first.asked).unwrap_or(i64::MAX);
        let (heap, resident) = (second.heap - first.heap, second.resident - first.resident);
        if heap > HEAP + asked * HEAP_EACH {
            return Some(format!("the heap grew by {heap} bytes over {asked} requests"));
        }
        (resident > RESIDENT)
            .then(|| format!("what is resident grew by {resident} bytes over {asked} requests"))
    }

    #[track_caller]
    pub(crate) fn assert_flat(&self) {
        if let Some(growth) = self.growth() {
            panic!("{growth}: {:?}", self.0);
        }
    }
}

impl fmt::Display for Samples {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [first, second] = self.halves();
        let kib = |bytes: i64| bytes >> 10;
        write!(
            f,
            "heap {} and {} KiB, resident {} and {} KiB, the least of each half",
            kib(first.heap),
            kib(second.heap),
            kib(first.resident),
            kib(second.resident)
        )
    }
}
