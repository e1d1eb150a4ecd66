//! The shell round a worker: what is reported is counted exactly, whatever becomes of the store meanwhile.

mod away;
#[path = "../store/block_on.rs"]
mod block_on;
mod ending;
mod faulty;
mod hearing;
mod joining;
mod one_by_one;
mod unchanged;
mod wiped;
#[path = "../store/workers.rs"]
#[expect(dead_code, reason = "shared with the tests of stores")]
mod workers;
mod world;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use firedrill_failover::{
    Attempt, Command, Config, Duration, Entry, Event, Founding, Instant, Newer, Random, Start, Status,
    Worker, WorkerId,
};
use firedrill_store::{MemoryStore, Observer, Shell};

/// Counts the failures that the log tells of.
#[derive(Clone, Default)]
struct Count(Arc<AtomicU64>);

impl Observer for Count {
    fn accepted(&mut self, entry: &Entry) {
        let failed = |event: &&Event| matches!(event, Event::Failed { .. });
        let failures = entry.events.iter().filter(failed).count();
        self.0.fetch_add(u64::try_from(failures).expect("a short append"), Ordering::Relaxed);
    }

    fn heard(&mut self, newer: &Newer) {
        if matches!(&newer.start, Start::Snapshot(fold) if fold.head().version.appends() > 1) {
            // What a snapshot stands for cannot be counted.
            self.0.store(1 << 60, Ordering::Relaxed);
        }
        newer.entries.iter().for_each(|entry| self.accepted(entry));
    }

    fn founded_anew(&mut self, _: &Founding) {
        panic!("nothing was wiped");
    }
}

fn shell(store: &Arc<MemoryStore>, id: u64, config: &Config) -> (Shell, Count) {
    let worker = Worker::new(WorkerId::new(id), Instant::ZERO, config);
    let count = Count::default();
    let (shell, driver) = Shell::new(Arc::clone(store), worker, || Duration::ZERO, count.clone());
    tokio::spawn(driver.run());
    shell.perform(Command::Join(config.clone()));
    (shell, count)
}

/// Eight threads, each with a worker and a runtime of its own, report a million failures between them: the log tells of a
/// million, and counts a million.
#[test]
fn a_million_reports_are_a_million_in_the_log() {
    const REPORTS: u32 = 125_000;
    const ALL: u32 = 8 * REPORTS;
    let store = Arc::new(MemoryStore::new());
    let config = workers::config(3);
    let failed = Status::new(503).expect("a status");
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    runtime().block_on(async {
        let (reader, told) = shell(&store, 9, &config);
        reader.settled().await.expect("a driver");
        let run = |id: u64| {
            let (store, config) = (Arc::clone(&store), config.clone());
            thread::spawn(move || {
                runtime().block_on(async {
                    let (shell, _) = shell(&store, id, &config);
                    let mut random = Random::new(id, 0);
                    for report in 0..REPORTS {
                        shell.report(shell.select(&mut random), failed, Attempt::First);
                        if report % 500 == 0 {
                            tokio::task::yield_now().await;
                        }
                    }
                    shell.settled().await.expect("a driver");
                    shell.standing().conflicts
                })
            })
        };
        let runs: Vec<_> = (1..=8).map(run).collect();
        let mut conflicts = 0;
        for run in runs {
            let joined = tokio::task::spawn_blocking(move || run.join()).await.expect("a thread");
            conflicts += joined.expect("no panic");
        }
        // What the last of them appended is on its way.
        let counted = || reader.look(|pool| pool.tokens().map(|(_, token)| token.failures).sum::<u32>());
        for _ in 0..1_000 {
            if counted() == ALL {
                break;
            }
            tokio::task::yield_now().await;
        }
        println!("{} reports, {conflicts} conflicts, {} appends", counted(), reader.standing().head.version);
        assert_eq!((counted(), told.0.load(Ordering::Relaxed)), (ALL, u64::from(ALL)));
        assert!(conflicts > 0, "sometimes an append is refused");
    });
}

/// Who is told that a report is settled looks at once, on another thread than the driver's.
#[test]
fn what_is_settled_shows_at_once() {
    const REPORTS: u32 = 2_000;
    let threads = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build();
    threads.expect("a runtime").block_on(async {
        let config = workers::config(3);
        let (shell, _) = shell(&Arc::new(MemoryStore::new()), 1, &config);
        let failed = Status::new(503).expect("a status");
        let mut random = Random::new(1, 0);
        for reported in 1..=REPORTS {
            shell.report(shell.select(&mut random), failed, Attempt::First);
            shell.settled().await.expect("a driver");
            assert_eq!(shell.look(workers::failures), reported);
            assert_eq!((shell.standing().appends, shell.standing().waiting), (u64::from(reported) + 1, 0));
        }
    });
}
