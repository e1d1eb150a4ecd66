//! What the engine costs, in time. `docs/performance.md` tells how to read it and what it was.
//!
//! "decide" is the command alone: pool in, events out. "decide and apply" also makes the events an entry, folds it and
//! drops it: all that an accepted append costs but keeping it. "worker" is the whole protocol round both, with a log
//! that accepts everything and keeps nothing.

use std::convert::Infallible;
use std::hint::black_box;
use std::time::Duration as Time;

use criterion::{BatchSize, Bencher, BenchmarkId, Criterion, Throughput};
use firedrill_benches::{
    BEFORE, COOLDOWN, OK, SIZES, UNAVAILABLE, WORKER, answered, append, config, founded, history, joined,
    outcome, shuffled, take_out, tick,
};
use firedrill_failover::{
    Append, Appended, Command, Duration, Entry, Event, Failover, FailoverSettings, Head, Instant, Log, Newer,
    Pool, Random, Status, TokenId, Worker,
};

fn main() {
    let mut criterion = Criterion::default()
        .warm_up_time(Time::from_millis(500))
        .measurement_time(Time::from_millis(1_500))
        .configure_from_args();
    for size in SIZES {
        select(&mut criterion, size);
        success(&mut criterion, size);
        failure(&mut criterion, size);
        removal(&mut criterion, size);
        idle_tick(&mut criterion, size);
        due_tick(&mut criterion, size, size);
        fold(&mut criterion, size);
    }
    for due in [1, 10, 100] {
        due_tick(&mut criterion, 1_000, due);
    }
    criterion.final_summary();
}

fn select(criterion: &mut Criterion, size: u32) {
    let mut pool = founded(&config(size, |_| {}));
    let tokens = shuffled(&pool);
    let mut bench = |name: &str, pool: &Pool| {
        let mut random = Random::new(7, 0);
        run(criterion, name, size, |bencher| bencher.iter(|| black_box(pool).select(&mut random)));
    };
    bench("select, all available", &pool);
    take_out(&mut pool, &tokens[..tokens.len() / 2]);
    bench("select, half of them out", &pool);
    take_out(&mut pool, &tokens[tokens.len() / 2..]);
    bench("select, fallback", &pool);
}

/// Nothing to reset. Every other token has failures counted, which should not matter.
fn success(criterion: &mut Criterion, size: u32) {
    let config = config(size, |failover| failover.failure_threshold = 1_000);
    let mut pool = founded(&config);
    let mut tokens = shuffled(&pool);
    let failed = tokens.split_off(tokens.len() / 2);
    take_out(&mut pool, &failed);
    assert_eq!(pool.available_len(), pool.len(), "they failed and stayed below the threshold");

    let mut token = round(&tokens);
    run(criterion, "success, decide", size, |bencher| {
        bencher.iter(|| outcome(black_box(&pool), black_box(token()), black_box(OK)).is_empty());
    });
    let mut worker = joined(&config);
    let mut token = round(&tokens);
    run(criterion, "success, worker", size, |bencher| {
        bencher.iter(|| report(&mut worker, black_box(token()), black_box(OK)));
    });
}

/// Below the threshold, which is never reached here.
fn failure(criterion: &mut Criterion, size: u32) {
    let config = config(size, |failover| failover.failure_threshold = u64::from(u32::MAX));
    let mut pool = founded(&config);
    let tokens = shuffled(&pool);

    let mut token = round(&tokens);
    run(criterion, "failure, decide", size, |bencher| {
        bencher.iter(|| outcome(black_box(&pool), black_box(token()), black_box(UNAVAILABLE)));
    });
    let mut token = round(&tokens);
    run(criterion, "failure, decide and apply", size, |bencher| {
        bencher.iter(|| fail(black_box(&mut pool), black_box(token())));
    });
    let mut worker = joined(&config);
    let mut token = round(&tokens);
    run(criterion, "failure, worker", size, |bencher| {
        bencher.iter(|| report(&mut worker, black_box(token()), black_box(UNAVAILABLE)));
    });
}

/// All tokens but one are taken out, one after the other.
fn removal(criterion: &mut Criterion, size: u32) {
    let pool = founded(&config(size, |_| {}));
    let tokens = &shuffled(&pool)[1..];

    let mut token = round(tokens);
    run(criterion, "removal, decide", size, |bencher| {
        bencher.iter(|| outcome(black_box(&pool), black_box(token()), black_box(UNAVAILABLE)));
    });
    run_each(criterion, "removal, decide and apply", size, tokens.len(), |bencher| {
        bencher.iter_batched_ref(
            || pool.clone(),
            |pool| {
                for &token in tokens {
                    fail(pool, black_box(token));
                }
            },
            batch(size),
        );
    });
}

/// A tick at which nothing is due, whoever is out.
fn idle_tick(criterion: &mut Criterion, size: u32) {
    let mut bench = |name: &str, pool: &Pool, at: Instant| {
        assert_eq!(tick(pool, at), [], "nothing is due");
        run(criterion, name, size, |bencher| {
            bencher.iter(|| tick(black_box(pool), black_box(at)).is_empty());
        });
    };
    let mut pool = founded(&config(size, |_| {}));
    bench("idle tick, none out", &pool, BEFORE);
    let tokens = shuffled(&pool);
    take_out(&mut pool, &tokens);
    bench("idle tick, all out", &pool, BEFORE);

    let health_check = |failover: &mut FailoverSettings| failover.health_check_model = "model".into();
    let mut pool = founded(&config(size, health_check));
    take_out(&mut pool, &tokens);
    let probe = |pool: &mut Pool, at| {
        let probes = tick(pool, at);
        append(pool, at, probes).events
    };
    let sent = probe(&mut pool, BEFORE);
    bench("idle tick, all probed", &pool, BEFORE);

    // One half fails and is probed again before the other half is, so that at every moment some probe is out.
    let soon = BEFORE + Duration::from_millis(1);
    let (early, late) = sent.split_at(sent.len().div_ceil(2));
    for half in [early, late] {
        for event in half {
            if let Event::ProbeSent { token, probe } = *event {
                let failed = pool.decide(
                    WORKER,
                    soon,
                    &Command::ProbeAnswered { token, probe, answer: Status::TIMEOUT },
                );
                append(&mut pool, soon, failed);
            }
        }
        probe(&mut pool, soon);
    }
    bench("idle tick, probes overlapping", &pool, BEFORE + Failover::DEFAULT_TIMEOUT);
}

/// A tick at which `due` tokens of a pool return, all that are out.
fn due_tick(criterion: &mut Criterion, size: u32, due: u32) {
    let mut pool = founded(&config(size, |_| {}));
    let tokens = shuffled(&pool);
    take_out(&mut pool, &tokens[..due as usize]);
    let at = BEFORE + COOLDOWN;
    assert_eq!(tick(&pool, at).len(), due as usize);

    let of = if due == size { String::new() } else { format!(" of {size}") };
    run(criterion, &format!("due tick{of}, decide"), due, |bencher| {
        bencher.iter(|| tick(black_box(&pool), black_box(at)));
    });
    run(criterion, &format!("due tick{of}, decide and apply"), due, |bencher| {
        let due_tick = |pool: &mut Pool| {
            let events = tick(pool, black_box(at));
            drop(append(pool, at, events));
        };
        bencher.iter_batched_ref(|| pool.clone(), due_tick, batch(size));
    });
}

/// A log of single failures, successes and removals, and of returns by the tick.
fn fold(criterion: &mut Criterion, size: u32) {
    let config = config(size, |failover| {
        failover.failure_threshold = 3;
        failover.cooldown_duration = 1_000;
    });
    let log = history(&config, 50_000);
    let events = log.iter().map(|entry| entry.events.len()).sum();
    run_each(criterion, "fold", size, events, |bencher| {
        bencher.iter_batched_ref(
            || Pool::new(&config),
            |pool| black_box(&log).iter().for_each(|entry| pool.apply(entry)),
            BatchSize::PerIteration,
        );
    });
}

fn run(criterion: &mut Criterion, name: &str, size: u32, bench: impl FnMut(&mut Bencher<'_>)) {
    run_each(criterion, name, size, 1, bench);
}

/// Where one iteration does a thing `times` times.
fn run_each(
    criterion: &mut Criterion,
    name: &str,
    size: u32,
    times: usize,
    mut bench: impl FnMut(&mut Bencher<'_>),
) {
    let mut group = criterion.benchmark_group(name);
    if times > 1 {
        group.throughput(Throughput::Elements(times as u64));
    }
    group.bench_function(BenchmarkId::from_parameter(size), |bencher| bench(bencher));
    group.finish();
}

/// Many copies of a small pool at once, so that reading the clock costs nothing; few of a large one, for the cache.
fn batch(size: u32) -> BatchSize {
    BatchSize::NumIterations(u64::from((4_000 / size).max(1)))
}

fn round(tokens: &[TokenId]) -> impl FnMut() -> TokenId {
    let mut at = 0;
    move || {
        at = if at + 1 < tokens.len() { at + 1 } else { 0 };
        tokens[at]
    }
}

fn fail(pool: &mut Pool, token: TokenId) -> Entry {
    let events = outcome(pool, token, black_box(UNAVAILABLE));
    append(pool, BEFORE, events)
}

fn report(worker: &mut Worker, token: TokenId, status: Status) -> Option<Entry> {
    let Ok(entry) = worker.perform(&mut Forgetful, Duration::from_secs(1), answered(token, status));
    entry
}

/// A log that one worker writes and nobody reads.
struct Forgetful;

impl Log for Forgetful {
    type Error = Infallible;

    fn append(&mut self, append: &Append) -> Result<Appended, Infallible> {
        black_box(append);
        Ok(Appended::Accepted)
    }

    fn read(&self, _: Head) -> Result<Newer, Infallible> {
        Ok(Newer::here(Vec::new()))
    }
}
