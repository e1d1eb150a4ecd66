//! What a store and the shell round a worker cost, in time. `--help` says what is measured and how to choose.
//!
//! With several workers an append is that of a worker that is refused until it is accepted, beside others that do the same.

use std::fmt::Write as _;
use std::future::Future;
use std::hint::black_box;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration as Time, Instant as Moment};

use criterion::{BenchmarkId, Criterion, Throughput};
use firedrill_benches::{OK, UNAVAILABLE, config};
use firedrill_failover::{
    Appended, Attempt, Command, Config, Duration, Fingerprint, Head, Instant, Random, Refused, Worker,
    WorkerId,
};
use firedrill_store::{Drawn, FileStore, Fsync, MemoryStore, Quiet, RedisOptions, RedisStore, Shell, Store};

const HELP: &str = "\
What a store and the shell round a worker cost.

    cargo bench -p firedrill-benches --bench store [-- FILTER]

append       one failure, until it is accepted: alone, and with 2, 8 and 32 workers, each a thread; on a Redis server
             too if FIREDRILL_REDIS_URL names one that may be written to
catch-up     what is newer by 1, 100 and 10,000 appends, read and folded
select       Shell::select, at rest and while another thread publishes
report       Shell::report, which queues
staleness    from a removal that is reported in one shell to the first selection in another that cannot draw the
             token: p50, p99 and the longest of 1,000 rounds, as a table. `-- staleness` shows it alone

FILTER shows only what has it in its name. The rest is criterion's: `-- --help-criterion` lists it.
";

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.iter().any(|argument| argument == "--help" || argument == "-h") {
        say(HELP);
        return;
    }
    let filter = arguments.iter().find(|argument| !argument.starts_with('-'));
    if filter.is_none_or(|filter| filter != "staleness") {
        let mut criterion = Criterion::default()
            .warm_up_time(Time::from_millis(300))
            .measurement_time(Time::from_millis(1_500))
            .sample_size(20)
            .configure_from_args();
        appends(&mut criterion);
        catch_up(&mut criterion);
        shell(&mut criterion);
        criterion.final_summary();
    }
    if filter.is_none_or(|filter| "staleness".contains(filter.as_str())) {
        staleness();
    }
}

#[expect(clippy::print_stdout, reason = "a bench is a program that prints")]
fn say(text: &str) {
    println!("{text}");
}

#[expect(clippy::disallowed_methods, reason = "a bench reads the clock")]
fn now() -> Moment {
    Moment::now()
}

/// The smallest executor: a thread that parks.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(value) => return value,
            Poll::Pending => thread::park(),
        }
    }
}

/// Ten tokens that fail for ever and stay.
fn lasting() -> Config {
    config(10, |failover| failover.failure_threshold = u64::from(u32::MAX))
}

fn joined(store: &impl Store, id: u64) -> Worker {
    let mut worker = Worker::new(WorkerId::new(id), Instant::ZERO, &lasting());
    if let Some(fold) = block_on(store.snapshot()).expect("reads") {
        worker.catch_up(&firedrill_failover::Newer {
            start: firedrill_failover::Start::Snapshot(fold),
            entries: Vec::new(),
        });
    }
    perform(store, &mut worker, Command::Join(lasting()));
    worker
}

fn perform(store: &impl Store, worker: &mut Worker, command: Command) {
    let mut next = worker.propose(Duration::ZERO, command);
    while let Some(append) = next.take() {
        match block_on(store.append(&append)).expect("writes") {
            Appended::Accepted => drop(worker.accepted()),
            Appended::Refused(newer) => {
                if let Refused::Again(append) = worker.refused(&newer) {
                    next = Some(append);
                }
            }
        }
    }
}

fn failure(worker: &Worker) -> Command {
    let token = worker.pool().available().next().expect("they stay");
    Command::Outcome { token, status: UNAVAILABLE, attempt: Attempt::First }
}

/// A log of its own on the server that is named, if one is.
fn on_a_server(runtime: &tokio::runtime::Runtime, log: u64) -> Option<RedisStore> {
    let url = std::env::var("FIREDRILL_REDIS_URL").ok()?;
    let mut options = RedisOptions::default();
    options.prefix = format!("firedrill-bench-{}", std::process::id());
    Some(runtime.block_on(RedisStore::open(&url, Fingerprint::new(log), options)).expect("a server"))
}

fn appends(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.expect("a runtime");
    let mut logs = 0;
    let folder = tempfile::tempdir().expect("a folder");
    let mut files = 0;
    let mut group = criterion.benchmark_group("append");
    group.throughput(Throughput::Elements(1));
    for workers in [1, 2, 8, 32_u64] {
        let memory = || MemoryStore::new();
        group.bench_function(BenchmarkId::new("memory", workers), |bencher| {
            bencher.iter_custom(|appends| contention(&memory(), workers, appends));
        });
        if std::env::var_os("FIREDRILL_REDIS_URL").is_some() {
            group.bench_function(BenchmarkId::new("redis", workers), |bencher| {
                bencher.iter_custom(|appends| {
                    logs += 1;
                    let store = on_a_server(&runtime, logs).expect("it is named");
                    contention(&store, workers, appends)
                });
            });
        }
        group.bench_function(BenchmarkId::new("file, never synced", workers), |bencher| {
            bencher.iter_custom(|appends| {
                files += 1;
                let path = folder.path().join(files.to_string());
                let store = FileStore::open(&path, Fingerprint::new(1), Fsync::Never).expect("opens").store;
                contention(&store, workers, appends)
            });
        });
    }
    group.finish();
}

/// How long `workers` take for so many appends together.
fn contention(store: &impl Store, workers: u64, appends: u64) -> Time {
    let mut all: Vec<Worker> = (1..=workers).map(|id| joined(store, id)).collect();
    let share = |id: u64| appends / workers + u64::from(id < appends % workers);
    let start = now();
    thread::scope(|scope| {
        for (worker, id) in all.iter_mut().zip(0..) {
            scope.spawn(move || {
                for _ in 0..share(id) {
                    let command = failure(worker);
                    perform(store, worker, command);
                }
            });
        }
    });
    start.elapsed()
}

fn catch_up(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("catch-up");
    let store = MemoryStore::new();
    let mut writer = joined(&store, 1);
    let behind = |writer: &mut Worker, appends: u32| {
        let reader = writer.clone();
        for _ in 0..appends {
            let command = failure(writer);
            perform(&store, writer, command);
        }
        reader
    };
    for appends in [1, 100, 10_000] {
        let reader = behind(&mut writer, appends);
        group.throughput(Throughput::Elements(u64::from(appends)));
        group.bench_function(BenchmarkId::from_parameter(appends), |bencher| {
            bencher.iter_batched(
                || reader.clone(),
                |mut reader| {
                    reader.catch_up(&block_on(store.read(reader.head())).expect("reads"));
                    reader
                },
                criterion::BatchSize::LargeInput,
            );
        });
    }
    assert!(block_on(store.read(Head::EMPTY)).is_ok());
    group.finish();
}

/// A shell whose driver has a thread of its own.
fn driven(store: &Arc<MemoryStore>, id: u64, config: &Config) -> Shell {
    let worker = Worker::new(WorkerId::new(id), Instant::ZERO, config);
    let start = now();
    let uptime =
        move || Duration::from_millis(u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX));
    let (shell, driver) = Shell::new(Arc::clone(store), worker, uptime, Quiet);
    shell.perform(Command::Join(config.clone()));
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        runtime.block_on(driver.run());
    });
    block_on(shell.settled()).expect("a driver");
    shell
}

fn shell(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("shell");
    let store = Arc::new(MemoryStore::new());
    let short = config(10, |failover| failover.cooldown_duration = 1);
    let shell = driven(&store, 1, &short);
    let mut random = Random::new(7, 0);
    group.bench_function("select", |bencher| bencher.iter(|| shell.select(&mut random)));

    // Tokens leave and return all the time, and each time a pool is published.
    let (stop, published) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let writer = {
        let (shell, stop, published) = (shell.clone(), Arc::clone(&stop), Arc::clone(&published));
        thread::spawn(move || {
            let mut random = Random::new(8, 0);
            while !stop.load(Ordering::Relaxed) {
                let drawn = shell.select(&mut random);
                shell.report(drawn, UNAVAILABLE, Attempt::First);
                shell.perform(Command::Tick);
                block_on(shell.settled()).expect("a driver");
                published.fetch_add(1, Ordering::Relaxed);
            }
        })
    };
    let start = now();
    group.bench_function("select, while a worker publishes", |bencher| {
        bencher.iter(|| shell.select(&mut random));
    });
    stop.store(true, Ordering::Relaxed);
    writer.join().expect("no panic");
    let rate = published.load(Ordering::Relaxed) * 1_000
        / u64::try_from(start.elapsed().as_millis()).unwrap_or(1).max(1);
    say(&format!("published about {rate} times a second meanwhile"));

    let steady = driven(&Arc::new(MemoryStore::new()), 1, &lasting());
    let drawn = steady.select(&mut random);
    for (name, status) in [("report, a success", OK), ("report, a failure", UNAVAILABLE)] {
        group.bench_function(name, |bencher| {
            // Settled before each sample, so that none is measured on the queue of another.
            bencher.iter_custom(|reports| {
                block_on(steady.settled()).expect("a driver");
                let start = now();
                for _ in 0..reports {
                    steady.report(black_box(drawn), status, Attempt::First);
                }
                start.elapsed()
            });
        });
    }
    group.finish();
}

/// A token that fails in one shell, until another cannot draw it.
fn staleness() {
    const ROUNDS: usize = 1_000;
    let config = config(2, |failover| failover.cooldown_duration = 1);
    let mut table = String::from("staleness, 1,000 rounds           p50        p99    longest\n");
    for others in [1, 7] {
        let store = Arc::new(MemoryStore::new());
        let shells: Vec<Shell> = (1..=1 + others).map(|id| driven(&store, id, &config)).collect();
        let (here, there) = (&shells[0], &shells[shells.len() - 1]);
        let mut random = Random::new(9, 0);
        let mut took = Vec::with_capacity(ROUNDS);
        for _ in 0..ROUNDS {
            // Both are in again, and everybody knows.
            while shells.iter().any(|shell| shell.look(firedrill_failover::Pool::available_len) < 2) {
                here.perform(Command::Tick);
                block_on(here.settled()).expect("a driver");
                thread::yield_now();
            }
            let drawn: Drawn = here.select(&mut random);
            let start = now();
            here.report(drawn, UNAVAILABLE, Attempt::First);
            while there.look(firedrill_failover::Pool::available_len) == 2 {
                std::hint::spin_loop();
            }
            took.push(start.elapsed());
            assert_ne!(there.select(&mut random).fingerprint(), drawn.fingerprint());
        }
        took.sort_unstable();
        let at = |percent: usize| format!("{:.1?}", took[(ROUNDS * percent / 100).min(ROUNDS - 1)]);
        let name = format!("in another of {} shells", others + 1);
        // Writing to a string does not fail.
        let _ = writeln!(table, "{name:<28} {:>10} {:>10} {:>10}", at(50), at(99), at(100));
    }
    say(&table);
}
