//! What the engine costs, in instructions: the same on every run of one build, whatever else the machine does.
//!
//! Each case does its operation a thousand times, so that the last three digits of a count are decimals of one. The
//! pool is made before and dropped after: neither is counted. `benches/instructions.json` has what they were;
//! `.ci/instructions.py` compares.

#![expect(missing_docs, unused_qualifications, reason = "what the macros make")]

use std::hint::black_box;

use firedrill_benches::{
    BEFORE, COOLDOWN, OK, UNAVAILABLE, answered, append, config, founded, history, joined, outcome, probed,
    shuffled, take_out, tick,
};
use firedrill_failover::{Duration, Entry, Pool, Random, TokenId, Worker};
use gungraun::{Callgrind, LibraryBenchmarkConfig, library_benchmark, library_benchmark_group, main};

/// How often each case does its operation.
const TIMES: usize = 1_000;

library_benchmark_group!(
    name = engine,
    benchmarks = [select, success, worker_success, failure, removal, idle_tick, due_tick, fold]
);
main!(
    config = LibraryBenchmarkConfig::default().tool(Callgrind::with_args(["--cache-sim=no"])),
    library_benchmark_groups = engine
);

#[library_benchmark(setup = plain)]
#[bench::of_2(2)]
#[bench::of_100(100)]
#[bench::of_10000(10_000)]
fn select((pool, _): (Pool, Vec<TokenId>)) -> Pool {
    let mut random = Random::new(7, 0);
    for _ in 0..TIMES {
        black_box(black_box(&pool).select(&mut random));
    }
    pool
}

// A success that changes nothing.
#[library_benchmark(setup = plain)]
#[bench::of_2(2)]
#[bench::of_100(100)]
#[bench::of_10000(10_000)]
fn success((pool, tokens): (Pool, Vec<TokenId>)) -> Pool {
    for &token in &tokens {
        black_box(outcome(black_box(&pool), token, black_box(OK)));
    }
    pool
}

// The same, by the whole protocol of a worker.
#[library_benchmark(setup = working)]
#[bench::of_2(2)]
#[bench::of_100(100)]
#[bench::of_10000(10_000)]
fn worker_success((mut worker, tokens): (Worker, Vec<TokenId>)) -> Worker {
    for &token in &tokens {
        black_box(worker.propose(Duration::from_secs(1), answered(token, black_box(OK))));
    }
    worker
}

// A failure below the threshold, decided and applied.
#[library_benchmark(setup = patient)]
#[bench::of_2(2)]
#[bench::of_100(100)]
#[bench::of_10000(10_000)]
fn failure((pool, tokens): (Pool, Vec<TokenId>)) -> Pool {
    fail_each(pool, &tokens)
}

// A failure that takes its token out, decided and applied. A thousand need as many tokens.
#[library_benchmark(setup = plain)]
#[bench::of_1000(1_000)]
#[bench::of_10000(10_000)]
fn removal((pool, tokens): (Pool, Vec<TokenId>)) -> Pool {
    fail_each(pool, &tokens)
}

// A tick at which nothing is due.
#[library_benchmark]
#[bench::none_out_of_100(out(100, 0))]
#[bench::half_out_of_100(out(100, 50))]
#[bench::none_out_of_10000(out(10_000, 0))]
#[bench::half_out_of_10000(out(10_000, 5_000))]
#[bench::all_probed_of_10000(probed(10_000))]
fn idle_tick(pool: Pool) -> Pool {
    for _ in 0..TIMES {
        black_box(tick(black_box(&pool), black_box(BEFORE)));
    }
    pool
}

// One tick at which a thousand tokens return, decided and applied.
#[library_benchmark]
#[bench::of_1000(out(1_000, TIMES))]
#[bench::of_10000(out(10_000, TIMES))]
fn due_tick(mut pool: Pool) -> (Pool, Entry) {
    let at = BEFORE + COOLDOWN;
    let events = tick(&pool, at);
    let entry = append(&mut pool, at, events);
    (pool, entry)
}

// A thousand entries of mixed traffic.
#[library_benchmark(setup = traffic)]
#[bench::of_100(100)]
#[bench::of_10000(10_000)]
fn fold((mut pool, log): (Pool, Vec<Entry>)) -> (Pool, Vec<Entry>) {
    for entry in &log {
        pool.apply(entry);
    }
    (pool, log)
}

fn fail_each(mut pool: Pool, tokens: &[TokenId]) -> Pool {
    for &token in tokens {
        let events = outcome(&pool, token, black_box(UNAVAILABLE));
        black_box(append(&mut pool, BEFORE, events));
    }
    pool
}

/// A pool whose tokens go out at the first failure, and a thousand of its tokens.
fn plain(size: u32) -> (Pool, Vec<TokenId>) {
    let pool = founded(&config(size, |_| {}));
    let tokens = thousand(&pool);
    (pool, tokens)
}

/// A pool whose tokens never go out, and a thousand of its tokens.
fn patient(size: u32) -> (Pool, Vec<TokenId>) {
    let pool = founded(&config(size, |failover| failover.failure_threshold = u64::from(u32::MAX)));
    let tokens = thousand(&pool);
    (pool, tokens)
}

fn working(size: u32) -> (Worker, Vec<TokenId>) {
    let worker = joined(&config(size, |_| {}));
    let tokens = thousand(worker.pool());
    (worker, tokens)
}

/// The tokens of `pool` in an order that is not that of memory, again from the start where there are fewer.
fn thousand(pool: &Pool) -> Vec<TokenId> {
    shuffled(pool).into_iter().cycle().take(TIMES).collect()
}

fn out(size: u32, out: usize) -> Pool {
    let mut pool = founded(&config(size, |_| {}));
    let tokens = shuffled(&pool);
    take_out(&mut pool, &tokens[..out]);
    pool
}

fn traffic(size: u32) -> (Pool, Vec<Entry>) {
    let config = config(size, |failover| {
        failover.failure_threshold = 3;
        failover.cooldown_duration = 1_000;
    });
    // The founding is the log's first entry, and no part of the day's work.
    let mut log = history(&config, TIMES + 1);
    let mut pool = Pool::new(&config);
    pool.apply(&log.remove(0));
    (pool, log)
}
