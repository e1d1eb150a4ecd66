//! The shell round a worker: what is reported is counted exactly, whatever becomes of the store meanwhile.

mod away;
#[path = "../store/block_on.rs"]
mod block_on;
mod ending;
mod faulty;
mod hearing;
mod joining;
mod wiped;
#[path = "../store/workers.rs"]
#[expect(dead_code, reason = "shared with the tests of stores")]
mod workers;
mod world;

use std::sync::Arc;

use firedrill_failover::{Attempt, Command, Config, Duration, Instant, Random, Status, Worker, WorkerId};
use firedrill_store::{MemoryStore, Quiet, Shell};

fn shell(store: &Arc<MemoryStore>, id: u64, config: &Config) -> Shell {
    let worker = Worker::new(WorkerId::new(id), Instant::ZERO, config);
    let (shell, driver) = Shell::new(Arc::clone(store), worker, || Duration::ZERO, Quiet);
    tokio::spawn(driver.run());
    shell.perform(Command::Join(config.clone()));
    shell
}

/// Eight workers on one log, a million failures between them: the log counts a million.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_million_reports_are_a_million_in_the_log() {
    const REPORTS: u32 = 125_000;
    let store = Arc::new(MemoryStore::new());
    let config = workers::config(3);
    let failed = Status::new(503).expect("a status");
    let shells: Vec<Shell> = (1..=8).map(|id| shell(&store, id, &config)).collect();
    let runs = shells.iter().cloned().zip(1..).map(|(shell, seed)| {
        tokio::spawn(async move {
            let mut random = Random::new(seed, 0);
            for report in 0..REPORTS {
                let drawn = shell.select(&mut random);
                shell.report(drawn, failed, Attempt::First);
                if report % 1_000 == 0 {
                    tokio::task::yield_now().await;
                }
            }
            shell.settled().await
        })
    });
    for run in runs.collect::<Vec<_>>() {
        run.await.expect("no panic").expect("a driver");
    }
    let mut reader = shell(&store, 9, &config);
    reader.settled().await.expect("a driver");
    let counted: u32 = reader.look(|pool| pool.tokens().map(|(_, token)| token.failures).sum());
    assert_eq!(counted, 8 * REPORTS);
    let conflicts: u64 = shells.iter().map(|shell| shell.standing().conflicts).sum();
    println!("{counted} reports, {conflicts} conflicts, {} appends", reader.standing().head.version);
    assert!(conflicts > 0, "sometimes an append is refused");
    reader = shells[0].clone();
    drop(reader);
}
