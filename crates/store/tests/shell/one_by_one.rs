//! A driver that decides one by one: for a rehearsal, whose store says when what is done.

use std::sync::Arc;

use firedrill_failover::{
    Attempt, Command, Duration, Entry, Event, Instant, Random, Status, Worker, WorkerId,
};
use firedrill_store::{MemoryStore, Quiet, Shell, Store};

use super::workers;

/// Reports two failures at once and performs a tick, and gives the appends that come of it.
async fn appends(one_by_one: bool) -> Vec<Entry> {
    let (store, config) = (Arc::new(MemoryStore::new()), workers::config(3));
    let worker = Worker::new(WorkerId::new(1), Instant::ZERO, &config);
    let (shell, driver) = Shell::new(Arc::clone(&store), worker, || Duration::ZERO, Quiet);
    shell.perform(Command::Join(config));
    tokio::spawn(if one_by_one { driver.one_by_one() } else { driver }.run());
    shell.settled().await.expect("a driver");
    let drawn = shell.select(&mut Random::new(0, 0));
    let failed = Status::new(503).expect("a status");
    shell.report(drawn, failed, Attempt::First);
    shell.report(drawn, failed, Attempt::First);
    shell.settled().await.expect("a driver");
    store.read(firedrill_failover::Head::EMPTY).await.expect("a log").entries
}

#[tokio::test]
async fn every_command_goes_into_an_append_of_its_own() {
    let failures = |entries: &[Entry]| -> Vec<usize> {
        let failed = |entry: &Entry| {
            entry
                .events
                .iter()
                .filter(|event| matches!(event, Event::Failed { .. } | Event::Removed { .. }))
                .count()
        };
        entries.iter().map(failed).filter(|count| *count > 0).collect()
    };
    assert_eq!(failures(&appends(false).await), [2], "together, if nobody says otherwise");
    assert_eq!(failures(&appends(true).await), [1, 1]);
}
